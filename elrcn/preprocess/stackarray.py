"""Clips cached on disk, a file each, seen as one array: written whole, read when indexed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from elrcn.errors import ElrcnError
from elrcn.files import is_whole, read_array, sweep, write

#: Bytes of clips that an array keeps once read: a training looks at each several times.
HELD_BYTES = 1 << 27
_FIX = "make room on that disk, or choose a cache folder that you may write to"


def read_header(path: Path) -> tuple[tuple[int, ...], np.dtype] | None:
    """Shape and dtype of a stored clip; None if it is missing, damaged or cut short."""
    if not is_whole(path):
        return None
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
    sweep(folder)
    if not (folder / "config.json").is_file():
        write(folder / "config.json", json.dumps(about, indent=1) + "\n", _FIX)


def _damaged(path: Path) -> ElrcnError:
    return ElrcnError(
        "A cached clip is missing or damaged.",
        where=path,
        fix="run the same command again; it makes what is missing or damaged",
    )


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
                raise _damaged(path)
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
        clip = read_array(path)
        if clip is None:
            raise _damaged(path)
        return clip

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
        if not is_whole(self.paths[i]):
            raise _damaged(self.paths[i])
        step = np.array(
            np.load(self.paths[i], mmap_mode="r", allow_pickle=False)[min(t, length - 1)]
        )
        if t >= length:
            step[: self.motion] = 0
        return step
