"""The IPOL TV-L1 optical flow of many pairs at once, in torch, for a GPU.

The algorithm, boundary rules and early stop are those of `elrcn.preprocess.tvl1`; only the order of
sums differs, which moves the flow by far less than 1e-2 px on average. A pair that has
converged is held still while the others go on, and whether any goes on is asked of the device
only now and then, so that the host never waits within the loop.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from elrcn.preprocess.tvl1 import (
    EPSILON2,
    GRAD_IS_ZERO,
    LAMBDA,
    MAX_ITERATIONS,
    PRESMOOTHING,
    TAU,
    THETA,
    WARPS,
    ZOOM_SIGMA,
    gaussian_kernel,
    scales_that_fit,
    zoom_taps,
)

_ASK = 10  # iterations between two questions whether every pair has converged
_STEP = float(LAMBDA * THETA)
_TAUT = float(TAU / THETA)


def _reflected(n, size, device):
    """Index a line of `n` samples with `size` reflected ones at each end."""
    k = torch.arange(-size, n + size, device=device)
    return torch.where(k < 0, -k, torch.where(k >= n, 2 * n - 1 - k, k)).clamp(0, n - 1)


def _smooth(images, kernel, step):
    """Gaussian filter of (N, H, W), keeping every `step`-th sample of both axes."""
    half = torch.as_tensor(kernel, dtype=images.dtype, device=images.device)
    size = len(half) - 1
    taps = torch.cat([half.flip(0), half[1:]])
    height, width = images.shape[1:]
    out = images[:, None, :, _reflected(width, size, images.device)]
    out = functional.conv2d(out, taps.reshape(1, 1, 1, -1), stride=(1, step))
    out = out[:, :, _reflected(height, size, images.device)]
    return functional.conv2d(out, taps.reshape(1, 1, -1, 1), stride=(step, 1))[:, 0]


def _zoom_matrix(n, wanted, like):
    index, weight = zoom_taps(n, wanted)
    matrix = np.zeros((wanted, n))
    for k in range(4):
        np.add.at(matrix, (np.arange(wanted), index[k]), weight[k])
    return torch.as_tensor(matrix, dtype=like.dtype, device=like.device)


def _zoom(flow, height, width):
    rows = _zoom_matrix(flow.shape[2], height, flow)
    columns = _zoom_matrix(flow.shape[3], width, flow)
    return 2 * (rows @ flow @ columns.T)


def _gradient(image):
    """Centred differences of (N, H, W), one-sided at the border."""
    wide = functional.pad(image[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    return (
        0.5 * (wide[:, 1:-1, 2:] - wide[:, 1:-1, :-2]),
        0.5 * (wide[:, 2:, 1:-1] - wide[:, :-2, 1:-1]),
    )


def _weights(x):
    h = 0.5 * x
    return (
        h * (-1 + x * (2 - x)),
        1 + h * (x * (3 * x - 5)),
        h * (1 + x * (4 - 3 * x)),
        h * (x * (x - 1)),
    )


def _warp(images, flow):
    """Bicubic warp of (N, C, H, W) by a flow (N, 2, H, W); 0 where a sample lies outside."""
    n, channels, height, width = images.shape
    if min(height, width) < 4:
        return torch.zeros_like(images)
    x = flow[:, 0] + torch.arange(width, device=flow.device, dtype=flow.dtype)
    y = flow[:, 1] + torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None]
    inside = (x >= 1) & (x < width - 2) & (y >= 1) & (y < height - 2)
    x, y = torch.where(inside, x, 1.0), torch.where(inside, y, 1.0)
    column, row = x.long(), y.long()
    weights_x, weights_y = _weights(x - column), _weights(y - row)
    flat = images.reshape(n, channels, -1)
    first = ((row - 1) * width + column - 1).reshape(n, 1, -1).expand(-1, channels, -1)
    out = torch.zeros_like(images)
    for r in range(4):
        line = torch.zeros_like(images)
        for c in range(4):
            sample = flat.gather(2, first + (r * width + c)).reshape(images.shape)
            line += weights_x[c][:, None] * sample
        out += weights_y[r][:, None] * line
    return out * inside[:, None]


def _divergence(dual):
    """Divergence of the dual variables (N, component, axis, H, W)."""
    across, down = dual[:, :, 0], dual[:, :, 1]
    return (across - functional.pad(across, (1, 0))[..., :-1]) + (
        down - functional.pad(down, (0, 0, 1, 0))[..., :-1, :]
    )


def _forward(flow):
    """Forward gradient (N, component, axis, H, W), 0 in the last column and row."""
    return torch.stack(
        [
            functional.pad(flow[..., 1:] - flow[..., :-1], (0, 1)),
            functional.pad(flow[..., 1:, :] - flow[..., :-1, :], (0, 0, 0, 1)),
        ],
        dim=2,
    )


def _solve_scale(first, second, flow):
    images = torch.stack([second, *_gradient(second)], dim=1)
    dual = flow.new_zeros((len(flow), 2, 2, *flow.shape[2:]))
    for _ in range(WARPS):
        value, *gradient = _warp(images, flow).unbind(1)
        gradient = torch.stack(gradient, dim=1)
        norm = (gradient**2).sum(1)
        inverse = 1 / norm.clamp(min=float(GRAD_IS_ZERO))
        constant = value - (gradient * flow).sum(1) - first
        going = torch.ones(len(flow), dtype=torch.bool, device=flow.device)
        for n in range(MAX_ITERATIONS):
            rho = constant + (gradient * flow).sum(1)
            step = (-rho * inverse).clamp(-_STEP, _STEP)
            new = flow + step[:, None] * gradient + float(THETA) * _divergence(dual)
            error = ((new - flow) ** 2).sum(1).mean((1, 2))
            slope = _TAUT * _forward(new)
            length = 1 + torch.linalg.vector_norm(slope, dim=2, keepdim=True)
            moving = going[:, None, None, None]
            flow = torch.where(moving, new, flow)
            dual = torch.where(moving[..., None], (dual + slope) / length, dual)
            going = going & (error > float(EPSILON2))
            if n % _ASK == _ASK - 1 and not bool(going.any()):
                break
    return flow


def _solve(first, second):
    low = torch.minimum(first.amin((1, 2)), second.amin((1, 2)))[:, None, None]
    span = torch.maximum(first.amax((1, 2)), second.amax((1, 2)))[:, None, None] - low
    contrast = span > 0
    scale = torch.where(contrast, span, torch.ones_like(span))
    pair = [torch.where(contrast, 255 * (image - low) / scale, image) for image in (first, second)]
    pyramid = [[_smooth(image, gaussian_kernel(PRESMOOTHING), 1)] for image in pair]
    for levels in pyramid:
        for _ in range(1, scales_that_fit(*first.shape[1:])):
            levels.append(_smooth(levels[-1], gaussian_kernel(ZOOM_SIGMA), 2))
    flow = None
    for level0, level1 in zip(*map(reversed, pyramid), strict=True):
        if flow is None:
            flow = level0.new_zeros((len(level0), 2, *level0.shape[1:]))
        else:
            flow = _zoom(flow, *level0.shape[1:])
        flow = _solve_scale(level0, level1, flow)
    return flow.movedim(1, -1)


@torch.no_grad()
def flow_batch(
    first: np.ndarray, second: np.ndarray, device: str = "auto", batch: int = 64
) -> np.ndarray:
    """TV-L1 flow of IPOL's program for many pairs of frames.

    Parameters
    ----------
    first, second : array_like, shape (N, H, W)
        Grey frames of any range, at least 16 x 16.
    device : str
        ``"auto"`` takes CUDA where there is one, else the CPU.
    batch : int
        Pairs at a time: about 15 MB of memory each at 224 x 224.

    Returns
    -------
    ndarray, shape (N, H, W, 2), float32
        Pixels; within 1e-2 px of `elrcn.preprocess.tvl1.ipol_flow` on average.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    first, second = (np.ascontiguousarray(x, np.float32) for x in (first, second))
    out = np.empty((*first.shape, 2), np.float32)
    # Without this a GPU would round the smoothing and the zoom to ten bits.
    exact = torch.backends.cudnn.flags(allow_tf32=False)
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with exact:
            for start in range(0, len(first), batch):
                part = slice(start, start + batch)
                pair = (torch.from_numpy(x[part]).to(device) for x in (first, second))
                out[part] = _solve(*pair).cpu().numpy()
    finally:
        torch.set_float32_matmul_precision(precision)
    return out
