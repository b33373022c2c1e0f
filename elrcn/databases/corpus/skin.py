"""Skin: colour from melanin and blood, and the fine relief of pores, creases and freckles."""

from __future__ import annotations

import numpy as np

from elrcn.databases.corpus.canvas import Canvas, bump, smoothstep
from elrcn.databases.corpus.identity import Identity
from elrcn.databases.corpus.relief import lip_contours

_TONES = np.array(  # linear reflectance at melanin 0, 0.25, 0.5, 0.75, 1
    (
        (0.70, 0.48, 0.385),
        (0.585, 0.375, 0.275),
        (0.40, 0.225, 0.145),
        (0.215, 0.108, 0.064),
        (0.105, 0.052, 0.032),
    )
)
_BLOOD = np.array((-0.06, -0.55, -0.42), np.float32)


def skin_tone(melanin) -> np.ndarray:
    """Linear RGB reflectance of skin with `melanin` from 0 (fair) to 1 (dark)."""
    levels = np.linspace(0, 1, len(_TONES))
    return np.stack([np.interp(melanin, levels, _TONES[:, c]) for c in range(3)], -1)


def hair_tone(melanin: float, red: float) -> np.ndarray:
    """Linear RGB of hair: fair at melanin 0, brown at 0.5, black at 1."""
    levels = (0, 0.3, 0.55, 0.8, 1)
    table = np.array(
        (
            (0.42, 0.29, 0.15),
            (0.22, 0.125, 0.055),
            (0.085, 0.045, 0.022),
            (0.030, 0.018, 0.012),
            (0.014, 0.011, 0.010),
        )
    )
    tone = np.array([np.interp(melanin, levels, table[:, c]) for c in range(3)])
    return (tone * (1 + red * np.array((0.5, 0.0, -0.2)))).astype(np.float32)


def iris_tone(melanin: float) -> np.ndarray:
    """Linear RGB of an iris: blue-grey, green-hazel, brown, near black."""
    table = np.array(
        ((0.20, 0.27, 0.33), (0.17, 0.17, 0.09), (0.11, 0.055, 0.022), (0.03, 0.016, 0.01))
    )
    return np.array(
        [np.interp(melanin, (0, 0.35, 0.65, 1), table[:, c]) for c in range(3)], np.float32
    )


def albedo(canvas: Canvas, who: Identity) -> np.ndarray:
    """Skin colour ``(h, w, 3)``, linear, before brows, eyes and hair."""
    x, y = canvas.grid()
    xa = np.abs(x)
    rng = who.rng(3)
    mottle = 0.5 * canvas.noise(rng, 0.10) + 0.35 * canvas.noise(rng, 0.035)
    mottle += (
        0.75 * canvas.noise(rng, 0.014)
        + 0.5 * canvas.noise(rng, 0.022)
        + 0.3 * canvas.noise(rng, 0.3)
    )
    melanin = who.melanin + 0.016 * who.mottling * mottle
    melanin = melanin + 0.05 * bump(xa, y, who.eye_x - 0.05, 0.06, 0.2, 0.13)
    melanin -= 0.02 * bump(x, y, 0, -0.7, 0.4, 0.25)
    melanin += 0.02 * who.freckles * _spots(canvas, rng, int(420 * who.freckles), (0.004, 0.012))
    melanin += 0.16 * _spots(canvas, rng, int(who.moles), (0.007, 0.017), even=True)
    if who.stubble > 0:
        beard = smoothstep(y, 0.62, 0.95) * smoothstep(xa + 0.25 * np.abs(y - 1.1), 1.1, 0.7)
        beard *= 0.55 + 0.45 * bump(x, y, 0, who.chin_y - 0.25, 0.4, 0.35)
        shadow = np.clip(0.6 + 0.5 * canvas.noise(rng, 0.006), 0, 1.6) * canvas.noise(rng, 0.2) ** 0
        melanin = melanin + 0.14 * who.stubble * beard * shadow
    colour = skin_tone(np.clip(melanin, 0, 1)).astype(np.float32)
    blood = 0.5 * bump(xa, y, 0.55, 0.45, 0.25, 0.2) + 0.6 * bump(x, y, 0, who.nose_tip, 0.14, 0.12)
    blood += 0.35 * bump(xa, y, who.nose_width, who.nose_tip + 0.08, 0.07, 0.08)
    blood += 0.25 * bump(x, y, 0, who.chin_y - 0.25, 0.22, 0.12)
    blood += 0.45 * bump(xa, y, who.eye_x, 0.03, 0.22, 0.09)
    blood = who.redness * (
        0.42 * blood + 0.10 * canvas.noise(rng, 0.06) + 0.10 * canvas.noise(rng, 0.018)
    )
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
    grain = (
        canvas.noise(rng, 0.0075) + 0.9 * canvas.noise(rng, 0.013) + 0.7 * canvas.noise(rng, 0.028)
    )
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
        lines += (
            0.8 * np.exp(-((across / 0.009) ** 2)) * bump(dx, dy, 0.075, 0.075 * turn, 0.05, 0.09)
        )
    top, bottom = lip_contours(x, who)
    on_lips = smoothstep(y, top, top + 0.02) * smoothstep(y, bottom, bottom - 0.02)
    on_lips *= smoothstep(xa / who.mouth_half, 1, 0.85)
    creases = np.sin(x * 150 + 3 * canvas.noise(rng, 0.05)) * np.clip(canvas.noise(rng, 0.03), 0, 2)
    return (z - 0.006 * who.wrinkles * lines + 0.0016 * on_lips * creases).astype(np.float32)
