"""Motion as colour that colour-blind readers can read, and the key to it."""

from __future__ import annotations

import numpy as np
from skimage.color import lab2rgb


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
    return np.clip(lab2rgb(lab), 0, 1)


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
