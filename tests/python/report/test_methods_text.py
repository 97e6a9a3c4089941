"""The methods text says what was run, and nothing else."""

import json
import re
from string import Formatter

import pytest
import yaml

from clinical_helpers import make_cohort
from helpers import ASSETS, ROOT
from semanticst.association.output.write import record
from semanticst.errors import BadInput
from semanticst.report.methods import compose, write_methods
from semanticst.report.run_record import run_facts
from semanticst.writing import write_json

TEMPLATE = ASSETS / "methods_description_template.yml"
DESIGN = yaml.safe_load(TEMPLATE.read_text())
SCHEMA = ROOT / "nextflow_schema.json"

SMALL = {
    "steps": [
        {"process": "A", "text": "A ran {times} times [@b2] with {versions[tool]}."},
        {"process": "B", "text": "B ran [@a1]."},
        {"process": "A", "when": ["option", "not other"], "text": "Option [@b2]."},
        {"process": "A", "when": ["option or other"], "text": "Either."},
    ],
    "packages": {"tool": "c3"},
    "references": {"a1": "Alpha.", "b2": "Beta <i>.", "c3": "Gamma."},
}
RAN = {"A": {"tool": "1.10", "plain": "2"}, "C": {"tool": "1.10"}, "Workflow": {"engine": "3"}}


def written(settings, ran=RAN, design=SMALL):
    return compose(design, ran, settings, TEMPLATE)


def test_only_what_ran_is_told_and_cited():
    text, software, references = written({"times": 3, "option": False, "other": None})
    assert text == "A ran 3 times [1] with 1.10."
    assert software == "Software: plain 2, tool 1.10 [2]."
    assert references == ["Beta <i>.", "Gamma."]


@pytest.mark.parametrize(
    ("option", "other", "expected"),
    [
        (True, None, "Option [1]. Either."),
        (True, "x", "Either."),
        (None, 0, "Either."),
        (False, None, ""),
        ("", "false", ""),
    ],
)
def test_conditions(option, other, expected):
    text, _, _ = written({"times": 1, "option": option, "other": other})
    assert text.removeprefix("A ran 1 times [1] with 1.10.").strip() == expected


def test_different_versions_of_a_package_are_both_named():
    _, software, _ = written({"times": 1}, RAN | {"C": {"tool": "1.9"}})
    assert "tool 1.10 and 1.9" in software


def test_values_of_parameters_are_escaped():
    text, _, _ = written({"times": "<img>"})
    assert "&lt;img&gt;" in text


def test_an_unknown_parameter_is_bad_input():
    with pytest.raises(BadInput, match="times"):
        written({})


def test_every_reference_is_used_and_every_citation_known():
    cited = set(re.findall(r"\[@([\w-]+)\]", " ".join(step["text"] for step in DESIGN["steps"])))
    cited |= set(DESIGN["packages"].values())
    assert cited == set(DESIGN["references"])


def test_placeholders_and_conditions_are_parameters_or_records(tmp_path):
    if not SCHEMA.exists():
        pytest.fail("nextflow_schema.json is missing")
    schema = json.loads(SCHEMA.read_text())
    groups = schema.get("$defs") or schema["definitions"]
    parameters = {name for group in groups.values() for name in group["properties"]}
    parameters |= set(run_facts(*records(tmp_path)))
    for step in DESIGN["steps"]:
        fields = {field for _, field, _, _ in Formatter().parse(step["text"]) if field}
        assert {field for field in fields if not field.startswith("versions[")} <= parameters
        terms = [term.removeprefix("not ") for condition in step.get("when", []) for term in condition.split(" or ")]
        assert set(terms) <= parameters


def test_processes_of_the_template_exist():
    modules = (ROOT / "modules").rglob("main.nf")
    processes = {found for path in modules for found in re.findall(r"^process (\w+)", path.read_text(), re.MULTILINE)}
    assert {step["process"] for step in DESIGN["steps"]} <= processes | {"Workflow"}


SURVIVAL = {"time": "time", "event": "event", "event_value": "1"}


def write_features(folder, harmony=True, shares=False, n_samples=3, kind="counts", **own):
    features = {"harmony": harmony, "n_components": 30, "shares": shares, "n_features": 150, "batches": ["a", "b", "c"]}
    features |= {"n_samples": n_samples, "feature_type": "onehot" if shares else kind} | own
    write_json(folder / "cohort.features.json", features)
    return folder / "cohort.features.json"


def records(folder, harmony=True, *asked) -> tuple[list, object]:
    """Records of contrasts (of one between two groups, if none is given) and of the components."""
    cohort = make_cohort((8, 8), n_sections=2)
    for i, (kind, contrast) in enumerate(asked or [("groups", {"column": "group"})]):
        result = cohort.ask(kind, permutations=199, **contrast)
        write_json(folder / f"c{i}.association.json", record(result, []))
    return sorted(folder.glob("*.association.json")), write_features(folder, harmony)


def text_of_run(folder, *run, **settings) -> str:
    groups = json.loads(SCHEMA.read_text())["$defs"]
    default = {name: entry.get("default") for group in groups.values() for name, entry in group["properties"].items()}
    versions = {
        "SAMPLE_QC": {"anndata": "0.12.2"},
        "COHORT_FEATURES": {"harmonypy": "2.1"},
        "NICHE_ASSOCIATE": {"statsmodels": "0.15"},
        "Workflow": {"nf-semanticst": "0.1.0", "Nextflow": "25.04.3"},
    }
    (folder / "versions.yml").write_text(yaml.safe_dump(versions))
    (folder / "params.json").write_text(json.dumps(default | settings))
    associations, features = records(folder, *run)
    write_methods(folder / "versions.yml", folder / "params.json", TEMPLATE, folder, associations, features)
    return json.loads((folder / "methods_mqc.json").read_text())["data"]


def test_file_with_the_real_template(tmp_path):
    text = text_of_run(tmp_path, True, ("groups", {"column": "group"}), ("survival", SURVIVAL))
    assert "nf-semanticst 0.1.0, a Nextflow 25.04.3 [1] pipeline" in text
    assert "Differences between 3 batches were corrected with Harmony [" in text
    assert "5 scaled median absolute deviations" in text
    assert "in 2 contrasts (c, c), with the patient as the unit (16 patients; features: proportion)" in text
    assert "permutations of the patients" in text
    assert "Cox regression" in text
    assert "ridge penalty" in text, "there are 5 events"
    assert "mixed models" in text, "patients have two sections"
    assert "12 tests were done, those of the composition as a whole among them" in text
    # did not run
    assert "graph neural network was trained" not in text
    assert "simulated" not in text
    assert "permutation of F" not in text
    assert "base clusterings alone" not in text
    assert "{" not in text
    numbers = {int(number) for number in re.findall(r"\[(\d+)\]", text)}
    assert numbers == set(range(1, text.count("<li>") + 1))


@pytest.mark.parametrize("shares", [True, False])
def test_a_panel_of_shares_is_not_said_to_be_reduced(tmp_path, shares):
    facts = run_facts([], write_features(tmp_path, shares=shares)) | {"features_n_top": 2000}
    text = compose(DESIGN, {"COHORT_FEATURES": {}}, facts, TEMPLATE)[0]
    assert ("were used as they are" in text) == shares
    assert ("were reduced" in text) == (not shares)
    clustered = compose(DESIGN, {"NICHE_CLUSTER": {}}, facts, TEMPLATE)[0]
    assert ("embedding" in clustered) == (not shares)


def test_the_map_of_cells_and_the_measure_of_mixing_are_cited():
    text, _, references = compose(DESIGN, {"COHORT_MIXING": {}}, {}, TEMPLATE)
    assert "local inverse Simpson index [1]" in text
    assert "t-SNE [2]" in text
    assert [reference.split(",")[0] for reference in references] == ["Korsunsky I", "van der Maaten L"]


@pytest.mark.parametrize(
    ("kind", "told", "not_told"),
    [
        ("counts", "log(1 + x) was taken", "arcsinh"),
        ("continuous", "transformed to arcsinh(x / c)", "log(1 + x)"),
    ],
)
def test_transformation_of_values_is_told(tmp_path, kind, told, not_told):
    facts = run_facts([], write_features(tmp_path, kind=kind)) | {"features_n_top": 2000}
    text = compose(DESIGN, {"COHORT_FEATURES": {}}, facts, TEMPLATE)[0]
    assert told in text
    assert not_told not in text


@pytest.mark.parametrize(("total", "told"), [(1234.5, True), (None, False)])
def test_totals_that_samples_were_normalised_to_are_told_where_they_were_brought_to_one(tmp_path, total, told):
    features = write_features(tmp_path, kind="continuous")
    features.write_text(json.dumps(json.loads(features.read_text()) | {"common_total": total}))
    facts = run_facts([], features) | {"features_n_top": 2000}
    text = compose(DESIGN, {"COHORT_FEATURES": {}}, facts, TEMPLATE)[0]
    sentence = (
        "The cells of each sample had been normalised to a total of the sample's own; all were brought to the median "
        "of these totals (1234.5)."
    )
    assert (sentence in text) == told
    assert ("had been normalised" in text) == told


@pytest.mark.parametrize(("n_samples", "weight", "told"), [(3, 0.5, True), (1, 0.5, False), (3, 0, False)])
def test_edges_across_samples_are_told_where_there_were_some(tmp_path, n_samples, weight, told):
    facts = run_facts([], write_features(tmp_path, n_samples=n_samples), {"train_matches": weight})
    settings = dict.fromkeys(("train_steps", "train_contexts", "train_mincut", "train_latent", "train_fusion"), "x")
    text = compose(DESIGN, {"MODEL_TRAIN": {}}, settings | facts, TEMPLATE)[0]
    assert ("mutually nearest" in text) == told
    assert ("(weight 0.5)" in text) == told


@pytest.mark.parametrize(("networks", "told"), [(1, False), (3, True)])
def test_several_networks_are_told_where_there_were_some(tmp_path, networks, told):
    settings = dict.fromkeys(("train_steps", "train_contexts", "train_mincut", "train_latent", "train_fusion"), "x")
    settings |= run_facts([], write_features(tmp_path), {"train_networks": networks})
    text = compose(DESIGN, {"MODEL_TRAIN": {}}, settings, TEMPLATE)[0]
    assert ("This was done 3 times from different first weights" in text) == told


def test_reference_mode_is_told_instead_of_the_consensus(tmp_path):
    def text(mode):
        settings = dict.fromkeys(("train_steps", "train_contexts", "train_mincut", "train_latent", "train_fusion"), "x")
        settings |= run_facts([], write_features(tmp_path), {"train_mode": mode})
        return compose(DESIGN, {"MODEL_TRAIN": {}, "NICHE_CLUSTER": {}}, settings, TEMPLATE)[0]

    assert "settings of the authors' released package" in text("reference")
    assert "by a Gaussian mixture with one shared covariance on" in text("reference")
    assert "min-cut loss of weight" not in text("reference")
    assert "fraction of base clusterings" not in text("reference")
    assert "released package" not in text("semantic")
    assert "fraction of base clusterings" in text("semantic")


@pytest.mark.parametrize("model", [None, "model.pt"])
@pytest.mark.parametrize("network", [True, False])
def test_a_run_without_a_network_says_so(tmp_path, model, network):
    own = {"network_of_model": network} if model else {}
    facts = run_facts([], write_features(tmp_path, **own), {}, trained=network and model is None)
    text = compose(DESIGN, {"MODEL_EMBED": {}, "NICHE_CLUSTER": {}}, {"model": model} | facts, TEMPLATE)[0]
    assert ("That model has no network." in text) == (bool(model) and not network)
    assert ("No graph neural network was trained" in text) == (not model and not network)
    if not model:
        assert ("embedding, neighbourhood profiles)" in text) == network


def qc_text(folder, statuses: str, **settings) -> str:
    """Sentences about the samples of a run whose qc.csv has these statuses, separated by blanks."""
    (folder / "qc.csv").write_text(
        "sample,patient,status,feature_type\n"
        + "".join(f"s,p{i},{status},counts\n" for i, status in enumerate(statuses.split()))
    )
    settings = {"qc_mads": 5, "qc_min_cells": 20, "seed": 0, "stop_after": None} | settings
    facts = run_facts([], None, settings, None, folder / "qc.csv")
    ran = {"Workflow": {"nf-semanticst": "0.1.0", "Nextflow": "25.04.3"}, "SAMPLE_QC": {}, "REPORT_QC": {}}
    return compose(DESIGN, ran, settings | facts, TEMPLATE)[0]


def test_samples_that_were_left_out_are_counted(tmp_path):
    text = qc_text(tmp_path, "pass excluded warn excluded fail")
    assert "2 of 5 samples were left out beforehand, for the reasons that the samplesheet states." in text
    assert "fewer than 20 cells were not used. 1 of 3 samples was left out for that." in text
    assert "left out" not in qc_text(tmp_path, "pass warn")


def test_a_run_that_ended_with_quality_control_claims_nothing_else(tmp_path):
    text = qc_text(tmp_path, "pass pass", stop_after="qc")
    assert text.startswith("The quality of the samples was controlled with nf-semanticst 0.1.0, a Nextflow 25.04.3 [1]")
    assert "Nothing else was run." in text
    assert "iche" not in text
    assert qc_text(tmp_path, "pass pass").startswith("Niches were found with nf-semanticst 0.1.0")


def test_a_record_of_samples_that_is_none_is_bad_input(tmp_path):
    (tmp_path / "qc.csv").write_text("sample\na\n")
    with pytest.raises(BadInput, match="expected qc.csv of a run"):
        run_facts([], None, {}, None, tmp_path / "qc.csv")


def niche_text(folder, curve: str | None, **settings) -> str:
    """Sentences about the niches of a run whose niche_k.csv has these rows of k and chosen."""
    if curve is not None:
        (folder / "niche_k.csv").write_text("k,chosen\n" + curve)
    settings = {"niche_k": "auto", "niche_bootstraps": 20, "train_mode": "semantic", "model": None} | settings
    settings |= run_facts([], None, settings, folder / "niche_k.csv" if curve is not None else None)
    return compose(DESIGN, {"NICHE_CLUSTER": {}}, settings, TEMPLATE)[0]


AUTO = "".join(f"{k},{k == 7}\n" for k in range(2, 16))


@pytest.mark.parametrize(
    ("curve", "given", "expected"),
    [
        (AUTO, "auto", "The number of niches, 7, was chosen from 2 to 15: "),
        ("5,False\n7,True\n9,False\n", "5,7,9", "The number of niches, 7, was chosen from 5, 7 and 9: "),
        ("5,False\n7,True\n", "5,7", "The number of niches, 7, was chosen from 5 and 7: "),
        ("4,True\n", "4", "The number of niches was set to 4."),
    ],
)
def test_the_number_of_niches_is_told_with_how_it_was_chosen(tmp_path, curve, given, expected):
    text = niche_text(tmp_path, curve, niche_k=given)
    assert expected in text
    assert ("information criterion" in text) == (given != "4")
    assert ("highest peak" in text) == (given == "auto")
    assert ("that with the highest agreement, from 3 niches up" in text) == ("," in given)
    assert "auto" not in text
    mapped = niche_text(tmp_path, curve, niche_k=given, model="model.pt")
    assert "Cells were assigned to the niches of the model" in mapped
    assert "number of niches" not in mapped
    assert "Jaccard" not in mapped


def test_a_number_that_was_taken_by_convention_is_told_as_one(tmp_path):
    alike = {4: 0, 5: 1, 6: 1, 7: 1, 8: 1, 9: 1}
    (tmp_path / "k.csv").write_text(
        "k,chosen,about_as_stable\n" + "".join(f"{k},{k == 7},{bool(alike.get(k))}\n" for k in range(2, 16))
    )
    settings = {"niche_k": "auto", "niche_bootstraps": 0, "train_mode": "semantic", "model": None}
    facts = run_facts([], None, settings, tmp_path / "k.csv")
    text = compose(DESIGN, {"NICHE_CLUSTER": {}}, settings | facts, TEMPLATE)[0]
    assert "The number of niches, 7, was chosen from 2 to 15 by convention" in text
    assert "and of 5 to 9, which agreed about as well, the one nearest to the middle" in text
    assert "highest peak" not in text


def test_a_number_that_no_tissue_supports_is_told_as_such(tmp_path):
    rows = "".join(f"{k},{k == 8},{k == 8},0.2,{k == 2}\n" for k in range(2, 16))
    (tmp_path / "k.csv").write_text(f"k,chosen,about_as_stable,zero,supported\n{rows}")
    settings = {"niche_k": "auto", "niche_bootstraps": 0, "train_mode": "semantic", "model": None}
    facts = run_facts([], None, settings, tmp_path / "k.csv")
    text = compose(DESIGN, {"NICHE_CLUSTER": {}}, settings | facts, TEMPLATE)[0]
    told = "Of 2 to 15 niches no number from 3 up was supported by the tissue, and the one nearest to their middle, 8,"
    assert told in text
    assert "peak" not in text
    assert "tests of these niches are tests of arbitrary cuts" in text


def test_draws_of_patients_are_told_where_there_were_any(tmp_path):
    assert "[2]: 20 times, patients" in niche_text(tmp_path, "4,True\n")
    assert "Jaccard" not in niche_text(tmp_path, "4,True\n", niche_bootstraps=0)


def test_a_record_of_another_kind_is_no_choice_of_a_number(tmp_path):
    with pytest.raises(BadInput, match="expected niche_k.csv"):
        niche_text(tmp_path, "")


def test_harmony_that_was_asked_for_and_did_not_run_is_not_told(tmp_path):
    """As with a single batch: the parameter is on, the record says no."""
    text = text_of_run(tmp_path, False, features_harmony=True)
    assert "Harmony" not in text
    assert "harmonypy" not in text
    assert "150 features" in text


def test_tests_that_were_not_done_are_not_told(tmp_path):
    text = text_of_run(tmp_path, True, ("groups", {"column": "side"}))
    assert "within the patient" in text
    assert "Cox" not in text
    nothing = text_of_run(tmp_path, True, ("groups", {"column": "group", "subset": "patient == p00|p15"}))
    assert "permutations of the patients" not in nothing
    assert "0 tests were done" not in nothing


def test_records_that_are_none_are_bad_input(tmp_path):
    (tmp_path / "x.association.json").write_text("{}")
    with pytest.raises(BadInput, match="it lacks contrast, models"):
        run_facts([tmp_path / "x.association.json"], None)


@pytest.mark.parametrize(
    ("name", "content"), [("versions.yml", "a: [b"), ("versions.yml", "- a"), ("params.json", "{,}")]
)
def test_unreadable_files_are_bad_input(tmp_path, name, content):
    (tmp_path / "versions.yml").write_text("A: {tool: '1'}")
    (tmp_path / "params.json").write_text("{}")
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput, match=name):
        write_methods(tmp_path / "versions.yml", tmp_path / "params.json", TEMPLATE, tmp_path)
