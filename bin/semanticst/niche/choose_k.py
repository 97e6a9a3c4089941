"""Number of niches: stability over halves of the tissue, its zero line, and the Bayesian information criterion."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from semanticst.constants import AUTO_LARGEST, SINGLED_OUT, from_two_up, is_convention, is_singled_out, none_supported
from semanticst.mqc.multiqc import NICHES, Section, emphasised, lines
from semanticst.niche.consensus import rand_index_within
from semanticst.niche.em import Cells
from semanticst.niche.mixture import MixtureSearch
from semanticst.niche.tissue_halves import Trial, distinct_halves, halves_of_tiles
from semanticst.threads import in_parallel
from semanticst.wording import AT_RANDOM, at_random, no_number, spans, two_are_better

log = logging.getLogger(__name__)

AUTO_RANGE = range(2, AUTO_LARGEST + 1)
MOST_NICHES = 99
CELLS_OF_A_NICHE = 4
"""Deciding cells for each niche, below which a number is not tried."""
FIRST_STEPS = 10
"""Steps of EM after which the best start goes on alone; 30, as for the niches themselves, gave the same numbers."""
GAIN = 1e-5
"""Gain of the likelihood at which EM ends; a tenth of it gave the same stability to 0.01."""
FEWEST_HALVES = 4
"""Pairs of halves that must differ: two sections of one tile have one pair, and its agreement with itself no error."""
FIRST_SPLITS = 8
"""Pairs of halves after which numbers that are out of the race are left alone."""
SPLITS = 20
"""Pairs of halves. Agreement has a spread of 0.1 to 0.3 where a partition comes back in most of them, but not in all:
over 5 pairs its mean is not known well enough, and the number for DLPFC was anything from 3 to 11 by seed."""
CLOSE_SPLITS = 32
"""Pairs of halves of numbers between which it is close: of a spleen 4 niches are singled out in six of six seeds by
these, by 20 pairs in about four."""
TOLERANCE = 0.02
"""Peaks of stability this close to the highest are as high."""
ZERO_SPLITS = 8
"""Pairs of halves of the zero line, each of cells that were permuted anew."""
CLOSE_ZERO_SPLITS = 32
"""The same where no number is above the line by ``FAR``: the mean of 8 has a standard error of 0.02 to 0.04."""
FAR = 0.3
START_CELLS = 750
"""Cells of a start, half as many as for the niches themselves: Ward's trees of more were a third of the time."""
CLEARLY = 0.1
"""Least distance of stability from its zero line where a number is supported: of 75 cohorts of random cells five
were further up, by 0.23 at most (`tissue_halves.is_arranged` knows them); in tissue it is 0.1 (ST) to 0.8."""
AS_GOOD = 0.15
"""Where several numbers are about as stable as the best, those that are closer than this are as good: that much is what
another start of batch correction moves. Of four breast cancers at 4 niches stability has an SD of 0.1 over seeds."""


def number_curve(
    trial: Trial, candidates: Sequence[int], *, shrinkage: float, seed: int, threads: int = 1
) -> pd.DataFrame:
    """For each number of niches: ``k``, ``bic`` per cell, ``stability``, ``stability_sd``, ``pairs``, ``zero``,
    ``zero_sd``, ``zero_pairs``, ``supported``, ``arranged``.

    Stability is the adjusted Rand index, over pairs of cells of one sample, between partitions of the same cells by
    mixtures fitted to different halves of the tissue, over ``pairs`` of halves: fewer for numbers that cannot be chosen
    any more. ``zero`` is the same without the arrangement of cells; ``supported`` as `is_supported`, and none where the
    cells of the trial are not ``arranged`` at all.
    """
    rng = np.random.default_rng(seed)
    halves = [halves_of_tiles(trial.tiles, trial.samples, rng) for _ in range(CLOSE_SPLITS)]
    drawn = [trial.draw(np.random.default_rng([seed, number])) for number in range(CLOSE_SPLITS)]
    n = len(drawn[0])
    possible = [k for k in candidates if k * CELLS_OF_A_NICHE <= n]
    of_drawn = [[np.flatnonzero(np.isin(rows, half)) for half in pair] for rows, pair in zip(drawn, halves)]
    too_small = not possible or min(len(half) for pair in of_drawn for half in pair) < max(possible)
    if too_small or distinct_halves(halves) < FEWEST_HALVES:
        return unjudged([])

    def agreements(number: int, numbers: list[int], X: np.ndarray) -> list[float]:
        found = []
        for half in of_drawn[number]:
            search = MixtureSearch(
                Cells.of(X[half]), starts=4, seed=seed + number, subsample=START_CELLS, k_max=max(possible)
            )
            mixtures = (
                search.fit(k, shrinkage=shrinkage, refine=1, first_steps=FIRST_STEPS, tolerance=GAIN) for k in numbers
            )
            found.append([mixture.predict(X) for mixture in mixtures])
        samples = trial.samples[drawn[number]]
        return [rand_index_within(one, two, samples) for one, two in zip(*found)]

    def by_arrangement(number: int) -> list[float]:
        return agreements(number, in_race, trial.X[drawn[number]])

    def criterion(search: MixtureSearch, k: int) -> float:
        return search.fit(k, shrinkage=shrinkage, refine=2).bic(n) / n

    agreement: dict[int, list[float]] = {k: [] for k in possible}
    whole = MixtureSearch(Cells.of(trial.X[drawn[0]]), starts=8, seed=seed, k_max=max(possible))
    curve = pd.DataFrame({"k": possible, "bic": [criterion(whole, k) for k in possible]})
    stages = (
        (range(FIRST_SPLITS), lambda first: first["k"] > 0),
        (range(FIRST_SPLITS, SPLITS), undecided),
        (range(SPLITS, CLOSE_SPLITS), close_call),
    )
    for pairs, stay in stages:
        in_race = curve["k"][stay(curve)].tolist()
        for found in in_parallel(by_arrangement, pairs if in_race else [], threads, "number of niches"):
            for k, value in zip(in_race, found):
                agreement[k].append(value)
        curve["stability"] = [np.mean(agreement[k]) for k in possible]
        curve["stability_sd"] = [np.std(agreement[k]) for k in possible]
        curve["pairs"] = [len(agreement[k]) for k in possible]
    zero = trial.zero
    if zero is None:
        return curve.assign(zero=np.nan, zero_sd=np.nan, zero_pairs=0, supported=True, arranged=True)

    def by_chance(number: int) -> list[float]:
        return agreements(number, possible, zero(drawn[number], np.random.default_rng([seed, number])))

    chance = np.array(in_parallel(by_chance, range(ZERO_SPLITS), threads, "zero line"))
    if trial.arranged and (curve["stability"] - chance.mean(0))[curve["k"] >= 3].max() < FAR:
        more = range(ZERO_SPLITS, CLOSE_ZERO_SPLITS)
        chance = np.vstack([chance, in_parallel(by_chance, more, threads, "zero line")])
    curve = curve.assign(zero=chance.mean(0), zero_sd=chance.std(0), zero_pairs=len(chance))
    return curve.assign(supported=is_supported(curve) & trial.arranged, arranged=trial.arranged)


def parse_numbers(niche_k: str) -> list[int]:
    """``auto`` -> the whole range tried, ``7`` -> [7], ``5,7,9`` -> [5, 7, 9]. Raises ValueError otherwise."""
    if niche_k == "auto":
        return list(AUTO_RANGE)
    try:
        numbers = sorted({int(part) for part in niche_k.split(",")})
    except ValueError as error:
        raise ValueError(f"'{niche_k}' is neither 'auto' nor a number nor numbers joined by commas") from error
    if numbers[0] < 2:
        raise ValueError(f"at least 2 niches are needed, got {numbers[0]}")
    if numbers[-1] > MOST_NICHES:
        raise ValueError(f"at most {MOST_NICHES} niches are found, got {numbers[-1]}")
    return numbers


def too_many_niches(k: int, n_cells: int) -> str:
    """Why ``n_cells`` that decide cannot form ``k`` niches, in words; empty where they may."""
    if k * CELLS_OF_A_NICHE <= n_cells:
        return ""
    most = n_cells // CELLS_OF_A_NICHE
    return (
        f"{n_cells:,d} cells decide what its niches are, they cannot form {k} niches, which takes {CELLS_OF_A_NICHE} "
        f"for each: ask for at most {max(most, 1)} (--niche_k)"
    )


def not_supported(curve: pd.DataFrame, tissue: str = "the tissue") -> str:
    """What is said first where the chosen number is not above the zero line; empty where it is. ``tissue``: whose."""
    chosen = curve[curve["chosen"]]
    if chosen["supported"].all():
        return ""
    what = no_number(curve["k"].tolist(), curve["supported"].tolist(), tissue)
    what = what or f"{chosen['k'].iloc[0]} niches are not supported by {tissue}"
    if at_random(curve):
        return f"{what}: {AT_RANDOM}"
    return f"{what}: those found are not clearly more reproducible than niches of shuffled cells"


def unjudged(numbers: Sequence[int]) -> pd.DataFrame:
    """The curve of ``numbers`` that were not compared: they count as supported, for nothing speaks against them."""
    measured = ("bic", "stability", "stability_sd", "pairs", "zero", "zero_sd", "zero_pairs")
    unknown = dict.fromkeys(measured, np.nan)
    return pd.DataFrame({"k": list(numbers)}).assign(**unknown, supported=True, arranged=True)


def is_supported(curve: pd.DataFrame) -> pd.Series:
    """Numbers whose stability is above the zero line: by ``CLEARLY``, and by three standard errors.

    Where one from 3 up is, of all numbers from 2 up, the tissue has structure, and two standard errors and half of
    ``CLEARLY`` are enough for the others: where all are near three, it would be chance which of them may be chosen.
    """
    error = np.sqrt(_standard_error(curve) ** 2 + curve["zero_sd"] ** 2 / (curve["zero_pairs"] - 1))
    distance = curve["stability"] - curve["zero"]
    clearly = distance >= np.maximum(CLEARLY, 3 * error)
    if from_two_up(curve["k"]) and (clearly & (curve["k"] >= 3)).any():
        return distance >= np.maximum(CLEARLY / 2, 2 * error)
    return clearly


def about_as_stable(curve: pd.DataFrame, chosen: int) -> pd.Series:
    """Which numbers from 3 up are supported and about as stable as the best one, the ``chosen`` one among them.

    The best is the highest peak, of a list with gaps the chosen one. About as stable: within two standard errors of
    the difference, as if pairs of halves were independent draws; where by that none `is_singled_out`, within
    ``AS_GOOD`` as well.
    """
    if none_supported(curve["k"], curve["supported"]):
        return curve["k"] == chosen
    whole = len(curve) > 1 and from_two_up(curve["k"])
    best = highest_peak(curve) if whole else chosen
    near = _as_stable_as(curve, best)
    if whole and not is_singled_out(curve["k"][near]):
        near = _as_stable_as(curve, best, AS_GOOD)
    return near | (curve["k"] == chosen)


def _as_stable_as(curve: pd.DataFrame, best: int, least: float = 0.0) -> pd.Series:
    own, error = curve["k"] == best, _standard_error(curve)
    apart = (curve["stability"] - curve.loc[own, "stability"].iloc[0]).abs()
    unsure = 2 * np.sqrt(error**2 + error[own].iloc[0] ** 2)
    return own | ((curve["k"] >= 3) & curve["supported"] & (apart <= np.maximum(unsure, least)))


def _standard_error(curve: pd.DataFrame) -> pd.Series:
    """Of the stability of each number, as if pairs of halves were independent draws."""
    return curve["stability_sd"] / np.sqrt((curve["pairs"] - 1).clip(lower=1))


def undecided(curve: pd.DataFrame) -> pd.Series:
    """Which numbers `choose_number` may still take, or needs to know; none when it is decided.

    A number is out when its stability, give or take two standard errors, is no peak, or below the highest that surely
    is one; but as long as so many may be about as stable as the best that none `is_singled_out`, all of these stay in.
    Without all numbers from 2 up, which a peak needs, all stay in.
    """
    k, stability = curve["k"].to_numpy(), curve["stability"].to_numpy()
    if not from_two_up(k) or len(k) < 3:
        return pd.Series(True, index=curve.index)
    error = 2 * _standard_error(curve).to_numpy()
    low, high = stability - error, stability + error
    may, surely = np.zeros(len(k), dtype=bool), np.zeros(len(k), dtype=bool)
    may[1:-1] = (high[1:-1] > low[:-2]) & (high[1:-1] > low[2:])
    surely[1:-1] = (low[1:-1] > high[:-2]) & (low[1:-1] > high[2:])
    no_peak = not may.any()
    if no_peak:  # then the most stable number is taken
        may = (k >= 3) & (high >= low[k >= 3].max())
    elif surely.any():
        may &= high >= low[surely].max() - TOLERANCE
    alike = (k >= 3) & (high >= low[may].max())
    singled_out = is_singled_out(k[alike])
    if singled_out and may.sum() == 1 and (no_peak or surely.any()):
        return pd.Series(False, index=curve.index)
    needed = may.copy()
    needed[1:] |= may[:-1]
    needed[:-1] |= may[1:]
    return pd.Series(needed if singled_out else needed | alike, index=curve.index)


def close_call(curve: pd.DataFrame) -> pd.Series:
    """Which numbers more pairs of halves are to tell apart: those about as stable as the best, where there are few.

    Few: more than one, at most twice as many as may be `is_singled_out`; of more none would be left.
    """
    if len(curve) < 3 or not from_two_up(curve["k"]):
        return pd.Series(False, index=curve.index)
    curve = curve.assign(supported=True)  # the zero line is drawn later
    near = _as_stable_as(curve, highest_peak(curve))
    return near & (1 < near.sum() <= 2 * SINGLED_OUT)


def choose_number(curve: pd.DataFrame) -> int:
    """The number at which stability has its highest peak, where the tissue singles it out; else a convention.

    Singled out: `is_singled_out` of the numbers that are `about_as_stable`. Where there are more, it is chance which of
    them has the highest peak: with other halves, or another start of the batch correction, it is another. Then the one
    nearest to the middle of the numbers that were tried is taken, the smaller of two: no better, but steady. So it is
    where no number is supported, for niches to be looked at.
    """
    if none_supported(curve["k"], curve["supported"]):
        chosen = _nearest_to_the_middle(curve, curve["k"][curve["k"] > 2])
        log.info("number of niches: %d, nearest to the middle of those tried; none is supported", chosen)
        return chosen
    best = highest_peak(curve)
    alike = curve["k"][about_as_stable(curve, best)]
    chosen = _nearest_to_the_middle(curve, alike) if is_convention(curve["k"], alike) else best
    what = "highest peak of stability" if _peaks_to_choose_from(curve).any() else "most stable, no peak"
    log.info("number of niches: %d (%s: %d; about as stable: %s)", chosen, what, best, spans(alike))
    return chosen


def _nearest_to_the_middle(curve: pd.DataFrame, numbers: pd.Series) -> int:
    middle = (curve["k"].min() + curve["k"].max()) / 2
    return min(numbers.tolist(), key=lambda k: (abs(k - middle), k))


def highest_peak(curve: pd.DataFrame) -> int:
    """The number at which stability has its highest peak; among peaks about as high, the best by BIC.

    Few parts are stable wherever one difference is large, and stability falls from there: a peak is what the tissue
    adds to this trend. CellCharter looks at peaks likewise (Varrone et al. 2024). 2 niches are not chosen where more
    were tried. Without a peak, and from a list with gaps, the most stable number is taken. Numbers that are not
    ``supported`` are left out where others are.
    """
    peaks = _peaks_to_choose_from(curve)
    tried = curve[peaks if peaks.any() else _to_choose_from(curve)]
    high = tried[tried["stability"] >= tried["stability"].max() - TOLERANCE]
    return int(high.loc[high["bic"].idxmax(), "k"])


def _to_choose_from(curve: pd.DataFrame) -> pd.Series:
    several = curve["k"] >= 3 if (curve["k"] >= 3).any() else curve["k"] >= 2
    return several & curve["supported"] if (several & curve["supported"]).any() else several


def _peaks_to_choose_from(curve: pd.DataFrame) -> pd.Series:
    return _to_choose_from(curve) & stability_peaks(curve)


def stability_peaks(curve: pd.DataFrame) -> pd.Series:
    """Which numbers are not less stable than one niche fewer and one more, where all from 2 up were tried; none
    elsewhere.

    Less stable: by two standard errors of the difference, so that it is not chance which of two neighbours is the peak.
    The largest number is no peak: what comes after it is not known. Nor is one that only ends the fall from a number
    that is clearly more stable, see `_on_a_slope`.
    """
    if not from_two_up(curve["k"]):
        return pd.Series(False, index=curve.index)
    stability, error = curve["stability"], _standard_error(curve)

    def not_below(step: int) -> pd.Series:
        return stability >= stability.shift(step) - 2 * np.hypot(error, error.shift(step))

    return not_below(1) & not_below(-1) & ~_on_a_slope(curve)


def _on_a_slope(curve: pd.DataFrame) -> np.ndarray:
    """Which numbers are less stable than a smaller one from 3 up, and not more stable than any in between, by two
    standard errors: stability fell to them and did not rise."""
    k, stability, error = curve["k"].to_numpy(), curve["stability"].to_numpy(), _standard_error(curve).to_numpy()
    unsure = 2 * np.hypot(error[:, None], error)
    above = stability[:, None] - stability
    fell = (above > unsure) & (k[:, None] >= 3)  # row: the smaller number, column: the larger one
    found = np.zeros(len(k), dtype=bool)
    for larger in range(len(k)):
        risen_from = np.flatnonzero(above[larger, :larger] > unsure[larger, :larger])
        last_low = risen_from.max(initial=-1)
        found[larger] = fell[last_low + 1 : larger, larger].any()
    return found


def report_curve(curve: pd.DataFrame, outdir: Path) -> None:
    """Write the curve for the report, where more than one number was tried."""
    tried = curve.dropna(subset=["stability"])
    if len(tried) < 2:
        return
    chosen = int(curve.loc[curve["chosen"], "k"].iloc[0])
    first = f"{text}. " if (text := not_supported(curve)) else ""
    several = curve["k"][curve["about_as_stable"]]
    asked = "" if first else two_are_better(tried["k"].tolist(), tried["stability"].tolist(), chosen)
    how = (
        "A peak, not less stable than one niche fewer and one more (by two standard errors), is a number that the "
        "tissue supports where it is clearly above the zero line: the highest from 3 niches up is taken, and among "
        "peaks about as high the one with the best Bayesian information criterion (BIC, in "
        "<code>niches/niche_k.csv</code>)."
    )
    if not from_two_up(curve["k"]):
        how = (
            "From a list the most stable number from 3 up is taken, and among those about as stable the one with the "
            "best Bayesian information criterion (BIC, in <code>niches/niche_k.csv</code>)."
        )
    elif not _peaks_to_choose_from(curve).any():
        how = (
            "A peak would be a number from 3 niches up that is not less stable than one niche fewer and one more, and "
            "does not only end a fall. There is none: the most stable number from 3 up is taken."
        )
        two, taken = (tried.loc[tried["k"] == k, "stability"].iloc[0] for k in (2, chosen))
        if two > taken + AS_GOOD and not asked:
            how += f" 2 niches, which are more stable ({two:.2f}), are found where they are asked for (--niche_k 2)."
    if none_supported(curve["k"], curve["supported"]):
        how = "The number nearest to the middle of those tried is taken, so that there are niches to be looked at."
    if at_random(curve):
        how += (
            " Cells near each other are no more alike than any of their sample (Moran's I against shuffled cells): "
            "where stability is above the zero line, it is by chance."
        )
    if not first and not is_singled_out(several):
        first = f"The tissue does not single out a number: {spans(several)} niches are about as stable. "
        if is_convention(curve["k"], several):
            how = (
                "Which of these numbers has the highest peak is chance: the one nearest to the middle of those tried "
                "is taken, a convention. The others describe this tissue as well (<code>--niche_k</code>, to be chosen "
                "before the outcome is looked at)."
            )
    section = Section(
        "niche_k",
        NICHES,
        "How many niches",
        emphasised(
            f"{first}{chosen} niches were chosen. Stability: how well partitions found on different halves of "
            "the tissue agree within samples (adjusted Rand index, 1 = the same). Zero line: the same after the "
            f"cells of each sample changed places at random, which leaves no arrangement to be found. {how}"
            f"{asked and ' '}{asked}"
        ),
    )
    data = {
        "Stability": dict(zip(tried["k"].tolist(), tried["stability"])),
        "Zero line": dict(zip(tried["k"].tolist(), tried["zero"])),
    }
    if tried["zero"].isna().any():
        del data["Zero line"]
    lines(outdir, section, data, x="Number of niches", y="Stability (adjusted Rand index)")
