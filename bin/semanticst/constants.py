"""Names that more than one step relies on: AnnData keys, semantic contexts, kinds of features, file endings.

Every key that a step writes into an AnnData object is listed here and explained in ``docs/output.md``.
"""

from collections.abc import Sequence, Sized
from enum import StrEnum


class Obs(StrEnum):
    """Columns of ``obs``."""

    SAMPLE = "sample"
    PATIENT = "patient"
    BATCH = "batch"
    CELL_ID = "cell_id"
    CELL_TYPE = "cell_type"
    TOTAL = "total_counts"
    N_FEATURES = "n_features"
    MITO_SHARE = "mito_share"
    ANNOTATION = "annotated_region"
    """Category: the region of an annotation (a pathologist's outline) that the cell lies in, empty where in none; where
    the samplesheet gives an annotation."""
    CONTROL = "control_counts"
    """float32: counts in control features (negative probes, blanks), which are not in ``X``; where there are any."""
    RIBO_SHARE = "ribo_share"
    """float32: share of the counts in ribosomal protein genes; NaN where there are none."""
    CONTROL_SHARE = "control_share"
    """float32: control counts over control and other counts."""
    DENSITY = "cell_density"
    """float32: cells per 1e4 um^2 around the cell, or per squared unit of the coordinates where that is no um."""
    ISOTYPE = "isotype_total"
    """float32: sum of the isotype controls of a panel of proteins, which are not in ``obsm['protein']``; where there
    are any."""
    PROTEIN_TOTAL = "protein_total"
    """float32: sum of the values in ``obsm['protein']``; where the sample has proteins beside its genes."""
    N_PROTEINS = "n_proteins"
    """float32: proteins that are above 0; where they are counts."""
    ISOTYPE_SHARE = "isotype_share"
    """float32: isotype controls over these and the proteins."""
    LOCAL_OUTLIER = "local_outlier"
    """bool: far fewer counts or features, or a far higher mitochondrial share, than the cells around."""
    DEAD_REGION = "dead_region"
    """bool: part of a connected area with far fewer counts than the sample."""
    EDGE_ARTEFACT = "edge_artefact"
    """bool: at the border of the tissue, with far fewer counts than the cells just inside."""
    STUDY_PART = "study_part"
    """``discovery`` or ``validation``; where the samplesheet has the column."""
    NICHE = "niche"
    STABILITY = "stability"
    FIT = "fit"
    """float32, 0 to 1: share of the model's own cells that lie further out than the cell."""
    NICHE_JACCARD = "niche_jaccard"
    """float32: bootstrap Jaccard index of the cell's niche; NaN where none was computed."""
    RARE_TISSUE = "rare_tissue"
    """category: kind of rare tissue that the cell is of, ``0`` for none; missing where it was not looked for."""


CELL_AREA = "cell_area"
"""Column of ``obs`` that some inputs bring: area of the segmented cell, um^2."""


class Obsm(StrEnum):
    """Matrices with one row per cell."""

    SPATIAL = "spatial"
    """float64, n_cells x 2, in ``uns['semanticst']['spatial_unit']``."""
    PROTEIN = "protein"
    """float32, n_cells x n_proteins, as they came, named in ``uns["semanticst"]["protein_names"]``; what they are
    (counts, continuous) is in ``protein_type`` beside it. Where genes and proteins of one section were measured. NaN
    in cells of samples of a cohort that have none."""
    COMPONENTS = "X_pca"
    """float32, n_cells x n_components: principal components of the cohort, not corrected for batch."""
    HARMONY = "X_pca_harmony"
    """float32, n_cells x n_components: the same after Harmony (equal to ``X_pca`` where Harmony is off)."""
    PROFILE = "X_profile"
    """float32, n_cells x n_profile: neighbourhood profile (means of the components over 1, 2, ... hops)."""
    SPREAD = "X_spread"
    """float32, n_cells x n_spread: second moments of the components in the neighbourhood; while niches are found."""
    EMBEDDING = "X_semantic"
    """float32, n_cells x n_latent: fused embedding of the network, where there is one. In reference mode its
    reconstruction of the components, n_cells x n_components."""
    SCORES = "semantic_scores"
    """float32, n_cells x n_contexts, rows sum to 1: attention of the cell to each context, named in
    ``uns["semanticst"]["contexts"]``; where there is a network."""


class Context(StrEnum):
    """Semantic contexts: edge sets over the same cells."""

    SPATIAL = "spatial"
    EXPRESSION = "expression"
    DOMAIN = "domain"


class Modality(StrEnum):
    """What a feature is measured on, in tables that hold several."""

    FEATURE = "feature"
    """Of ``X``, where these are no counts of genes: markers, intensities, cell types."""
    GENE = "gene"
    PROTEIN = "protein"


CONTEXTS = tuple(Context)


class TrainMode(StrEnum):
    """Which network is trained, and how its embedding is clustered."""

    SEMANTIC = "semantic"
    """Contexts with a meaning, and the consensus of mixtures."""
    REFERENCE = "reference"
    """The settings of the authors' released package, see ``model/reference.py``."""
    NONE = "none"
    """No network: niches of neighbourhood profiles alone."""


def has_network(model: dict) -> bool:
    """Whether a loaded ``model.pt`` has a network: one that was made without has only the version there."""
    return model["network"].get("mode") != TrainMode.NONE


def graph_key(context: str) -> str:
    """Key in ``obsp`` of the symmetric CSR adjacency (float32, weights in (0, 1]) of one context."""
    return f"{context}_connectivities"


class FeatureType(StrEnum):
    """What the numbers in ``X`` are; it decides on normalisation."""

    COUNTS = "counts"
    """Non-negative whole numbers, library size matters."""
    BINARY = "binary"
    """0 or 1 per marker, several markers may be positive."""
    ONEHOT = "onehot"
    """0 or 1, exactly one feature per cell: a cell typing."""
    CONTINUOUS = "continuous"
    """Anything else (intensities, already normalised values)."""


COUNTING = frozenset({
    "visium", "visium_hd", "st", "slideseq", "stereoseq", "xenium", "merscope", "cosmx", "merfish", "starmap",
    "osmfish", "seqfish",
})  # fmt: skip
"""Platforms that count molecules, as ``assets/schema_input.json`` spells them."""
STAINING = frozenset({"codex", "mibi", "imc", "cycif", "mif"})
"""Platforms that measure the intensity of stainings."""


SHARES = (FeatureType.BINARY, FeatureType.ONEHOT)
"""Feature types whose average over cells is a share of them."""
SPREAD_COMPONENTS = 12
"""Components whose spread in the neighbourhood is taken: their 78 products need more cells than two hops have (19 on a
lattice)."""


NICHE_STARTS = 8
"""Starts of the search for a mixture, unless ``--niche_starts`` says otherwise."""
NUMBER_SUPPORTED = "niche_number_supported"
"""In ``uns['semanticst']`` of the integrated object: whether the number of niches is above its zero line, here or where
the model was trained that was mapped onto; absent where that is not known."""
BATCH_CORRECTED = "batch_corrected"
"""In ``uns['semanticst']`` of the integrated object: whether batches were corrected for, be it that no cell moved."""
SINGLED_OUT = 3
"""Numbers of niches, the chosen one among them, that may be about as stable where the tissue singles one out."""


QC_MIN_CELLS = 20
"""Default of ``--qc_min_cells``: cells that a sample has to keep."""
AUTO_LARGEST = 15
"""Largest number of niches that ``--niche_k auto`` tries (`semanticst.niche.choose_k.AUTO_RANGE`)."""


def from_two_up(tried: Sequence[int]) -> bool:
    """Whether ``tried`` (n,) are all numbers of niches from 2 up to some number, in this order."""
    return list(tried) == list(range(2, 2 + len(tried)))


def is_singled_out(alike: Sized) -> bool:
    """Whether the tissue singles out a number of niches: at most ``SINGLED_OUT`` are about as stable as the best.

    ``alike`` (m,): these numbers, the chosen one among them (`semanticst.niche.choose_k.about_as_stable`).
    """
    return len(alike) <= SINGLED_OUT


def is_convention(tried: Sequence[int], alike: Sized) -> bool:
    """Whether the number of niches is a convention (`semanticst.niche.choose_k.choose_number`).

    That is where none is singled out, ``alike`` (m,) as in `is_singled_out`, of all ``tried`` (n,) from 2 up: without
    these a peak of stability cannot be seen, and the most stable number is taken however many are as stable.
    """
    return from_two_up(tried) and not is_singled_out(alike)


def none_supported(tried: Sequence[int], supported: Sequence[bool]) -> bool:
    """Whether the tissue supports no number of niches: none from 3 up of several ``tried`` (n,), all from 2 up.

    ``supported`` (n,): which are above the zero line (`semanticst.niche.choose_k.is_supported`).
    """
    several = len(tried) > 1 and from_two_up(tried)
    return several and not any(above for k, above in zip(tried, supported) if k >= 3)


OTHER_NUMBER = "k="
"""What a member of ``niche_member_counts.csv`` begins with that is another number of niches, no base clustering of the
consensus."""
ALONE = ", one base clustering"
"""What it ends with where it is no consensus of several."""
WITHOUT_HARMONY = "without Harmony"
"""The member that is found on components before Harmony."""


UNS = "semanticst"
"""Key in ``uns`` under which a step records what it was given and what it decided (a flat dict)."""
THUMBNAILS = "thumbnails"
"""Folder of the pictures of samples: ``{sample}.jpg``, and ``{sample}.json`` with its place and scale (see
``docs/output.md``); ``qc/thumbnails`` of a run."""
GRAPH_SETTINGS = ("graph_k_spatial", "graph_k_expression", "graph_k_domain", "graph_hops")
"""How neighbours and profiles were made, in ``uns``: neighbourhoods that are made otherwise are other niches."""
OF_MODEL = "model_"
"""Beginning of the same names where samples are mapped onto a model: its settings, which are taken then."""
DISCOVERY, VALIDATION = "discovery", "validation"
"""Parts of a study: everything is decided on the first, the second is mapped and tested."""
QUALITY = "quality/"
"""Beginning of the names of arrays of a model in which NaN stands for what was not computed."""
SUPPORTED = "supported"
"""Name in the ``quality`` of a niche model: whether the tissue supported its number of niches (1,), 0 or 1; absent
where that was not known."""
LAYER_COUNTS = "counts"
"""Layer of an input object that is read instead of ``X`` where it exists."""

PERMUTATIONS = 19_999
"""Permutations of patients that an association looks at, unless told otherwise."""
