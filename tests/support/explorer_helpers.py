"""A small explorer whose names are hostile and whose numbers are known."""

import base64
import io
import json
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from export_helpers import HOSTILE
from helpers import ASSETS, invoke
from report_helpers import make_cohort_object
from semanticst.association.checks.unreproducible import UNREPRODUCIBLE

SAMPLES = {HOSTILE: "p1", "s2": "p1", "s3": HOSTILE, "s4": "p4"}
CONTRAST = "<script>alert(2)</script>"
GENE = "GENE<b>"
OPEN = "panels.map(p => p.section.sample)"
READY = "document.body.dataset.ready"


@dataclass(frozen=True)
class Made:
    """An explorer and what it was made from."""

    folder: Path
    cohort: ad.AnnData
    arguments: tuple
    log: str

    @property
    def url(self) -> str:
        return (self.folder / "index.html").as_uri()

    def cells(self, sample: str) -> pd.DataFrame:
        """obs of a sample, with x, y, scores and features, by cell id."""
        own = self.cohort[(self.cohort.obs["sample"] == sample).to_numpy()].copy()
        table = own.obs.assign(x=own.obsm["spatial"][:, 0], y=own.obsm["spatial"][:, 1])
        for i, name in enumerate(("spatial", "expression", "domain")):
            table[f"score_{name}"] = own.obsm["semantic_scores"][:, i]
        return table.join(own.to_df()).set_index("cell_id")


def make_explorer(folder: Path, *more: object) -> Made:
    """Four sections of 144 cells, the first two with more of niche 1; one has a picture of its tissue."""
    adata = make_cohort_object(samples=SAMPLES)
    rng = np.random.default_rng(1)
    niche = adata.obs["niche"].to_numpy(copy=True)
    less = adata.obs["sample"].isin(["s3", "s4"]).to_numpy() & (niche == 1) & (rng.random(len(niche)) < 0.6)
    niche[less] = 2
    adata.obs["niche"] = niche
    adata.obs["stability"] = np.round(rng.uniform(0.2, 1, adata.n_obs), 3)
    adata.obs["fit"] = np.round(rng.uniform(0, 1, adata.n_obs), 3)
    adata.obs["cell_type"] = np.where(niche == 1, HOSTILE, "B cell")
    scores = rng.dirichlet([3, 2, 1], adata.n_obs).astype(np.float32)
    adata.obsm["semantic_scores"] = scores
    adata.var_names = [GENE if name == "MARK1" else name for name in adata.var_names]
    adata.obs["cell_id"] = [f"{HOSTILE} {i}" for i in range(adata.n_obs)]
    adata.write_h5ad(folder / "cohort.h5ad")
    sheet = pd.DataFrame(
        {"sample": list(SAMPLES), "patient": list(SAMPLES.values()), "path": "x", "site": [HOSTILE, "b", "b", "b"]}
    )
    sheet.to_csv(folder / "samplesheet.valid.csv", index=False)
    clinical = pd.DataFrame({"patient": ["p1", HOSTILE, "p4"], "age": [50, 60, 70], "group": ["a", "b", "b"]})
    clinical.to_csv(folder / "clinical.valid.csv", index=False)
    effects = make_markers(adata)
    effects.to_csv(folder / "niche_markers.csv", index=False)
    (folder / "c.association.json").write_text(json.dumps(record()))
    pictures = folder / "thumbnails"
    pictures.mkdir()
    Image.new("RGB", (60, 60), (255, 0, 255)).save(pictures / "s2.jpg")
    place = {"sample": "s2", "file": "s2.jpg", "x": 0, "y": 0, "width": 60, "height": 60, "units_per_px": 2.0}
    (pictures / "s2.json").write_text(json.dumps(place))
    arguments = (
        folder / "cohort.h5ad", "--page", ASSETS / "explorer", "--samplesheet", folder / "samplesheet.valid.csv",
        "--clinical", folder / "clinical.valid.csv", "--described", folder,
        "--associations", folder, "--thumbnails", pictures,
    )  # fmt: skip
    result = invoke("explorer_build", *arguments, *more, "--outdir", folder / "explorer")
    assert result.exit_code == 0, result.stderr
    return Made(folder / "explorer", adata, arguments, result.stderr)


def make_many(folder: Path) -> Made:
    """Four sections of 320 cells with 80 niches, whose number is not supported, and 27 cell types; two patients lack a
    value, ids hold line breaks."""
    samples = {"s1": "p1", "s2": "p2", "s3": "p3", "s4": "p4"}
    column, row = np.meshgrid(np.arange(20), np.arange(16))
    xy = np.column_stack([column.ravel(), row.ravel()]) * 10.0
    n = len(xy)
    number = np.tile(np.arange(n), len(samples))
    obs = pd.DataFrame({
        "sample": np.repeat(list(samples), n), "patient": np.repeat(list(samples.values()), n),
        "niche": number % 80 + 1, "cell_type": [f"type {k % 27:02d}" for k in number],
        "cell_id": [f"cell\n{k}" for k in number],
    }, index=[f"c{i}" for i in range(4 * n)])  # fmt: skip
    adata = ad.AnnData(np.ones((4 * n, 1), np.float32), obs, pd.DataFrame(index=["GENE"]))
    adata.obsm["spatial"] = np.tile(xy, (4, 1))
    adata.uns["semanticst"] = {"feature_type": "counts", "spatial_unit": "um", "niche_number_supported": False}
    adata.write_h5ad(folder / "cohort.h5ad")
    sheet, clinical = folder / "samplesheet.valid.csv", folder / "clinical.valid.csv"
    pd.DataFrame({"sample": samples.keys(), "patient": samples.values()}).to_csv(sheet, index=False)
    table = pd.DataFrame({"patient": samples.values(), "age": [50, "", 60, 70], "group": ["a", "b", "", "b"]})
    table.to_csv(clinical, index=False)
    page = ("--page", ASSETS / "explorer", "--samplesheet", sheet, "--clinical", clinical)
    arguments = (folder / "cohort.h5ad", *page, "--explorer-genes", "none")
    result = invoke("explorer_build", *arguments, "--outdir", folder / "explorer")
    assert result.exit_code == 0, result.stderr
    return Made(folder / "explorer", adata, arguments, result.stderr)


ODD = {"constructor": "p1", "__proto__": "p2", "toString": "p3", "s4": "p4"}
BIG, SMALL = "hasOwnProperty", "SMALL"


def make_odd(folder: Path) -> Made:
    """Four sections of 144 cells: what they and columns are called every object of JavaScript has already.

    The feature `BIG` has three large values, `SMALL` is of the order of 1e-6 and differs in each cell.
    """
    adata = make_cohort_object(samples=ODD, kind="continuous")
    values, n = adata.X.toarray(), adata.n_obs
    values[:, 0] = np.resize([12_345, 0.1, 1_234_567], n)
    values[:, 1] = np.linspace(1e-6, 9e-6, n)
    adata.X = values
    adata.var_names = [BIG, SMALL, *adata.var_names[2:]]
    adata.obs["cell_id"] = [f"cell {k}" for k in range(n)]
    adata.write_h5ad(folder / "cohort.h5ad")
    sheet, clinical = folder / "samplesheet.valid.csv", folder / "clinical.valid.csv"
    pd.DataFrame({"sample": ODD.keys(), "patient": ODD.values()}).to_csv(sheet, index=False)
    table = {"patient": ODD.values(), "constructor": ["a", "b", "a", "b"], "__proto__": [50, 60, 70, 80]}
    pd.DataFrame(table).to_csv(clinical, index=False)
    (folder / "c.association.json").write_text(json.dumps(record() | {"sections": list(ODD)}))
    arguments = (
        folder / "cohort.h5ad", "--page", ASSETS / "explorer", "--samplesheet", sheet, "--clinical", clinical,
        "--associations", folder, "--explorer-genes", f"{BIG},{SMALL}",
    )  # fmt: skip
    result = invoke("explorer_build", *arguments, "--outdir", folder / "explorer")
    assert result.exit_code == 0, result.stderr
    return Made(folder / "explorer", adata, arguments, result.stderr)


def make_markers(adata: ad.AnnData) -> pd.DataFrame:
    rows = [(n, name, 1.5 if n == i + 1 else -1.0, 1 if n == i + 1 else 2 + i)
            for n in (1, 2, 3) for i, name in enumerate(adata.var_names[:3])]  # fmt: skip
    return pd.DataFrame(rows, columns=["niche", "feature", "log2_fold_change", "rank"]).assign(
        symbol=lambda t: t["feature"]
    )


def record() -> dict:
    numbers = {"effect": 1.25, "ci_low": 0.5, "ci_high": 2.0, "p": 0.004, "q": 0.012, "n_patients": 3}
    what = {"niche": "1", "feature": "proportion", "comparison": "a vs b", "effect_type": "clr_difference"}
    row = what | numbers | {"warnings": "", "family": "primary"}
    other = row | {
        "warnings": UNREPRODUCIBLE,
        "niche": "2",
        "p": 0.6,
        "q": 0.6,
        "effect": -0.1,
        "ci_low": -0.5,
        "ci_high": 0.3,
    }
    return {
        "contrast": {"name": CONTRAST, "column": "group"}, "rows": [row, other], "sections": list(SAMPLES),
        "found": [{"niche": "1", "feature": "proportion", "comparison": "a vs b", "sentence": f"{HOSTILE} differs"}],
        "nearest": None,
    }  # fmt: skip


def handed_over(path: Path) -> dict:
    """The JSON that a script of ``data/`` hands to the page."""
    return json.loads(re.fullmatch(r"explorer\.\w+\((.*)\);\n", path.read_text(), re.S).group(1))


def columns(path: Path) -> dict[str, np.ndarray]:
    """Columns of a section as the page unpacks them, and its cell ids."""
    content = handed_over(path)
    raw, at, found = zlib.decompress(base64.b64decode(content["data"])), 0, {}
    for name, width, n in content["fields"]:
        values = np.frombuffer(raw, np.uint8, width * n, at)
        found[name] = sum(part.astype(np.int64) << 8 * k for k, part in enumerate(values.reshape(width, n)))
        at += width * n
    assert at == len(raw)
    places = [f"{place:032b}" for place in np.cumsum(found.pop("gap"))]
    found["x"] = np.array([int(bits[1::2], 2) for bits in places])
    found["y"] = np.array([int(bits[::2], 2) for bits in places])
    scores = sorted(name for name in found if name.startswith("score"))
    found[scores[-1]] = (found[scores[-1]] - sum(found[name] for name in scores[:-1])) % 256
    raw, length = zlib.decompress(base64.b64decode(content["ids"]["data"])), content["ids"]["length"]
    if length:
        letters = np.frombuffer(raw, np.uint8).reshape(length, -1).T.copy()
        lines = [line.decode() for line in letters.view(f"S{length}").ravel()]
    else:
        lines = json.loads(raw)
    found["ids"] = np.array(lines, dtype=object)
    return found


@pytest.fixture(scope="module")
def opened(browser, made):
    """The page of the explorer that a module has ``made``."""
    page = browser.open(made.url, 1280, 800)
    page.wait(READY)
    return page


def place(page, sample: str, x: float, y: float) -> tuple[float, float]:
    """Pixels of the window of a place of a section."""
    return tuple(page.evaluate(
        f"(() => {{const p = panels.find(q => q.section.sample === {json.dumps(sample)});"
        " const s = document.getElementById('stage').getBoundingClientRect();"
        f" return [s.left + p.box.left + p.box.width / 2 + ({x} - p.view.x) * p.view.scale,"
        f" s.top + p.box.top + p.box.height / 2 + ({y} - p.view.y) * p.view.scale]}})()"
    ))  # fmt: skip


def colours(page, sample: str, xy: np.ndarray) -> list[tuple[int, ...]]:
    """Colours of the page at places of a section."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    return [picture.getpixel(tuple(round(v) for v in place(page, sample, x, y))) for x, y in xy]
