"""Frames of a clip to flow, strain and grey levels: reading, augmentation, channels."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np

from elrcn.config import PreprocessConfig
from elrcn.databases.folders import UNKNOWN, examine
from elrcn.errors import ElrcnError
from elrcn.preprocess.flow import METHODS, check_frames, flow_image, flow_sequence
from elrcn.preprocess.strain import optical_strain
from elrcn.preprocess.tim import frames_needed, interpolate


def _damaged(path):
    return ElrcnError(
        "A frame is damaged, empty or cut short.",
        where=path,
        fix="unpack or copy this file again, or leave the clip out",
    )


def _read_whole(path):
    """Bytes of a frame file, not decoded; raises if it is missing, empty or cut short."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ElrcnError(
            f"A frame cannot be read ({error.strerror}).",
            where=path,
            fix="check that the database was unpacked completely",
        ) from None
    # Decoders fill a missing end with grey; what OpenCV alone can read is left to it.
    problem, _ = examine(data)
    if problem not in ("", UNKNOWN):
        raise _damaged(path)
    return data


def read_grey(path: str | Path) -> np.ndarray:
    """Decode one frame as grey levels, shape (H, W), uint8.

    Raises `ElrcnError` if the file cannot be read, is no image, or is cut short.
    """
    data = np.frombuffer(_read_whole(path), np.uint8)
    try:
        image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    except cv2.error:
        image = None
    if image is None:
        raise _damaged(path)
    return image


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """Bring a grey image to `size` x `size`: area averages down, bilinear up.

    Of any numeric dtype; computed and returned in float32, so that no grey level is rounded.
    """
    image = np.asarray(image, np.float32)
    if image.shape == (size, size):
        return image
    how = cv2.INTER_AREA if min(image.shape) >= size else cv2.INTER_LINEAR
    return cv2.resize(image, (size, size), interpolation=how)


def read_clip(paths, size: int, clip: str = "", tim_length: int = 0, crops=None) -> np.ndarray:
    """Decode the frames of a clip, one at a time, at `size` x `size` pixels.

    Parameters
    ----------
    paths : sequence of Path
        Frame files in order of time.
    size : int
    clip : str
        The clip's name, for messages.
    tim_length : int
        Where TIM to this length needs only some of the frames, only those are decoded, and the
        rest checked for being complete; 0 decodes all.
    crops : sequence of Crop, optional
        One for all frames, or one a frame, applied before resizing.

    Returns
    -------
    ndarray, shape (n, size, size), float32
        Grey levels 0..255; `tim_length` frames where only those are needed.

    Raises
    ------
    ElrcnError
        If a frame cannot be decoded or is cut short, or the frames differ in size.
    """
    needed = list(range(len(paths)))
    if tim_length > 1 and len(paths) > 1:
        needed = frames_needed(len(paths), tim_length).tolist()
    for t in sorted(set(range(len(paths))) - set(needed)):
        _read_whole(paths[t])
    out = np.empty((len(needed), size, size), np.float32)
    shape = None
    for k, t in enumerate(needed):
        image = read_grey(paths[t])
        if shape is not None and image.shape != shape:
            raise ElrcnError(
                f"The frames of clip {clip} differ in size: {shape[1]} x {shape[0]} pixels, "
                f"then {image.shape[1]} x {image.shape[0]}.",
                where=paths[t],
                fix="check that frame, or leave the clip out",
            )
        shape = image.shape
        if crops:
            image = crops[t if len(crops) > 1 else 0].apply(image)
        out[k] = resize(image, size)
    return out


#: Variants of a clip that augmented training adds, besides the clip itself.
VARIANTS = ("mirror", "rotate+4", "rotate-4", "crop")
#: Share of the side that "crop" keeps, around the centre.
CROP = 0.9
_ROTATION = re.compile(r"rotate([+-]\d{1,2}(?:\.\d+)?)")


def transform(variant: str, size: int) -> np.ndarray:
    """Where a variant moves the points of a square picture.

    Parameters
    ----------
    variant : str
        "mirror": left and right change places. "rotate+4", "rotate-4": turned about the centre by
        so many degrees, counterclockwise if positive. "crop": the middle `CROP` of the side,
        enlarged to the whole. "": nothing.
    size : int
        Side of the picture.

    Returns
    -------
    ndarray, shape (2, 3), float64
        ``x' = M[:, :2] x + M[:, 2]``, with x right and y down, the first pixel's centre at 0.

    Raises
    ------
    ElrcnError
        If there is no such variant.
    """
    if variant == "mirror":
        return np.array([[-1.0, 0, size - 1], [0, 1, 0]])
    turn = _ROTATION.fullmatch(variant)
    if not turn and variant not in ("", "crop"):
        raise ElrcnError(
            f"There is no augmentation {variant!r}.",
            fix='choose "mirror", "crop", a rotation by degrees such as "rotate+4", or "" for none',
        )
    centre = (size - 1) / 2
    angle = float(turn[1]) if turn else 0.0
    scale = 1 / CROP if variant == "crop" else 1.0
    return cv2.getRotationMatrix2D((centre, centre), angle, scale)


def augment(frames: np.ndarray, variant: str) -> np.ndarray:
    """Transform all frames of a clip alike.

    The motion between them is then that of a face seen so: mirrored and turned flow has mirrored
    and turned vectors, which transforming a flow field as a picture would not give.

    Parameters
    ----------
    frames : ndarray, shape (n, S, S)
        Grey frames 0..255.
    variant : str
        See `transform`; "" returns `frames` themselves.

    Returns
    -------
    ndarray, shape (n, S, S), float32
        Beyond its edge a frame is continued by its reflection; bicubic interpolation, so that
        values may leave 0..255 a little.
    """
    if not variant:
        return frames
    frames = np.asarray(frames, np.float32)
    if variant == "mirror":
        return np.ascontiguousarray(frames[:, :, ::-1])
    matrix, size = transform(variant, frames.shape[1]), frames.shape[:0:-1]
    how = {"flags": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REFLECT_101}
    return np.stack([cv2.warpAffine(frame, matrix, size, **how) for frame in frames])


def augment_flow(flow: np.ndarray, variant: str) -> np.ndarray:
    """Flow that the transformed frames have if `flow` is that of the frames as they are.

    The field (S, S, 2) in pixels is moved to its new places, its vectors mirrored, turned or
    enlarged as well. For checks and pictures; training computes the flow of transformed frames.
    """
    matrix = transform(variant, flow.shape[0])
    planes = [augment(plane[None], variant)[0] for plane in np.moveaxis(flow, 2, 0)]
    return np.stack(planes, axis=2) @ matrix[:, :2].T.astype(np.float32)


#: Order of the channels of a stack: p, q and |v| in px/frame, strain, grey levels 0..255.
CHANNELS = ("flow_x", "flow_y", "flow_magnitude", "strain", "grey")
#: No alignment; one transform a clip; one a frame, smoothed over time.
ALIGNMENTS = ("none", "face", "face-follow")


def check_config(config: PreprocessConfig) -> None:
    """Raise `ElrcnError` for a setting that preprocessing cannot follow."""
    for name in ("tim_length", "max_frames"):
        value = getattr(config, name)
        if value < 0 or value == 1:
            raise ElrcnError(
                f"{name} is {value}.",
                fix="give at least 2 (a flow needs two frames), or 0 for the clip's own frames",
            )
    if config.flow not in METHODS:
        raise ElrcnError(f"There is no flow {config.flow!r}.", fix=f"choose one of: {METHODS}")
    if config.align not in ALIGNMENTS:
        raise ElrcnError(
            f"There is no alignment {config.align!r}.", fix=f"choose one of: {ALIGNMENTS}"
        )
    if min(config.size, config.flow_size) < 16 or config.size > config.flow_size:
        raise ElrcnError(
            f"A size of {config.size} with a flow_size of {config.flow_size} is not possible.",
            fix="16 <= size <= flow_size",
        )
    transform(config.variant, config.flow_size)


def _check_finite(values, what):
    """Raise `ElrcnError` if a step of `values` (steps, ...) holds NaN or infinity."""
    steps = np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if not steps.all():
        raise ElrcnError(
            f"{what} of step {int(steps.argmin()) + 1} of {len(steps)} has values that are "
            "not finite.",
            fix="look at the clip's frames there, or leave the clip out; if they are sound, this "
            "is a fault of the library: report it",
        )


def in_time(frames, config):
    """Frames after TIM (if any) and augmentation (if any), grey levels 0..255.

    Raises `ElrcnError` if there are fewer than two frames, or one has values that are not finite.
    """
    if config.tim_length:
        frames = interpolate(frames, config.tim_length)
    elif len(frames) < 2:
        raise ElrcnError("A clip needs at least two frames.", fix="leave the clip out")
    # Both steps are linear, one over frames and one over pixels, so that their order changes
    # nothing; this one transforms fewer frames.
    frames = augment(frames, config.variant)
    _check_finite(frames, "The frame")
    return np.clip(frames, 0, 255)


def stack_clip(frames: np.ndarray, config: PreprocessConfig) -> np.ndarray:
    """Network input of one clip (Sections III-A and III-B).

    Resize to ``flow_size``, interpolate in time, transform as ``variant`` says, flow between each
    frame and the next, strain of the flow, then reduce everything to ``size`` by area averages.
    Flow stays in pixels per frame at ``flow_size``. Step t holds the flow from frame t to frame
    t + 1 and, since that flow lives on the grid of frame t, the grey levels of frame t.

    Parameters
    ----------
    frames : array_like, shape (n, H, W)
        Grey frames 0..255, onset to offset.
    config : PreprocessConfig

    Returns
    -------
    ndarray, shape (T - 1, 5, size, size), float32
        Channels in the order of `CHANNELS`. T is ``tim_length``, or n where that is 0.

    Raises
    ------
    ElrcnError
        If `frames` is no array of three axes or holds fewer than two frames, `config` is not
        possible, or a channel would hold values that are not finite.
    """
    check_config(config)
    frames = check_frames(frames)
    side = config.flow_size
    if frames.shape[1:] != (side, side):
        frames = np.stack([resize(frame, side) for frame in frames])
    frames = in_time(frames, config)
    flows = flow_sequence(frames, config.flow)
    out = np.empty((len(flows), len(CHANNELS), config.size, config.size), np.float32)
    for t, flow in enumerate(flows):
        planes = (*np.moveaxis(flow_image(flow), 2, 0), optical_strain(flow), frames[t])
        # One plane at a time: OpenCV's area averaging takes four channels at most.
        for c, plane in enumerate(planes):
            out[t, c] = resize(np.ascontiguousarray(plane), config.size)
    for c, name in enumerate(CHANNELS):
        _check_finite(out[:, c], f"The channel {name}")
    return out
