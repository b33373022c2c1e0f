"""TV-L1 optical flow between grey frames (Eq 1) and the flow image made of it."""

from __future__ import annotations

import threading

import cv2
import numpy as np

from elrcn.errors import ElrcnError
from elrcn.preprocess.tvl1 import ipol_flow

METHODS = ("ipol", "opencv")
_local = threading.local()


def check_frames(frames) -> np.ndarray:
    """Return `frames` as an array (T, H, W), T > 0; raise `ElrcnError` if they are none."""
    try:
        frames = np.asarray(frames)
        if frames.ndim == 3 and frames.size:
            return frames
        what = f"an array of shape {frames.shape}"
    except ValueError:
        what = "frames of several sizes"
    raise ElrcnError(
        f"A clip is grey frames of one size, (frames, height, width); this is {what}.",
        fix="stack the clip's grey frames, onset to offset, into one array of three axes",
    )


def _check_pair(first, second):
    first, second = np.asarray(first), np.asarray(second)
    if first.shape != second.shape or first.ndim != 2 or min(first.shape) < 16:
        raise ElrcnError(
            f"Optical flow needs two grey frames of one size, at least 16 x 16 pixels; "
            f"these are {first.shape} and {second.shape}.",
            fix="check that the clip's frames are all of the same size",
        )
    first, second = first.astype(np.float32), second.astype(np.float32)
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ElrcnError(
            "Optical flow needs frames of finite grey levels; these hold NaN or infinity.",
            fix="look at the clip's frames; leave the clip out if they are damaged",
        )
    return first, second


def tvl1_flow(first: np.ndarray, second: np.ndarray, method: str = "ipol") -> np.ndarray:
    """TV-L1 optical flow from `first` to `second`: ``first(x) = second(x + flow(x))``.

    Parameters
    ----------
    first, second : array_like, shape (H, W)
        Grey frames, 0..255, at least 16 x 16.
    method : {"ipol", "opencv"}
        "ipol" is the algorithm of IPOL's program, which the paper's authors used (see
        `elrcn.preprocess.tvl1`).
        "opencv" is OpenCV contrib's DualTVL1 with its own defaults: another flow, with a median
        filter, five scales at step 0.8 and no presmoothing.

    Returns
    -------
    ndarray, shape (H, W, 2), float32
        Horizontal then vertical motion in pixels per frame.

    Raises
    ------
    ElrcnError
        If the frames differ in size, are too small or not finite, or there is no such method.

    References
    ----------
    Zach, Pock and Bischof, DAGM 2007, doi:10.1007/978-3-540-74936-3_22; Sanchez, Meinhardt-Llopis
    and Facciolo, IPOL 3 (2013), doi:10.5201/ipol.2013.26.
    """
    if method not in METHODS:
        raise ElrcnError(
            f"There is no optical flow method {method!r}.", fix=f"choose one of: {METHODS}"
        )
    first, second = _check_pair(first, second)
    if method == "ipol":
        return ipol_flow(first, second)
    # One OpenCV object a thread: it keeps its buffers between calls and is not re-entrant.
    if not hasattr(_local, "opencv"):
        _local.opencv = cv2.optflow.DualTVL1OpticalFlow_create()
    # OpenCV multiplies floating point frames by 255.
    return _local.opencv.calc(first / 255, second / 255, None)


def flow_sequence(frames: np.ndarray, method: str = "ipol") -> np.ndarray:
    """Flow between each frame and the next.

    Parameters
    ----------
    frames : array_like, shape (T, H, W)
        Grey frames, 0..255.
    method : {"ipol", "opencv"}
        See `tvl1_flow`.

    Returns
    -------
    ndarray, shape (T - 1, H, W, 2), float32
        Pixels per frame; entry t is defined on the grid of frame t.

    Raises
    ------
    ElrcnError
        As `tvl1_flow`, or if `frames` is no array of three axes.
    """
    frames = check_frames(frames)
    out = np.empty((len(frames) - 1, *frames.shape[1:], 2), np.float32)
    for t in range(len(out)):
        out[t] = tvl1_flow(frames[t], frames[t + 1], method)
    return out


def eight_bit(levels: np.ndarray) -> np.ndarray:
    """Whole levels 0..255 (float32) as Octave's ``uint8()`` stores them: halves up, saturating."""
    return np.floor(np.clip(np.asarray(levels, np.float32), 0, 255) + np.float32(0.5))


def flow_image(flow: np.ndarray, quantise: bool = False) -> np.ndarray:
    """Flow image of Section III-A: p, q and the magnitude ``|v| = sqrt(p^2 + q^2)``.

    Parameters
    ----------
    flow : array_like, shape (..., H, W, 2)
        Pixels per frame.
    quantise : bool
        The authors' storage as 8-bit images, ``16 c + 128`` as `eight_bit` for each component c,
        given back as float32: 1/16 px a step.

    Returns
    -------
    ndarray, shape (..., H, W, 3), float32
        Pixels per frame, or grey levels 0..255 if `quantise` (the magnitude in 128..255).
    """
    flow = np.asarray(flow, np.float32)
    out = np.empty((*flow.shape[:-1], 3), np.float32)
    out[..., :2] = flow
    np.hypot(flow[..., 0], flow[..., 1], out=out[..., 2])
    if quantise:
        out = eight_bit(16 * out + 128)
    return out
