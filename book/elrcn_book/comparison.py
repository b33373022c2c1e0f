"""Pairs of methods on the same clips: a table, what it says in words, and a picture."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from elrcn.evaluation.decisions import MEANINGFUL, compare, decide
from elrcn.evaluation.statistics import holm
from elrcn_book.html import SCORES, interval_text, small_html
from elrcn_book.style import WIDTH, figure_style, series

COLUMNS = ("first", "second", "difference", "low", "high", "p_value", "p_holm")
#: Level of the tests.
ALPHA = 0.05
NEITHER = "no significant difference"
#: What came out, as colour and marker.
_LOOK = {"higher": 0, "lower": 1, NEITHER: 6}


def verdict(row: pd.Series) -> str:
    """Say "higher", "lower" or `NEITHER` of a row of `comparison_table`.

    Interval and test can disagree near the edge; the more cautious is believed. So a difference
    counts if its whole interval lies on one side of 0 and its p-value is below `ALPHA` after
    Holm's correction.
    """
    if not row["p_holm"] < ALPHA:
        return NEITHER
    return "higher" if row["low"] > 0 else "lower" if row["high"] < 0 else NEITHER


def comparison_table(
    pairs: Sequence[tuple[str, pd.DataFrame, str, pd.DataFrame]],
    classes: Sequence[str],
    metric: str = "uar",
    per_fold: bool = False,
    draws: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare methods pair by pair; the p-values are corrected for the number of pairs.

    Parameters
    ----------
    pairs : sequence of (label, rows, label, rows)
        First and second method with their prediction rows of the same clips.
    classes : sequence of str
        All classes of the task.
    metric : str
        Score compared.
    per_fold : bool
        The score is the mean of the folds' (Table III).
    draws, seed : int
        Resamples of the subjects behind each interval.

    Returns
    -------
    DataFrame
        One row a pair, columns `COLUMNS`: `difference` is first minus second with its 95% interval
        `low`, `high`; `p_value` of the permutation test over subjects, `p_holm` the same after
        Holm's correction over all pairs of this table.
        ``attrs["metric"]`` holds the score's name.

    Raises
    ------
    ElrcnError
        If two methods of a pair were not measured on the same clips.
    """
    found = []
    for first, rows_a, second, rows_b in pairs:
        c = compare(
            rows_a, rows_b, metric, n=draws, seed=seed, classes=tuple(classes), per_fold=per_fold
        )
        found.append((first, second, c.difference, c.low, c.high, c.p_value, np.nan))
    table = pd.DataFrame(found, columns=list(COLUMNS))
    table["p_holm"] = holm(table["p_value"])
    table.attrs["metric"] = metric
    return table


def decision_table(
    table: pd.DataFrame,
    pairs: Sequence[tuple[str, pd.DataFrame, str, pd.DataFrame]],
    classes: Sequence[str],
    per_fold: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """Join to `comparison_table` of the same pairs what `elrcn.evaluation.decisions.decide` says.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`, then ``p_better``, ``p_better_low``, ``p_better_high`` (P(first > second)
        and its 95% interval), ``detectable`` and ``advice``.
    """
    metric, found = table.attrs.get("metric", "uar"), []
    for _, rows_a, _, rows_b in pairs:
        d = decide(rows_a, rows_b, metric, seed=seed, classes=tuple(classes), per_fold=per_fold)
        found.append((d.probability, d.low, d.high, d.detectable, d.advice))
    names = ["p_better", "p_better_low", "p_better_high", "detectable", "advice"]
    return table.join(pd.DataFrame(found, columns=names, index=table.index))


def decision_digest(table: pd.DataFrame, subjects: int) -> str:
    """Say in Markdown how `decision_table` is read, and what so many subjects can show."""
    words = table["advice"].value_counts()
    clear = table[table["advice"] == "significant and meaningful"]
    sentence = (
        f"By Bouthillier and others' rule (P(A > B) at least {MEANINGFUL} and its interval without "
        f"0.5, not corrected for their number) {len(clear)} of {len(table)} differences are "
        "meaningful"
    )
    if shy := words.get("significant, not meaningful", 0):
        sentence += f", and {shy} more are there but too small to matter"
    sizes = table["detectable"].dropna()
    if sizes.empty:
        return f"{sentence}. What difference {subjects} subjects could have shown is not known."
    return (
        f"{sentence}. With {subjects} subjects and these seeds a true difference would be found in "
        f"four of five experiments if it were {sizes.min():.2f} to {sizes.max():.2f}, "
        f"depending on the pair (median {sizes.median():.2f}); half of that takes about "
        f"{4 * subjects} subjects."
    )


def decision_html(table: pd.DataFrame, uid: str) -> str:
    """HTML of `decision_table`: one line a pair, intervals in brackets."""

    def within(low, high, form):
        return "" if pd.isna(low) else f" [{low:{form}}, {high:{form}}]"

    shown = pd.DataFrame(
        {
            "A": table["first"],
            "B": table["second"],
            "A − B": [
                f"{d:+.3f}{within(low, high, '+.2f')}"
                for d, low, high in table[["difference", "low", "high"]].to_numpy(float)
            ],
            "p (Holm)": [p_text(p).removeprefix("p ").removeprefix("= ") for p in table["p_holm"]],
            "P(A > B)": [
                f"{p:.2f}{within(low, high, '.2f')}"
                for p, low, high in table[["p_better", "p_better_low", "p_better_high"]].to_numpy()
            ],
            "detectable": [f"{size:.2f}" for size in table["detectable"]],
        }
    )
    return small_html(shown, uid)


def comparison_summary(table: pd.DataFrame) -> str:
    """Say in Markdown what each comparison came to by `verdict`, one sentence a row of `table`."""
    metric, corrected = _metric(table), " after Holm's correction" if len(table) > 1 else ""
    lines = []
    for _, row in table.iterrows():
        word, a, b = verdict(row), f"**{row['first']}**", f"**{row['second']}**"
        claim = f"{a} has a {word} {metric} than {b}"
        if word == NEITHER:
            claim = f"No significant difference in {metric} between {a} and {b}"
        interval = interval_text(row["low"], row["high"], "+.3f")
        p = p_text(row["p_holm"]) + corrected
        lines.append(f"- {claim}: {row['difference']:+.3f} ({interval}); {p}.")
    return "\n".join(lines)


def comparison_digest(table: pd.DataFrame) -> str:
    """Say in Markdown what does better than what, many comparisons in few lines: see `verdict`.

    Significant differences stand first, one a line and the better method first. Then follow, for
    each first method of `table`, those from which it does not differ significantly; a p-value
    stands there only if the interval alone would have called the difference significant.
    """
    metric, better, alike = _metric(table), [], {}
    for _, row in table.iterrows():
        word, d, low, high = verdict(row), row["difference"], row["low"], row["high"]
        if word == NEITHER:
            p = f"; {p_text(row['p_holm'])}" if low > 0 or high < 0 else ""
            text = f"{row['second']} ({d:+.3f}; {interval_text(low, high, '+.2f', '')}{p})"
            alike.setdefault(row["first"], []).append(text)
            continue
        names = [f"**{row['first']}**", f"**{row['second']}**"]
        if word == "lower":
            names, d, low, high = names[::-1], -d, -high, -low
        better.append(
            f"- {names[0]} has a higher {metric} than {names[1]}: {d:+.3f} "
            f"({interval_text(low, high, '+.2f')}), {p_text(row['p_holm'])}."
        )
    head = (
        f"{len(better) or 'None'} of {len(table)} differences in {metric} "
        f"{'are' if len(better) > 1 else 'is'} significant (95% interval without 0 and p < {ALPHA} "
        "after Holm's correction for all of them). Numbers are the first method's minus the "
        "second's, with that interval."
    )
    rest = [f"- No significant difference between **{name}** and {', '.join(of)}."
            for name, of in alike.items()]  # fmt: skip
    return "\n".join([head, "", *better, *rest])


def _metric(table: pd.DataFrame) -> str:
    return SCORES.get(table.attrs.get("metric", "uar"), "score")


def p_text(p: float) -> str:
    """Write a p-value for a sentence: "p = 0.021", or "p < 0.001"."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def comparison_figure(table: pd.DataFrame, title: str) -> Figure:
    """Draw each difference with its 95% interval about the line of no difference.

    Parameters
    ----------
    table : DataFrame
        From `comparison_table`; may be empty.
    title : str
        What was compared, under which task.
    """
    y = np.arange(len(table))[::-1]
    words = [verdict(row) for _, row in table.iterrows()]
    with figure_style():
        fig, ax = plt.subplots(figsize=(WIDTH, 0.5 * len(table) + 1.5))
        ax.axvline(0, color="0.4", linestyle=":", linewidth=1.2)
        for word, number in _LOOK.items():
            kept = [i for i, w in enumerate(words) if w == word]
            if not kept:
                continue
            part, (colour, marker) = table.iloc[kept], series(number)
            ax.hlines(y[kept], part["low"], part["high"], color=colour, linewidth=2)
            ax.plot(part["difference"], y[kept], marker, color=colour, label=word)
        names = [f"{a}\n− {b}" for a, b in zip(table["first"], table["second"], strict=True)]
        ax.set_yticks(y, names)
        ax.set_ylim(-0.7, len(table) - 0.3)
        every = table[["low", "high", "difference"]].to_numpy(float)
        reach = float(np.nanmax(np.abs(every), initial=0)) or 0.1
        ax.set_xlim(-1.1 * reach, 1.1 * reach)
        ax.set_xlabel(f"{_metric(table)}, first − second, 95% interval")
        ax.set_ylabel("Methods compared")
        ax.set_title(title)
        if len(table):
            fig.legend(loc="outside lower center", ncols=3)
    return fig


def comparison_alt(table: pd.DataFrame) -> str:
    """Alternative text of `comparison_figure`."""
    if table.empty:
        return "A line at zero; no difference could be measured."
    parts = [
        f"{row['first']} against {row['second']} {row['difference']:+.3f} ({verdict(row)})"
        for _, row in table.iterrows()
    ]
    return "Differences with intervals about a line at zero: " + "; ".join(parts) + "."
