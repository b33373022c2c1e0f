"""Optical strain: how much a flow field deforms what it moves (Eqs 2 to 4)."""

from __future__ import annotations

import sys

import numba
import numpy as np

from elrcn.errors import ElrcnError
from elrcn.preprocess.tvl1 import Disjoint

# A flow vector is read as one 64-bit integer and taken apart by shifts: nothing else separates the
# components at the speed of vectors.
_FIRST, _SECOND = (np.uint64(n) for n in ((0, 32) if sys.byteorder == "little" else (32, 0)))

_OPTIONS = dict(cache=True, nogil=True, error_model="numpy")
_compiled = numba.njit(**_OPTIONS)
_disjoint = numba.njit(**_OPTIONS, pipeline_class=Disjoint)


@_disjoint
def _split_row(vectors, i, u, v):
    """Separate the components of a row of vectors."""
    row = np.uintp(i)
    for t in range(vectors.shape[1]):
        j = np.uintp(t)
        both = vectors[row, j]
        u[j] = np.uint32(both >> _FIRST)
        v[j] = np.uint32(both >> _SECOND)


@_disjoint
def _strain_row(u, v, u_left, v_left, u_above, v_above, out, i):
    """Strain of one row; `u_left` and `v_left` are `u` and `v` again, read a pixel behind.

    Without a neighbour to the left, u_x and v_x are zero.
    """
    row = np.uintp(i)
    u_y, v_y = u[0] - u_above[0], v[0] - v_above[0]
    out[row, 0] = np.sqrt(v_y * v_y + np.float32(0.5) * u_y * u_y)
    for t in range(out.shape[1] - 1):
        left = np.uintp(t)
        j = left + np.uintp(1)
        u_x, v_x = u[j] - u_left[left], v[j] - v_left[left]
        u_y, v_y = u[j] - u_above[j], v[j] - v_above[j]
        # |e|^2 = e_xx^2 + e_yy^2 + e_xy^2 + e_yx^2 (Eq 4); as e_xy = e_yx = (u_y + v_x) / 2 (Eq 3),
        # the last two are shear^2 / 2 together.
        shear = u_y + v_x
        out[row, j] = np.sqrt(u_x * u_x + v_y * v_y + np.float32(0.5) * shear * shear)


@_compiled
def _magnitude(vectors, out):
    height, width = out.shape
    bits = np.empty((2, 2, width), np.uint32)  # components of two rows, even and odd
    rows = bits.view(np.float32)
    for i in range(height):
        here = i % 2
        # Nothing lies above the first row: it takes its own place, and u_y and v_y are zero.
        above = 1 - here if i else here
        _split_row(vectors, i, bits[here, 0], bits[here, 1])
        u, v = rows[here, 0], rows[here, 1]
        _strain_row(u, v, u, v, rows[above, 0], rows[above, 1], out, i)


def optical_strain(flow: np.ndarray) -> np.ndarray:
    """Magnitude of the strain tensor of a flow field, Eq 4 of the paper.

    ``|e| = sqrt(e_xx^2 + e_yy^2 + e_xy^2 + e_yx^2)`` with ``e_xx = du/dx``, ``e_yy = dv/dy`` and
    ``e_xy = e_yx = (du/dy + dv/dx) / 2`` (Eqs 2 and 3). The derivatives are backward differences,
    zero across a missing neighbour, as in the authors' code: the first row is
    ``sqrt(u_x^2 + v_x^2 / 2)``, the first column ``sqrt(v_y^2 + u_y^2 / 2)``, their corner 0. A
    translation has no strain; ``u = a x, v = b y`` has ``sqrt(a^2 + b^2)`` elsewhere.

    Parameters
    ----------
    flow : array_like, shape (H, W, 2)
        Horizontal and vertical motion in pixels per frame.

    Returns
    -------
    ndarray, shape (H, W), float32
        Dimensionless, at least 0.

    Raises
    ------
    ElrcnError
        If `flow` is of another shape.

    References
    ----------
    Shreve et al., "Macro- and micro-expression spotting in long videos using spatio-temporal
    strain", FG 2011, doi:10.1109/FG.2011.5771451.
    """
    flow = np.ascontiguousarray(flow, np.float32)
    if flow.ndim != 3 or flow.shape[2] != 2:
        raise ElrcnError(
            f"Optical strain needs a flow of shape (H, W, 2), not {flow.shape}.",
            fix="pass one flow field",
        )
    out = np.empty(flow.shape[:2], np.float32)
    if out.size:
        _magnitude(flow.reshape(len(flow), -1).view(np.uint64), out)
    return out
