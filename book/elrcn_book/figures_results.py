"""Figures made of prediction rows: confusion, subjects, published beside measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from elrcn.evaluation import metrics
from elrcn_book.style import OKABE_ITO, WIDTH, figure_style, series
from elrcn_book.tables import COUNTERPART


def confusion_figure(rows: pd.DataFrame, classes: Sequence[str], title: str) -> Figure:
    """Confusion matrix pooled over folds: colour and per cent by row, clips as counts.

    Parameters
    ----------
    rows : DataFrame
        Prediction rows; `true` and `predicted` are read. Each clip counts once a seed.
    classes : sequence of str
        Order of rows and columns.
    title : str
        Method and task.
    """
    seeds = len(metrics.by_seed(rows))
    matrix = metrics.confusion_matrix(rows["true"], rows["predicted"], classes)
    total = matrix.sum(axis=1, keepdims=True)
    share = np.divide(matrix, total, out=np.zeros(matrix.shape), where=total > 0)
    with figure_style():
        fig, ax = plt.subplots(figsize=(WIDTH, 0.6 * len(classes) + 1.5))
        image = ax.imshow(share, cmap="cividis", vmin=0, vmax=1, aspect="auto")
        for (i, j), count in np.ndenumerate(matrix):
            ax.text(
                j,
                i,
                f"{count}\n{share[i, j]:.0%}",
                ha="center",
                va="center",
                fontsize=9,
                color="black" if share[i, j] > 0.55 else "white",
            )
        turned = {"rotation": 25, "ha": "right"} if max(map(len, classes)) > 4 else {}
        ax.set_xticks(range(len(classes)), classes, **turned)
        ax.set_yticks(
            range(len(classes)),
            [f"{name} ({n})" for name, n in zip(classes, total[:, 0], strict=True)],
        )
        ax.set_xlabel("Predicted class")
        ax.set_ylabel("True class (clips)" if seeds == 1 else f"True class (clips x {seeds} seeds)")
        ax.set_title(title)
        ax.spines[:].set_visible(False)
        bar = fig.colorbar(image, ax=ax, label="Share of the true class", shrink=0.9)
        bar.outline.set_visible(False)
    return fig


def confusion_alt(rows: pd.DataFrame, classes: Sequence[str]) -> str:
    """Alternative text of `confusion_figure`: the recall of every class."""
    matrix = metrics.confusion_matrix(rows["true"], rows["predicted"], classes)
    parts = [
        f"{name} {matrix[i, i]} of {matrix[i].sum()}"
        for i, name in enumerate(classes)
        if matrix[i].sum()
    ]
    seeds = len(metrics.by_seed(rows))
    counted = "" if seeds == 1 else f", each counted under {seeds} seeds"
    return f"Confusion matrix. Clips recognised per class{counted}: " + ", ".join(parts) + "."


def subject_figure(table: pd.DataFrame, title: str) -> Figure:
    """Share of right answers of every held-out subject, a marker a method.

    Parameters
    ----------
    table : DataFrame
        From `elrcn_book.tables.subject_table`.
    title : str
        Task and protocol.
    """
    methods = [name for name in table.columns if name != "clips"]
    y = np.arange(len(table))[::-1]
    with figure_style():
        fig, ax = plt.subplots(figsize=(WIDTH, 0.27 * len(table) + 1.7))
        ax.hlines(y, 0, 1, color="0.9", linewidth=0.8, zorder=0)
        offsets = np.linspace(0.25, -0.25, len(methods)) if len(methods) > 1 else [0]
        for i, name in enumerate(methods):
            colour, marker = series(i)
            ax.plot(
                table[name],
                y + offsets[i],
                marker,
                color=colour,
                label=name,
                markersize=5,
                clip_on=False,
            )
        labels = [f"{s} ({n})" for s, n in zip(table.index, table["clips"], strict=True)]
        ax.set_yticks(y, labels)
        ax.set_ylabel("Held-out subject (clips)")
        ax.set_xlabel("Share of the subject's clips answered right")
        ax.set_xlim(0, 1)
        ax.set_ylim(-0.7, len(table) - 0.3)
        ax.set_title(title)
        fig.legend(loc="outside lower center", ncols=2)
    return fig


def published_figure(table: pd.DataFrame, title: str, chance: float | None = None) -> Figure:
    """Draw published scores beside measured ones with 95% intervals, a panel a score.

    Parameters
    ----------
    table : DataFrame
        From `elrcn_book.tables.result_table`.
    title : str
        Table of the paper and task.
    chance : float, optional
        UAR of guessing, drawn as a line in that panel.
    """
    blue, red = OKABE_ITO["blue"], OKABE_ITO["vermilion"]
    panels = {
        metric: table[table[f"published_{metric}"].notna() | table[score].notna()]
        for metric, score in COUNTERPART.items()
    }
    sizes = [len(part) + 1.5 for part in panels.values()]
    with figure_style():
        fig, axes = plt.subplots(
            3, 1, figsize=(WIDTH, 0.25 * sum(sizes) + 1.1), sharex=True, height_ratios=sizes
        )
        for ax, (metric, part) in zip(axes, panels.items(), strict=True):
            score, y = COUNTERPART[metric], np.arange(len(part))[::-1]
            ax.hlines(y, 0, 1, color="0.92", linewidth=0.8, zorder=0)
            low, high = (part[score + end].to_numpy(float) for end in ("_low", "_high"))
            if chance is not None and metric == "UAR":
                ax.axvline(chance, color="0.4", linestyle=":", linewidth=1.2, label="chance")
            ax.hlines(y - 0.12, low, high, color=blue, linewidth=2)
            ax.plot(part[score], y - 0.12, "o", color=blue, label="measured here, 95% interval")
            ax.plot(
                part[f"published_{metric}"],
                y + 0.12,
                "D",
                markersize=6,
                markerfacecolor="white",
                markeredgecolor=red,
                label="published (real recordings)",
            )
            ax.set_title("F1 (authors’ definition)" if metric == "F1" else metric, fontsize=10)
            ax.set_yticks(y, part["method"])
            ax.set_ylim(-0.6, len(part) - 0.4)
        axes[-1].set_xlim(0, 1)
        axes[-1].set_xlabel("Score (1 is perfect)")
        axes[1].set_ylabel("Method")
        fig.suptitle(title, fontsize=11, x=0.01, ha="left")
        fig.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return fig


def recall_table(
    results: Mapping[str, pd.DataFrame], methods: Sequence, classes: Sequence[str]
) -> pd.DataFrame:
    """Recall of every class under every method: index `method`, a column a class."""
    table = {}
    for method in methods:
        if method.name in results:
            rows = results[method.name]
            matrix = metrics.confusion_matrix(rows["true"], rows["predicted"], classes)
            total = matrix.sum(axis=1)
            hits = np.diagonal(matrix).astype(float)
            table[method.label] = np.divide(
                hits, total, out=np.full(len(classes), np.nan), where=total > 0
            )
    frame = pd.DataFrame.from_dict(table, orient="index", columns=list(classes))
    return frame.rename_axis("method")
