"""Tiny folders as the vendors write them, all of one truth: what a reader must give back."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.io import mmwrite


@dataclass(frozen=True)
class Truth:
    """counts : n_cells x n_features. spatial : n_cells x 2, whole numbers."""

    counts: np.ndarray
    spatial: np.ndarray
    ids: list[str]
    genes: list[str]

    @property
    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(self.counts, index=self.ids, columns=self.genes)

    def check(self, adata, ids=None, spatial=None, genes=None) -> None:
        """The object holds these cells, in any order, with these counts and coordinates."""
        ids = self.ids if ids is None else ids
        at = adata.obs_names.get_indexer(ids)
        assert sorted(adata.obs_names) == sorted(ids)
        assert list(adata.var_names) == (self.genes if genes is None else genes)
        assert sp.issparse(adata.X)
        assert np.array_equal(adata.X.toarray()[at], self.counts)
        assert np.allclose(adata.obsm["spatial"][at], self.spatial if spatial is None else spatial)


def make_truth(n_cells: int = 12, genes: tuple[str, ...] = ("CD3E", "MS4A1", "EPCAM", "VIM"), seed: int = 0) -> Truth:
    rng = np.random.default_rng(seed)
    counts = rng.poisson(1.0, (n_cells, len(genes))) * rng.integers(1, 5, (n_cells, len(genes)))
    counts[:, 0] += 1
    spatial = rng.permutation(100 * n_cells)[: 2 * n_cells].reshape(n_cells, 2).astype(float)
    return Truth(counts, spatial, [str(i + 1) for i in range(n_cells)], list(genes))


def write_text(file: Path, text: str) -> Path:
    """Plain, or gzipped if the name ends with .gz."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(file, "wt") if file.suffix == ".gz" else file.open("w") as opened:
        opened.write(text)
    return file


def edit_text(file: Path, change) -> None:
    """Replace the text of a file, gzipped or not, by ``change(text)``."""
    with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as opened:
        text = opened.read()
    write_text(file, change(text))


def write_cosmx(folder: Path, truth: Truth, fov=("1", "2"), new: bool = False) -> Path:
    """Flat files; cell_ID starts again in each field of view, and has a row 0. ``new``: cells have names."""
    fovs = [fov[i % len(fov)] for i in range(len(truth.ids))]
    numbers = [str(1 + i // len(fov)) for i in range(len(truth.ids))]
    counts = truth.frame.reset_index(drop=True)
    counts.insert(0, "fov", fovs)
    counts.insert(1, "cell_ID", numbers)
    background = pd.DataFrame([[f, "0", *[99] * len(truth.genes)] for f in fov], columns=counts.columns)
    counts = pd.concat([background, counts])
    metadata = pd.DataFrame({
        "fov": fovs, "cell_ID": numbers, "Area": 1000, "CenterX_local_px": 10.0, "CenterY_local_px": 4000.0,
        "CenterX_global_px": truth.spatial[:, 0], "CenterY_global_px": truth.spatial[:, 1],
    })  # fmt: skip
    if new:
        metadata.insert(0, "cell", [f"c_3_{f}_{n}" for f, n in zip(fovs, numbers)])
    write_text(folder / "S1_exprMat_file.csv.gz", counts.to_csv(index=False))
    write_text(folder / "S1_metadata_file.csv.gz", metadata[::-1].to_csv(index=False))
    return folder


def cosmx_ids(truth: Truth) -> list[str]:
    return [f"{1 + i % 2}_{1 + i // 2}" for i in range(len(truth.ids))]


def write_merscope(folder: Path, truth: Truth, id_column: str = "") -> Path:
    """The two tables, their rows in different orders."""
    places = pd.DataFrame(
        {"fov": 7, "volume": 500.5, "center_x": truth.spatial[:, 0], "center_y": truth.spatial[:, 1]}, index=truth.ids
    )
    write_text(folder / "cell_by_gene.csv", truth.frame.to_csv(index_label="cell"))
    write_text(folder / "cell_metadata.csv", places[::-1].to_csv(index_label=id_column))
    return folder


def write_slideseq(folder: Path, truth: Truth, layout: str = "portal") -> Path:
    """``portal``: MappedDGEForR and BeadLocationsForR; ``tools``: digital expression and barcode matching; ``mex``."""
    beads = slideseq_ids(truth)
    genes_by_beads = truth.frame.set_axis(beads, axis=0).T
    places = pd.DataFrame({"barcodes": beads, "xcoord": truth.spatial[:, 0], "ycoord": truth.spatial[:, 1]})[::-1]
    if layout == "tools":
        text = "#DGE\tVERSION:1.1\n" + genes_by_beads.to_csv(sep="\t", index_label="GENE")
        write_text(folder / "Puck_1.matched.digital_expression.txt.gz", text)
        # two sequenced barcodes may belong to one bead
        seen = pd.concat([places.assign(seen="N" + places["barcodes"]), places.head(3).assign(seen="M")])
        text = seen[["seen", "barcodes", "xcoord", "ycoord"]].to_csv(sep="\t", index=False, header=False)
        write_text(folder / "Puck_1_barcode_matching.txt.gz", text)
        return folder
    if layout == "mex":
        write_mtx(folder, truth, ids=[f"{bead}-1" for bead in beads])
    else:
        write_text(folder / "MappedDGEForR.csv", genes_by_beads.to_csv(index_label="GENE"))
    write_text(folder / "BeadLocationsForR.csv", places.to_csv())
    return folder


def slideseq_ids(truth: Truth) -> list[str]:
    return ["".join("ACGT"[(i // 4**k) % 4] for k in range(8)) for i in range(len(truth.ids))]


def write_mtx(folder: Path, truth: Truth, ids=None, transposed: bool = True) -> Path:
    """matrix.mtx.gz (features x cells if ``transposed``), barcodes.tsv.gz, features.tsv.gz."""
    folder.mkdir(parents=True, exist_ok=True)
    matrix = sp.coo_matrix(truth.counts.T if transposed else truth.counts)
    with gzip.open(folder / "matrix.mtx.gz", "wb") as file:
        mmwrite(file, matrix)
    write_text(folder / "barcodes.tsv.gz", "".join(f"{i}\n" for i in ids or truth.ids))
    lines = (f"ENSG{j}\t{gene}\tGene Expression\n" for j, gene in enumerate(truth.genes))
    write_text(folder / "features.tsv.gz", "".join(lines))
    return folder


def gem_records(truth: Truth, side: int) -> pd.DataFrame:
    """One record per cell and gene, all in a square of ``side`` DNBs whose number is the place of the cell."""
    rows, columns = np.nonzero(truth.counts)
    return pd.DataFrame({
        "geneID": [truth.genes[c] for c in columns],
        "x": truth.spatial[rows, 0].astype(int) * side + columns % side,
        "y": truth.spatial[rows, 1].astype(int) * side,
        "MIDCount": truth.counts[rows, columns],
        "CellID": [int(truth.ids[r]) for r in rows],
    })  # fmt: skip


def write_gem(file: Path, truth: Truth, side: int = 100, cells: bool = False, count: str = "MIDCount") -> Path:
    """A GEM file; with ``cells`` also the column CellID, and records outside of cells."""
    table = gem_records(truth, side).rename(columns={"MIDCount": count})
    table = pd.concat([table, table.head(4).assign(CellID=0)]) if cells else table.drop(columns="CellID")
    head = "#FileFormat=GEMv0.1\n#SortedBy=None\n#BinType=Bin\n#BinSize=1\n#OffsetX=0\n#OffsetY=0\n"
    return write_text(file, head + table.to_csv(sep="\t", index=False))


def write_gef(file: Path, truth: Truth, sides: tuple[int, ...] = (1, 100), new: bool = False) -> Path:
    """Square bins of the same records as in `write_gem`."""
    records = gem_records(truth, 100)
    with h5py.File(file, "w") as opened:
        for side in sides:
            binned = records.assign(x=records["x"] // side * side, y=records["y"] // side * side)
            binned = binned.sort_values("geneID", kind="stable")
            expression = np.zeros(len(binned), [("x", "<i4"), ("y", "<i4"), ("count", "<u2")])
            for field, column in (("x", "x"), ("y", "y"), ("count", "MIDCount")):
                expression[field] = binned[column]
            counts = binned["geneID"].value_counts(sort=False)
            names = [("geneID", "S64"), ("geneName", "S64")] if new else [("gene", "S64")]
            gene = np.zeros(len(counts), [*names, ("offset", "<u4"), ("count", "<u4")])
            gene[names[-1][0]] = [name.encode() for name in counts.index]
            if new:
                gene["geneID"] = [f"ENSG-{name}".encode() for name in counts.index]
            gene["count"], gene["offset"] = counts, np.cumsum(counts) - counts
            group = opened.create_group(f"geneExp/bin{side}")
            group["expression"], group["gene"] = expression, gene
            group["expression"].attrs["resolution"] = np.array([500], np.uint32)
    return file


def write_cell_gef(file: Path, truth: Truth) -> Path:
    X = sp.csr_matrix(truth.counts)
    fields = [("id", "<u4"), ("x", "<i4"), ("y", "<i4"), ("offset", "<u4"), ("geneCount", "<u2"), ("area", "<u2")]
    cell = np.zeros(len(truth.ids), fields)
    cell["id"], cell["area"] = [int(i) for i in truth.ids], 300
    cell["x"], cell["y"] = truth.spatial.T
    cell["offset"], cell["geneCount"] = X.indptr[:-1], np.diff(X.indptr)
    expression = np.zeros(X.nnz, [("geneID", "<u4"), ("count", "<u2")])
    expression["geneID"], expression["count"] = X.indices, X.data
    gene = np.zeros(len(truth.genes), [("geneName", "S32"), ("offset", "<u4"), ("cellCount", "<u4")])
    gene["geneName"] = [name.encode() for name in truth.genes]
    with h5py.File(file, "w") as opened:
        opened["cellBin/cell"], opened["cellBin/cellExp"], opened["cellBin/gene"] = cell, expression, gene
        opened.attrs["resolution"] = np.array([500], np.uint32)
    return file


def write_pair(folder: Path, truth: Truth, x: str = "x", y: str = "y", /, *, sep: str = ",", **columns) -> Path:
    """counts.csv and coordinates.csv, their rows in different orders."""
    places = pd.DataFrame({x: truth.spatial[:, 0], y: truth.spatial[:, 1]} | columns, index=truth.ids)
    write_text(folder / "counts.csv", truth.frame.to_csv(sep=sep))
    write_text(folder / "coordinates.csv", places[::-1].to_csv(sep=sep, index_label="cell_id"))
    return folder


def write_single(file: Path, truth: Truth, **columns) -> Path:
    places = pd.DataFrame({"x": truth.spatial[:, 0], "y": truth.spatial[:, 1]} | columns, index=truth.ids)
    return write_text(file, places.join(truth.frame).to_csv(index_label="cell_id"))


def write_spatialdata(
    folder: Path, truth: Truth, zarr_format: int = 2, elements: str = "circles", spatial: bool = False,
    tables: tuple[str, ...] = ("table",), transformations: list[dict] | None = None,
) -> Path:  # fmt: skip
    """A SpatialData folder: tables, and ``circles``, ``polygons`` or ``points`` that they annotate."""
    import anndata as ad
    import zarr

    numbers = np.arange(len(truth.ids)) + 10
    obs = pd.DataFrame({"region": pd.Categorical([elements] * len(truth.ids)), "instance_id": numbers}, index=truth.ids)
    table = ad.AnnData(sp.csr_matrix(truth.counts.astype(np.float32)), obs=obs, var=pd.DataFrame(index=truth.genes))
    table.uns["spatialdata_attrs"] = {"region": elements, "region_key": "region", "instance_key": "instance_id"}
    if spatial:
        table.obsm["spatial"] = truth.spatial
    root = zarr.open_group(folder, mode="w", zarr_format=zarr_format)
    holder = root.create_group("tables")
    for name in tables:
        ad.io.write_elem(holder, name, table)
    kind = "points" if elements == "points" else "shapes"
    element = root.create_group(kind).create_group(elements)
    element.attrs["coordinateTransformations"] = transformations or [transformation({"type": "identity"})]
    element.attrs["spatialdata_attrs"] = {"version": "0.2"}
    write_elements(Path(folder) / kind / elements, elements, truth, numbers)
    return folder


def write_elements(folder: Path, elements: str, truth: Truth, numbers: np.ndarray) -> None:
    import shapely

    if elements == "points":
        frame = pd.DataFrame(truth.spatial, index=numbers, columns=["x", "y"])[::-1]
        (folder / "points.parquet").mkdir()
        frame.to_parquet(folder / "points.parquet" / "part.0.parquet")
        return
    x, y = truth.spatial.T
    shapes = shapely.points(x, y) if elements == "circles" else shapely.box(x - 3, y - 3, x + 3, y + 3)
    frame = pd.DataFrame({"geometry": shapely.to_wkb(shapes)}, index=numbers)[::-1]
    write_geoparquet(folder / "shapes.parquet", frame)


def write_geoparquet(file: Path, frame: pd.DataFrame) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    geo = {"primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB"}}, "version": "1.0.0"}
    table = pa.Table.from_pandas(frame)
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, b"geo": json.dumps(geo).encode()}), file)


def transformation(step: dict, target: str = "global", axes: str = "xy") -> dict:
    """A coordinate transformation as SpatialData writes it."""
    ends = [{"name": name, "type": "space", "unit": "unit"} for name in axes]
    return {"input": {"axes": ends, "name": axes}, "output": {"axes": ends, "name": target}} | step
