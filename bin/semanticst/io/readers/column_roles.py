"""Roles of the columns of a table of cells that are no features: ids, places, shapes, what software derived.

Told by names, in two ways: names that programs are known to write, and words that no marker or gene has in its name
(distance, Haralick, bounding box). Seen: scikit-image (MCMICRO, steinbock, ark), QuPath, CellProfiler, HALO, inForm.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache

from semanticst.io.gene_names import NAMELESS
from semanticst.io.readers.column_names import AREAS, IDS, TYPES, is_axis, latin
from semanticst.io.readers.measurements import COMPARTMENT, repeated_markers
from semanticst.io.several_sections import SECTION_COLUMNS, plain
from semanticst.io.understood import features_left_out
from semanticst.wording import listed

ID, PLACE, SECTION, TYPE = "ids and row numbers", "places", "sections and fields", "cell types and classes"
SHAPE, DERIVED, ANNOTATED = "shape and size", "derived by software", "annotated"
MEASURED, UNKNOWN = "another statistic or compartment of a marker", "no measurement of a marker"
GENES = frozenset({"IDS", "Ids", "BBOX1", "Bbox1", "BBOX1-AS1", "PROB1", "Prob1", "PCA3"})
"""Genes that are called as ids, boxes, probabilities and axes are."""

SHAPES = frozenset({
    "area", "cellarea", "cellsize", "size", "volume", "perimeter", "eccentricity", "solidity", "extent",
    "orientation", "angle", "circularity", "roundness", "compactness", "formfactor", "elongation", "aspectratio",
    "length", "width", "height", "diameter", "maxdiameter", "mindiameter", "diametermax", "diametermin",
    "equivalentdiameter", "diameterequivalent", "equivalentdiameterarea", "majoraxislength", "minoraxislength",
    "axismajorlength", "axisminorlength", "majoraxis", "minoraxis", "majoraxislen", "minoraxislen", "convexarea",
    "areaconvex", "convexhullarea", "convexhullresid", "filledarea", "areafilled", "areabbox", "bboxarea",
    "feretdiameter", "feretdiametermax", "maxferetdiameter", "minferetdiameter", "maxcaliper", "mincaliper",
    "eulernumber", "numconcavities", "centroiddif", "perimsquareoverarea", "majorminoraxisratio",
    "majoraxisequivdiamratio", "ncratio", "nucleuscellarearatio", "nuclearea", "nucleusarea", "nucleararea",
    "cytoplasmarea", "membranearea",
})  # fmt: skip
SHAPE_WORDS = frozenset({
    "area", "perimeter", "eccentricity", "solidity", "circularity", "roundness", "compactness", "elongation",
    "convexity", "sphericity", "flattening", "feret", "caliper", "diameter", "axis", "length", "width", "height",
    "volume", "size", "orientation", "hull", "concavities", "moments", "inertia", "euler", "extent", "angle",
})  # fmt: skip
"""A name that has one of these, and nothing but these and `QUALIFIERS`, is a measure of shape."""
QUALIFIERS = frozenset({
    "major", "minor", "max", "min", "maximum", "minimum", "mean", "median", "equivalent", "equiv", "convex", "filled",
    "bounding", "box", "bbox", "aspect", "form", "factor", "ratio", "number", "of", "over", "to", "nuclear", "nucleus",
    "nuclei", "cell", "cells", "cytoplasm", "membrane", "whole", "entire", "mask", "um", "um2", "px", "pixel",
    "pixels", "micron", "microns", "square", "squared", "percent", "log", "tensor", "hu", "central", "normalized",
    "weighted", "local", "eigvals", "ring", "object", "per", "mm", "mm2", "x", "y", "z", "row", "col", "column",
    "rows", "cols", "columns", "start", "end", "left", "right", "top", "bottom", "global", "fullres", "hires",
    "image", "tile", "slide", "in", "fov", "a", "b", "c", "bin",
})  # fmt: skip
PLACE_WORDS = frozenset({
    "centroid", "centroids", "center", "centre", "position", "location", "coordinate", "coordinates", "coord", "bbox",
    "box",
})  # fmt: skip
PLACES = frozenset({
    "z", "minx", "miny", "maxx", "maxy", "minz", "maxz", "xmin", "xmax", "ymin", "ymax", "boundingboxx", "boundingboxy",
    "arrayrow", "arraycol", "intissue", "xtile", "ytile", "tilex", "tiley", "tilerow", "tilecol",
})  # fmt: skip
DERIVED_NAMES = frozenset({
    "cluster", "clusters", "leiden", "louvain", "seuratclusters", "domain", "layer", "niche", "barcodecount",
    "density", "localdensity", "avgconfidence", "avgassignmentconfidence", "maxclusterfrac", "lifespan", "confidence",
    "scale", "population", "cellmetaclusterrename", "pixelmetacluster", "nuclearcount",
})  # fmt: skip
DERIVED_WORDS = frozenset({
    "distance", "distances", "dist", "nearest", "neighbor", "neighbors", "neighbour", "neighbours", "neighborhood",
    "neighbourhood", "delaunay", "voronoi", "haralick", "subcellular", "smoothed", "probability", "prob", "cluster",
    "clusters", "metacluster", "leiden", "louvain", "phenograph", "flowsom", "density", "confidence", "classifier",
    "completeness", "score", "texture", "homogeneity", "embedding", "umap", "tsne", "kmeans", "gmm", "lda", "spatial",
    "roi", "touching",
})  # fmt: skip
"""A name with one of these is no measurement of a marker."""
ANTIBODY = re.compile(r"^(ADT|HTO)[-_.]|TotalSeq", re.IGNORECASE)
"""How CITE-seq and Seurat call antibodies and hashtags beside genes."""
EMBEDDING = re.compile(
    r"^(x[ _.-]?)?((umap|t[ _.-]?sne|pca?|phate|trimap|diffmap|harmony|scvi|latent)([ _.-]?(dim|component))?[ _.-]?"
    r"|(mds|lsi|ica?|nmf|lda|dc)[ _.-])(\d+|[xy])$",
    re.IGNORECASE,
)
"""Axes of embeddings: UMAP_1, X_umap1, tSNE-2, PC_1. Genes are called ICA1 and MDS2."""
COUNT_WORDS = frozenset({
    "count", "counts", "genes", "features", "feature", "transcripts", "umis", "umi", "molecules", "detections",
    "spots", "pct", "percent",
})  # fmt: skip
COUNT_QUALIFIERS = frozenset({
    "n", "num", "number", "nr", "of", "total", "mt", "mito", "mitochondrial", "ribo", "rna", "spatial", "sct",
    "xenium", "control", "probe", "codeword", "unassigned", "deprecated", "genomic", "nuclear", "nucleus", "cell",
    "log", "by", "in", "top", "negative", "blank", "raw", "estimated", "barcode", "transcript", "gene", "p",
})  # fmt: skip
"""Sums over features: n_genes_by_counts, nCount_RNA, pct_counts_mt."""
ANNOTATIONS = frozenset({
    "objecttype", "name", "parent", "tmamissing", "segmentationmethod", "response", "treatment", "time", "timepoint",
    "stage", "grade", "group", "condition", "age", "sex", "gender", "roi", "algorithmname", "jobid", "tissuecategory",
})  # fmt: skip
OTHER_IDS = frozenset({"originalcellid", "labelid"})
CELLPROFILER = re.compile(
    r"((Cells?|Nuclei|Cytoplasm|Nucleus)_)?(AreaShape|Children|Classify|Correlation|FileName|Granularity|Location"
    r"|Math|Metadata|Neighbors|Number|ObjectSkeleton|Overlap|Parent|PathName|RadialDistribution|Texture|Threshold)_\w+"
)
"""How CellProfiler begins the names of what is no intensity."""


def roles(columns: Sequence[str]) -> dict[str, str]:
    """Of the columns of a table those that are no features, and what they are instead.

    Programs that measure each marker in several ways (QuPath, CellProfiler, inForm, HALO, MCMICRO with several masks)
    name statistic and compartment: of each marker one is a feature (`semanticst.io.readers.measurements`). Where both
    are named, all other columns are no features, whatever they are.
    """
    repeated, named = repeated_markers(columns)
    found = {column: role_of(_without_number(column, columns)) for column in columns}
    found = {column: role if role or not named or column in named else UNKNOWN for column, role in found.items()}
    found |= {column: MEASURED for column in repeated if not role_of(column)}
    if {"PCA1", "PCA2"} <= set(columns):  # beside these it is no gene
        found |= {column: DERIVED for column in columns if column == "PCA3"}
    return {column: role for column, role in found.items() if role}


def _without_number(column: str, columns: Sequence[str]) -> str:
    """The name without the number that pandas and R give to a second column of one name: ``x.1`` beside ``x``."""
    bare = re.sub(r"\.\d+$", "", column)
    return bare if bare != column and bare in columns else column


def told_roles(dropped: dict[str, str]) -> list[str]:
    """Notes about columns that are no features, by what they are."""
    by_role: dict[str, list[str]] = {}
    for column, role in dropped.items():
        by_role.setdefault(role, []).append(column or "a column without a name")
    measured = by_role.pop(MEASURED, [])
    notes = []
    if by_role:
        shown = "; ".join(f"{role} ({listed(columns, 12)})" for role, columns in by_role.items())
        notes.append(f"columns left out, as no features: {shown}")
    if measured:
        text = f"{len(measured)} columns left out: {MEASURED} that is taken already ({listed(measured, 12)})"
        notes.append(features_left_out(len(measured), text))
    return notes


def odd_features(names: Iterable[str], counted: bool = False) -> list[str]:
    """Warnings about features of an object that are none by their names: what its columns were before it was made.

    counted : whether the values are counts, among which antibodies are another kind.
    """
    names, found = [str(name) for name in names], []
    if odd := [name for name in names if role_of(name) in (SHAPE, DERIVED, PLACE)]:
        found.append(
            f"features that look like measures of shape, places or derived values, and no markers: {listed(odd, 6)}"
        )
    antibodies = [name for name in names if ANTIBODY.search(name)] if counted else []
    if antibodies and len(antibodies) < len(names):
        found.append(
            f"{len(antibodies)} features are called as antibodies are, among genes: {listed(antibodies, 4)}; proteins "
            "belong into obsm['protein'], or var['feature_types'] says what each feature is"
        )
    return found


@cache
def role_of(column: str) -> str:
    """What a column is by its name alone; empty for what may be a feature."""
    if column in GENES:
        return ""
    bare = COMPARTMENT.sub("", latin(column))
    names = {plain(column), plain(column).removesuffix("nuclear"), plain(bare)}
    names.add(plain(re.sub(r"\s*\bum(\^?2)?$", "", bare)))
    if NAMELESS.match(column.strip()) or names & {*IDS, *OTHER_IDS}:
        return ID
    if names & {*TYPES}:
        return TYPE
    if names & SECTION_COLUMNS:
        return SECTION
    words = set(_words(column))
    if names & PLACES or is_axis(column) or _made_of(words, PLACE_WORDS, QUALIFIERS):
        return PLACE
    if names & (SHAPES | {*AREAS}) or _made_of(words, SHAPE_WORDS, QUALIFIERS):
        return SHAPE
    if names & DERIVED_NAMES or words & DERIVED_WORDS or EMBEDDING.match(column):
        return DERIVED
    if _made_of(words, COUNT_WORDS, COUNT_QUALIFIERS) or CELLPROFILER.fullmatch(column):
        return DERIVED
    return ANNOTATED if names & ANNOTATIONS else ""


def _words(column: str) -> list[str]:
    """Words of a name in lower case: MajorAxisLength, major_axis_length -> major, axis, length; without numbers."""
    return [word.lower() for word in re.findall(r"um\^?2|[A-Z]?[a-z]+|[A-Z]+(?![a-z])", latin(column))]


def _made_of(words: set[str], core: frozenset[str], qualifiers: frozenset[str]) -> bool:
    return bool(words & core) and words <= core | qualifiers | SHAPE_WORDS
