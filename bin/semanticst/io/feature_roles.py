"""Roles of features, by type or by name: genes, measures of the background, other kinds."""

import re

import numpy as np
import pandas as pd

GENE_TYPES = frozenset({"gene expression", "gene"})
CONTROL_TYPES = re.compile(
    r".*\b(control|blank|codeword|negprb|systemcontrol|falsecode|background)s?\b|negatives?( probes?)?$"
)
"""Feature types as `plain_types` gives them: those of 10x Genomics (negative control probe, unassigned codeword,
genomic control, ...), and the words of other programs for what measures the background."""
PROTEIN_TYPES = frozenset({
    "antibody capture", "antibody", "antibodies", "protein expression", "protein", "proteins", "adt", "surface protein",
})  # fmt: skip
"""Feature types of proteins that were measured beside genes: CytAssist and CITE-seq, Xenium, other programs."""
TYPE_COLUMNS = ("feature_types", "feature_type", "type")
"""Columns of ``var``, in lower case, in which scanpy (feature_types) and Bioconductor (Type) keep them."""

CONTROL_NAMES = re.compile(
    r"NegPrb|Neg(ative)?[-_. ]?(Probe|Control|Ctrl|Prb)|NegControl|Negative[-_. ]?\d+$|antisense_"
    r"|SystemControl\d*|FalseCode|Blank[-_. ]?\d|(Unassigned|Deprecated|Blank)[-_. ]?Codeword|Intergenic[-_. ]?Region"
    r"|(cyc\d+_ch\d+[:_. -]+)?(Blank|Empty)([-_. ]?(c|ch|cyc|cy|fitc|af|alexa)?[-_. ]?\d+)*$"
    r"|(Ms|Rb|Rt|Mouse|Rabbit|Rat|Goat)[-_. ]IgG\d?[abc]?$",
    re.IGNORECASE,
)
"""How instruments call features that measure the background: negative probes and system controls of CosMx, negative
control, antisense and unassigned codewords of Xenium, blanks of MERSCOPE, cycles of CODEX without an antibody, isotype
controls of protein panels. No gene is called so."""


def plain_types(types: pd.Series) -> pd.Series:
    """Types in lower case with spaces: Xenium's HDF5 writes "Negative Control Probe", its Zarr
    "negative_control_probe"."""
    return types.astype(object).where(types.notna(), "").astype(str).str.strip().str.lower().str.replace("_", " ")


def roles(types: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Which features are genes, and which are controls (bool each), by their types."""
    plain = plain_types(types)
    return plain.isin(GENE_TYPES).to_numpy(), plain.map(lambda kind: bool(CONTROL_TYPES.match(kind))).to_numpy(bool)


def proteins(types: pd.Series) -> np.ndarray:
    """Which features are proteins (bool), by their types."""
    return np.asarray(plain_types(types).isin(PROTEIN_TYPES))


def types_of(var: pd.DataFrame) -> pd.Series | None:
    """The column of ``var`` that holds types of which some are genes; None where there is none."""
    for name in TYPE_COLUMNS:
        for column in var.columns:
            # a column "type" of an annotation says gene, pseudogene, ...: these are all genes here
            wanted = GENE_TYPES if name != "type" else {"gene expression"}
            if str(column).lower() == name and plain_types(var[column]).isin(wanted).any():
                return var[column]
    return None


def others_note(types: pd.Series) -> str:
    """What is said about features that are neither genes, proteins nor controls. types : those of these features."""
    counts = types.astype(str).value_counts()
    left_out = ", ".join(f"{n} of type {name}" for name, n in counts.items())
    return f"features that are neither genes, proteins nor controls are left out: {left_out}"


def named_controls(names: pd.Index) -> np.ndarray:
    """Which names are those of controls (bool)."""
    return np.array([bool(CONTROL_NAMES.match(str(name))) for name in names], dtype=bool)
