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


NO_FACE = ("whole", "fail")


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


def _find(paths, clip, follow, target):
    frames = (read_grey(path) for path in paths)
    try:
        crops = clip_crops(frames, follow)
    except ElrcnError as error:
        raise ElrcnError(f"Clip {clip}: {error.what}", error.where, error.fix) from None
    record = {"clip": clip, "crops": None if crops is None else [asdict(crop) for crop in crops]}
    write_json(target, record, of=_place(target))


def _place(path):
    return f"{path.parent.name}/{path.name}"


def _load(path):
    """Crops of a record, None where there was no face; raises TypeError if it is no record."""
    crops = read_json(path, of=_place(path))["crops"]
    if crops is None:
        return None
    return [Crop(tuple(crop["matrix"]), crop["width"], crop["height"]) for crop in crops]


def _is_known(path):
    if read_json(path, of=_place(path)) is None:
        set_aside(path)
        return False
    return True


def find_crops(
    manifest,
    align: str,
    cache: str | Path,
    workers: int | None = None,
    progress: bool = True,
    no_face: str = "whole",
) -> tuple[list[list[Crop] | None], list[Finding]]:
    """Find the face of every clip that needs it, once.

    Parameters
    ----------
    manifest : Manifest
    align : {"none", "face", "face-follow"}
        See `elrcn.config.PreprocessConfig`.
    cache : str or Path
        Folder of the cache.
    workers, progress
        As `elrcn.preprocess.cache.build_clips`.
    no_face : {"whole", "fail"}
        What to do with a clip without a face.

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
        If `no_face` is "fail" and a clip has none, or dlib is needed and not installed.
    """
    if no_face not in NO_FACE:
        raise ElrcnError(f"There is no choice {no_face!r} for no_face.", fix=f"one of: {NO_FACE}")
    crops: list[list[Crop] | None] = [None] * len(manifest)
    wanted = [] if align == "none" else [i for i in range(len(manifest)) if _wants(manifest, i)]
    if not wanted:
        return crops, []
    code = code_hash(alone=("preprocess/faces.py", "preprocess/clips.py"))
    folder = Path(cache) / config_hash("crops", align, code)
    open_folder(folder, {"kind": "crops", "align": align})
    clips = [str(clip) for clip in manifest.table["clip_id"]]
    targets = {i: folder / f"{clip_key(manifest, i)}.json" for i in wanted}
    missing = [i for i in wanted if not _is_known(targets[i])]
    if missing:
        require_dlib()
    follow = align == "face-follow"
    jobs = ((_find, manifest.frame_paths(i), clips[i], follow, targets[i]) for i in missing)
    # Threads: decoding and the search for faces run outside the interpreter's lock.
    for _ in side_by_side(
        jobs, len(missing), title="faces", total=len(wanted), workers=workers, threads=True,
        progress=progress,
    ):  # fmt: skip
        pass
    findings = []
    for i in wanted:
        crops[i] = _load(targets[i])
        if crops[i] is None:
            what = "No face was found in the onset frame; the whole frame is used."
            where = manifest.table["frames"].iloc[i][0]
            findings.append(Finding("remark", what, where, clips[i], "no-face"))
    if findings and no_face == "fail":
        names = ", ".join(finding.clip for finding in findings)
        raise ElrcnError(
            f"No face was found in the onset frame of: {names}.",
            where=manifest.frame_paths(clips.index(findings[0].clip))[0],
            fix="use no_face='whole', or leave these clips out",
        )
    return crops, findings


def _wants(manifest, i):
    return not is_cropped(manifest.table.iloc[i]["frames"])


def drop_faceless(manifest, align: str, cache: str | Path, workers=None, progress=True):
    """Leave out the clips in which no face was found.

    Parameters
    ----------
    manifest, align, cache, workers, progress
        As `find_crops`.

    Returns
    -------
    manifest : Manifest
    findings : list of Finding
        An error for each clip left out.
    """
    _, findings = find_crops(manifest, align, cache, workers, progress)
    without = {finding.clip for finding in findings}
    kept = manifest.subset(~manifest.table["clip_id"].isin(without).to_numpy())
    what = "No face was found in the onset frame; the clip is left out."
    return kept, [Finding("error", what, f.where, f.clip, "error") for f in findings]
