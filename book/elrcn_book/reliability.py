"""How reliable the scores are, as tables and in words: seeds, intervals, power."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from elrcn.evaluation.decisions import best_of_gain, least_above_chance
from elrcn.evaluation.metrics import pooled
from elrcn.evaluation.statistics import least_units, score_table
from elrcn.published.numbers import read_values
from elrcn_book.html import SCORES


def seed_table(
    runs: Mapping[str, Mapping[int, pd.DataFrame]],
    classes: Sequence[str],
    draws: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """UAR of every seed of every variant, with its interval over subjects.

    Parameters
    ----------
    runs : mapping of str to mapping of int to DataFrame
        Variant (shown) to seed to prediction rows of the same clips.
    classes : sequence of str
        All classes of the task.
    draws, seed : int
        Resamples of the subjects behind each interval.

    Returns
    -------
    DataFrame
        Columns `variant`, `seed`, `clips`, `subjects`, `uar`, `uar_low`, `uar_high` (95%) and
        `uar_sd`, the standard deviation over the resamples.
    """
    table = pd.concat(
        {
            (variant, number): score_table(rows, None, ["uar"], classes, draws=draws, seed=seed)
            for variant, by_seed in runs.items()
            for number, rows in by_seed.items()
        },
        names=["variant", "seed"],
    )
    return table.droplevel(2).reset_index()


def seed_spread(
    runs: Mapping[str, Mapping[int, pd.DataFrame]], table: pd.DataFrame, draws: int = 2000
) -> pd.DataFrame:
    """Set the spread over seeds beside the spread over subjects, and what the best seed adds.

    Parameters
    ----------
    runs, table
        As for, and from, `seed_table`.
    draws : int
        Resamples of the subjects.

    Returns
    -------
    DataFrame
        Index `variant`; columns `seeds`, `mean`, `sd_over_seeds` (of a sample), `range_over_seeds`,
        `sd_over_subjects` (mean over the seeds), and `best_seed_gain`, `gain_low`, `gain_high` from
        `elrcn.evaluation.decisions.best_of_gain`. All in UAR.
    """
    found = {}
    for variant, part in table.groupby("variant", sort=False):
        uar = part["uar"]
        gain, low, high = best_of_gain(runs[variant], "uar", n=draws)
        found[variant] = {
            "seeds": len(part),
            "mean": uar.mean(),
            "sd_over_seeds": uar.std(ddof=1),
            "range_over_seeds": uar.max() - uar.min(),
            "sd_over_subjects": part["uar_sd"].mean(),
            "best_seed_gain": gain,
            "gain_low": low,
            "gain_high": high,
        }
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("variant")


def seed_summary(spread: pd.DataFrame) -> str:
    """Say in Markdown which of the two spreads of `seed_spread` is larger."""
    lines = []
    for variant, row in spread.iterrows():
        seeds, subjects = row["sd_over_seeds"], row["sd_over_subjects"]
        larger = "the seeds" if seeds > subjects else "the subjects"
        lines.append(
            f"- **{variant}**: mean UAR {row['mean']:.3f} over {row['seeds']:.0f} seeds. Standard "
            f"deviation {seeds:.3f} from seed to seed, {subjects:.3f} from one sample of subjects "
            f"to another: {larger} weigh more. Best and worst seed lie "
            f"{row['range_over_seeds']:.3f} apart; reporting the best instead of the mean would "
            f"add {row['best_seed_gain']:.3f}."
        )
    return "\n".join(lines)


def unit_table(
    runs: Mapping[str, pd.DataFrame], classes: Sequence[str], draws: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Width of the 95% interval of the UAR when clips, and when whole subjects, are resampled.

    Parameters
    ----------
    runs : mapping of str to DataFrame
        Method (shown) to prediction rows.

    Returns
    -------
    DataFrame
        Index `method`; columns `uar`, `clips_low`, `clips_high`, `subjects_low`, `subjects_high`,
        and `ratio`: width over subjects divided by width over clips.
    """
    found = {}
    for method, rows in runs.items():
        row = {}
        for unit, part in (("clips", rows.assign(subject=rows["clip_id"])), ("subjects", rows)):
            scores = score_table(part, None, ["uar"], classes, draws=draws, seed=seed).iloc[0]
            row["uar"] = scores["uar"]
            row[f"{unit}_low"], row[f"{unit}_high"] = scores[["uar_low", "uar_high"]]
        below = row["clips_high"] - row["clips_low"]
        row["ratio"] = (row["subjects_high"] - row["subjects_low"]) / below if below else np.nan
        found[method] = row
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("method")


def unit_summary(table: pd.DataFrame) -> str:
    """Say in Markdown how the two kinds of intervals of `unit_table` compare."""
    ratio = table["ratio"].dropna()
    if ratio.empty:
        return "No method has an interval both over clips and over subjects."
    return (
        f"The interval over subjects is wider than the one over clips for {(ratio > 1).sum()} of "
        f"{len(ratio)} methods that have both; it is {ratio.min():.2f} to {ratio.max():.2f} times "
        "as wide."
    )


def load_coverage(path: str | Path | None = None) -> pd.DataFrame:
    """Read how often intervals held a known truth and tests rejected a true null.

    Parameters
    ----------
    path : path-like, optional
        Default: ``data_manifest/coverage.csv`` of the workspace, from
        ``python -m tests.bench.coverage --keep``.

    Returns
    -------
    DataFrame
        A row a measurement: `case`, `folds`, `subjects`, `clips`, `quantity`, `score`, `way`,
        `value` (a share), `error` (its Monte Carlo standard error), `simulations`.

    Raises
    ------
    ElrcnError
        If the file is missing, lacks a column or holds a value outside [0, 1].
    """
    columns = ("case", "folds", "subjects", "clips", "quantity", "score", "way", "value", "error",
               "simulations")  # fmt: skip
    return read_values(path, "coverage.csv", columns)


def coverage_table(coverage: pd.DataFrame) -> pd.DataFrame:
    """Coverage of 95% intervals of scores and of paired differences, by task.

    Parameters
    ----------
    coverage : DataFrame
        From `load_coverage`.

    Returns
    -------
    DataFrame
        Index `case`, `subjects`, `score`; a column for each quantity and way.
    """
    part = coverage[coverage["quantity"].isin(["score", "difference"])]
    part = part.assign(
        score=part["score"].map(SCORES), column=part["quantity"] + ": " + part["way"]
    )
    index = ["case", "subjects", "score"]
    wide = part.pivot_table("value", index, "column", sort=False)
    return wide[sorted(wide.columns, key=lambda name: not name.startswith("score"))].rename_axis(
        columns=None
    )


def coverage_summary(coverage: pd.DataFrame) -> str:
    """Say in Markdown how often intervals covered, and how often tests rejected true nulls."""
    by = coverage.set_index(["quantity", "way"])["value"]

    def span(quantity, way):
        part = by.loc[quantity, way]
        return f"{part.min():.3f} to {part.max():.3f}"

    alike = by.loc["intraclass correlation", "of being right"].to_numpy()
    mcnemar = by.loc["true null rejected", "McNemar over clips"].to_numpy()
    used = coverage[coverage["way"] == "expanded percentile"]
    least = used.loc[used["value"].idxmin()]
    return (
        f"In {coverage['simulations'].max():,} simulations of each task a 95% interval by plain "
        f"percentiles held the true score in {span('score', 'percentile')} of them, by expanded "
        f"percentiles in {span('score', 'expanded percentile')}; the true difference of two "
        f"methods in {span('difference', 'percentile')} and "
        f"{span('difference', 'expanded percentile')} (standard errors up to "
        f"{used['error'].max():.3f}). The expanded ones fall shortest for "
        f"{SCORES[least['score']]}: {least['value']:.3f} with the subjects and classes of "
        f"{least['case']}. At 5% the permutation over subjects rejected a true null in "
        f"{span('true null rejected', 'permutation over subjects')} of them. McNemar's test over "
        f"clips rejected it in {mcnemar.min():.1%} where the intraclass correlation of being right "
        f"is {alike[mcnemar.argmin()]:.2f}, and in {mcnemar.max():.1%} where it is "
        f"{alike[mcnemar.argmax()]:.2f}.\n\n{_choice_of_interval(coverage)}"
    )


def _choice_of_interval(coverage: pd.DataFrame) -> str:
    """Say why the expanded percentile is used although another way covers UF1 better."""
    by = coverage[coverage["quantity"] == "score"].set_index(["way", "score"])["value"]
    other, used = by["jackknife-t", "uf1"], by["expanded percentile", "uf1"]
    least = min(by["expanded percentile", score].min() for score in ("war", "uar"))
    return (
        f"The jackknife with Student's $t$ covers UF1 better, in {other.min():.3f} to "
        f"{other.max():.3f} against {used.min():.3f} to {used.max():.3f}. The expanded percentile "
        "is taken for every score and difference all the same: it is one interval for all, stays "
        "within 0 and 1, is lopsided where the scores are, and holds WAR and UAR in "
        f"{least:.3f} or more. So the interval of a UF1 itself is too narrow here. With fewer than "
        f"{least_units()} subjects, in all or in some fold, there is no interval: even the whole "
        "range of the subjects' means would miss too often."
    )


def network_pairs(
    methods: Sequence, results: Mapping[str, pd.DataFrame], networks=("elrcn_te", "elrcn_se")
) -> list[tuple[str, pd.DataFrame, str, pd.DataFrame]]:
    """List the pairs of methods that contain a network, for `comparison_table`, networks first."""
    shown = {m.name: m.label for m in methods if m.name in results}
    leading = [name for name in networks if name in shown]
    pairs = [
        (a, b)
        for i, a in enumerate(leading)
        for b in (*leading[i + 1 :], *(n for n in shown if n not in leading))
    ]
    return [(shown[a], results[a], shown[b], results[b]) for a, b in pairs]


def chance_bounds(
    results: Mapping[str, pd.DataFrame], methods: Sequence, classes: Sequence[str]
) -> str:
    """Say in Markdown which accuracies lie above the exact bounds of chance.

    Two bounds from `elrcn.evaluation.decisions.least_above_chance`: guessing evenly among the
    classes, and always giving the largest class.

    Parameters
    ----------
    results, methods
        As for `elrcn_book.tables.result_table`: rows of one set of clips.
    classes : sequence of str
        All classes of the task.
    """
    shown = {m.label: results[m.name] for m in methods if m.name in results}
    clips = next(iter(shown.values())).drop_duplicates("clip_id")
    n, share = len(clips), clips["true"].value_counts(normalize=True).iloc[0]
    accuracy = {label: pooled(rows, classes)["war"] for label, rows in shown.items()}
    lines = []
    for words, chance in (("guessing", 1 / len(classes)), ("the largest class", share)):
        if chance == 1:
            continue
        bound = least_above_chance(n, chance)
        above = [f"{label} ({war:.3f})" for label, war in accuracy.items() if war >= bound - 1e-12]
        lines.append(
            f"{bound:.3f} is needed to exceed {words} ({chance:.2f}), reached by "
            f"{', '.join(above) or 'none'}"
        )
    return f"Of an accuracy on {n} clips (exact binomial test, 5%), {'; '.join(lines)}."
