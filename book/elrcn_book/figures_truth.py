"""Figures that set estimated motion beside the corpus's true motion."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from elrcn.picture import bare, colour_wheel, flow_colours, speed_limit
from elrcn_book.endpoint import FlowCheck
from elrcn_book.style import OKABE_ITO, WIDTH, figure_style


def check_figure(check: FlowCheck, title: str) -> Figure:
    """Draw true motion, estimated flow and endpoint error of one clip, with the colour key.

    Parameters
    ----------
    check : FlowCheck
        From `elrcn_book.endpoint.check_flow`; the action units' outline is drawn in black.
    title : str
        Clip and frames.
    """
    limit = speed_limit(check.truth)
    error = check.error
    with figure_style():
        fig = plt.figure(figsize=(WIDTH, 5.0))
        grid = fig.add_gridspec(2, 2, height_ratios=[1, 1])
        panels = [fig.add_subplot(grid[0, 0]), fig.add_subplot(grid[0, 1])]
        for ax, field, name in zip(
            panels, (check.truth, check.flow), ("true motion", "TV-L1 flow"), strict=True
        ):
            ax.imshow(flow_colours(field, limit))
            ax.set_title(name, fontsize=10)
        wrong = fig.add_subplot(grid[1, 0])
        image = wrong.imshow(error, cmap="cividis", vmin=0, vmax=limit)
        wrong.set_title("endpoint error", fontsize=10)
        bar = fig.colorbar(image, ax=wrong, shrink=0.85, extend="max")
        bar.set_label("px")
        bar.outline.set_visible(False)
        for ax in (*panels, wrong):
            ax.contour(check.mask, levels=[0.5], colors="black", linewidths=0.8)
            bare(ax)
        corner = fig.add_subplot(grid[1, 1])
        corner.axis("off")
        colour_wheel(corner.inset_axes([0.25, 0.2, 0.6, 0.6]), limit)
        fig.suptitle(title, fontsize=11, x=0.01, ha="left")
    return fig


def endpoint_figure(table: pd.DataFrame, title: str) -> Figure:
    """Endpoint error against the true motion, a marker a clip, on moved skin and elsewhere.

    Parameters
    ----------
    table : DataFrame
        From `elrcn_book.endpoint.error_table`.
    title : str
        Title of the figure.
    """
    styles = {
        "action unit": (OKABE_ITO["blue"], "o", "skin moved by an action unit"),
        "elsewhere": (OKABE_ITO["orange"], "^", "elsewhere (head motion)"),
    }
    top = 1.08 * float(table[["true", "error"]].max().max())
    with figure_style():
        fig, ax = plt.subplots(figsize=(WIDTH, 4.6))
        ax.plot(
            [0, top], [0, top], "--", color="0.4", linewidth=1.2, label="flow that sees nothing"
        )
        for region, part in table.groupby("region"):
            colour, marker, label = styles[region]
            ax.plot(part["true"], part["error"], marker, color=colour, label=label, alpha=0.85)
        ax.set_xlim(0, top)
        ax.set_ylim(0, top)
        ax.set_aspect("equal")
        ax.set_xlabel("Mean true motion, onset to apex (px)")
        ax.set_ylabel("Mean endpoint error (px)")
        ax.set_title(title)
        fig.legend(loc="outside lower center", ncols=1)
    return fig


def step_figure(table: pd.DataFrame, title: str) -> Figure:
    """Draw true motion and endpoint error at each step: median and quartiles of the clips.

    Parameters
    ----------
    table : DataFrame
        Rows of `elrcn_book.endpoint.step_errors` for several clips.
    title : str
        Title of the figure.
    """
    with figure_style():
        fig, ax = plt.subplots(figsize=(WIDTH, 3.4))
        for column, colour, marker, label in (
            ("true", OKABE_ITO["blue"], "o", "true motion"),
            ("error", OKABE_ITO["vermilion"], "s", "endpoint error of the flow"),
        ):
            groups = table.groupby("step")[column]
            low, middle, high = (groups.quantile(q) for q in (0.25, 0.5, 0.75))
            ax.fill_between(middle.index, low, high, color=colour, alpha=0.2, linewidth=0)
            ax.plot(middle.index, middle, marker=marker, color=colour, label=label)
        ax.set_xticks(np.unique(table["step"]))
        ax.set_ylim(bottom=0)
        ax.set_xlabel("Step (from one frame after TIM to the next)")
        ax.set_ylabel("Pixels")
        ax.set_title(title)
        fig.legend(loc="outside lower center", ncols=2)
    return fig
