"""A rendered person: relief, skin, eyes, hair and body under a light, as linear RGB."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from elrcn.databases.corpus.body import ear_layer, torso_layer, wall_layer
from elrcn.databases.corpus.camera import develop, grey, reduce
from elrcn.databases.corpus.canvas import Canvas, over, smoothstep
from elrcn.databases.corpus.eyes import brows, eye_layers
from elrcn.databases.corpus.hair import hair_layers
from elrcn.databases.corpus.identity import Identity, draw_identity
from elrcn.databases.corpus.relief import build_relief, lip_line
from elrcn.databases.corpus.skin import albedo, fine_relief, hair_tone, iris_tone
from elrcn.databases.corpus.units import crease_relief, displacement_field

# Light wanders further below the skin in red than in green and blue: face units.
_SCATTER = (0.028, 0.012, 0.006)


@dataclass(frozen=True)
class Light:
    """A key lamp, a fill lamp and the light of the room.

    Attributes
    ----------
    key, fill : (3,) direction towards the lamp (x right, y down, z to the camera)
    key_power, fill_power, room : float
    warmth : float
        Colour of the key lamp: 0 neutral, positive towards yellow.
    """

    key: tuple[float, float, float] = (-0.45, -0.55, 0.8)
    fill: tuple[float, float, float] = (0.7, -0.1, 0.7)
    key_power: float = 0.85
    fill_power: float = 0.35
    room: float = 0.38
    warmth: float = 0.0


class Face:
    """One identity on one canvas; everything that light does not change is computed once."""

    def __init__(self, canvas: Canvas, who: Identity):
        self.canvas, self.who = canvas, who
        self.head, self.cut = canvas.window(-1.2, 1.2, -1.95, 1.9)
        head = self.head
        self.relief = build_relief(head, who)
        self.fine = fine_relief(head, who)
        self.skin = _painted_skin(head, who)
        self.eye_colour, self.eye_cover, self.eye_dark = eye_layers(
            head, who, iris_tone(who.iris_melanin)
        )
        # What no lamp reaches: hollows much narrower than a head.
        coarse = self.relief.z
        hollow = np.zeros_like(coarse)
        for sigma, weight in ((0.035, 5.0), (0.12, 1.7)):
            hollow += weight * np.clip(head.blur(coarse, sigma) - coarse, 0, None)
        self.open = np.exp(-1.1 * hollow)
        mask = np.maximum(self.relief.inside, 1e-3)
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

        Parameters
        ----------
        light : Light
        extra : (h, w) array, optional
            Height in face units to add: the creases an expression makes.

        Returns
        -------
        open_lids, closed_lids : (h, w, 3) float32
            With and without the lines that open lids draw.
        """
        canvas, who = self.head, self.who
        z = self.relief.z + self.fine
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
        mask = np.maximum(self.relief.inside, 1e-3)
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
        picture[self.cut] = over(picture[self.cut], skin * self.hair_shadow, self.relief.inside)
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
    deep[face.cut] = face.head.blur(face.relief.z, 0.03) * canvas.unit
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
        value = grey(develop(reduce(picture, size, size, 0.0), rng.uniform(0.7, 1.1)))
        value = value + rng.normal(0, 1.5, value.shape)
        pictures[k] = np.clip(np.rint(value), 0, 255)
    return pictures
