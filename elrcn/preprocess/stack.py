"""Clips to network input: flow, strain and grey stacked, cached, computed in parallel."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from tqdm import tqdm

from elrcn.config import PreprocessConfig, canonical, config_hash
from elrcn.errors import ElrcnError
from elrcn.preprocess.flow import METHODS, flow_image, flow_sequence
from elrcn.preprocess.frames import read_clip, resize
from elrcn.preprocess.stackarray import StackArray, open_folder, read_header, write_array
from elrcn.preprocess.strain import optical_strain
from elrcn.preprocess.tim import interpolate

CODE_VERSION = 2
"""Part of every cache key: raise it when the numbers that this package computes change."""

CHANNELS = ("flow_x", "flow_y", "flow_magnitude", "strain", "grey")
"""Order of the channels of a stack: p, q and |v| in px/frame, strain, grey levels 0..255."""


def check_config(config: PreprocessConfig) -> None:
    """Raise `ElrcnError` for a setting that preprocessing cannot follow."""
    if config.tim_length < 0 or config.tim_length == 1:
        raise ElrcnError(
            f"tim_length is {config.tim_length}.",
            fix="give at least 2 (a flow needs two frames), or 0 for the clip's own frames",
        )
    if config.flow not in METHODS:
        raise ElrcnError(f"There is no flow {config.flow!r}.", fix=f"choose one of: {METHODS}")
    if min(config.size, config.flow_size) < 16 or config.size > config.flow_size:
        raise ElrcnError(
            f"A size of {config.size} with a flow_size of {config.flow_size} is not possible.",
            fix="16 <= size <= flow_size",
        )


def _in_time(frames, config):
    """TIM, or the frames themselves; never outside the range of grey levels."""
    if config.tim_length:
        frames = interpolate(frames, config.tim_length)
    elif len(frames) < 2:
        raise ElrcnError("A clip needs at least two frames.", fix="leave the clip out")
    return np.clip(frames, 0, 255)


def stack_clip(
    frames: np.ndarray, config: PreprocessConfig, threads: int = 1, quantise: bool = False
) -> np.ndarray:
    """Network input of one clip (Sections III-A and III-B).

    Resize to ``flow_size``, interpolate in time, flow between each frame and the next, strain of
    the flow, then reduce everything to ``size`` by area averages. Flow stays in pixels per frame
    at ``flow_size``. Step t holds the flow from frame t to frame t + 1 and, since that flow lives
    on the grid of frame t, the grey levels of frame t.

    Parameters
    ----------
    frames : array_like, shape (n, H, W)
        Grey frames 0..255, onset to offset.
    config : PreprocessConfig
    threads : int
        Flows computed at a time; the result does not depend on it.
    quantise : bool
        Store flow as the authors' 8-bit images (see `flow_image`).

    Returns
    -------
    ndarray, shape (T - 1, 5, size, size), float32
        Channels in the order of `CHANNELS`. T is ``tim_length``, or n where that is 0.

    Raises
    ------
    ElrcnError
        If there are fewer than two frames, or `config` is not possible.
    """
    check_config(config)
    frames = np.asarray(frames)
    side = config.flow_size
    if frames.shape[1:] != (side, side):
        frames = np.stack([resize(frame, side) for frame in frames])
    frames = _in_time(frames, config)
    flows = flow_sequence(frames, config.flow, threads)
    out = np.empty((len(flows), len(CHANNELS), config.size, config.size), np.float32)
    for t, flow in enumerate(flows):
        planes = (
            *np.moveaxis(flow_image(flow, quantise), 2, 0),
            optical_strain(flow),
            frames[t],
        )
        # One plane at a time: OpenCV's area averaging takes four channels at most.
        for c, plane in enumerate(planes):
            out[t, c] = resize(np.ascontiguousarray(plane), config.size)
    return out


def _clip_frames(paths, clip, config):
    try:
        return read_clip(paths, config.flow_size, clip)
    except MemoryError:
        raise ElrcnError(
            f"Clip {clip} does not fit into memory.", fix="use fewer workers"
        ) from None


def _make_stack(paths, clip, config, target):
    write_array(target, stack_clip(_clip_frames(paths, clip, config), config))


def _make_frames(paths, clip, config, target):
    frames = _in_time(_clip_frames(paths, clip, config), config)
    write_array(target, np.rint(frames).astype(np.uint8)[:, None])


def _clip_key(manifest, i):
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


def _with_clip(make, paths, clip, config, target):
    try:
        make(paths, clip, config, target)
    except ElrcnError as error:
        if clip in str(error):
            raise
        raise ElrcnError(f"Clip {clip}: {error.what}", error.where, error.fix) from None


def _build(make, name, settings, manifest, config, cache, workers, progress):
    check_config(config)
    folder = Path(cache) / config_hash(name, CODE_VERSION, settings)
    open_folder(folder, {"kind": name, "version": CODE_VERSION, **canonical(settings)})
    clips = [str(clip) for clip in manifest.table["clip_id"]]
    targets = [folder / f"{_clip_key(manifest, i)}.npy" for i in range(len(clips))]
    missing = {target: i for i, target in enumerate(targets) if read_header(target) is None}
    if missing:
        jobs = (
            delayed(_with_clip)(make, manifest.frame_paths(i), clips[i], config, target)
            for target, i in missing.items()
        )
        # Threads: decoding, TIM, flow and strain all run outside the interpreter's lock.
        parallel = Parallel(
            n_jobs=workers or os.cpu_count() or 1,
            prefer="threads",
            return_as="generator_unordered",
        )
        bar = tqdm(
            parallel(jobs),
            total=len(clips),
            initial=len(clips) - len(missing),
            desc=f"preprocess ({name})",
            unit="clip",
            disable=not progress,
        )
        for _ in bar:
            pass
    return targets


def build_stacks(
    manifest,
    config: PreprocessConfig,
    cache: str | Path,
    workers: int | None = None,
    progress: bool = True,
    max_length: int | None = None,
) -> StackArray:
    """Stacks of all clips of a manifest (see `stack_clip`), each computed once.

    A clip is cached under its hash and that of the configuration, and is durable the moment it
    is finished: an interrupted run resumes where it stopped. A worker holds one clip at a time.

    Parameters
    ----------
    manifest : Manifest
    config : PreprocessConfig
    cache : str or Path
        Folder of the cache, made if need be.
    workers : int, optional
        Clips computed at a time, by default one a core. Results do not depend on it.
    progress : bool
        Show a progress bar on standard error.
    max_length : int, optional
        Most steps a clip may have when ``tim_length`` is 0; the longest clip's if left out.
        Shorter clips end in repetitions of their last frame without motion, longer ones are cut.

    Returns
    -------
    StackArray, shape (clips, T - 1, 5, size, size), float32
        In the order of the manifest.

    Raises
    ------
    ElrcnError
        If a frame is damaged, a clip has one frame or frames of several sizes, the configuration
        is not possible, or the cache cannot be written.
    """
    targets = _build(_make_stack, "stack", config, manifest, config, cache, workers, progress)
    array = StackArray(targets, motion=4)
    return _capped(array, config, max_length)


def build_frames(
    manifest,
    config: PreprocessConfig,
    cache: str | Path,
    workers: int | None = None,
    progress: bool = True,
    max_length: int | None = None,
) -> StackArray:
    """Grey clips after TIM, for handcrafted features; parameters as in `build_stacks`.

    Returns
    -------
    StackArray, shape (clips, T, 1, flow_size, flow_size), uint8
        Grey levels, clipped to 0..255 and rounded.

    Raises
    ------
    ElrcnError
        As `build_stacks`.
    """
    settings = {name: getattr(config, name) for name in ("flow_size", "tim_length", "align")}
    targets = _build(_make_frames, "frames", settings, manifest, config, cache, workers, progress)
    return _capped(StackArray(targets), config, max_length)


def _capped(array, config, max_length):
    if config.tim_length or not max_length or max_length >= array.shape[1]:
        return array
    return StackArray(array.paths, max_length, array.motion)
