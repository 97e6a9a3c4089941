"""The benchmark of large samples: what it writes is what the readers read, and it measures real commands."""

import sys

import numpy as np
import pytest

from helpers import invoke
from semanticst.bench.input import bench_input
from semanticst.bench.material.synthetic_folders import write_visium_hd, write_xenium
from semanticst.bench.measuring.measured_command import measured
from semanticst.io.ingest import ingest_sample


@pytest.mark.parametrize("write", [write_xenium, write_visium_hd])
def test_what_it_writes_is_read_whole(tmp_path, write):
    stored = write(tmp_path / "sample", 300, 60, 0.2, 0)
    adata = ingest_sample({"sample": "s", "patient": "p", "path": str(tmp_path / "sample")})
    assert adata.shape == (300, 60)
    assert adata.uns["semanticst"]["spatial_unit"] == "um"
    assert adata.uns["semanticst"]["platform"] in ("xenium", "visium_hd")
    # control features are on top of the genes, and nothing is drawn in them
    assert adata.X.nnz == stored
    assert 0.15 < stored / (300 * 60) < 0.25
    assert adata.X.data.min() == 1


def test_a_table_with_a_row_per_step(tmp_path):
    result = invoke(bench_input, "--platform", "xenium", "--scale", 0.002, "--folder", tmp_path)
    assert result.exit_code == 0, result.stderr
    rows = [line.split("|")[1:-1] for line in result.stdout.splitlines()[2:]]
    assert [row[3].strip() for row in rows] == ["ingest", "QC", "ingest as 60 samples"]
    assert all(float(row[4].replace(",", "")) > 50 for row in rows)
    assert list(tmp_path.iterdir()) == []


def test_memory_is_that_of_the_command_alone(tmp_path):
    hold = "import numpy as np; a = np.ones(40_000_000); print(a.sum())"
    large = measured([sys.executable, "-c", hold], tmp_path / "log")
    small = measured([sys.executable, "-c", "import numpy"], tmp_path / "log")
    assert np.isclose(large.peak_mb - small.peak_mb, 320, atol=60)


def test_a_failing_command_says_why(tmp_path):
    with pytest.raises(RuntimeError, match="exit code 3.*(?s:.)*what went wrong"):
        measured([sys.executable, "-c", "import sys; print('what went wrong'); sys.exit(3)"], tmp_path / "log")
