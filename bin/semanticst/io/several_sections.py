"""Signs of several sections in what passes for one sample.

One sample is one piece of glass: neighbours are looked for in its coordinates, and sections that lie on top of each
other would be mixed cell by cell, without a sign in any later number.
"""

import re

import numpy as np
import pandas as pd

from semanticst.errors import ReadError


def _numbered(*names: str) -> set[str]:
    """As columns are called that number sections: slide_no, section number."""
    return {name + end for name in names for end in ("no", "nr", "num", "number", "idx")}


SECTION_COLUMNS = frozenset({
    "libraryid", "library", "sample", "sampleid", "samplename", "section", "sectionid", "slice", "sliceid", "image",
    "imageid", "imagename", "imagenumber", "filename", "slide", "slideid", "slideidnumeric", "roi", "roiid", "core",
    "coreid", "tmacore", "fov", "fovid", "tile", "tileid", "acquisition", "acquisitionid", "puck", "region",
    "regionid", "batch", "dataset", "origident", "donor", "donorid", "patient", "patientid", "subject", "subjectid",
    "mouse", "mouseid", "animal", "animalid", "specimen", "specimenid", "pointid", "point", "scene", "sectionname",
    "slidename", "imagefile", "capturearea", "samplelabel", "tissuesection", "bregma", "bregmalevel", "sectionlabel",
    "imagelocation", "imagefilename", "analysisregion",
    "sectionnumber", "sectionindex", "slicelabel", "slicename", "slicenumber", "sliceindex", "brainsection",
    "brainsectionlabel", "brainslice", "tissueid", "tissuepiece", "piece",
} | _numbered("slide", "section", "sample", "image", "core", "fov", "tile", "patient", "slice", "roi"))  # fmt: skip
"""Columns that tell sections apart, in lower-case letters. Several values are no fault in themselves: the fields of
view of a slide lie side by side."""
SIDE_BY_SIDE_IS_USUAL = frozenset({
    "fov", "fovid", "tile", "tileid", "region", "regionid", "analysisregion", "pointid", "roi", "roiid",
})  # fmt: skip
PLAINLY_SECTIONS = frozenset({
    "libraryid", "library", "sample", "sampleid", "samplename", "section", "sectionid", "sectionname", "tissuesection",
    "core", "coreid", "tmacore", "puck", "capturearea", "mouse", "mouseid", "animal", "animalid", "specimen",
    "slice", "sliceid", "slicelabel", "slicename", "slicenumber", "sliceindex", "bregma", "bregmalevel",
    "sectionlabel", "sectionnumber", "sectionindex", "brainsection", "brainsectionlabel", "brainslice",
} | _numbered("section", "sample", "core"))  # fmt: skip
"""Several values of these are several sections wherever they lie; an image or a batch may be a part of one."""
DEPTHS = frozenset({"z", "zlevel", "zplane", "zindex", "zslice", "zposition", "zcoord", "centerz", "plane", "depth"})
"""A few levels of these on top of each other are sections of a block, or optical planes of one section."""
PATIENTS = frozenset({"donor", "donorid", "patient", "patientid", "patientno", "subject", "subjectid"})
GIVE_EACH_A_ROW = (
    "give each a row of the samplesheet with a part of the path (docs/usage.md, Several samples from one folder)"
)
OVERLAP = 0.4
"""Share of cells whose nearest neighbour is of another section, over what it is when they are strewn at random. Fields
of view that lie side by side reach 0.1, and 0.3 when they hold a handful of cells; sections on top of each other 1."""
FEWEST = 30
"""Cells with fewer than this tell nothing about their neighbours."""
LOOKED_AT = 20_000
MOST_JOINED = 50
"""Objects that are put into one; what stands behind ids of cells in fields of view has more values."""
BARCODE = re.compile(r"[ACGTN]{14,}|s_\d{3}um_\d+_\d+")
"""What names a place on the slides of 10x Genomics: the same in every section."""


def plain(name: object) -> str:
    """Lower-case letters and digits of a column's name."""
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


FIELDS = frozenset({"fov", "fovid", "tile", "tileid"})


def check_sections(ids: pd.Index, obs: pd.DataFrame, points: np.ndarray, fields: bool = True) -> list[str]:
    """Warnings about a sample that holds several sections side by side.

    ids, obs, points : of its cells; n x 2. fields : whether coordinates may be those inside each field of view, and not
    of the slide; the folders of instruments tell which they are.

    Raises ReadError when sections lie on top of each other, when a column names several samples, when places of an
    array are taken twice, when barcodes come from several slides, and when the cells are of several patients.
    """
    _several_slides(ids)
    _several_objects(ids, points)
    _places_taken_twice(obs)
    warnings = []
    for name in obs.columns:
        kind = plain(name)
        if kind in DEPTHS:
            warnings += _levels(name, obs[name], points)
        if kind not in SECTION_COLUMNS or (kind in FIELDS and not fields):
            continue
        labels = _labels(obs[name])
        n = len(np.unique(labels[labels >= 0]))
        if n < 2 or n > len(labels) / 2:
            continue
        values = ", ".join(map(str, pd.unique(obs[name].dropna().astype(object))[:3])) + (", ..." if n > 3 else "")
        where = f"the column {name} tells {n} apart ({values})"
        if kind in PATIENTS:
            raise ReadError(f"the cells are of several patients: {where}; {how_to_split(name)}")
        if overlap(labels, points) >= OVERLAP:
            raise ReadError(f"several sections lie on top of each other: {where}; {how_to_split(name)}")
        if kind in PLAINLY_SECTIONS and (np.sort(np.bincount(labels[labels >= 0]))[-2:] >= FEWEST).all():
            raise ReadError(f"several sections in one sample: {where}; {how_to_split(name)}")
        if kind not in SIDE_BY_SIDE_IS_USUAL:
            warnings.append(f"several sections side by side? {where}; if they are, {_a_row_each(name)}")
    return warnings


def _levels(name: str, column: pd.Series, points: np.ndarray) -> list[str]:
    """A warning where cells lie at a few depths, those of each all over the section."""
    labels = _labels(column)
    sizes = np.bincount(labels[labels >= 0])
    if len(sizes) < 2 or np.median(sizes) < FEWEST or overlap(labels, points) < OVERLAP:
        return []
    return [
        f"several sections on top of each other? the column {name} has {len(sizes)} levels: planes of one section may; "
        f"if they are sections, {_a_row_each(name)}"
    ]


def how_to_split(column: str) -> str:
    return f"a sample is one section: {_a_row_each(column)}"


def _a_row_each(column: str) -> str:
    return (
        f"give each value a row of the samplesheet with the same path, part_column {column} and the value as "
        "part_value (docs/usage.md, Several samples from one folder)"
    )


def overlap(labels: np.ndarray, points: np.ndarray) -> float:
    """How far groups of cells lie on top of each other: 0 = side by side, 1 = as if strewn at random.

    labels : int per cell, -1 = in no group. Looks at 20,000 cells at most, evenly spread over the rows.
    """
    from scipy.spatial import cKDTree  # 15 MB that most samples do without

    rows = np.flatnonzero((labels >= 0) & np.isfinite(points).all(axis=1))
    rows = rows[:: max(1, len(rows) // LOOKED_AT)]
    labels, points = labels[rows], points[rows]
    share = np.bincount(labels) / max(1, len(labels))
    expected = 1 - float((share**2).sum())
    if len(rows) < FEWEST or expected <= 0:
        return 0.0
    _, near = cKDTree(points).query(points, k=2)
    # of two cells at one place either may come first
    other = np.where(near[:, 0] == np.arange(len(points)), near[:, 1], near[:, 0])
    return float((labels[other] != labels).mean()) / expected


def _labels(column: pd.Series) -> np.ndarray:
    return pd.factorize(column.astype(object))[0]


def _places_taken_twice(obs: pd.DataFrame) -> None:
    by_name = {plain(name): name for name in obs.columns}
    if not {"arrayrow", "arraycol"} <= set(by_name):
        return
    places = obs[[by_name["arrayrow"], by_name["arraycol"]]]
    twice = places.duplicated() & places.notna().all(axis=1)
    if twice.any():
        row, column = places[twice].iloc[0]
        raise ReadError(
            f"{int(twice.sum())} of {len(obs)} spots have the array position of another (first: row {row}, column "
            f"{column}): several sections in one sample; {GIVE_EACH_A_ROW}"
        )


def _several_slides(ids: pd.Index) -> None:
    """Raise ReadError when barcodes repeat but for what stands before or behind them (-1, -2; s1_, s2_)."""
    if not len(ids) or not BARCODE.search(str(ids[0])):
        return
    some = ids[:: max(1, len(ids) // 1000)]
    if len({_around(str(name)) for name in some}) < 2:
        return
    barcodes = pd.Series(ids.astype(str)).str.extract(f"({BARCODE.pattern})", expand=False)
    repeated = barcodes.duplicated(keep=False) & barcodes.notna()
    if repeated.any():
        first = barcodes[repeated].iloc[0]
        names = [str(name) for name, code in zip(ids, barcodes) if code == first][:3]
        raise ReadError(
            f"{int(repeated.sum())} of {len(ids)} barcodes occur more than once but for what is added to them "
            f"({', '.join(names)}): several sections in one sample; {GIVE_EACH_A_ROW}"
        )


def _several_objects(ids: pd.Index, points: np.ndarray) -> None:
    """Raise ReadError when ids repeat but for what was put before or behind them as objects were joined (cell_1-0,
    cell_1-1; s1_cell_1), and these objects lie on top of each other."""
    names = pd.Series(ids.astype(str))
    for pattern, where in (
        (r"^(?P<own>.+)[-_](?P<of>[^-_]+)$", "behind"),
        (r"^(?P<of>[^-_]+)[-_](?P<own>.+)$", "before"),
    ):
        some = names.iloc[:: max(1, len(names) // 1000)].str.extract(pattern)
        if some["of"].isna().any() or not 2 <= some["of"].nunique() <= MOST_JOINED:
            continue
        parts = names.str.extract(pattern)
        labels = _labels(parts["of"])
        if parts["own"].nunique() < FEWEST or parts["own"].duplicated().mean() < 0.1 or _are_lines(labels, points):
            continue
        if overlap(labels, points) >= OVERLAP:
            found = ", ".join(sorted(parts["of"].dropna().unique())[:3])
            raise ReadError(
                f"several sections lie on top of each other: ids repeat but for what stands {where} them ({found}), as "
                f"in objects that were joined; {GIVE_EACH_A_ROW}"
            )


def _are_lines(labels: np.ndarray, points: np.ndarray) -> bool:
    """Whether most groups are as narrow as rows of a lattice, whose spots are called by row and column."""
    groups = [points[labels == label] for label in range(min(MOST_JOINED, labels.max() + 1))]
    widths = [np.linalg.eigvalsh(np.cov(group.T))[0] for group in groups if len(group) > 2]
    return not widths or float(np.median(widths)) < 0.1 * np.linalg.eigvalsh(np.cov(points.T))[0]


def _around(name: str) -> str:
    return BARCODE.sub("*", name)
