"""Six small cohorts through all steps, for what a reader reads of them. Their numbers mean nothing."""

import html
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
import yaml

from clinical_helpers import Cohort, make_cohort
from helpers import ROOT, invoke
from semanticst.association.associate import Association
from semanticst.association.output.replication import Replication
from semanticst.association.output.write import record
from semanticst.writing import write_json

PATIENTS = 12
CELLS = 90
NICHES = 3
TRAIN_STEPS = 3


@dataclass(frozen=True)
class TextCohort:
    """A finished run: its folder, the parameters that it had, and the processes that took part."""

    name: str
    folder: Path
    settings: dict
    processes: tuple[str, ...]

    @property
    def features(self) -> dict:
        return json.loads((self.folder / "cohort.features.json").read_text())

    @property
    def associations(self) -> list[dict]:
        return [json.loads(path.read_text()) for path in sorted((self.folder / "out").glob("*.association.json"))]

    def summary(self) -> str:
        """What the summary of the run says, one sentence a line, and the words of its page in the report."""
        source = self.folder if (self.folder / "niche_overview.csv").is_file() else self.folder.parent / "counts"
        if not (self.folder / "qc.csv").is_file():
            done("report_qc", *sorted(source.glob("*.qc.json")), "--outdir", self.folder / "qc")
        described = () if self.name == "stopped" else ("--described", source)
        asked = ("--associations", self.folder / "out") if self.associations else ()
        out, table = self.folder / "summary", self.folder / "qc.csv"
        mapped = ("--mapped",) if self.settings.get("model") else ()
        done("report_summary", "--qc", table if table.is_file() else self.folder / "qc/qc.csv", *described, *asked,
             *mapped, "--outdir", out)  # fmt: skip
        page = json.loads((out / "summary_page_mqc.json").read_text())["data"]
        return html.unescape(plain(re.sub(r"<figure>.*?</figure>", "", page)))

    def methods(self) -> str:
        """The methods text as the report shows it, one sentence a line, without markup and without versions."""
        return plain(methods_html(self))


def defaults() -> dict:
    """Every parameter with the default of the schema."""
    groups = json.loads((ROOT / "nextflow_schema.json").read_text())["$defs"].values()
    return {name: rule.get("default") for group in groups for name, rule in group["properties"].items()}


def methods_html(cohort: TextCohort, **changed) -> str:
    """Methods text of a run as ``report_methods.py`` writes it; versions of packages are all 1.0."""
    folder = cohort.folder / "text"
    folder.mkdir(exist_ok=True)
    versions = {process: {"numpy": "1.0"} for process in cohort.processes}
    versions["Workflow"] = {"nf-semanticst": "1.0", "Nextflow": "1.0"}
    (folder / "versions.yml").write_text(yaml.safe_dump(versions))
    (folder / "params.json").write_text(json.dumps(defaults() | cohort.settings | changed))
    # a run that ended early has not all of them
    names = {"features": "cohort.features.json", "numbers": "niche_k.csv", "associations": "out", "qc": "qc.csv"}
    records = [
        word
        for option, name in names.items()
        if (cohort.folder / name).exists()
        for word in (f"--{option}", cohort.folder / name)
    ]
    done(
        "report_methods", "--versions", folder / "versions.yml", "--params", folder / "params.json", *records,
        "--outdir", folder,
    )  # fmt: skip
    return json.loads((folder / "methods_mqc.json").read_text())["data"]


def plain(page: str) -> str:
    """HTML as text, one sentence or reference a line."""
    text = re.sub(r"</?(?:p|li|ol|ul|b|div|tr|thead|tbody|table)(?: [^>]*)?>", "\n", page)
    text = re.sub(r"</?(?:a|td|th)(?: [^>]*)?>", " ", text)
    text = re.sub(r"(?<=[a-z\])])\. (?=[A-Z])", ".\n", text)
    return "\n".join(line.strip() for line in text.splitlines() if line.strip()) + "\n"


def done(command: str, *arguments: object) -> None:
    result = invoke(command, *arguments)
    assert result.exit_code == 0, result.stderr


def simulate(folder: Path, seed: int = 0, *options: str) -> Path:
    """Sheet, clinical table and samples of a simulated cohort, with an arm of the study for three groups."""
    size = ("--patients", PATIENTS, "--sections", "1", "--cells", CELLS, "--genes", 40, "--niches", NICHES)
    done("cohort_simulate", *size, "--effect", 2.5, "--seed", seed, *options, "--outdir", folder)
    clinical = pd.read_csv(folder / "clinical.csv")
    treated = (clinical["group"] == "responder").to_numpy()
    clinical["arm"] = np.where(treated, np.where(np.cumsum(treated) % 2, "b", "c"), "a")
    clinical.to_csv(folder / "clinical.csv", index=False)
    return folder


def as_cell_types(folder: Path) -> None:
    """Replace the counts of each sample by one column per cell type, 1 where the cell is of that type."""
    types = sorted(
        {t for path in folder.glob("samples/*.h5ad") for t in ad.read_h5ad(path).obs["cell_type"].astype(str)}
    )
    for path in sorted(folder.glob("samples/*.h5ad")):
        sample = ad.read_h5ad(path)
        hot = sample.obs["cell_type"].astype(str).to_numpy()[:, None] == np.array(types)
        panel = ad.AnnData(sp.csr_matrix(hot.astype(np.float32)), sample.obs, pd.DataFrame(index=types))
        panel.obsm["spatial"] = np.asarray(sample.obsm["spatial"])
        panel.write_h5ad(path)


def integrate(folder: Path, model: Path | None = None, trained: bool = True) -> None:
    """From the simulated files to described niches, in ``folder``; with a network unless it is not ``trained``."""
    sheet = pd.read_csv(folder / "samplesheet.csv", dtype=str).fillna("")
    rows = [row | {"path": str(folder / row["path"])} for row in sheet.to_dict("records")]
    (folder / "manifest.json").write_text(json.dumps(rows))
    done("sample_ingest", "--manifest", folder / "manifest.json", "--outdir", folder)
    done("sample_qc", *sorted(folder.glob("*.ingest.h5ad")), "--outdir", folder)
    qc, onto = sorted(folder.glob("*.qc.h5ad")), ["--model", model] if model else []
    done("cohort_features", *qc, "--features-n-components", 8, *onto, "--outdir", folder)
    done("graph_build", *sorted(folder.glob("*.components.h5ad")), "--outdir", folder)
    graphs = sorted(folder.glob("*.graphs.h5ad"))
    if model is None and trained:
        done(
            "model_train", *graphs, "--train-steps", TRAIN_STEPS, "--train-latent", 8, "--train-communities", 4,
            "--device", "cpu", "--outdir", folder,
        )  # fmt: skip
    network = ["--network", model or folder / "network.pt"] if trained else []
    done("model_embed", *graphs, *network, "--device", "cpu", "--outdir", folder)
    embedding = folder / "cohort.embedding.h5ad"
    done(
        "niche_cluster", embedding, "--niche-k", NICHES, "--niche-starts", 2, "--niche-bootstraps", 2, *onto,
        "--outdir", folder,
    )  # fmt: skip
    plant_niches(folder)
    done(
        "cohort_assemble", *qc, "--embedding", embedding, "--niches", folder / "niches.csv.gz",
        "--basis", folder / "cohort.basis.npz", *network, "--mixture", folder / "niche_mixture.npz",
        "--outdir", folder,
    )  # fmt: skip
    done("niche_describe", folder / "cohort.h5ad", "--outdir", folder)


def plant_niches(folder: Path) -> None:
    """Put the true domains in the place of the niches, so that no text hangs on the last digits of a machine."""
    niches = pd.read_csv(folder / "niches.csv.gz", dtype={"cell_id": str})
    truth = pd.read_csv(folder / "domains.csv.gz", dtype={"cell_id": str}).set_index(["sample", "cell_id"])["domain"]
    domain = truth.loc[pd.MultiIndex.from_frame(niches[["sample", "cell_id"]])].to_numpy()
    niches["niche"] = np.unique(domain, return_inverse=True)[1] + 1
    niches["niche_jaccard"] = niches["niche"].map({1: 0.9, 2: 0.7, 3: 0.4})
    niches.to_csv(folder / "niches.csv.gz", index=False)
    counts = niches.groupby(["sample", "niche"]).size().rename("n_cells").reset_index()
    members = [counts.assign(member=name) for name in ("embedding", "profile2-10")]
    columns = ["member", "sample", "niche", "n_cells"]
    pd.concat(members)[columns].to_csv(folder / "niche_member_counts.csv", index=False)


HEADER = "contrast,type,column,reference,target,levels,time,event,event_value,covariates,strata,block,subset\n"
CONTRASTS = {
    "response": "response,groups,group,non_responder,,,,,,,,,\n",
    "arms": "arms,groups,arm,a,,,,,,,,,\n",
    "survival": "survival,survival,,,,,time,event,1,age,,,\n",
    "age": "age,continuous,age,,,,,,,,,,\n",
}
TRAINED = (
    "SAMPLE_QC",
    "COHORT_FEATURES",
    "COHORT_MIXING",
    "GRAPH_BUILD",
    "MODEL_TRAIN",
    "MODEL_EMBED",
    "NICHE_CLUSTER",
    "NICHE_DESCRIBE",
)
SETTINGS = {
    "input": "samplesheet.csv", "clinical": "clinical.csv", "contrasts": "contrasts.csv", "features_n_components": 8,
    "train_steps": TRAIN_STEPS, "train_latent": 8, "train_communities": 4, "niche_k": str(NICHES), "niche_starts": 2,
    "niche_bootstraps": 2, "clinical_permutations": 199,
}  # fmt: skip


def associate(folder: Path, source: Path, contrasts: tuple[str, ...], features: str = "proportion") -> None:
    """Test contrasts on the described niches of ``source``; the records go to ``folder/out``."""
    check = folder / "checked"
    (folder / "contrasts.csv").write_text(HEADER + "".join(CONTRASTS[name] for name in contrasts))
    done(
        "samplesheet_check", source / "samplesheet.csv", "--clinical", source / "clinical.csv",
        "--contrasts", folder / "contrasts.csv", "--outdir", check,
    )  # fmt: skip
    types = source / "niche_sample_cell_types.csv"
    typed = ("--cell-types", types) if types.is_file() else ()
    for name in contrasts:
        done(
            "niche_associate", "--contrast", name, "--contrasts", check / "contrasts.valid.csv",
            "--clinical", check / "clinical.valid.csv", "--samplesheet", check / "samplesheet.valid.csv",
            "--counts", source / "niche_counts.csv", "--contacts", source / "niche_contacts.csv",
            "--patches", source / "niche_patches.csv", "--base-clusterings", source / "niche_member_counts.csv",
            "--markers", source / "niche_markers.csv", "--clinical-features", features,
            "--clinical-permutations", SETTINGS["clinical_permutations"], *typed,
            "--outdir", folder / "out",
        )  # fmt: skip


def named(name: str, result: Association) -> dict:
    """The record of a contrast of this name."""
    return record(replace(result, contrast=replace(result.contrast, name=name)), [])


def rare_runs(folder: Path, counts: TextCohort) -> list[TextCohort]:
    """Runs of few people, without training: their records are those of ``counts`` with what is rare about them."""
    rare = folder / "rare"
    (rare / "out").mkdir(parents=True)
    write_json(rare / "cohort.features.json", counts.features | {"harmony": False, "cells_with_a_say": {"s": 300}})
    (rare / "niche_k.csv").write_text("k,chosen\n" + "".join(f"{k},{k == 5}\n" for k in range(2, 16)))
    repeated = make_cohort((8, 8), n_sections=2)
    write_json(rare / "out/side.association.json", named("side", repeated.ask("groups", column="side")))
    survival = make_cohort((30,)).ask("survival", time="time", event="event", event_value="1")
    write_json(rare / "out/survival.association.json", named("survival", survival))
    settings = {
        "qc_min_counts": 5, "qc_remove": "local", "qc_exclude_regions": "fold", "train_mode": "reference",
        "niche_k": "auto", "niche_bootstraps": 0, "niche_refinement": False, "train_denoised": True, "simulate": True,
    }  # fmt: skip
    processes = ("COHORT_SIMULATE", "MODEL_DENOISE", "REPORT_PLANTED", *counts.processes)

    batches, nothing = folder / "batches", folder / "no_contrast"
    # a network that is asked for beside markers; a model without one, onto which samples were mapped
    some = {"harmony_cells": 60_000, "harmony_cells_of": 98_262}
    for own, kind in ((batches, {"feature_type": "binary"} | some), (nothing, {"network_of_model": False})):
        (own / "out").mkdir(parents=True)
        write_json(own / "cohort.features.json", counts.features | kind)
        (own / "niche_k.csv").write_bytes((counts.folder / "niche_k.csv").read_bytes())
    (nothing / "qc.csv").write_text(PARTS)
    # a number that the tissue does not single out
    alike = "".join(f"{k},{k == 8},{k > 5},0.2,{k > 2}\n" for k in range(2, 16))
    (batches / "niche_k.csv").write_text("k,chosen,about_as_stable,zero,supported\n" + alike)
    # cells without an arrangement
    flat = folder / "no_structure"
    (flat / "out").mkdir(parents=True)
    write_json(flat / "cohort.features.json", counts.features)
    none = "".join(f"{k},{k == 8},{k == 8},0.2,False\n" for k in range(2, 16))
    (flat / "niche_k.csv").write_text("k,chosen,about_as_stable,zero,supported\n" + none)
    cohort = make_cohort((8, 8), n_sections=2)
    group = cohort.sections["group"]
    nested = cohort.sections.assign(batch=group)
    # one patient of each group has the batch of the others
    other = cohort.sections["patient"].isin(["p00", "p15"])
    nearly = cohort.sections.assign(batch=group.where(~other, group.map({"g0": "g1", "g1": "g0"})))
    for name, sections in (("nested", nested), ("nearly", nearly)):
        asked = Cohort(sections, cohort.counts, cohort.clinical).ask("groups", column="group")
        write_json(batches / f"out/{name}.association.json", named(name, asked))
    several = make_cohort((9, 9), n_sections=3)
    patient = several.sections["patient"].str[1:].astype(int)
    each = several.sections.assign(batch=patient.astype(str))
    third = (patient // 3).astype(str)
    visit = each.groupby("patient").cumcount().astype(str)
    within = {"column": "visit", "block": "patient"}
    for name, sections, asked in (
        ("averaged", each.assign(batch="slide " + third), {"type": "groups", "column": "group"}),
        ("sites", each.assign(site="site " + third), {"type": "groups", "column": "group", "cluster": "site"}),
        ("course", each.assign(visit=visit), {"type": "continuous"} | within),
        ("tissues", each.assign(visit="visit " + visit), {"type": "groups"} | within),
    ):
        found = Cohort(sections, several.counts, several.clinical).ask(**asked)
        write_json(batches / f"out/{name}.association.json", named(name, found))
    at_random = folder / "at_random"
    (at_random / "out").mkdir(parents=True)
    write_json(at_random / "cohort.features.json", counts.features)
    rows = "".join(f"{k},{k == 8},{k == 8},0.2,False,False\n" for k in range(2, 16))
    (at_random / "niche_k.csv").write_text("k,chosen,about_as_stable,zero,supported,arranged\n" + rows)
    return [
        TextCohort("at_random", at_random, SETTINGS | {"niche_k": "auto"}, ("MODEL_TRAIN", "NICHE_CLUSTER")),
        TextCohort("rare", rare, SETTINGS | settings, processes),
        TextCohort(
            "no_contrast",
            nothing,
            SETTINGS | {"model": "model.pt"},
            tuple(p for p in counts.processes if p not in ("MODEL_TRAIN", "NICHE_ASSOCIATE")),
        ),
        TextCohort("no_structure", flat, SETTINGS | {"niche_k": "auto"}, ("MODEL_TRAIN", "NICHE_CLUSTER")),
        TextCohort("batches", batches, SETTINGS | {"train_networks": 3, "train_mode": "semantic"}, counts.processes),
    ]


def stopped_run(folder: Path) -> TextCohort:
    """A run that ended with quality control: of six samples one was excluded and one failed."""
    folder.mkdir()
    reasons = {"excluded": "folded", "fail": "12 cells are left"}
    rows = [
        f"s{i},p{i},b,xenium,counts,{status},{reasons.get(status, '')},{'' if status == 'excluded' else 1000}\n"
        for i, status in enumerate(("pass", "excluded", "warn", "fail", "pass", "pass"))
    ]
    (folder / "qc.csv").write_text(
        "sample,patient,batch,platform,feature_type,status,reason,n_cells_kept\n" + "".join(rows)
    )
    return TextCohort("stopped", folder, SETTINGS | {"stop_after": "qc"}, ("SAMPLE_QC", "REPORT_QC"))


PARTS = "sample,patient,batch,platform,study_part,feature_type,status,reason,n_cells_kept\n" + "".join(
    f"s{i},p{i},b{i // 8},xenium,{'validation' if i >= 16 else 'discovery'},counts,pass,,100\n" for i in range(20)
)
"""``qc.csv`` of a study with a discovery and a validation."""


def study_parts_run(folder: Path, counts: TextCohort) -> TextCohort:
    """A run of a discovery and a validation: its niches are those of ``counts``."""
    (folder / "out").mkdir(parents=True)
    write_json(folder / "cohort.features.json", counts.features | {"batches": ["b0", "b1", "b2"], "n_samples": 20})
    (folder / "niche_k.csv").write_bytes((counts.folder / "niche_k.csv").read_bytes())
    (folder / "qc.csv").write_text(PARTS)
    for name, seed, effects in (("arm", 1, (2.5, 2.5)), ("other", 2, (0.0, 0.0)), ("missed", 4, (2.5, 0.0))):
        found, validation = (
            make_cohort((8, 8), effect=effect, seed=seed + 100 * part).ask("groups", column="group")
            for part, effect in enumerate(effects)
        )
        found = replace(found, contrast=replace(found.contrast, name=name))
        of_both = record(found, [], Replication.of(found, validation, ""))
        write_json(folder / f"out/{name}.association.json", of_both)
    alone = make_cohort((8, 8), seed=3).ask("groups", column="group")
    alone = replace(alone, contrast=replace(alone.contrast, name="untested"))
    untested = Replication.of(alone, None, "column group has one value among these samples")
    write_json(folder / "out/untested.association.json", record(alone, [], untested))
    return TextCohort("parts", folder, SETTINGS, (*TRAINED, "NICHE_ASSOCIATE", "REPORT_QC"))


def one_patient_run(folder: Path, counts: TextCohort) -> TextCohort:
    """A run of one sample: its niches are those of ``counts``."""
    folder.mkdir()
    write_json(folder / "cohort.features.json", counts.features | {"n_samples": 1, "harmony": False, "batches": ["b"]})
    (folder / "niche_k.csv").write_text("k,chosen\n2,False\n3,True\n5,False\n")  # a list
    columns = "sample,patient,batch,platform,feature_type,status,reason,n_cells_kept\n"
    # the other patient's sample is not used
    rows = "s0,p0,b,xenium,counts,pass,,1000\ns1,p1,b,xenium,counts,fail,12 cells are left,12\n"
    (folder / "qc.csv").write_text(columns + rows)
    return TextCohort("one_patient", folder, SETTINGS | {"niche_k": "2,3,5"}, (*TRAINED, "REPORT_QC"))


def make_cohorts(folder: Path) -> dict[str, TextCohort]:
    """By name: three panels, one that is mapped onto the model of the first, two further questions, rare runs."""
    counts = simulate(folder / "counts")
    integrate(counts)
    associate(counts, counts, ("response",), "proportion,entropy,contacts,fragmentation")
    types = simulate(folder / "onehot", 1)
    as_cell_types(types)
    integrate(types, trained=False)
    associate(types, types, ("response",), "proportion,cell_types")
    stains = simulate(folder / "intensities", 2, "--intensities")
    integrate(stains)
    associate(stains, stains, ("age",))
    mapped = simulate(folder / "mapped", 3)
    integrate(mapped, counts / "model.pt")
    associate(mapped, mapped, ("response",))
    ran = (*TRAINED, "NICHE_ASSOCIATE")
    untrained = tuple(process for process in ran if process != "MODEL_TRAIN")
    cohorts = [
        TextCohort(
            "counts", counts, SETTINGS | {"clinical_features": "proportion,entropy,contacts,fragmentation"}, ran
        ),
        TextCohort("onehot", types, SETTINGS | {"clinical_features": "proportion,cell_types"}, untrained),
        TextCohort("intensities", stains, SETTINGS, ran),
        TextCohort("mapped", mapped, SETTINGS | {"model": "model.pt"}, untrained),
    ]
    # samples that were normalised to totals of their own
    normalised = {"feature_type": "continuous", "common_total": 1234.5}
    for name, contrast, values in (("three_groups", "arms", {}), ("survival", "survival", normalised)):
        own = folder / name
        own.mkdir()
        write_json(own / "cohort.features.json", cohorts[0].features | values)
        (own / "niche_k.csv").write_bytes((counts / "niche_k.csv").read_bytes())
        associate(own, counts, (contrast,))
        cohorts.append(TextCohort(name, own, SETTINGS, ran))
    cohorts += [*rare_runs(folder, cohorts[0]), stopped_run(folder / "stopped")]
    cohorts.append(one_patient_run(folder / "one_patient", cohorts[0]))
    cohorts.append(study_parts_run(folder / "parts", cohorts[0]))
    return {cohort.name: cohort for cohort in cohorts}
