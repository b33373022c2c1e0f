"""One picture of a prediction: frames, flow, Grad-CAM, probabilities, and what was trained on.

And what it shares with other pictures: motion as colour that colour-blind readers can read.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from scipy.linalg import inv

from elrcn.errors import ElrcnError
from elrcn.files import write
from elrcn.predict import Prediction, training_statement
from elrcn.preprocess.flow import tvl1_flow

#: Okabe and Ito's palette (2008), distinguishable under every common colour blindness.
OKABE_ITO = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
}

#: Width of a figure in inches. 5 inches are 480 CSS pixels: on a phone 340 pixels wide the text
#: below shrinks to about 70% and stays legible, and on a desk it fills two thirds of the column.
WIDTH = 5.0

STYLE = {
    "figure.dpi": 96,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    # Without a salt, ids in the SVG are random and the same figure gives other bytes.
    "svg.hashsalt": "elrcn",
    "image.interpolation": "none",
}

_STREAMS = {"all": "all channels", "flow": "flow", "strain": "strain", "grey": "grey"}
_LINE = 86  # characters of the small print that fit the figure's width
_DPI = 200
_SIDE, _GAP = 0.06, 0.12  # inches
_COLUMN = (WIDTH - 2 * (_SIDE + _GAP)) / 3
_TITLE, _KEY, _PRINT = 0.24, 0.45, 0.155  # heights: a row's titles, colour bar, a line of print


@contextmanager
def figure_style() -> Iterator[None]:
    """Matplotlib settings of the book's figures, restored on leaving."""
    with mpl.rc_context(STYLE):
        yield


def figure_svg(fig: Figure) -> bytes:
    """Return `fig` as SVG whose bytes depend on what is drawn and on nothing else."""
    buffer = io.BytesIO()
    with figure_style():
        fig.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


# --- motion as colour ----------------------------------------------------------------------------

_SRGB_OF_XYZ = inv(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])  # D65


def flow_colours(flow: np.ndarray, limit: float) -> np.ndarray:
    """Colour a flow field so that colour-blind readers can tell all directions apart.

    Horizontal motion goes from blue (left) through grey to yellow (right), vertical motion from
    light (up) to dark (down). No red-green contrast carries anything.

    Parameters
    ----------
    flow : ndarray, shape (H, W, 2)
        Pixels; y grows downwards.
    limit : float
        Speed in pixels drawn with full strength; beyond it colours saturate.

    Returns
    -------
    ndarray, shape (H, W, 3)
        sRGB in [0, 1].
    """
    scaled = np.asarray(flow, dtype=float) / limit
    speed = np.linalg.norm(scaled, axis=-1, keepdims=True)
    scaled = scaled / np.maximum(speed, 1)
    lab = np.zeros((*scaled.shape[:-1], 3))
    lab[..., 0] = 62 - 33 * scaled[..., 1]
    lab[..., 2] = 62 * scaled[..., 0]
    return _srgb(lab)


def _srgb(lab: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) to sRGB in [0, 1]; what cannot be shown is clipped, as scikit-image does."""
    y = (lab[..., 0] + 16) / 116
    xyz = np.stack([y + lab[..., 1] / 500, y, np.maximum(y - lab[..., 2] / 200, 0)], axis=-1)
    xyz = np.where(xyz > 0.2068966, np.power(xyz, 3.0), (xyz - 16 / 116) / 7.787) * _WHITE
    linear = xyz @ _SRGB_OF_XYZ.T
    bright = 1.055 * np.power(np.maximum(linear, 0), 1 / 2.4) - 0.055
    return np.clip(np.where(linear > 0.0031308, bright, 12.92 * linear), 0, 1)


def colour_wheel(ax, limit: float) -> None:
    """Draw the legend of `flow_colours`: a disc whose radius is `limit` pixels."""
    axis = np.linspace(-limit, limit, 121)
    field = np.stack(np.meshgrid(axis, axis), axis=-1)
    image = np.dstack([flow_colours(field, limit), np.linalg.norm(field, axis=-1) <= limit])
    ax.imshow(image, extent=(-limit, limit, limit, -limit))
    ax.axhline(0, color="black", linewidth=0.4)
    ax.axvline(0, color="black", linewidth=0.4)
    ax.set_xticks([-limit, 0, limit], [f"{-limit:.2g}", "0", f"{limit:.2g}"], fontsize=8)
    ax.set_yticks([-limit, 0, limit], ["", "0", ""], fontsize=8)
    ax.set_xlabel("left · right (px)", fontsize=8)
    ax.set_ylabel("down · up", fontsize=8)
    ax.set_title("colour key", fontsize=9)
    ax.spines[:].set_visible(False)


def speed_limit(flow: np.ndarray) -> float:
    """Speed reached by one pixel in two hundred, to two digits: the scale of a flow figure."""
    value = float(np.percentile(np.linalg.norm(flow, axis=-1), 99.5))
    return float(f"{max(value, 1e-3):.2g}")


def bare(ax) -> None:
    """Take ticks and frame off axes that show a picture."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


# --- a prediction --------------------------------------------------------------------------------


def shown_frames(prediction: Prediction) -> list[int]:
    """Positions of the frames drawn: first, middle, last.

    The middle stands in for the apex, which nobody has labelled. On the synthetic dataset it lies
    nearer the true apex than the frame that changed most, which a blink or a drift of the head
    takes for itself.
    """
    last = len(prediction.recording) - 1
    return sorted({0, (last + 1) // 2, last})


def prediction_figure(prediction: Prediction) -> Figure:
    """Draw what went into a prediction and what came out.

    Rows: first, middle and last frame; optical flow between them, computed on the frames as
    drawn; Grad-CAM of the most probable class, over time for a model of one stream and a panel a
    stream for several; the probabilities. Below them, on what the model was trained.

    Parameters
    ----------
    prediction : Prediction
        With or without Grad-CAM.
    """
    places = shown_frames(prediction)
    height, width = prediction.clip.pictures[0].shape
    tall = _COLUMN * min(max(height / width, 0.6), 1.6)
    notes, panels = _notes(prediction), _panels(prediction, places)
    rows = {"title": 0.3, "frames": tall + _TITLE, "flow": tall + _TITLE + 0.06}
    if panels:
        rows["maps"] = tall + _TITLE + _KEY
    rows["bars"] = 0.75 + 0.26 * len(prediction.classes)
    rows["notes"] = _PRINT * len(notes) + 0.1
    edges = np.cumsum([0.0, *rows.values()])
    top = dict(zip(rows, edges[:-1].tolist(), strict=True))
    name = textwrap.shorten(prediction.recording.path.name, 34, placeholder="…")
    first, last = prediction.recording.numbers[0], prediction.recording.numbers[-1]
    with figure_style():
        # Laid out by hand: the solver of constrained layout rounds differently from run to run.
        fig = plt.figure(figsize=(WIDTH, float(edges[-1])), layout="none")
        _write(fig, f"{name}, frames {first} to {last}", 0.07, fontsize=11)
        _draw_frames(_row(fig, top["frames"], tall), prediction, places)
        _draw_flow(_row(fig, top["flow"], tall), prediction, places)
        if panels:
            _draw_maps(_row(fig, top["maps"], tall), prediction, panels)
            y = top["maps"] + _TITLE + tall + 0.08
            _draw_key(_axes(fig, WIDTH / 4, y, WIDTH / 2, 0.07), prediction.best)
        ax = _axes(fig, 0.85, top["bars"] + 0.1, WIDTH - 0.85 - _SIDE, rows["bars"] - 0.6)
        _draw_bars(ax, prediction)
        for k, (line, colour) in enumerate(notes):
            _write(fig, line, top["notes"] + k * _PRINT, fontsize=7.5, color=colour)
    return fig


def _axes(fig, x, y, width, height):
    """Axes at a place given in inches from the top left corner."""
    wide, high = fig.get_size_inches()
    return fig.add_axes((x / wide, 1 - (y + height) / high, width / wide, height / high))


def _row(fig, y, height):
    """Three axes beside each other below their titles."""
    return [_axes(fig, _SIDE + k * (_COLUMN + _GAP), y + _TITLE, _COLUMN, height) for k in range(3)]


def _write(fig, text, y, **style):
    wide, high = fig.get_size_inches()
    fig.text(_SIDE / wide, 1 - y / high, text, va="top", **style)


def _notes(prediction: Prediction) -> list[tuple[str, str]]:
    """Lines of the small print, each with its colour."""
    origin = training_statement(prediction.card)
    loud = OKABE_ITO["vermilion"] if origin.startswith("SYNTHETIC") else "black"
    paragraphs = [
        (origin, loud),
        (
            f"Input: {prediction.clip.cut}. Flow here is between the frames drawn; the network "
            f"gets it in {len(prediction.clip.stack)} steps. Grad-CAM: the spatial network's "
            f"evidence for {prediction.best}, each map scaled to its own maximum.",
            "black",
        ),
        *((remark, "black") for remark in prediction.remarks),
    ]
    return [(line, colour) for text, colour in paragraphs for line in textwrap.wrap(text, _LINE)]


def _label(prediction: Prediction, place: int) -> str:
    number = prediction.recording.numbers[place]
    if place == 0:
        return f"onset: {number}"
    if place == len(prediction.recording) - 1:
        return f"offset: {number}"
    return f"middle: {number}"


def _draw_frames(axes, prediction, places):
    for ax in axes:
        bare(ax)
    for ax, place in zip(axes, places, strict=False):
        ax.imshow(prediction.clip.pictures[place], cmap="gray", vmin=0, vmax=255)
        ax.set_title(_label(prediction, place), fontsize=9)


def _draw_flow(axes, prediction, places):
    pictures, numbers = prediction.clip.pictures, prediction.recording.numbers
    pairs = list(pairwise(places))
    flows = [tvl1_flow(pictures[a], pictures[b], prediction.config.flow) for a, b in pairs]
    # The picture's edge, where flow knows least, must not set the scale.
    edge = max(1, min(pictures[0].shape) // 12)
    limit = max(speed_limit(flow[edge:-edge, edge:-edge]) for flow in flows)
    for ax in axes[:2]:
        bare(ax)
    for ax, (a, b), flow in zip(axes, pairs, flows, strict=False):
        ax.imshow(flow_colours(flow, limit))
        ax.set_title(f"flow, {numbers[a]} to {numbers[b]}", fontsize=9)
    # A wheel of at most 0.9 inches, its top level with the pictures' and its labels inside the row.
    box, (wide, high) = axes[2].get_position(), axes[2].figure.get_size_inches()
    side = min(0.9, box.height * high - 0.38)
    x, y = box.x1 - (side + 0.1) / wide, box.y1 - side / high
    axes[2].set_position((x, y, side / wide, side / high))
    colour_wheel(axes[2], limit)


def _panels(prediction: Prediction, places) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Title, map and the picture under it: by time for one stream, by stream for several."""
    pictures, frames = prediction.clip.pictures, len(prediction.recording)
    if len(prediction.maps) == 1:
        (maps,) = prediction.maps.values()
        steps = len(maps)
        found = []
        for place in places:
            step = min(steps - 1, int(place / (frames - 1) * steps))
            if all(step != other for other, _ in found):
                found.append((step, place))
        return [(f"Grad-CAM, step {s + 1}/{steps}", maps[s], pictures[p]) for s, p in found]
    picture = pictures[frames // 2]
    panels = []
    for stream, maps in list(prediction.maps.items())[:3]:
        peaks = maps.max((1, 2), keepdims=True)
        mean = (maps / np.where(peaks > 0, peaks, 1)).mean(0)
        panels.append((f"Grad-CAM, {_STREAMS.get(stream, stream)}", mean, picture))
    return panels


def _draw_maps(axes, prediction, panels):
    for ax in axes:
        bare(ax)
    for ax, (title, values, picture) in zip(axes, panels, strict=False):
        height, width = picture.shape
        ax.imshow(picture, cmap="gray", vmin=0, vmax=255)
        scaled = values / values.max() if values.max() > 0 else values
        # Transparency is blended in by hand: an SVG drops an array given as alpha.
        heat = plt.get_cmap("viridis")(scaled)
        heat[..., 3] = 0.75 * np.clip(scaled, 0, 1) ** 0.8
        ax.imshow(
            heat,
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),
            interpolation="bilinear",
        )
        ax.set_title(title if values.max() > 0 else f"{title}: none", fontsize=9)


def _draw_key(ax, best):
    key = plt.cm.ScalarMappable(plt.Normalize(0, 1), "viridis")
    bar = ax.figure.colorbar(key, cax=ax, orientation="horizontal")
    bar.set_ticks([0, 1], labels=["no evidence", f"most for “{best}”"], fontsize=8)
    bar.outline.set_visible(False)


def _draw_bars(ax, prediction: Prediction):
    values = prediction.probabilities
    best = int(values.argmax())
    places = np.arange(len(values))
    colours = [OKABE_ITO["blue"] if i == best else "0.72" for i in places]
    ax.barh(places, values, color=colours, height=0.7)
    for i, value in enumerate(values):
        weight = "bold" if i == best else "normal"
        text = ax.text(value + 0.01, i, f"{value:.2f}", va="center", fontsize=9, weight=weight)
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.5})
    ax.axvline(1 / len(values), color="0.3", linestyle=":", linewidth=1)
    ax.text(1 / len(values) + 0.005, -0.62, "equal shares", fontsize=7.5, color="0.3", va="bottom")
    ax.set_yticks(places, prediction.classes)
    ax.set_ylim(len(values) - 0.5, -1.1)
    ax.set_xlim(0, 1.08)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1])
    ax.set_xlabel("probability (not calibrated)", fontsize=9)


def save_prediction(prediction: Prediction, path: str | Path) -> Path:
    """Write the picture of a prediction, whole or not at all.

    Parameters
    ----------
    prediction : Prediction
    path : str or Path
        Ends in ``.svg`` or ``.png`` (200 dpi).

    Returns
    -------
    Path

    Raises
    ------
    ElrcnError
        If the suffix is another or the file cannot be written.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in (".svg", ".png"):
        raise ElrcnError(
            f"A picture cannot be written as {kind or 'a file without suffix'!r}.",
            where=path,
            fix="let its name end in .svg or .png",
        )
    fig = prediction_figure(prediction)
    try:
        if kind == ".svg":
            data = figure_svg(fig)
        else:
            buffer = io.BytesIO()
            with figure_style():
                fig.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
            data = buffer.getvalue()
    finally:
        plt.close(fig)
    return write(path, data)
