"""A picture of the GRIM test: how far each published accuracy is from the nearest fraction."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from elrcn_book.style import WIDTH, figure_style, series


def grim_distances(table: pd.DataFrame) -> pd.DataFrame:
    """Distance of every printed accuracy to the nearest k/n, in units of its last digit.

    Parameters
    ----------
    table : DataFrame
        From `elrcn.published.audit.grim_table`: `printed`, `decimals` and `n` are read.

    Returns
    -------
    DataFrame
        The rows of `table` whose `decimals` are those printed, with `nearest_k` and `distance`;
        a value within half a unit of its last digit can be k/n.
    """
    shown = table[table["decimals"] == table["printed"].str.partition(".")[2].str.len()].copy()
    value = shown["printed"].astype(float)
    shown["nearest_k"] = np.rint(value * shown["n"]).astype(int)
    shown["distance"] = (shown["nearest_k"] / shown["n"] - value) * 10.0 ** shown["decimals"]
    return shown


def grim_figure(table: pd.DataFrame, title: str) -> Figure:
    """Draw `grim_distances`: a marker a number of clips, a band where the value is possible.

    Parameters
    ----------
    table : DataFrame
        From `elrcn.published.audit.grim_table`.
    title : str
        Title of the figure.
    """
    shown = grim_distances(table)
    rows = shown["source"].str.replace(" text", "") + ": " + shown["method"]
    rows += " (" + shown["printed"] + ")"
    order = list(rows.unique())
    y = len(order) - 1 - rows.map(order.index).to_numpy()
    with figure_style():
        fig, ax = plt.subplots(figsize=(WIDTH, 0.3 * len(order) + 1.9))
        ax.axvspan(-0.5, 0.5, color="0.88", label="possible: rounds to what is printed")
        ax.axvline(0, color="0.5", linewidth=0.8)
        for i, (n, part) in enumerate(shown.groupby("n")):
            colour, marker = series(i)
            where = shown["n"].to_numpy() == n
            ax.plot(part["distance"], y[where], marker, color=colour, label=f"of {n} clips")
        ax.set_yticks(range(len(order)), order[::-1], fontsize=8)
        ax.set_ylim(-0.6, len(order) - 0.4)
        # Linear within one unit, logarithmic beyond: the band must be wide enough to see into.
        ax.set_xscale("symlog", linthresh=1, linscale=1.5)
        limit = 1.4 * max(5.0, float(shown["distance"].abs().max()))
        ax.set_xlim(-limit, limit)
        ticks = [t for t in (-100, -20, -5, -1, -0.5, 0, 0.5, 1, 5, 20, 100) if abs(t) < limit]
        ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
        ax.minorticks_off()
        ax.set_xlabel("Distance to the nearest fraction\n(units of the last printed digit)")
        ax.set_ylabel("Published accuracy")
        ax.set_title(title)
        fig.legend(loc="outside lower center", ncols=2)
    return fig
