"""Figures about preprocessing: TIM weights, flow as arrows and colour, strain on a face."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from elrcn.picture import bare, colour_wheel, flow_colours, speed_limit
from elrcn.preprocess.clips import resize
from elrcn.preprocess.tim import tim_matrix
from elrcn_book.style import OKABE_ITO, WIDTH, figure_style


def tim_figure(n: int, length: int) -> Figure:
    """Weights of the Temporal Interpolation Model, and where its samples lie.

    Parameters
    ----------
    n, length : int
        Frames of the clip; frames made of them.
    """
    weights = tim_matrix(n, length)
    limit = float(np.abs(weights).max())
    with figure_style():
        fig, (top, bottom) = plt.subplots(
            2, 1, figsize=(WIDTH, 5.0), gridspec_kw={"height_ratios": [1.35, 1]}
        )
        image = top.imshow(
            weights.T,
            cmap="PuOr",
            vmin=-limit,
            vmax=limit,
            aspect="auto",
            extent=(0.5, n + 0.5, length + 0.5, 0.5),
        )
        top.set_yticks(range(1, length + 1))
        top.set_xlabel("Frame of the clip, $i$")
        top.set_ylabel("Frame of the output, $t$")
        top.set_title(f"Weights $A_{{it}}$: {n} frames to {length}")
        fig.colorbar(image, ax=top, label="Weight")
        frames = np.arange(1, n + 1)
        places = 1 + np.linspace(0, 1, length) * (n - 1)
        # The sample farthest from any frame takes something of every frame.
        between = int(np.argmax(np.abs(places - np.rint(places))))
        for t, colour, marker in (
            (0, OKABE_ITO["blue"], "o"),
            (between, OKABE_ITO["vermilion"], "s"),
        ):
            bottom.plot(
                frames,
                weights[:, t],
                color=colour,
                marker=marker,
                markersize=3,
                label=f"t = {t + 1}, at frame {places[t]:.2f}",
            )
        bottom.axhline(0, color="0.6", linewidth=0.8)
        bottom.set_xlim(0.5, n + 0.5)
        bottom.set_xlabel("Frame of the clip, $i$")
        bottom.set_ylabel("Weight")
        bottom.set_title("Two of its rows")
        bottom.legend(loc="upper right")
    return fig


def flow_figure(frame: np.ndarray, flow: np.ndarray, title: str, step: int | None = None) -> Figure:
    """Optical flow as arrows on the face and as colour, with the key to both.

    Parameters
    ----------
    frame : ndarray, shape (H, W)
        Grey frame the flow starts from, 0..255.
    flow : ndarray, shape (H, W, 2)
        Pixels of this frame.
    title : str
        Clip and frames.
    step : int, optional
        Pixels between arrows; default: a twentieth of the width.
    """
    height, width = frame.shape
    step = step or max(4, width // 20)
    limit = speed_limit(flow)
    rows, columns = np.mgrid[step // 2 : height : step, step // 2 : width : step]
    u, v = flow[rows, columns, 0], flow[rows, columns, 1]
    moving = np.hypot(u, v) > 0.15 * limit
    with figure_style():
        fig = plt.figure(figsize=(WIDTH, 4.3))
        grid = fig.add_gridspec(2, 2, height_ratios=[2.6, 1])
        arrows, colour = fig.add_subplot(grid[0, 0]), fig.add_subplot(grid[0, 1])
        key = fig.add_subplot(grid[1, 0])
        arrows.imshow(frame, cmap="gray", vmin=0, vmax=255)
        arrow = {
            "color": OKABE_ITO["yellow"],
            "edgecolor": "black",
            "linewidth": 0.4,
            "scale_units": "x",
            "scale": limit / (1.8 * step),
            "width": 0.011,
        }
        # y grows downwards in a picture and upwards in quiver's screen angles.
        arrows.quiver(columns[moving], rows[moving], u[moving], -v[moving], **arrow)
        arrows.set_title("arrows", fontsize=10)
        colour.imshow(flow_colours(flow, limit))
        colour.set_title("colour", fontsize=10)
        key.set_xlim(0, width)
        key.set_ylim(0, 1)
        key.quiver(
            [(width - 1.8 * step) / 2],
            [0.6],
            [limit],
            [0],
            **{**arrow, "color": "black"},
        )
        key.text(width / 2, 0.3, f"an arrow this long: {limit:.2g} px", ha="center", fontsize=9)
        key.text(width / 2, 0.1, "(enlarged; short ones left out)", ha="center", fontsize=8)
        for ax in (arrows, colour, key):
            bare(ax)
        colour_wheel(fig.add_subplot(grid[1, 1]), limit)
        fig.suptitle(title, fontsize=11, x=0.01, ha="left")
    return fig


def strain_figure(frame: np.ndarray, strain: np.ndarray, title: str, size: int) -> Figure:
    """Optical strain as heat maps over the face: as computed, and as the network gets it.

    Parameters
    ----------
    frame : ndarray, shape (H, W)
        Grey frame, 0..255.
    strain : ndarray, shape (H, W)
        Dimensionless (pixels per pixel), at least 0.
    title : str
        Clip and frames.
    size : int
        Side of the network's input, to which the right map is averaged.
    """
    height, width = frame.shape
    with figure_style():
        fig, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.7))
        for ax, plane, name in (
            (axes[0], strain, "strain as computed"),
            (axes[1], resize(strain, size), f"averaged to {size} × {size}"),
        ):
            # The picture's edge, where flow knows least, must not set the scale.
            edge = [max(1, n // 12) for n in plane.shape]
            inner = plane[edge[0] : -edge[0], edge[1] : -edge[1]]
            limit = max(float(np.percentile(inner, 99.5)), 1e-6)
            ax.imshow(frame, cmap="gray", vmin=0, vmax=255)
            key = plt.cm.ScalarMappable(plt.Normalize(0, limit), "viridis")
            # Transparency is blended in by hand: an SVG drops an array given as alpha.
            heat = key.to_rgba(plane)
            # Faint strain is mostly noise of the flow: it must not hide the face.
            heat[..., 3] = 0.9 * np.clip(plane / limit, 0, 1) ** 1.5
            ax.imshow(heat, extent=(-0.5, width - 0.5, height - 0.5, -0.5))
            bar = fig.colorbar(key, ax=ax, location="bottom", shrink=0.9, extend="max")
            bar.set_label("px per px", fontsize=9)
            bar.locator = MaxNLocator(4)
            bar.outline.set_visible(False)
            ax.set_title(name, fontsize=10)
            bare(ax)
        fig.suptitle(title, fontsize=11, x=0.01, ha="left")
    return fig


def channels_figure(step: np.ndarray, names, title: str) -> Figure:
    """One step of a clip as the network gets it: a panel a channel, each with its own scale.

    Parameters
    ----------
    step : ndarray, shape (channels, S, S)
        One entry of a stack.
    names : sequence of str
        A name with unit for each channel; signed ones start with "flow".
    title : str
        Clip and step.
    """
    with figure_style():
        fig, axes = plt.subplots(2, 3, figsize=(WIDTH, 3.9))
        for ax, plane, name in zip(axes.flat, step, names, strict=False):
            signed = plane.min() < 0
            limit = max(float(np.percentile(np.abs(plane), 99.5)), 1e-6)
            image = ax.imshow(
                plane,
                cmap="PuOr" if signed else "gray" if name.startswith("grey") else "viridis",
                vmin=-limit if signed else 0,
                vmax=limit,
            )
            ax.set_title(name, fontsize=9)
            bar = fig.colorbar(image, ax=ax, location="bottom", shrink=0.9)
            bar.ax.tick_params(labelsize=8)
            bar.locator = MaxNLocator(3)
            bar.outline.set_visible(False)
            bare(ax)
        for ax in axes.flat[len(step) :]:
            ax.axis("off")
        fig.suptitle(title, fontsize=11, x=0.01, ha="left")
    return fig
