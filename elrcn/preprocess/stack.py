"""Clips of a manifest to network input: cached on disk, computed in parallel, resumed."""

from __future__ import annotations

import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np

from elrcn.config import PreprocessConfig, canonical, config_hash
from elrcn.errors import ElrcnError
from elrcn.files import code_hash, set_aside, side_by_side, write_array
from elrcn.preprocess.channels import CHANNELS, check_config, in_time, stack_clip
from elrcn.preprocess.crops import clip_key, find_crops
from elrcn.preprocess.frames import read_clip
from elrcn.preprocess.stackarray import StackArray, open_folder, read_header

__all__ = ["CHANNELS", "StackArray", "build_frames", "build_stacks", "stack_clip"]

MOTION = 4
"""Leading channels of a stack that are zero where nothing moves: p, q, magnitude, strain."""

_NEWER = ("variant", "max_frames")


def make_stack(frames: np.ndarray, config: PreprocessConfig) -> np.ndarray:
    """Network input of one clip, on one thread: see `stack_clip`."""
    return stack_clip(frames, config)


def _make_frames(frames, config):
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


def build_each(
    make, name, names, manifest, configs, cache, workers, progress, no_face
) -> tuple[list[list[Path]], list]:
    """Cache ``make(frames, config)`` for all clips under each of `configs`.

    A clip is read once for all of them, so they must differ in nothing that reading depends on:
    `variant` only. `names` are the settings in the cache key, empty for all; the rest is as in
    `build_stacks`.

    Returns
    -------
    targets : list of list of Path
        For each configuration a file a clip.
    findings : list of Finding
    """
    for config in configs:
        check_config(config)
    crops, findings = find_crops(manifest, configs[0].align, cache, workers, progress, no_face)
    # Whether a clip is cropped is told by its frames' names, which its hash does not cover.
    keys = [clip_key(manifest, i) + "-face" * bool(crops[i]) for i in range(len(manifest))]
    clips = [str(clip) for clip in manifest.table["clip_id"]]
    targets, missing = [], {}
    for config in configs:
        settings = _cache_settings(config, names)
        code = code_hash("preprocess/stack.py")
        folder = Path(cache) / config_hash(name, code, settings)
        open_folder(folder, {"kind": name, "code": code, **canonical(settings)})
        targets.append([folder / f"{key}.npy" for key in keys])
        for i, target in enumerate(targets[-1]):
            if read_header(target) is None:
                set_aside(target)
                missing.setdefault(keys[i], (i, {}))[1][target] = config
    jobs = (
        (_one_clip, make, manifest.frame_paths(i), clips[i], crops[i], wanted)
        for i, wanted in missing.values()
    )
    # Threads: decoding, TIM, flow and strain all run outside the interpreter's lock.
    for _ in side_by_side(
        jobs, len(missing), title=f"preprocess ({name})", total=len(clips), workers=workers,
        threads=True, progress=progress,
    ):  # fmt: skip
        pass
    if findings:
        faceless = ", ".join(finding.clip for finding in findings)
        warnings.warn(f"No face found; the whole frame is used: {faceless}", stacklevel=3)
    return targets, findings


def build_stacks(
    manifest,
    config: PreprocessConfig,
    cache: str | Path,
    workers: int | None = None,
    progress: bool = True,
    max_length: int | None = None,
    no_face: str = "whole",
) -> StackArray:
    """Stacks of all clips of a manifest (see `stack_clip`), each computed once.

    A clip is cached under its hash and that of the configuration, and is durable the moment it
    is finished: an interrupted run resumes where it stopped. A worker holds one clip at a time.
    With ``align="face"``, clips of uncropped frames (SAMM, raw CASME II) are cropped at the face
    first, by one transform a clip; ``"face-follow"`` follows the face from frame to frame.

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
    no_face : {"whole", "fail"}
        What to do with a clip whose onset frame shows no face: use whole frames, or raise. Clips
        are named in a warning and in the result's `findings`. To leave such clips out, pass the
        manifest through `elrcn.preprocess.crops.drop_faceless` first.

    Returns
    -------
    StackArray, shape (clips, T - 1, 5, size, size), float32
        In the order of the manifest.

    Raises
    ------
    ElrcnError
        If a frame is damaged, a clip has one frame or frames of several sizes or would give values
        that are not finite, the configuration is not possible, dlib is needed and not installed,
        or the cache cannot be written.
    """
    (targets,), findings = build_each(
        make_stack, "stack", (), manifest, [config], cache, workers, progress, no_face
    )
    return _array(targets, MOTION, config, max_length, findings)


def build_frames(
    manifest,
    config: PreprocessConfig,
    cache: str | Path,
    workers: int | None = None,
    progress: bool = True,
    max_length: int | None = None,
    no_face: str = "whole",
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
    names = ("flow_size", "tim_length", "align")
    (targets,), findings = build_each(
        _make_frames, "frames", names, manifest, [config], cache, workers, progress, no_face
    )
    return _array(targets, 0, config, max_length, findings)


def _array(targets, motion, config, max_length, findings):
    array = StackArray(targets, motion=motion)
    if not config.tim_length and max_length and max_length < array.shape[1]:
        array = StackArray(targets, max_length, motion)
    array.findings = tuple(findings)
    return array
