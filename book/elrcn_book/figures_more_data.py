"""Figures about more data: augmented views and their flow, scores against the length of TIM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from elrcn.picture import bare, colour_wheel, flow_colours, speed_limit
from elrcn.preprocess.clips import VARIANTS, augment, augment_flow
from elrcn.preprocess.flow import tvl1_flow
from elrcn_book.html import SCORES
from elrcn_book.style import WIDTH, figure_style, series


@dataclass(frozen=True)
class View:
    """One variant of a pair of frames.

    Attributes
    ----------
    name : str
        Variant, "plain" for the frames as they are.
    frame : ndarray, shape (S, S)
        First frame, 0..255.
    flow : ndarray, shape (S, S, 2)
        Flow computed from the transformed frames, in pixels.
    expected : ndarray, shape (S, S, 2)
        Flow of the plain frames, its places and vectors transformed.
    """

    name: str
    frame: np.ndarray
    flow: np.ndarray
    expected: np.ndarray


def make_views(
    first: np.ndarray, second: np.ndarray, method: str, variants: Sequence[str] = VARIANTS
) -> list[View]:
    """Transform a pair of frames and compute the flow of each variant, the plain pair first.

    Parameters
    ----------
    first, second : ndarray, shape (S, S)
        Grey frames 0..255.
    method : str
        See `elrcn.preprocess.flow.tvl1_flow`.
    variants : sequence of str
        See `elrcn.preprocess.clips.transform`.
    """
    pair, views = np.stack([first, second]), []
    plain = tvl1_flow(first, second, method)
    for variant in ("", *variants):
        seen = np.clip(augment(pair, variant), 0, 255)
        flow = tvl1_flow(*seen, method) if variant else plain
        expected = augment_flow(plain, variant)
        views.append(View(variant or "plain", seen[0], flow, expected))
    return views


def view_table(views: Sequence[View]) -> pd.DataFrame:
    """Measure how far the flow of each variant is from the transformed flow of the plain pair.

    Returns
    -------
    DataFrame
        Index `variant`; columns `motion` (mean length of the expected flow, px), `difference`
        (mean distance of the flow from it, px), `share` (their ratio) and ``as a picture`` (mean
        distance in px if the plain flow had been moved like a picture, its vectors left as they
        were). A twelfth of the side is left out at each edge, where other skin comes into view.
    """
    rows, plain = {}, views[0].flow
    edge = max(1, plain.shape[0] // 12)
    inner = np.s_[edge:-edge, edge:-edge]
    for view in views[1:]:
        motion = np.linalg.norm(view.expected, axis=2)[inner].mean()
        difference = np.linalg.norm(view.flow - view.expected, axis=2)[inner].mean()
        planes = [augment(plane[None], view.name)[0] for plane in np.moveaxis(plain, 2, 0)]
        moved = np.stack(planes, axis=2)
        picture = np.linalg.norm(view.flow - moved, axis=2)[inner].mean()
        rows[view.name] = (motion, difference, difference / motion, picture)
    columns = ["motion", "difference", "share", "as a picture"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("variant")


def views_figure(views: Sequence[View], title: str) -> Figure:
    """Draw each variant: its first frame and the flow computed from its frames, in one key.

    Parameters
    ----------
    views : sequence of View
        From `make_views`.
    title : str
        Clip and frames.
    """
    limit = speed_limit(views[0].flow)
    columns = 3
    lines = -(-(len(views) + 1) // columns)
    with figure_style():
        # A picture and its flow one above the other, three such pairs a line.
        fig, axes = plt.subplots(2 * lines, columns, figsize=(WIDTH, 3.35 * lines + 0.3))
        places = [(2 * (i // columns), i % columns) for i in range(lines * columns)]
        for view, (row, column) in zip(views, places, strict=False):
            above, below = axes[row, column], axes[row + 1, column]
            above.imshow(view.frame, cmap="gray", vmin=0, vmax=255)
            above.set_title(view.name, fontsize=10)
            below.imshow(flow_colours(view.flow, limit))
            bare(above)
            bare(below)
        spare = places[len(views) :]
        for row, column in spare:
            axes[row, column].axis("off")
            axes[row + 1, column].axis("off")
        row, column = spare[0]
        key = axes[row + 1, column].inset_axes((0.26, 0.25, 0.64, 0.64))
        # Its labels would push the pictures apart.
        key.set_in_layout(False)
        colour_wheel(key, limit)
        fig.suptitle(title, fontsize=11, x=0.01, ha="left")
    return fig


def length_table(
    scores: pd.DataFrame, lengths: Mapping[str, tuple[str, int]], score: str = "uar"
) -> pd.DataFrame:
    """Pick the score of each network at each T out of a table of an ablation.

    Parameters
    ----------
    scores : DataFrame
        From `elrcn_book.ablation.ablation_table`.
    lengths : mapping of str to (str, int)
        Label of a method to its network and T (0: no TIM), from
        `elrcn.experiments.more_data.tim_lengths`.
    score : str
        Column of `scores`.

    Returns
    -------
    DataFrame
        Columns `network`, `T` (text, "none" without TIM), `score`, `low`, `high`, in the order of
        `lengths`; methods without rows are left out.
    """
    by = scores.set_index("method")
    rows = [
        (network, str(length or "none"), *(by.loc[label, [score, f"{score}_low", f"{score}_high"]]))
        for label, (network, length) in lengths.items()
        if label in by.index
    ]
    return pd.DataFrame(rows, columns=["network", "T", "score", "low", "high"])


def length_figure(
    table: pd.DataFrame, title: str, chance: float | None = None, score: str = "uar"
) -> Figure:
    """Draw a score against T with 95% intervals, a line a network; no TIM stands apart.

    Parameters
    ----------
    table : DataFrame
        From `length_table`.
    title : str
        What is varied.
    chance : float, optional
        Score of guessing, drawn as a dotted line.
    score : str
        Name of the score, for the axis.
    """
    names = list(dict.fromkeys(table["T"]))
    place = {name: i + (0.4 if name == "none" else 0) for i, name in enumerate(names)}
    networks = list(dict.fromkeys(table["network"]))
    with figure_style():
        fig, ax = plt.subplots(figsize=(WIDTH, 3.4))
        if chance is not None:
            ax.axhline(chance, color="0.4", linestyle=":", linewidth=1.2, label="chance")
        if "none" in place:
            ax.axvline(place["none"] - 0.7, color="0.85", linewidth=0.8)
        for i, network in enumerate(networks):
            colour, marker = series(i)
            part = table[table["network"] == network]
            x = part["T"].map(place).to_numpy(float) + 0.09 * (2 * i - len(networks) + 1)
            ax.vlines(x, part["low"], part["high"], color=colour, linewidth=1.6)
            ax.plot(x, part["score"], marker, color=colour, label=network)
            timed = (part["T"] != "none").to_numpy()
            ax.plot(x[timed], part["score"][timed], "-", color=colour, linewidth=1.2, alpha=0.6)
        ax.set_xticks(list(place.values()), ["no TIM" if n == "none" else n for n in place])
        ax.set_ylim(0, 1)
        ax.set_xlabel("Frames after interpolation, T")
        ax.set_ylabel(f"{SCORES[score]} (1 is perfect), 95% interval")
        ax.set_title(title)
        ax.grid(axis="y", color="0.92", linewidth=0.8)
        ax.set_axisbelow(True)
        fig.legend(loc="outside lower center", ncols=3)
    return fig


def length_alt(table: pd.DataFrame, score: str = "uar") -> str:
    """Alternative text of `length_figure`: every score."""
    parts = []
    for network, part in table.groupby("network", sort=False):
        values = ", ".join(
            f"{v:.2f} {'without TIM' if t == 'none' else f'at {t}'}"
            for t, v in zip(part["T"], part["score"], strict=True)
        )
        parts.append(f"{network}: {values}")
    return f"{SCORES[score]} against the number of frames. {'; '.join(parts)}."
