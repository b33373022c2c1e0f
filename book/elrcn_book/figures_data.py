"""Figures about the clips: strips of frames, classes, subjects, lengths."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from elrcn.manifest import Manifest
from elrcn.preprocess.clips import read_grey
from elrcn_book.pictures import apex_index, frame_numbers
from elrcn_book.style import OKABE_ITO, WIDTH, figure_style

_DATABASE = {"CASME2": ("CASME II", OKABE_ITO["blue"]), "SAMM": ("SAMM", OKABE_ITO["orange"])}


def strip_figure(manifest: Manifest, indices: Sequence[int], title: str, gain: int = 12) -> Figure:
    """Onset, apex and offset of some clips, and what changed between onset and apex.

    Parameters
    ----------
    manifest : Manifest
        Clips to choose from.
    indices : sequence of int
        Row numbers of the clips shown, one strip each.
    title : str
        Title of the figure.
    gain : int
        Factor on the difference of grey levels, which is too small to see as it is.
    """
    strips = [_strip(manifest, i) for i in indices]
    # Four pictures share the width, so their height follows from their shape.
    heights = [0.72 + (WIDTH - 0.2) / 4 * s[2][0].shape[0] / s[2][0].shape[1] for s in strips]
    with figure_style():
        fig = plt.figure(figsize=(WIDTH, sum(heights) + 0.35))
        parts = np.atleast_1d(fig.subfigures(len(strips), 1, height_ratios=heights))
        for part, (label, below, frames) in zip(parts, strips, strict=True):
            part.suptitle(label, fontsize=9, x=0.01, ha="left")
            axes = part.subplots(1, 4)
            change = frames[1].astype(int) - frames[0].astype(int)
            for ax, frame in zip(axes, frames, strict=False):
                ax.imshow(frame, cmap="gray", vmin=0, vmax=255)
            axes[3].imshow(change * gain, cmap="gray", vmin=-255, vmax=255)
            for ax, text in zip(axes, [*below, f"apex − onset\n× {gain}"], strict=True):
                ax.set_xlabel(text, fontsize=9)
                ax.set_xticks([])
                ax.set_yticks([])
                ax.spines[:].set_visible(False)
        fig.suptitle(title, fontsize=11, x=0.01, ha="left")
    return fig


def _strip(manifest: Manifest, i: int) -> tuple[str, list[str], list[np.ndarray]]:
    """Heading, labels and frames of clip `i` at onset, apex and offset."""
    row, paths = manifest.table.iloc[i], manifest.frame_paths(i)
    numbers = frame_numbers(row)
    chosen = (0, apex_index(row), len(paths) - 1)
    names = ("onset", "middle" if pd.isna(row["apex"]) else "apex", "offset")
    below = [
        f"{name}\n{1000 * (numbers[k] - numbers[0]) / row['fps']:.0f} ms"
        for name, k in zip(names, chosen, strict=True)
    ]
    label = f"{row['clip_id']}: class {row['objective_class']}, AU {row['action_units']}"
    if row["emotion"]:
        label = label.replace(": ", f": {row['emotion']}, ", 1)
    return label, below, [_small(read_grey(paths[k])) for k in chosen]


def _small(frame: np.ndarray, height: int = 170) -> np.ndarray:
    width = round(frame.shape[1] * height / frame.shape[0])
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)


def class_counts(manifest: Manifest, column: str, classes: Sequence[str]) -> pd.DataFrame:
    """Count clips by class and database.

    Returns
    -------
    DataFrame
        Index `class` in the order of `classes`; a column a database, int.
    """
    table = manifest.table
    counts = pd.crosstab(table[column], table["database"])
    counts = counts.reindex(index=list(classes), fill_value=0).rename_axis("class")
    counts.columns.name = None
    return counts


def count_figure(
    counts: pd.DataFrame, published: pd.DataFrame | None, title: str, xlabel: str = "Class"
) -> Figure:
    """Clips of every class as bars, published counts as ticks beside them, a panel a database.

    Parameters
    ----------
    counts : DataFrame
        From `class_counts`.
    published : DataFrame, optional
        Same shape: the counts of the real databases.
    title, xlabel : str
        Title of the figure; what the classes are.
    """
    with figure_style():
        fig, axes = plt.subplots(
            counts.shape[1],
            1,
            figsize=(WIDTH, counts.shape[1] * (0.33 * len(counts) + 0.7) + 0.8),
            squeeze=False,
        )
        for ax, database in zip(axes[:, 0], counts.columns, strict=True):
            name, _ = _DATABASE.get(database, (database, ""))
            y = np.arange(len(counts))[::-1]
            ax.barh(y, counts[database], color=OKABE_ITO["sky"], height=0.62, label="here")
            for yi, value in zip(y, counts[database], strict=True):
                ax.text(value, yi, f" {value}", va="center", fontsize=9)
            if published is not None and database in published:
                ax.plot(
                    published[database],
                    y,
                    "D",
                    color="black",
                    markerfacecolor="white",
                    label="published",
                )
            ax.set_yticks(y, counts.index)
            ax.set_ylabel(xlabel)
            ax.set_title(name)
            ax.margins(x=0.12)
            ax.set_xlim(left=0)
        axes[-1, 0].set_xlabel("Clips")
        fig.suptitle(title, fontsize=11, x=0.01, ha="left")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside lower center", ncols=2)
    return fig


def subject_counts(manifest: Manifest) -> pd.DataFrame:
    """Clips of every subject: index `subject`, columns `database`, `clips`, `frames`."""
    table = manifest.table.assign(n=manifest.table["frames"].map(len))
    groups = table.groupby("subject", sort=True)
    return pd.DataFrame(
        {
            "database": groups["database"].first(),
            "clips": groups.size(),
            "frames": groups["n"].sum(),
        }
    )


def subject_count_figure(counts: pd.DataFrame, title: str) -> Figure:
    """Clips of every subject as bars, coloured by database."""
    y = np.arange(len(counts))[::-1]
    with figure_style():
        fig, ax = plt.subplots(figsize=(WIDTH, 0.2 * len(counts) + 1.5))
        for database, part in counts.groupby("database", sort=False):
            name, colour = _DATABASE.get(database, (database, OKABE_ITO["green"]))
            rows = counts.index.get_indexer(part.index)
            ax.barh(y[rows], part["clips"], color=colour, height=0.7, label=name)
        ax.set_yticks(y, counts.index, fontsize=8)
        ax.set_ylim(-0.7, len(counts) - 0.3)
        ax.set_xlabel("Clips")
        ax.set_ylabel("Subject")
        ax.set_title(title)
        fig.legend(loc="outside lower center", ncols=2)
    return fig


def clip_length_figure(manifest: Manifest, title: str) -> Figure:
    """Clip lengths, onset to offset inclusive, as a histogram a database."""
    table = manifest.table.assign(n=manifest.table["frames"].map(len))
    bins = np.arange(table["n"].min() // 10 * 10, table["n"].max() + 11, 10)
    databases = list(table["database"].unique())
    with figure_style():
        fig, axes = plt.subplots(
            len(databases), 1, figsize=(WIDTH, 1.5 * len(databases) + 0.8), sharex=True,
            squeeze=False,
        )  # fmt: skip
        for ax, database in zip(axes[:, 0], databases, strict=True):
            name, colour = _DATABASE.get(database, (database, OKABE_ITO["green"]))
            lengths = table.loc[table["database"] == database, "n"]
            ax.hist(lengths, bins=bins, color=colour, edgecolor="white")
            ax.axvline(lengths.median(), color="black", linestyle="--", linewidth=1.2)
            ax.set_title(f"{name}: {len(lengths)} clips, median {lengths.median():.0f} frames")
            ax.set_ylabel("Clips")
        axes[-1, 0].set_xlabel("Frames from onset to offset (200 a second)")
        fig.suptitle(title, fontsize=11, x=0.01, ha="left")
    return fig
