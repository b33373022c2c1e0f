"""The height map of a face: head, brow ridge, sockets, nose, cheeks, lips, chin, folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elrcn.databases.corpus.canvas import Canvas, bump, smoothstep, spline
from elrcn.databases.corpus.identity import Identity


@dataclass(frozen=True)
class Relief:
    """Shape of a head on a canvas.

    Attributes
    ----------
    z : (h, w) float32
        Height towards the camera in face units, skin detail left out.
    inside : (h, w) float32
        Coverage of the head (without hair and ears), 0 to 1.
    edge : (h, w) float32
        Distance inside the outline in face units, negative outside.
    """

    z: np.ndarray
    inside: np.ndarray
    edge: np.ndarray


def build_relief(canvas: Canvas, who: Identity) -> Relief:
    """Height map of `who` as seen from the front."""
    x, y = canvas.grid()
    z, edge = _head(x, y, who)
    pixel = 1.0 / canvas.unit
    inside = np.clip(0.5 + edge / (1.6 * pixel), 0, 1)
    xa = np.abs(x) * (1 + who.asymmetry * np.sign(x))
    z = z + _upper(x, xa, y, who) + _nose(x, xa, y, who) + _lower(x, xa, y, who)
    return Relief(z.astype(np.float32), inside.astype(np.float32), edge.astype(np.float32))


def _head(x, y, who):
    """Skull and face as two superellipsoids, joined smoothly; also the signed edge distance."""
    top, chin = who.skull_top, who.chin_y
    middle = -0.36
    radius = middle - top
    low = np.clip(y - middle, 0, None) / 1.35 + np.clip(middle - y, 0, None) / radius
    skull = 1 - (x / who.skull_width) ** 2 - low**2
    centre = 0.33
    up = np.clip(centre - y, 0, None) / 1.32
    down = np.clip(y - centre, 0, None) / (chin - centre)
    width = who.jaw_width * (1 - who.taper * smoothstep(y, 0.35, 1.45))
    face = 1 - np.abs(x / width) ** 2.25 - up**2 - down ** np.float32(who.jaw_square)
    depths = []
    for q, rz in ((skull, 1.02), (face, 0.98)):
        depths.append(rz * np.sign(q) * np.sqrt(np.abs(q) + 1e-6))
    k = 9.0
    peak = np.maximum(depths[0], depths[1])
    z = peak + np.log(np.exp(k * (depths[0] - peak)) + np.exp(k * (depths[1] - peak))) / k
    best = np.maximum(skull, face)
    gy, gx = np.gradient(best)
    step = np.abs(x[0, 1] - x[0, 0])
    slope = np.sqrt(gx**2 + gy**2) / step
    return np.maximum(z, 0), best / np.maximum(slope, 0.4)


def _upper(x, xa, y, who):
    """Brow ridge, eye sockets, eyeballs, lids and bags."""
    brow = who.brow_y + 0.02
    z = who.brow_ridge * bump(xa, y, 0.42, brow, 0.27, 0.085, 0.08)
    z += 0.4 * who.brow_ridge * bump(x, y, 0, brow + 0.03, 0.16, 0.1)
    z += 0.03 * bump(x, y, 0, -0.7, 0.5, 0.25)
    z -= who.eye_depth * bump(xa, y, who.eye_x - 0.03, -0.02, 0.235, 0.145)
    z -= 0.6 * who.eye_depth * bump(xa, y, 0.22, 0.02, 0.09, 0.12)
    # The eyeball under its lids, and the hollow below it.
    z += 0.10 * bump(xa, y, who.eye_x, 0.0, 0.155, 0.098)
    crease = -(who.eye_up + who.lid_crease)
    arc = y - crease + 0.9 * (xa - who.eye_x) ** 2
    z -= 0.014 * who.lid_fold * np.exp(-((arc / 0.014) ** 2)) * bump(xa, y, who.eye_x, 0, 0.16, 1)
    under = y - (who.eye_low + 0.10) + 0.75 * (xa - who.eye_x) ** 2 * -1
    z -= (
        0.012 * who.bag * np.exp(-((under / 0.03) ** 2)) * bump(xa, y, who.eye_x - 0.05, 0, 0.15, 1)
    )
    z += 0.016 * who.bag * bump(xa, y, who.eye_x - 0.03, who.eye_low + 0.055, 0.14, 0.03)
    z -= 0.02 * bump(xa, y, 0.92, -0.15, 0.12, 0.25)
    return z


def _nose(x, xa, y, who):
    """Bridge, tip, wings, nostrils, base."""
    tip, width = who.nose_tip, who.nose_width
    height = spline(
        y,
        (-0.55, -0.3, -0.08, 0.15, tip - 0.1, tip, tip + 0.09, tip + 0.16, tip + 0.3),
        np.array((0.0, 0.02, 0.14, 0.45, 0.85, 1.0, 0.62, 0.1, 0.0)) * who.nose_height,
    )
    spread = spline(
        y,
        (-0.5, -0.1, 0.15, tip - 0.12, tip, tip + 0.2),
        (0.16, who.nose_bridge, who.nose_bridge * 1.15, width * 0.72, width * 0.78, width * 0.6),
    )
    z = height * np.exp(-((xa / spread) ** 2))
    z += 0.085 * bump(x, y, 0, tip, who.nose_round, who.nose_round * 0.95)
    wing = width * 0.86
    z += 0.115 * bump(xa, y, wing, tip + 0.065, 0.062, 0.068)
    ring = np.hypot((xa - wing) / 0.105, (y - tip - 0.06) / 0.115)
    crease = np.exp(-(((ring - 1.05) / 0.16) ** 2)) * smoothstep(xa, wing - 0.03, wing + 0.06)
    z -= 0.032 * crease * smoothstep(y, tip - 0.08, tip + 0.0)
    z -= 0.13 * bump(xa, y, width * 0.47, tip + 0.115, 0.042, 0.026, 0.35)
    z -= 0.05 * bump(x, y, 0, tip + 0.2, 0.26, 0.045)
    return z


def _lower(x, xa, y, who):
    """Cheeks, nasolabial fold, philtrum, lips, chin."""
    mouth, half = who.mouth_y, who.mouth_half
    z = who.cheek * bump(xa, y, 0.56, who.cheek_y, 0.23, 0.2, -0.5)
    z -= 0.05 * bump(xa, y, 0.66, 0.95, 0.16, 0.24)
    z += 0.085 * bump(x, y, 0, mouth - 0.02, 0.34, 0.26)
    # Nasolabial fold: the cheek overhangs the lip along a line from the wing to below the corner.
    line = 0.24 + 0.24 * smoothstep(y, who.nose_tip, mouth + 0.12)
    along = smoothstep(y, who.nose_tip - 0.22, who.nose_tip + 0.2)
    along *= smoothstep(y, mouth + 0.28, mouth - 0.08)
    d = (xa - line) / 0.045
    z += (
        who.fold
        * along
        * (0.022 * np.tanh(d) * np.exp(-((d / 4.5) ** 2)) - 0.012 * np.exp(-(d**2)))
    )
    gap = mouth - who.lip_upper - who.nose_tip - 0.16
    centre = mouth - who.lip_upper - 0.5 * gap
    window = smoothstep(y, centre - 0.75 * gap, centre - 0.2 * gap)
    window *= smoothstep(y, centre + 0.75 * gap, centre + 0.3 * gap)
    z += (
        0.02
        * window
        * (bump(xa, y, 0.075, centre, 0.03, 1) - 1.1 * bump(x, y, 0, centre, 0.038, 1))
    )
    t = np.clip(xa / half, 0, 1.2)
    thick = np.clip(1 - t**2.2, 0, 1)
    line_y = lip_line(x, who)
    up, low = who.lip_upper, who.lip_lower
    z += 0.07 * thick * np.exp(-(((y - line_y + 0.5 * up) / (0.62 * up + 0.012)) ** 2))
    z += 0.085 * thick * np.exp(-(((y - line_y - 0.5 * low) / (0.55 * low + 0.012)) ** 2))
    z -= 0.055 * np.exp(-(((y - line_y) / 0.016) ** 2)) * smoothstep(t, 1.08, 0.9)
    z -= 0.020 * bump(xa, y, half + 0.025, mouth + 0.01, 0.035, 0.04)
    z -= 0.055 * bump(x, y, 0, mouth + low + 0.085, 0.24, 0.05)
    z += who.chin_size * bump(x, y, 0, who.chin_y - 0.24, 0.21, 0.13)
    return z


def lip_line(x, who: Identity):
    """Height y of the line between the lips at each x."""
    t = np.clip(x / who.mouth_half, -1.3, 1.3)
    return (
        who.mouth_y
        - who.lip_curve * t**2
        + 0.010 * np.exp(-((t / 0.2) ** 2))
        - 0.006 * np.exp(-(((np.abs(t) - 0.45) / 0.2) ** 2))
    ).astype(np.float32)


def lip_contours(x, who: Identity):
    """Upper and lower edges of the red of the lips at each x."""
    t = np.clip(np.abs(x) / who.mouth_half, 0, 1)
    line = lip_line(x, who)
    upper = who.lip_upper * (1 - t**1.7) ** 0.85
    upper = upper * (1 - who.lip_bow * np.exp(-((t / 0.13) ** 2)))
    lower = who.lip_lower * np.sqrt(np.clip(1 - t**2.3, 0, 1))
    return line - upper, line + lower
