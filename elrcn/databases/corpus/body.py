"""What surrounds a face: background, shoulders, neck, ears."""

from __future__ import annotations

import numpy as np

from elrcn.databases.corpus.canvas import Canvas, bump, over, smoothstep
from elrcn.databases.corpus.identity import Identity
from elrcn.databases.corpus.skin import skin_tone


def body_layer(canvas: Canvas, who: Identity) -> np.ndarray:
    """Background, clothes and neck ``(h, w, 3)``, linear."""
    x, y = canvas.grid()
    rng = who.rng(6)
    wall = rng.uniform(0.16, 0.45) * (1 - 0.10 * y / 2 + 0.05 * x)
    wall = wall * (1 + 0.01 * canvas.noise(rng, 0.3))
    tint = 1 + rng.normal(0, 0.03, 3)
    picture = np.clip(wall, 0.02, None)[..., None] * tint.astype(np.float32) * np.float32(0.6)
    skin = skin_tone(who.melanin).astype(np.float32)
    # Neck: a cylinder in the shade of the chin, widening into the shoulders.
    half = who.neck_width + 0.9 * smoothstep(y, who.chin_y + 0.15, who.chin_y + 0.95) ** 2
    u = np.clip(np.abs(x) / half, 0, 1)
    cover = np.clip(0.5 + (half - np.abs(x)) * canvas.unit / 1.6, 0, 1) * smoothstep(y, 0.5, 0.7)
    round_ = np.sqrt(np.clip(1 - u**2, 0, 1))
    shade = (0.20 + 0.42 * round_) * (
        0.45 + 0.55 * smoothstep(y, who.chin_y - 0.1, who.chin_y + 0.6)
    )
    tendon = bump(np.abs(x) - 0.25 + 0.12 * (y - who.chin_y), y, 0, who.chin_y + 0.35, 0.06, 0.35)
    hollow = bump(x, y, 0, who.chin_y + 0.62, 0.13, 0.1)
    grain = 1 + 0.02 * canvas.noise(rng, 0.01) + 0.02 * canvas.noise(rng, 0.05)
    neck = skin * (shade * (1 + 0.12 * tendon - 0.3 * hollow) * grain)[..., None]
    picture = over(picture, neck.astype(np.float32), cover)
    # Clothes: neckline and shoulders.
    shoulder = who.chin_y + 0.42 + 0.30 * np.clip(np.abs(x) - 0.55, 0, None) ** 0.9
    neckline = who.chin_y + 0.62 - 0.50 * np.clip(np.abs(x) / 0.62, 0, 1) ** 2
    v_neck = rng.random() < 0.4
    if v_neck:
        neckline = who.chin_y + 0.75 - 0.75 * np.clip(np.abs(x) / 0.6, 0, 1)
    edge = np.maximum(
        np.where(np.abs(x) < 0.62, neckline, -9), np.where(np.abs(x) < 0.62, -9, shoulder)
    )
    edge = canvas.blur(edge.astype(np.float32), 0.02)
    cloth = np.clip(0.5 + (y - edge) * canvas.unit / 1.6, 0, 1)
    base = rng.uniform(0.02, 0.35) * (1 + rng.normal(0, 0.15, 3))
    folds = 0.10 * canvas.noise(rng, 0.16) + 0.06 * canvas.noise(rng, 0.05)
    weave = 0.05 * np.sin(x * 210) * np.sin(y * 210) + 0.05 * canvas.noise(rng, 0.008)
    lit = (0.55 + 0.25 * smoothstep(np.abs(x), 1.8, 0.4)) * (1 + folds + weave)
    lit *= 1 - 0.35 * np.exp(-np.clip(y - edge, 0, None) / 0.03)
    fabric = lit[..., None] * np.clip(base, 0.01, 0.6).astype(np.float32)
    return over(picture, fabric.astype(np.float32), cloth)


def ear_layer(canvas: Canvas, who: Identity):
    """Ears ``(h, w, 3)`` linear and their coverage ``(h, w)``."""
    x, y = canvas.grid()
    skin = skin_tone(who.melanin).astype(np.float32)
    size = who.ear_size
    colour = np.zeros((*x.shape, 3), np.float32)
    cover = np.zeros_like(x)
    for side in (-1, 1):
        u = (side * x - who.skull_width - 0.015 - 0.06 * (0.15 - y)) / (0.105 * size)
        v = (y - 0.17) / (0.33 * size)
        r = np.sqrt(u**2 + np.abs(v) ** 2.3)
        mask = smoothstep(r, 1.0 + 1.2 / (0.12 * canvas.unit), 1.0 - 1.2 / (0.12 * canvas.unit))
        helix = np.exp(-(((r - 0.82) / 0.15) ** 2))
        inner = np.exp(-(((u - 0.05) / 0.4) ** 2 + ((v + 0.05) / 0.45) ** 2))
        ridge = np.exp(-(((r - 0.5) / 0.12) ** 2)) * smoothstep(v, 0.3, -0.2)
        lit = 0.36 + 0.20 * helix + 0.10 * ridge - 0.20 * inner
        ear = np.clip(lit, 0.05, 1)[..., None] * skin * np.array((1.05, 0.88, 0.85), np.float32)
        colour = colour + (ear - colour) * mask[..., None]
        cover = np.maximum(cover, mask)
    return colour.astype(np.float32), cover.astype(np.float32)
