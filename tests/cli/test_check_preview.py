"""``./semanticst check``: what a run would compare, from its tables alone."""

import json
import re

import pytest

from helpers import invoke

SHEET = "sample,patient,path,platform,batch,timepoint\n" + "".join(
    [f"s{i:02d},P{i:02d},x{i}.h5ad,Xenium,run{i % 2},baseline\n" for i in range(1, 13)]
    + [f"w{i:02d},P{i:02d},y{i}.h5ad,Xenium,run1,week6\n" for i in range(1, 5)]
)
CLINICAL = "patient,response,age,months,status\n" + "".join(
    f"P{i:02d},{'yes' if i % 3 else 'no'},{'unknown' if i == 12 else 40 + i},{i},{'dead' if i < 7 else 'alive'}\n"
    for i in range(1, 13)
)
HEADER = "contrast,type,column,time,event,event_value,covariates,strata,subset\n"
CONTRASTS = (
    HEADER + "response,groups,response,,,,age,,timepoint == baseline\nsurvival,survival,,months,status,dead,,,\n"
)


def look(folder, *arguments, sheet=SHEET, clinical=CLINICAL, contrasts=CONTRASTS, form="json"):
    for name, text in {"sheet": sheet, "clinical": clinical, "contrasts": contrasts}.items():
        (folder / f"{name}.csv").write_text(text)
    tables = [x for name in ("clinical", "contrasts") for x in (f"--{name}", folder / f"{name}.csv")]
    outdir = folder / "out"
    result = invoke(
        "samplesheet_check", folder / "sheet.csv", *tables, "--no-check-files", "--preview", form, "--outdir", outdir,
        *arguments,
    )  # fmt: skip
    assert list(outdir.iterdir()) == []
    return result.exit_code, json.loads(result.stdout) if form == "json" else result.stdout


def test_groups_events_and_who_is_left_out(tmp_path):
    code, found = look(tmp_path)
    assert (code, found["samples"], found["patients"], found["platforms"]) == (0, 16, 12, {"xenium": 16})
    response, survival = found["contrasts"]
    assert response["groups"] == {"no": {"patients": 3, "sections": 3}, "yes": {"patients": 8, "sections": 8}}
    assert response["left_out_patients"] == {"no age": 1}
    assert response["left_out_sections"] == {"outside the subset": 4, "no age": 1}
    assert (survival["patients"], survival["events"], survival["median_time"]) == (12, 6, 6.5)
    assert survival["cautions"][0].startswith(
        "sections that differ in timepoint (baseline, week6) are added up in 4 patients"
    )
    assert found["problems"] == []


def test_problems_end_with_3_and_the_rest_is_shown(tmp_path):
    contrasts = CONTRASTS.replace("timepoint == baseline", "timepoint == Baseline")
    code, text = look(tmp_path, contrasts=contrasts, form="text")
    assert code == 3
    assert "response (groups): cannot be looked at, see the problems" in text
    assert "survival (survival): 12 patients (16 sections), 6 events (status = dead, 50 %), median months 6.5" in text
    assert "no sample has 'Baseline' in 'timepoint'; values found: baseline, week6; did you mean 'baseline'?" in text
    assert text.endswith("1 problem, 1 caution\n")


def test_batch_that_is_the_contrast_is_told_before_a_run(tmp_path):
    sheet = (
        SHEET.splitlines()[0]
        + "\n"
        + "".join(f"s{i:02d},P{i:02d},x{i}.h5ad,xenium,{'a' if i % 3 else 'b'},baseline\n" for i in range(1, 13))
    )
    code, found = look(tmp_path, sheet=sheet)
    batch = found["contrasts"][0]["batch"]
    assert code == 0
    assert (batch["measure"], batch["strength"]) == ("Cramer's V", pytest.approx(1.0))
    assert "not testable: each batch holds one group of the contrast only" in batch["follows"]
    assert found["contrasts"][0]["untestable"] == batch["follows"]


def test_what_covariates_determine_is_told_before_a_run_and_counted(tmp_path):
    slides = [f"a{p},p{p},x{p},A,s0\nb{p},p{p},y{p},B,s1\n" for p in range(1, 11)]
    sheet = "sample,patient,path,batch,half\n" + "".join(slides)
    clinical = "patient\n" + "".join(f"p{p}\n" for p in range(1, 11))
    contrasts = "contrast,type,column,block,covariates\nhalves,groups,half,patient,batch\n"
    code, text = look(tmp_path, sheet=sheet, clinical=clinical, contrasts=contrasts, form="text")
    reason = "covariates or blocks determine the contrast, or leave too few patients"
    assert code == 0
    assert f"  batch     Cramer's V 1.00, not testable: {reason}\n  NOT TESTABLE  {reason}\n" in text
    assert text.endswith("0 problems, 0 cautions, 1 contrast not testable\n")


def test_a_subset_that_nobody_enters_is_counted_as_not_testable(tmp_path):
    contrasts = HEADER + "old,groups,response,,,,,,age > 99\n"
    code, text = look(tmp_path, contrasts=contrasts, form="text")
    assert code == 0
    assert "  NOT TESTABLE  no patient enters this contrast" in text
    assert text.endswith(", 1 contrast not testable\n")
    assert look(tmp_path, contrasts=contrasts)[1]["not_testable"] == ["old"]


def test_patients_without_a_clinical_row_are_told_as_such(tmp_path):
    gone = ("P11", "P12")
    clinical = "".join(line for line in CLINICAL.splitlines(keepends=True) if not line.startswith(gone))
    code, text = look(tmp_path, clinical=clinical, form="text")
    assert code == 0
    assert text.count("  left out  2 patients, 2 sections: no row in the clinical table\n") == 2
    assert "2 of 12 patients have no row in clinical.csv and enter no test of its columns: P11, P12" in text
    renamed = clinical + "P-11,yes,51,11,alive\n"
    code, found = look(tmp_path, clinical=renamed)
    assert code == 3
    assert "found 'P11'" in found["problems"][0]
    assert "1 of 12 patients have no row in clinical.csv and enter no test of its columns: P12" in found["cautions"]


def test_one_is_told_as_one(tmp_path):
    _, text = look(tmp_path, form="text")
    assert "  left out  1 patient, 1 section: no age\n" in text


def with_parts(of_validation):
    head, *rows = SHEET.splitlines()
    part = {True: "validation", False: "discovery"}
    return "\n".join([f"{head},study_part", *(f"{r},{part[r.split(',')[1] in of_validation]}" for r in rows)]) + "\n"


def test_discovery_and_validation_are_counted_each_for_itself(tmp_path):
    validation = {f"P{i:02d}" for i in range(7, 13)}
    code, found = look(tmp_path, sheet=with_parts(validation))
    assert code == 0
    assert [(c["asked"]["contrast"], c["study_part"], c["patients"]) for c in found["contrasts"]] == [
        ("response", "discovery", 6), ("response", "validation", 5),
        ("survival", "discovery", 6), ("survival", "validation", 6),
    ]  # fmt: skip
    assert [c["events"] for c in found["contrasts"][2:]] == [6, 0]
    assert found["contrasts"][1]["left_out_patients"] == {"no age": 1}
    _, text = look(tmp_path, sheet=with_parts(validation), form="text")
    assert "response (groups), validation: 5 patients (5 sections): no 1 (1), yes 4 (4)" in text


def test_a_sheet_that_is_all_validation_is_one_problem(tmp_path):
    code, found = look(tmp_path, sheet=with_parts({f"P{i:02d}" for i in range(1, 13)}))
    assert code == 3
    (problem,) = found["problems"]
    assert "no sample is of the discovery" in problem


def test_validation_without_a_group_is_a_caution_and_discovery_without_it_a_problem(tmp_path):
    responders = {"P04", "P07", "P10", "P11"}
    code, text = look(tmp_path, sheet=with_parts(responders), form="text")
    assert code == 0
    assert "response (groups), validation: cannot be tested\n  NOT TESTABLE  nothing to compare" in text
    assert text.endswith("0 problems, 1 caution, 2 contrasts not testable\n")
    code, text = look(tmp_path, sheet=with_parts({f"P{i:02d}" for i in range(1, 13)} - responders), form="text")
    assert code == 3
    assert "response (groups), discovery: cannot be looked at" in text
    assert "nothing to compare: all samples have 'yes'" in text


@pytest.mark.parametrize(
    ("sheet_ids", "clinical_ids", "message"),
    [
        (["P1", "P2", "P3"], ["P01", "P02", "P3"], "row 2, column 'patient': found 'P1'...row 2 has 'P01'"),
        (["100000", "B2", "B3"], ["1E5", "B2", "B3"], "found '100000'...row 2 has '1E5'"),
        (["SEP2", "B2", "B3"], ["2-Sep", "B2", "B3"], "found 'SEP2'...row 2 has '2-Sep'"),
        (["a_1", "B2", "B3"], ["A-01", "B2", "B3"], "found 'a_1'...row 2 has 'A-01'"),
    ],
)  # fmt: skip
def test_names_that_a_program_changed(tmp_path, sheet_ids, clinical_ids, message):
    sheet = "sample,patient,path\n" + "".join(f"s{i},{p},x{i}\n" for i, p in enumerate(sheet_ids))
    clinical = "patient,response\n" + "".join(f"{p},a\n" for p in clinical_ids)
    code, found = look(tmp_path, sheet=sheet, clinical=clinical, contrasts=HEADER)
    assert code == 3
    assert all(part in "\n".join(found["problems"]) for part in message.split("..."))


def test_names_of_files_that_are_one_on_some_disks(tmp_path):
    sheet = "sample,patient,path\nS01,p1,a\ns01,p2,b\n"
    clinical = "patient,response\np1,a\np2,b\n"
    contrasts = HEADER + "arm,groups,response,,,,,,\nArm,groups,response,,,,,,\n"
    code, found = look(tmp_path, sheet=sheet, clinical=clinical, contrasts=contrasts)
    assert code == 3
    problems = "\n".join(found["problems"])
    assert "sheet.csv, row 3, column 'sample': found 's01': row 2 has 'S01': on some disks" in problems
    assert "contrasts.csv, row 3, column 'contrast': found 'Arm': 'arm' (row 2) differs by case only" in problems


def test_cells_that_spell_one_value_in_several_ways_are_named(tmp_path):
    clinical = CLINICAL.replace("P03,no", "P03,NO").replace("P06,no", "P06,No").replace("P04,yes,44", "P04,yes,>44")
    clinical = clinical.replace("P05,yes,45", 'P05,yes,"45,5"')
    code, found = look(tmp_path, clinical=clinical)
    assert code == 3
    problems = "\n".join(found["problems"])
    assert "clinical.csv, row 4, column 'response': found 'NO': probably the same as 'no'" in problems
    assert "clinical.csv, row 7, column 'response': found 'No'" in problems
    assert "clinical.csv, row 5, column 'age': found '>44': most values of this column are numbers" in problems
    assert "clinical.csv, row 6, column 'age': found '45,5': a number with a decimal point is expected" in problems


THOUSANDS = "patient;response;days;psa;dead;site\n" + "".join(
    f"P{i:02d};{'yes' if i % 3 else 'no'};{days};{days};{i % 2};{days}\n"
    for i, days in enumerate(
        ["1.234", "980", "2.345", "450", "1.020", "3.000", "720", "1.111", "640", "2.100", "365", "1.460"], 1
    )
)


@pytest.mark.parametrize("mark", [".", ","])
@pytest.mark.parametrize(
    ("contrast", "column"),
    [
        ("a,survival,,days,dead,1,,,", "days"),
        ("a,continuous,psa,,,,,,", "psa"),
        ("a,groups,response,,,,psa,,", "psa"),
        ("a,groups,response,,,,,,days > 500", "days"),
    ],
)
def test_numbers_whose_marks_nothing_settles_are_refused_where_they_are_used(tmp_path, mark, contrast, column):
    clinical = THOUSANDS.replace(".", mark)
    code, found = look(tmp_path, clinical=clinical, contrasts=HEADER + contrast + "\n")
    assert code == 3
    (problem,) = [text for text in found["problems"] if "clinical.csv, rows 2, 4, 6 and" in text]
    assert f"column '{column}'" in problem
    assert f"found '1{mark}234', '2{mark}345', '1{mark}020' and" in problem
    assert f"is 1{mark}234 1234 or 1.234? " in problem
    unused = look(tmp_path, clinical=clinical, contrasts=HEADER + "a,groups,response,,,,factor(site),,\n")
    assert "1234" not in "".join(unused[1]["problems"])


def test_marks_that_another_column_settles_are_read(tmp_path):
    clinical = THOUSANDS.replace("\n", ";40,5\n").replace("site;40,5", "site;age")
    code, found = look(tmp_path, clinical=clinical, contrasts=HEADER + "a,survival,,days,dead,1,,,\n")
    assert (code, found["contrasts"][0]["median_time"]) == (0, 1065.5)


@pytest.mark.parametrize(("unit", "example"), [(" years", "41 years"), ("%", "41%")])
def test_covariates_with_a_unit_are_told(tmp_path, unit, example):
    clinical = re.sub(r",(4\d|5\d),", rf",\1{unit},", CLINICAL)
    code, found = look(tmp_path, clinical=clinical)
    assert code == 3
    problems = "\n".join(found["problems"])
    assert f"column 'age': found '{example}'" in problems
    assert f"this is a number with a unit: write the number alone, as 41 for {example}, or factor(age) if" in problems
    assert look(tmp_path, clinical=clinical, contrasts=CONTRASTS.replace("age,,", "factor(age),,"))[0] == 0


def test_the_launcher_takes_the_parameters_of_the_pipeline(tmp_path, capfd):
    from launcher.commands import main

    look(tmp_path)
    tables = [
        f"--{n}={tmp_path}/{f}.csv"
        for n, f in (("input", "sheet"), ("clinical", "clinical"), ("contrasts", "contrasts"))
    ]
    assert main(["check", *tables, "--no_files"]) == 0
    assert "response (groups): 11 patients (11 sections): no 3 (3), yes 8 (8); covariates age" in capfd.readouterr().out
    assert main(["check", *tables]) == 3
    assert "this is not there; relative paths start at the folder of the samplesheet" in capfd.readouterr().out
    assert main(["check", *tables[1:]]) == 2
