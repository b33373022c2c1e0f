"""Bicubic warp of a frame and its gradient, for the IPOL TV-L1 optical flow.

Images are padded as in `elrcn.preprocess.tvl1_memory`. A compiled function calls only those of its
own module, because a compiled caller that is cached does not notice when another module changes.
Indices that start anywhere are unsigned: a signed one that may be negative is tested at each step,
which keeps a loop from being vectorised.
"""

from __future__ import annotations

import numba
import numpy as np

from elrcn.preprocess.tvl1_memory import LEFT, Disjoint

_TILE = 64  # pixels of a row warped together
_FAR = np.int32(1 << 20)
_INT0, _INT1 = np.int32(0), np.int32(1)
_U1, _U2, _U3, _U4 = np.uintp(1), np.uintp(2), np.uintp(3), np.uintp(4)
_HALF, _ONE, _ZERO = np.float32(0.5), np.float32(1), np.float32(0)
_TWO, _THREE, _FOUR, _FIVE = np.float32(2), np.float32(3), np.float32(4), np.float32(5)

# Contraction to fused multiply-add alone: sums keep their order, so every run gives the same bits.
_OPTIONS = dict(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
_compiled = numba.njit(**_OPTIONS)
_disjoint = numba.njit(**_OPTIONS, pipeline_class=Disjoint)


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
            low_x, high_x, low_y, high_y = (
                min(low_x, x),
                max(high_x, x),
                min(low_y, y),
                max(high_y, y),
            )
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
    if high_x - low_x > 1 or high_y - low_y > 1 or low_x > high_x:
        return _next_run(cell, inside, 0, count)
    first, stop = 0, (count + 7) // 8 * 8
    if start + low_x >= 1 and start + low_x + stop + 3 <= columns:
        return first, stop, low_x, low_y
    stop = count
    while inside[first] == _INT0:
        first += 1
    while inside[stop - 1] == _INT0:
        stop -= 1
    return first, stop, low_x, low_y


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
def _warp_run(image, weights, row, column, first, stop, out, i, start):
    """Warp a run of row `i`; its five by five samples begin at `row` and ``column + t``."""
    line, begin = np.uintp(i), np.uintp(start + first)
    r0 = np.uintp(row)
    r1, r2, r3, r4 = r0 + _U1, r0 + _U2, r0 + _U3, r0 + _U4
    for s in range(stop - first):
        t = np.uintp(s) + np.uintp(first)
        a0, a1, a2 = weights[t], weights[np.uintp(_TILE) + t], weights[np.uintp(2 * _TILE) + t]
        a3, a4 = weights[np.uintp(3 * _TILE) + t], weights[np.uintp(4 * _TILE) + t]
        c0 = np.uintp(s) + np.uintp(column + first)
        c1, c2, c3, c4 = c0 + _U1, c0 + _U2, c0 + _U3, c0 + _U4
        total = weights[np.uintp(5 * _TILE) + t] * (
            a0 * image[r0, c0]
            + a1 * image[r0, c1]
            + a2 * image[r0, c2]
            + a3 * image[r0, c3]
            + a4 * image[r0, c4]
        )
        total += weights[np.uintp(6 * _TILE) + t] * (
            a0 * image[r1, c0]
            + a1 * image[r1, c1]
            + a2 * image[r1, c2]
            + a3 * image[r1, c3]
            + a4 * image[r1, c4]
        )
        total += weights[np.uintp(7 * _TILE) + t] * (
            a0 * image[r2, c0]
            + a1 * image[r2, c1]
            + a2 * image[r2, c2]
            + a3 * image[r2, c3]
            + a4 * image[r2, c4]
        )
        total += weights[np.uintp(8 * _TILE) + t] * (
            a0 * image[r3, c0]
            + a1 * image[r3, c1]
            + a2 * image[r3, c2]
            + a3 * image[r3, c3]
            + a4 * image[r3, c4]
        )
        total += weights[np.uintp(9 * _TILE) + t] * (
            a0 * image[r4, c0]
            + a1 * image[r4, c1]
            + a2 * image[r4, c2]
            + a3 * image[r4, c3]
            + a4 * image[r4, c4]
        )
        out[line, begin + np.uintp(s)] = total


@_disjoint
def _constants(i0, u1, u2, dx, dy, constant, inverse, i, nx):
    """Turn a row of the warped I1 in `constant` into rho_c, and find 1 / |grad|^2."""
    line, first = np.uintp(i), np.uintp(LEFT)
    for t in range(nx):
        j = first + np.uintp(t)
        a, b = dx[line, j], dy[line, j]
        norm = a * a + b * b
        constant[line, j] = constant[line, j] - a * u1[line, j] - b * u2[line, j] - i0[line, j]
        inverse[line, j] = _ONE / norm if norm > _ZERO else _ZERO


@_compiled
def linearise(i0, images, u1, u2, warped, nx):
    """Warp I1 and its gradient by the flow: ``rho(u) = rho_c + I1wx u1 + I1wy u2``.

    Fills ``warped`` with I1wx, I1wy, rho_c and 1 / |grad|^2 (0 where there is no gradient).
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
