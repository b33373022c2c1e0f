"""Searches through every diagonal a confusion matrix can have, in exact whole numbers.

A UAR depends on the diagonal of the confusion matrix alone: right answers t_i out of the n_i clips
of class i, UAR = (t_1/n_1 + ... + t_C/n_C) / C. Where the sizes of the classes and the number of
right answers are known, all diagonals can be listed and a printed UAR held against each.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor, lcm

import numpy as np
import pandas as pd

from elrcn.errors import ElrcnError
from elrcn.grim import grim, grim_pairs, half_unit, precisions
from elrcn.printed import class_sizes

#: Five quotients added and divided in double precision are off by less than this.
FLOAT_ERROR = Fraction(1, 10**15)

#: Sizes of the classes of one fold, and its number of right answers.
Fold = tuple[Sequence[int], int]


def _tallies(sizes: Sequence[int], common: int) -> tuple[np.ndarray, np.ndarray]:
    """Right answers, and `common` times the sum of t_i/n_i, of every (t_1, ..., t_C)."""
    hits = sums = np.zeros(1, np.int64)
    for n in sizes:
        hits = np.add.outer(hits, np.arange(n + 1)).ravel()
        sums = np.add.outer(sums, np.arange(n + 1) * (common // n)).ravel()
    return hits, sums


def _count(first, second, hits: int, low: int, high: int) -> int:
    """Count pairs of tallies whose right answers add up to `hits`, their sums to `low`..`high`.

    Meets in the middle: one key a tally of `second`, ordered by right answers and then by sum.
    """
    width = int(second[1].max()) + 1
    keys = np.sort(second[0] * width + second[1])
    place = (hits - first[0]) * width
    start = place + np.clip(low - first[1], 0, width)
    stop = place + np.clip(high - first[1], -1, width - 1)
    return int((np.searchsorted(keys, stop, "right") - np.searchsorted(keys, start)).sum())


def _diagonals(sizes: Sequence[int], right: int, common: int) -> tuple[np.ndarray, np.ndarray]:
    """Tallies of the diagonals with `right` answers, these counted as 0 (they are all alike)."""
    *rest, largest = sorted(sizes)
    hits, sums = _tallies(rest, common)
    last = right - hits  # what is left for the largest class
    kept = (last >= 0) & (last <= largest)
    sums = sums[kept] + last[kept] * (common // largest)
    return np.zeros_like(sums), sums


def count_diagonals(folds: Sequence[Fold], low: Fraction, high: Fraction) -> int:
    """Count diagonals whose UAR lies from `low` to `high`; of two folds, pairs and their mean.

    Parameters
    ----------
    folds : sequence of (sizes, right)
        One or two: clips of each class (above 0), as many classes in each, and right answers.
    low, high : Fraction
        Both ends belong to the range.
    """
    common = lcm(*(n for sizes, _ in folds for n in sizes))
    if len(folds) == 1:
        ((sizes, hits),) = folds
        ordered = sorted(sizes, reverse=True)
        parts = _tallies(ordered[:2], common), _tallies(ordered[2:], common)
    else:
        hits, parts = 0, [_diagonals(*fold, common) for fold in folds]
        if not all(len(sums) for _, sums in parts):
            return 0
    scale = common * len(folds[0][0]) * len(folds)
    return _count(*parts, hits, ceil(low * scale), floor(high * scale))


def uar_range(folds: Sequence[Fold]) -> tuple[Fraction, Fraction]:
    """Least and greatest UAR with these right answers; of several folds, of their mean.

    A right answer adds least in the largest class, so that the least UAR fills classes from the
    largest, the greatest from the smallest.
    """
    ends = []
    for largest_first in (True, False):
        total = Fraction(0)
        for sizes, right in folds:
            for n in sorted(sizes, reverse=largest_first):
                total += Fraction(min(n, right), n) / len(sizes)
                right -= min(n, right)
        ends.append(total / len(folds))
    return ends[0], ends[1]


def _search(folds: Sequence[Fold], printed: str, decimals: int) -> dict:
    value, slack = Fraction(printed), half_unit(decimals)
    low, high = uar_range(folds)
    diagonals = count_diagonals(folds, value - slack, value + slack)
    return {
        "UAR": printed,
        "decimals": decimals,
        "least_UAR": float(low),
        "greatest_UAR": float(high),
        "diagonals": diagonals,
        "possible": diagonals > 0,
    }


def _scores(results: pd.DataFrame):
    """Yield source, method, database and the printed scores of each published row with a UAR."""
    for keys, part in results.groupby(["source", "method", "database"], sort=False):
        values = dict(zip(part["metric"], part["printed"], strict=True))
        if {"UAR", "WAR"} <= set(values):
            yield *keys, values


def _classes(counts: pd.DataFrame) -> dict[str, list[int]]:
    groups = {
        "CASME II, five emotions": ("CASME2", "emotion"),
        "CASME II, classes I to V": ("CASME2", "objective"),
        "SAMM, classes I to V": ("SAMM", "objective"),
        "CDE, classes I to V": ("CDE", "objective"),
    }
    return {name: list(class_sizes(counts, *which).values()) for name, which in groups.items()}


#: Sets of clips that the rows of each source, and each fold of Section IV-D, can be about.
_ABOUT = {
    "Table I": ("CASME II, five emotions", "CASME II, classes I to V"),
    "Table II": ("CDE, classes I to V",),
    "train CASME II test SAMM": ("SAMM, classes I to V",),
    "train SAMM test CASME II": ("CASME II, classes I to V",),
}
_HDE = ("train CASME II test SAMM", "train SAMM test CASME II")


def uar_search(results: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Ask of every published UAR whether a diagonal with its row's right answers gives it.

    The right answers are those that the accuracy in the same row stands for (`elrcn.grim.grim`).
    Table III, whose rows are means of two folds, is in `hde_pairs`.

    Parameters
    ----------
    results : pandas.DataFrame
        From `elrcn.audit.columns_put_right`.
    counts : pandas.DataFrame
        From `elrcn.printed.load_counts`.

    Returns
    -------
    pandas.DataFrame
        A row a published UAR, number of right answers ``k`` and number of decimals: how many
        ``diagonals`` give it, and the least and the greatest UAR of all.
    """
    classes, entries = _classes(counts), []
    for source, method, database, values in _scores(results):
        for name in _ABOUT.get(source, _ABOUT.get(database, ())):
            sizes = classes[name]
            n = sum(sizes)
            right = {k for d in precisions(values["WAR"]) for k in grim(values["WAR"], n, d)}
            row = {"source": source, "method": method, "clips": name}
            entries += [
                {**row, "k": k, "n": n, **_search([(sizes, k)], values["UAR"], decimals)}
                for k in sorted(right)
                for decimals in precisions(values["UAR"])
            ]
    return pd.DataFrame(entries)


def hde_pairs(results: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Right answers of both folds behind each row of Table III.

    The mean of k1/n1 and k2/n2 is the printed accuracy for few pairs (k1, k2) only. A pair is
    ``possible`` if the printed UAR, too, is the mean of the UARs of two diagonals with k1 and k2
    right answers.

    Returns
    -------
    pandas.DataFrame
        A row a method and pair, right answers on SAMM first; ``in_text`` marks the pair whose
        accuracies Section IV-D prints for that method (in either column), ``if_padded`` counts the
        pairs there would be if the accuracy's last digit, a zero, were no digit (else 0).
    """
    classes = _classes(counts)
    folds = [classes[_ABOUT[name][0]] for name in _HDE]
    (n1, n2), entries = map(sum, folds), []
    for _, method, _, values in _scores(results[results["source"] == "Table III"]):
        war, uar = values["WAR"], values["UAR"]
        decimals = min(precisions(war))
        padded = grim_pairs(war, n1, n2, decimals - 1) if war.endswith("0") else ()
        told = _told(results, method, (n1, n2))
        for k1, k2 in grim_pairs(war, n1, n2, decimals):
            pair = list(zip(folds, (k1, k2), strict=True))
            entries.append(
                {
                    "method": method,
                    "WAR": war,
                    "SAMM": f"{k1}/{n1}",
                    "CASME II": f"{k2}/{n2}",
                    "mean": (k1 / n1 + k2 / n2) / 2,
                    **_search(pair, uar, min(precisions(uar))),
                    "in_text": (k1, k2) in told,
                    "if_padded": len(padded),
                }
            )
    return pd.DataFrame(entries)


def _told(results: pd.DataFrame, method: str, sizes: tuple[int, int]) -> set[tuple[int, int]]:
    """Pairs of right answers that a column of Section IV-D prints for a method."""
    text = results[results["source"].str.startswith("Section IV-D")]
    text = text[text["method"] == method].set_index(["metric", "database"])["printed"]
    return {
        (k1, k2)
        for metric in ("UAR", "WAR")
        if all((metric, name) in text.index for name in _HDE)
        for k1 in grim(text[metric, _HDE[0]], sizes[0])
        for k2 in grim(text[metric, _HDE[1]], sizes[1])
    }


def moved_sizes(sizes: Sequence[int], clips: int = 1) -> list[tuple[int, ...]]:
    """Return `sizes`, then all sizes that come of moving up to so many clips between classes."""
    found = {tuple(sizes): None}
    for _ in range(clips):
        for old in list(found):
            for source in range(len(old)):
                for target in range(len(old)):
                    new = list(old)
                    new[source] -= 1
                    new[target] += 1
                    if min(new) >= 0:
                        found[tuple(new)] = None
    return list(found)


def wrong_label(reports: pd.DataFrame, counts: pd.DataFrame, clips: int = 1) -> pd.DataFrame:
    """Class sizes with which a user's UAR of the authors' program can be had, to every digit.

    A UAR is a whole multiple of 1/(C lcm(n_1, ..., n_C)). A value printed with all digits of a
    double-precision number is such a multiple, with a diagonal of its row's right answers, or the
    clips were not labelled in classes of these sizes.

    Parameters
    ----------
    reports : pandas.DataFrame
        From `elrcn.report.user_reports.load_user_reports`.
    counts : pandas.DataFrame
        From `elrcn.printed.load_counts`.
    clips : int
        Most clips moved from one of the five emotions to another.

    Returns
    -------
    pandas.DataFrame
        A row a report with UAR and WAR and sizes of the classes (the published ones first):
        what was ``moved``, the common ``denominator``, the ``distance`` of the UAR to its nearest
        multiple, the ``diagonals`` with that UAR, and whether there is one.

    Raises
    ------
    ElrcnError
        If a report's WAR is no fraction of the clips of the five emotions.
    """
    published = class_sizes(counts, "CASME2", "emotion")
    n, entries = sum(published.values()), []
    for report, part in reports.groupby("report", sort=False):
        values = {k: Fraction(v) for k, v in zip(part["metric"], part["value"], strict=True)}
        if not {"UAR", "WAR"} <= set(values):
            continue
        right = round(values["WAR"] * n)
        if abs(values["WAR"] - Fraction(right, n)) > FLOAT_ERROR:
            raise ElrcnError(
                f"The WAR of {report} is no whole number of right answers out of {n}.",
                fix="give it with all its digits",
            )
        for sizes in moved_sizes(list(published.values()), clips):
            entries.append(
                {
                    "report": report,
                    "moved": _moves(published, sizes),
                    "sizes": "/".join(map(str, sizes)),
                    **_exactly(values["UAR"], sizes, right),
                }
            )
    return pd.DataFrame(entries)


def _moves(published: dict[str, int], sizes: Sequence[int]) -> str:
    changes = {k: new - old for (k, old), new in zip(published.items(), sizes, strict=True)}
    return ", ".join(f"{k} {change:+d}" for k, change in changes.items() if change) or "none"


def _exactly(uar: Fraction, sizes: Sequence[int], right: int) -> dict:
    denominator = lcm(*sizes) * len(sizes)
    multiple = round(uar * denominator)
    distance = abs(Fraction(multiple, denominator) - uar)
    diagonals = 0
    if distance <= FLOAT_ERROR:  # else no diagonal at all has this UAR
        exact = Fraction(multiple, denominator)
        diagonals = count_diagonals([(sizes, right)], exact, exact)
    return {
        "right": right,
        "denominator": denominator,
        "multiple": multiple,
        "distance": float(distance),
        "diagonals": diagonals,
        "possible": diagonals > 0,
    }
