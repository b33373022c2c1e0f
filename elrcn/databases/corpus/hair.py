"""Hair on the head: strands, hairline, and the styles that frame a face."""

from __future__ import annotations

import numpy as np

from elrcn.databases.corpus.canvas import Canvas, smoothstep
from elrcn.databases.corpus.identity import Identity
from elrcn.databases.corpus.skin import hair_tone

#: top volume, side volume, lowest y of the hair at the sides, half width and top of the opening,
#: how far single strands cross the hairline
_STYLES = {
    "short": (1.0, 0.35, 0.02, 0.93, 0.0, 0.55),
    "crop": (0.45, 0.15, -0.12, 0.95, -0.02, 0.3),
    "receding": (0.4, 0.2, -0.05, 0.96, -0.16, 0.45),
    "swept": (1.2, 0.45, 0.05, 0.92, -0.05, 0.35),
    "long": (0.9, 1.1, 9.0, 0.87, -0.04, 0.4),
    "tied": (0.5, 0.1, -0.05, 0.92, 0.0, 0.25),
    "fringe": (0.9, 1.0, 9.0, 0.85, 0.36, 0.9),
    "bob": (1.0, 1.3, 1.25, 0.84, 0.04, 0.6),
}


def _strand_noise(rng, angle: np.ndarray, cells: int) -> np.ndarray:
    """1-D noise over `angle` (about -pi..pi) with `cells` grains a turn."""
    values = rng.standard_normal(cells + 3).astype(np.float32)
    position = (angle / (2 * np.pi) + 0.5) * cells
    position = np.clip(position, 0, cells + 1)
    base = np.floor(position).astype(np.int32)
    t = position - base
    t = t * t * (3 - 2 * t)
    return values[base] * (1 - t) + values[base + 1] * t


def hair_layers(canvas: Canvas, who: Identity):
    """Hair before and behind the face.

    Returns
    -------
    front, back : (h, w) float32
        Coverage over the face, and over what is behind the head.
    colour : (h, w, 3) float32
        Linear, shaded along the strands.
    """
    whole = canvas
    canvas, cut = whole.window(-1.5, 1.5, -2.2, 9)
    x, y = canvas.grid()
    rng = who.rng(5)
    top, side, low, width, lift, loose = _STYLES[who.style]
    volume = who.hair_volume
    # Strands run from the parting over the skull and, at the sides, hang down.
    px, py = who.parting, who.skull_top - 0.02
    wave = 0.030 * canvas.noise(rng, 0.30) + 0.005 * canvas.noise(rng, 0.09)
    dx, dy = x - px, y - py
    # Streamlines fan out from the parting and then fall: constant along each is dx over this.
    fall = 0.5 * (dy + np.sqrt(dy**2 + 0.02))
    spread = 1.02 - np.exp(-fall / 0.55)
    angle = np.arctan2(dx, spread) + wave
    fine = _strand_noise(rng, angle, 1500) + 0.8 * _strand_noise(rng, angle, 620)
    fine *= np.clip(1 + 0.4 * canvas.noise(rng, 0.08), 0.2, 2)
    locks = _strand_noise(rng, angle, 150) + 0.9 * _strand_noise(rng, angle, 60)
    jag = 0.014 * _strand_noise(rng, angle, 240) + 0.012 * _strand_noise(rng, angle, 90)
    jag += 0.016 * _strand_noise(rng, angle, 620)
    jag *= loose
    # Outer silhouette.
    sx = who.skull_width + 0.04 + volume * side
    cap_top = who.skull_top - volume * top
    middle = -0.4
    upper = np.clip(middle - y, 0, None) / (middle - cap_top)
    outer = 1 - np.abs(x / sx) ** 2.1 - upper**2.1
    if low < 5:
        outer = np.minimum(outer, (low + 0.35 - y) * 0.8 if side < 0.9 else (low - y) * 2.5)
    flare = 1 + (0.10 * smoothstep(y, 0.2, 1.6) if side > 0.9 else 0.0)
    outer = np.where(y > middle, np.minimum(1 - (np.abs(x) / (sx * flare)) ** 2.1, outer), outer)
    back = smoothstep(outer + 0.25 * jag, -0.015, 0.03)
    # Opening of the face.
    line = who.hairline + lift
    wx = width * (1 - 0.03 * smoothstep(y, 0.3, 1.2)) + 0.35 * jag
    shape = np.clip(-y, 0, None) / -(line + 1.6 * jag - 0.0)
    power = 2.6 if who.style == "fringe" else 3.2
    if who.style == "receding":
        shape = shape / (1 + 0.28 * np.exp(-(((np.abs(x) - 0.48) / 0.2) ** 2)))
    elif who.style != "fringe":
        # Parted hair falls to both sides and leaves a peak of forehead free.
        peak = 0.15 if who.style in ("long", "bob", "tied") else 0.05
        shape = shape * (1 - peak * np.exp(-np.abs(dx) / 0.22))
        shape = shape * (1 + 0.10 * (x * np.sign(who.parting or 1)) * (who.style == "swept"))
    opening = 1 - np.abs(x / wx) ** power - shape**power
    thin = 0.05 + 0.05 * (who.style in ("crop", "short", "receding", "tied"))
    front = smoothstep(opening + 0.8 * jag, thin, -0.07) * back
    if side < 0.9:  # cropped at the sides: sideburns fade out
        front *= smoothstep(y + 0.6 * jag, low + 0.06, low - 0.16)
        back = back * smoothstep(y, low + 0.3, low + 0.1)
    if who.style in ("crop", "receding"):
        front *= np.clip(0.82 + 0.25 * fine, 0.25, 1)
    tone = hair_tone(who.hair_melanin, who.hair_red)
    rise = np.hypot(dx / 1.05, (y + 0.25) / 1.25)
    shade = 0.42 + 0.9 * np.clip(1 - rise**2, 0, 1) ** 0.5
    gloss = np.exp(-(((rise - 0.72 + 0.05 * locks) / 0.13) ** 2)) * np.clip(0.7 + 0.5 * fine, 0, 2)
    body = np.clip(shade * (1 + 0.22 * fine + 0.16 * locks), 0.15, None)
    colour = body[..., None] * tone + (0.05 * gloss)[..., None] * (0.35 + 0.65 * tone / tone.max())
    layers = []
    for part in (front, back, colour):
        layer = np.zeros((whole.height, whole.width, *part.shape[2:]), np.float32)
        layer[cut] = part
        layers.append(layer)
    return tuple(layers)
