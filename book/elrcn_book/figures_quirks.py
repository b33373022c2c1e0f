"""Figures about the authors' code: the reshaped picture, and flow in steps of 1/16 pixel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from elrcn.config import PreprocessConfig
from elrcn.manifest import Manifest
from elrcn.models.inputs import reshaped_layout
from elrcn.picture import bare
from elrcn.preprocess.clips import in_time, read_clip
from elrcn.preprocess.flow import eight_bit, flow_image, flow_sequence
from elrcn_book.pictures import apex_index
from elrcn_book.style import OKABE_ITO, WIDTH, figure_style

#: A step of the authors' 8-bit flow, in pixels per frame.
STEP = 1 / 16
_BIN = STEP / 8
_REACH = 8.0  # px; the code clips what is beyond


def clip_flow(
    manifest: Manifest, i: int, config: PreprocessConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Frames and flow of one clip as the network's input is made of them, before averaging.

    Parameters
    ----------
    manifest : Manifest
        Of cropped frames (CASME II): no face is looked for.
    i : int
        Row of the clip.
    config : PreprocessConfig
        Size, length and method.

    Returns
    -------
    frames : ndarray, shape (T - 1, flow_size, flow_size)
        Grey levels 0..255.
    flows : ndarray, shape (T - 1, flow_size, flow_size, 2)
        Pixels per frame.
    """
    clip = str(manifest.table["clip_id"].iloc[i])
    frames = read_clip(manifest.frame_paths(i), config.flow_size, clip)
    frames = in_time(frames, config)
    return frames[:-1], flow_sequence(frames, config.flow)


def rising_step(row: pd.Series, steps: int) -> int:
    """Return the step of a clip halfway from onset to apex, where the expression moves fastest.

    Parameters
    ----------
    row : Series
        Of a manifest's table.
    steps : int
        Steps of the clip after interpolation.
    """
    apex = apex_index(row) / max(len(row["frames"]) - 1, 1)
    return min(int(apex / 2 * steps), steps - 1)


def stored_image(flow: np.ndarray) -> np.ndarray:
    """Flow (H, W, 2) as the 8-bit picture of the authors' code, shape (H, W, 3), levels 0..255."""
    return flow_image(flow, quantise=True)


def layout_figure(image: np.ndarray, names: Sequence[str], title: str) -> Figure:
    """One picture as it is stored, and what the network sees of it, transposed and reshaped.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3)
        Levels 0..255.
    names : sequence of str
        What the three channels hold.
    title : str
        Clip and step.

    Returns
    -------
    Figure
        Left the transposed, right the reshaped picture: in colour (the three planes as red, green
        and blue), then plane by plane. All eight share one stretch of contrast.
    """
    reshaped = reshaped_layout(image[None])[0]
    low, high = np.percentile(image, [0.5, 99.5])
    high = max(high, low + 1)
    with figure_style():
        fig, axes = plt.subplots(4, 2, figsize=(WIDTH, 9.6))
        columns = (("transposed", image), ("reshaped", reshaped))
        for column, (name, picture) in enumerate(columns):
            axes[0, column].imshow(np.clip((picture - low) / (high - low), 0, 1))
            axes[0, column].set_title(f"{name}: as colours", fontsize=10)
            for plane in range(3):
                ax = axes[plane + 1, column]
                ax.imshow(picture[..., plane], cmap="gray", vmin=low, vmax=high)
                meaning = names[plane] if column == 0 else f"{_THIRDS[plane]} third, mixed"
                ax.set_title(f"plane {plane}: {meaning}", fontsize=10)
        for ax in axes.flat:
            bare(ax)
        fig.suptitle(title, fontsize=11, x=0.01, ha="left")
    return fig


_THIRDS = ("top", "middle", "bottom")


def flow_counts(flows: Iterable[np.ndarray]) -> pd.DataFrame:
    """Count flow values by size, fine enough to see what steps of 1/16 pixel do to them.

    Parameters
    ----------
    flows : iterable of ndarray, shape (..., 2) or (..., 3)
        Flow in pixels per frame, clip by clip; a third channel is the speed, which else is that
        of the two components.

    Returns
    -------
    DataFrame
        Index `px`, the lower edge of bins of 1/128 px from -8 to 8; columns `components` (share of
        the values of p and q) and `speed` (share of the pixels by speed). What lies beyond is
        counted in the outermost bins.
    """
    bins = round(2 * _REACH / _BIN)
    counts = np.zeros((2, bins), np.int64)
    for flow in flows:
        flow = np.asarray(flow, np.float64)
        speed = flow[..., 2] if flow.shape[-1] == 3 else np.hypot(flow[..., 0], flow[..., 1])
        for row, values in ((0, flow[..., :2]), (1, speed)):
            place = np.clip(np.floor((values + _REACH) / _BIN), 0, bins - 1).astype(np.int64)
            counts[row] += np.bincount(place.ravel(), minlength=bins)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    index = pd.Index(-_REACH + _BIN * np.arange(bins), name="px")
    return pd.DataFrame({"components": shares[0], "speed": shares[1]}, index=index)


def quantised(counts: pd.DataFrame) -> pd.DataFrame:
    """Gather `flow_counts` into the levels of the authors' 8-bit flow.

    Returns
    -------
    DataFrame
        Index `level` (0..255); `px`, the value that has that level, which values up to half a step
        away become; `components` and `speed` as in `flow_counts`.
    """
    level = eight_bit(16 * counts.index.to_numpy() + 128).astype(int)
    table = counts.groupby(level).sum().rename_axis("level")
    table.insert(0, "px", (table.index - 128) * STEP)
    return table


def quantisation_facts(counts: pd.DataFrame) -> dict[str, float]:
    """Few numbers about what 8-bit storage does to the flow of `flow_counts`.

    Returns
    -------
    dict
        `still`: share of the pixels slower than half a step (their magnitude has the level of no
        motion, 128); `zero`: share of the values of p and q with that level; `levels`: number of
        levels that hold 99% of the values of p and q; `clipped`: share of p and q at the ends, 0
        and 255; `spread`: root mean square of p and q in steps.
    """
    table = quantised(counts)
    values = np.sort(table["components"].to_numpy())[::-1]
    centre = counts.index.to_numpy() + _BIN / 2
    spread = np.sqrt(np.average(centre**2, weights=counts["components"])) / STEP
    return {
        "still": float(table.loc[128, "speed"]),
        "zero": float(table.loc[128, "components"]),
        "levels": int(np.searchsorted(np.cumsum(values), 0.99) + 1),
        "clipped": float(table.loc[[0, 255], "components"].sum()),
        "spread": float(spread),
    }


def quantisation_figure(counts: dict[str, pd.DataFrame], title: str) -> Figure:
    """Flow values against the steps of 8-bit storage, and how many pixels fall below half a step.

    Parameters
    ----------
    counts : dict of str to DataFrame
        Name of a set of flows to its `flow_counts`; the first is drawn as histogram, all as
        cumulative curves.
    title : str
        What was counted.
    """
    first = next(iter(counts.values()))
    inner = first.loc[-8.5 * STEP : 8.5 * STEP - _BIN]
    steps = quantised(inner)
    looks = ((OKABE_ITO["blue"], "-"), (OKABE_ITO["vermilion"], "--"))
    with figure_style():
        fig, (top, bottom) = plt.subplots(2, 1, figsize=(WIDTH, 6.0))
        top.bar(
            steps["px"], steps["components"], STEP, color="0.85", edgecolor="0.5",
            label="levels of 1/16 px",
        )  # fmt: skip
        eighth = np.append(inner["components"] * round(STEP / _BIN), 0)
        top.step(
            [*inner.index, inner.index[-1] + _BIN], eighth, where="post", color=OKABE_ITO["blue"],
            linewidth=1.2, label="before, same area",
        )  # fmt: skip
        top.set_yscale("log")
        top.set_xlim(-8 * STEP, 8 * STEP)
        top.set_xlabel("Flow component $p$ or $q$ (px per frame)")
        top.set_ylabel("Share of the values in 1/16 px")
        top.set_title(f"{next(iter(counts))}", fontsize=10)
        top.legend(loc="upper right")
        bottom.axvspan(0, STEP / 2, color="0.88", label="below half a step: level of no motion")
        for (name, table), (colour, line) in zip(counts.items(), looks, strict=False):
            speed = table.loc[-_BIN / 2 :, "speed"]
            edges = [0, *(speed.index + _BIN)]
            bottom.plot(edges, [0, *speed.cumsum()], line, color=colour, label=name)
        bottom.set_xlim(0, 8 * STEP)
        bottom.set_ylim(0, 1)
        bottom.set_xlabel("Speed $|v|$ (px per frame)")
        bottom.set_ylabel("Share of pixels at most so fast")
        bottom.legend(loc="lower right")
        fig.suptitle(title, fontsize=11, x=0.01, ha="left")
    return fig


def quantisation_summary(counts: dict[str, pd.DataFrame]) -> str:
    """Say in Markdown what `quantisation_facts` found, one sentence a set of flows."""
    lines = []
    for name, table in counts.items():
        facts = quantisation_facts(table)
        lines.append(
            f"- **{name[:1].upper()}{name[1:]}**: {facts['still']:.0%} of the pixels are slower "
            f"than half a step; {facts['zero']:.0%} of the values of $p$ and $q$ become the level "
            f"of no motion, and {facts['levels']} of 256 levels hold 99% of them. Their "
            f"root mean square is {facts['spread']:.2g} steps; {facts['clipped']:.2%} are clipped."
        )
    return "\n".join(lines)
