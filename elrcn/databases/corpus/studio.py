"""The two laboratories: how each frames, lights and records a face."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from elrcn.databases.corpus.canvas import Canvas
from elrcn.databases.corpus.faces import Light
from elrcn.databases.corpus.plan import generator


@dataclass(frozen=True)
class Sensor:
    """Camera of a laboratory.

    Attributes
    ----------
    colour : bool
        False: 8-bit grey frames.
    read_noise, shot_noise : float
        Noise variance is ``read_noise**2 + shot_noise**2 * value / 255`` in grey levels.
    grain : float
        Width of the noise grains in pixels; 0 is white noise.
    softness : float
        Blur of the lens in pixels.
    quality : int
        JPEG quality.
    shake : float
        Head motion during a clip in pixels.
    pose : tuple of float
        Deviations of the head's place from clip to clip: x, y (pixels), turn, log scale.
    blink_chance : float
    """

    colour: bool
    read_noise: float
    shot_noise: float
    grain: float
    softness: float
    quality: int
    shake: float
    pose: tuple[float, float, float, float]
    blink_chance: float


SENSORS = {
    "CASME2": Sensor(True, 0.5, 0.6, 0.45, 0.55, 95, 0.2, (1.5, 1.5, 0.006, 0.004), 0.14),
    "SAMM": Sensor(False, 0.7, 0.8, 0.0, 0.45, 95, 0.35, (4.0, 4.0, 0.018, 0.008), 0.10),
}
SIZES = {"CASME2": (280, 340), "SAMM": (640, 480)}
#: Amplitudes are stated at this many pixels per face unit (a face cropped to 280x340).
REFERENCE_UNIT = 124.0


def subject_canvas(seed: int, database: str, subject: str) -> Canvas:
    """Where a subject's face lies in the frames of a database."""
    rng = generator(seed, database, subject, "view")
    width, height = SIZES[database]
    if database == "CASME2":
        unit = float(np.clip(rng.normal(REFERENCE_UNIT, 2.5), 118, 130))
        return Canvas(width, height, unit, 139.5 + rng.normal(0, 2), 117 + rng.normal(0, 3))
    unit = float(np.clip(rng.normal(117, 4), 110, 126))
    return Canvas(width, height, unit, 319.5 + rng.normal(0, 18), 204 + rng.normal(0, 6))


def subject_light(seed: int, database: str, subject: str) -> tuple[Light, float]:
    """Lamps of a subject's session and the exposure."""
    rng = generator(seed, database, subject, "light")
    if database == "CASME2":  # four lamps: bright, even, slightly warm
        light = Light(
            key=(rng.normal(-0.3, 0.2), rng.normal(-0.5, 0.1), 0.85),
            fill=(rng.normal(0.65, 0.1), rng.normal(-0.15, 0.1), 0.75),
            key_power=rng.uniform(0.62, 0.85),
            fill_power=rng.uniform(0.38, 0.55),
            room=rng.uniform(0.36, 0.48),
            warmth=rng.uniform(0.0, 0.25),
        )
        return light, float(rng.uniform(0.86, 1.0))
    light = Light(  # two LED panels at the sides
        key=(rng.normal(0.6, 0.15), rng.normal(-0.35, 0.1), 0.7),
        fill=(rng.normal(-0.75, 0.1), rng.normal(-0.2, 0.1), 0.65),
        key_power=rng.uniform(0.6, 0.85),
        fill_power=rng.uniform(0.4, 0.7),
        room=rng.uniform(0.22, 0.36),
    )
    return light, float(rng.uniform(1.1, 1.35))


def clip_light(light: Light, rng: np.random.Generator) -> Light:
    """Return the session's lamps with the head turned a little under them."""
    key = tuple(float(v + d) for v, d in zip(light.key, rng.normal(0, 0.05, 3), strict=True))
    return replace(light, key=key, key_power=light.key_power * float(rng.uniform(0.96, 1.04)))
