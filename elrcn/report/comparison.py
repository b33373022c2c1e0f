"""Pairs of methods on the same clips: a table, what it says in words, and a picture."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from elrcn.evaluation.comparison import compare
from elrcn.evaluation.statistics import holm
from elrcn.report.html import SCORES, interval_text
from elrcn.report.style import WIDTH, figure_style, series

COLUMNS = ("first", "second", "difference", "low", "high", "p_value", "p_holm")
#: Level of the tests.
ALPHA = 0.05
#: What came out, as colour and marker: told apart or not, and which way.
_LOOK = {"higher": 0, "lower": 1, "not told apart": 6}


def verdict(low: float, high: float) -> str:
    """Say "higher", "lower" or "not told apart", by the side of 0 on which an interval lies."""
    return "higher" if low > 0 else "lower" if high < 0 else "not told apart"


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


def comparison_summary(table: pd.DataFrame) -> str:
    """Say in Markdown what each comparison came to, one sentence a row of `table`.

    A method is called higher or lower if the whole interval of the difference lies on one side of
    0, else the two are not told apart. Where Holm's correction leaves a p-value above 0.05 all the
    same, the sentence says so.
    """
    metric = SCORES.get(table.attrs.get("metric", "uar"), "score")
    lines = []
    for _, row in table.iterrows():
        word = verdict(row["low"], row["high"])
        claim = {
            "higher": "has a higher {m} than **{b}**",
            "lower": "has a lower {m} than **{b}**",
            "not told apart": "is not told apart from **{b}** in {m}",
        }[word].format(m=metric, b=row["second"])
        text = (
            f"- **{row['first']}** {claim}: {row['difference']:+.3f} "
            f"({interval_text(row['low'], row['high'], '+.3f')})"
        )
        if word != "not told apart":
            text += f"; {p_text(row['p_holm'])} after Holm's correction"
            if row["p_holm"] > ALPHA and len(table) > 1:
                text += f", so among {len(table)} comparisons it may be luck"
        lines.append(f"{text}.")
    return "\n".join(lines)


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
    metric = SCORES.get(table.attrs.get("metric", "uar"), "score")
    y = np.arange(len(table))[::-1]
    words = [verdict(low, high) for low, high in zip(table["low"], table["high"], strict=True)]
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
        ax.set_xlabel(f"{metric}, first − second, 95% interval")
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
        f"{row['first']} against {row['second']} {row['difference']:+.3f} "
        f"({verdict(row['low'], row['high'])})"
        for _, row in table.iterrows()
    ]
    return "Differences with intervals about a line at zero: " + "; ".join(parts) + "."
