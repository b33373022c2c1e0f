"""Frames of one clip to its network input: flow, strain and grey, stacked."""

from __future__ import annotations

import numpy as np

from elrcn.config import PreprocessConfig
from elrcn.errors import ElrcnError
from elrcn.preprocess.augment import augment, check_variant
from elrcn.preprocess.flow import METHODS, check_frames, flow_image, flow_sequence
from elrcn.preprocess.frames import resize
from elrcn.preprocess.strain import optical_strain
from elrcn.preprocess.tim import interpolate

CHANNELS = ("flow_x", "flow_y", "flow_magnitude", "strain", "grey")
"""Order of the channels of a stack: p, q and |v| in px/frame, strain, grey levels 0..255."""


ALIGNMENTS = ("none", "face", "face-follow")
"""No alignment; one transform a clip; one a frame, smoothed over time."""


def check_config(config: PreprocessConfig) -> None:
    """Raise `ElrcnError` for a setting that preprocessing cannot follow."""
    if config.tim_length < 0 or config.tim_length == 1:
        raise ElrcnError(
            f"tim_length is {config.tim_length}.",
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
    if config.max_frames < 0 or config.max_frames == 1:
        raise ElrcnError(
            f"max_frames is {config.max_frames}.",
            fix="give at least 2 (a flow needs two frames), or 0 for all frames of a clip",
        )
    check_variant(config.variant)


def _check_finite(values, what):
    """Raise `ElrcnError` if a step of `values` (steps, ...) holds NaN or infinity."""
    steps = np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if not steps.all():
        raise ElrcnError(
            f"{what} of step {int(steps.argmin()) + 1} of {len(steps)} has values that are "
            "not finite.",
            fix="look at the clip's frames there; if they are sound, this is a fault of the "
            "library: leave the clip out and report it",
        )


def in_time(frames, config):
    """Interpolate frames by TIM or keep them, transform them if asked to; grey levels 0..255.

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


def stack_clip(frames: np.ndarray, config: PreprocessConfig, threads: int = 1) -> np.ndarray:
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
    threads : int
        Flows computed at a time; the result does not depend on it.

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
    flows = flow_sequence(frames, config.flow, threads)
    out = np.empty((len(flows), len(CHANNELS), config.size, config.size), np.float32)
    for t, flow in enumerate(flows):
        planes = (
            *np.moveaxis(flow_image(flow), 2, 0),
            optical_strain(flow),
            frames[t],
        )
        # One plane at a time: OpenCV's area averaging takes four channels at most.
        for c, plane in enumerate(planes):
            out[t, c] = resize(np.ascontiguousarray(plane), config.size)
    for c, name in enumerate(CHANNELS):
        _check_finite(out[:, c], f"The channel {name}")
    return out
