"""Size and speed of the explorer in a browser that draws by the processor.

``./semanticst bench explorer`` makes two cohorts at random (a large section, and many of ordinary size), builds their
explorers, opens them in a headless Chromium with software rendering, and prints bytes and times. A machine with a
graphics card is faster.
"""

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import click
import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.bench.measuring.browser import Browser, Page, find_chromium
from semanticst.cli import seed_option, step
from semanticst.constants import CONTEXTS, UNS
from semanticst.export.explorer.build_explorer import Inputs, build_explorer

log = logging.getLogger(__name__)

PAGE = Path(__file__).resolve().parents[3] / "assets" / "explorer"
FRAMES = 30
MOVES = """(async () => {
  const canvas = explorer.drawing.canvas, gl = explorer.drawing.gl, pixel = new Uint8Array(4), panel = panels[0];
  // the frame in which the page draws the move, until it is drawn
  const moved = async () => {
    pan(panel, 3, 2);
    await new Promise(requestAnimationFrame);
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
  };
  zoom(panel, 1.5);
  for (let i = 0; i < FRAMES; i++) await moved();
  const start = performance.now();
  for (let i = 0; i < FRAMES; i++) await moved();
  return [1000 * FRAMES / (performance.now() - start), explorer.drawing.shown];
})()""".replace("FRAMES", str(FRAMES))
RECOLOUR = """(async () => {
  const gl = explorer.drawing.gl, pixel = new Uint8Array(4), start = performance.now();
  explorer.state.colour = explorer.choices().find((c) => c.kind === "feature").id;
  explorer.show();
  gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
  return performance.now() - start;
})()"""


@dataclass(frozen=True)
class Measure:
    """What one explorer takes."""

    cohort: str
    megabytes: float
    bytes_per_cell: float
    first_ms: float
    """From the start of loading to the first drawing of sections."""
    recolour_ms: float
    frames_per_s: float
    """While panning, after a second or so: a slow machine draws a part of the cells until the view rests."""
    moving: float
    """Cells that are drawn then, in all open sections."""


@step()
@click.option(
    "--sections", default=60, show_default=True, type=click.IntRange(1), help="Sections of the second cohort."
)
@click.option("--cells", default=20_000, show_default=True, type=click.IntRange(100), help="Cells of each of them.")
@click.option(
    "--large", default=200_000, show_default=True, type=click.IntRange(100), help="Cells of the section alone."
)
@click.option("--markers", default=12, show_default=True, type=click.IntRange(1, 50), help="Features.")
@seed_option
def bench_explorer(sections, cells, large, markers, seed):
    """Bytes, first picture, recolouring and frames per second of the explorer, in a headless Chromium."""
    chromium = find_chromium()
    if chromium is None:
        raise click.UsageError("no Chromium or Chrome on PATH (CHROMIUM names one elsewhere)")
    click.echo(
        "| cohort | MB | bytes a cell | first picture, ms | recolouring, ms | frames/s panning | cells in a frame |"
    )
    click.echo("|---|--:|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory(prefix="semanticst-bench-") as folder, Browser(chromium) as browser:
        for n_sections, n_cells in ((1, large), (sections, cells)):
            place = Path(folder) / f"{n_sections}x{n_cells}"
            build(place, n_sections, n_cells, markers, seed)
            m = measure(browser, place, f"{n_sections} x {n_cells:,} cells", n_sections * n_cells)
            click.echo(
                f"| {m.cohort} | {m.megabytes:.1f} | {m.bytes_per_cell:.1f} | {m.first_ms:,.0f} | {m.recolour_ms:,.0f} "
                f"| {m.frames_per_s:.0f} | {m.moving:,} |"
            )


def build(place: Path, n_sections: int, n_cells: int, n_markers: int, seed: int) -> None:
    """An explorer of sections at random: bands of niches, markers by niche, ids like Xenium's (they pack badly)."""
    rng = np.random.default_rng(seed)
    place.mkdir()
    parts = [_section(rng, f"S{i + 1:03d}", n_cells, n_markers) for i in range(n_sections)]
    cohort = ad.concat(parts)
    cohort.uns[UNS] = {"feature_type": "counts", "spatial_unit": "um", "contexts": list(CONTEXTS)}
    cohort.write_h5ad(place / "cohort.h5ad")
    names = [f"S{i + 1:03d}" for i in range(n_sections)]
    sheet = pd.DataFrame({"sample": names, "patient": names, "group": [("a", "b")[i % 2] for i in range(n_sections)]})
    sheet.to_csv(place / "samplesheet.csv", index=False)
    genes = ",".join(cohort.var_names)
    build_explorer(
        Inputs(place / "cohort.h5ad", place / "samplesheet.csv", genes=genes), PAGE, place / "explorer", seed
    )


def _section(rng: np.random.Generator, sample: str, n: int, n_markers: int) -> ad.AnnData:
    side = 10 * np.sqrt(n)
    xy = rng.uniform(0, side, (n, 2))
    wave = xy[:, 0] + 0.1 * side * np.sin(6 * xy[:, 1] / side)
    niche = np.clip((8 * wave / side).astype(int), 0, 7) + 1
    high = np.where(np.arange(n_markers) % 8 + 1 == niche[:, None], 6.0, 0.5)
    kind = (niche + (rng.random(n) < 0.4) * rng.integers(0, 12, n)) % 12
    ids = rng.integers(0, 16, (n, 8)).astype(np.uint8) + ord("a")
    obs = pd.DataFrame({
        "sample": sample, "patient": sample, "niche": niche, "stability": np.round(rng.beta(8, 1, n) * 24) / 24,
        "cell_type": np.array([f"type {k}" for k in range(12)])[kind],
        "cell_id": [f"{row.tobytes().decode()}-1" for row in ids],
    }, index=[f"{sample}:{i}" for i in range(n)])  # fmt: skip
    adata = ad.AnnData(
        sp.csr_matrix(rng.poisson(high).astype(np.float32)),
        obs,
        pd.DataFrame(index=[f"G{i}" for i in range(n_markers)]),
    )
    adata.obsm["spatial"] = xy
    adata.obsm["semantic_scores"] = rng.dirichlet([20, 15, 10], n).astype(np.float32)
    return adata


def measure(browser: Browser, place: Path, cohort: str, n_cells: int) -> Measure:
    """Open an explorer, and measure it."""
    folder = place / "explorer"
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    page: Page = browser.open((folder / "index.html").as_uri(), 1280, 800)
    page.wait("document.body.dataset.ready", 120)
    if page.errors:
        raise RuntimeError(f"the page has errors: {page.errors}")
    first, recolour = page.evaluate("explorer.times.first"), page.evaluate(RECOLOUR)
    return Measure(cohort, size / 1e6, size / n_cells, first, recolour, *page.evaluate(MOVES))


if __name__ == "__main__":
    bench_explorer()
