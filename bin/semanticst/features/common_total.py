"""Samples that were normalised each to a total of its own, brought to one.

scanpy's ``normalize_total`` scales the cells of an object to the median of *its* cells, and a cohort that was made
sample by sample keeps the depth of each: after a logarithm it is no shift of a feature, which batch correction would
take out, but a stretch of small values against large ones. On simulated patients niches then were patients.
The total of every cell of such a sample is the same number, which tells it from everything else.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

log = logging.getLogger(__name__)

ALIKE = 1.1
"""Nine cells in ten of a normalised sample have totals within this ratio: features that were left out since then take a
little of them. Cells that were not normalised differ by more than twice that."""
SAME = 1.02
"""Totals of samples within this ratio are one total."""


class _Form(NamedTuple):
    """How values were written: the values before the logarithm, and the logarithm."""

    before: Callable[[np.ndarray], np.ndarray]
    after: Callable[[np.ndarray], np.ndarray]


FORMS = {
    "values": _Form(lambda x: x, lambda x: x),
    "log1p": _Form(np.expm1, np.log1p),
    "log2(1 + x)": _Form(lambda x: np.exp2(x) - 1, lambda x: np.log2(x + 1)),
    "log10(1 + x)": _Form(lambda x: 10.0**x - 1, lambda x: np.log10(x + 1)),
}
LARGEST = 80.0
"""Values beyond are no logarithms, and their exponentials no numbers."""


def constant_total(X: sp.csr_matrix) -> tuple[str, float] | None:
    """Form of the values of a sample (one of ``FORMS``) in which all its cells have the same total, and that total.

    ``X`` (n, G). None where there is no such form: most values were never normalised, or features were chosen since.
    """
    if X.shape[0] == 0 or X.nnz == 0 or X.data.min() < 0:
        return None
    spread = {}
    for name in FORMS if X.data.max() <= LARGEST else ["values"]:
        before = FORMS[name].before(X.data.astype(np.float64))
        totals = np.asarray(sp.csr_matrix((before, X.indices, X.indptr), shape=X.shape).sum(1)).ravel()
        low, middle, high = np.quantile(totals, [0.05, 0.5, 0.95])
        if low > 0:
            spread[name] = high / low, float(middle)
    # small values are nearly their own logarithms: the form in which totals are most alike
    form = min(spread, key=lambda name: spread[name][0], default="")
    return (form, spread[form][1]) if form and spread[form][0] <= ALIKE else None


@dataclass(frozen=True)
class CommonTotal:
    """The ``total`` to which samples are brought whose cells have a total of their own in ``form``."""

    form: str
    total: float

    @classmethod
    def of(cls, found: Mapping[str, tuple[str, float] | None]) -> "CommonTotal | None":
        """The median total, from the `constant_total` of each sample; None where they have one already, or none.

        Where only some samples have one, or in different forms, nothing brings them together: a warning.
        """
        known = {sample: of_sample for sample, of_sample in found.items() if of_sample is not None}
        if not known:
            return None
        forms = {form for form, _ in known.values()}
        if len(known) < len(found) or len(forms) > 1:
            (example, (form, total)) = sorted(known.items())[0]
            log.warning(
                "%d of %d samples were normalised to one total per cell (%s to %.6g as %s), the others not, or in "
                "another form: they are compared as they are; give all in one form, or counts",
                len(known), len(found), example, total, form,
            )  # fmt: skip
            return None
        totals = [total for _, total in known.values()]
        if max(totals) <= SAME * min(totals):
            return None
        common = cls(forms.pop(), float(np.median(totals)))
        log.info("samples were normalised to totals of their own, %.6g to %.6g (%s): all are brought to %.6g",
                 min(totals), max(totals), common.form, common.total)  # fmt: skip
        return common

    def bring(self, X: sp.csr_matrix, own: tuple[str, float] | None = None) -> sp.csr_matrix:
        """Values of a sample ``X`` (n, G) at the common total; as they are where its cells have none of their own.

        ``own`` : its `constant_total`, where that is known already.
        """
        own = own or constant_total(X)
        if own is None or own[0] != self.form:
            return X
        form = FORMS[self.form]
        data = form.after(form.before(X.data.astype(np.float64)) * (self.total / own[1]))
        return sp.csr_matrix((data.astype(X.data.dtype), X.indices, X.indptr), shape=X.shape)
