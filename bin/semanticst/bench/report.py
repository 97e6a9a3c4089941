"""Size of the report of a large cohort, and the time until a browser shows it.

``./semanticst bench report`` makes a cohort at random, lets the steps that write sections do their part, makes the
page, and opens it in a headless Chromium that draws by the processor: bytes, seconds until the page is loaded, and
until its first figures are drawn. No niche is sought: what counts is how much there is to show.
"""

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import anndata as ad
import click
import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.association.associate import associate
from semanticst.association.output.write import write_association
from semanticst.bench.measuring.browser import Browser, find_chromium
from semanticst.cli import seed_option, step, threads_option
from semanticst.cohort.mixing import draw_cells, map_of_cells, mixing
from semanticst.cohort.mixing_sections import map_section, mixing_section
from semanticst.constants import CONTEXTS, UNS, Obsm
from semanticst.describe.describe_niches import describe_niches
from semanticst.qc.samples import check_samples
from semanticst.qc.thresholds import QcSettings
from semanticst.report.qc import report_qc
from semanticst.report.render import render_report
from semanticst.report.write_summary import write_summary

log = logging.getLogger(__name__)

ASSETS = Path(__file__).resolve().parents[3] / "assets"
NICHES, MARKERS = 8, 40
CONTRASTS = (
    "contrast,type,column,time,event,event_value\nresponse,groups,response,,,\nsurvival,survival,,months,status,dead\n"
)


@dataclass(frozen=True)
class Measure:
    """What the report of a cohort takes."""

    megabytes: float
    pictures_megabytes: float
    loaded_s: float
    """From the start of loading to the load event."""
    drawn_s: float
    """From the start of loading to the first plot that is drawn."""


@step()
@click.option("--sections", default=60, show_default=True, type=click.IntRange(4), help="Sections, one per patient.")
@click.option("--cells", default=20_000, show_default=True, type=click.IntRange(200), help="Cells of each of them.")
@click.option("--repeats", default=5, show_default=True, type=click.IntRange(1), help="How often the page is opened.")
@threads_option
@seed_option
def bench_report(sections, cells, repeats, threads, seed):
    """Size of the report, and seconds until a headless Chromium shows it."""
    chromium = find_chromium()
    if chromium is None:
        raise click.UsageError("no Chromium or Chrome on PATH (CHROMIUM names one elsewhere)")
    with tempfile.TemporaryDirectory(prefix="semanticst-bench-") as folder:
        page, found = build(Path(folder), sections, cells, threads, seed), []
        for _ in range(repeats):
            # a browser of its own each time: nothing is kept from the last
            with Browser(chromium) as browser:
                found.append(measure(browser, page))
    click.echo("| cohort | MB | of that pictures, MB | loaded, s: least, median | first figure, s: least, median |")
    click.echo("|---|--:|--:|--:|--:|")
    loaded, drawn = ([getattr(m, name) for m in found] for name in ("loaded_s", "drawn_s"))
    click.echo(
        f"| {sections} x {cells:,} cells | {found[0].megabytes:.1f} | {found[0].pictures_megabytes:.1f} "
        f"| {min(loaded):.1f}, {median(loaded):.1f} | {min(drawn):.1f}, {median(drawn):.1f} |"
    )


def build(place: Path, n_sections: int, n_cells: int, threads: int, seed: int) -> Path:
    """Make the report of a cohort at random with all steps that draw; returns the page."""
    rng = np.random.default_rng(seed)
    sections, samples, kept = place / "sections", place / "samples", []
    samples.mkdir()
    names = [f"S{i + 1:03d}" for i in range(n_sections)]
    for i, name in enumerate(names):
        sample = _section(rng, name, n_cells, i % 4)
        sample.write_h5ad(samples / f"{name}.ingest.h5ad")
        check_samples([samples / f"{name}.ingest.h5ad"], QcSettings(), False, name, samples)
        kept.append(sample)
    report_qc(sorted(samples.glob("*.qc.json")), sections, sorted(samples.glob("*.qc_map.png")))
    cohort = _cohort(rng, kept)
    del kept
    cohort.write_h5ad(place / "cohort.h5ad")
    cells = cohort.obs[["sample", "cell_id", "patient", "niche"]].assign(
        x=cohort.obsm["spatial"][:, 0], y=cohort.obsm["spatial"][:, 1], coordinate_unit="um"
    )
    describe_niches(place / "cohort.h5ad", sections, threads=threads)
    cells.to_csv(sections / "niches.csv.gz", index=False)
    drawn = draw_cells(place / "cohort.h5ad", seed)
    map_section(sections, map_of_cells(drawn, seed), cohort.n_obs, drawn.corrected)
    mixing_section(sections, mixing(drawn, seed), drawn.corrected)
    tables = _tables(place, rng, names)
    for name in ("response", "survival"):
        result = associate(name, *tables, sections / "niche_counts.csv", seed=seed)
        write_association(result, sections, sections / "niches.csv.gz", sections / "niche_markers.csv")
    write_summary(sections / "qc.csv", sections, sections, sections)
    render_report(sections, [ASSETS / "multiqc_config.yml"], place / "out")
    return place / "out" / "multiqc_report.html"


def _section(rng: np.random.Generator, sample: str, n: int, batch: int) -> ad.AnnData:
    """A sample in the internal form: bands of niches, markers by niche, some poor cells."""
    side = 10 * np.sqrt(n)
    xy = rng.uniform(0, side, (n, 2))
    wave = xy[:, 0] + 0.1 * side * np.sin(6 * xy[:, 1] / side) + rng.normal(0, 0.1 * side)
    niche = np.clip((NICHES * wave / side).astype(int), 0, NICHES - 1) + 1
    high = np.where(np.arange(MARKERS) % NICHES + 1 == niche[:, None], 6.0, 0.5) * rng.gamma(4, 0.25, (n, 1))
    adata = ad.AnnData(
        sp.csr_matrix(rng.poisson(high).astype(np.float32)),
        pd.DataFrame({"niche": niche, "cell_type": [f"type {k}" for k in niche]}, [f"c{i}" for i in range(n)]),
        pd.DataFrame(index=[f"G{i}" for i in range(MARKERS)]),
    )
    adata.obsm["spatial"] = xy
    own = {"sample": sample, "patient": f"P{sample[1:]}", "batch": f"b{batch}"}
    for column, value in own.items():
        adata.obs[column] = pd.Categorical([value] * n)
    adata.uns[UNS] = own | {
        "platform": "xenium", "feature_type": "counts", "spatial_unit": "um", "n_cells_input": n,
        "source": f"{sample}.h5ad", "overrides": {},
    }  # fmt: skip
    return adata


def _cohort(rng: np.random.Generator, samples: list[ad.AnnData]) -> ad.AnnData:
    """All samples as ``cohort_assemble`` writes them, with components of niches, and of batches before a correction."""
    cohort = ad.concat(samples, index_unique=":", keys=[s.obs["sample"].iloc[0] for s in samples])
    n, niche = cohort.n_obs, cohort.obs["niche"].to_numpy()
    cohort.obs["cell_id"] = [name.split(":")[1] for name in cohort.obs_names]
    cohort.obs["stability"] = np.round(rng.beta(8, 1, n) * 24) / 24
    after = rng.normal(0, 0.4, (n, 10)).astype(np.float32)
    after[np.arange(n), niche - 1] += 3
    shift = rng.normal(0, 1, (4, 10))[cohort.obs["batch"].str[1:].astype(int)]
    cohort.obsm[Obsm.COMPONENTS], cohort.obsm[Obsm.HARMONY] = (after + shift).astype(np.float32), after
    cohort.obsm[Obsm.SCORES] = rng.dirichlet([20, 15, 10], n).astype(np.float32)
    cohort.uns[UNS] = {"feature_type": "counts", "spatial_unit": "um", "contexts": list(CONTEXTS)}
    return cohort


def _tables(place: Path, rng: np.random.Generator, names: list[str]) -> tuple[Path, Path, Path]:
    """Tables of contrasts, patients and samples."""
    n = len(names)
    patients = [f"P{name[1:]}" for name in names]
    contrasts, clinical, sheet = (place / f"{name}.csv" for name in ("contrasts", "clinical", "samplesheet"))
    contrasts.write_text(CONTRASTS)
    table = pd.DataFrame({"patient": patients, "response": [("no", "yes")[i % 2] for i in range(n)]})
    table = table.assign(months=rng.exponential(20, n).round(1) + 0.1, status=rng.choice(["dead", "alive"], n))
    table.to_csv(clinical, index=False)
    batches = [f"b{i % 4}" for i in range(n)]
    columns = {"sample": names, "patient": patients, "batch": batches, "path": "x.h5ad"}
    pd.DataFrame(columns).to_csv(sheet, index=False)
    return contrasts, clinical, sheet


def measure(browser: Browser, page: Path) -> Measure:
    """Open the page and measure it."""
    text = page.read_text(encoding="utf-8")
    pictures = sum(len(part.split('"', 1)[0]) for part in text.split('src="data:image/')[1:])
    shown = browser.open("about:blank", 1280, 800)
    shown.go(page.as_uri(), 120)
    loaded = shown.evaluate("performance.getEntriesByType('navigation')[0].loadEventStart")
    # plots further down are drawn when a reader comes there
    drawn = shown.evaluate(
        "(async () => { while (!document.querySelector('.js-plotly-plot .main-svg'))"
        " await new Promise(requestAnimationFrame); return performance.now(); })()"
    )
    return Measure(page.stat().st_size / 1e6, pictures / 1e6, loaded / 1e3, drawn / 1e3)


if __name__ == "__main__":
    bench_report()
