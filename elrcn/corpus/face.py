"""The picture of a face: relief, skin, eyes, hair, body, light."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from elrcn.corpus.canvas import Canvas, bump, develop, grey, over, smoothstep, spline
from elrcn.corpus.person import Identity, crease_relief, displacement_field, draw_identity


def build_relief(canvas: Canvas, who: Identity) -> tuple[np.ndarray, np.ndarray]:
    """Return the shape of a head seen from the front, without skin detail, hair and ears.

    It is ``z`` ``(h, w)``, the height towards the camera in face units, and the head's coverage.
    """
    x, y = canvas.grid()
    z, edge = _head(x, y, who)
    inside = np.clip(0.5 + edge / (1.6 * (1.0 / canvas.unit)), 0, 1)
    xa = np.abs(x) * (1 + who.asymmetry * np.sign(x))
    z = z + _upper(x, xa, y, who) + _nose(x, xa, y, who) + _lower(x, xa, y, who)
    return z.astype(np.float32), inside.astype(np.float32)


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
    a = 1.02 * np.sign(skull) * np.sqrt(np.abs(skull) + 1e-6)
    b = 0.98 * np.sign(face) * np.sqrt(np.abs(face) + 1e-6)
    peak = np.maximum(a, b)
    z = peak + np.log(np.exp(9.0 * (a - peak)) + np.exp(9.0 * (b - peak))) / 9.0
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
    below = bump(xa, y, who.eye_x - 0.05, 0, 0.15, 1)
    z -= 0.012 * who.bag * np.exp(-((under / 0.03) ** 2)) * below
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
    overhang = 0.022 * np.tanh(d) * np.exp(-((d / 4.5) ** 2)) - 0.012 * np.exp(-(d**2))
    z += who.fold * along * overhang
    gap = mouth - who.lip_upper - who.nose_tip - 0.16
    centre = mouth - who.lip_upper - 0.5 * gap
    window = smoothstep(y, centre - 0.75 * gap, centre - 0.2 * gap)
    window *= smoothstep(y, centre + 0.75 * gap, centre + 0.3 * gap)
    groove = bump(xa, y, 0.075, centre, 0.03, 1) - 1.1 * bump(x, y, 0, centre, 0.038, 1)
    z += 0.02 * window * groove
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
    middle, sides = np.exp(-((t / 0.2) ** 2)), np.exp(-(((np.abs(t) - 0.45) / 0.2) ** 2))
    line = who.mouth_y - who.lip_curve * t**2 + 0.010 * middle - 0.006 * sides
    return line.astype(np.float32)


def lip_contours(x, who: Identity):
    """Upper and lower edges of the red of the lips at each x."""
    t = np.clip(np.abs(x) / who.mouth_half, 0, 1)
    line = lip_line(x, who)
    upper = who.lip_upper * (1 - t**1.7) ** 0.85
    upper = upper * (1 - who.lip_bow * np.exp(-((t / 0.13) ** 2)))
    lower = who.lip_lower * np.sqrt(np.clip(1 - t**2.3, 0, 1))
    return line - upper, line + lower


# fmt: off
_SKIN = ((0.70, 0.48, 0.385), (0.585, 0.375, 0.275), (0.40, 0.225, 0.145), (0.215, 0.108, 0.064),
         (0.105, 0.052, 0.032))
_HAIR = ((0.42, 0.29, 0.15), (0.22, 0.125, 0.055), (0.085, 0.045, 0.022), (0.030, 0.018, 0.012),
         (0.014, 0.011, 0.010))
_IRIS = ((0.20, 0.27, 0.33), (0.17, 0.17, 0.09), (0.11, 0.055, 0.022), (0.03, 0.016, 0.01))
# fmt: on
_BLOOD = np.array((-0.06, -0.55, -0.42), np.float32)


def _tone(level, levels, table) -> np.ndarray:
    """Colour at `level` between the colours of `table` that belong to `levels`."""
    return np.stack([np.interp(level, levels, channel) for channel in np.transpose(table)], -1)


def skin_tone(melanin) -> np.ndarray:
    """Linear RGB reflectance of skin with `melanin` from 0 (fair) to 1 (dark)."""
    return _tone(melanin, (0, 0.25, 0.5, 0.75, 1), _SKIN)


def hair_tone(melanin: float, red: float) -> np.ndarray:
    """Linear RGB of hair: fair at melanin 0, brown at 0.5, black at 1."""
    tone = _tone(melanin, (0, 0.3, 0.55, 0.8, 1), _HAIR)
    return (tone * (1 + red * np.array((0.5, 0.0, -0.2)))).astype(np.float32)


def iris_tone(melanin: float) -> np.ndarray:
    """Linear RGB of an iris: blue-grey, green-hazel, brown, near black."""
    return _tone(melanin, (0, 0.35, 0.65, 1), _IRIS).astype(np.float32)


def albedo(canvas: Canvas, who: Identity) -> np.ndarray:
    """Skin colour ``(h, w, 3)``, linear, before brows, eyes and hair."""
    x, y = canvas.grid()
    xa = np.abs(x)
    rng = who.rng(3)
    mottle = 0.5 * canvas.noise(rng, 0.10) + 0.35 * canvas.noise(rng, 0.035)
    fine = 0.75 * canvas.noise(rng, 0.014) + 0.5 * canvas.noise(rng, 0.022)
    mottle += fine + 0.3 * canvas.noise(rng, 0.3)
    melanin = who.melanin + 0.016 * who.mottling * mottle
    melanin = melanin + 0.05 * bump(xa, y, who.eye_x - 0.05, 0.06, 0.2, 0.13)
    melanin -= 0.02 * bump(x, y, 0, -0.7, 0.4, 0.25)
    melanin += 0.02 * who.freckles * _spots(canvas, rng, int(420 * who.freckles), (0.004, 0.012))
    melanin += 0.16 * _spots(canvas, rng, int(who.moles), (0.007, 0.017), even=True)
    if who.stubble > 0:
        beard = smoothstep(y, 0.62, 0.95) * smoothstep(xa + 0.25 * np.abs(y - 1.1), 1.1, 0.7)
        beard *= 0.55 + 0.45 * bump(x, y, 0, who.chin_y - 0.25, 0.4, 0.35)
        shadow = np.clip(0.6 + 0.5 * canvas.noise(rng, 0.006), 0, 1.6)
        canvas.noise(rng, 0.2)  # unused: what is drawn later, and so the frames, depend on it
        melanin = melanin + 0.14 * who.stubble * beard * shadow
    colour = skin_tone(np.clip(melanin, 0, 1)).astype(np.float32)
    blood = 0.5 * bump(xa, y, 0.55, 0.45, 0.25, 0.2) + 0.6 * bump(x, y, 0, who.nose_tip, 0.14, 0.12)
    blood += 0.35 * bump(xa, y, who.nose_width, who.nose_tip + 0.08, 0.07, 0.08)
    blood += 0.25 * bump(x, y, 0, who.chin_y - 0.25, 0.22, 0.12)
    blood += 0.45 * bump(xa, y, who.eye_x, 0.03, 0.22, 0.09)
    blood = 0.42 * blood + 0.10 * canvas.noise(rng, 0.06) + 0.10 * canvas.noise(rng, 0.018)
    blood = who.redness * blood
    colour = colour * np.exp(0.55 * blood[..., None] * _BLOOD)
    return _lips(canvas, who, rng, colour, x, y)


def _spots(canvas: Canvas, rng, count: int, sizes, even: bool = False) -> np.ndarray:
    """Sum of small soft discs; freckles gather on cheeks and nose unless `even`."""
    sheet = np.zeros((canvas.height, canvas.width), np.float32)
    if even:
        centres = np.stack([rng.uniform(-0.8, 0.8, count), rng.uniform(-0.8, 1.5, count)], 1)
    else:
        centres = np.stack([rng.normal(0, 0.48, count), rng.normal(0.35, 0.38, count)], 1)
    radii, inks = rng.uniform(*sizes, count), rng.uniform(0.4, 1.3, count)
    for (px, py), radius, ink in zip(centres, radii, inks, strict=True):
        cx, cy = px * canvas.unit + canvas.cx, py * canvas.unit + canvas.cy
        r = max(radius * canvas.unit, 0.7)
        reach = int(3 * r) + 1
        x0, y0 = max(0, int(cx) - reach), max(0, int(cy) - reach)
        x1, y1 = min(canvas.width, int(cx) + reach + 1), min(canvas.height, int(cy) + reach + 1)
        if x0 < x1 and y0 < y1:
            gx, gy = np.arange(x0, x1, dtype=np.float32) - cx, np.arange(y0, y1) - cy
            d = (gx[None, :] ** 2 + gy[:, None] ** 2) / r**2
            sheet[y0:y1, x0:x1] += ink * np.exp(-0.5 * d)
    return sheet


def _lips(canvas, who, rng, colour, x, y):
    top, bottom = lip_contours(x, who)
    soft = 0.012
    mask = smoothstep(y, top - soft, top + soft) * smoothstep(y, bottom + soft, bottom - soft)
    mask *= smoothstep(np.abs(x) / who.mouth_half, 1.02, 0.93)
    mask *= np.clip(0.9 + 0.1 * canvas.noise(rng, 0.02), 0, 1)
    red = colour * np.array((0.86, 0.58, 0.60), np.float32) * (1 - 0.12 * who.melanin)
    red = red * np.array((1.0, 1 - 0.25 * who.redness, 1 - 0.18 * who.redness), np.float32)
    return colour + (red - colour) * (0.85 * mask)[..., None]


def fine_relief(canvas: Canvas, who: Identity) -> np.ndarray:
    """Heights ``(h, w)`` of pores, skin grain, forehead lines and crow's feet, in face units."""
    x, y = canvas.grid()
    xa = np.abs(x)
    rng = who.rng(4)
    grain = canvas.noise(rng, 0.0075) + 0.9 * canvas.noise(rng, 0.013)
    grain = grain + 0.7 * canvas.noise(rng, 0.028)
    pore_zone = 0.55 + 0.6 * bump(xa, y, 0.3, 0.4, 0.3, 0.25) + 0.3 * bump(x, y, 0, -0.6, 0.5, 0.2)
    z = 0.0017 * who.pores * grain * pore_zone
    lines = np.zeros_like(x)
    wobble = 0.03 * canvas.noise(rng, 0.25)
    for level in (-0.82, -0.71, -0.60, -0.50):
        level += rng.normal(0, 0.012)
        depth = rng.uniform(0.4, 1.0)
        arc = y - level + 0.05 * np.cos(2.2 * x) - wobble
        window = smoothstep(xa, 0.62, 0.25) * np.clip(0.7 + 0.4 * canvas.noise(rng, 0.15), 0, 1.2)
        lines += depth * window * np.exp(-((arc / 0.012) ** 2))
    for turn in (-0.5, -0.15, 0.2, 0.5):
        turn += rng.normal(0, 0.07)
        dx, dy = xa - who.eye_x - who.eye_half - 0.03, y - who.eye_tilt * who.eye_half
        across = dy * np.cos(turn) - dx * np.sin(turn)
        place = bump(dx, dy, 0.075, 0.075 * turn, 0.05, 0.09)
        lines += 0.8 * np.exp(-((across / 0.009) ** 2)) * place
    top, bottom = lip_contours(x, who)
    on_lips = smoothstep(y, top, top + 0.02) * smoothstep(y, bottom, bottom - 0.02)
    on_lips *= smoothstep(xa / who.mouth_half, 1, 0.85)
    creases = np.sin(x * 150 + 3 * canvas.noise(rng, 0.05)) * np.clip(canvas.noise(rng, 0.03), 0, 2)
    return (z - 0.006 * who.wrinkles * lines + 0.0016 * on_lips * creases).astype(np.float32)


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
    """Hair: coverage ``(h, w)`` over the face and behind the head, and linear colour."""
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


IRIS_RADIUS = 0.086


def lid_curves(x, who: Identity, side: int):
    """Edges of the open upper and lower lid at each x of the eye on `side` (-1 left, 1 right).

    Also t: -1 at the inner corner, 1 at the outer one.
    """
    t = (side * x - who.eye_x) / who.eye_half
    s = np.clip(t, -1, 1)
    arc = np.clip(1 - s**2, 0, 1)
    base = who.eye_tilt * who.eye_half * s + 0.008 * np.exp(-(((s + 1) / 0.18) ** 2))
    upper = base - who.eye_up * arc**0.62 * (1 + 0.12 * s)
    lower = base + who.eye_low * arc**0.8 * (1 + 0.22 * s)
    return upper, lower, t


def eye_layers(canvas: Canvas, who: Identity, iris_colour: np.ndarray):
    """Colour (linear) and coverage of both eyeballs between their lids, and darkening around them.

    The last is a factor 0 to 1 for the skin: lash lines, lid rims and lid creases.
    """
    shape = (canvas.height, canvas.width)
    rng = who.rng(1)
    colour = np.zeros((*shape, 3), np.float32)
    cover = np.zeros(shape, np.float32)
    dark = np.ones(shape, np.float32)
    gaze = [float(v) for v in rng.normal(0, 0.008, 2)]
    fibres = rng.standard_normal((2, 18)).astype(np.float32)
    for side in (-1, 1):
        middle = side * who.eye_x
        part, cut = canvas.window(middle - 0.32, middle + 0.32, -0.32, 0.2)
        ball, open_, shade = _eye(part, who, side, iris_colour, gaze, fibres)
        colour[cut] = ball
        cover[cut] = np.maximum(cover[cut], open_)
        dark[cut] *= shade
    return colour, cover, dark * (1 - _lashes(canvas, who, rng))


def _eye(canvas, who, side, iris_colour, gaze, fibres):
    """One eye on its own window: eyeball, coverage, darkening of the skin around."""
    x, y = canvas.grid()
    pixel = 1.0 / canvas.unit
    upper, lower, t = lid_curves(x, who, side)
    open_ = np.clip(0.5 + (y - upper) / (1.4 * pixel), 0, 1)
    open_ *= np.clip(0.5 + (lower - y) / (1.4 * pixel), 0, 1)
    open_ *= smoothstep(np.abs(t), 1.02, 0.96)
    cx = side * (who.eye_x - 0.008) + gaze[0]
    cy = -0.018 + gaze[1] + who.eye_tilt * 0.01
    r = np.hypot(x - cx, y - cy)
    white = 0.62 - 0.30 * np.exp(-(((np.abs(t) - 1) / 0.28) ** 2))
    white = white[..., None] * np.array((1.06, 1.0, 0.96), np.float32)
    caruncle = np.exp(-(((t + 1.0) / 0.13) ** 2))
    white += caruncle[..., None] * np.array((0.12, 0.0, 0.01), np.float32)
    angle = np.arctan2(y - cy, x - cx)
    waves = np.zeros_like(x)
    for k, (size, phase) in enumerate(fibres.T, start=11):
        waves += float(size) * np.sin(k * angle + 3 * float(phase))
    ring = r / IRIS_RADIUS
    shine = 1 + 0.055 * waves * smoothstep(ring, 0.4, 0.7)
    rim, lower_light = smoothstep(ring, 0.80, 1.0), smoothstep(y - cy, -0.05, 0.07)
    shine *= (1 - 0.75 * rim) * (0.75 + 0.6 * lower_light)
    shine *= 1 - 0.97 * smoothstep(ring, 0.46, 0.36)
    iris = shine[..., None] * iris_colour
    ball = white + (iris - white) * smoothstep(ring, 1.07, 0.93)[..., None]
    # The upper lid and its lashes shade the ball.
    shadow = 0.25 + 0.75 * (1 - np.exp(-1.6 * np.clip((y - upper) / 0.07, 0, 3)))
    shadow *= 1 - 0.3 * np.exp(-np.clip((lower - y) / 0.02, 0, 9))
    ball *= shadow[..., None]
    for dx, dy, width, power in ((-0.03, -0.03, 0.0085, 1.1), (0.03, -0.024, 0.006, 0.4)):
        ball += (power * bump(x, y, cx + dx, cy + dy, width, width))[..., None]
    near = smoothstep(np.abs(t), 1.12, 0.95)
    lash = who.lash * (0.012 + 0.009 * smoothstep(t, -0.6, 0.9))
    dark = 1 - 0.9 * near * np.exp(-(((y - upper + 0.3 * lash) / lash) ** 2))
    dark *= 1 - 0.34 * near * np.exp(-(((y - lower - 0.006) / 0.008) ** 2))
    crease = upper - who.lid_crease * (0.45 + 0.55 * np.clip(1 - 0.4 * t**2, 0, 1))
    line = np.exp(-(((y - crease) / 0.009) ** 2)) * smoothstep(np.abs(t), 1.15, 0.75)
    dark *= 1 - 0.5 * who.lid_fold * line
    soft = np.exp(-(((y - crease - 0.02) / 0.03) ** 2)) * smoothstep(np.abs(t), 1.2, 0.6)
    dark *= 1 - 0.18 * soft
    # The socket's inner corner lies in shade.
    dark *= 1 - 0.16 * bump(side * x, y, who.eye_x - who.eye_half - 0.03, -0.04, 0.05, 0.07)
    return ball, open_, dark


def _lashes(canvas: Canvas, who: Identity, rng) -> np.ndarray:
    """Coverage of the single lashes of both upper lids."""
    sheet = np.zeros((canvas.height, canvas.width), np.uint8)
    count = int(46 * (0.5 + who.lash))
    for side in (-1, 1):
        t = np.sort(rng.uniform(-0.75, 1.02, count))
        x = side * (who.eye_x + t * who.eye_half)
        upper = lid_curves(x, who, side)[0]
        length = who.lash * (0.022 + 0.022 * (t + 0.75) / 1.75) * rng.uniform(0.6, 1.1, count)
        lean = 0.35 * t + rng.normal(0, 0.12, count)
        start = np.stack([x, upper + 0.004], 1)
        end = np.stack([x + side * length * lean, upper - length * 0.55], 1)
        _strokes(canvas, sheet, start, end, rng.uniform(70, 190, count), 1)
    return np.float32(0.8 / 255) * sheet.astype(np.float32)


def _strokes(canvas, sheet, start, end, ink, thickness):
    """Draw thin antialiased hairs between face coordinates, ``(n, 2)`` each."""
    ends = np.stack([start, end], 1) * canvas.unit + (canvas.cx, canvas.cy)
    ends = np.round(ends * 16).astype(np.int32)  # OpenCV's fixed point with 4 binary places
    for (p, q), value in zip(ends.tolist(), ink, strict=True):
        cv2.line(sheet, p, q, int(value), thickness, cv2.LINE_AA, 4)


def brow_curve(t, who: Identity):
    """Centre line of a brow: x (unsigned) and y at t from 0 (inner end) to 1 (tail)."""
    x = who.brow_inner + (who.brow_outer - who.brow_inner) * t
    arch = who.brow_arch * np.sin(np.pi * np.clip(t, 0, 1) ** 1.35)
    return x, who.brow_y - arch - who.brow_slope * (t - 0.3) + 0.05 * np.clip(t - 0.7, 0, 1)


def brows(canvas: Canvas, who: Identity) -> np.ndarray:
    """Coverage ``(h, w)`` of both brows, drawn hair by hair over a soft shade."""
    rng = who.rng(2)
    sheet = np.zeros((canvas.height, canvas.width), np.uint8)
    count = int(420 * who.brow_dense)
    thick = max(1, round(canvas.unit * 0.005))
    for side in (-1, 1):
        t = rng.beta(1.15, 1.2, count)
        profile = who.brow_thick * (0.5 + 0.6 * np.sin(np.pi * (0.12 + 0.72 * t)))
        profile *= 1 - 0.45 * t**3
        across = np.clip(rng.normal(0, 0.42, count), -0.95, 0.95)
        x, y = brow_curve(t, who)
        y = y + profile * across
        # Hairs rise at the inner end and lie along the brow towards the tail.
        turn = 1.2 * (1 - t) ** 1.5 + 0.08 - 0.35 * across * t + rng.normal(0, 0.12, count)
        length = rng.uniform(0.045, 0.08, count) * (0.75 + 0.5 * who.brow_thick / 0.05)
        dx, dy = length * np.cos(turn), -length * np.sin(turn)
        start = np.stack([side * x, y + 0.25 * length], 1)
        end = np.stack([side * (x + dx), y + 0.25 * length + dy + 0.4 * length * t], 1)
        _strokes(canvas, sheet, start, end, rng.uniform(110, 250, count), thick)
    ink = sheet.astype(np.float32) / np.float32(255)
    soft = canvas.blur(ink, 0.014)
    return np.clip(0.72 * ink + 0.9 * who.brow_dense * soft, 0, 0.96)


def closing_lids(canvas: Canvas, who: Identity):
    """Edges ``(h, w)`` of the open lids at every column, and a weight: 1 inside an eye's width."""
    x, _ = canvas.grid()
    left = x < 0
    upper_l, lower_l, t_l = lid_curves(x, who, -1)
    upper_r, lower_r, t_r = lid_curves(x, who, 1)
    upper, lower = np.where(left, upper_l, upper_r), np.where(left, lower_l, lower_r)
    t = np.where(left, t_l, t_r)
    return upper, lower, smoothstep(np.abs(t), 1.08, 0.98)


def wall_layer(canvas: Canvas, who: Identity) -> np.ndarray:
    """Background ``(h, w, 3)``, linear."""
    x, y = canvas.grid()
    rng = who.rng(6)
    wall = rng.uniform(0.16, 0.45) * (1 - 0.10 * y / 2 + 0.05 * x)
    wall = wall * (1 + 0.01 * canvas.noise(rng, 0.3))
    tint = 1 + rng.normal(0, 0.03, 3)
    return np.clip(wall, 0.02, None)[..., None] * (0.6 * tint).astype(np.float32)


def torso_layer(canvas: Canvas, who: Identity):
    """Neck and clothes ``(h, w, 3)``, linear, and their coverage ``(h, w)``."""
    x, y = canvas.grid()
    rng = who.rng(7)
    skin = skin_tone(who.melanin).astype(np.float32)
    a, chin, neck_half = np.abs(x), who.chin_y, who.neck_width
    # Neck: a cylinder in the shade of the chin, widening into the shoulders.
    half = neck_half + 0.5 * smoothstep(y, chin + 0.05, chin + 0.75) ** 2
    cover = np.clip(0.5 + (half - a) * canvas.unit / 1.6, 0, 1) * smoothstep(y, 0.5, 0.7)
    round_ = np.sqrt(np.clip(1 - (a / half) ** 2, 0, 1))
    shade = (0.16 + 0.44 * round_) * (0.42 + 0.58 * smoothstep(y, chin - 0.1, chin + 0.55))
    tendon = bump(a - 0.27 + 0.3 * (y - chin), y, 0, chin + 0.35, 0.05, 0.3)
    hollow = bump(x, y, 0, chin + 0.62, 0.10, 0.07)
    grain = 1 + 0.02 * canvas.noise(rng, 0.01) + 0.02 * canvas.noise(rng, 0.05)
    neck = (shade * (1 + 0.10 * tendon - 0.22 * hollow) * grain)[..., None] * skin
    # Clothes: a collar round the neck, shoulders sloping away from it.
    rim = neck_half + 0.07
    shoulder = chin + 0.36 + 0.36 * (a - rim) + 0.5 * np.clip(a - 1.65, 0, None) ** 2
    t = np.clip(a / rim, 0, 1)
    v_neck = rng.random() < 0.4
    collar = chin + 0.36 + (0.62 * (1 - t) if v_neck else 0.27 * np.sqrt(1 - t**2))
    edge = np.where(a < rim, collar, shoulder)
    cloth = np.clip(0.5 + (y - edge) * canvas.unit / 1.6, 0, 1)
    base = rng.uniform(0.02, 0.35) * (1 + rng.normal(0, 0.15, 3))
    folds = 0.10 * canvas.noise(rng, 0.16) + 0.06 * canvas.noise(rng, 0.05)
    weave = 0.05 * np.sin(x * 210) * np.sin(y * 210) + 0.05 * canvas.noise(rng, 0.008)
    seam = np.exp(-(((y - edge - 0.075) / 0.008) ** 2)) * (a < rim + 0.1)
    lit = (0.55 + 0.25 * smoothstep(np.abs(x), 1.8, 0.4)) * (1 + folds + weave - 0.3 * seam)
    lit *= 1 - 0.35 * np.exp(-np.clip(y - edge, 0, None) / 0.03)
    fabric = lit[..., None] * np.clip(base, 0.01, 0.6).astype(np.float32)
    return over(neck.astype(np.float32), fabric.astype(np.float32), cloth), np.maximum(cover, cloth)


def ear_layer(canvas: Canvas, who: Identity):
    """Ears ``(h, w, 3)`` linear and their coverage ``(h, w)``."""
    skin = skin_tone(who.melanin).astype(np.float32)
    size = who.ear_size
    colour = np.zeros((canvas.height, canvas.width, 3), np.float32)
    cover = np.zeros((canvas.height, canvas.width), np.float32)
    for side in (-1, 1):
        edge = side * (who.skull_width - 0.02)
        reach = sorted((edge - side * 0.12, edge + side * 0.32))
        part, cut = canvas.window(*reach, -0.4, 0.7)
        if part.width <= 0 or part.height <= 0:
            continue
        x, y = part.grid()
        u = (side * x - who.skull_width - 0.01 - 0.07 * (0.15 - y)) / (0.10 * size)
        v = (y - 0.16) / (0.32 * size)
        u = u / (1 - 0.28 * smoothstep(v, 0.0, 1.0))  # narrower towards the lobe
        r = np.sqrt(np.where(u < 0, 0.3 * u, u) ** 2 + np.abs(v) ** 2.4)
        soft = 1.2 / (0.11 * part.unit)
        mask = smoothstep(r, 1.0 + soft, 1.0 - soft)
        helix = np.exp(-(((r - 0.86) / 0.12) ** 2)) * smoothstep(v, 0.75, 0.3)
        groove = np.exp(-(((r - 0.66) / 0.09) ** 2)) * smoothstep(v, 0.5, 0.1)
        ridge = np.exp(-(((r - 0.45) / 0.12) ** 2)) * smoothstep(v, 0.45, -0.2)
        bowl = bump(u, v, -0.35, 0.12, 0.32, 0.22)
        lit = 0.46 + 0.14 * helix - 0.16 * groove + 0.10 * ridge - 0.26 * bowl
        lit *= 0.75 + 0.25 * smoothstep(u, -1.2, -0.2)
        lit += 0.012 * part.noise(who.rng(8), 0.012)
        tint = np.array((1.04, 0.90, 0.87), np.float32)
        colour[cut], cover[cut] = np.clip(lit, 0.05, 1)[..., None] * (skin * tint), mask
    return colour, cover


# Light wanders further below the skin in red than in green and blue: face units.
_SCATTER = (0.028, 0.012, 0.006)


@dataclass(frozen=True)
class Light:
    """A key lamp, a fill lamp and the light of the room.

    Directions point towards the lamp: x right, y down, z to the camera.
    """

    key: tuple[float, float, float]
    fill: tuple[float, float, float]
    key_power: float
    fill_power: float
    room: float
    warmth: float = 0.0  # colour of the key lamp: 0 neutral, positive towards yellow


class Face:
    """One identity on one canvas; everything that light does not change is computed once."""

    def __init__(self, canvas: Canvas, who: Identity):
        self.canvas, self.who = canvas, who
        self.head, self.cut = canvas.window(-1.2, 1.2, -1.95, 1.9)
        head = self.head
        self.relief, self.inside = build_relief(head, who)
        self.fine = fine_relief(head, who)
        self.skin = _painted_skin(head, who)
        self.eye_colour, self.eye_cover, self.eye_dark = eye_layers(
            head, who, iris_tone(who.iris_melanin)
        )
        # What no lamp reaches: hollows much narrower than a head.
        coarse = self.relief
        hollow = np.zeros_like(coarse)
        for sigma, weight in ((0.035, 5.0), (0.12, 1.7)):
            hollow += weight * np.clip(head.blur(coarse, sigma) - coarse, 0, None)
        self.open = np.exp(-1.1 * hollow)
        mask = np.maximum(self.inside, 1e-3)
        self.spread = [head.blur(mask, sigma) for sigma in _SCATTER]
        self.oily = 0.35 + 0.65 * np.exp(-((head.grid()[0] / 0.35) ** 2))
        self.front, back, self.hair = hair_layers(canvas, who)
        shadow = canvas.blur(np.roll(self.front, round(0.035 * canvas.unit), 0), 0.045)
        shadow = np.clip(shadow - 0.2 * self.front, 0, 1)
        self.hair_shadow = (1 - 0.5 * shadow[self.cut])[..., None]
        behind = over(wall_layer(canvas, who), 0.5 * self.hair, back)
        torso, cover = torso_layer(canvas, who)
        # Hair and jaw shade the neck.
        shade = 1 - 0.45 * canvas.blur(back * (1 - cover), 0.12)
        behind = over(behind, torso * shade[..., None], cover)
        if who.style not in ("long", "fringe", "bob"):
            behind = over(behind, *ear_layer(canvas, who))
        self.behind = behind

    def shade(self, light: Light, extra: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Light the skin: ``(h, w, 3)`` linear, without eyeballs, hair and body.

        Returned twice, with and without the lines that open lids draw. `extra` ``(h, w)`` is
        height in face units to add: the creases an expression makes.
        """
        canvas, who = self.head, self.who
        z = self.relief + self.fine
        if extra is not None:
            z = z + extra.astype(np.float32)
        gy, gx = np.gradient(z * np.float32(canvas.unit))
        # Steep flanks at the outline would turn black under frontal lamps: ease them.
        length = np.sqrt(gx**2 + gy**2)
        ease = 1 / np.maximum(1, length / 2.6) ** np.float32(0.7)
        gx, gy = gx * ease, gy * ease
        nz = 1 / np.sqrt(1 + gx**2 + gy**2)
        nx, ny = -gx * nz, -gy * nz
        total = np.zeros((*z.shape, 3), np.float32)
        gloss = np.zeros_like(z)
        warm = np.array((1 + 0.25 * light.warmth, 1, 1 - 0.35 * light.warmth), np.float32)
        for direction, power, colour in (
            (light.key, light.key_power, warm),
            (light.fill, light.fill_power, np.ones(3, np.float32)),
        ):
            d = np.array(direction, np.float32) / np.float32(np.linalg.norm(direction))
            lambert = np.clip((nx * d[0] + ny * d[1] + nz * d[2] + 0.18) / 1.18, 0, None)
            total += (power * lambert * (0.4 + 0.6 * self.open))[..., None] * colour
            h = d + np.array((0, 0, 1), np.float32)
            h /= np.linalg.norm(h)
            gloss += power * np.clip(nx * h[0] + ny * h[1] + nz * h[2], 0, 1) ** 22
        total += (light.room * (0.72 - 0.28 * ny) * self.open)[..., None]
        mask = np.maximum(self.inside, 1e-3)
        scattered = np.empty_like(total)
        for c, spread in enumerate(self.spread):
            scattered[..., c] = canvas.blur(total[..., c] * mask, _SCATTER[c]) / spread
        total = 0.55 * scattered + 0.45 * total
        shine = (0.085 * who.gloss * gloss * self.open * self.oily)[..., None]
        closed = self.skin * total + shine
        return closed * self.eye_dark[..., None], closed

    def compose(self, light: Light, skin: np.ndarray, eyes: bool = True) -> np.ndarray:
        """Return the whole picture ``(h, w, 3)``, linear: body, ears, head, eyes, hair.

        `skin` comes from `shade`; without `eyes` the lids are closed.
        """
        strength = np.float32(light.key_power + light.fill_power + light.room)
        if eyes:
            skin = over(skin, self.eye_colour * (np.float32(0.55) * strength), self.eye_cover)
        picture = self.behind * strength
        picture[self.cut] = over(picture[self.cut], skin * self.hair_shadow, self.inside)
        return over(picture, self.hair * strength, self.front)


def _painted_skin(canvas: Canvas, who: Identity) -> np.ndarray:
    """Skin colour with brows, the line between the lips and nostrils, ``(h, w, 3)`` linear."""
    x, y = canvas.grid()
    skin = albedo(canvas, who)
    tone = hair_tone(who.hair_melanin, who.hair_red)
    skin = over(skin, 1.1 * tone + 0.06 * skin, brows(canvas, who))
    gap = np.exp(-(((y - lip_line(x, who)) / 0.009) ** 2))
    gap *= smoothstep(np.abs(x) / who.mouth_half, 1.04, 0.8)
    across = (np.abs(x) - 0.45 * who.nose_width) / 0.040
    hole = np.exp(-(across**2) - ((y - who.nose_tip - 0.118 - 0.01 * across) / 0.020) ** 2)
    return skin * ((1 - 0.72 * gap) * (1 - 0.85 * hole))[..., None]


#: Seeds of people who appear in no corpus start here; those of a corpus are below 2**32.
_OUTSIDE = 2**40


def identity_faces(
    n_identities: int, images_each: int, size: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Grey portraits of people who are in neither database, to pretrain a face network on.

    Light, exposure, pose (a few degrees), expression, framing and noise vary from image to image.

    Parameters
    ----------
    n_identities, images_each : int
        Number of people and of images of each.
    size : int
        Side of the square images in pixels.
    seed : int
        Same seed, same images.

    Returns
    -------
    images : (n_identities * images_each, size, size) uint8
    labels : (n_identities * images_each,) int64
        0 to n_identities - 1, in blocks.
    """
    images = np.empty((n_identities, images_each, size, size), np.uint8)
    for i in range(n_identities):
        sequence = np.random.SeedSequence([_OUTSIDE, seed, i])
        who = draw_identity(_OUTSIDE + int(sequence.generate_state(1)[0]), "other")
        rng = np.random.Generator(np.random.PCG64(sequence.spawn(1)[0]))
        images[i] = _portraits(who, images_each, size, rng)
    labels = np.repeat(np.arange(n_identities), images_each)
    return images.reshape(-1, size, size), labels


def _portraits(who: Identity, count: int, size: int, rng) -> np.ndarray:
    side = max(2 * size, 96)
    canvas = Canvas(side, side, side / 2.72, (side - 1) / 2, 0.36 * side)
    face = Face(canvas, who)
    x, y = canvas.grid()
    deep = np.zeros_like(x)
    deep[face.cut] = face.head.blur(face.relief, 0.03) * canvas.unit
    coarse = [
        (displacement_field(canvas, who, n), crease_relief(face.head, who, n))
        for n in (4, 6, 12, 17)
    ]
    pictures = np.empty((count, size, size), np.uint8)
    for k in range(count):
        light = Light(
            key=(rng.normal(0, 0.5), rng.normal(-0.4, 0.2), 0.8),
            fill=(rng.normal(0, 0.6), rng.normal(-0.1, 0.2), 0.8),
            key_power=rng.uniform(0.4, 0.9),
            fill_power=rng.uniform(0.2, 0.6),
            room=rng.uniform(0.25, 0.45),
        )
        amounts = rng.uniform(0, 0.02, len(coarse)) * canvas.unit * (rng.random(len(coarse)) < 0.4)
        amounts = amounts.astype(np.float32)
        extra = sum(a * 124 / canvas.unit * c for a, (_, c) in zip(amounts, coarse, strict=True))
        picture = face.compose(light, face.shade(light, extra)[0])
        # Framing, a small turn of the head (parallax by height), then the expression.
        map_x = (x - rng.normal(0, 0.03)) * rng.normal(1, 0.03)
        map_y = (y - rng.normal(0, 0.03)) * rng.normal(1, 0.03)
        roll = rng.normal(0, 0.04)
        map_x, map_y = map_x + roll * map_y, map_y - roll * map_x
        map_x = (map_x * canvas.unit + canvas.cx + rng.normal(0, 0.05) * deep).astype(np.float32)
        map_y = (map_y * canvas.unit + canvas.cy + rng.normal(0, 0.04) * deep).astype(np.float32)
        for a, (field, _) in zip(amounts, coarse, strict=True):
            map_x, map_y = map_x - a * field[..., 0], map_y - a * field[..., 1]
        picture = cv2.remap(picture, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
        value = grey(develop(picture, rng.uniform(0.7, 1.1)))
        value = value + rng.normal(0, 1.5, value.shape)
        pictures[k] = np.clip(np.rint(value), 0, 255)
    return pictures
