"""Faces found and cut out of frames that are not cropped to them."""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from elrcn.config import config_hash
from elrcn.errors import ElrcnError
from elrcn.files import code_hash, open_folder, read_json, set_aside, side_by_side, write_json
from elrcn.manifest import Finding
from elrcn.preprocess.clips import read_grey

#: Height over width of a crop: that of CASME II's own cropped frames.
ASPECT = 340 / 280
#: Left free on each side of the jaw and below the chin, in widths of the jaw.
MARGIN = 0.05
#: What to do with a recording whose onset frame shows no face.
NO_FACE = ("whole", "fail")

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
        """Cut the face out of a grey frame, whose border is repeated outside it; float32."""
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
    """Find the landmarks of the largest face of a grey frame (H, W), uint8: x and y in pixels.

    Gives (68, 2) float64, or None if there is no face. Raises `ElrcnError` if dlib or its landmark
    model is not installed.
    """
    dlib, predictor = _dlib(), _predictor()
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
    """Rotation about the origin that sets the eyes level, and the landmarks so turned."""
    dx, dy = landmarks[_LEFT_EYE].mean(0) - landmarks[_RIGHT_EYE].mean(0)
    angle = np.arctan2(dy, dx)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return turn, landmarks @ turn.T


def _crop(turn, x, y, width, height):
    matrix = np.column_stack([turn, [x, y]]).ravel().tolist()
    return Crop(tuple(matrix), width, height)


def face_crop(landmarks: np.ndarray) -> Crop:
    """Similarity transform that sets the eyes level and cuts the face at its edge.

    The crop is as wide as the jaw and `MARGIN` on each side, ends `MARGIN` below the chin, and has
    the aspect of CASME II's cropped frames. Its scale is the frame's; resizing it completes the
    similarity, by area averages instead of point samples.
    """
    turn, upright = _pose(np.asarray(landmarks, float))
    left, right = upright[_JAW, 0].min(), upright[_JAW, 0].max()
    border = MARGIN * (right - left)
    width = max(16, round(right - left + 2 * border))
    height = max(16, round(width * ASPECT))
    return _crop(turn, border - left, height - border - upright[:, 1].max(), width, height)


def follow_crops(landmarks: np.ndarray, window: int = 9) -> list[Crop]:
    """One transform a frame, from landmarks (n, 68, 2) smoothed over time; all of one size.

    `window` is the number of frames of the moving average; 1 follows every jitter.
    """
    landmarks = np.asarray(landmarks, float)
    n = len(landmarks)
    half = min(window // 2, n - 1)
    padded = np.pad(landmarks, ((half, half), (0, 0), (0, 0)), mode="reflect")
    smooth = np.mean([padded[k : k + n] for k in range(2 * half + 1)], axis=0)
    first = face_crop(smooth[0])
    width, height = first.width, first.height
    border = width * MARGIN / (1 + 2 * MARGIN)
    crops = []
    for points in smooth:
        turn, upright = _pose(points)
        jaw = upright[_JAW, 0]
        x = (width - jaw.min() - jaw.max()) / 2
        crops.append(_crop(turn, x, height - border - upright[:, 1].max(), width, height))
    return crops


def clip_crops(frames, every_frame: bool = False) -> list[Crop] | None:
    """Find the crops of a clip: one for all frames, or one a frame that follows the face.

    `frames` are grey, uint8, onset first; only the first is read unless `every_frame`. None if
    the onset frame has no face.
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
    return follow_crops(np.stack(found))


def clip_key(manifest, i: int) -> str:
    """Return the clip's hash from the manifest, or of its frames' bytes where it has none."""
    known = manifest.table.iloc[i].get("sha256", "")
    if isinstance(known, str) and known:
        return known
    digest = hashlib.sha256()
    for path in manifest.frame_paths(i):
        try:
            digest.update(Path(path).read_bytes())
        except OSError as error:
            raise ElrcnError(f"A frame cannot be read ({error.strerror}).", where=path) from None
    return digest.hexdigest()


def is_cropped(frames) -> bool:
    """Whether frame files carry CASME II's own mark of cropped frames, ``reg_img``."""
    return Path(frames[0]).name.lower().startswith("reg_")


def _find(i, paths, clip, follow, target):
    """Find the crops of clip `i` and store them as a record; returns both."""
    try:
        crops = clip_crops((read_grey(path) for path in paths), follow)
    except ElrcnError as error:
        raise ElrcnError(f"Clip {clip}: {error.what}", error.where, error.fix) from None
    record = {"clip": clip, "crops": None if crops is None else [asdict(crop) for crop in crops]}
    write_json(target, record, of=_place(target))
    return i, record


def _place(path):
    return f"{path.parent.name}/{path.name}"


def find_crops(
    manifest,
    align: str,
    cache: str | Path,
    workers: int | None = None,
    progress: bool = True,
) -> tuple[list[list[Crop] | None], list[Finding]]:
    """Find the face of every clip that needs it, once.

    Parameters
    ----------
    align : {"none", "face", "face-follow"}
        See `elrcn.config.PreprocessConfig`.
    manifest, cache, workers, progress
        As `elrcn.preprocess.cache.build_clips`.

    Returns
    -------
    crops : list
        A clip's crops (one, or one a frame), or None where the whole frame is used: `align` is
        "none", the frames are cropped already, or there is no face.
    findings : list of Finding
        A remark for each clip without a face.

    Raises
    ------
    ElrcnError
        If dlib is needed and not installed, or a frame is damaged.
    """
    crops: list[list[Crop] | None] = [None] * len(manifest)
    frames = manifest.table["frames"].tolist()
    wanted = [i for i in range(len(crops)) if align != "none" and not is_cropped(frames[i])]
    if not wanted:
        return crops, []
    code = code_hash(alone=("preprocess/faces.py", "preprocess/clips.py"))
    folder = Path(cache) / config_hash("crops", align, code)
    open_folder(folder, {"kind": "crops", "align": align})
    clips = [str(clip) for clip in manifest.table["clip_id"]]
    targets = {i: folder / f"{clip_key(manifest, i)}.json" for i in wanted}
    records = {i: read_json(path, of=_place(path)) for i, path in targets.items()}
    missing = [i for i in wanted if records[i] is None]
    for i in missing:
        set_aside(targets[i])
    if missing:
        require_dlib()
    follow = align == "face-follow"
    jobs = ((_find, i, manifest.frame_paths(i), clips[i], follow, targets[i]) for i in missing)
    # Threads: decoding and the search for faces run outside the interpreter's lock.
    for i, record in side_by_side(
        jobs, len(missing), title="faces", total=len(wanted), workers=workers, threads=True,
        progress=progress,
    ):  # fmt: skip
        records[i] = record
    findings = []
    for i in wanted:
        found = records[i]["crops"]
        if found is None:
            what = "No face was found in the onset frame; the whole frame is used."
            findings.append(Finding("remark", what, frames[i][0], clips[i], "no-face"))
        else:
            crops[i] = [Crop(tuple(c["matrix"]), c["width"], c["height"]) for c in found]
    return crops, findings
