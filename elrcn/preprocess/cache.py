"""Clips as arrays on disk, built once: stacks, grey sequences, augmented clips."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from elrcn.config import PreprocessConfig, canonical, config_hash
from elrcn.errors import ElrcnError
from elrcn.files import code_hash, is_whole, open_folder, set_aside, side_by_side, write_array
from elrcn.preprocess.clips import check_config, in_time, read_clip, stack_clip
from elrcn.preprocess.faces import clip_key, find_crops

#: Bytes of clips that an array keeps once read: a training looks at each several times.
HELD_BYTES = 1 << 27


def _damaged(path: Path) -> ElrcnError:
    return ElrcnError(
        "A cached clip is missing or damaged.",
        where=path,
        fix="run the same command again; it makes what is missing or damaged",
    )


def _mapped(path: Path) -> np.ndarray:
    """Map a stored clip into memory, read-only; raises if it is missing or damaged."""
    try:
        if is_whole(path):
            return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        pass
    raise _damaged(path)


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
        if not self.paths:
            raise ElrcnError("There is no clip to preprocess.", fix="check the manifest")
        first = _mapped(self.paths[0])
        lengths = []
        for path in self.paths:
            clip = _mapped(path)
            if clip.dtype != first.dtype:
                raise _damaged(path)
            if clip.shape[1:] != first.shape[1:]:
                raise ElrcnError(
                    "Cached clips differ in size.", where=path, fix="delete the cache folder"
                )
            lengths.append(len(clip))
        self.lengths = np.array(lengths)
        self.dtype = first.dtype
        self._item = (int(length or max(lengths)), *first.shape[1:])

    @property
    def shape(self) -> tuple[int, ...]:
        """``(clips, T, channels, H, W)``."""
        return (len(self.paths), *self._item)

    def __len__(self):
        return len(self.paths)

    def __repr__(self):
        return f"StackArray(shape={self.shape}, dtype={self.dtype})"

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key):
        if isinstance(key, (int, np.integer)):
            return self._fitted(self._read(self.paths[key]))
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
        for i, clip in enumerate(self):
            out[i] = clip
        return out

    def __getstate__(self):
        return self.__dict__ | {"_held": {}}

    def _read(self, path):
        """Give a clip, read-only; kept for those who read it again, as long as few bytes are."""
        clip = self._held.get(path)
        if clip is None:
            clip = np.array(_mapped(path))
            clip.flags.writeable = False
            if (1 + len(self._held)) * clip.nbytes <= HELD_BYTES:
                self._held[path] = clip
        return clip

    def _fitted(self, clip):
        """Fill the clip up, or cut it, to the length of all."""
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

        Raises `ElrcnError` if there is no variant of that name.
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
        if t >= self._item[0]:
            raise IndexError(f"step {t} of {self._item[0]}")
        length = self.lengths[i]
        step = np.array(_mapped(self.paths[i])[min(t, length - 1)])
        if t >= length:
            step[: self.motion] = 0
        return step


def _grey_clip(frames, config):
    return np.rint(in_time(frames, config)).astype(np.uint8)[:, None]


def _one_clip(make, paths, clip, crops, wanted):
    """Make the files of one clip that are missing: `wanted` maps each to its configuration."""
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


def _cache_settings(config, kind):
    """Give the settings that a cache key is made of: those that the kind depends on.

    Newer ones are left out where they are off, so that clips as they are keep their key.
    """
    unused = ("size", "flow") if kind == "grey" else ()
    newer = ("variant", "max_frames")
    return {n: v for n, v in asdict(config).items() if n not in unused and (v or n not in newer)}


def build_clips(
    manifest,
    config: PreprocessConfig,
    cache: str | Path,
    kind: str = "stack",
    variants: Sequence[str] = (),
    workers: int | None = None,
    progress: bool = True,
) -> StackArray:
    """Make arrays of all clips of a manifest, each computed once.

    A clip is cached under its hash and that of the configuration, and is durable the moment it
    is finished: an interrupted run resumes where it stopped. A worker holds one clip at a time.
    With ``align="face"``, clips of uncropped frames (SAMM, raw CASME II) are cropped at the face
    first, by one transform a clip; ``"face-follow"`` follows the face from frame to frame. A clip
    whose onset frame shows no face is used whole, and named in a warning and in the result's
    `findings`.

    Parameters
    ----------
    manifest : Manifest
    config : PreprocessConfig
        With `variants`, its own `variant` must be empty.
    cache : str or Path
        Folder, made if need be.
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

    Returns
    -------
    StackArray
        In the order of the manifest: stacks (clips, T - 1, 5, size, size), float32, or grey levels
        (clips, T, 1, flow_size, flow_size), uint8. T without TIM is the longest clip's.

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
    crops, findings = find_crops(manifest, config.align, cache, workers, progress)
    make = stack_clip if kind == "stack" else _grey_clip
    targets, missing = _targets(manifest, configs, crops, Path(cache), kind)
    clips = manifest.table["clip_id"]
    jobs = (
        (_one_clip, make, manifest.frame_paths(i), str(clips.iloc[i]), crops[i], wanted)
        for i, wanted in missing
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
    # At rest p, q, magnitude and strain are zero.
    array = StackArray(targets[0], motion=4 if kind == "stack" else 0)
    array.findings = tuple(findings)
    array.variants = dict(zip(variants, map(tuple, targets[1:]), strict=True))
    return array


def _targets(manifest, configs, crops, cache: Path, kind: str):
    """Files of each configuration, one a clip, and what to make: (clip, configurations by file)."""
    # Whether a clip is cropped is told by its frames' names, which its hash does not cover.
    keys = [clip_key(manifest, i) + "-face" * bool(crops[i]) for i in range(len(manifest))]
    code, targets, missing = code_hash("preprocess/cache.py"), [], {}
    for config in configs:
        settings = _cache_settings(config, kind)
        folder = cache / config_hash(kind, code, settings)
        open_folder(folder, {"kind": kind, "code": code, **canonical(settings)})
        targets.append([folder / f"{key}.npy" for key in keys])
        for i, target in enumerate(targets[-1]):
            if not is_whole(target):
                set_aside(target)
                # Clips of equal content share a file.
                _, wanted = missing.setdefault(keys[i], (i, {}))
                wanted[target] = config
    return targets, list(missing.values())
