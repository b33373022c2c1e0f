"""Optical flow against the true motion, which only the synthetic dataset knows.

Nothing of the pipeline may look at the truth: reports alone import it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from elrcn.config import PreprocessConfig
from elrcn.corpus.truth import Truth, load_truth
from elrcn.manifest import Manifest
from elrcn.preprocess.clips import read_clip, read_grey, resize
from elrcn.preprocess.flow import flow_sequence, tvl1_flow
from elrcn.preprocess.tim import interpolate
from elrcn_book.pictures import apex_index, frame_numbers


@dataclass(frozen=True)
class FlowCheck:
    """Estimated and true motion of one clip from onset to apex.

    Attributes
    ----------
    clip_id : str
    frame : ndarray, shape (S, S)
        Onset frame, grey levels 0..255.
    flow, truth : ndarray, shape (S, S, 2)
        Estimated and true displacement in pixels at S x S.
    mask : ndarray of bool, shape (S, S)
        Where any action unit of the clip moves the skin.
    """

    clip_id: str
    frame: np.ndarray
    flow: np.ndarray
    truth: np.ndarray
    mask: np.ndarray

    @property
    def error(self) -> np.ndarray:
        """Endpoint error ``|flow - truth|`` in pixels, shape (S, S)."""
        return np.linalg.norm(self.flow - self.truth, axis=-1)


def resize_motion(field: np.ndarray, size: int) -> np.ndarray:
    """Bring a displacement field to `size` x `size`, values included.

    Parameters
    ----------
    field : ndarray, shape (H, W, 2)
        Pixels at H x W; x first.
    size : int
        New side.

    Returns
    -------
    ndarray, shape (size, size, 2)
        Pixels at the new size: x is scaled by size / W, y by size / H.
    """
    height, width = field.shape[:2]
    small = np.dstack([resize(field[..., k], size) for k in range(2)])
    return small * np.float32([size / width, size / height])


def _mask(truth: Truth, size: int) -> np.ndarray:
    full = np.zeros((truth.height, truth.width), bool)
    for one in truth.masks.values():
        full |= one
    return resize(full, size) > 0.5


def check_flow(
    manifest: Manifest, i: int, corpus_root: str | Path, config: PreprocessConfig
) -> FlowCheck:
    """Compare flow and truth between onset and apex of clip `i` at ``config.flow_size``.

    Only for frames that are used as they are (CASME II): alignment would move the truth.

    Raises
    ------
    ElrcnError
        If the clip has no truth, which is so for every real recording.
    """
    row, paths = manifest.table.iloc[i], manifest.frame_paths(i)
    truth = load_truth(corpus_root, row["clip_id"])
    numbers, apex = frame_numbers(row), apex_index(row)
    size = config.flow_size
    first, last = (resize(read_grey(paths[k]), size) for k in (0, apex))
    true = truth.displacement(int(numbers[apex]), reference=int(numbers[0]))
    return FlowCheck(
        row["clip_id"],
        first,
        tvl1_flow(first, last, config.flow),
        resize_motion(true, size),
        _mask(truth, size),
    )


def _step_truth(truth: Truth, places: np.ndarray, first: int) -> list[np.ndarray]:
    """Displacement between consecutive (fractional) frames, on the grid of the earlier one."""
    exact = {
        n: truth.displacement(n, reference=first)
        for n in {int(f(p)) for p in places for f in (np.floor, np.ceil)}
    }
    since = []
    for place in places:
        low, high = int(np.floor(place)), int(np.ceil(place))
        share = np.float32(place - low)
        since.append((1 - share) * exact[low] + share * exact[high])
    height, width = since[0].shape[:2]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    steps = []
    for a, b in pairwise(since):
        # The skin now at x was at about x - a(x) in the onset frame.
        at = grid - a
        steps.append(
            cv2.remap(b - a, at[..., 0], at[..., 1], cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
        )
    return steps


def step_errors(
    manifest: Manifest, i: int, corpus_root: str | Path, config: PreprocessConfig
) -> pd.DataFrame:
    """Endpoint error of each flow the networks see: between consecutive frames after TIM.

    Returns
    -------
    DataFrame
        One row a step: `clip_id`, `step` (from 1), `true` and `error`, the mean length of the true
        motion and of its difference to the flow, in pixels at ``config.flow_size``, over the skin
        that the clip's action units move.
    """
    row, paths = manifest.table.iloc[i], manifest.frame_paths(i)
    truth = load_truth(corpus_root, row["clip_id"])
    numbers, size = frame_numbers(row), config.flow_size
    frames = read_clip(paths, size, row["clip_id"])
    length = config.tim_length or len(frames)
    flows = flow_sequence(np.clip(interpolate(frames, length), 0, 255), config.flow)
    places = np.interp(np.linspace(0, len(numbers) - 1, length), np.arange(len(numbers)), numbers)
    mask = _mask(truth, size)
    table = []
    steps = _step_truth(truth, places, int(numbers[0]))
    for t, (flow, true) in enumerate(zip(flows, steps, strict=True), 1):
        true = resize_motion(true, size)[mask]
        error = np.linalg.norm(flow[mask] - true, axis=-1)
        speed = np.linalg.norm(true, axis=-1)
        table.append((row["clip_id"], t, float(speed.mean()), float(error.mean())))
    return pd.DataFrame(table, columns=["clip_id", "step", "true", "error"])


def error_table(checks: list[FlowCheck]) -> pd.DataFrame:
    """Mean true motion and endpoint error of each clip, on moved skin and elsewhere.

    Returns
    -------
    DataFrame
        Two rows a clip: `clip_id`, `region` ("action unit" or "elsewhere"), `true`, `error`
        (pixels) and `share`, the error as a share of the true motion.
    """
    table = []
    for check in checks:
        speed = np.linalg.norm(check.truth, axis=-1)
        for region, mask in (("action unit", check.mask), ("elsewhere", ~check.mask)):
            if mask.any():
                true, error = float(speed[mask].mean()), float(check.error[mask].mean())
                table.append((check.clip_id, region, true, error, error / max(true, 1e-9)))
    return pd.DataFrame(table, columns=["clip_id", "region", "true", "error", "share"])
