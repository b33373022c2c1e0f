"""Each direction of HDE by itself, beside what the text of Section IV-D says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from elrcn.errors import ElrcnError
from elrcn.published.audit import columns_put_right
from elrcn.published.numbers import METRICS, load_counts, load_published
from elrcn_book.html import interval_text
from elrcn_book.style import WIDTH, figure_style, series
from elrcn_book.tables import result_table

#: How the paper's text and the folds of HDE name the two directions.
FOLDS = {
    "train CASME II test SAMM": "CASME2 to SAMM",
    "train SAMM test CASME II": "SAMM to CASME2",
}
_SOURCE = "Section IV-D text"


def text_scores(
    results: pd.DataFrame | None = None, counts: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Scores that the text of Section IV-D gives for each direction, columns put right.

    What is printed as UAR and as WAR changes places if, and only if, the audit finds that the
    columns are swapped (`elrcn.published.audit.columns_put_right`).

    Parameters
    ----------
    results, counts : DataFrame, optional
        From `elrcn.published.numbers.load_published` and `load_counts` there.

    Returns
    -------
    DataFrame
        Columns `fold`, `method`, ``F1``, ``UAR``, ``WAR`` (fractions, after the exchange),
        ``printed_UAR``, ``printed_WAR`` and `exchanged` (bool); one row a direction.

    Raises
    ------
    ElrcnError
        If the results hold no row of Section IV-D.
    """
    results = load_published() if results is None else results
    right = columns_put_right(results, load_counts() if counts is None else counts)
    printed, table = (
        part[part["source"] == _SOURCE]
        .pivot(index=["database", "method"], columns="metric", values="value")
        .reset_index()
        .rename_axis(columns=None)
        for part in (results, right)
    )
    table["fold"] = table["database"].map(FOLDS)
    table[["printed_UAR", "printed_WAR"]] = printed[["UAR", "WAR"]]
    table["exchanged"] = right is not results
    columns = ["fold", "method", *METRICS, "printed_UAR", "printed_WAR", "exchanged"]
    return table[columns].sort_values("fold", ignore_index=True)


def direction_tables(
    results: Mapping[str, pd.DataFrame],
    methods: Sequence,
    classes: Sequence[str],
    draws: int = 2000,
    seed: int = 0,
    published: pd.DataFrame | None = None,
) -> dict[str, pd.DataFrame]:
    """Scores of every method in each direction of HDE, beside those of the paper's text.

    Parameters
    ----------
    results, methods, classes, draws, seed
        As for `elrcn_book.tables.result_table`; the rows' `fold` names the direction.
    published : DataFrame, optional
        From `text_scores`; read when not given.

    Returns
    -------
    dict of str to DataFrame
        Fold to a table like that of `result_table`, methods in the order of `methods`; `clips`
        and `subjects` are those tested in that direction.

    Raises
    ------
    ElrcnError
        If no method has rows.
    """
    published = text_scores() if published is None else published
    measured = [m for m in methods if m.name in results]
    if not measured:
        raise ElrcnError("There are no results to make a table of.")
    tables = {}
    for fold in dict.fromkeys(results[measured[0].name]["fold"]):
        part = {name: rows[rows["fold"] == fold] for name, rows in results.items()}
        printed = published[published["fold"] == fold].set_index("method")
        table = result_table(
            part,
            measured,
            printed[list(METRICS)].assign(role="proposed"),
            classes,
            draws=draws,
            seed=seed,
        ).set_index("method")
        order = [m.published if m.published in printed.index else m.label for m in measured]
        tables[fold] = table.loc[order].reset_index()
    return tables


def direction_summary(tables: Mapping[str, pd.DataFrame]) -> str:
    """Say in Markdown, method by method, in which direction UAR was higher.

    The directions test different people, so that their intervals are independent: a direction is
    called higher only if the two intervals do not overlap.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        From `direction_tables`, two folds.
    """
    (a, first), (b, second) = ((f, t.set_index("method")) for f, t in tables.items())
    lines = []
    for method in first.index:
        one, two = first.loc[method], second.loc[method]
        text = f"- **{method}**: UAR {_with_interval(one)} for {a}, {_with_interval(two)} for {b}"
        if pd.isna(one["uar_low"]) or pd.isna(two["uar_low"]):
            word = ""
        elif one["uar_low"] > two["uar_high"]:
            word = f"; higher for {a}"
        elif two["uar_low"] > one["uar_high"]:
            word = f"; higher for {b}"
        else:
            word = "; the intervals overlap"
        lines.append(f"{text}{word}.")
    return "\n".join(lines)


def _with_interval(row: pd.Series) -> str:
    text = f"{row['uar']:.3f}"
    if pd.isna(row["uar_low"]):
        return text
    return f"{text} ({interval_text(row['uar_low'], row['uar_high'], '.2f', '')})"


def direction_figure(
    tables: Mapping[str, pd.DataFrame], title: str, chance: float | None = None
) -> Figure:
    """Draw UAR and WAR of every method in both directions, with the numbers of the paper's text.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        From `direction_tables`.
    title : str
        Table of the paper and task.
    chance : float, optional
        UAR of guessing, drawn as a line in that panel.
    """
    names = list(next(iter(tables.values()))["method"])
    y = np.arange(len(names))[::-1]
    shifts = np.linspace(0.17, -0.17, len(tables))
    with figure_style():
        size = (WIDTH, 0.75 * len(names) + 2.2)
        fig, axes = plt.subplots(2, 1, figsize=size, sharex=True)
        for ax, metric in zip(axes, ("UAR", "WAR"), strict=True):
            score = metric.lower()
            ax.hlines(y, 0, 1, color="0.92", linewidth=0.8, zorder=0)
            if chance is not None and metric == "UAR":
                ax.axvline(chance, color="0.4", linestyle=":", linewidth=1.2, label="chance")
            for i, (fold, table) in enumerate(tables.items()):
                colour, marker = series(i)
                place = y + shifts[i]
                low, high = (table[score + end].to_numpy(float) for end in ("_low", "_high"))
                ax.hlines(place, low, high, color=colour, linewidth=2)
                ax.plot(table[score], place, marker, color=colour, label=fold)
                # An open marker of the direction's own shape: the paper's number for it.
                ax.plot(
                    table[f"published_{metric}"],
                    place,
                    marker,
                    markersize=9,
                    markerfacecolor="none",
                    markeredgecolor=colour,
                    label=f"{fold}, the paper",
                )
            ax.set_title(metric, fontsize=10)
            ax.set_yticks(y, names)
            ax.set_ylim(-0.6, len(names) - 0.4)
            ax.set_ylabel("Method")
        axes[-1].set_xlim(0, 1)
        axes[-1].set_xlabel("Score (1 is perfect)")
        fig.suptitle(title, fontsize=11, x=0.01, ha="left")
        fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return fig
