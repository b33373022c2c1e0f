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
    tilt = who.eye_tilt * who.eye_half * s
    upper = (
        tilt - who.eye_up * arc**0.62 * (1 + 0.12 * s) + 0.008 * np.exp(-(((s + 1) / 0.18) ** 2))
    )
    lower = (
        tilt + who.eye_low * arc**0.8 * (1 + 0.22 * s) + 0.008 * np.exp(-(((s + 1) / 0.18) ** 2))
    )
    return upper.astype(np.float32), lower.astype(np.float32), t


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
    x, y = canvas.grid()
    pixel = 1.0 / canvas.unit
    rng = who.rng(1)
    colour = np.zeros((*x.shape, 3), np.float32)
    cover = np.zeros_like(x)
    dark = np.ones_like(x)
    gaze = rng.normal(0, 0.008, 2)
    fibres = rng.standard_normal((2, 24))
    for side in (-1, 1):
        upper, lower, t = lid_curves(x, who, side)
        body = smoothstep(np.abs(t), 1.02, 0.96)
        open_ = np.clip(0.5 + (y - upper) / (1.4 * pixel), 0, 1)
        open_ *= np.clip(0.5 + (lower - y) / (1.4 * pixel), 0, 1)
        open_ *= body
        cx = side * (who.eye_x - 0.008) + gaze[0]
        cy = -0.018 + gaze[1] + who.eye_tilt * 0.01
        r = np.hypot(x - cx, y - cy)
        white = np.array((0.66, 0.62, 0.59), np.float32) * np.ones((*x.shape, 1), np.float32)
        corner = np.exp(-(((np.abs(t) - 1) / 0.28) ** 2))
        white *= (1 - 0.45 * corner)[..., None]
        white += (0.10 * np.exp(-(((t + 1.0) / 0.13) ** 2)))[..., None] * np.array((1, 0.1, 0.1))
        angle = np.arctan2(y - cy, x - cx)
        waves = sum(
            a * np.sin(k * angle + b)
            for k, (a, b) in enumerate(zip(0.6 * fibres[0], 3 * fibres[1], strict=True), start=9)
        )
        ring = r / IRIS_RADIUS
        iris = iris_colour * (1 + 0.10 * waves * smoothstep(ring, 0.4, 0.7))[..., None]
        iris *= (1 - 0.75 * smoothstep(ring, 0.80, 1.0))[..., None]
        iris *= (0.75 + 0.6 * smoothstep(y - cy, -0.05, 0.07))[..., None]
        iris *= (1 - 0.97 * smoothstep(ring, 0.46, 0.36))[..., None]
        inside = smoothstep(ring, 1.06, 0.94)[..., None]
        ball = white + (iris - white) * inside
        # The upper lid and its lashes shade the ball.
        depth = np.clip((y - upper) / 0.07, 0, 3)
        ball *= (0.28 + 0.72 * (1 - np.exp(-1.6 * depth)))[..., None]
        ball *= (1 - 0.3 * np.exp(-np.clip((lower - y) / 0.02, 0, 9)))[..., None]
        for dx, dy, sx, power in ((-0.028, -0.03, 0.011, 1.3), (0.03, -0.022, 0.008, 0.5)):
            ball += (power * bump(x, y, cx + dx, cy + dy, sx, sx))[..., None]
        a = open_[..., None]
        colour = colour + (ball.astype(np.float32) - colour) * a
        cover = np.maximum(cover, open_)
        near = smoothstep(np.abs(t), 1.12, 0.95)
        lash = who.lash * (0.010 + 0.007 * smoothstep(t, -0.6, 0.9))
        dark *= 1 - 0.88 * near * np.exp(-(((y - upper + 0.3 * lash) / lash) ** 2))
        dark *= 1 - 0.30 * near * np.exp(-(((y - lower - 0.006) / 0.008) ** 2))
        crease = upper - who.lid_crease * (0.45 + 0.55 * np.clip(1 - 0.4 * t**2, 0, 1))
        line = np.exp(-(((y - crease) / 0.009) ** 2)) * smoothstep(np.abs(t), 1.15, 0.75)
        dark *= 1 - 0.42 * who.lid_fold * line
        dark *= 1 - 0.16 * np.exp(-(((y - crease - 0.02) / 0.03) ** 2)) * smoothstep(
            np.abs(t), 1.2, 0.6
        )
    return colour, cover, dark * (1 - _lashes(canvas, who, rng))


def _lashes(canvas: Canvas, who: Identity, rng) -> np.ndarray:
    """Coverage of the single lashes of both upper lids."""
    sheet = np.zeros((canvas.height, canvas.width), np.uint8)
    count = int(46 * (0.5 + who.lash))
    for side in (-1, 1):
        t = np.sort(rng.uniform(-0.75, 1.02, count))
        x = side * (who.eye_x + t * who.eye_half)
        upper = lid_curves(x.astype(np.float32), who, side)[0]
        length = who.lash * (0.022 + 0.022 * (t + 0.75) / 1.75) * rng.uniform(0.6, 1.1, count)
        lean = 0.35 * t + rng.normal(0, 0.12, count)
        start = np.stack([x, upper + 0.004], 1)
        end = np.stack([x + side * length * lean, upper - length * 0.55], 1)
        _strokes(canvas, sheet, start, end, rng.uniform(70, 190, count), 1)
    return 0.8 * sheet.astype(np.float32) / 255


def _strokes(canvas, sheet, start, end, ink, thickness):
    a, b = canvas.points(start), canvas.points(end)
    for p, q, value in zip(a, b, ink, strict=True):
        layer_colour = int(value)
        cv2.line(
            sheet, tuple(map(int, p)), tuple(map(int, q)), layer_colour, thickness, cv2.LINE_AA, 4
        )


def brow_curve(t, who: Identity):
    """Centre line of a brow: x (unsigned) and y at t from 0 (inner end) to 1 (tail)."""
    x = who.brow_inner + (who.brow_outer - who.brow_inner) * t
    arch = who.brow_arch * np.sin(np.pi * np.clip(t, 0, 1) ** 1.35)
    return x, who.brow_y - arch - who.brow_slope * (t - 0.3) + 0.05 * np.clip(t - 0.7, 0, 1)


def brows(canvas: Canvas, who: Identity) -> np.ndarray:
    """Coverage ``(h, w)`` of both brows, drawn hair by hair over a soft shade."""
    rng = who.rng(2)
    sheet = np.zeros((canvas.height, canvas.width), np.uint8)
    count = int(330 * who.brow_dense)
    thick = max(1, round(canvas.unit * 0.0055))
    for side in (-1, 1):
        t = rng.beta(1.15, 1.25, count)
        profile = (
            who.brow_thick * (0.55 + 0.6 * np.sin(np.pi * (0.12 + 0.72 * t))) * (1 - 0.45 * t**3)
        )
        across = rng.normal(0, 0.42, count)
        x, y = brow_curve(t, who)
        y = y + profile * across
        # Hairs rise at the inner end and lie along the brow towards the tail.
        turn = 1.25 * (1 - t) ** 1.6 + 0.10 - 0.5 * across * t + rng.normal(0, 0.14, count)
        length = rng.uniform(0.045, 0.085, count) * (0.75 + 0.5 * who.brow_thick / 0.05)
        dx, dy = length * np.cos(turn), -length * np.sin(turn)
        start = np.stack([side * x, y + 0.2 * length], 1)
        end = np.stack([side * (x + dx), y + 0.2 * length + dy + 0.35 * length * t], 1)
        _strokes(canvas, sheet, start, end, rng.uniform(90, 235, count), thick)
    ink = sheet.astype(np.float32) / 255
    soft = canvas.blur(ink, 0.016)
    return np.clip(0.62 * ink + 0.75 * who.brow_dense * soft, 0, 0.95)


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
    side = np.where(x < 0, -1, 1)
    upper_l, lower_l, t_l = lid_curves(x, who, -1)
    upper_r, lower_r, t_r = lid_curves(x, who, 1)
    left = side < 0
    upper, lower = np.where(left, upper_l, upper_r), np.where(left, lower_l, lower_r)
    t = np.where(left, t_l, t_r)
    return upper, lower, smoothstep(np.abs(t), 1.08, 0.98).astype(np.float32)
