"""Verdicts: the only code that says of two methods which one scores higher.

A verdict is given on a `Claim`, and claims come from a `Family` alone: all comparisons that a page
asks of one set of methods at once, whose p-values are corrected for their number (Holm 1979,
https://www.jstor.org/stable/4615733).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from elrcn.evaluation.decisions import compare
from elrcn.evaluation.statistics import holm, interval, swap_p_value
from elrcn.experiments.attention import subject_means
from elrcn_book.scores import MORE_SCORES, SCORES

#: Level of the tests.
ALPHA = 0.05
HIGHER, LOWER, NEITHER = "higher", "lower", "no significant difference"
METRICS = SCORES | MORE_SCORES


@dataclass(frozen=True)
class Claim:
    """A comparison of two methods on the same clips, corrected for its family."""

    first: str
    second: str
    metric: str  #: as a reader calls it, such as UAR
    difference: float  #: first minus second
    low: float  #: of its 95% interval over subjects
    high: float
    p_value: float  #: of the permutation test over subjects
    p_holm: float  #: the same after Holm's correction
    family: int  #: comparisons corrected for

    @property
    def reversed(self) -> Claim:
        """The same comparison with the second method first."""
        return Claim(self.second, self.first, self.metric, -self.difference, -self.high, -self.low,
                     self.p_value, self.p_holm, self.family)  # fmt: skip

    @property
    def numbers(self) -> str:
        """Difference, interval and corrected p-value, as a sentence shows them in brackets."""
        interval = ""
        if not pd.isna(self.low):
            interval = f", 95% interval {self.low:+.2f} to {self.high:+.2f}"
        corrected = " after Holm's correction" if self.family > 1 else ""
        return f"{self.difference:+.3f}{interval}, {p_text(self.p_holm)}{corrected}"


def verdict(claim: Claim) -> str:
    """Say `HIGHER` or `LOWER` of a claim's first method, or `NEITHER`.

    Interval and test can disagree near the edge; the more cautious is believed. So a difference
    counts if its whole interval lies on one side of 0 and its p-value is below `ALPHA` after the
    correction.

    Raises
    ------
    TypeError
        For anything but a `Claim`: a difference that was not corrected has no verdict.
    """
    if not isinstance(claim, Claim):
        raise TypeError("a verdict needs a claim from a Family, corrected for its number")
    if not claim.p_holm < ALPHA:
        return NEITHER
    return HIGHER if claim.low > 0 else LOWER if claim.high < 0 else NEITHER


def sentence(claim: Claim) -> str:
    """Say in one sentence of Markdown what a comparison came to, the better method first."""
    word = verdict(claim)
    if word == NEITHER:
        return (
            f"No significant difference in {claim.metric} between {claim.first} and "
            f"{claim.second} ({claim.numbers})."
        )
    best = claim if word == HIGHER else claim.reversed
    return f"{best.first} has a higher {best.metric} than {best.second} ({best.numbers})."


def p_text(p: float) -> str:
    """Write a p-value: "p = 0.021", or "p < 0.001"; never p = 0.000."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


class Family(Sequence):
    """Comparisons that are judged together, in order; ``family["A", "B"]`` is one of them.

    Parameters
    ----------
    pairs : sequence of (str, DataFrame, str, DataFrame)
        Labels and prediction rows (of the same clips) of first and second method.
    classes : sequence of str
        All classes of the task.
    metric : str
        Score compared, a key of `METRICS`.
    per_fold : bool
        The score is the mean of the folds' (Table III).
    draws, seed : int
        Resamples of the subjects behind each interval.
    """

    def __init__(self, pairs, classes, metric="uar", per_fold=False, draws=2000, seed=0):
        found = [
            compare(a, b, metric, n=draws, seed=seed, classes=tuple(classes), per_fold=per_fold)
            for _, a, _, b in pairs
        ]
        corrected = holm([c.p_value for c in found]) if found else []
        name, n = METRICS[metric], len(found)
        self.claims = [
            Claim(a, b, name, c.difference, c.low, c.high, c.p_value, float(p), n)
            for (a, _, b, _), c, p in zip(pairs, found, corrected, strict=True)
        ]

    @classmethod
    def of_values(cls, pairs, subjects: pd.Series, name: str, draws=2000, seed=0, flips=10000):
        """Compare numbers of clips, such as how much of a map lies in a mask, clip by clip.

        Parameters
        ----------
        pairs : sequence of (str, Series, str, Series)
            Labels and values by clip id; clips that lack one of both are left out.
        subjects : Series
            Clip id to subject: intervals draw subjects, and the test flips their signs.
        name : str
            What the values are, as a reader calls it.
        draws, seed, flips : int
            Resamples behind each interval; flips of the test.
        """
        family, found = cls((), ()), []
        for a, first, b, second in pairs:
            values = (first - second).dropna()
            people = subjects[values.index]
            sums = values.groupby(people).sum().to_numpy()
            signs = np.random.default_rng(seed).choice([-1.0, 1.0], (flips, len(sums)))
            p_value = swap_p_value(np.r_[sums.sum(), signs @ sums])
            means = subject_means(values.to_numpy()[:, None], people, draws, seed)[:, 0]
            low, high = interval(means, people.nunique())
            found.append((a, b, name, float(values.mean()), low, high, float(p_value)))
        corrected = holm([row[-1] for row in found]) if found else []
        family.claims = [
            Claim(*row, float(p), len(found)) for row, p in zip(found, corrected, strict=True)
        ]
        return family

    def __len__(self) -> int:
        return len(self.claims)

    def __iter__(self) -> Iterator[Claim]:
        return iter(self.claims)

    def __getitem__(self, which) -> Claim:
        if isinstance(which, int | slice):
            return self.claims[which]
        for claim in self.claims:
            if which == (claim.first, claim.second):
                return claim
            if which == (claim.second, claim.first):
                return claim.reversed
        raise KeyError(f"{which[0]} and {which[1]} were not compared")

    @property
    def significant(self) -> list[Claim]:
        """Those with a verdict, the better method first."""
        told = [(c, verdict(c)) for c in self.claims]
        return [c if word == HIGHER else c.reversed for c, word in told if word != NEITHER]

    @property
    def table(self) -> pd.DataFrame:
        """A row a comparison: `first`, `second`, `difference`, `low`, `high`, p-values, verdict."""
        names = ["first", "second", "difference", "low", "high", "p_value", "p_holm"]
        table = pd.DataFrame([[getattr(c, n) for n in names] for c in self.claims], columns=names)
        return table.assign(verdict=[verdict(c) for c in self.claims])


def network_family(plan, results: Mapping[str, pd.DataFrame], draws=2000, seed=0) -> Family:
    """ELRCN-TE and ELRCN-SE against each other and every other method of a table (UAR).

    The one family of Tables I, II and III: whichever page shows one of its comparisons, its
    p-value is the same.

    Parameters
    ----------
    plan : elrcn.experiments.Plan
    results : mapping of str to DataFrame
        Method name to prediction rows, as from `elrcn.experiments.plans.run`.
    draws, seed : int
        As for `Family`.
    """
    shown = {m.name: m.label for m in plan.methods if m.name in results}
    networks = [name for name in ("elrcn_te", "elrcn_se") if name in shown]
    others = [name for name in shown if name not in networks]
    names = [(a, b) for i, a in enumerate(networks) for b in (*networks[i + 1 :], *others)]
    pairs = [(shown[a], results[a], shown[b], results[b]) for a, b in names]
    per_fold = plan.experiment.task.per_fold
    return Family(pairs, plan.classes, per_fold=per_fold, draws=draws, seed=seed)


def labelled(methods, results: Mapping[str, pd.DataFrame], names) -> list[tuple]:
    """Pairs for a `Family` from names of methods: labels and rows of both."""
    label = {m.name: m.label for m in methods}
    return [(label[a], results[a], label[b], results[b]) for a, b in names]
