"""The project's internal form of a sample, which every step after ingest relies on.

X              CSR float32, n_cells x n_features, the values as they came, control features set apart
obs            index: the input's own cell ids; sample, patient, batch (categorical); control_counts (float32) where the
               panel has controls; cell_area (um^2) where the input has it; other columns of the input
var            index: gene symbols where there are any, one column each; ``gene_id`` where Ensembl ids are known; other
               columns of the input
obsm           ``spatial``: float64, n_cells x 2, in micrometres where the scale is known; ``protein``:
               float32, n_cells x n_proteins, where proteins were measured beside genes, with ``protein_names`` and
               ``protein_type`` (counts, continuous) in ``uns['semanticst']``, and ``isotype_total`` in obs where there
               are isotype controls
uns            ``semanticst``: sample, patient, batch, platform, format, matrix (file or part of the object that the
               values are from), feature_type, feature_type_source (samplesheet, values or cohort), feature_types (list
               of what the values may be, feature_type among them), spatial_unit (of the coordinates as they now are),
               um_per_unit and um_per_unit_source (how they became so; 0 = not converted), n_cells_input, source, notes
               (list of str, what the reader decided), overrides (settings of the quality control for this sample),
               and what later steps add
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import scipy.sparse as sp

from semanticst.constants import UNS, FeatureType, Obs, Obsm
from semanticst.errors import BadInput, Problem

if TYPE_CHECKING:
    import anndata as ad

RECORDED = ("sample", "patient", "batch", "platform", "feature_type", "spatial_unit", "n_cells_input", "source")
"""What ``uns['semanticst']`` holds after ingest, beside ``overrides``."""


def read_anndata(path: Path, backed: Literal["r"] | None = None) -> "ad.AnnData":
    """Read a file that another step wrote; ``backed`` as in anndata. Raises BadInput when it cannot be read."""
    import anndata as ad

    try:
        return ad.read_h5ad(path, backed=backed)
    except MemoryError:
        raise
    except Exception as error:
        # a damaged file can make h5py and anndata raise nearly anything
        raise BadInput(Problem(path, f"cannot be read as an AnnData file ({error})")) from error


def read_sample(path: Path) -> "ad.AnnData":
    """Read a sample in the internal form (``*.ingest.h5ad``, ``*.qc.h5ad``).

    Raises BadInput when the file cannot be read or is not in the internal form.
    """
    import anndata as ad

    try:
        adata = ad.read_h5ad(path)
    except MemoryError:
        raise
    except Exception as error:
        # a damaged file can make h5py and anndata raise nearly anything
        raise BadInput(Problem(path, f"cannot be read as .h5ad ({error})")) from error
    faults = internal_faults(adata)
    if faults:
        message = "not a sample in the internal form that sample_ingest.py writes: " + "; ".join(faults)
        raise BadInput(Problem(path, message))
    return adata


def internal_faults(adata: "ad.AnnData") -> list[str]:
    """What keeps ``adata`` from being in the internal form; empty when it is."""
    faults = []
    X = adata.X
    if not (sp.issparse(X) and X.format == "csr" and X.dtype == np.float32):
        faults.append("X is not CSR float32")
    faults += [f"obs has no '{c}'" for c in (Obs.SAMPLE, Obs.PATIENT, Obs.BATCH) if c not in adata.obs]
    if not adata.obs_names.is_unique:
        faults.append("cell ids repeat")
    if not adata.var_names.is_unique:
        faults.append("feature names repeat")
    spatial = adata.obsm.get(Obsm.SPATIAL)
    if spatial is None or spatial.shape[1] != 2 or spatial.dtype != np.float64:
        faults.append("obsm['spatial'] is not float64 with two columns")
    recorded = adata.uns.get(UNS, {})
    protein = adata.obsm.get(Obsm.PROTEIN)
    if protein is not None and protein.shape[1] != len(recorded.get("protein_names", ())):
        faults.append(f"uns['{UNS}']['protein_names'] does not name the columns of obsm['{Obsm.PROTEIN}']")
    faults += [f"uns['{UNS}'] has no '{key}'" for key in RECORDED if key not in recorded]
    if recorded.get("feature_type", FeatureType.COUNTS) not in set(FeatureType):
        faults.append(f"feature_type '{recorded['feature_type']}' is unknown")
    return faults


def feature_type(adata: "ad.AnnData") -> FeatureType:
    """Feature type that ingest recorded."""
    return FeatureType(adata.uns[UNS]["feature_type"])


def possible_feature_types(recorded: Mapping) -> list[str]:
    """What the values of a sample may be, that for which it was taken among them. recorded : its ``uns``."""
    return [str(kind) for kind in recorded.get("feature_types", [recorded["feature_type"]])]


def take_kind(own: dict, cohort_kind: FeatureType | None) -> None:
    """Take the values of a sample for what those of the cohort are. own : ``uns['semanticst']``, changed in place."""
    alone = own["feature_type"]
    if cohort_kind is None or cohort_kind == alone or cohort_kind not in possible_feature_types(own):
        return
    own |= {"feature_type": cohort_kind.value, "feature_type_source": "cohort"}
    note = f"values are taken for {cohort_kind}, as those of the other samples; alone they would be {alone}"
    own["notes"] = [*own.get("notes", ()), note]
