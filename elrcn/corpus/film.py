"""Frames of a clip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from elrcn.corpus.canvas import Canvas, develop, grey, smoothstep
from elrcn.corpus.face import Face, Light, closing_lids, skin_tone
from elrcn.corpus.person import Identity, crease_relief, displacement_field, draw_identity
from elrcn.corpus.plan import ClipPlan, generator, stream
from elrcn.corpus.truth import Motion, Warp

MARK = "Synthetic: made by elrcn, no person is shown"


def mark_jpeg(data: bytes) -> bytes:
    """Return a JPEG file with `MARK` as its comment (segment COM, ITU-T T.81 B.2.4.5).

    No other byte changes, so pixels stay what they were.
    """
    at = 2
    while data[at] == 0xFF and 0xE0 <= data[at + 1] <= 0xEF:  # JFIF wants its APP0 to come first
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    text = MARK.encode("ascii")
    return data[:at] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + data[at:]


@dataclass(frozen=True)
class Sensor:
    """Camera of a laboratory, and how its subjects sit; lengths in pixels."""

    colour: bool  # False: 8-bit grey frames
    read_noise: float  # noise variance is read_noise**2 + shot_noise**2 * value / 255, grey levels
    shot_noise: float
    grain: float  # width of the noise grains; 0 is white noise
    softness: float  # blur of the lens
    quality: int  # of the JPEG files
    shake: float  # head motion during a clip
    pose: tuple[float, float, float, float]  # deviations from clip to clip: x, y, turn, log scale
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


OVERSAMPLE = 2
#: The stored fields have one value every so many pixels.
FIELD_STEP = 2


def _wander(rng, n: int, step: float) -> np.ndarray:
    """Smooth path of n frames, about `step` wide over 60 frames, starting anywhere."""
    path = np.cumsum(rng.normal(0, 1, n + 40))
    kernel = np.hanning(33)
    path = np.convolve(path, kernel / kernel.sum(), mode="same")[20 : 20 + n]
    return (path - path.mean()) * step / 8


def draw_motion(
    rng: np.random.Generator, plan: ClipPlan, sensor: Sensor, scale: float, pose: np.ndarray
) -> tuple[Motion, np.ndarray]:
    """Draw the time courses of one clip, and the brightness ``(n,)`` of the light.

    `scale` is a factor to the plan's peaks, which hold for a face of `REFERENCE_UNIT`; `pose` is
    where the head is on average: shift x and y, turn, log scale.
    """
    length = plan.length
    n = plan.before + length + plan.after
    rise = int(np.clip(round(length * rng.uniform(0.3, 0.55)), 4, length - 4))
    hold = int(length * rng.uniform(0.0, 0.15))
    fall = max(4, int((length - rise - hold) * rng.uniform(0.85, 1.05)))
    rest = float(rng.choice((0.0, rng.uniform(0.0, 0.2))))
    frame = np.arange(n) - plan.before
    amounts = np.zeros((n, len(plan.peaks)), np.float32)
    for k, peak in enumerate(plan.peaks):
        lag = 0.0 if k == 0 else rng.uniform(-0.08, 0.08) * rise
        up = smoothstep((frame - max(lag, 0)) / (rise - abs(lag)), 0, 1) ** rng.uniform(0.85, 1.3)
        down = smoothstep((frame - rise - hold) / fall, 0, 1)
        amounts[:, k] = peak * scale * up * (1 - (1 - rest) * down)
        amounts[:, k] *= smoothstep(1 - (frame - length) / 30.0, 0, 1)
    shake = sensor.shake
    head = [_wander(rng, n, step) for step in (shake, shake, shake * 0.0022, shake * 0.0012)]
    blink = np.zeros(n)
    if rng.random() < sensor.blink_chance:
        centre, half = rng.uniform(0, n), rng.uniform(9, 15)
        blink = np.clip(1.15 - ((np.arange(n) - centre) / half) ** 2, 0, 1)
    gain = 1 + _wander(rng, n, 0.006) + rng.normal(0, 0.0012, n)
    onset = plan.first + plan.before
    motion = Motion(
        numbers=np.arange(plan.first, plan.first + n),
        onset=onset,
        apex=onset + rise + hold // 2,
        offset=onset + length - 1,
        amounts=amounts,
        head=(np.stack(head, 1) + pose).astype(np.float32),
        blink=blink.astype(np.float32),
    )
    return motion, gain.astype(np.float32)


class Sitter:
    """One subject in the studio: rendered once, filmed as often as clips are needed."""

    def __init__(self, seed: int, database: str, subject: str):
        self.seed, self.database = seed, database
        self.sensor = SENSORS[database]
        self.canvas = subject_canvas(seed, database, subject)
        self.light, exposure = subject_light(seed, database, subject)
        entropy = stream(seed, database, subject, "identity").generate_state(1)[0]
        self.who = draw_identity(int(entropy), database.lower())
        # The camera is set to the face before it, as far as the laboratory's routine allows.
        self.exposure = exposure * float(
            np.clip((0.36 / skin_tone(self.who.melanin).mean()) ** 0.4, 0.85, 1.25)
        )
        self.face = Face(self.canvas.oversampled(OVERSAMPLE), self.who)

    def photograph(self, linear: np.ndarray) -> np.ndarray:
        """Display values 0 to 255, without noise, of an oversampled linear picture."""
        size = (self.canvas.width, self.canvas.height)
        picture = develop(cv2.resize(linear, size, interpolation=cv2.INTER_AREA), self.exposure)
        picture = cv2.GaussianBlur(picture, (0, 0), self.sensor.softness)
        return picture if self.sensor.colour else grey(picture)

    def film(self, plan: ClipPlan) -> tuple[Motion, np.ndarray, Iterator[bytes]]:
        """Return a clip's motion, its stored fields ``(k, h, w, 2)`` and its frames as JPEG files.

        There is one encoded frame per entry of ``motion.numbers``.
        """
        rng = generator(self.seed, plan.clip_id, "film")
        scale = self.canvas.unit / REFERENCE_UNIT
        pose = rng.normal(0, 1, 4) * self.sensor.pose
        motion, gain = draw_motion(rng, plan, self.sensor, scale, pose)
        view = self.canvas
        coarse = Canvas(  # the view at rest in this clip
            view.width // FIELD_STEP,
            view.height // FIELD_STEP,
            view.unit / FIELD_STEP,
            (view.cx + float(pose[0]) + 0.5) / FIELD_STEP - 0.5,
            (view.cy + float(pose[1]) + 0.5) / FIELD_STEP - 0.5,
        )
        basis = np.stack([-displacement_field(coarse, self.who, n, side) for n, side in plan.units])
        basis[np.abs(basis) < 2e-3] = 0  # the far tail of a pull moves nothing
        basis = basis.astype(np.float16)
        return motion, basis, self._frames(plan, motion, gain, basis, rng)

    def _frames(self, plan, motion, gain, basis, rng) -> Iterator[bytes]:
        canvas = self.canvas
        # The session's lamps, with the head turned a little under them.
        key = tuple(float(v) for v in np.array(self.light.key) + rng.normal(0, 0.05, 3))
        power = self.light.key_power * float(rng.uniform(0.96, 1.04))
        light = replace(self.light, key=key, key_power=power)
        relaxed, closed = self.face.shade(light)
        neutral = self.photograph(self.face.compose(light, relaxed))
        # Creases at the apex, added in proportion to the strongest unit.
        extra = sum(
            p * crease_relief(self.face.head, self.who, n, side)
            for (n, side), p in zip(plan.units, plan.peaks, strict=True)
        )
        creased, _ = self.face.shade(light, extra)
        change = self.photograph(self.face.compose(light, creased)) - neutral
        strongest = max(float(motion.amounts[:, 0].max()), 1e-6)
        lids = None
        if motion.blink.any():
            closed = self.photograph(self.face.compose(light, closed, eyes=False))
            lids = Lids(canvas, self.who, closed)
        warp = Warp(basis, canvas.width, canvas.height)
        noise = NoiseSheet(rng, self.sensor, neutral)
        for k in range(len(motion.numbers)):
            amount = float(motion.amounts[k, 0]) / strongest
            picture = cv2.scaleAdd(change, amount, neutral)
            if lids is not None and motion.blink[k] > 0:
                lids.lower(picture, float(motion.blink[k]))
            maps = warp.sampling_map(motion.amounts[k], motion.head[k])
            frame = cv2.remap(picture, *maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
            pixels = noise.add(frame, float(gain[k]))
            yield encode(pixels[..., ::-1] if self.sensor.colour else pixels, self.sensor.quality)


def encode(pixels: np.ndarray, quality: int) -> bytes:
    """JPEG file, marked as synthetic, of 8-bit pixels (grey, or colour in OpenCV's order)."""
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError("OpenCV could not encode a JPEG frame")
    return mark_jpeg(data.tobytes())


class NoiseSheet:
    """Sensor noise: one large sheet of noise, a random window of it for each frame."""

    def __init__(self, rng: np.random.Generator, sensor, neutral: np.ndarray):
        self.rng = rng
        height, width = neutral.shape[:2]
        shape = (height + 160, width + 160, *neutral.shape[2:])
        sheet = rng.standard_normal(shape, dtype=np.float32)
        if sensor.colour:  # demosaicking leaves the channels' noise partly common
            sheet = 0.55 * sheet + 0.75 * rng.standard_normal((*shape[:2], 1), dtype=np.float32)
        if sensor.grain > 0:
            sheet = cv2.GaussianBlur(sheet, (0, 0), sensor.grain)
        self.sheet = sheet / sheet.std()
        base = sensor.read_noise**2 + sensor.shot_noise**2 * neutral / 255
        self.sigma = np.sqrt(base).astype(np.float32)

    def add(self, frame: np.ndarray, gain: float) -> np.ndarray:
        """Return the frame times `gain` with fresh noise, as uint8."""
        height, width = frame.shape[:2]
        top, left = (int(v) for v in self.rng.integers(0, 160, 2))
        window = self.sheet[top : top + height, left : left + width]
        flip = int(self.rng.integers(4))
        window = window[:: -1 if flip & 1 else 1, :: -1 if flip & 2 else 1]
        noise = np.multiply(window, self.sigma)
        return cv2.addWeighted(frame, gain, noise, 1, 0, dtype=cv2.CV_8U)


class Lids:
    """Upper lids that close: a strip of the picture with the eyes shut, uncovered from above."""

    def __init__(self, canvas: Canvas, who: Identity, closed: np.ndarray):
        self.part, self.cut = canvas.window(-1, 1, -0.3, 0.2)
        self.closed = closed[self.cut]
        self.upper, self.lower_edge, self.weight = closing_lids(self.part, who)

    def lower(self, picture: np.ndarray, closure: float) -> None:
        """Close the eyes of `picture` in place by `closure`, 0 to 1."""
        _, y = self.part.grid()
        pixel = 1 / self.part.unit
        strength = min(1.0, 5 * closure)
        edge = self.upper + (self.lower_edge - self.upper) * closure
        cover = smoothstep(y, edge + pixel, edge - pixel)
        cover *= smoothstep(y, self.upper - 0.06, self.upper - 0.02) * self.weight * strength
        lash = 0.75 * strength * self.weight * np.exp(-(((y - edge) / 0.012) ** 2))
        view = picture[self.cut]
        if picture.ndim == 3:
            cover, lash = cover[..., None], lash[..., None]
        view += (self.closed - view) * cover
        view *= 1 - lash
