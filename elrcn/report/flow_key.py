"""Motion as colour that colour-blind readers can read, and the key to it."""

from __future__ import annotations

import numpy as np
from scipy.linalg import inv

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
