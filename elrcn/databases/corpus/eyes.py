"""Eyes and brows: sclera, iris, lids, lashes, and what a closing lid covers."""

from __future__ import annotations

import cv2
import numpy as np

from elrcn.databases.corpus.canvas import Canvas, bump, smoothstep
from elrcn.databases.corpus.identity import Identity

IRIS_RADIUS = 0.086


def lid_curves(x, who: Identity, side: int):
    """Edges of the open upper and lower lid at each x of the eye on `side` (-1 left, 1 right).

    Returns
    -------
    upper, lower : arrays like `x`
    t : array like `x`
        -1 at the inner corner, 1 at the outer one.
    """
    t = (side * x - who.eye_x) / who.eye_half
    s = np.clip(t, -1, 1)
    arc = np.clip(1 - s**2, 0, 1)
    base = who.eye_tilt * who.eye_half * s + 0.008 * np.exp(-(((s + 1) / 0.18) ** 2))
    upper = base - who.eye_up * arc**0.62 * (1 + 0.12 * s)
    lower = base + who.eye_low * arc**0.8 * (1 + 0.22 * s)
    return upper, lower, t


def eye_layers(canvas: Canvas, who: Identity, iris_colour: np.ndarray):
    """Colour and coverage of both eyeballs between their lids.

    Returns
    -------
    colour : (h, w, 3) float32
        Linear light.
    cover : (h, w) float32
    dark : (h, w) float32
        Factor for the skin around: lash lines, lid rims and lid creases, 0 to 1.
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
    shine *= (1 - 0.75 * smoothstep(ring, 0.80, 1.0)) * (
        0.75 + 0.6 * smoothstep(y - cy, -0.05, 0.07)
    )
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
    """Draw thin antialiased hairs between face coordinates."""
    for p, q, value in zip(canvas.points(start), canvas.points(end), ink, strict=True):
        ends = tuple(map(int, p)), tuple(map(int, q))
        cv2.line(sheet, *ends, int(value), thickness, cv2.LINE_AA, 4)


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
    """Where a blink happens.

    Returns
    -------
    upper, lower : (h, w) float32
        Edges of the open lids at every column (of the nearer eye).
    weight : (h, w) float32
        1 inside either eye's width, 0 elsewhere.
    """
    x, _ = canvas.grid()
    left = x < 0
    upper_l, lower_l, t_l = lid_curves(x, who, -1)
    upper_r, lower_r, t_r = lid_curves(x, who, 1)
    upper, lower = np.where(left, upper_l, upper_r), np.where(left, lower_l, lower_r)
    t = np.where(left, t_l, t_r)
    return upper, lower, smoothstep(np.abs(t), 1.08, 0.98)
