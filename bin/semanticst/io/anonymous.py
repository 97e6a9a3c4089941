"""A sample that was read, without what tells whose it is: for runs with pseudonyms."""

from collections.abc import Mapping
from dataclasses import replace

import anndata as ad
import pandas as pd

from semanticst.constants import CELL_AREA, UNS, Obs
from semanticst.errors import ReadError
from semanticst.io.pseudonyms import hide_ids
from semanticst.plotting.picture import Picture

KEPT = frozenset(Obs) | {CELL_AREA}
"""Columns of cells that the pipeline makes or uses. Any other may hold an id under another name."""


def anonymous(adata: ad.AnnData, row: Mapping[str, str]) -> ad.AnnData:
    """The sample as `ingest` made it, without ids in the names of its cells, its categories and the notes about it.

    row : of the manifest, with ``own_sample`` and ``own_patient``, the ids that the codes stand for. Columns of the
    input that the pipeline does not know are left out. Raises ReadError when ids of cells are no longer unique by it.
    """
    left_out = [column for column in adata.obs if column not in KEPT]
    adata.obs = adata.obs.drop(columns=left_out)
    cells = pd.Index(hide_ids(adata.obs_names, row))
    if cells.has_duplicates:
        raise ReadError("some ids of its cells differ in the case of the sample's name only; rename them")
    adata.obs_names = cells
    for column in (Obs.CELL_TYPE.value, Obs.ANNOTATION.value):
        if column in adata.obs:
            adata.obs[column] = _hidden_categories(adata.obs[column], row)
    own = dict(adata.uns[UNS])
    for name in ("source", "matrix", "um_per_unit_source", "format"):
        own[name] = hide_ids([str(own[name])], row)[0]
    for name in ("notes", "warnings"):
        own[name] = hide_ids(own[name], row)
    if left_out:
        own["notes"].append(f"{len(left_out)} columns of the input left out, since they may tell who it is")
    adata.uns[UNS] = own
    return adata


def _hidden_categories(values: pd.Series, row: Mapping[str, str]) -> pd.Categorical:
    given = values.astype(object)
    told = given.dropna().astype(str)
    return pd.Categorical(pd.Series(hide_ids(told, row), told.index).reindex(given.index))


def anonymous_picture(picture: Picture, row: Mapping[str, str]) -> Picture:
    """The picture of the tissue, said to be of a file whose name tells nothing."""
    return replace(picture, source=hide_ids([picture.source], row)[0])
