"""One scale of the IPOL TV-L1 optical flow: five warps, each solved by fused sweeps.

Images are padded as in `elrcn.preprocess.tvl1_memory`. A compiled function calls only those of its
own module, because a compiled caller that is cached does not notice when another module changes.
"""

from __future__ import annotations

import threading

import numba
import numpy as np

from elrcn.preprocess.tvl1_memory import LEFT, Disjoint, padded
from elrcn.preprocess.tvl1_warp import centred_gradient, linearise

TAU = np.float32(0.25)
LAMBDA = np.float32(0.15)
THETA = np.float32(0.3)
EPSILON2 = np.float32(0.01 * 0.01)
WARPS = 5
MAX_ITERATIONS = 300

_LT = np.float32(LAMBDA * THETA)
_TAUT = np.float32(TAU / THETA)
_NEAR = np.float32(1.5)
_KEPT = 12  # image sizes whose working memory a thread keeps: two pyramids
_local = threading.local()
_ONE, _ZERO = np.float32(1), np.float32(0)

_LEFT, _U1 = np.uintp(LEFT), np.uintp(1)

# Contraction to fused multiply-add alone: sums keep their order, so every run gives the same bits.
_OPTIONS = dict(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
_compiled = numba.njit(**_OPTIONS)
_disjoint = numba.njit(**_OPTIONS, pipeline_class=Disjoint)


@_disjoint
def _primal_row(u1, u2, dx, dy, constant, inverse, p1, l1, q1, p2, l2, q2, change, i, kept, nx):
    """Threshold step as a clamp, then the divergence step, for one row; squared changes.

    The changes are added to row `kept` of their image. `l1` and `l2` are `p1` and `p2` again: as
    one array each, the compiler would shuffle its registers to reuse the left neighbours.
    """
    here, above, row = np.uintp(i), np.uintp(i - 1), np.uintp(kept)
    for t in range(nx):
        j = _LEFT + np.uintp(t)
        left = j - _U1
        a, b = u1[here, j], u2[here, j]
        x, y = dx[here, j], dy[here, j]
        rho = constant[here, j] + (x * a + y * b)
        step = min(max(rho * inverse[here, j], -_LT), _LT)
        div1 = (p1[here, j] - l1[here, left]) + (q1[here, j] - q1[above, j])
        div2 = (p2[here, j] - l2[here, left]) + (q2[here, j] - q2[above, j])
        new_a = a - step * x + THETA * div1
        new_b = b - step * y + THETA * div2
        u1[here, j] = new_a
        u2[here, j] = new_b
        change[row, j] += (new_a - a) * (new_a - a) + (new_b - b) * (new_b - b)
    last = _LEFT + np.uintp(nx)
    u1[here, last] = u1[here, last - _U1]
    u2[here, last] = u2[here, last - _U1]


@_disjoint
def _dual_row(u, p, q, i, nx):
    """Dual update of one component of the flow in one row."""
    here, below = np.uintp(i), np.uintp(i + 1)
    for t in range(nx):
        j = _LEFT + np.uintp(t)
        ux = u[here, j + _U1] - u[here, j]
        uy = u[below, j] - u[here, j]
        scale = _ONE / (_ONE + _TAUT * np.sqrt(ux * ux + uy * uy))
        p[here, j] = (p[here, j] + _TAUT * ux) * scale
        q[here, j] = (q[here, j] + _TAUT * uy) * scale


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _row_sum(change, i, nx):
    total = _ZERO
    for j in range(LEFT, LEFT + nx):
        total += change[i, j]
    return total


@_compiled
def _mean_in_order(change, ny, nx):
    """Mean change summed in single precision from first pixel to last, as the program does."""
    total = _ZERO
    for i in range(1, ny + 1):
        for j in range(LEFT, LEFT + nx):
            total += change[i, j]
    return total / np.float32(ny * nx)


@_compiled
def iterate(u1, u2, warped, dual, change, nx):
    """Solve the linearised problem by sweeps over rows, until the flow hardly changes.

    The padding carries the boundary conditions: 0 for the dual variables (divergence) and a copy
    of the last row and column for the flow (forward gradient), so that no loop has a special case.

    Parameters
    ----------
    u1, u2 : ndarray, shape (ny + 2, columns), float32
        Padded flow in pixels: first guess on entry, solution on return.
    warped : ndarray, shape (4, ny + 2, columns), float32
        See `linearise`.
    dual : ndarray, shape (4, ny + 2, columns), float32
        Dual variables of both components, kept from warp to warp.
    change : ndarray, shape (ny + 2, columns), float32
        Working memory.
    nx : int
        Width in pixels.

    Returns
    -------
    int
        Iterations done.
    """
    ny = u1.shape[0] - 2
    dx, dy, constant, inverse = warped[0], warped[1], warped[2], warped[3]
    p1, q1, p2, q2 = dual[0], dual[1], dual[2], dual[3]
    error = np.float32(np.inf)
    n = 0
    while error > EPSILON2 and n < MAX_ITERATIONS:
        n += 1
        # All changes are wanted only near the end; before, one row of sums serves, at hand.
        near = error < _NEAR * EPSILON2
        change[: ny + 1 if near else 1] = _ZERO
        for i in range(1, ny + 1):
            kept = i if near else 0
            _primal_row(
                u1, u2, dx, dy, constant, inverse, p1, p1, q1, p2, p2, q2, change, i, kept, nx
            )
            if i > 1:
                # One row behind: row i still needed the old duals of row i - 1.
                _dual_row(u1, p1, q1, i - 1, nx)
                _dual_row(u2, p2, q2, i - 1, nx)
        u1[ny + 1], u2[ny + 1] = u1[ny], u2[ny]
        _dual_row(u1, p1, q1, ny, nx)
        _dual_row(u2, p2, q2, ny, nx)
        total = 0.0
        for i in range(1 if near else 0, ny + 1 if near else 1):
            total += _row_sum(change, i, nx)
        error = np.float32(total / (ny * nx))
        if near and abs(error - EPSILON2) < np.float32(0.002) * EPSILON2:
            # The stop is part of the result: near a tie, round as the program does.
            error = _mean_in_order(change, ny, nx)
    return n


def _workspace(height, width):
    """Return this thread's working memory for a scale: fresh pages would cost a fifth of the time.

    Thirteen padded images: I0, I1 and its gradient, the linearised problem, the dual variables and
    the changes. Their padding is zero at first and stays so where it is read.
    """
    kept = _local.__dict__.setdefault("kept", {})
    if (height, width) not in kept:
        if len(kept) >= _KEPT:
            kept.clear()
        kept[height, width] = padded(13, height, width)
    return kept[height, width]


def solve_scale(level0: np.ndarray, level1: np.ndarray, flow: np.ndarray) -> int:
    """Improve the flow of one scale, in place.

    `WARPS` linearisations about the flow so far, each iterated until the mean squared change is
    `EPSILON2` or less.

    Parameters
    ----------
    level0, level1 : ndarray, shape (ny, nx), float32
        Smoothed frames.
    flow : ndarray, shape (2, ny + 2, columns), float32
        `padded` flow in pixels: first guess on entry, solution on return.

    Returns
    -------
    int
        Inner iterations done.
    """
    height, width = level0.shape
    work = _workspace(height, width)
    i0, images, warped, dual, change = work[0], work[1:4], work[4:8], work[8:12], work[12]
    inner = (slice(1, height + 1), slice(LEFT, LEFT + width))
    i0[inner], images[0][inner] = level0, level1
    dual[:] = 0
    centred_gradient(images[0], images[1], images[2], width)
    iterations = 0
    for _ in range(WARPS):
        linearise(i0, images, flow[0], flow[1], warped, width)
        iterations += iterate(flow[0], flow[1], warped, dual, change, width)
    return iterations
