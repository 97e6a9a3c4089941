"""``samplesheet_check.py``: good tables come out tidy, bad ones with every problem at once."""

import json
import unicodedata

import pandas as pd
import pytest

from helpers import ASSETS, invoke, make_sample, real_data

SHEET = "sample,patient,path,batch,tissue\ns2,p2,s2.h5ad,b,tumour\ns1,p1,s1.h5ad,b,margin\ns3,p3,s3.h5ad,b,tumour\n"
CLINICAL = "patient,group,time,event,age\np1,a,10,1,50\np2,b,20,0,60\np3,a,30.5,1,70\n"
CONTRASTS = "contrast,type,column,reference,target,time,event,event_value,subset\n"


def write(folder, **tables):
    for name, text in tables.items():
        (folder / f"{name}.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def check(folder, *arguments, files=False):
    """Run the command on the tables that lie in ``folder``; results go to ``folder/out``."""
    for name in ("clinical", "contrasts"):
        if (folder / f"{name}.csv").exists():
            arguments = (f"--{name}", folder / f"{name}.csv", *arguments)
    arguments = ("--check-files" if files else "--no-check-files", "--outdir", folder / "out", *arguments)
    return invoke("samplesheet_check", folder / "sheet.csv", *arguments)


def valid(folder, name) -> pd.DataFrame:
    return pd.read_csv(folder / "out" / f"{name}.valid.csv", dtype=str, keep_default_na=False)


def valid_batches(folder) -> list[str]:
    (folder / "again").mkdir()
    sheet = folder / "sheet.csv"
    result = invoke("samplesheet_check", sheet, "--no-check-files", "--outdir", folder / "again")
    assert result.exit_code == 0, result.stderr
    return pd.read_csv(folder / "again" / "samplesheet.valid.csv", dtype=str)["batch"].tolist()


def assert_bad(result, folder, *messages):
    """Exit code 3, each message (its parts joined by ...) in one line of its own, nothing written."""
    assert result.exit_code == 3, result.stderr
    problems = [line for line in result.stderr.splitlines() if line.startswith("  - ")]
    assert len(problems) == len(messages), result.stderr
    for message in messages:
        parts = message.split("...")
        assert any(all(part in line for part in parts) for line in problems), f"{message}\n{result.stderr}"
    assert list((folder / "out").iterdir()) == []


def test_sheet_alone(tmp_path):
    write(tmp_path, sheet="sample,patient,path,colour\ns2,p1,x/s2.h5ad,red\ns1,p1,/abs/s1.h5ad,blue\n")
    result = check(tmp_path)
    assert result.exit_code == 0, result.stderr
    sheet = valid(tmp_path, "samplesheet")
    assert list(sheet.columns) == ["sample", "patient", "path", "platform", "batch", "slide", "region", "colour"]
    assert sheet["sample"].tolist() == ["s1", "s2"]
    assert sheet["path"].tolist() == ["/abs/s1.h5ad", "x/s2.h5ad"]
    assert sheet["batch"].tolist() == ["s1", "s2"]
    assert list(valid(tmp_path, "clinical").columns) == ["patient"]
    contrasts = valid(tmp_path, "contrasts")
    assert len(contrasts) == 0
    assert ",".join(contrasts.columns) == (
        "contrast,type,column,reference,target,levels,time,event,event_value,covariates,strata,block,subset,interaction,cluster"
    )


def test_order_of_rows_does_not_matter(tmp_path):
    head, *rows = SHEET.splitlines()
    for name, order in (("a", rows), ("b", rows[::-1])):
        (tmp_path / name).mkdir()
        assert check(write(tmp_path / name, sheet="\n".join([head, *order]))).exit_code == 0
    files = [(tmp_path / n / "out" / "samplesheet.valid.csv").read_bytes() for n in "ab"]
    assert files[0] == files[1]


@pytest.mark.parametrize(
    "sheet",
    [
        b"\xef\xbb\xbf" + SHEET.encode(),
        SHEET.replace("\n", "\r\n"),
        SHEET.replace("\n", "\r"),
        SHEET.replace(",", ";"),
        SHEET.replace(",", "\t"),
        SHEET.replace(",", " , ") + "\n\n,,,,\n",
        SHEET.encode("utf-16"),
        SHEET.replace("tissue", "tissue,").replace("tumour", "tumour,").replace("margin", "margin,"),
        SHEET.rstrip("\n"),
    ],
    ids=["bom", "crlf", "cr", "semicolon", "tab", "spaces", "utf16", "trailing comma", "no last newline"],
)
def test_tables_as_people_write_them(tmp_path, sheet):
    plain, odd = tmp_path / "plain", tmp_path / "odd"
    for folder, text in ((plain, SHEET), (odd, sheet)):
        folder.mkdir()
        result = check(write(folder, sheet=text))
        assert result.exit_code == 0, result.stderr
    assert valid(odd, "samplesheet").equals(valid(plain, "samplesheet"))


def test_all_problems_of_all_tables_at_once(tmp_path):
    write(
        tmp_path,
        sheet="sample,patient,path,platform,qc_max_mito\n"
        "s 1,p1,a.h5ad,xenum,0.1\ns2,,b.h5ad,,5\ns2,p2,a.h5ad,,\nsé,p3,,,many\n",
        clinical="patient,group,time,event\np1,a,10,1\np1,b,10,1\np2,a,soon,0\n",
        contrasts="contrast,type,column,time,event,event_value\n"
        "one,group,group,,,\ntwo,survival,,time,event,dead\nthree,groups,grup,,,\n",
    )
    assert_bad(
        check(tmp_path),
        tmp_path,
        "sheet.csv, row 2, column 'sample'...'s 1'...letters, digits",
        "sheet.csv, row 2, column 'platform'...'xenum'...visium",
        "sheet.csv, row 3, column 'patient'...nothing is given",
        "sheet.csv, row 3, column 'qc_max_mito'...'5'...a share from 0 to 1",
        "sheet.csv, row 4, column 'sample'...'s2'...also in row 3",
        "sheet.csv, row 4, column 'path'...'a.h5ad'...also in row 2",
        "sheet.csv, row 5, column 'sample'...'sé'",
        "sheet.csv, row 5, column 'path'...nothing is given",
        "sheet.csv, row 5, column 'qc_max_mito'...'many'",
        "clinical.csv, row 3, column 'group'...'b'...row 2 says 'a'",
        "contrasts.csv, row 2, column 'type'...'group'...one of groups, ordered, continuous, survival",
        "contrasts.csv, row 3, column 'event_value'...'dead'...found: 0, 1",
        "clinical.csv, row 4, column 'time'...'soon'",
        "contrasts.csv, row 4, column 'column'...'grup'...did you mean 'group'",
    )


@pytest.mark.parametrize(
    ("sheet", "messages"),
    [
        ("", ["empty"]),
        ("\n\n", ["empty"]),
        ("sample,patient,path\n", ["no samples below the header"]),
        ("sample_id,donor,path\ns1,p1,x\n", ["'sample'...'sample_id' is there", "'patient'...'donor' is there"]),
        ("sampel,patient,path\ns1,p1,x\n", ["column 'sample'...'sampel' is there: rename it"]),
        ("a,b,c\n1,2,3\n", ["'sample'...columns found: a, b, c", "'patient'", "'path'"]),
        ("sample,patient,path,path\ns1,p1,x,y\n", ["row 1, column 'path'...more than once"]),
        ("sample,patient,path,\ns1,p1,x,y\n", ["column 4 has values but no name"]),
        ("sample,patient,path\ns1,p1,x,y,z\n", ["row 2...5 values, the header names 3"]),
        (b"sample,patient,path\ns1,p\xe9,x\n", ["row 2...not UTF-8"]),
        (b"PK\x03\x04\x00\x00sample", ["not a text file"]),
        ('sample,patient,path\ns1,"p1,x\n', ["check the quotes"]),
        ("sample,patient,path\n-s,p1,x\n", ["row 2, column 'sample'...'-s'"]),
        ("sample,patient,path\nNA,p1,x\n", ["row 2, column 'sample'...'NA'...this counts as missing"]),
        ("sample,patient,path,qc_min_cells\ns1,p1,x,1.5\n", ["column 'qc_min_cells'...'1.5'...a whole number"]),
        ("sample,patient,path,qc_mads\ns1,p1,x,inf\n", ["column 'qc_mads'...'inf'"]),
        (
            "sample,patient,path,spatial_unit,um_per_px\ns1,p1,x,µm,0.5\ns2,p2,y,px,0.5\n",
            ["row 2, column 'um_per_px'...'0.5'...spatial_unit says um; leave one of them empty"],
        ),
        ("sample,patient,path,feature_type\ns1,p1,x,umi\n", ["column 'feature_type'...one of counts, binary"]),
    ],
)
def test_bad_sheets(tmp_path, sheet, messages):
    assert_bad(check(write(tmp_path, sheet=sheet)), tmp_path, *messages)


@pytest.mark.parametrize(
    ("written", "platform"),
    [("Visium", "visium"), ("VISIUM HD", "visium_hd"), ("Vectra Polaris", "mif"), ("t-CyCIF", "cycif"),
     ("macsima", "mif"), ("COMET", "mif"), ("Orion", "mif"), ("mIF", "mif"), ("PhenoCycler-Fusion", "codex")],
)  # fmt: skip
def test_spellings_of_platforms(tmp_path, written, platform):
    write(tmp_path, sheet=f"sample,patient,path,platform,spatial_unit\ns1,p1,x,{written},µm\n")
    assert check(tmp_path).exit_code == 0
    sheet = valid(tmp_path, "samplesheet")
    assert sheet.loc[0, ["platform", "spatial_unit"]].tolist() == [platform, "um"]


def test_an_unknown_platform_is_one_problem(tmp_path):
    rows = "".join(f"s{i},p{i},{i}.h5ad,Microscope\n" for i in range(135))
    write(tmp_path, sheet=f"sample,patient,path,platform\n{rows}")
    for i in range(135):
        (tmp_path / f"{i}.h5ad").touch()
    result = check(tmp_path, files=True)
    assert_bad(
        result, tmp_path, "rows 2 to 136 (135), column 'platform'...'Microscope': expected one of visium...other"
    )
    assert "135 problems" in result.stderr


def test_samples_are_read_and_what_was_understood_is_said(tmp_path):
    (tmp_path / "a.csv").write_text("cell_id,x_um,y_um,CD3,CD20\nc1,1,2,0,1\nc2,3,4,1,0\nc3,5,7,2,0\n")
    (tmp_path / "b.csv").write_text("cell_id,x_um,y_um,CD3,CD20\nc1,1,2,0,0.5\nc2,3,4,1,0\nc3,5,7,2,0\n")
    write(tmp_path, sheet="sample,patient,path\ns1,p1,a.csv\n")
    result = check(tmp_path, "--read-samples", files=True)
    assert result.exit_code == 0, result.stderr
    told = "s1: table, values from a.csv; counts (from the values); coordinates in um (as the file says)"
    assert told in result.stderr
    assert "3 cells x 2 features" in result.stderr
    write(tmp_path, sheet="sample,patient,path\ns1,p1,a.csv\ns2,p2,b.csv\n")
    result = check(tmp_path, "--read-samples", files=True)
    assert result.exit_code == 3
    assert "the samples hold several kinds of values: continuous (s2), counts (s1)" in result.stderr


def test_the_check_reads_samples_and_gives_numbers_of_what_is_left_out(tmp_path):
    sample = make_sample(n_cells=40, n_features=6)
    sample.obs["in_tissue"] = [0] * 5 + [1] * 35
    sample.var["feature_types"] = ["Gene Expression"] * 4 + ["CRISPR Guide Capture", "Negative Control Probe"]
    sample.write_h5ad(tmp_path / "s.h5ad")
    write(tmp_path, sheet="sample,patient,path\ns1,p1,s.h5ad\n")
    result = check(tmp_path, "--read-samples", "--preview", "json", files=True)
    assert result.exit_code == 0, result.stderr
    (told,) = json.loads(result.stdout)["read"]
    assert (told["sample"], told["format"], told["matrix"]) == ("s1", "h5ad", "X")
    assert (told["n_cells"], told["n_features"]) == (35, 4)
    assert (told["n_cells_left_out"], told["n_features_left_out"]) == (5, 2)
    assert told["unit"].startswith("unknown")
    text = check(tmp_path, "--read-samples", "--preview", "text", files=True).stdout
    assert "s1: h5ad, values from X; counts (from the values)" in text
    assert "5 cells left out; 2 features left out" in text


def test_the_check_shows_the_kind_that_the_cohort_decides(tmp_path):
    # no cell of the first image has two markers: alone it is a typing
    one = "".join(f"c{i},{i},{i % 7},{i % 2},{(i + 1) % 2}\n" for i in range(60))
    both = "".join(f"c{i},{i},{i % 7},1,{i % 2}\n" for i in range(60))
    for name, rows in {"a": one, "b": both}.items():
        (tmp_path / f"{name}.csv").write_text("cell_id,x_um,y_um,CD3,CD20\n" + rows)
    write(tmp_path, sheet="sample,patient,path\ns1,p1,a.csv\n")
    alone = check(tmp_path, "--read-samples", "--preview", "text", files=True).stdout
    assert "s1: table, values from a.csv; onehot (from the values)" in alone
    write(tmp_path, sheet="sample,patient,path\ns1,p1,a.csv\ns2,p2,b.csv\n")
    text = check(tmp_path, "--read-samples", "--preview", "text", files=True).stdout
    assert "s1: table, values from a.csv; binary (as in the other samples)" in text
    assert "s2: table, values from b.csv; binary (from the values)" in text


def test_the_check_tells_all_samples_that_cannot_be_read(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.h5ad").write_bytes(b"no")
    write(tmp_path, sheet="sample,patient,path\ns1,p1,a.h5ad\ns2,p2,b.h5ad\n")
    result = check(tmp_path, "--read-samples", "--preview", "text", files=True)
    assert result.exit_code == 3
    assert result.stdout.count("cannot be read as .h5ad") == 2


def test_row_numbers_are_those_of_an_editor(tmp_path):
    write(tmp_path, sheet='\nsample,patient,path,note\n\ns1,p1,x,"two\nlines"\n\ns/2,p2,y,"more\nlines"\n')
    assert_bad(check(tmp_path), tmp_path, "row 7, column 'sample'...'s/2'")


def test_files_are_looked_for_beside_the_sheet(tmp_path):
    write(tmp_path, sheet="sample,patient,path\ns1,p1,here.h5ad\ns2,p2,gone.h5ad\ns3,p3,s3://bucket/far.h5ad\n")
    (tmp_path / "here.h5ad").touch()
    assert_bad(
        check(tmp_path, files=True), tmp_path, f"row 3, column 'path'...'gone.h5ad': there is no {tmp_path}/gone.h5ad"
    )
    assert check(tmp_path, files=False).exit_code == 0


EXCLUDED = """\
sample,patient,path,tissue,exclude
s1,p1,gone.h5ad,tumour,"folded,
torn"
s2,p2,here.h5ad,tumour,
s3,p2,,margin,no RNA
"""


def test_samples_with_a_reason_are_left_out(tmp_path):
    """Neither is the file of one looked for, nor must it be named; the rest goes on without them."""
    write(tmp_path, sheet=EXCLUDED, clinical="patient,group\np1,a\np2,b\n")
    (tmp_path / "here.h5ad").touch()
    result = check(tmp_path, files=True)
    assert result.exit_code == 0, result.stderr
    sheet = valid(tmp_path, "samplesheet")
    assert sheet["sample"].tolist() == ["s2"]
    assert "exclude" not in sheet
    assert "leaves out 2 of 3 samples: s1 (folded, torn); s3 (no RNA)" in result.stderr
    assert "of 1 patients no sample is used: p1" in result.stderr
    assert "1 sample of 1 patient" in result.stderr
    rows = json.loads((tmp_path / "out" / "samplesheet.json").read_text())
    assert rows["used"] == sheet.to_dict("records")
    assert [(row["sample"], row["exclude"]) for row in rows["excluded"]] == [("s1", "folded, torn"), ("s3", "no RNA")]


def test_the_used_sheet_starts_the_same_run_from_anywhere(tmp_path):
    write(tmp_path, sheet=EXCLUDED)
    assert check(tmp_path).exit_code == 0
    used = pd.read_csv(tmp_path / "out" / "samplesheet.used.csv", dtype=str, keep_default_na=False).set_index("sample")
    assert used["path"].tolist() == [f"{tmp_path}/gone.h5ad", f"{tmp_path}/here.h5ad", ""]
    assert used["exclude"].tolist() == ["folded, torn", "", "no RNA"]
    assert used["tissue"].tolist() == ["tumour", "tumour", "margin"]
    (tmp_path / "again").mkdir()
    (tmp_path / "out" / "samplesheet.used.csv").rename(tmp_path / "again" / "sheet.csv")
    assert check(tmp_path / "again").exit_code == 0
    again = pd.read_csv(tmp_path / "again/out/samplesheet.used.csv", dtype=str, keep_default_na=False)
    assert again.set_index("sample").equals(used)
    first, second = valid(tmp_path, "samplesheet"), valid(tmp_path / "again", "samplesheet")
    assert first.drop(columns="path").equals(second.drop(columns="path"))


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/data/a b/it's", "/data/a b/x/s.h5ad"),
        ("s3://bucket/cohort", "s3://bucket/x/s.h5ad"),
        ("gs://bucket/a/b", "gs://bucket/a/x/s.h5ad"),
    ],
)
def test_paths_start_where_the_pipeline_says(tmp_path, folder, expected):
    """In a task the sheet lies elsewhere than where its user has it."""
    write(tmp_path, sheet="sample,patient,path\ns1,p1,../x/./s.h5ad\ns2,p2,/abs.h5ad\ns3,p3,az://b/s.h5ad\n")
    assert check(tmp_path, "--folder", folder).exit_code == 0
    used = pd.read_csv(tmp_path / "out" / "samplesheet.used.csv")
    assert used["path"].tolist() == [expected, "/abs.h5ad", "az://b/s.h5ad"]


@pytest.mark.parametrize(
    "answer", ["no", "FALSE", "True", "yes", "x", "0", "1", "-", "None", "?", "[Unknown]", "not reported"]
)
def test_an_answer_is_no_reason(tmp_path, answer):
    write(tmp_path, sheet=f"sample,patient,path,exclude\ns1,p1,x,{answer}\ns2,p2,y,\n")
    message = f"row 2, column 'exclude'...'{answer}'...a reason in words...leave the cell empty to use the sample"
    assert_bad(check(tmp_path), tmp_path, message)


@pytest.mark.parametrize("missing", ["", "NA", "nan", " ", "#N/A", "#NV", "(null)", "\\N"])
def test_no_reason_means_used(tmp_path, missing):
    write(tmp_path, sheet=f"sample,patient,path,exclude\ns1,p1,x,{missing}\n")
    assert check(tmp_path).exit_code == 0
    assert valid(tmp_path, "samplesheet")["sample"].tolist() == ["s1"]


@pytest.mark.parametrize("missing", ["#N/A", "[Not Available]", "unknown", "(null)", "\\N", "#REF!", "Not reported"])
def test_values_that_are_none_are_no_batch_and_no_group(tmp_path, missing):
    sheet = f"sample,patient,path,batch\ns1,p1,x,{missing}\ns2,p2,y,{missing}\ns3,p3,z,run1\n"
    clinical = f"patient,group,event\np1,a,1\np2,b,{missing}\np3,{missing},0\n"
    write(tmp_path, sheet=sheet, clinical=clinical, contrasts="contrast,type,column\nmine,groups,group\n")
    result = check(tmp_path, "--preview", "json")
    assert valid_batches(tmp_path) == ["s1", "s2", "run1"]
    (contrast,) = json.loads(result.stdout)["contrasts"]
    assert list(contrast["groups"]) == ["a", "b"]
    assert contrast["left_out_patients"] == {"no group": 1}


@pytest.mark.parametrize("name", ["#N/A", "(null)", "#REF!", "unknown", "[Not Available]", "?"])
def test_patients_without_a_name_are_refused_in_both_tables(tmp_path, name):
    """VLOOKUP that found nothing: the rows would be one patient."""
    write(tmp_path, sheet=f"sample,patient,path\ns1,p1,x\ns2,{name},y\ns3,{name},z\n")
    result = check(tmp_path)
    assert result.exit_code == 3
    assert f"sheet.csv, rows 3, 4, column 'patient': found '{name}': this counts as missing" in result.stderr
    write(tmp_path, sheet="sample,patient,path\ns1,p1,x\n", clinical=f"patient,group\np1,a\n{name},b\n")
    assert_bad(check(tmp_path), tmp_path, f"clinical.csv, row 3, column 'patient'...'{name}'...this counts as missing")


def test_a_sheet_that_leaves_out_everything_is_refused(tmp_path):
    sheet = "sample,patient,path,exclude\ns1,p1,x,folded\ns2,p2,y,torn\n"
    write(tmp_path, sheet=sheet, clinical="patient,group\np9,a\n")
    assert_bad(check(tmp_path), tmp_path, "sheet.csv, column 'exclude'...all samples are left out")


def test_samples_that_are_left_out_count_for_no_contrast(tmp_path):
    text = "contrast,type,column\na,groups,tissue\nb,groups,exclude\n"
    write(tmp_path, sheet=EXCLUDED, contrasts=text)
    assert_bad(
        check(tmp_path),
        tmp_path,
        "row 2, column 'column'...'tissue'...nothing to compare: all samples have 'tumour'",
        "row 3, column 'column'...'exclude'...no such column",
    )


def test_only_used_samples_share_no_file(tmp_path):
    write(tmp_path, sheet="sample,patient,path,exclude\nold,p1,x,first export\nnew,p1,x,\nnewer,p1,x,\n")
    assert_bad(check(tmp_path), tmp_path, "row 4, column 'path'...'x'...also in row 3")


def test_missing_files_are_named_with_all_other_problems(tmp_path):
    """Of a task that does not see the files: whoever started it says which are not there."""
    write(tmp_path, sheet="sample,patient,path\na b,p1,gone.h5ad\nb,,it's here.h5ad\nc,p2,s3://bucket/c.h5ad\n")
    (tmp_path / "missing.json").write_text(json.dumps({"gone.h5ad": "/data/gone.h5ad"}))
    gone = "row 2, column 'path': found 'gone.h5ad': there is no /data/gone.h5ad"
    result = check(tmp_path, "--missing", tmp_path / "missing.json")
    assert_bad(result, tmp_path, "row 2, column 'sample'", "row 3, column 'patient'", gone)


def test_files_that_no_reader_knows_are_named(tmp_path):
    write(tmp_path, sheet="sample,patient,path,platform\ns1,p1,notes.docx,NA\ns2,p2,empty,\n")
    (tmp_path / "notes.docx").touch()
    (tmp_path / "empty").mkdir()
    assert_bad(
        check(tmp_path, files=True),
        tmp_path,
        "row 2, column 'path'...'notes.docx'...(file ending '.docx') cannot be read; expected: an AnnData file",
        "row 3, column 'path'...'empty'...(folder) cannot be read",
    )


def test_near_misses_of_optional_columns_are_hints(tmp_path):
    write(tmp_path, sheet="sample,patient,path,plattform,qc_min_count\ns1,p1,x,xenium,5\n")
    result = check(tmp_path)
    assert result.exit_code == 0
    assert "'plattform'" in result.stderr
    assert "if 'qc_min_counts' is meant" in result.stderr
    assert valid(tmp_path, "samplesheet")["plattform"].tolist() == ["xenium"]


def test_patients_that_may_be_one_are_pointed_at(tmp_path):
    write(tmp_path, sheet="sample,patient,path\ns1,P-1,x\ns2,p1,y\ns3,p3,z\n")
    result = check(tmp_path)
    assert result.exit_code == 0
    assert "are these one patient? P-1, p1" in result.stderr


@pytest.mark.parametrize(("first", "second"), [("P1", "p1"), ("P 1", "P  1")])
def test_patients_that_differ_by_case_or_spaces_are_refused(tmp_path, first, second):
    write(tmp_path, sheet=f"sample,patient,path\ns1,{first},x\ns2,{second},y\ns3,{second},z\n")
    result = check(tmp_path)
    assert result.exit_code == 3
    assert result.stderr.count(f"row 2 has '{first}': write one patient alike") == 1


@pytest.mark.parametrize(("first", "second"), [("P-01", "P\u201301"), ("O'Neil", "O\u2019Neil")])
def test_patients_that_differ_by_dashes_or_quotes_are_refused(tmp_path, first, second):
    write(tmp_path, sheet=f"sample,patient,path\ns1,{first},x\ns2,{second},y\n")
    assert_bad(check(tmp_path), tmp_path, f"row 3, column 'patient'...'{second}'...row 2 has '{first}'")


def test_letters_of_two_signs_and_hidden_signs_are_one_name(tmp_path):
    """macOS and some exports write the accent behind the letter; web pages leave signs without a width."""
    apart = unicodedata.normalize("NFD", "Müller")
    sheet = f"sample,patient,path\ns1,Müller,x\ns2,{apart},y\ns3,P\u200b2,z\ns4,P3,v\ns5,P4,w\n"
    clinical = f"patient,ar\u00adm,état\n{apart},Köln,décédé\nP2,{unicodedata.normalize('NFD', 'Köln')},vivant\n"
    clinical += f"P3,Bonn\ufeff,{unicodedata.normalize('NFD', 'décédé')}\nP4,Bonn,vivant\n"
    write(tmp_path, sheet=sheet, clinical=clinical)
    (tmp_path / "contrasts.csv").write_text(
        f"contrast,type,column,subset\nmine,groups,arm,arm == Bonn|{unicodedata.normalize('NFD', 'Köln')}\n"
    )
    result = check(tmp_path, "--clinical-group", unicodedata.normalize("NFD", "état"))
    assert result.exit_code == 0, result.stderr
    assert valid(tmp_path, "samplesheet")["patient"].tolist() == ["Müller", "Müller", "P2", "P3", "P4"]
    tidy = valid(tmp_path, "clinical")
    assert tidy["arm"].tolist() == ["Köln", "Köln", "Bonn", "Bonn"]
    assert tidy["état"].tolist() == ["décédé", "vivant", "décédé", "vivant"]


def test_a_file_is_looked_for_by_the_letters_of_its_name(tmp_path):
    name = unicodedata.normalize("NFD", "Müller.h5ad")
    make_sample().write_h5ad(tmp_path / name)
    write(tmp_path, sheet=f"sample,patient,path\ns1,p1,\u200b{name}\n")
    assert check(tmp_path, files=True).exit_code == 0
    assert valid(tmp_path, "samplesheet")["path"].tolist() == [name]


@pytest.mark.parametrize("other", ["non\u2013responder", "\u201cnon-responder\u201d", "non\u2011Responder"])
def test_dashes_and_quotes_make_no_group_of_their_own(tmp_path, other):
    clinical = f"patient,group\np1,non-responder\np2,{other}\np3,responder\n"
    write(tmp_path, sheet=SHEET, clinical=clinical, contrasts="contrast,type,column\nmine,groups,group\n")
    result = check(tmp_path)
    assert result.exit_code == 3
    assert f"row 3, column 'group': found {other!r}: probably the same as 'non-responder'" in result.stderr


def test_shortcuts_become_contrasts(tmp_path):
    write(tmp_path, sheet=SHEET, clinical=CLINICAL, contrasts=CONTRASTS + "mine,continuous,age,,,,,,\n")
    shortcuts = "--clinical-group group --clinical-time time --clinical-event event --clinical-event-value 1"
    result = check(tmp_path, *shortcuts.split(), "--clinical-covariates", "age,tissue")
    assert result.exit_code == 0, result.stderr
    contrasts = valid(tmp_path, "contrasts").set_index("contrast")
    assert list(contrasts.index) == ["mine", "group", "survival"]
    assert contrasts.loc["group", ["type", "column", "covariates"]].tolist() == ["groups", "group", "age;tissue"]
    survival = contrasts.loc["survival", ["type", "time", "event", "event_value", "covariates"]]
    assert survival.tolist() == ["survival", "time", "event", "1", "age;tissue"]
    assert contrasts.loc["mine", "covariates"] == ""


def test_name_of_a_shortcut_is_safe_for_files(tmp_path):
    write(tmp_path, sheet=SHEET, clinical=CLINICAL.replace("group", "HER2 status (IHC)"))
    assert check(tmp_path, "--clinical-group", "HER2 status (IHC)").exit_code == 0
    assert valid(tmp_path, "contrasts")["contrast"].tolist() == ["HER2_status_IHC_"]


def test_wrong_shortcuts_name_the_parameter(tmp_path):
    write(tmp_path, sheet=SHEET, clinical=CLINICAL, contrasts=CONTRASTS + "survival,continuous,age,,,,,,\n")
    arguments = "--clinical-group gruop --clinical-time time --clinical-event event --clinical-event-value yes"
    assert_bad(
        check(tmp_path, *arguments.split()),
        tmp_path,
        "--clinical_group...'gruop'...did you mean 'group'",
        "--clinical_event_value...'yes'...found: 0, 1",
        "'survival'...another contrast (row 2) has this name",
    )


def test_half_a_survival_shortcut_is_a_usage_error(tmp_path):
    write(tmp_path, sheet=SHEET, clinical=CLINICAL)
    result = check(tmp_path, "--clinical-time", "time")
    assert result.exit_code == 2
    assert "--clinical_event_value" in result.stderr


@pytest.mark.parametrize(
    ("contrast", "messages"),
    [
        ("a,groups,,,,,,,", ["row 2, column 'column'...nothing is given (type groups needs it)"]),
        ("a,survival,,,,time,event,,", ["column 'event_value'...type survival needs it"]),
        ("a,survival,,,,age,event,2,", ["column 'event_value'...found: 0, 1"]),
        ("a,groups,group,c,b,,,,", ["column 'reference'...'c'...found: a, b"]),
        ("a,groups,group,a,a,,,,", ["the reference and the target are the same group"]),
        ("a,groups,batch,,,,,,", ["column 'column'...nothing to compare: all samples have 'b'"]),
        (
            "a,continuous,group,,,,,,",
            [
                "clinical.csv, rows 2, 4, column 'group': found 'a': a number is expected",
                "clinical.csv, row 3, column 'group': found 'b': a number is expected",
            ],
        ),
        ("a b,groups,group,,,,,,", ["row 2, column 'contrast'...letters, digits"]),
        ("a,groups,group,,,,,,\na,continuous,age,,,,,,", ["row 3, column 'contrast'...another contrast (row 2)"]),
        ("a,groups,group,,,,,,tisue == x & age > 3", ["column 'subset'...'tisue'...did you mean 'tissue'"]),
        ("a,groups,group,,,,,,tissue tumour", ["column 'subset'...cannot be read"]),
        ("a,groups,group,,,,,,age > old", ["column 'subset'...'old' is not a number"]),
        ("a,ordered,group,,,,,,", ["column 'levels'...type ordered needs it"]),
    ],
)
def test_bad_contrasts(tmp_path, contrast, messages):
    write(tmp_path, sheet=SHEET, clinical=CLINICAL, contrasts=CONTRASTS + contrast + "\n")
    assert_bad(check(tmp_path), tmp_path, *messages)


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ("a", "two or more different values"),
        ("x;y", "no sample has 'x' in 'group'"),
        ("a;b;a", "two or more different"),
    ],
)
def test_bad_levels(tmp_path, levels, message):
    text = f"contrast,type,column,levels\na,ordered,group,{levels}\n"
    result = check(write(tmp_path, sheet=SHEET, clinical=CLINICAL, contrasts=text))
    assert result.exit_code == 3
    assert message in result.stderr


def test_contrasts_may_use_sheet_columns_without_clinical_table(tmp_path):
    text = CONTRASTS + "a,groups,tissue,margin,tumour,,,,batch == b\n"
    result = check(write(tmp_path, sheet=SHEET, contrasts=text))
    assert result.exit_code == 0, result.stderr
    assert valid(tmp_path, "contrasts").loc[0, "subset"] == "batch == b"


def by_contrast(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "out/by_contrast").iterdir()}


def test_each_contrast_has_its_row_and_the_columns_that_it_uses(tmp_path):
    header = "contrast,type,column,time,event,event_value,covariates,strata,block,subset\n"
    rows = (
        "a,groups,group,,,,,,,age >= 55 & tissue == tumour\n",
        "b,survival,,time,event,1,age;stage,centre,,\n",
        "c,groups,tissue,,,,,,patient,\n",
    )
    clinical = "patient,group,time,event,age,stage,centre\np2,b,20,0,60,I,x\np1,a,10,1,50,II,y\np3,a,30,1,70,II,x\n"
    write(tmp_path, sheet=SHEET, clinical=clinical, contrasts=header + "".join(rows))
    assert check(tmp_path).exit_code == 0
    before = by_contrast(tmp_path)
    columns = {name: text.decode().splitlines()[0] for name, text in before.items() if ".contrast." not in name}
    assert columns == {
        "a.clinical.csv": "patient,group,age",
        "a.samplesheet.csv": "sample,patient,batch,tissue",
        "b.clinical.csv": "patient,time,event,age,stage,centre",
        "b.samplesheet.csv": "sample,patient,batch",
        "c.clinical.csv": "patient",
        "c.samplesheet.csv": "sample,patient,batch,tissue",
    }
    assert before["c.contrast.csv"].decode().splitlines()[1:] == ["c,groups,tissue,,,,,,,,,patient,,,"]

    # another contrast in front, another order of patients, a correction of what only one of them uses
    patients = "p1,a,10,1,50,I,y\np2,b,20,0,60,I,x\np3,a,30,1,70,II,x\n"
    clinical = "patient,group,time,event,age,stage,centre\n" + patients
    write(tmp_path, clinical=clinical, contrasts=header + "z,continuous,age,,,,,,,\n" + "".join(rows))
    assert check(tmp_path).exit_code == 0
    after = by_contrast(tmp_path)
    assert {name for name in before if after[name] != before[name]} == {"b.clinical.csv"}
    assert len(after) == 12


def test_default_batch_is_a_column_for_contrasts(tmp_path):
    text = "contrast,type,column,block\na,groups,group,batch\n"
    write(tmp_path, sheet="sample,patient,path\ns1,p1,x\ns2,p2,y\n", clinical=CLINICAL, contrasts=text)
    assert check(tmp_path).exit_code == 0


def test_numbers_with_a_trailing_zero_are_the_same_value(tmp_path):
    write(
        tmp_path, sheet="sample,patient,path\ns1,1,x\ns2,2,y\n", clinical="patient,event,time\n1.0,1.0,3\n2.0,0.0,4\n"
    )
    arguments = "--clinical-time time --clinical-event event --clinical-event-value 1"
    result = check(tmp_path, *arguments.split())
    assert result.exit_code == 0, result.stderr


def test_patients_without_clinical_row_are_a_warning(tmp_path):
    write(tmp_path, sheet=SHEET, clinical="patient,group\np1,a\np2,b\np9,b\n")
    result = check(tmp_path)
    assert result.exit_code == 0
    assert "1 of 3 patients have no row in clinical.csv" in result.stderr
    assert ": p3" in result.stderr


def test_no_common_patient_is_a_problem(tmp_path):
    write(tmp_path, sheet=SHEET, clinical="patient,group\nA,a\nB,b\n")
    assert_bad(check(tmp_path), tmp_path, "clinical.csv...it has A, B; the samplesheet has p2, p1, p3")


def test_repeated_clinical_rows_that_agree_are_one(tmp_path):
    write(tmp_path, sheet=SHEET, clinical="patient,group,age\np1,a,\np1,a,50\np2,b,60\np3,b,\n")
    result = check(tmp_path)
    assert result.exit_code == 0, result.stderr
    assert valid(tmp_path, "clinical").to_numpy().tolist() == [["p1", "a", "50"], ["p2", "b", "60"], ["p3", "b", ""]]


def test_tables_that_contradict_each_other(tmp_path):
    write(tmp_path, sheet=SHEET, clinical="patient,tissue\np1,margin\np2,margin\np3,tumour\n")
    assert_bad(check(tmp_path), tmp_path, "sheet.csv, row 2, column 'tissue'...'tumour'...clinical.csv, row 3")


def test_decimal_commas_of_semicolon_tables(tmp_path):
    write(tmp_path, sheet=SHEET, clinical="patient;dose;note\np1;3,5;a,b\np2;4;c\np3;NA;d\n")
    assert check(tmp_path).exit_code == 0
    clinical = valid(tmp_path, "clinical")
    assert clinical["dose"].tolist() == ["3.5", "4", "NA"]
    assert clinical["note"].tolist() == ["a,b", "c", "d"]


def test_empty_clinical_table(tmp_path):
    assert_bad(
        check(write(tmp_path, sheet=SHEET, clinical="patient,group\n")), tmp_path, "no patients below the header"
    )


def test_contrasts_without_rows_are_fine(tmp_path):
    write(tmp_path, sheet=SHEET, clinical=CLINICAL, contrasts=CONTRASTS)
    assert check(tmp_path, "--clinical-group", "group").exit_code == 0
    assert valid(tmp_path, "contrasts")["contrast"].tolist() == ["group"]


def test_examples_in_assets_are_valid(tmp_path):
    result = invoke(
        "samplesheet_check", ASSETS / "samplesheet_example.csv", "--no-check-files", "--outdir", tmp_path,
        "--clinical", ASSETS / "clinical_example.csv", "--contrasts", ASSETS / "contrasts_example.csv",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert len(pd.read_csv(tmp_path / "contrasts.valid.csv")) == 5


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("cohort", "arguments", "n_samples"),
    [
        ("starmap_mpfc", "", 3),
        ("dlpfc_br8100", "", 3),
        ("codex_spleen_1", "", 1),
        ("her2st_4", "", 4),
        ("diabetes_imc", "--clinical-group stage", 120),
        (
            "tnbc_mibi",
            "--clinical-group tme_class --clinical-time survival_days --clinical-event event --clinical-event-value 1",
            33,
        ),
    ],
)
def test_real_cohorts(tmp_path, cohort, arguments, n_samples):
    folder = real_data(cohort)
    clinical = ("--clinical", folder / "clinical.csv") if (folder / "clinical.csv").exists() else ()
    result = invoke(
        "samplesheet_check", folder / "samplesheet.csv", *clinical, *arguments.split(), "--outdir", tmp_path
    )
    assert result.exit_code == 0, result.stderr
    assert len(pd.read_csv(tmp_path / "samplesheet.valid.csv")) == n_samples
    assert len(pd.read_csv(tmp_path / "contrasts.valid.csv")) == arguments.count("-group") + arguments.count("-time")


PARTS = "sample,patient,path,fovs,part_column,part_value,cells\n"


@pytest.mark.parametrize(
    ("rows", "messages"),
    [
        (
            "s1,p1,a,1-4,,,\ns2,p2,a,,,,\n",
            ["row 3, column 'path'...also in row 2...fovs, or part_column and part_value"],
        ),
        ("s1,p1,a,1-4,,,\ns2,p2,./a,4,,,\n", ["row 3, column 'fovs'...field of view 4 is also in row 2"]),
        ("s1,p1,a,,core,A;B,\ns2,p2,a,,core,B; A,\n", ["row 3, column 'part_value'...core B;A is also in row 2"]),
        ("s1,p1,a,,,,x.csv\ns2,p2,a,,,,x.csv\n", ["row 3, column 'cells'...x.csv is also in row 2"]),
        ("s1,p1,a,1,core,A,\n", ["row 2...named by fovs and by part_column"]),
        ("s1,p1,a,,core,,\n", ["row 2...part_column is given without part_value"]),
        ("s1,p1,a,9-2,,,\n", ["row 2...from the lower to the higher"]),
    ],
)
def test_parts_of_one_path_that_cannot_be(tmp_path, rows, messages):
    assert_bad(check(write(tmp_path, sheet=PARTS + rows)), tmp_path, *messages)


def test_files_of_parts_and_regions_that_hold_none_are_told_with_their_row(tmp_path):
    (tmp_path / "a.h5ad").touch()
    (tmp_path / "ids.csv").write_text("gene,count\nA,1\n")
    geometry = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
    cell = {"type": "Feature", "id": "a", "geometry": geometry, "properties": {"objectType": "cell"}}
    (tmp_path / "r.geojson").write_text(json.dumps([cell]))
    sheet = "sample,patient,path,cells,annotation\ns1,p1,a.h5ad,ids.csv,r.geojson\n"
    assert_bad(
        check(write(tmp_path, sheet=sheet), files=True), tmp_path,
        "row 2, column 'cells'...neither a column of ids",
        "row 2, column 'annotation'...it holds 1 cell of QuPath and no annotation",
    )  # fmt: skip


def test_rows_of_one_path_are_read_alike(tmp_path):
    sheet = "sample,patient,path,fovs,platform\ns1,p1,a,1,cosmx\ns2,p2,a,2,merscope\n"
    assert_bad(check(write(tmp_path, sheet=sheet)), tmp_path, "row 3, column 'platform'...row 2 has 'cosmx'")


def test_parts_and_their_files_in_the_used_sheet(tmp_path):
    sheet = PARTS.strip() + ",annotation\ns1,p1,a,,,,one.csv,\ns2,p2,a,,,,two.csv,r.geojson\ns3,p3,b,,,,,\n"
    assert check(write(tmp_path, sheet=sheet)).exit_code == 0
    used = pd.read_csv(tmp_path / "out" / "samplesheet.used.csv", keep_default_na=False)
    assert used["cells"].tolist() == [f"{tmp_path}/one.csv", f"{tmp_path}/two.csv", ""]
    assert used["annotation"].tolist() == ["", f"{tmp_path}/r.geojson", ""]


def test_a_second_name_of_a_folder_and_files_that_are_missing(tmp_path):
    (tmp_path / "a.h5ad").touch()
    (tmp_path / "again.h5ad").symlink_to("a.h5ad")
    sheet = "sample,patient,path,cells\ns1,p1,a.h5ad,gone.csv\ns2,p2,again.h5ad,\n"
    assert_bad(
        check(write(tmp_path, sheet=sheet), files=True), tmp_path,
        "row 2, column 'cells'...there is no", "row 3, column 'path'...also in row 2",
    )  # fmt: skip
