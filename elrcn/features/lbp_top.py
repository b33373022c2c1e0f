"""Local binary patterns on three orthogonal planes, the baseline of every table of the paper.

Zhao and Pietikainen 2007, "Dynamic texture recognition using local binary patterns with an
application to facial expressions", doi 10.1109/TPAMI.2007.1110.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, cos, floor, pi, sin

import numpy as np
from numba import njit
from sklearn.pipeline import Pipeline

from elrcn.errors import ElrcnError
from elrcn.features.base import ClipDescriptor, LinearSVM, block_index

PLANES = ("XY", "XT", "YT")


def uniform_bins(points: int) -> np.ndarray:
    """Histogram bin of each pattern of `points` bits: the uniform ones in order, the rest last.

    A pattern is uniform if its bits, read around the circle, change at most twice. There are
    P (P - 1) + 2 of them, and one more bin for all others: 59 bins for 8 points.

    Returns
    -------
    numpy.ndarray of int32, shape (2 ** points,)
    """
    codes = np.arange(2**points)
    turned = (codes >> 1) | ((codes & 1) << (points - 1))
    changes = np.bitwise_count(codes ^ turned)
    bins = np.full(len(codes), points * (points - 1) + 2, dtype=np.int32)
    uniform = np.flatnonzero(changes <= 2)
    bins[uniform] = np.arange(len(uniform))
    return bins


def neighbours(plane: str, points: int, radii) -> list[tuple[float, float, float]]:
    """Offsets (t, y, x) of the circle's points from its centre, point 0 first.

    Point p stands at the angle a = 2 pi p / P: XY at (x + Rx cos a, y - Ry sin a), XT at
    (x + Rx cos a, t + Rt sin a), YT at (t + Rt cos a, y - Ry sin a). Coordinates are rounded to
    1e-9, so that points on an axis are pixels and need no interpolation.
    """
    rx, ry, rt = radii
    offsets = []
    for p in range(points):
        c, s = cos(2 * pi * p / points), sin(2 * pi * p / points)
        t, y, x = {
            "XY": (0.0, -ry * s, rx * c),
            "XT": (rt * s, 0.0, rx * c),
            "YT": (rt * c, -ry * s, 0.0),
        }[plane]
        offsets.append((round(t, 9), round(y, 9), round(x, 9)))
    return offsets


def taps(offset, interpolation: str = "bilinear") -> list[tuple[int, int, int, float]]:
    """Pixels (t, y, x, weight) whose weighted sum is the grey value at `offset`."""
    if interpolation == "nearest":
        return [(*(floor(v + 0.5) for v in offset), 1.0)]
    found = [(0, 0, 0, 1.0)]
    for axis, value in enumerate(offset):
        low = floor(value)
        parts = [(low, 1 - (value - low)), (low + 1, value - low)]
        found = [
            (*place[:axis], step, *place[axis + 1 : 3], place[3] * weight)
            for place in found
            for step, weight in parts
            if weight > 0
        ]
    return found


@lru_cache(maxsize=64)
def _tables(height: int, width: int, points, radii, interpolation: str):
    """Offsets into the flat clip, weights and number of taps for all points of all planes."""
    offsets = np.zeros((sum(points), 4), dtype=np.int64)
    weights = np.zeros((sum(points), 4), dtype=np.float32)
    counts = np.zeros(sum(points), dtype=np.int64)
    row = 0
    for plane, number in zip(PLANES, points, strict=True):
        for offset in neighbours(plane, number, radii):
            found = taps(offset, interpolation)
            counts[row] = len(found)
            for k, (t, y, x, weight) in enumerate(found):
                offsets[row, k] = (t * height + y) * width + x
                weights[row, k] = weight
            row += 1
    return offsets, weights, counts


@njit(cache=True, nogil=True)
def _count(flat, shape, margin, offsets, weights, counts, points, bins, block_of, tolerance, hist):
    """Add every centre's three patterns to `hist` (blocks, planes, bins), one row at a time."""
    frames, height, width = shape
    mt, my, mx = margin
    n = width - 2 * mx
    # A row of centres at a time: each loop over i is one pass over contiguous memory, which the
    # compiler turns into vector instructions; a loop over centres with one over neighbours inside
    # would branch at every voxel.
    codes = np.empty(n, np.int32)
    limit = np.empty(n, np.float32)
    for t in range(mt, frames - mt):
        for y in range(my, height - my):
            base = (t * height + y) * width + mx
            centre = flat[base : base + n]
            for i in range(n):
                limit[i] = centre[i] - tolerance  # g_c, lowered so that ties count as not darker
            first = 0
            for plane in range(3):
                for i in range(n):
                    codes[i] = 0
                # LBP_{P,R} = sum_p s(g_p - g_c) 2^p with s(x) = 1 for x >= 0 (Ojala et al. 2002,
                # doi 10.1109/TPAMI.2002.1017623), on each of the three orthogonal planes.
                for p in range(points[plane]):
                    row = first + p
                    bit = np.int32(1 << p)
                    start = base + offsets[row, 0]
                    a = flat[start : start + n]
                    # g_p lies on a voxel, between two, or within a square of four (bilinear).
                    if counts[row] == 1:
                        for i in range(n):
                            codes[i] |= bit if a[i] >= limit[i] else np.int32(0)
                        continue
                    start = base + offsets[row, 1]
                    b = flat[start : start + n]
                    wa, wb = weights[row, 0], weights[row, 1]
                    if counts[row] == 2:
                        for i in range(n):
                            codes[i] |= bit if wa * a[i] + wb * b[i] >= limit[i] else np.int32(0)
                        continue
                    start = base + offsets[row, 2]
                    c = flat[start : start + n]
                    start = base + offsets[row, 3]
                    d = flat[start : start + n]
                    wc, wd = weights[row, 2], weights[row, 3]
                    for i in range(n):
                        value = (wa * a[i] + wb * b[i]) + (wc * c[i] + wd * d[i])
                        codes[i] |= bit if value >= limit[i] else np.int32(0)
                first += points[plane]
                for i in range(n):
                    block = (block_of[0, t] + block_of[1, y]) + block_of[2, mx + i]
                    hist[block, plane, bins[plane, codes[i]]] += 1


class LBPTOP(ClipDescriptor):
    """LBP-TOP histograms of grey clips; by default the authors' 177 values.

    Every voxel whose three circles lie inside the clip is a centre. On each plane its pattern has
    one bit a neighbour; uniform patterns are counted in a bin each, the others in one.

    Parameters
    ----------
    blocks : tuple of int
        (rows, columns) or (rows, columns, time slices) into which the clip is divided, each with
        histograms of its own: (1, 1) is the authors' whole face, (5, 5) is often quoted for MEGC
        2018. Part i of n covers the pixels from round(i L / n) to round((i + 1) L / n).
    radii : tuple of float
        (Rx, Ry, Rt) in pixels and frames.
    points : tuple of int
        Neighbours on the planes (XY, XT, YT), 2 to 16 each.
    interpolation : {"bilinear", "nearest"}
        Grey value of a neighbour between pixels; "nearest" rounds halves up.
    tolerance : float
        The tie rule, in grey levels: a neighbour's bit is 1 if its value is at least the centre's
        minus this. Values closer than it are ties and count as "not darker", so rounding in the
        interpolation (about 1e-4 of 255 levels in single precision) decides nothing.
    normalise : bool
        Divide each histogram by its sum.
    progress : bool
        Show a bar over the clips.

    Notes
    -----
    Features are ordered block by block (rows, columns, time), in it XY, XT, YT, in it the bins
    of `uniform_bins`.
    """

    def __init__(
        self,
        blocks=(1, 1),
        radii=(1, 1, 1),
        points=(8, 8, 8),
        interpolation: str = "bilinear",
        tolerance: float = 1e-3,
        normalise: bool = True,
        progress: bool = False,
    ):
        self.blocks = blocks
        self.radii = radii
        self.points = points
        self.interpolation = interpolation
        self.tolerance = tolerance
        self.normalise = normalise
        self.progress = progress

    def _check(self, shape) -> tuple[int, int, int]:
        if len(self.radii) != 3 or len(self.points) != 3 or len(self.blocks) not in (2, 3):
            raise ElrcnError(
                "LBP-TOP takes three radii, three numbers of points and two or three of blocks."
            )
        if min(self.radii) <= 0 or not all(2 <= p <= 16 for p in self.points):
            raise ElrcnError("LBP-TOP takes radii above 0 and 2 to 16 points a plane.")
        if self.interpolation not in ("bilinear", "nearest"):
            raise ElrcnError(
                f"There is no interpolation {self.interpolation!r}.",
                fix="choose bilinear or nearest",
            )
        rx, ry, rt = (ceil(r) for r in self.radii)
        if any(n <= 2 * m for n, m in zip(shape, (rt, ry, rx), strict=True)):
            raise ElrcnError(
                f"A clip of {shape[0]} frames of {shape[2]} x {shape[1]} px is too small for "
                f"LBP-TOP with radii {tuple(self.radii)}.",
                fix="choose smaller radii or a greater TIM length",
            )
        return rt, ry, rx

    def describe(self, clip: np.ndarray) -> np.ndarray:
        """Histograms of one clip (T, channels, H, W), grey 0..255 in channel 0.

        Returns
        -------
        numpy.ndarray of float64, shape (blocks * (bins_XY + bins_XT + bins_YT),)
        """
        volume = np.ascontiguousarray(clip[:, 0], dtype=np.float32)
        margin = self._check(volume.shape)
        points = tuple(int(p) for p in self.points)
        rows, columns, times = (*self.blocks, 1)[:3]
        sizes = [p * (p - 1) + 3 for p in points]
        bins = np.zeros((3, 2 ** max(points)), dtype=np.int32)
        for plane, number in enumerate(points):
            bins[plane, : 2**number] = uniform_bins(number)
        blocks = np.zeros((3, max(volume.shape)), dtype=np.int64)
        parts = ((times, 1, "frames"), (rows, columns * times, "rows"), (columns, times, "columns"))
        for axis, (number, step, what) in enumerate(parts):
            length = volume.shape[axis]
            blocks[axis, :length] = step * block_index(length, number, what)
        tables = _tables(*volume.shape[1:], points, tuple(self.radii), self.interpolation)
        hist = np.zeros((rows * columns * times, 3, max(sizes)), dtype=np.int64)
        _count(
            volume.ravel(), volume.shape, margin, *tables, np.array(points), bins, blocks,
            np.float32(self.tolerance), hist,
        )  # fmt: skip
        values = hist.astype(np.float64)
        if self.normalise:
            values /= np.maximum(values.sum(axis=2, keepdims=True), 1)
        return np.concatenate([values[:, i, : sizes[i]] for i in range(3)], axis=1).ravel()


def lbp_top_svm(C: float = 10000.0, **options) -> Pipeline:
    """`LBPTOP` with `options` and `LinearSVM` with penalty `C`: steps ``features`` and ``svm``."""
    return Pipeline([("features", LBPTOP(**options)), ("svm", LinearSVM(C=C))])
