"""The TV-L1 optical flow of IPOL's program, compiled.

The algorithm of Sanchez, Meinhardt-Llopis and Facciolo, "TV-L1 Optical Flow Estimation", Image
Processing On Line 3 (2013), doi:10.5201/ipol.2013.26, with its default parameters and boundary
rules, written from the article's description. It minimises, over the flow u = (u1, u2),

    E(u) = sum |grad u1| + |grad u2| + lambda |rho(u)|,
    rho(u) = I1(x + u0) + <grad I1(x + u0), u - u0> - I0(x)

by splitting u from v, which stays near it at a price of |u - v|^2 / (2 theta). In turn,

    v = u + TH(u),                      which solves for v point by point (threshold step),
    u = v + theta div p,                which solves for u given its dual variables,
    p = (p + tau/theta grad u) / (1 + tau/theta |grad u|),  one step of the dual variables,

about `WARPS` points u0 in each scale of a pyramid, from coarse to fine (`ipol_flow`).

All of it is one module: numba keeps compiled code as long as the module's file is unchanged, and
so sees every constant and every compiled function that another one calls. Indices that start
anywhere are unsigned: a signed one that may be negative is tested at each step, which keeps a loop
from being vectorised.
"""

from __future__ import annotations

import threading

import numba
import numpy as np
from numba.core.compiler import Compiler

TAU = np.float32(0.25)
LAMBDA = np.float32(0.15)
THETA = np.float32(0.3)
EPSILON2 = np.float32(0.01 * 0.01)
WARPS = 5
MAX_ITERATIONS = 300
PRESMOOTHING = 0.8
ZOOM_SIGMA = 0.6 * np.sqrt(1 / 0.5**2 - 1)
#: Least squared norm of the gradient that rho is divided by; below it there is no gradient.
GRAD_IS_ZERO = np.float32(1e-10)

LEFT = 16  # columns before the first pixel of a padded image: a cache line

_LT = np.float32(LAMBDA * THETA)
_TAUT = np.float32(TAU / THETA)
_NEAR = np.float32(1.5)
_TILE = 64  # pixels of a row warped together
_KEPT = 12  # image sizes whose working memory a thread keeps: two pyramids
_local = threading.local()

_HALF, _ONE, _ZERO = np.float32(0.5), np.float32(1), np.float32(0)
_TWO, _THREE, _FOUR, _FIVE = np.float32(2), np.float32(3), np.float32(4), np.float32(5)
_FAR, _INT0, _INT1 = np.int32(1 << 20), np.int32(0), np.int32(1)
_LEFT, _U1, _U2, _U3, _U4 = (np.uintp(k) for k in (LEFT, 1, 2, 3, 4))


class Disjoint(Compiler):
    """Compile a function whose array arguments share no memory that it writes.

    Otherwise each loop begins with a test of every pair of arrays for overlap, which for rows of
    a hundred pixels takes as long as the loop.
    """

    def __init__(self, *args):
        super().__init__(*args)
        self.state.flags.noalias = True


# Contraction to fused multiply-add alone: sums keep their order, so every run gives the same bits.
_OPTIONS = dict(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
_compiled = numba.njit(**_OPTIONS)
_disjoint = numba.njit(**_OPTIONS, pipeline_class=Disjoint)
_exact = numba.njit(cache=True, nogil=True, error_model="numpy")  # in double precision


def padded(images: int, height: int, width: int) -> np.ndarray:
    """Zeros for `images` padded images: shape (images, height + 2, width of a row in memory).

    Pixel (i, j) is ``[i + 1, LEFT + j]``. Rows begin at cache lines and are an odd number of them
    long, so that the same column of neighbouring rows and images does not compete for one place in
    the cache.
    """
    line = (LEFT + width + 1 + 15) // 16 | 1
    shape = (images, height + 2, 16 * line)
    memory = np.zeros(int(np.prod(shape)) + 16, np.float32)
    first = -memory.ctypes.data % 64 // 4
    return memory[first : first + memory.size - 16].reshape(shape)


def scales_that_fit(height: int, width: int) -> int:
    """Return the number of pyramid levels; the coarsest has a diagonal of 16 to 32 pixels."""
    return max(1, int(1 + np.log(np.hypot(width, height) / 16) / np.log(2)))


def gaussian_kernel(sigma: float) -> np.ndarray:
    """Half a normalised Gaussian, from its centre to five sigma."""
    size = int(5 * sigma) + 1
    kernel = np.exp(-(np.arange(size) ** 2) / (2 * sigma**2))
    return kernel / (2 * kernel.sum() - kernel[0])


@_exact
def _reflect(k, n):
    """Reflect about the first sample on one side, about the edge on the other.

    A line shorter than the kernel, which the program refuses, repeats its far end.
    """
    if k < 0:
        return min(-k, n - 1)
    if k >= n:
        return max(2 * n - 1 - k, 0)
    return k


@_exact
def _smooth_columns(image, kernel, step):
    """Filter each column, keeping every `step`-th row."""
    n, columns = image.shape
    rows = (n + step - 1) // step
    out = np.empty((rows, columns), np.float32)
    total = np.empty(columns, np.float64)
    for i in range(rows):
        middle = i * step
        # G I = g0 I(i) + sum_k gk (I(i - k) + I(i + k)), a row of pixels at a time.
        for j in range(columns):
            total[j] = kernel[0] * image[middle, j]
        for k in range(1, len(kernel)):
            weight = kernel[k]
            above, below = np.uintp(_reflect(middle - k, n)), np.uintp(_reflect(middle + k, n))
            for j in range(columns):
                total[j] += weight * (np.float64(image[above, j]) + image[below, j])
        for j in range(columns):
            out[i, j] = total[j]
    return out


def smooth(image, kernel, step):
    """Gaussian filter, rows then columns, keeping every `step`-th sample of both axes.

    `image` (ny, nx) and the result (ceil(ny / step), ceil(nx / step)) are float32; `kernel` is
    half a kernel, from its centre, float64.
    """
    for _ in range(2):
        image = _smooth_columns(np.ascontiguousarray(image.T), kernel, step)
    return image


@_exact
def zoom_taps(n, wanted):
    """Give samples and cubic weights that stretch `n` samples to `wanted`, ends repeated."""
    index = np.empty((4, wanted), np.int64)
    weight = np.empty((4, wanted), np.float64)
    factor = np.float32(wanted) / np.float32(n)
    for j in range(wanted):
        at = np.float32(j) / factor
        cell = int(at)
        x = np.float64(at - np.float32(min(cell, n - 1)))
        weight[0, j] = 0.5 * x * (-1 + x * (2 - x))
        weight[1, j] = 1 + 0.5 * x * x * (3 * x - 5)
        weight[2, j] = 0.5 * x * (1 + x * (4 - 3 * x))
        weight[3, j] = 0.5 * x * x * (x - 1)
        for k in range(4):
            index[k, j] = min(max(cell - 1 + k, 0), n - 1)
    return index, weight


@_exact
def _zoom_flow(coarse, nx, fine, columns):
    """Bicubic zoom of a padded flow component to a finer scale, in the finer scale's pixels."""
    ny, rows = coarse.shape[0] - 2, fine.shape[0] - 2
    index_y, weight_y = zoom_taps(ny, rows)
    index_x, weight_x = zoom_taps(nx, columns)
    line = np.empty(nx, np.float64)
    for i in range(rows):
        line[:] = 0
        for k in range(4):
            row, weight = index_y[k, i] + 1, weight_y[k, i]
            for j in range(nx):
                line[j] += weight * coarse[row, LEFT + j]
        for j in range(columns):
            value = (
                weight_x[0, j] * line[index_x[0, j]]
                + weight_x[1, j] * line[index_x[1, j]]
                + weight_x[2, j] * line[index_x[2, j]]
                + weight_x[3, j] * line[index_x[3, j]]
            )
            # Twice as many pixels: the same motion is twice as long.
            fine[i + 1, LEFT + j] = np.float32(value) * _TWO


@_compiled
def cubic_weights(x):
    """Weights of the four samples at -1, 0, 1, 2 for a point at `x` in 0..1 (Catmull-Rom)."""
    h = _HALF * x
    return (
        h * (-_ONE + x * (_TWO - x)),
        _ONE + h * (x * (_THREE * x - _FIVE)),
        h * (_ONE + x * (_FOUR - _THREE * x)),
        h * (x * (x - _ONE)),
    )


@_disjoint
def centred_gradient(image, out_x, out_y, nx):
    """Half differences of a padded image `nx` pixels wide; one-sided at its border."""
    ny = image.shape[0] - 2
    first, last = np.uintp(LEFT), np.uintp(LEFT + nx - 1)
    for i in range(1, ny + 1):
        line, up, down = np.uintp(i), np.uintp(max(i - 1, 1)), np.uintp(min(i + 1, ny))
        for t in range(nx):
            j = first + np.uintp(t)
            out_x[line, j] = _HALF * (image[line, j + _U1] - image[line, j - _U1])
            out_y[line, j] = _HALF * (image[down, j] - image[up, j])
        second, before = min(first + _U1, last), max(last - _U1, first)
        out_x[line, first] = _HALF * (image[line, second] - image[line, first])
        out_x[line, last] = _HALF * (image[line, last] - image[line, before])


@_disjoint
def _locate(u1, u2, i, start, count, nx, ny, cell, inside, fraction):
    """Find where a tile of a row comes from: cell's displacement and position in the cell.

    Tile arrays are flat, x first, then y at `_TILE`. A pixel is inside if all 16 samples lie
    within the image; elsewhere the warp is 0.
    """
    # 32-bit integers throughout: there is no vector instruction for 64-bit ones to floats.
    wide, high = np.float32(nx), np.float32(ny)
    last_x, last_y = np.int32(nx - 3), np.int32(ny - 3)
    row, begin = np.int32(i - 1), np.int32(start - LEFT)
    line, place = np.uintp(i), np.uintp(start)
    for t in range((count + 7) // 8 * 8):
        column = np.int32(begin + np.int32(t))
        j = place + np.uintp(t)
        x = min(max(np.float32(column) + u1[line, j], _ZERO), wide)
        y = min(max(np.float32(row) + u2[line, j], _ZERO), high)
        ix, iy = np.int32(x), np.int32(y)
        within = (ix >= _INT1) & (ix <= last_x) & (iy >= _INT1) & (iy <= last_y)
        inside[t] = _INT1 if within else _INT0
        cell[t] = np.int32(ix - column)
        cell[_TILE + t] = np.int32(iy - row)
        fraction[t] = x - np.float32(ix)
        fraction[_TILE + t] = y - np.float32(iy)


@_compiled
def _span(cell, inside, axis, count):
    """Least displacement of the cells inside, and the greatest."""
    low, high = _FAR, -_FAR
    for t in range(count):
        here = cell[axis + t]
        low = np.int32(min(low, here if inside[t] != _INT0 else _FAR))
        high = np.int32(max(high, here if inside[t] != _INT0 else -_FAR))
    return low, high


@_compiled
def _next_run(cell, inside, first, count):
    """Longest run of pixels from `first` whose cells' displacements differ by 1 at most an axis.

    Starts and ends inside; returns its bounds and least displacements. Empty at the tile's end.
    """
    while first < count and inside[first] == _INT0:
        first += 1
    stop = first
    low_x, high_x, low_y, high_y = _FAR, -_FAR, _FAR, -_FAR
    for t in range(first, count):
        if inside[t] != _INT0:
            x, y = cell[t], cell[_TILE + t]
            if max(high_x, x) - min(low_x, x) > 1 or max(high_y, y) - min(low_y, y) > 1:
                break
            low_x, high_x = min(low_x, x), max(high_x, x)
            low_y, high_y = min(low_y, y), max(high_y, y)
            stop = t + 1
    return first, stop, low_x, low_y


@_compiled
def _first_run(cell, inside, count, start, columns):
    """First run of a tile: the whole tile, as a rule, which is found out without branches.

    Then it is extended over pixels that are not inside, whose weights are 0, to a whole number of
    vectors, if what it reads lies within rows of `columns`.
    """
    low_x, high_x = _span(cell, inside, 0, count)
    low_y, high_y = _span(cell, inside, _TILE, count)
    stop = (count + 7) // 8 * 8
    together = low_x <= high_x and high_x - low_x <= 1 and high_y - low_y <= 1
    if together and start + low_x >= 1 and start + low_x + stop + 3 <= columns:
        return 0, stop, low_x, low_y
    return _next_run(cell, inside, 0, count)


@_disjoint
def _run_weights(cell, inside, fraction, axis, low, first, stop, weights):
    """Weigh five samples an axis: the four cubic ones, one further where the cell is."""
    least = np.int32(low)
    for s in range(stop - first):
        t = np.uintp(s) + np.uintp(first)
        a, b = np.uintp(axis) + t, np.uintp(5 * axis) + t
        w0, w1, w2, w3 = cubic_weights(fraction[a])
        keep = _ONE if inside[t] != _INT0 else _ZERO
        w0, w1, w2, w3 = w0 * keep, w1 * keep, w2 * keep, w3 * keep
        further = cell[a] != least
        weights[b] = _ZERO if further else w0
        weights[b + np.uintp(_TILE)] = w0 if further else w1
        weights[b + np.uintp(2 * _TILE)] = w1 if further else w2
        weights[b + np.uintp(3 * _TILE)] = w2 if further else w3
        weights[b + np.uintp(4 * _TILE)] = w3 if further else _ZERO


@_compiled
def _weighed(image, row, column, w0, w1, w2, w3, w4):
    """Weighted sum of five neighbours in a row."""
    return (
        w0 * image[row, column]
        + w1 * image[row, column + _U1]
        + w2 * image[row, column + _U2]
        + w3 * image[row, column + _U3]
        + w4 * image[row, column + _U4]
    )


@_compiled
def _warp_run(image, weights, row, column, first, stop, out, i, start):
    """Warp a run of row `i`; its five by five samples begin at `row` and ``column + t``."""
    line, begin = np.uintp(i), np.uintp(start + first)
    r = np.uintp(row)
    for s in range(stop - first):
        t = np.uintp(s) + np.uintp(first)
        a, b, c = weights[t], weights[np.uintp(_TILE) + t], weights[np.uintp(2 * _TILE) + t]
        d, e = weights[np.uintp(3 * _TILE) + t], weights[np.uintp(4 * _TILE) + t]
        k = np.uintp(s) + np.uintp(column + first)
        total = weights[np.uintp(5 * _TILE) + t] * _weighed(image, r, k, a, b, c, d, e)
        total += weights[np.uintp(6 * _TILE) + t] * _weighed(image, r + _U1, k, a, b, c, d, e)
        total += weights[np.uintp(7 * _TILE) + t] * _weighed(image, r + _U2, k, a, b, c, d, e)
        total += weights[np.uintp(8 * _TILE) + t] * _weighed(image, r + _U3, k, a, b, c, d, e)
        total += weights[np.uintp(9 * _TILE) + t] * _weighed(image, r + _U4, k, a, b, c, d, e)
        out[line, begin + np.uintp(s)] = total


@_disjoint
def _constants(i0, u1, u2, dx, dy, constant, inverse, i, nx):
    """Turn a row of the warped I1 in `constant` into rho_c, and find 1 / |grad|^2.

    Where |grad|^2 is below `GRAD_IS_ZERO`, also a denormal number, its inverse times rho might be
    infinite or not a number. With the bound's inverse in its place the step is -+lambda theta times
    the gradient, or zero with rho, as in the program.
    """
    line, first = np.uintp(i), np.uintp(LEFT)
    for t in range(nx):
        j = first + np.uintp(t)
        a, b = dx[line, j], dy[line, j]
        norm = a * a + b * b
        # rho(u) = rho_c + <grad, u> with rho_c = I1(x + u0) - <grad, u0> - I0(x)
        constant[line, j] = constant[line, j] - a * u1[line, j] - b * u2[line, j] - i0[line, j]
        inverse[line, j] = _ONE / max(norm, GRAD_IS_ZERO)


@_compiled
def linearise(i0, images, u1, u2, warped, nx):
    """Warp I1 and its gradient by the flow: ``rho(u) = rho_c + I1wx u1 + I1wy u2``.

    Fills ``warped`` with I1wx, I1wy, rho_c and 1 / max(|grad|^2, `GRAD_IS_ZERO`).
    Images are `nx` pixels wide.
    """
    ny, columns = i0.shape[0] - 2, i0.shape[1]
    cell, inside = np.zeros(2 * _TILE, np.int32), np.zeros(_TILE, np.int32)
    fraction, weights = np.zeros(2 * _TILE, np.float32), np.zeros(10 * _TILE, np.float32)
    image, image_x, image_y = images[0], images[1], images[2]
    dx, dy, constant, inverse = warped[0], warped[1], warped[2], warped[3]
    for i in range(1, ny + 1):
        dx[i], dy[i], constant[i] = _ZERO, _ZERO, _ZERO
        for start in range(LEFT, LEFT + nx, _TILE):
            count = min(_TILE, LEFT + nx - start)
            _locate(u1, u2, i, start, count, nx, ny, cell, inside, fraction)
            # Neighbours move alike, so their samples are neighbours too: nothing is gathered.
            first, stop, low_x, low_y = _first_run(cell, inside, count, start, columns)
            while first < stop:
                _run_weights(cell, inside, fraction, 0, low_x, first, stop, weights)
                _run_weights(cell, inside, fraction, _TILE, low_y, first, stop, weights)
                row, column = i + low_y - 1, start + low_x - 1
                _warp_run(image_x, weights, row, column, first, stop, dx, i, start)
                _warp_run(image_y, weights, row, column, first, stop, dy, i, start)
                _warp_run(image, weights, row, column, first, stop, constant, i, start)
                first, stop, low_x, low_y = _next_run(cell, inside, stop, count)
        _constants(i0, u1, u2, dx, dy, constant, inverse, i, nx)


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
        # TH(u) = -grad * rho / |grad|^2, by lambda theta |grad| at most: v = u - step * grad
        rho = constant[here, j] + (x * a + y * b)
        step = min(max(rho * inverse[here, j], -_LT), _LT)
        # u = v + theta div p, the divergence by backward differences
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
        # p = (p + tau/theta grad u) / (1 + tau/theta |grad u|), grad by forward differences
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

    All arrays are `padded` images, `nx` pixels wide: the flow `u1`, `u2` in pixels (first guess on
    entry, solution on return), the four of `linearise` in `warped`, the four dual variables, kept
    from warp to warp, in `dual`, working memory in `change`. Returns the iterations done.
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


def _solve_scale(level0, level1, flow):
    """Improve the padded flow between two smoothed frames of one scale, in place.

    `WARPS` linearisations about the flow so far, each iterated until the mean squared change is
    `EPSILON2` or less.
    """
    height, width = level0.shape
    work = _workspace(height, width)
    i0, images, warped, dual, change = work[0], work[1:4], work[4:8], work[8:12], work[12]
    inner = (slice(1, height + 1), slice(LEFT, LEFT + width))
    i0[inner], images[0][inner] = level0, level1
    dual[:] = 0
    centred_gradient(images[0], images[1], images[2], width)
    for _ in range(WARPS):
        linearise(i0, images, flow[0], flow[1], warped, width)
        iterate(flow[0], flow[1], warped, dual, change, width)


def ipol_flow(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """TV-L1 flow of a pair of frames as IPOL's program computes it.

    Parameters
    ----------
    first, second : ndarray, shape (H, W), float32
        Grey frames of any range, at least 16 x 16.

    Returns
    -------
    ndarray, shape (H, W, 2), float32
        Horizontal then vertical motion in pixels.
    """
    # The pair is scaled jointly to 0..255, if it has any contrast.
    pair = np.stack([first, second])
    low, high = pair.min(), pair.max()
    if high > low:
        pair = np.float32(255) * (pair - low) / (high - low)
    presmoothing, smoothing = gaussian_kernel(PRESMOOTHING), gaussian_kernel(ZOOM_SIGMA)
    pyramid = [[smooth(image, presmoothing, 1) for image in pair]]
    for _ in range(1, scales_that_fit(*first.shape)):
        pyramid.append([smooth(image, smoothing, 2) for image in pyramid[-1]])
    flow, width = None, 0
    for level0, level1 in reversed(pyramid):
        coarse, coarse_width = flow, width
        flow, width = padded(2, *level0.shape), level0.shape[1]
        if coarse is not None:
            for k in range(2):
                _zoom_flow(coarse[k], coarse_width, flow[k], width)
        _solve_scale(level0, level1, flow)
    return np.ascontiguousarray(flow[:, 1:-1, LEFT : LEFT + width].transpose(1, 2, 0))
