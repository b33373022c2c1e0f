"""Augmentation: one geometric transform for all frames of a clip, before flow is computed."""

from __future__ import annotations

import re

import cv2
import numpy as np

from elrcn.errors import ElrcnError

#: Variants of a clip that augmented training adds, besides the clip itself.
VARIANTS = ("mirror", "rotate+4", "rotate-4", "crop")
#: Share of the side that "crop" keeps, around the centre.
CROP = 0.9
_ROTATION = re.compile(r"rotate([+-]\d{1,2}(?:\.\d+)?)")


def check_variant(variant: str) -> None:
    """Raise `ElrcnError` unless `variant` is "" or names a transform."""
    if variant not in ("", "mirror", "crop") and not _ROTATION.fullmatch(variant):
        raise ElrcnError(
            f"There is no augmentation {variant!r}.",
            fix='choose "mirror", "crop", a rotation by degrees such as "rotate+4", or "" for none',
        )


def transform(variant: str, size: int) -> np.ndarray:
    """Where a variant moves the points of a square picture.

    Parameters
    ----------
    variant : str
        "mirror": left and right change places. "rotate+4", "rotate-4": turned about the centre by
        so many degrees, counterclockwise if positive. "crop": the middle `CROP` of the side,
        enlarged to the whole. "": nothing.
    size : int
        Side in pixels.

    Returns
    -------
    ndarray, shape (2, 3), float64
        ``x' = M[:, :2] x + M[:, 2]``, with x right and y down, the first pixel's centre at 0.

    Raises
    ------
    ElrcnError
        If there is no such variant.
    """
    check_variant(variant)
    centre = (size - 1) / 2
    if variant == "mirror":
        return np.array([[-1.0, 0, size - 1], [0, 1, 0]])
    turn = _ROTATION.fullmatch(variant)
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

    Raises
    ------
    ElrcnError
        If there is no such variant.
    """
    check_variant(variant)
    if not variant:
        return frames
    frames = np.asarray(frames, np.float32)
    if variant == "mirror":
        return np.ascontiguousarray(frames[:, :, ::-1])
    matrix = transform(variant, frames.shape[1])
    return np.stack([_warp(frame, matrix) for frame in frames])


def augment_flow(flow: np.ndarray, variant: str) -> np.ndarray:
    """Flow that the transformed frames have if `flow` is that of the frames as they are.

    For checks and pictures; training computes the flow of the transformed frames.

    Parameters
    ----------
    flow : ndarray, shape (S, S, 2)
        Pixels.
    variant : str
        See `transform`.

    Returns
    -------
    ndarray, shape (S, S, 2), float32
        The field moved to its new places, its vectors mirrored, turned or enlarged as well.
    """
    matrix = transform(variant, flow.shape[0])
    planes = [augment(plane[None], variant)[0] for plane in np.moveaxis(flow, 2, 0)]
    return np.stack(planes, axis=2) @ matrix[:, :2].T.astype(np.float32)


def _warp(plane, matrix):
    return cv2.warpAffine(
        plane,
        matrix,
        plane.shape[::-1],
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT_101,
    )
