"""The IPOL TV-L1 optical flow of a pair of frames: scales, smoothing and zooming.

The algorithm of Sanchez, Meinhardt-Llopis and Facciolo, "TV-L1 Optical Flow Estimation", Image
Processing On Line 3 (2013), doi:10.5201/ipol.2013.26, with its default parameters and boundary
rules, written from the article's description.
"""

from __future__ import annotations

import numba
import numpy as np

from elrcn.preprocess.tvl1 import solve_scale
from elrcn.preprocess.tvl1_memory import LEFT, padded

PRESMOOTHING = 0.8
ZOOM_SIGMA = 0.6 * np.sqrt(1 / 0.5**2 - 1)


def scales_that_fit(height: int, width: int) -> int:
    """Return the number of pyramid levels; the coarsest has a diagonal of 16 to 32 pixels."""
    return max(1, int(1 + np.log(np.hypot(width, height) / 16) / np.log(2)))


def gaussian_kernel(sigma: float) -> np.ndarray:
    """Half a normalised Gaussian, from its centre to five sigma."""
    size = int(5 * sigma) + 1
    kernel = np.exp(-(np.arange(size) ** 2) / (2 * sigma**2))
    return kernel / (2 * kernel.sum() - kernel[0])


@numba.njit(cache=True, nogil=True)
def _reflect(k, n):
    """Reflect about the first sample on one side, about the edge on the other.

    A line shorter than the kernel, which the program refuses, repeats its far end.
    """
    if k < 0:
        return min(-k, n - 1)
    if k >= n:
        return max(2 * n - 1 - k, 0)
    return k


@numba.njit(cache=True, nogil=True, error_model="numpy")
def smooth(image, kernel, step):
    """Gaussian filter, rows then columns, keeping every `step`-th sample of both axes.

    Parameters
    ----------
    image : ndarray, shape (ny, nx), float32
    kernel : ndarray, float64
        Half kernel, from its centre.
    step : int

    Returns
    -------
    ndarray, shape (ceil(ny / step), ceil(nx / step)), float32
    """
    ny, nx = image.shape
    size = len(kernel)
    rows, columns = (ny + step - 1) // step, (nx + step - 1) // step
    lines = np.empty((ny, columns), np.float32)
    padded = np.empty(nx + 2 * size, np.float64)
    total = np.empty(nx, np.float64)
    for i in range(ny):
        for j in range(nx):
            padded[size + j] = image[i, j]
        for j in range(size):
            padded[size - 1 - j] = image[i, _reflect(-1 - j, nx)]
            padded[size + nx + j] = image[i, _reflect(nx + j, nx)]
        # Unsigned indices: a signed one that may be negative keeps a loop from being vectorised.
        centre = np.uintp(size)
        for j in range(nx):
            total[j] = kernel[0] * padded[centre + np.uintp(j)]
        for k in range(1, size):
            weight, left, right = kernel[k], np.uintp(size - k), np.uintp(size + k)
            for j in range(nx):
                total[j] += weight * (padded[left + np.uintp(j)] + padded[right + np.uintp(j)])
        for j in range(columns):
            lines[i, j] = total[j * step]
    out = np.empty((rows, columns), np.float32)
    for i in range(rows):
        middle = i * step
        for j in range(columns):
            total[j] = kernel[0] * lines[middle, j]
        for k in range(1, size):
            weight = kernel[k]
            above = np.uintp(_reflect(middle - k, ny))
            below = np.uintp(_reflect(middle + k, ny))
            for j in range(columns):
                total[j] += weight * (np.float64(lines[above, j]) + lines[below, j])
        for j in range(columns):
            out[i, j] = total[j]
    return out


@numba.njit(cache=True, nogil=True, error_model="numpy")
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


@numba.njit(cache=True, nogil=True, error_model="numpy")
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
            fine[i + 1, LEFT + j] = np.float32(value) * np.float32(2)


def _normalised(first, second):
    """Scale the pair jointly to 0..255, if it has any contrast."""
    low, high = min(first.min(), second.min()), max(first.max(), second.max())
    if high > low:
        scale = np.float32(255)
        return scale * (first - low) / (high - low), scale * (second - low) / (high - low)
    return first, second


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
    presmoothing, smoothing = gaussian_kernel(PRESMOOTHING), gaussian_kernel(ZOOM_SIGMA)
    pyramid = [[smooth(image, presmoothing, 1)] for image in _normalised(first, second)]
    for levels in pyramid:
        for _ in range(1, scales_that_fit(*first.shape)):
            levels.append(smooth(levels[-1], smoothing, 2))
    flow = width = None
    for level0, level1 in zip(*map(reversed, pyramid), strict=True):
        coarse, flow = (flow, width), padded(2, *level0.shape)
        width = level0.shape[1]
        if coarse[0] is not None:
            for k in range(2):
                _zoom_flow(coarse[0][k], coarse[1], flow[k], width)
        solve_scale(level0, level1, flow)
    return np.ascontiguousarray(flow[:, 1:-1, LEFT : LEFT + width].transpose(1, 2, 0))
