"""How often intervals hold the true score, and how often tests reject true nulls.

Made data whose truth is known: subjects of unequal size show classes of their own, and what makes
a subject easy or hard acts on all of its clips. The answer to a clip of class c by method m is

    argmax over k of  BIAS log share_k + gain_m [k = c] + subject_sk + SHARED clip_k + own noise_mk,

where subject_sk has a part that both methods meet and a part of the method's own, own noise is
Gumbel's and everything else normal. Two methods have the same gain and are exchangeable, so that
every difference between them is 0 in truth; a third has a smaller gain. True scores are those of
the mean confusion matrix of very many subjects. The project's own functions make the intervals.

    python -m tests.bench.coverage              ten minutes; prints, writes nothing
    python -m tests.bench.coverage --keep       and replaces data_manifest/coverage.csv
    python -m tests.bench.coverage --simulations 20
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binom, t
from tqdm import tqdm

from elrcn.evaluation.statistics import (
    interval,
    resampled_scores,
    swap_p_value,
    swapped_differences,
)

COMMITTED = Path(__file__).parents[2] / "data_manifest" / "coverage.csv"
COLUMNS = ("case", "folds", "subjects", "clips", "quantity", "score", "way", "value", "error",
           "simulations")  # fmt: skip
SCORES = ("war", "uar", "uf1")
COVERED = ("score", "difference of equals", "difference")
#: First, its equal, and a weaker method: what the right class gains in log odds.
GAINS = (1.5, 1.5, 1.1)
BIAS = 0.5  # how much a method leans towards frequent classes
SHARED = 0.7  # standard deviation of what makes a clip hard for all methods
#: Standard deviations by subject and class, for all methods and for each alone, of cases in which
#: clips of a subject are alike: those of the case "independent" are 0. An assumption, not measured
#: on people; the table states the intraclass correlation that it makes.
ALIKE = (0.7, 1.3)
CLASSES_OF_A_SUBJECT = 4.0  # Dirichlet concentration: a subject's classes against all subjects'
SIZES = 2.0  # gamma shape of clips a subject: 1 + Poisson of it


@dataclass(frozen=True)
class Case:
    """A task to imitate: subjects and class sizes of each fold within which subjects are drawn."""

    name: str
    subjects: tuple[int, ...]
    sizes: tuple[tuple[int, ...], ...]
    alike: tuple[float, float] = ALIKE

    @property
    def clips(self) -> int:
        """Clips of all folds, about: those of a simulation vary."""
        return sum(map(sum, self.sizes))


_EMOTIONS = (32, 63, 27, 25, 99)
_CASME2, _SAMM = (25, 15, 99, 26, 20), (24, 13, 20, 8, 3)
CASES = (
    Case("Table I, demo", (14,), (tuple(round(n * 120 / 246) for n in _EMOTIONS),)),
    Case("Table I", (26,), (_EMOTIONS,)),
    Case("Table I, independent", (26,), (_EMOTIONS,), (0.0, 0.0)),
    Case("Table II", (47,), (tuple(np.add(_CASME2, _SAMM).tolist()),)),
    Case("Table III", (21, 26), (_SAMM, _CASME2)),
)


def scores(confusion) -> np.ndarray:
    """WAR, UAR and UF1 of confusion matrices (..., C, C), shape (3, ...).

    As in `elrcn.evaluation.metrics`, some ten times as fast: sums run over the first axis.
    """
    *shape, c, _ = confusion.shape
    one, all_ = np.eye(c), np.ones((1, c))
    diagonal = np.einsum("ki,kj->kij", one, one).reshape(c, c * c)
    sums = np.concatenate([diagonal, np.kron(one, all_), np.kron(all_, one)])
    hits, true, said = (sums @ confusion.reshape(-1, c * c).T).reshape(3, c, -1)
    either = true + said
    recall = np.divide(hits, true, out=np.zeros_like(hits), where=true > 0)
    f1 = np.divide(2 * hits, either, out=np.zeros_like(hits), where=either > 0)
    war = hits.sum(0) / true.sum(0)
    uar, uf1 = recall.sum(0) / (true > 0).sum(0), f1.sum(0) / (either > 0).sum(0)
    return np.stack([war, uar, uf1]).reshape(3, *shape)


def draw(case: Case, fold: int, subjects: int, generator: np.random.Generator):
    """Draw subjects of a fold and every method's answers about their clips.

    Returns
    -------
    confusions : ndarray of int64 (methods, subjects, C, C)
    right : ndarray of bool (methods, clips)
    """
    sizes = np.array(case.sizes[fold])
    share, c, methods = sizes / sizes.sum(), len(sizes), len(GAINS)
    more = sizes.sum() / case.subjects[fold] - 1
    clips = 1 + generator.poisson(generator.gamma(SIZES, more / SIZES, subjects))
    who = np.repeat(np.arange(subjects), clips)
    shares = generator.dirichlet(CLASSES_OF_A_SUBJECT * share, subjects).cumsum(axis=1)
    true = (generator.random(len(who))[:, None] > shares[who, :-1]).sum(axis=1)
    normal = generator.standard_normal
    both = BIAS * np.log(share) + SHARED * normal((len(who), c))
    both += case.alike[0] * normal((subjects, c))[who]
    utility = both + case.alike[1] * normal((methods, subjects, c))[:, who]
    utility += generator.gumbel(size=utility.shape)
    utility[:, np.arange(len(who)), true] += np.array(GAINS)[:, None]
    answer = utility.argmax(axis=2)
    cell = ((np.arange(methods)[:, None] * subjects + who) * c + true) * c + answer
    counts = np.bincount(cell.ravel(), minlength=methods * subjects * c * c)
    return counts.reshape(methods, subjects, c, c), answer == true


def true_scores(case: Case, generator, subjects: int = 200_000, at_once: int = 10_000):
    """Scores of the mean confusion matrix of very many subjects, shape (3, methods).

    The two equal methods have the same truth; it is taken from both.
    """
    total = 0.0
    for fold in range(len(case.subjects)):
        parts = (draw(case, fold, at_once, generator)[0] for _ in range(subjects // at_once))
        matrices = sum(part.sum(axis=1) for part in parts)
        matrices[:2] = matrices[:2].sum(axis=0)
        total = total + scores(matrices)
    return total / len(case.subjects)


def with_differences(values: np.ndarray) -> np.ndarray:
    """Turn scores (3, methods, ...) into what is covered (3, `COVERED`, ...)."""
    first, equal, weaker = np.moveaxis(values, 1, 0)
    return np.stack([first, first - equal, first - weaker], axis=1)


def jackknife(folds) -> tuple[np.ndarray, np.ndarray]:
    """Jackknife-t interval (low, high), each (3, `COVERED`): leave out each subject.

    Source: Efron and Tibshirani 1993, chapter 11; Student's t for subjects minus folds.
    """
    variance, middle = 0.0, 0.0
    for confusions in folds:
        whole = confusions.sum(axis=1)
        left = with_differences(scores(whole[:, None] - confusions))
        n = left.shape[-1]
        variance = variance + (n - 1) * left.var(axis=-1)
        middle = middle + with_differences(scores(whole))
    count = sum(f.shape[1] for f in folds)
    reach = t.ppf(0.975, count - len(folds)) * np.sqrt(variance) / len(folds)
    return middle / len(folds) - reach, middle / len(folds) + reach


def over_clips(folds, draws: int, generator) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval of the first method's scores (3,) when clips are drawn."""
    total = 0.0
    for confusions in folds:
        cells = confusions[0].sum(axis=0)
        clips = np.repeat(np.arange(cells.size), cells.ravel())
        drawn = clips[generator.integers(0, len(clips), (draws, len(clips)))]
        drawn += np.arange(draws)[:, None] * cells.size
        counts = np.bincount(drawn.ravel(), minlength=draws * cells.size)
        total = total + scores(counts.reshape(draws, *cells.shape))
    return np.quantile(total / len(folds), (0.025, 0.975), axis=-1)


def simulate(case: Case, truth: np.ndarray, draws: int, generator) -> dict:
    """Say of one simulation what covered and what rejected, by (quantity, way): bool (3,)."""
    parts = [draw(case, i, n, generator) for i, n in enumerate(case.subjects)]
    folds = [part[0] for part in parts]
    right = np.concatenate([part[1] for part in parts], axis=1)
    seed = int(generator.integers(2**31))
    values = with_differences(resampled_scores(folds, scores, draws, seed))
    ends = {
        "percentile": np.quantile(values, (0.025, 0.975), axis=-1),
        "expanded percentile": interval(np.moveaxis(values, -1, 0), case.subjects),
        "jackknife-t": jackknife(folds),
    }
    hits = {}
    for way, (low, high) in ends.items():
        inside = (low <= truth) & (truth <= high)
        for name, row in zip(COVERED, inside.T, strict=True):
            hits[name, way] = row
    low, high = over_clips(folds, draws, generator)
    hits["score", "percentile over clips"] = (low <= truth[:, 0]) & (truth[:, 0] <= high)
    swapped = swapped_differences([f[:2] for f in folds], scores, draws, seed)
    hits["true null rejected", "permutation over subjects"] = swap_p_value(swapped) <= 0.05
    alone = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    p = 2 * binom.cdf(min(alone), sum(alone), 0.5)  # may exceed 1
    hits["true null rejected", "McNemar over clips"] = np.array([p <= 0.05, np.nan, np.nan])
    return hits


def alikeness(case: Case, generator, subjects: int = 20_000) -> float:
    """Intraclass correlation of being right, over subjects: 0 where clips are independent.

    Source: the moment estimator for a binary outcome in clusters of unequal size, Fleiss 2003,
    chapter 15, doi 10.1002/0471445428; here of very many subjects of the last fold.
    """
    confusions = draw(case, -1, subjects, generator)[0][0]
    n, right = confusions.sum(axis=(1, 2)), np.trace(confusions, axis1=1, axis2=2)
    total, p, share = n.sum(), right.sum() / n.sum(), right / n
    between = (n * (share - p) ** 2).sum() / (subjects - 1)
    within = (n * share * (1 - share)).sum() / (total - subjects)
    size = (total - (n**2).sum() / total) / (subjects - 1)
    return float((between - within) / (between + (size - 1) * within))


def measure(case: Case, simulations: int, draws: int, seed: int = 0, progress: bool = False):
    """Share of simulations that covered or rejected, with its Monte Carlo error.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`, long form: a row for each quantity, score and way.
    """
    generator = np.random.default_rng(seed)
    truth = with_differences(true_scores(case, generator))
    alike = alikeness(case, generator)
    rounds = tqdm(range(simulations), case.name, disable=not progress, file=sys.stderr)
    found = [simulate(case, truth, draws, generator) for _ in rounds]
    head = (case.name, len(case.subjects), sum(case.subjects), case.clips)
    rows = [(*head, "intraclass correlation", "war", "of being right", alike, np.nan, 1)]
    for quantity, way in found[0]:
        shares = np.mean([hits[quantity, way] for hits in found], axis=0)
        for score, value in zip(SCORES, shares, strict=True):
            if not np.isnan(value):
                error = np.sqrt(value * (1 - value) / simulations)
                rows.append((*head, quantity, score, way, value, error, simulations))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def main(arguments=None) -> int:
    """Run the command; the table is written at the very end, or not at all."""
    options = argparse.ArgumentParser(
        prog="python -m tests.bench.coverage",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("--simulations", type=int, default=2000, help="of each case")
    options.add_argument("--draws", type=int, default=1000, help="resamples, and swaps, of each")
    options.add_argument("--keep", action="store_true", help="replace the committed table")
    chosen = options.parse_args(arguments)
    start = time.perf_counter()
    table = pd.concat(
        [
            measure(case, chosen.simulations, chosen.draws, i, sys.stderr.isatty())
            for i, case in enumerate(CASES)
        ],
        ignore_index=True,
    )
    wide = table.pivot_table("value", ["case", "quantity", "score"], "way", sort=False)
    print(wide.to_string(float_format="{:.3f}".format, na_rep=""))
    print(f"{chosen.simulations} simulations each, {(time.perf_counter() - start) / 60:.1f} min")
    if chosen.keep:
        table.round({"value": 5, "error": 5}).to_csv(COMMITTED, index=False, lineterminator="\n")
        print(f"Written: {COMMITTED}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
