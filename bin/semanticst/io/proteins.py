"""Proteins that were measured beside the genes of a section: antibodies of 10x Genomics, ``obsm`` of other programs."""

import re
from dataclasses import dataclass

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp

from semanticst.constants import FeatureType
from semanticst.errors import ReadError
from semanticst.io.feature_roles import named_controls, proteins, types_of
from semanticst.io.sparse import regroup_columns
from semanticst.io.understood import features_left_out
from semanticst.wording import listed

KEYS = ("protein", "proteins", "protein_expression", "protein_counts", "antibody_capture", "antibody", "adt", "prot",
        "intensities")  # fmt: skip
"""Of ``obsm``, in lower case: scvi-tools (protein_expression), sopa (intensities of a staining) and others."""
COLOURS = frozenset({"r", "g", "b", "a", "red", "green", "blue", "alpha", "0", "1", "2", "3"})
"""Channels of a picture in colours, which are no stainings."""
ISOTYPE = re.compile(r"isotype|IgG.*(control|ctrl)|(control|ctrl).*IgG", re.IGNORECASE)
"""Further names of isotype controls, among proteins: IgG1_control, Isotype_MOPC.21."""
MIN_CELLS = 2
MOST_MISSING = 0.5
"""Share of the measured cells; a protein that is missing in more is left out."""


@dataclass(frozen=True)
class Proteins:
    """What was measured of them."""

    measured: np.ndarray
    """float32, n_cells x n_proteins, NaN in cells without a measurement."""
    names: list[str]
    isotypes: np.ndarray | None
    """float32: sum of the isotype controls of each cell; None where there are none."""
    n_isotypes: int

    @property
    def kind(self) -> FeatureType:
        """Counts where all values are whole numbers from 0 on, else continuous."""
        given = self.measured[np.isfinite(self.measured)]
        whole = bool((given >= 0).all() and (given == np.floor(given)).all())
        return FeatureType.COUNTS if whole else FeatureType.CONTINUOUS


def split_proteins(
    X: sp.csr_matrix, var: pd.DataFrame, obsm
) -> tuple[sp.csr_matrix, pd.DataFrame, Proteins | None, list[str], list[str]]:
    """Matrix (changed in place) and ``var`` without proteins, the proteins, notes, and warnings.

    Proteins are told by the types of the features (``feature_types``) among which there are genes, else they are in
    ``obsm`` under one of `KEYS`, as a table with names. Isotype controls, by their names, are set apart.

    Raises ReadError when they are no numbers.
    """
    types = types_of(var)
    of_type = np.zeros(len(var), bool) if types is None else proteins(types)
    if of_type.any():
        frame = pd.DataFrame(X[:, np.flatnonzero(of_type)].toarray(), columns=var.index[of_type].astype(str))
        target = np.where(of_type, -1, np.cumsum(~of_type) - 1).astype(np.int32)
        X, var = regroup_columns(X, target, int((~of_type).sum())), var[~of_type]
        where = "their type"
    else:
        key = protein_key(obsm)
        if key is None:
            return X, var, None, [], []
        if not isinstance(obsm[key], pd.DataFrame):
            n = obsm[key].shape[1]
            text = (
                f"obsm['{key}'] is left out: nothing names its {n} proteins; list their names in uns['protein_names']"
            )
            return X, var, None, [], [features_left_out(n, text)]
        frame, where = obsm[key], f"obsm['{key}']"
        if set(map(str.lower, frame.columns.astype(str))) <= COLOURS:
            return X, var, None, [f"{where} is left out: the colours of a picture"], []
    found, gaps = _checked(frame, where)
    notes = [f"{len(found.names)} proteins are kept beside the genes ({found.kind.value}; by {where})", *gaps]
    if isotypes := found.n_isotypes:
        notes.append(features_left_out(isotypes, f"{isotypes} isotype controls set apart"))
    warnings = []
    if all(name.isdigit() for name in found.names):
        warnings.append(
            f"proteins have no names but numbers ({listed(found.names, 3)}; {where}): those of one number in another "
            "sample count as the same; give the table their names"
        )
    return X, var, found, notes, warnings


def protein_key(names) -> str | None:
    """The first of `KEYS` among names of ``obsm``, whatever their case."""
    by_name = {str(name).lower(): str(name) for name in names}
    return next((by_name[key] for key in KEYS if key in by_name), None)


def _checked(frame: pd.DataFrame, where: str) -> tuple[Proteins, list[str]]:
    """The proteins, and notes about values that are missing.

    A protein that lacks a value in more than half of the measured cells is left out, so that it does not cost the
    others theirs. Then cells that lack any are not measured: sums and means over some of the proteins are those of no
    other cell. The cells themselves stay.
    """
    try:
        values = frame.to_numpy(np.float32, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ReadError(f"the proteins ({where}) are no numbers ({error})") from None
    if np.isinf(values).any():
        raise ReadError(f"the proteins ({where}) hold values that are not finite")
    names = ad.utils.make_index_unique(pd.Index(frame.columns.astype(str), dtype=object))
    missing = np.isnan(values)
    notes: list[str] = []
    measured = ~missing.all(axis=1)
    rare = missing[measured].mean(axis=0) > MOST_MISSING if measured.any() else np.zeros(len(names), bool)
    if rare.any() and not rare.all():
        text = f"{rare.sum()} proteins are left out: most cells have no value of them ({listed(names[rare], 6)})"
        notes.append(features_left_out(rare.sum(), text))
        names, values, missing = names[~rare], values[:, ~rare], missing[:, ~rare]
    lacking = missing.any(axis=1)
    if lacking.sum() > len(values) - MIN_CELLS:
        raise ReadError(f"the proteins ({where}) are missing in {lacking.sum()} of {len(values)} cells")
    partly = lacking & ~missing.all(axis=1)
    if partly.any():
        of = listed(names[missing[partly].any(axis=0)], 6)
        notes.append(
            f"{partly.sum()} of {len(values)} cells lack a value of some proteins ({of}): they stay, with their "
            "genes, and count as without a measurement of proteins"
        )
    values[lacking] = np.nan
    isotype = named_controls(names) | np.array([bool(ISOTYPE.search(name)) for name in names])
    if isotype.all():
        raise ReadError(f"the proteins ({where}) are isotype controls only")
    control = values[:, isotype].sum(axis=1) if isotype.any() else None
    kept = [str(name) for name in names[~isotype]]
    return Proteins(np.ascontiguousarray(values[:, ~isotype]), kept, control, int(isotype.sum())), notes
