"""What surrounds a face: background, shoulders, neck, ears."""

from __future__ import annotations

import numpy as np

from elrcn.databases.corpus.canvas import Canvas, bump, over, smoothstep
from elrcn.databases.corpus.identity import Identity
from elrcn.databases.corpus.skin import skin_tone


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
        ear = np.clip(lit, 0.05, 1)[..., None] * (skin * tint)
        colour[cut] = ear
        cover[cut] = mask
    return colour, cover
