"""Clips as arrays on disk, built once: stacks, grey sequences, augmented clips."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from elrcn.config import PreprocessConfig, canonical, config_hash
from elrcn.errors import ElrcnError
from elrcn.files import (
    code_hash,
    is_whole,
    open_folder,
    read_array,
    set_aside,
    side_by_side,
    write_array,
)
from elrcn.preprocess.clips import check_config, in_time, read_clip, stack_clip
from elrcn.preprocess.faces import clip_key, find_crops

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
    variants : dict of str to tuple of Path
        Augmented clips that are carried along, so that they go to the same side of a fold: for
        each variant a file a clip. Length, shape and ``x[i]`` are those of the plain clips.

    Raises
    ------
    ElrcnError
        If a file is missing or damaged, or clips differ in channels or size.
    """

    def __init__(self, paths, length: int | None = None, motion: int = 0):
        self.paths = tuple(Path(path) for path in paths)
        self.motion = motion
        self.findings = ()
        self.variants = {}
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
        subset.variants = {n: tuple(p[i] for i in chosen) for n, p in self.variants.items()}
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

    def everything(self, names: Sequence[str] | None = None) -> StackArray:
        """Plain clips, then those of each variant in `names` (default: all), as one array.

        Returns
        -------
        StackArray, shape ((1 + variants) * clips, T, channels, H, W)

        Raises
        ------
        ElrcnError
            If there is no variant of that name.
        """
        names = tuple(self.variants) if names is None else tuple(names)
        if unknown := [name for name in names if name not in self.variants]:
            raise ElrcnError(
                f"These clips have no variant {unknown[0]!r}.",
                fix=f"choose among: {', '.join(self.variants) or 'none'}",
            )
        paths = [*self.paths, *(path for name in names for path in self.variants[name])]
        return StackArray(paths, self.shape[1], self.motion)

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


MOTION = 4
"""Leading channels of a stack that are zero where nothing moves: p, q, magnitude, strain."""

_NEWER = ("variant", "max_frames")


def _grey_clip(frames, config):
    return np.rint(in_time(frames, config)).astype(np.uint8)[:, None]


def _one_clip(make, paths, clip, crops, wanted):
    config = next(iter(wanted.values()))  # all are read alike
    try:
        paths = paths[: config.max_frames or None]
        frames = read_clip(paths, config.flow_size, clip, config.tim_length, crops)
        for target, each in wanted.items():
            write_array(target, make(frames, each))
    except MemoryError:
        raise ElrcnError(
            f"Clip {clip} does not fit into memory.", fix="use fewer workers"
        ) from None
    except ElrcnError as error:
        if clip in str(error):
            raise
        raise ElrcnError(f"Clip {clip}: {error.what}", error.where, error.fix) from None


def _cache_settings(config, names):
    """Give the settings (all, or those in `names`) that a cache key is made of.

    Newer ones are left out where they are off, so that clips as they are keep their key.
    """
    every = asdict(config)
    return {n: v for n, v in every.items() if (v if n in _NEWER else n in (names or every))}


#: For each kind of array the settings it depends on (empty: all), and the leading channels that
#: are zero at rest.
_KINDS = {"stack": ((), MOTION), "grey": (("flow_size", "tim_length", "align"), 0)}


def build_clips(
    manifest,
    config: PreprocessConfig,
    cache: str | Path,
    kind: str = "stack",
    variants: Sequence[str] = (),
    workers: int | None = None,
    progress: bool = True,
    max_length: int | None = None,
    no_face: str = "whole",
) -> StackArray:
    """Make arrays of all clips of a manifest, each computed once.

    A clip is cached under its hash and that of the configuration, and is durable the moment it
    is finished: an interrupted run resumes where it stopped. A worker holds one clip at a time.
    With ``align="face"``, clips of uncropped frames (SAMM, raw CASME II) are cropped at the face
    first, by one transform a clip; ``"face-follow"`` follows the face from frame to frame.

    Parameters
    ----------
    manifest : Manifest
    config : PreprocessConfig
        With `variants`, its own `variant` must be empty.
    cache : str or Path
        Folder of the cache, made if need be.
    kind : {"stack", "grey"}
        "stack": flow, strain and grey, see `elrcn.preprocess.clips.stack_clip`. "grey": frames
        after TIM, for handcrafted features.
    variants : sequence of str
        Of each clip, carried along, see `elrcn.preprocess.clips.transform`. A clip that lacks
        several is read once for all of them.
    workers : int, optional
        Clips computed at a time, by default one a core. Results do not depend on it.
    progress : bool
        Show a progress bar on standard error.
    max_length : int, optional
        Most steps a clip may have when ``tim_length`` is 0; the longest clip's if left out.
        Shorter clips end in repetitions of their last frame without motion, longer ones are cut.
    no_face : {"whole", "fail"}
        What to do with a clip whose onset frame shows no face: use whole frames, or raise. Clips
        are named in a warning and in the result's `findings`. To leave such clips out, pass the
        manifest through `elrcn.preprocess.faces.drop_faceless` first.

    Returns
    -------
    StackArray
        In the order of the manifest: stacks (clips, T - 1, 5, size, size), float32, or grey levels
        (clips, T, 1, flow_size, flow_size), uint8.

    Raises
    ------
    ElrcnError
        If a frame is damaged, a clip has one frame or frames of several sizes or would give values
        that are not finite, the configuration is not possible, a variant is unknown or named
        twice, dlib is needed and not installed, or the cache cannot be written.
    """
    names = ("", *variants)
    if len(set(names)) < len(names) or (variants and config.variant):
        raise ElrcnError(
            f"Clips of variant {config.variant!r} cannot be augmented by {tuple(variants)}.",
            fix="start from plain clips and name each variant once",
        )
    configs = [replace(config, variant=name) for name in names] if variants else [config]
    for each in configs:
        check_config(each)
    crops, findings = find_crops(manifest, config.align, cache, workers, progress, no_face)
    make = stack_clip if kind == "stack" else _grey_clip
    targets, missing = _targets(manifest, configs, crops, Path(cache), kind)
    jobs = (
        (_one_clip, make, manifest.frame_paths(i), clip, crops[i], wanted)
        for i, clip, wanted in missing
    )
    # Threads: decoding, TIM, flow and strain all run outside the interpreter's lock.
    for _ in side_by_side(
        jobs, len(missing), title=f"preprocess ({kind})", total=len(manifest), workers=workers,
        threads=True, progress=progress,
    ):  # fmt: skip
        pass
    if findings:
        faceless = ", ".join(finding.clip for finding in findings)
        warnings.warn(f"No face found; the whole frame is used: {faceless}", stacklevel=2)
    motion = _KINDS[kind][1]
    array = StackArray(targets[0], motion=motion)
    if not config.tim_length and max_length and max_length < array.shape[1]:
        array = StackArray(targets[0], max_length, motion)
    array.findings = tuple(findings)
    array.variants = dict(zip(variants, map(tuple, targets[1:]), strict=True))
    return array


def _targets(manifest, configs, crops, cache: Path, kind: str):
    """Files of each configuration, one a clip, and what to make: (index, clip, configs by file)."""
    # Whether a clip is cropped is told by its frames' names, which its hash does not cover.
    keys = [clip_key(manifest, i) + "-face" * bool(crops[i]) for i in range(len(manifest))]
    clips = [str(clip) for clip in manifest.table["clip_id"]]
    code, targets, missing = code_hash("preprocess/cache.py"), [], {}
    for config in configs:
        settings = _cache_settings(config, _KINDS[kind][0])
        folder = cache / config_hash(kind, code, settings)
        open_folder(folder, {"kind": kind, "code": code, **canonical(settings)})
        targets.append([folder / f"{key}.npy" for key in keys])
        for i, target in enumerate(targets[-1]):
            if read_header(target) is None:
                set_aside(target)
                # Clips of equal content share a file.
                missing.setdefault(keys[i], (i, clips[i], {}))[2][target] = config
    return targets, list(missing.values())
