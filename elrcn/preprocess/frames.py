"""Frame files to grey arrays: a damaged file is named, never passed on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from elrcn.errors import ElrcnError
from elrcn.preprocess.tim import frames_needed


def _is_complete(data: bytes) -> bool:
    """Whether a JPEG or PNG ends as it should: decoders fill a missing end with grey."""
    if data[:2] == b"\xff\xd8":
        # Within a scan 0xFF is always stuffed, so an end marker after the last scan is the end.
        return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda") >= 0
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return b"IEND" in data[-64:]
    return True


def _read(path):
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ElrcnError(
            f"A frame cannot be read ({error.strerror}).",
            where=path,
            fix="check that the database was unpacked completely",
        ) from None
    return data if data and _is_complete(data) else None


def _damaged(path):
    return ElrcnError(
        "A frame is damaged, empty or cut short.",
        where=path,
        fix="unpack or copy this file again, or leave the clip out",
    )


def check_complete(path: str | Path) -> None:
    """Raise `ElrcnError` if a frame file is missing, empty or cut short, without decoding it."""
    if _read(path) is None:
        raise _damaged(path)


def read_grey(path: str | Path) -> np.ndarray:
    """Decode one frame as grey levels.

    Returns
    -------
    ndarray, shape (H, W), uint8

    Raises
    ------
    ElrcnError
        If the file cannot be read, is no image, or is cut short.
    """
    data = _read(path)
    image = None
    if data is not None:
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
        except cv2.error:
            image = None
    if image is None:
        raise _damaged(path)
    return image


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """Bring a grey image to `size` x `size`: area averages down, bilinear up.

    Parameters
    ----------
    image : ndarray, shape (H, W)
        Any numeric dtype; computed in float32, so that no grey level is rounded.
    size : int
        Side in pixels.

    Returns
    -------
    ndarray, shape (size, size), float32
    """
    image = np.asarray(image, np.float32)
    if image.shape == (size, size):
        return image
    shrinking = min(image.shape) >= size
    return cv2.resize(
        image, (size, size), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    )


def read_clip(paths, size: int, clip: str = "", tim_length: int = 0, crops=None) -> np.ndarray:
    """Decode the frames of a clip, one at a time, at `size` x `size` pixels.

    Parameters
    ----------
    paths : sequence of Path
        Frame files in order of time.
    size : int
        Side in pixels of the result.
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
    n = len(paths)
    needed = range(n)
    if tim_length > 1 and n > 1:
        needed = frames_needed(n, tim_length).tolist()
    for t in sorted(set(range(n)) - set(needed)):
        check_complete(paths[t])
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
