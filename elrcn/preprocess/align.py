"""Faces in uncropped frames: landmarks, one similarity transform a clip, a crop at its edge.

Landmarks jitter by more than a micro-expression moves the skin. A transform found anew in each
frame therefore writes its own jitter into the flow, and takes out motion that the landmarks follow.
So the landmarks of the onset frame fix one transform for the whole clip; following the face from
frame to frame, smoothed over time, is an option for recordings in which the head moves far.
"""

from __future__ import annotations

import importlib.util
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from elrcn.errors import ElrcnError

ASPECT = 340 / 280
"""Height over width of a crop: that of CASME II's own cropped frames."""

MARGIN = 0.05
"""Left free on each side of the jaw and below the chin, in widths of the jaw."""

_DETECT_SIDE = 800
_JAW, _RIGHT_EYE, _LEFT_EYE = slice(0, 17), slice(36, 42), slice(42, 48)
_local = threading.local()


@dataclass(frozen=True)
class Crop:
    """A rotation and shift of the frame, and the size in pixels of the upright face cut from it.

    Attributes
    ----------
    matrix : tuple of 6 floats
        Rows of the 2 x 3 matrix that takes a frame's (x, y, 1) to the crop's (x, y).
    width, height : int
    """

    matrix: tuple[float, ...]
    width: int
    height: int

    def apply(self, frame: np.ndarray) -> np.ndarray:
        """Cut the face out of a grey frame; what lies outside it repeats its border.

        Returns
        -------
        ndarray, shape (height, width), float32
        """
        return cv2.warpAffine(
            np.asarray(frame, np.float32),
            np.array(self.matrix).reshape(2, 3),
            (self.width, self.height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )

    def to_frame(self, points: np.ndarray) -> np.ndarray:
        """Take points (..., 2) of the crop back to the frame."""
        matrix = np.array(self.matrix).reshape(2, 3)
        return (np.asarray(points) - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T


def _dlib():
    try:
        import dlib
    except ImportError:
        raise ElrcnError(
            "Uncropped frames need dlib to find the face.",
            fix="pip install .[align]  (or choose align='none')",
        ) from None
    return dlib


@cache
def _predictor():
    # The package that holds the file cannot be imported under new setuptools: only find it.
    spec = importlib.util.find_spec("face_recognition_models")
    folders = spec.submodule_search_locations if spec is not None else ()
    for folder in folders:
        path = Path(folder) / "models" / "shape_predictor_68_face_landmarks.dat"
        if path.is_file():
            return _dlib().shape_predictor(str(path))
    raise ElrcnError(
        "The 68-point landmark model of the package face_recognition_models is not installed.",
        fix="pip install .[align]  (or choose align='none')",
    )


def require_dlib() -> None:
    """Raise `ElrcnError` unless dlib and its landmark model are installed."""
    _dlib()
    _predictor()


def find_landmarks(frame: np.ndarray) -> np.ndarray | None:
    """Find the 68 landmarks of the largest face of a grey frame.

    Parameters
    ----------
    frame : ndarray, shape (H, W), uint8

    Returns
    -------
    ndarray, shape (68, 2), float64, or None
        x and y in pixels; None if there is no face.

    Raises
    ------
    ElrcnError
        If dlib or its landmark model is not installed.
    """
    dlib = _dlib()
    predictor = _predictor()
    if not hasattr(_local, "detector"):  # a detector keeps state: one a thread
        _local.detector = dlib.get_frontal_face_detector()
    frame = np.ascontiguousarray(frame, np.uint8)
    scale = min(1.0, _DETECT_SIDE / max(frame.shape))
    small = frame
    if scale < 1:
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    boxes = _local.detector(small, 0) or _local.detector(small, 1)
    if not boxes:
        return None
    box = max(boxes, key=lambda b: b.area())
    corners = [round(c / scale) for c in (box.left(), box.top(), box.right(), box.bottom())]
    shape = predictor(frame, dlib.rectangle(*corners))
    return np.array([(p.x, p.y) for p in shape.parts()], float)


def _pose(landmarks):
    """Angle of the line of the eyes, and the landmarks turned upright about the origin."""
    right, left = landmarks[_RIGHT_EYE].mean(0), landmarks[_LEFT_EYE].mean(0)
    dx, dy = left - right
    angle = np.arctan2(dy, dx)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return turn, landmarks @ turn.T


def face_crop(landmarks: np.ndarray, margin: float = MARGIN) -> Crop:
    """Similarity transform that sets the eyes level and cuts the face at its edge.

    The crop is as wide as the jaw and a margin on each side, ends a margin below the chin, and
    has the aspect of CASME II's cropped frames. Its scale is the frame's; resizing it completes
    the similarity, by area averages instead of point samples.

    Parameters
    ----------
    landmarks : ndarray, shape (68, 2)
        As `find_landmarks` gives them.
    margin : float
        In widths of the jaw, 0..1.

    Returns
    -------
    Crop
    """
    turn, upright = _pose(np.asarray(landmarks, float))
    left, right = upright[_JAW, 0].min(), upright[_JAW, 0].max()
    border = margin * (right - left)
    width = max(16, round(right - left + 2 * border))
    height = max(16, round(width * ASPECT))
    shift = np.array([border - left, height - border - upright[:, 1].max()])
    return Crop(tuple(np.column_stack([turn, shift]).ravel().tolist()), width, height)


def follow_crops(landmarks: np.ndarray, window: int = 9, margin: float = MARGIN) -> list[Crop]:
    """Give each frame its own transform, from landmarks smoothed over time.

    Parameters
    ----------
    landmarks : ndarray, shape (n, 68, 2)
        Frames without a face filled in from their neighbours by the caller.
    window : int
        Frames of the moving average; 1 follows every jitter.
    margin : float
        See `face_crop`.

    Returns
    -------
    list of Crop
        All of the first crop's size.
    """
    landmarks = np.asarray(landmarks, float)
    n = len(landmarks)
    half = min(window // 2, n - 1)
    padded = np.pad(landmarks, ((half, half), (0, 0), (0, 0)), mode="reflect")
    smooth = np.mean([padded[k : k + n] for k in range(2 * half + 1)], axis=0)
    first = face_crop(smooth[0], margin)
    crops = []
    for points in smooth:
        turn, upright = _pose(points)
        jaw = upright[_JAW, 0]
        border = first.width * margin / (1 + 2 * margin)
        shift = np.array(
            [
                (first.width - jaw.min() - jaw.max()) / 2,
                first.height - border - upright[:, 1].max(),
            ]
        )
        matrix = tuple(np.column_stack([turn, shift]).ravel().tolist())
        crops.append(Crop(matrix, first.width, first.height))
    return crops


def clip_crops(frames, every_frame: bool = False, window: int = 9) -> list[Crop] | None:
    """Find the transform of each frame of a clip.

    Parameters
    ----------
    frames : iterable of ndarray, shape (H, W), uint8
        Grey frames, onset first; only the first is read unless `every_frame`.
    every_frame : bool
        Follow the face, smoothed over `window` frames. By default one transform serves all.
    window : int
        See `follow_crops`.

    Returns
    -------
    list of Crop, or None
        One crop (for all frames), or one a frame; None if the onset frame has no face.
    """
    frames = iter(frames)
    landmarks = find_landmarks(next(frames))
    if landmarks is None:
        return None
    if not every_frame:
        return [face_crop(landmarks)]
    found = [landmarks]
    for frame in frames:
        here = find_landmarks(frame)
        found.append(found[-1] if here is None else here)
    return follow_crops(np.stack(found), window)
