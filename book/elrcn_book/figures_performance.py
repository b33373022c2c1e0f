"""Figures of the page *How fast, and why*: goals, rooflines, growth, where the minutes go."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from elrcn_book.style import OKABE_ITO, WIDTH, figure_style, series

_PLAIN = FuncFormatter(lambda value, _: f"{value:g}")
_STAGES = {"tvl1": "TV-L1", "lbp_top": "LBP-TOP", "tim": "TIM"}


def goal_figure(table: pd.DataFrame, title: str) -> Figure:
    """Ratio of each row with a goal, with its quartiles, beside the goal.

    Parameters
    ----------
    table : DataFrame
        From `elrcn_book.performance.peer_table`.
    title : str
    """
    part = table[table["goal"].notna() & table["ratio"].notna()].reset_index(drop=True)
    y = np.arange(len(part))[::-1]
    with figure_style():
        fig, ax = plt.subplots(figsize=(WIDTH, 0.5 * len(part) + 1.5))
        ax.hlines(y, part["ratio_low"], part["ratio_high"], color=OKABE_ITO["blue"], linewidth=4)
        ax.plot(part["ratio"], y, "o", color=OKABE_ITO["blue"], label="median of rounds, quartiles")
        ax.plot(part["goal"], y, "|", color=OKABE_ITO["vermilion"], markersize=16,
                markeredgewidth=2.5, label="goal")  # fmt: skip
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(_PLAIN)
        ax.set_xlim(min(0.8, part["ratio_low"].min() * 0.9) if len(part) else 0.8, None)
        ax.set_yticks(y, [_wrapped(row) for _, row in part.iterrows()])
        ax.set_ylim(-0.6, len(part) - 0.4)
        ax.set_xlabel("Times as fast as the yardstick")
        ax.set_title(title)
        fig.legend(loc="outside lower center", ncols=2)
    return fig


def _wrapped(row) -> str:
    name = _STAGES.get(row["stage"], row["stage"])
    threads = "" if row["threads"] == 1 else f", {row['threads']} threads"
    return f"{name}{threads}\n{row['size'].split(',')[0]}"


def roofline_figure(table: pd.DataFrame, title: str) -> Figure:
    """Rate against intensity, both logarithmic, below the roofs of this machine.

    Parameters
    ----------
    table : DataFrame
        From `elrcn_book.performance.roofline_table`.
    title : str
    """
    roofs, kernels = table[table["roof"]], table[~table["roof"]].reset_index(drop=True)
    low = min(0.5, 0.6 * kernels["intensity"].min()) if len(kernels) else 0.5
    x = np.geomspace(low, max(60.0, 1.7 * kernels["intensity"].max()), 200)
    peak = roofs["rate"].max() if len(roofs) else np.inf
    with figure_style():
        fig, ax = plt.subplots(figsize=(WIDTH, 6.2))
        for i, (_, roof) in enumerate(roofs[roofs["kernel"] != "arithmetic"].iterrows()):
            reach = np.minimum(x * roof["bandwidth"], peak)
            ax.plot(x, reach, ("--", "-")[i % 2], color="0.35", linewidth=1.4,
                    label=f"{roof['kernel']}: {roof['bandwidth']:.0f} GB/s")  # fmt: skip
        if np.isfinite(peak):
            ax.axhline(peak, color="0.7", linewidth=3, zorder=0,
                       label=f"matrix product: {peak:.0f} GFLOP/s")  # fmt: skip
        for i, (_, kernel) in enumerate(kernels.iterrows()):
            colour, marker = series(i)
            share = "" if np.isnan(kernel["share"]) else f", {kernel['share']:.0%}"
            ax.plot(kernel["intensity"], kernel["rate"], marker, color=colour, markersize=9,
                    markeredgecolor="white", linestyle="none",
                    label=f"{kernel['kernel']} ({_short(kernel['size'])}){share}")  # fmt: skip
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.xaxis.set_major_formatter(_PLAIN)
        ax.yaxis.set_major_formatter(_PLAIN)
        ax.yaxis.set_minor_formatter(NullFormatter())
        if len(kernels):
            ax.set_ylim(min(0.9, 0.5 * kernels["rate"].min()), None)
        ax.set_xlabel("Operations a byte")
        ax.set_ylabel("Billion operations a second, one thread")
        ax.set_title(title)
        if len(table):
            fig.legend(loc="outside lower center", ncols=1)
    return fig


def _short(size: str) -> str:
    return size.split(", batch")[0].split(" iterations")[0].rsplit(", ", 1)[0]


def growth_figure(growth: pd.DataFrame, fitted: pd.DataFrame, title: str) -> Figure:
    """Time and memory against size, relative to the smallest, beside linear growth.

    Parameters
    ----------
    growth, fitted : DataFrame
        From `elrcn_book.performance.growth_table` and `exponents`.
    title : str
    """
    works = list(dict.fromkeys(growth["work"]))
    with figure_style():
        fig, axes = plt.subplots(
            max(len(works), 1), 1, figsize=(WIDTH, 2.9 * max(len(works), 1) + 0.4), squeeze=False
        )
        for ax, work in zip(axes[:, 0], works, strict=False):
            part = growth[growth["work"] == work]
            widest = 1.0
            for i, (axis, line) in enumerate(part.groupby("axis", sort=False)):
                size = line["size"] / line["size"].min()
                taken = line["seconds"] / line["seconds"].iloc[0]
                found = fitted[(fitted["work"] == work) & (fitted["axis"] == axis)]["time"]
                colour, marker = series(i)
                ax.plot(size, taken, marker=marker, color=colour,
                        label=f"{axis}: exponent {found.iloc[0]:.2f}")  # fmt: skip
                widest = max(widest, size.max())
            ax.plot([1, widest], [1, widest], ":", color="0.4", label="linear")
            ax.set_xscale("log", base=2)
            ax.set_yscale("log", base=2)
            ax.xaxis.set_major_formatter(_PLAIN)
            ax.yaxis.set_major_formatter(_PLAIN)
            ax.set_title(f"{title}: {work}")
            ax.set_ylabel("Time, times the least")
            ax.legend()
        axes[-1, 0].set_xlabel("Size, times the smallest")
    return fig


def bar_figure(names, seconds, title: str, label: str) -> Figure:
    """Horizontal bars of seconds, longest on top, each with its number.

    Parameters
    ----------
    names : sequence of str
    seconds : sequence of float
    title, label : str
        Heading, and what the bars measure.
    """
    seconds = np.asarray(seconds, float)
    y = np.arange(len(seconds))[::-1]
    with figure_style():
        fig, ax = plt.subplots(figsize=(WIDTH, 0.27 * max(len(seconds), 1) + 1.1))
        ax.barh(y, seconds, color=OKABE_ITO["blue"], height=0.7)
        for place, value in zip(y, seconds, strict=True):
            ax.annotate(f"{value:.3g} s", (value, place), (4, 0), textcoords="offset points",
                        va="center", fontsize=9)  # fmt: skip
        ax.set_yticks(y, list(names))
        ax.set_ylim(-0.6, len(seconds) - 0.4)
        ax.set_xlim(0, 1.18 * seconds.max() if len(seconds) else 1)
        ax.set_xlabel(label)
        ax.set_title(title)
    return fig
