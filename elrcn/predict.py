"""Own recordings: a video or a folder of frames, a saved model, and what it says of them.

`open_recording` finds the frames of a clip, `cut_clip` cuts the face out of them and preprocesses
them as the model's own clips were, `predict_recording` applies the model.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np

from elrcn.config import PreprocessConfig, override
from elrcn.databases.folders import FRAME_SUFFIXES, is_litter
from elrcn.errors import ElrcnError
from elrcn.explain import grad_cam
from elrcn.models.saved import load_model, read_card
from elrcn.preprocess.clips import check_config, read_grey, resize, stack_clip
from elrcn.preprocess.faces import NO_FACE, clip_crops, is_cropped, require_dlib

#: Longest clip read; at 200 frames a second six times the longest micro-expression.
MOST_FRAMES = 600

#: CASME II and SAMM: frames a second, and fewest and most frames from onset to offset.
_DATABASE_FPS, _USUAL_FRAMES = 200.0, (24, 141)
_PICTURES = FRAME_SUFFIXES | {".tif", ".tiff", ".webp", ".pgm"}
_LAST_NUMBER = re.compile(r"\d+(?=\D*$)", re.ASCII)
_SMALLEST = 16  # pixels: a face cannot be seen in less
_SHOWN_SIDE = 360  # pixels of a picture for the eye
_RETRAIN = "save the model with `elrcn train`"


@dataclass(frozen=True)
class Recording:
    """The frames of one clip, decoded only when asked for.

    Attributes
    ----------
    path : Path
        Video file, or folder of frames.
    numbers : tuple of int
        Frame numbers from onset to offset: those in the file names, or counted from 1 in a video
        and where the names hold none.
    files : tuple of Path
        One frame file a number; empty for a video.
    fps : float or None
        Frames a second as the video says; None if unknown.
    remarks : tuple of str
        What a person should know about this clip, a sentence or two each.
    """

    path: Path
    numbers: tuple[int, ...]
    files: tuple[Path, ...] = ()
    fps: float | None = None
    remarks: tuple[str, ...] = ()

    def __len__(self):
        return len(self.numbers)

    def frames(self) -> Iterator[np.ndarray]:
        """Decode the grey frames (H, W), uint8, onset to offset, one at a time.

        Raises
        ------
        ElrcnError
            If a frame cannot be decoded, is smaller than 16 pixels, or differs in size.
        """
        shape = None
        source = map(read_grey, self.files) if self.files else self._decode()
        for k, frame in enumerate(source):
            where = self.files[k] if self.files else f"{self.path}, frame {self.numbers[k]}"
            if shape is not None and frame.shape != shape:
                raise ElrcnError(
                    f"The frames differ in size: {shape[1]} x {shape[0]} pixels, then "
                    f"{frame.shape[1]} x {frame.shape[0]}.",
                    where=where,
                    fix="leave one recording in the folder",
                )
            if min(frame.shape) < _SMALLEST:
                raise ElrcnError(
                    f"The frames are {frame.shape[1]} x {frame.shape[0]} pixels, too small to "
                    "show a face.",
                    where=where,
                )
            shape = frame.shape
            yield frame

    def _decode(self):
        video = _open_video(self.path)
        try:
            for _ in range(self.numbers[0] - 1):
                video.grab()
            for number in self.numbers:
                good, frame = video.read()
                if not good:
                    raise ElrcnError(f"Frame {number} cannot be decoded.", where=self.path)
                yield frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        finally:
            video.release()


def open_recording(
    source: str | Path, onset: int | None = None, offset: int | None = None
) -> Recording:
    """Find the frames of a clip in a video file or in a folder of frames.

    Parameters
    ----------
    source : str or Path
        Video that OpenCV's FFmpeg decodes, or a folder with one image a frame. Frame files are
        ordered by the last number in their names; hidden files, litter of operating systems and
        files that are no images are passed over.
    onset, offset : int, optional
        First and last frame of the clip, both included; the recording's own first and last if
        left out. Numbers as in the file names; the frames of a video are counted from 1.

    Raises
    ------
    ElrcnError
        If there is nothing there, the file is no video, the folder holds no frames or several
        recordings, onset does not come before offset, either is no frame of the recording, there
        are fewer than two frames or more than `MOST_FRAMES`.
    """
    path = Path(source).expanduser()
    if onset is not None and offset is not None and onset >= offset:
        raise ElrcnError(
            f"The onset ({onset}) must come before the offset ({offset}).",
            fix="a clip needs at least two frames: give the first as --onset, the last as --offset",
        )
    if not path.exists():
        raise ElrcnError(
            "There is no such file or folder.",
            where=path,
            fix="name a video file or a folder of frames",
        )
    if path.suffix.lower() in _PICTURES:
        raise ElrcnError(
            "This is a single picture; an expression is read from the motion between frames.",
            where=path,
            fix="name the folder that holds all frames of the clip, or a video file",
        )
    fps, remark = None, ""
    if path.is_dir():
        found = _numbered(path)
        numbers = sorted(found)
    else:
        numbers, fps, remark = _count_frames(path, onset, offset)
    numbers = numbers[_cut(path, numbers, onset, offset)]
    gaps = numbers[-1] - numbers[0] + 1 - len(numbers)
    if gaps:
        remark = (
            f"{gaps} of the frames {numbers[0]} to {numbers[-1]} are missing from the folder; "
            "those at hand are taken as evenly spaced."
        )
    files = tuple(path / found[number] for number in numbers) if path.is_dir() else ()
    remarks = (*_length_remarks(len(numbers), fps), *filter(None, [remark]))
    return Recording(path, tuple(numbers), files, fps, remarks)


def _cut(path, numbers: list[int], onset, offset) -> slice:
    """Return where onset..offset lie in `numbers` (sorted), or say why they do not."""
    first, last = numbers[0], numbers[-1]
    for name, value in (("onset", onset), ("offset", offset)):
        if value is not None and value not in numbers:
            gaps = ", with gaps" if first < value < last else ""
            raise ElrcnError(
                f"There is no frame {value} for --{name}: the frames are {first} to {last}{gaps}.",
                where=path,
                fix="name a frame of the recording",
            )
    start = 0 if onset is None else numbers.index(onset)
    stop = len(numbers) if offset is None else numbers.index(offset) + 1
    if stop - start < 2:
        raise ElrcnError(
            f"A clip needs at least two frames; this one has {stop - start}.",
            where=path,
            fix="give all frames of the expression, onset to offset",
        )
    if stop - start > MOST_FRAMES:
        raise ElrcnError(
            f"The clip has {stop - start} frames; at most {MOST_FRAMES} are read.",
            where=path,
            fix="give --onset and --offset around the expression",
        )
    return slice(start, stop)


def _numbered(path: Path) -> dict[int, str]:
    """Frame number to file name, of a folder; counted from 1 where no name holds a number."""
    try:
        names = sorted(e.name for e in os.scandir(path) if e.is_file() and not is_litter(e.name))
    except OSError as error:
        raise ElrcnError(f"The folder cannot be read: {error.strerror}.", where=path) from None
    files = [name for name in names if Path(name).suffix.lower() in _PICTURES]
    if not files:
        raise ElrcnError(
            "The folder holds no frames.",
            where=path,
            fix=f"name the folder of one clip's frames ({', '.join(sorted(_PICTURES))})",
        )
    numbers = {name: _LAST_NUMBER.search(Path(name).stem) for name in files}
    unnumbered = [name for name in files if numbers[name] is None]
    if len(unnumbered) == len(files):
        return dict(enumerate(files, 1))
    if unnumbered:
        raise ElrcnError(
            "The other frames are numbered and this one is not, so its place is not known.",
            where=path / unnumbered[0],
            fix="move it out of the folder, or number it",
        )
    numbered: dict[int, str] = {}
    for name, match in numbers.items():
        other = numbered.setdefault(int(match[0]), name)
        if other != name:
            raise ElrcnError(
                f"{other} and {name} have the same frame number, {int(match[0])}.",
                where=path,
                fix="leave one recording in the folder, each frame once",
            )
    return numbered


def _open_video(path: Path) -> cv2.VideoCapture:
    # Both libraries would add their own lines to the one message; the first is read once.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        video = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not video.isOpened():
        raise ElrcnError(
            "This file is no video that can be decoded.",
            where=path,
            fix="convert it to MP4 (H.264) or AVI, or give a folder of its frames",
        )
    return video


def _count_frames(path: Path, onset, offset) -> tuple[list[int], float | None, str]:
    """Give a video's frame numbers as far as they are needed, its speed, and a remark or ""."""
    video = _open_video(path)
    enough = offset if offset is not None else (onset or 1) + MOST_FRAMES
    try:
        count = 0
        while count < enough and video.grab():
            count += 1
        fps = video.get(cv2.CAP_PROP_FPS)
        declared = video.get(cv2.CAP_PROP_FRAME_COUNT)
    finally:
        video.release()
    if not count:
        raise ElrcnError("The video holds no frame that can be decoded.", where=path)
    remark = ""
    if count < enough and declared > count + 1:
        remark = (
            f"The video declares {declared:.0f} frames, of which {count} could be decoded: it may "
            "be cut short."
        )
    return list(range(1, count + 1)), fps if np.isfinite(fps) and fps > 0 else None, remark


def _length_remarks(frames: int, fps: float | None) -> list[str]:
    """Say how a clip's speed and length differ from what the databases hold."""
    low, high = _USUAL_FRAMES
    remarks = []
    if fps is not None and abs(fps - _DATABASE_FPS) > 0.05 * _DATABASE_FPS:
        text = (
            f"The video has {fps:.4g} frames a second, CASME II and SAMM {_DATABASE_FPS:.0f}; "
            f"this clip lasts {frames / fps:.2g} s, theirs {low / _DATABASE_FPS:.2g} to "
            f"{high / _DATABASE_FPS:.2g} s"
        )
        if fps < _DATABASE_FPS:
            counts = [max(2, round(n / _DATABASE_FPS * fps)) for n in _USUAL_FRAMES]
            text += (
                f" (here {counts[0]} to {counts[1]} frames). A camera this slow blurs or misses "
                "short motion"
            )
        remarks.append(text + ".")
    if not low <= frames <= high:
        remarks.append(
            f"The clip has {frames} frames; clips of CASME II and SAMM have {low} to {high}. "
            "Interpolation in time brings it to the model's length, so its motion per step is "
            f"{'coarser' if frames < low else 'another'} than that of the training clips."
        )
    return remarks


@dataclass(frozen=True)
class Clip:
    """A recording, cut to the face and preprocessed.

    Attributes
    ----------
    stack : ndarray, shape (T - 1, 5, size, size), float32
        Network input, see `elrcn.preprocess.clips.stack_clip`.
    pictures : list of ndarray, shape (h, w), uint8
        Every frame as it was cut, its longer side at most 360 pixels, for the eye.
    cut : str
        How the frames were cut, in words.
    remarks : tuple of str
        As those of the recording.
    """

    stack: np.ndarray
    pictures: list[np.ndarray]
    cut: str
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prediction:
    """What a model says about a recording, and where in the face it looked.

    Attributes
    ----------
    card : dict
        The model's.
    config : PreprocessConfig
        How the model's own clips were preprocessed.
    probabilities : ndarray, shape (classes,)
        Softmax of the model; not calibrated.
    maps : dict of str to ndarray, shape (T - 1, size, size)
        Grad-CAM of each stream's spatial network for the most probable class.
    """

    recording: Recording
    clip: Clip
    card: dict
    config: PreprocessConfig
    classes: tuple[str, ...]
    probabilities: np.ndarray
    maps: dict[str, np.ndarray]

    @property
    def best(self) -> str:
        """Most probable class."""
        return self.classes[int(self.probabilities.argmax())]

    @property
    def remarks(self) -> tuple[str, ...]:
        """Remarks on the recording and on how it was cut."""
        return self.recording.remarks + self.clip.remarks


def _preprocess_config(card: dict, where: Path) -> PreprocessConfig:
    """Return the preprocessing that a model's card asks for, if it can be done."""
    about = card.get("about")
    values = about.get("preprocess") if isinstance(about, dict) else None
    if not isinstance(values, dict):
        what = "The model's card does not say how its clips were preprocessed."
        raise ElrcnError(what, where=where, fix=_RETRAIN)
    # Cards of models made before these settings existed do not name them.
    values = {"variant": "", "max_frames": 0} | values
    for field in fields(PreprocessConfig):
        if type(values.get(field.name)) is not type(field.default):
            what = f"The preprocessing in the model's card is not understood ({field.name})."
            raise ElrcnError(what, where=where, fix=_RETRAIN)
    config = override(PreprocessConfig(), **values)
    check_config(config)
    return config


def training_statement(card: dict) -> str:
    """Say in one or two sentences what a model was trained on, by its card (`read_card`)."""
    about = card.get("about") if isinstance(card.get("about"), dict) else {}
    data = about.get("data") if isinstance(about.get("data"), dict) else {}
    if not data.get("label"):
        return f"{card['kind']}, trained on data that its card does not name."
    text = (
        f"{about.get('label') or card['kind']}, trained on {about.get('clips')} clips of "
        f"{about.get('subjects')} subjects ({data['label']}), profile {about.get('profile')}."
    )
    if data.get("origin") != "licensed":
        kind = "All" if data.get("origin") == "synthetic" else "Some"
        text = f"SYNTHETIC DATA: {text} {kind} of its training clips are drawn, not recorded: "
        text += "what it says about a person's face means nothing."
    return text


def cut_clip(
    recording: Recording, config: PreprocessConfig, align: str = "", no_face: str = "whole"
) -> Clip:
    """Cut the face out of a recording and preprocess it.

    Parameters
    ----------
    recording : Recording
    config : PreprocessConfig
        The model's.
    align : {"", "none", "face", "face-follow"}
        Instead of the model's own alignment. CASME II's cropped frames (``reg_img46.jpg``) are
        never cropped again.
    no_face : {"whole", "fail"}
        Where the onset frame shows no face: use the whole frame, with a remark, or raise.

    Raises
    ------
    ElrcnError
        If a frame cannot be decoded, no face is found and `no_face` is "fail", dlib is needed and
        not installed, or a setting is unknown.
    """
    if no_face not in NO_FACE:
        raise ElrcnError(f"There is no choice {no_face!r} for no_face.", fix=f"one of: {NO_FACE}")
    config = override(config, align=align or config.align)
    check_config(config)
    crops, cut, remarks = None, "whole frames", ()
    if recording.files and is_cropped(recording.files):
        cut = "frames cropped already"
    elif config.align != "none":
        require_dlib()
        crops = clip_crops(recording.frames(), config.align == "face-follow")
        if crops is None:
            what = f"No face was found in frame {recording.numbers[0]}, the onset"
            if no_face == "fail":
                raise ElrcnError(
                    f"{what}.",
                    where=recording.path,
                    fix="choose another onset, or use the whole frame: --no-face whole",
                )
            remarks = (f"{what}; the whole frame is used, as if it were a cropped face.",)
        else:
            cut = "face found" + (", followed" if config.align == "face-follow" else " at onset")
    small, pictures = [], []
    for k, frame in enumerate(recording.frames()):
        image = crops[k if len(crops) > 1 else 0].apply(frame) if crops else frame
        small.append(resize(image, config.flow_size))
        pictures.append(_for_the_eye(image))
    try:
        stack = stack_clip(np.stack(small), config)
    except ElrcnError as error:
        raise ElrcnError(error.what, error.where or recording.path, error.fix) from None
    return Clip(stack, pictures, cut, remarks)


def _for_the_eye(image: np.ndarray) -> np.ndarray:
    scale = min(1.0, _SHOWN_SIDE / max(image.shape))
    if scale < 1:
        # Never below what optical flow needs, however long and thin the frame.
        width, height = (max(16, round(scale * side)) for side in image.shape[::-1])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def predict_recording(
    model: str | Path,
    recording: Recording,
    align: str = "",
    no_face: str = "whole",
    device: str = "auto",
    explain: bool = True,
) -> Prediction:
    """Apply a saved model to a recording.

    Parameters
    ----------
    model : str or Path
        Folder that `elrcn.models.saved.save_model` wrote, with the ``preprocess`` of its clips in
        the card's ``about``.
    recording : Recording
        From `open_recording`.
    align, no_face
        See `cut_clip`.
    device : {"auto", "cpu", "cuda", "mps"}
        Where it runs.
    explain : bool
        Also compute Grad-CAM.

    Raises
    ------
    ElrcnError
        If the model is damaged or does not say how to preprocess, or as `cut_clip`.
    """
    folder = Path(model).expanduser()
    card = read_card(folder)
    config = _preprocess_config(card, folder)
    estimator = load_model(folder, device)
    clip = cut_clip(recording, config, align, no_face)
    X = clip.stack[None]
    probabilities = np.asarray(estimator.predict_proba(X), float)[0]
    if not np.isfinite(probabilities).all():
        raise ElrcnError(
            "The model gives no finite probabilities: its weights are damaged.",
            where=folder,
            fix=_RETRAIN,
        )
    maps = {}
    if explain:
        for stream, network in getattr(estimator, "networks_", {}).items():
            maps[stream] = grad_cam(network, X, probabilities.argmax())[0]
    classes = tuple(str(name) for name in estimator.classes_)
    return Prediction(recording, clip, card, config, classes, probabilities, maps)
