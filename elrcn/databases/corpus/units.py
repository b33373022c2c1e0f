"""Action units as displacement fields: where each muscle pulls the skin, and how it creases it.

Places and directions follow the muscles' description in the *Facial Action Coding System* (Ekman,
Friesen and Hager 2002). Amplitudes are those of micro-expressions: fields here have a peak of one
pixel and are scaled by a clip's time course.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elrcn.databases.corpus.canvas import Canvas, bump, smoothstep
from elrcn.databases.corpus.identity import Identity

#: Parts of the mask: where a field is at least this share of its peak.
MASK_SHARE = 0.25


@dataclass(frozen=True)
class Pull:
    """Skin around a landmark pulled one way.

    Attributes
    ----------
    anchor : str
        Name of a landmark (see `landmarks`); those off the middle exist on both sides.
    offset : (x, y) from the landmark, x away from the middle
    spread : (sx, sy) standard deviations
    pull : (dx, dy), dx away from the middle, dy downwards
    """

    anchor: str
    offset: tuple[float, float]
    spread: tuple[float, float]
    pull: tuple[float, float]


@dataclass(frozen=True)
class Crease:
    """A groove (depth > 0) or bulge (depth < 0) that deepens with the pull; lengths as above."""

    anchor: str
    offset: tuple[float, float]
    spread: tuple[float, float]
    angle: float
    depth: float


P, C = Pull, Crease
#: number: (pulls, creases)
UNITS: dict[int, tuple[tuple[Pull, ...], tuple[Crease, ...]]] = {
    1: (
        (P("brow_inner", (0.02, -0.05), (0.13, 0.16), (0, -1)),),
        (
            C("brow_inner", (-0.1, -0.2), (0.16, 0.012), 0.1, 1.0),
            C("brow_inner", (-0.1, -0.3), (0.16, 0.012), 0.1, 0.8),
        ),
    ),
    2: (
        (P("brow_outer", (-0.04, -0.04), (0.15, 0.15), (0.15, -1)),),
        (C("brow_outer", (-0.08, -0.16), (0.14, 0.012), -0.2, 1.0),),
    ),
    4: (
        (P("brow_inner", (0.06, 0.0), (0.17, 0.11), (-0.62, 0.8)),),
        (
            C("glabella", (0.065, 0.0), (0.011, 0.085), 0.0, 1.3),
            C("glabella", (0.0, 0.1), (0.1, 0.012), 0.0, 0.5),
        ),
    ),
    5: (
        (P("upper_lid", (0.0, -0.015), (0.17, 0.055), (0, -1)),),
        (C("upper_lid", (0.0, -0.06), (0.15, 0.011), 0.0, 0.7),),
    ),
    6: (
        (
            P("cheek", (0.02, -0.06), (0.2, 0.13), (0.1, -1)),
            P("outer_eye", (0.1, 0.04), (0.08, 0.11), (-0.75, -0.2)),
        ),
        (
            C("outer_eye", (0.1, 0.0), (0.07, 0.009), 0.25, 0.9),
            C("outer_eye", (0.09, 0.06), (0.07, 0.009), 0.5, 0.7),
        ),
    ),
    7: (
        (
            P("lower_lid", (0.0, 0.02), (0.16, 0.05), (-0.1, -1)),
            P("upper_lid", (0.0, -0.01), (0.16, 0.045), (0, 0.45)),
        ),
        (C("lower_lid", (-0.02, 0.05), (0.13, 0.012), 0.05, 0.8),),
    ),
    9: (
        (
            P("nose_side", (0.02, 0.0), (0.1, 0.16), (0, -1)),
            P("brow_inner", (-0.04, 0.03), (0.1, 0.08), (-0.25, 0.55)),
        ),
        (
            C("nose_root", (0.06, 0.08), (0.06, 0.01), 0.35, 1.1),
            C("nose_root", (0.07, 0.15), (0.06, 0.01), 0.45, 0.9),
        ),
    ),
    10: (
        (
            P("upper_lip", (0.05, -0.03), (0.12, 0.085), (0.05, -1)),
            P("wing", (0.08, 0.03), (0.09, 0.1), (0.1, -0.7)),
        ),
        (C("wing", (0.1, 0.08), (0.011, 0.09), -0.5, 1.0),),
    ),
    12: (
        (
            P("corner", (0.02, -0.01), (0.12, 0.1), (0.75, -0.75)),
            P("corner", (0.17, -0.28), (0.16, 0.14), (0.3, -0.55)),
        ),
        (
            C("corner", (0.1, -0.12), (0.012, 0.11), -0.45, 1.1),
            C("cheek", (0, 0.08), (0.16, 0.1), 0, -0.8),
        ),
    ),
    14: (
        (P("corner", (0.1, 0.02), (0.09, 0.11), (-1, 0.0)),),
        (C("corner", (0.07, 0.0), (0.012, 0.055), 0.0, 1.5),),
    ),
    15: (
        (P("corner", (-0.01, 0.05), (0.1, 0.11), (0.12, 1)),),
        (C("corner", (0.04, 0.12), (0.012, 0.08), -0.5, 1.0),),
    ),
    17: (
        (
            P("chin", (0.0, -0.02), (0.2, 0.13), (0, -1)),
            P("lower_lip", (0.0, 0.03), (0.18, 0.07), (0, -0.6)),
        ),
        (
            C("chin", (0.07, -0.02), (0.025, 0.02), 0.0, 0.9),
            C("chin", (0.0, -0.15), (0.16, 0.016), 0.0, 0.8),
        ),
    ),
    20: (
        (P("corner", (0.03, 0.05), (0.15, 0.12), (1, 0.12)),),
        (C("corner", (0.08, 0.06), (0.012, 0.09), -0.15, 0.7),),
    ),
    23: (
        (
            P("corner", (-0.06, 0.0), (0.1, 0.075), (-0.8, 0)),
            P("upper_lip", (-0.1, 0.01), (0.16, 0.05), (0, 0.45)),
            P("lower_lip", (0.0, 0.02), (0.16, 0.055), (0, -0.45)),
        ),
        (C("upper_lip", (-0.08, -0.03), (0.15, 0.01), 0.0, 0.7),),
    ),
    24: (
        (
            P("upper_lip", (-0.1, 0.0), (0.22, 0.065), (0, 0.9)),
            P("lower_lip", (0.0, 0.04), (0.22, 0.07), (0, -1)),
        ),
        (C("lower_lip", (0.0, 0.07), (0.2, 0.012), 0.0, 1.0),),
    ),
    25: (
        (
            P("upper_lip", (-0.1, 0.03), (0.2, 0.045), (0, -0.55)),
            P("lower_lip", (0.0, 0.0), (0.2, 0.07), (0, 1)),
        ),
        (),
    ),
    26: (
        (
            P("chin", (0.0, 0.0), (0.36, 0.22), (0, 1)),
            P("lower_lip", (0.0, 0.02), (0.22, 0.09), (0, 0.75)),
        ),
        (),
    ),
}


def landmarks(who: Identity) -> dict[str, tuple[float, float]]:
    """Places on a face that the pulls refer to, ``name: (|x|, y)`` in face units."""
    return {
        "brow_inner": (who.brow_inner + 0.06, who.brow_y - 0.02),
        "brow_outer": (who.brow_outer - 0.08, who.brow_y - 0.03),
        "glabella": (0.0, who.brow_y + 0.02),
        "upper_lid": (who.eye_x, -who.eye_up),
        "lower_lid": (who.eye_x, who.eye_low),
        "outer_eye": (who.eye_x + who.eye_half, who.eye_tilt * who.eye_half),
        "cheek": (0.55, who.cheek_y - 0.1),
        "nose_root": (0.0, 0.02),
        "nose_side": (0.75 * who.nose_width, 0.32),
        "wing": (who.nose_width, who.nose_tip + 0.06),
        "upper_lip": (0.1, who.mouth_y - 0.6 * who.lip_upper),
        "lower_lip": (0.0, who.mouth_y + 0.6 * who.lip_lower),
        "corner": (who.mouth_half, who.mouth_y),
        "chin": (0.0, who.chin_y - 0.24),
    }


def _weights(x, side: str):
    """How much each half of the face takes part; person's left is the image's right."""
    if side == "L":
        return smoothstep(x, -0.06, 0.06)
    if side == "R":
        return smoothstep(x, 0.06, -0.06)
    if side == "A":
        return 0.45 + 0.55 * smoothstep(x, -0.06, 0.06)
    return np.ones_like(x)


def displacement_field(canvas: Canvas, who: Identity, number: int, side: str = "") -> np.ndarray:
    """Displacement of the skin by one action unit at a peak of one pixel.

    Parameters
    ----------
    canvas : Canvas
        View on which to evaluate.
    who : Identity
    number : int
        A key of `UNITS`.
    side : {"", "L", "R", "A"}
        Both sides, the person's left or right only, or more on the left.

    Returns
    -------
    (h, w, 2) float32
        x to the right, y downwards; the largest vector has length 1.
    """
    x, y = canvas.grid()
    places = landmarks(who)
    field = np.zeros((*x.shape, 2), np.float32)
    for pull in UNITS[number][0]:
        ax, ay = places[pull.anchor]
        cx, cy = ax + pull.offset[0], ay + pull.offset[1]
        for sign in (-1, 1):
            if cx == 0 and sign == 1:
                continue
            weight = bump(x, y, sign * cx, cy, *pull.spread)
            field[..., 0] += sign * pull.pull[0] * weight * (cx != 0)
            field[..., 1] += pull.pull[1] * weight
    field *= _weights(x, side)[..., None]
    return field / max(float(np.hypot(field[..., 0], field[..., 1]).max()), 1e-6)


def crease_relief(canvas: Canvas, who: Identity, number: int, side: str = "") -> np.ndarray:
    """Height ``(h, w)`` in face units that one pixel of this unit adds to the skin."""
    x, y = canvas.grid()
    places = landmarks(who)
    z = np.zeros_like(x)
    for crease in UNITS[number][1]:
        ax, ay = places[crease.anchor]
        cx, cy = ax + crease.offset[0], ay + crease.offset[1]
        for sign in (-1, 1):
            if cx == 0 and sign == 1:
                continue
            z -= crease.depth * bump(x, y, sign * cx, cy, *crease.spread, sign * crease.angle)
    return 0.0022 * z * _weights(x, side)


def field_mask(field: np.ndarray) -> np.ndarray:
    """Where a displacement field ``(h, w, 2)`` counts as its action unit's place, bool."""
    length = np.hypot(field[..., 0], field[..., 1])
    return length >= MASK_SHARE * length.max()
