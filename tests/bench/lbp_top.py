"""LBP-TOP of one clip: ours against scikit-image's local_binary_pattern, slice by slice."""

from __future__ import annotations

import numpy as np
from skimage.feature import local_binary_pattern

from elrcn.features.lbp_top import LBPTOP, uniform_bins

from .clips import moving_face
from .harness import Row, compare, interleave, use_threads

TOLERANCE = 2e-3  # of a histogram's unit sum: scikit-image leaves ties to rounding, ours does not


def lbp_top_loops(volume: np.ndarray) -> np.ndarray:
    """LBP-TOP with radius 1 and 8 points, by scikit-image: a loop over the slices of each plane.

    Parameters
    ----------
    volume : ndarray, shape (T, H, W), uint8

    Returns
    -------
    ndarray, shape (177,), float64
        Three histograms of sum 1, bins in the order of `elrcn.features.lbp_top.uniform_bins`.
    """
    frames, height, width = volume.shape
    # Axis 1 of a slice is the plane's first axis, and axis 0 points down its second.
    slices = (
        [volume[t] for t in range(1, frames - 1)],
        [volume[::-1, y] for y in range(1, height - 1)],
        [volume[:, :, x].T for x in range(1, width - 1)],
    )
    bins, out = uniform_bins(8), []
    for plane in slices:
        counts = np.zeros(256)
        for image in plane:
            codes = local_binary_pattern(image, 8, 1, method="default")[1:-1, 1:-1]
            counts += np.bincount(codes.astype(np.intp).ravel(), minlength=256)
        histogram = np.bincount(bins, weights=counts, minlength=59)
        out.append(histogram / histogram.sum())
    return np.concatenate(out)


def measure(quick: bool) -> list[Row]:
    """Rows of this stage."""
    side = 24 if quick else 224
    volume = moving_face(10, side, side)
    descriptor = LBPTOP().fit(volume)
    blocks = LBPTOP(blocks=(5, 5)).fit(volume)
    clip = np.ascontiguousarray(volume[:, None])
    yardstick, ours = "scikit-image, slice by slice", "elrcn, whole face (177 values)"
    runs = {
        yardstick: lambda: lbp_top_loops(volume),
        ours: lambda: descriptor.describe(clip),
        "elrcn, 5 x 5 blocks (4425 values)": lambda: blocks.describe(clip),
    }
    apart = float(np.abs(runs[ours]() - runs[yardstick]()).max())
    with use_threads(1):
        seconds = interleave(
            runs, 2 if quick else 15, repeats={name: 5 for name in runs if name != yardstick}
        )
    return compare(
        "lbp_top",
        f"clip of 10 frames, {side} x {side}",
        seconds,
        yardstick,
        threads=1,
        goals={ours: 12},
        agreement={ours: (apart, TOLERANCE)},
        notes={ours: "apart in a bin's share of its histogram"},
    )
