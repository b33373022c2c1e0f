"""One scale of the IPOL TV-L1 optical flow: five warps, each solved by fused sweeps.

Images are padded by one pixel: pixel (i, j) of the paper is ``[i + 1, j + 1]``. A compiled function
calls only those of its own module, because a compiled caller that is cached does not notice when
another module changes.
"""

from __future__ import annotations

import threading

import numba
import numpy as np

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

# Contraction to fused multiply-add alone: sums keep their order, so every run gives the same bits.
_compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})


@_compiled
def _primal_row(u1, u2, warped, dual, change, i, kept, nx):
    """Threshold step as a clamp, then the divergence step, for one row; squared changes.

    The changes go to row `kept` of their image.
    """
    for j in range(1, nx + 1):
        a, b = u1[i, j], u2[i, j]
        dx, dy = warped[0, i, j], warped[1, i, j]
        rho = warped[2, i, j] + (dx * a + dy * b)
        step = min(max(-rho * warped[3, i, j], -_LT), _LT)
        div1 = (dual[0, i, j] - dual[0, i, j - 1]) + (dual[1, i, j] - dual[1, i - 1, j])
        div2 = (dual[2, i, j] - dual[2, i, j - 1]) + (dual[3, i, j] - dual[3, i - 1, j])
        new_a = a + step * dx + THETA * div1
        new_b = b + step * dy + THETA * div2
        u1[i, j] = new_a
        u2[i, j] = new_b
        change[kept, j] = (new_a - a) * (new_a - a) + (new_b - b) * (new_b - b)
    u1[i, nx + 1] = u1[i, nx]
    u2[i, nx + 1] = u2[i, nx]


@_compiled
def _dual_row(u, dual, k, i, nx):
    """Dual update of one component of the flow in one row."""
    for j in range(1, nx + 1):
        ux = u[i, j + 1] - u[i, j]
        uy = u[i + 1, j] - u[i, j]
        scale = _ONE / (_ONE + _TAUT * np.sqrt(ux * ux + uy * uy))
        dual[k, i, j] = (dual[k, i, j] + _TAUT * ux) * scale
        dual[k + 1, i, j] = (dual[k + 1, i, j] + _TAUT * uy) * scale


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _row_sum(change, i, nx):
    total = _ZERO
    for j in range(1, nx + 1):
        total += change[i, j]
    return total


@_compiled
def _mean_in_order(change, ny, nx):
    """Mean change summed in single precision from first pixel to last, as the program does."""
    total = _ZERO
    for i in range(1, ny + 1):
        for j in range(1, nx + 1):
            total += change[i, j]
    return total / np.float32(ny * nx)


@_compiled
def iterate(u1, u2, warped, dual, change):
    """Solve the linearised problem by sweeps over rows, until the flow hardly changes.

    The padding carries the boundary conditions: 0 for the dual variables (divergence) and a copy
    of the last row and column for the flow (forward gradient), so that no loop has a special case.

    Parameters
    ----------
    u1, u2 : ndarray, shape (ny + 2, nx + 2), float32
        Flow in pixels: first guess on entry, solution on return.
    warped : ndarray, shape (4, ny + 2, nx + 2), float32
        See `linearise`.
    dual : ndarray, shape (4, ny + 2, nx + 2), float32
        Dual variables of both components, kept from warp to warp.
    change : ndarray, shape (ny + 2, nx + 2), float32
        Working memory.

    Returns
    -------
    int
        Iterations done.
    """
    ny, nx = u1.shape[0] - 2, u1.shape[1] - 2
    error = np.float32(np.inf)
    n = 0
    while error > EPSILON2 and n < MAX_ITERATIONS:
        n += 1
        total = 0.0
        # All changes are wanted only near the end; before, one row serves, which stays at hand.
        near = error < _NEAR * EPSILON2
        for i in range(1, ny + 1):
            kept = i if near else 0
            _primal_row(u1, u2, warped, dual, change, i, kept, nx)
            total += _row_sum(change, kept, nx)
            if i > 1:
                # One row behind: row i still needed the old duals of row i - 1.
                _dual_row(u1, dual, 0, i - 1, nx)
                _dual_row(u2, dual, 2, i - 1, nx)
        for j in range(nx + 2):
            u1[ny + 1, j] = u1[ny, j]
            u2[ny + 1, j] = u2[ny, j]
        _dual_row(u1, dual, 0, ny, nx)
        _dual_row(u2, dual, 2, ny, nx)
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
        kept[height, width] = np.zeros((13, height + 2, width + 2), np.float32)
    return kept[height, width]


def solve_scale(level0: np.ndarray, level1: np.ndarray, flow: np.ndarray) -> int:
    """Improve the flow of one scale, in place.

    `WARPS` linearisations about the flow so far, each iterated until the mean squared change is
    `EPSILON2` or less.

    Parameters
    ----------
    level0, level1 : ndarray, shape (ny, nx), float32
        Smoothed frames.
    flow : ndarray, shape (2, ny + 2, nx + 2), float32
        Flow in pixels: first guess on entry, solution on return.

    Returns
    -------
    int
        Inner iterations done.
    """
    work = _workspace(*level0.shape)
    i0, images, warped, dual, change = work[0], work[1:4], work[4:8], work[8:12], work[12]
    i0[1:-1, 1:-1], images[0, 1:-1, 1:-1] = level0, level1
    dual[:] = 0
    centred_gradient(images[0], images[1], images[2])
    iterations = 0
    for _ in range(WARPS):
        linearise(i0, images, flow[0], flow[1], warped)
        iterations += iterate(flow[0], flow[1], warped, dual, change)
    return iterations
