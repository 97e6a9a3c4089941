"""Courses of patients: with three and more values of a patient, each patient has a slope, and patients are tested.

Rows of a patient are not independent once the patient's mean is taken out: a patient who changes faster than another
does so at every time. So what is tested is one number per patient (summary measures, Matthews et al. 1990, BMJ
300:230), and its sign is flipped: without a mean trend a course downwards is as likely as one upwards.
"""

import numpy as np

from semanticst.association.stats.linear_model import nuisance_basis


def has_courses(x: np.ndarray, patients: np.ndarray) -> bool:
    """Has a patient three or more values of x?"""
    return any(len(np.unique(x[patients == p])) > 2 for p in np.unique(patients))


def patient_slopes(
    x: np.ndarray, patients: np.ndarray, blocks: np.ndarray, covariates: np.ndarray, Y: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One row per patient: patients, length of x (n) and slope times that length (n x k).

    x and Y are taken relative to the mean of their block (a patient, or a stratum of one) and to covariates. The length
    is the root of the patient's sum of squares of x: the regression of the third on the second through the origin has
    the slope of all rows together, in which a patient who was seen over a wide range says more than one who was seen
    twice in a week.
    """
    Q = nuisance_basis(blocks, covariates)
    x, Y = x - Q @ (Q.T @ x), Y - Q @ (Q.T @ Y)
    who, row = np.unique(patients, return_inverse=True)
    member = (row[None, :] == np.arange(len(who))[:, None]).astype(float)
    length = np.sqrt(member @ x**2)
    told = length > 1e-9
    return who[told], length[told], (member @ (x[:, None] * Y))[told] / length[told, None]
