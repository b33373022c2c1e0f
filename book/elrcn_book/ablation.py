"""An ablation as a table and a figure: one row a method, in groups, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from elrcn.errors import ElrcnError
from elrcn.evaluation.statistics import score_table
from elrcn.experiments.plans import convergence_note
from elrcn_book.html import SCORES as TITLES
from elrcn_book.style import OKABE_ITO, WIDTH, figure_style

#: Scores with an interval, in table order.
SCORES = ("war", "uar", "uf1")
_NONE = "–"
_LABEL_WIDTH = 24  # characters of a label in a line; longer ones would leave no room for dots


def ablation_table(
    results: Mapping[str, pd.DataFrame],
    methods: Sequence,
    classes: Sequence[str],
    draws: int = 2000,
    seed: int = 0,
    recovered: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Scores of every method, one row each, in the order of `methods`.

    Parameters
    ----------
    results : mapping of str to DataFrame
        Method name to prediction rows (run, fold, clip_id, subject, true, predicted, p_<class>).
    methods : sequence of Method
        `name`, `label` and `group` are read. Those without rows are left out.
    classes : sequence of str
        All classes of the task.
    draws, seed : int
        Bootstrap samples of subjects behind each 95% interval; 0 draws leave the intervals out.
    recovered : mapping of str to float, optional
        Method name to a value in [0, 1] found in the authors' repository; not a measured score.

    Returns
    -------
    DataFrame
        Columns `method` (the label), `group`, `clips`, `subjects`, for WAR, UAR and UF1 the score,
        ``<score>_low`` and ``<score>_high``, then `authors_f1`, and `recovered` where such values
        are given (NaN for the others). Scores lie in [0, 1] and are of all clips pooled.
        ``attrs["note"]`` is the `elrcn_book.tables.convergence_note`.

    Raises
    ------
    ElrcnError
        If no method has rows.
    """
    table = []
    for method in methods:
        if method.name not in results:
            continue
        row = score_table(
            results[method.name],
            scores=(*SCORES, "authors_f1"),
            classes=classes,
            draws=draws,
            seed=seed,
        ).assign(method=method.label, group=method.group)
        if recovered:
            row["recovered"] = recovered.get(method.name, np.nan)
        table.append(row)
    if not table:
        raise ElrcnError("There are no results to make a table of.")
    columns = ["method", "group", "clips", "subjects"]
    columns += [score + end for score in SCORES for end in ("", "_low", "_high")]
    columns += ["authors_f1", "recovered"] if recovered else ["authors_f1"]
    frame = pd.concat(table, ignore_index=True)[columns]
    frame.attrs["note"] = convergence_note(results, methods)
    return frame


def ablation_html(table: pd.DataFrame, uid: str) -> str:
    """HTML of `ablation_table`: a heading a group, intervals below the scores.

    Parameters
    ----------
    table : DataFrame
        From `ablation_table`.
    uid : str
        Id of the HTML table, unique on the page.
    """
    heads = ["Method", *(TITLES[s] for s in (*SCORES, "authors_f1"))]
    if "recovered" in table:
        heads.append("Authors’ script (score not named)")
    lines = [
        f'<table id="{escape(uid)}" style="font-size:.85rem">',
        "<thead><tr>"
        + "".join(f'<th scope="col"{_PAD}>{name}</th>' for name in heads)
        + "</tr></thead>",
        "<tbody>",
    ]
    for group, part in _groups(table):
        if group:
            lines.append(
                f'<tr><th scope="rowgroup" colspan="{len(heads)}"{_PAD}>{escape(_title(group))}'
                "</th></tr>"
            )
        for _, row in part.iterrows():
            cells = [escape(str(row["method"])), *(_cell(row, score) for score in SCORES)]
            cells.append(f"{row['authors_f1']:.3f}")
            if "recovered" in table:
                value = row["recovered"]
                cells.append(_NONE if pd.isna(value) else f"{value:.2f}")
            lines.append("<tr>" + "".join(f"<td{_PAD}>{cell}</td>" for cell in cells) + "</tr>")
    return "\n".join([*lines, "</tbody>", "</table>"])


_PAD = ' style="padding:.25em .45em; text-align:left; vertical-align:top"'


def _cell(row: pd.Series, score: str) -> str:
    text = f"<b>{row[score]:.3f}</b>"
    low, high = row[f"{score}_low"], row[f"{score}_high"]
    if pd.isna(low):
        return text
    return f'{text}<br><small style="white-space:nowrap">{low:.2f}–{high:.2f}</small>'


def _title(group: str) -> str:
    return group[:1].upper() + group[1:]


def _groups(table: pd.DataFrame):
    """Yield runs of rows of one group, in the table's order."""
    run = (table["group"] != table["group"].shift()).cumsum()
    for _, part in table.groupby(run, sort=False):
        yield part["group"].iloc[0], part


def ablation_figure(
    table: pd.DataFrame, title: str, chance: float | None = None, score: str = "uar"
) -> Figure:
    """Draw one score of every method as a dot with its 95% interval, below the group's heading.

    Parameters
    ----------
    table : DataFrame
        From `ablation_table`.
    title : str
        What is varied.
    chance : float, optional
        Score of guessing, drawn as a dotted line.
    score : {"war", "uar", "uf1", "authors_f1"}
        Column to draw; the authors' F1 has no interval.

    Returns
    -------
    Figure
        Values of a column `recovered` are open diamonds: their score is not known to be the one
        drawn.
    """
    labels, heads, measured_rows = [], [], []
    for group, part in _groups(table):
        if group:
            heads.append(len(labels))
            labels.append(_title(group))
        for method in part["method"]:
            measured_rows.append(len(labels))
            labels.append(fill(str(method), _LABEL_WIDTH, break_on_hyphens=False))
    # A label of two lines gets a row that is half as high again.
    heights = np.array([1 + 0.5 * label.count("\n") for label in labels])
    places = np.cumsum(heights) - heights / 2
    y = places[measured_rows]
    both = "recovered" in table and table["recovered"].notna().any()
    shift = 0.14 if both else 0.0
    with figure_style():
        fig, ax = plt.subplots(figsize=(WIDTH, 0.27 * heights.sum() + 1.6))
        ax.hlines(y, 0, 1, color="0.92", linewidth=0.8, zorder=0)
        if chance is not None:
            ax.axvline(chance, color="0.4", linestyle=":", linewidth=1.2, label="chance")
        measured = "measured here"
        if f"{score}_low" in table and table[f"{score}_low"].notna().any():
            measured += ", 95% interval"
            ax.hlines(
                y + shift, table[f"{score}_low"], table[f"{score}_high"],
                color=OKABE_ITO["blue"], linewidth=2,
            )  # fmt: skip
        ax.plot(
            table[score], y + shift, "o", color=OKABE_ITO["blue"], label=measured, clip_on=False
        )
        if both:
            ax.plot(
                table["recovered"], y - shift, "D",
                markersize=6, markerfacecolor="white", markeredgecolor=OKABE_ITO["vermilion"],
                label="in the authors’ script: real recordings, score not named",
            )  # fmt: skip
        ax.set_yticks(places, labels)
        for place in heads:
            ax.get_yticklabels()[place].set_fontweight("bold")
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(heights.sum(), 0)
        ax.set_xlim(0, 1)
        ax.set_xlabel(f"{TITLES[score]} (1 is perfect)")
        ax.set_ylabel("Method")
        # Above everything and at the figure's edge: titles are wider than the axes.
        fig.suptitle(fill(title, 60), fontsize=11, x=0.01, ha="left")
        fig.legend(loc="outside lower left", ncols=1 if both else 2)
    return fig


def ablation_alt(table: pd.DataFrame, score: str = "uar") -> str:
    """Alternative text of `ablation_figure`: every method's score."""
    parts = [f"{row['method']} {row[score]:.2f}" for _, row in table.iterrows()]
    text = f"Dots with intervals. {TITLES[score]}: {'; '.join(parts)}."
    if "recovered" in table:
        known = table[table["recovered"].notna()]
        values = "; ".join(f"{m} {v:.2f}" for m, v in known[["method", "recovered"]].to_numpy())
        text += f" In the authors' script: {values}." if values else ""
    return text
