"""Histograms of oriented gradients in space and time, a baseline of Table III.

Klaser, Marszalek and Schmid 2008, "A spatio-temporal descriptor based on 3D-gradients", BMVC,
doi 10.5244/C.22.99.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from sklearn.pipeline import Pipeline

from elrcn.errors import ElrcnError
from elrcn.features.base import ClipDescriptor, LinearSVM, block_means

POLYHEDRA = ("icosahedron", "dodecahedron")


@lru_cache(maxsize=4)
def face_directions(polyhedron: str = "icosahedron", half: bool = False) -> np.ndarray:
    """Return unit vectors (x, y, t) from the centre of a regular polyhedron through its faces.

    An icosahedron has 20 and a dodecahedron 12, shape (directions, 3); with `half` there is one of
    each pair of opposite directions. Raises `ElrcnError` if the polyhedron is unknown.
    """
    golden, signs = (1 + 5**0.5) / 2, (-1.0, 1.0)
    if polyhedron == "icosahedron":
        # Its face centres are the corners of a dodecahedron, and the other way round.
        base = [(0, a / golden, b * golden) for a in signs for b in signs]
        corners = [(a, b, c) for a in signs for b in signs for c in signs]
    elif polyhedron == "dodecahedron":
        base, corners = [(0, a, b * golden) for a in signs for b in signs], []
    else:
        raise ElrcnError(
            f"There is no polyhedron {polyhedron!r} here.",
            fix=f"choose one of: {', '.join(POLYHEDRA)}",
        )
    turns = [(v[k], v[(k + 1) % 3], v[(k + 2) % 3]) for k in range(3) for v in base]
    directions = np.array(corners + turns, dtype=np.float64)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    if half:
        first = [next(v for v in d if abs(v) > 1e-9) > 0 for d in directions]
        directions = directions[first]
    return directions


def neighbour_threshold(directions: np.ndarray) -> float:
    """Inner product of two neighbouring directions: what a projection must exceed to count.

    0.7454 for the icosahedron (the paper's 1.29107 for vectors of length sqrt 3) and 0.4472 for
    the dodecahedron. A gradient along one direction so goes to that direction alone.
    """
    products = directions @ directions.T
    return float(products[products < 1 - 1e-9].max())


def quantise(gradients: np.ndarray, directions: np.ndarray, threshold: float, half: bool = False):
    """Distribute mean gradients (..., 3) in x, y and t over `directions` (D, 3) (Section 2.2).

    ``q = |g| r / |r|`` with ``r = max(directions g / |g| - threshold, 0)``, shape (..., D), has the
    length of its gradient, or 0 where no projection exceeds the threshold, a cosine. With `half`
    opposite gradients count alike.
    """
    # Project the unit gradient on the face normals, subtract the cosine between neighbouring ones
    # so that one exactly on a normal votes for it alone, and share the gradient's length out among
    # what stays positive.
    length = np.linalg.norm(gradients, axis=-1, keepdims=True)
    unit = np.divide(gradients, length, out=np.zeros_like(gradients), where=length > 0)
    projected = unit @ directions.T
    if half:
        projected = np.abs(projected)
    kept = np.maximum(projected - threshold, 0)
    size = np.linalg.norm(kept, axis=-1, keepdims=True)
    return length * np.divide(kept, size, out=np.zeros_like(kept), where=size > 0)


class HOG3D(ClipDescriptor):
    """HOG-3D of grey clips: one descriptor a block of the frame, over all frames.

    A face is aligned, so the descriptor covers its blocks directly; there are no interest points
    and no bag of words. MEGC 2018's own parameters are not recorded: all are options.

    Parameters
    ----------
    blocks : tuple of int
        (rows, columns) into which the frame is divided; each is a descriptor normalised by itself.
    cells : tuple of int
        (rows, columns, time slices) of histogram cells a descriptor.
    subblocks : int
        S: a cell is S x S x S boxes; each box's *mean* gradient is distributed over directions.
    polyhedron : {"icosahedron", "dodecahedron"}
        20 or 12 directions.
    half : bool
        Opposite directions count alike: 10 or 6.
    threshold : float, optional
        Cosine that a projection must exceed; default `neighbour_threshold` of the full polyhedron.
    cutoff : float, optional
        After division by the Euclidean length, values are clipped here and divided again; None
        leaves that out.
    progress : bool
        Show a bar over the clips.

    Notes
    -----
    Gradients are centred differences (one-sided at the borders) in grey levels per pixel and per
    frame. Features are ordered block, cell (row, column, time), direction.
    """

    def __init__(
        self,
        blocks=(1, 1),
        cells=(4, 4, 3),
        subblocks: int = 3,
        polyhedron: str = "icosahedron",
        half: bool = False,
        threshold: float | None = None,
        cutoff: float | None = 0.25,
        progress: bool = False,
    ):
        self.blocks = blocks
        self.cells = cells
        self.subblocks = subblocks
        self.polyhedron = polyhedron
        self.half = half
        self.threshold = threshold
        self.cutoff = cutoff
        self.progress = progress

    def describe(self, clip: np.ndarray) -> np.ndarray:
        """Descriptors of one clip (T, channels, H, W), grey 0..255 in channel 0.

        Returns
        -------
        numpy.ndarray of float64, shape (blocks * cells * directions,)

        Raises
        ------
        ElrcnError
            If there are fewer frames or pixels than boxes, or an option has no meaning.
        """
        if len(self.blocks) != 2 or len(self.cells) != 3 or self.subblocks < 1:
            raise ElrcnError("HOG-3D takes two numbers of blocks, three of cells and one of boxes.")
        if self.cutoff is not None and self.cutoff <= 0:
            raise ElrcnError("The cutoff of HOG-3D is above 0, or None for no clipping.")
        volume = np.asarray(clip[:, 0], dtype=np.float64)
        if min(volume.shape) < 2:
            raise ElrcnError("HOG-3D needs at least two frames of two by two pixels.")
        directions = face_directions(self.polyhedron, self.half)
        threshold = self.threshold
        if threshold is None:
            threshold = neighbour_threshold(face_directions(self.polyhedron))
        s, (rows, columns), (cy, cx, ct) = self.subblocks, self.blocks, self.cells
        boxes = np.stack(np.gradient(volume)[::-1], axis=-1)  # (T, H, W, [x, y, t])
        parts = {"frames": ct * s, "rows": rows * cy * s, "columns": columns * cx * s}
        for axis, (what, number) in enumerate(parts.items()):
            boxes = block_means(boxes, axis, number, what)
        shares = quantise(boxes, directions, threshold, self.half)
        # (time, s, block row, cell row, s, block column, cell column, s, direction)
        shares = shares.reshape(ct, s, rows, cy, s, columns, cx, s, len(directions))
        cells = shares.sum(axis=(1, 4, 7)).transpose(1, 3, 2, 4, 0, 5)
        descriptors = _unit_rows(cells.reshape(rows * columns, -1))
        if self.cutoff is not None:
            descriptors = _unit_rows(np.minimum(descriptors, self.cutoff))
        return descriptors.ravel()


def _unit_rows(values):
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.where(length > 0, length, 1)


def hog3d_svm(C: float = 10000.0, **options) -> Pipeline:
    """`HOG3D` with `options` and `LinearSVM` with penalty `C`: steps ``features`` and ``svm``."""
    return Pipeline([("features", HOG3D(**options)), ("svm", LinearSVM(C=C))])
