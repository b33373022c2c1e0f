"""Clips cached on disk, a file each, seen as one array: written whole, read when indexed."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import numpy as np

from elrcn.errors import ElrcnError

#: Bytes of clips that an array keeps once read: a training looks at each several times.
HELD_BYTES = 1 << 27
_STALE = 3600.0  # seconds after which a temporary file belongs to a process that was killed


def _write(path, write, size):
    """Let `write` fill a temporary file that becomes `path`: all of it or nothing."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        try:
            temporary.unlink(missing_ok=True)
        except OSError:
            pass
        if isinstance(error, OSError):
            raise ElrcnError(
                f"A file of the cache could not be stored ({error}).",
                where=path.parent,
                fix=f"make room on that disk ({size / 1e6:.1f} MB a clip) and check that you may "
                "write there; finished clips are kept, so the same command resumes",
            ) from None
        raise


def write_array(path: Path, array: np.ndarray) -> None:
    """Write `array` to `path` as .npy: all of it or nothing.

    Raises
    ------
    ElrcnError
        If it cannot be written, for instance because the disk is full.
    """
    _write(path, lambda file: np.save(file, array), array.nbytes)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8: all of it or nothing; raises as `write_array`."""
    data = text.encode()
    _write(path, lambda file: file.write(data), len(data))


def read_header(path: Path) -> tuple[tuple[int, ...], np.dtype] | None:
    """Shape and dtype of a .npy file; None if it is missing, damaged or cut short."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return array.shape, array.dtype


def open_folder(folder: Path, about: dict) -> None:
    """Make `folder` with `about` in its ``config.json``; clear what killed processes left.

    Raises
    ------
    ElrcnError
        If the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(".*.part"):
            if time.time() - left.stat().st_mtime > _STALE:
                left.unlink(missing_ok=True)
        card = folder / "config.json"
        if not card.is_file():
            write_text(card, json.dumps(about, indent=1) + "\n")
    except OSError as error:
        raise ElrcnError(
            f"The cache folder cannot be used ({error}).",
            where=folder,
            fix="choose a folder that you may write to",
        ) from None


class StackArray:
    """An array ``(clips, T, channels, H, W)`` whose clips stay on disk until they are indexed.

    ``x[i]`` with an integer reads one clip as an ndarray (not to be written to); a slice, list,
    index array or boolean mask gives another `StackArray` over the same files;
    ``numpy.asarray(x)`` reads everything.

    Clips of fewer than T steps (only without TIM) are filled up at their end with repetitions of
    the last step at rest: its grey channel, and no motion. Longer ones are cut at their end.

    Parameters
    ----------
    paths : sequence of Path
        A .npy file a clip, shape (steps, channels, H, W).
    length : int, optional
        T; the longest clip's number of steps if left out.
    motion : int
        Leading channels that are zero at rest (4 in stacks: p, q, magnitude and strain).

    Attributes
    ----------
    lengths : ndarray of int
        Each clip's own number of steps.
    findings : tuple of Finding
        What preprocessing had to remark on, such as clips without a face.

    Raises
    ------
    ElrcnError
        If a file is missing or damaged, or clips differ in channels or size.
    """

    def __init__(self, paths, length: int | None = None, motion: int = 0):
        self.paths = tuple(Path(path) for path in paths)
        self.motion = motion
        self.findings = ()
        self._held = {}
        headers = []
        for path in self.paths:
            header = read_header(path)
            if header is None or header != (header[0], headers[0][1] if headers else header[1]):
                raise ElrcnError(
                    "A cached clip is missing or damaged.",
                    where=path,
                    fix="run the preprocessing again; it makes what is missing",
                )
            if headers and header[0][1:] != headers[0][0][1:]:
                raise ElrcnError(
                    "Cached clips differ in size.", where=path, fix="delete the cache folder"
                )
            headers.append(header)
        if not headers:
            raise ElrcnError("There is no clip to preprocess.", fix="check the manifest")
        self.lengths = np.array([shape[0] for shape, _ in headers])
        self.dtype = headers[0][1]
        self._item = (int(length or self.lengths.max()), *headers[0][0][1:])

    @property
    def shape(self) -> tuple[int, ...]:
        """``(clips, T, channels, H, W)``."""
        return (len(self.paths), *self._item)

    @property
    def ndim(self) -> int:
        """Number of axes, 5."""
        return 1 + len(self._item)

    def __len__(self):
        return len(self.paths)

    def __repr__(self):
        return f"StackArray(shape={self.shape}, dtype={self.dtype})"

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key):
        if isinstance(key, (int, np.integer)):
            return self._read(range(len(self))[key])
        chosen = np.arange(len(self))[key]
        if chosen.ndim != 1:
            raise IndexError("a StackArray is indexed by clips alone")
        subset = object.__new__(StackArray)
        subset.__dict__.update(self.__dict__)
        subset.paths = tuple(self.paths[i] for i in chosen)
        subset.lengths = self.lengths[chosen]
        return subset

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("a StackArray cannot become an array without a copy")
        out = np.empty(self.shape, dtype or self.dtype)
        for i in range(len(self)):
            out[i] = self._read(i)
        return out

    def __getstate__(self):
        return self.__dict__ | {"_held": {}}

    def _read(self, i):
        """Clip `i`, kept for those who read it again as long as few bytes are: read-only."""
        path = self.paths[i]
        clip = self._held.get(path)
        if clip is None:
            clip = self._load(path)
            clip.flags.writeable = False
            if (1 + len(self._held)) * clip.nbytes <= HELD_BYTES:
                self._held[path] = clip
        return self._fitted(clip)

    def _load(self, path):
        try:
            return np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise ElrcnError(
                f"A cached clip cannot be read ({error}).",
                where=path,
                fix="run the preprocessing again; it makes what is missing",
            ) from None

    def _fitted(self, clip):
        length = self._item[0]
        if len(clip) == length:
            return clip
        if len(clip) > length:
            return clip[:length].copy()
        rest = np.repeat(clip[-1:], length - len(clip), axis=0)
        rest[:, : self.motion] = 0
        return np.concatenate([clip, rest])

    def frame(self, i: int, t: int) -> np.ndarray:
        """Step `t` of clip `i`, shape (channels, H, W), reading that step alone."""
        length = self.lengths[i]
        if t >= self._item[0]:
            raise IndexError(f"step {t} of {self._item[0]}")
        step = np.array(
            np.load(self.paths[i], mmap_mode="r", allow_pickle=False)[min(t, length - 1)]
        )
        if t >= length:
            step[: self.motion] = 0
        return step
