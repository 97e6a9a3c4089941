"""``./semanticst bench scale``: 20,000 cells through the engine, as a user would run them."""

import pandas as pd
import pytest

from helpers import invoke
from semanticst.bench import scale

pytestmark = pytest.mark.engine

CELLS = 20_000


def test_20000_cells_from_the_samplesheet_to_the_report(tmp_path):
    saved = tmp_path / "rows.csv"
    result = invoke(
        scale.bench_scale,
        "--cells",
        CELLS,
        "--method",
        "none",
        "--folder",
        tmp_path,
        "--save",
        saved,
        "--max-minutes",
        20,
    )
    assert result.exit_code == 0, result.stderr
    rows = pd.read_csv(saved).set_index("step")
    assert rows["failed"].isna().all()
    assert (rows["cells"] == CELLS).all()
    assert {"SAMPLE_QC", "GRAPH_BUILD", "MODEL_TRAIN", "NICHE_CLUSTER", "NICHE_ASSOCIATE"} < set(rows.index)
    steps = rows.drop(index=["yardstick", "floor", scale.ENGINE, scale.ALL])
    assert steps["cpu_s"].sum() <= rows.loc[scale.ALL, "cpu_s"]
    # a largest step of 3 GB is what 500,000 cells may have
    assert 0 < rows.loc[scale.ALL, "peak_mb"] < 3000
    assert result.stdout.count(f"| {CELLS:,} | ") == len(rows)
