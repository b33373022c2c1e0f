"""Own recordings: a video file or a folder of frames to a clip that a saved model can read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from elrcn.databases.folders import FRAME_SUFFIXES, is_litter
from elrcn.errors import ElrcnError
from elrcn.preprocess.clips import read_grey

DATABASE_FPS = 200.0
"""Frames a second of CASME II and SAMM."""

USUAL_FRAMES = (24, 141)
"""Fewest and most frames from onset to offset in CASME II and SAMM."""

MOST_FRAMES = 600
"""Longest clip read; at 200 frames a second six times the longest micro-expression."""

_PICTURES = FRAME_SUFFIXES | {".tif", ".tiff", ".webp", ".pgm"}
_LAST_NUMBER = re.compile(r"\d+(?=\D*$)", re.ASCII)
_SMALLEST = 16
_CUT = "give --onset and --offset around the expression"


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

    Returns
    -------
    Recording

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
    if path.is_dir():
        return _from_folder(path, onset, offset)
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
    return _from_video(path, onset, offset)


def _cut(path, numbers: list[int], onset, offset) -> slice:
    """Return where onset..offset lie in `numbers` (sorted), or say why they do not."""
    first, last = numbers[0], numbers[-1]
    for name, value in (("onset", onset), ("offset", offset)):
        if value is not None and value not in numbers:
            inside = first < value < last
            raise ElrcnError(
                f"There is no frame {value} for --{name}: the frames are {first} to {last}"
                + (", with gaps." if inside else "."),
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
            fix=_CUT,
        )
    return slice(start, stop)


def _from_folder(path: Path, onset, offset) -> Recording:
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
    found = [_LAST_NUMBER.search(Path(name).stem) for name in files]
    unnumbered = [name for name, match in zip(files, found, strict=True) if match is None]
    if len(unnumbered) == len(files):
        numbered = dict(enumerate(files, 1))
    elif unnumbered:
        raise ElrcnError(
            "The other frames are numbered and this one is not, so its place is not known.",
            where=path / unnumbered[0],
            fix="move it out of the folder, or number it",
        )
    else:
        numbered = {}
        for name, match in zip(files, found, strict=True):
            other = numbered.setdefault(int(match[0]), name)
            if other != name:
                raise ElrcnError(
                    f"{other} and {name} have the same frame number, {int(match[0])}.",
                    where=path,
                    fix="leave one recording in the folder, each frame once",
                )
    numbers = sorted(numbered)
    numbers = numbers[_cut(path, numbers, onset, offset)]
    remarks = _length_remarks(len(numbers), None)
    gaps = numbers[-1] - numbers[0] + 1 - len(numbers)
    if gaps:
        remarks.append(
            f"{gaps} of the frames {numbers[0]} to {numbers[-1]} are missing from the folder; "
            "those at hand are taken as evenly spaced."
        )
    chosen = tuple(path / numbered[number] for number in numbers)
    return Recording(path, tuple(numbers), chosen, None, tuple(remarks))


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


def _from_video(path: Path, onset, offset) -> Recording:
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
    part = _cut(path, list(range(1, count + 1)), onset, offset)
    fps = fps if np.isfinite(fps) and fps > 0 else None
    numbers = tuple(range(1, count + 1))[part]
    remarks = _length_remarks(len(numbers), fps)
    if count < enough and declared > count + 1:
        remarks.append(
            f"The video declares {declared:.0f} frames, of which {count} could be decoded: it may "
            "be cut short."
        )
    return Recording(path, numbers, (), fps, tuple(remarks))


def _length_remarks(frames: int, fps: float | None) -> list[str]:
    """Say how a clip's speed and length differ from what the databases hold."""
    low, high = USUAL_FRAMES
    remarks = []
    if fps is not None and abs(fps - DATABASE_FPS) > 0.05 * DATABASE_FPS:
        text = (
            f"The video has {fps:.4g} frames a second, CASME II and SAMM {DATABASE_FPS:.0f}; "
            f"this clip lasts {frames / fps:.2g} s, theirs {low / DATABASE_FPS:.2g} to "
            f"{high / DATABASE_FPS:.2g} s"
        )
        if fps < DATABASE_FPS:
            counts = [max(2, round(n / DATABASE_FPS * fps)) for n in USUAL_FRAMES]
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
