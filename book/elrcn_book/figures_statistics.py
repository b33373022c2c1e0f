"""Figures of the page on statistics: seeds, resampling, epochs chosen on the test subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from elrcn.evaluation.metrics import pooled
from elrcn.evaluation.statistics import bootstrap_scores, interval
from elrcn_book.style import OKABE_ITO, WIDTH, figure_style, series

_BINS = 30


def seed_figure(table: pd.DataFrame, title: str, chance: float) -> Figure:
    """Draw the UAR of every seed with its interval over subjects, a group a variant.

    Parameters
    ----------
    table : DataFrame
        From `elrcn_book.reliability.seed_table`.
    title : str
        Task and protocol.
    chance : float
        UAR of guessing.
    """
    variants = list(dict.fromkeys(table["variant"]))
    with figure_style():
        fig, ax = plt.subplots(figsize=(WIDTH, 0.42 * len(table) + 1.9))
        ax.axvline(chance, color="0.4", linestyle=":", linewidth=1.2, label="chance")
        y, ticks = 0.0, []
        for i, variant in enumerate(variants):
            colour, marker = series(i)
            part = table[table["variant"] == variant]
            places = y - np.arange(len(part))
            ax.hlines(places, part["uar_low"], part["uar_high"], color=colour, linewidth=2)
            ax.plot(part["uar"], places, marker, color=colour, label=variant)
            mean = part["uar"].mean()
            ax.plot([mean, mean], [places[-1] - 0.4, y + 0.4], color=colour, linewidth=1)
            ticks += [(p, f"seed {s}") for p, s in zip(places, part["seed"], strict=True)]
            y = places[-1] - 1.6
        ax.set_yticks(*zip(*ticks, strict=True))
        ax.set_xlim(0, 1)
        ax.set_xlabel("UAR with 95% interval over subjects")
        ax.set_ylabel("Seed of the training")
        ax.set_title(title)
        fig.legend(loc="outside lower center", ncols=3)
    return fig


def resampling_figure(
    rows: pd.DataFrame, classes: Sequence[str], title: str, draws: int = 2000, seed: int = 0
) -> Figure:
    """Draw how the UAR of one method scatters when clips, and when subjects, are resampled.

    Parameters
    ----------
    rows : DataFrame
        Prediction rows of the method.
    classes : sequence of str
        All classes of the task.
    title : str
        Method and task.
    draws, seed : int
        Resamples.
    """
    units = {"clips": rows.assign(subject=rows["clip_id"]), "subjects": rows}
    values = {u: bootstrap_scores(part, "uar", draws, seed, classes) for u, part in units.items()}
    every = np.concatenate(list(values.values()))
    edges = np.linspace(np.nanmin(every), np.nanmax(every) + 1e-9, _BINS)
    with figure_style():
        fig, ax = plt.subplots(figsize=(WIDTH, 3.2))
        top = 0.0
        for i, (unit, found) in enumerate(values.items()):
            colour, _ = series(i)
            counts, _ = np.histogram(found, edges)
            label = f"{unit} resampled ({units[unit]['subject'].nunique()})"
            style = "-" if i else "--"
            ax.stairs(counts / draws, edges, color=colour, linewidth=1.8, linestyle=style,
                      label=label)  # fmt: skip
            top = max(top, counts.max() / draws)
        for i, (unit, found) in enumerate(values.items()):
            colour, marker = series(i)
            low, high = interval(found, units[unit]["subject"].nunique())
            height = top * (1.08 + 0.1 * i)
            ax.plot([low, high], [height, height], "-", marker="|", color=colour, linewidth=2)
            ax.plot([pooled(rows, classes)["uar"]], [height], marker, color=colour, markersize=5)
        ax.set_ylim(0, 1.28 * top)
        ax.set_xlabel("UAR of a resample; bars above: 95% intervals")
        ax.set_ylabel("Share of the resamples")
        ax.set_title(title)
        fig.legend(loc="outside lower center", ncols=2)
    return fig


def unit_figure(table: pd.DataFrame, title: str) -> Figure:
    """Draw, for every method, the interval over clips and the one over subjects.

    Parameters
    ----------
    table : DataFrame
        From `elrcn_book.reliability.unit_table`.
    """
    y = np.arange(len(table))[::-1]
    with figure_style():
        fig, ax = plt.subplots(figsize=(WIDTH, 0.5 * len(table) + 1.7))
        for i, unit in enumerate(("clips", "subjects")):
            colour, marker = series(i)
            place = y + (0.15, -0.15)[i]
            low, high = table[f"{unit}_low"], table[f"{unit}_high"]
            ax.hlines(place, low, high, color=colour, linewidth=2)
            ax.plot(table["uar"], place, marker, color=colour, markersize=5, label=f"over {unit}")
        ax.set_yticks(y, list(table.index))
        ax.set_ylim(-0.6, len(table) - 0.4)
        ax.set_xlabel("UAR with 95% interval")
        ax.set_ylabel("Method")
        ax.set_title(title)
        fig.legend(loc="outside lower center", ncols=2)
    return fig


def epoch_table(
    by_variant: Mapping[str, Mapping[int, pd.DataFrame]], classes: Sequence[str]
) -> pd.DataFrame:
    """UAR of all clips pooled, by epochs trained: index `epochs`, a column a variant."""
    curves = {
        variant: {k: pooled(rows, classes)["uar"] for k, rows in by_epochs.items()}
        for variant, by_epochs in by_variant.items()
    }
    return pd.DataFrame(curves).rename_axis("epochs").sort_index()


def leak_figure(
    curves: pd.DataFrame, tables: Mapping[str, pd.DataFrame], title: str, chance: float
) -> Figure:
    """Draw the UAR against epochs, and the level that each rule for choosing reaches.

    Parameters
    ----------
    curves : DataFrame
        From `epoch_table`.
    tables : mapping of str to DataFrame
        Variant to its `elrcn_book.leak.leak_table`.
    title : str
        Task and protocol.
    chance : float
        UAR of guessing.
    """
    lines = {
        "oracle": ("chosen on each test subject (leak)", OKABE_ITO["vermilion"], "-"),
        "best": ("one for all, chosen on the test clips (leak)", OKABE_ITO["orange"], "-."),
        "others": ("chosen on the other subjects", OKABE_ITO["green"], "--"),
    }
    levels = [t.loc[r, "uar"] for t in tables.values() for r in lines]
    bounds = [*levels, chance, np.nanmin(curves.to_numpy())]
    with figure_style():
        fig, axes = plt.subplots(
            len(tables), 1, figsize=(WIDTH, 2.1 * len(tables) + 1.5), sharex=True, sharey=True,
            squeeze=False,
        )  # fmt: skip
        for ax, (variant, table) in zip(axes[:, 0], tables.items(), strict=True):
            for rule, (text, colour, style) in lines.items():
                ax.axhline(
                    table.loc[rule, "uar"], color=colour, linestyle=style, linewidth=1.8, label=text
                )
            ax.plot(
                curves.index, curves[variant], "o-", color=OKABE_ITO["blue"], linewidth=1.2,
                label="trained for so many epochs",
            )  # fmt: skip
            ax.axhline(chance, color="0.4", linestyle=":", linewidth=1.2, label="chance")
            ax.set_title(variant)
            ax.set_ylabel("UAR")
        ax.set_xscale("log")
        ax.set_xticks(list(curves.index), [str(k) for k in curves.index])
        ax.minorticks_off()
        ax.set_ylim(max(0, min(bounds) - 0.05), min(1, max(bounds) + 0.05))
        ax.set_xlabel("Epochs of the temporal stage (logarithmic)")
        fig.suptitle(title, fontsize=11, x=0.01, ha="left")
        fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=1)
    return fig


def leak_alt(curves: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> str:
    """Alternative text of `leak_figure`."""
    parts = []
    for variant, table in tables.items():
        curve = ", ".join(f"{v:.2f} after {k}" for k, v in curves[variant].dropna().items())
        parts.append(
            f"{variant}: UAR {curve} epochs; chosen on each test subject "
            f"{table.loc['oracle', 'uar']:.2f}, on the other subjects "
            f"{table.loc['others', 'uar']:.2f}"
        )
    return "Lines of UAR against epochs, a panel a variant. " + ". ".join(parts) + "."
