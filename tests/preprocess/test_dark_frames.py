"""Frames with regions of one darkest level, against a plain transcription of the algorithm.

`slow_flow` is IPOL's article (doi:10.5201/ipol.2013.26) in numpy and double precision, written
with its case distinctions, and shares nothing with `elrcn.preprocess.tvl1`.
"""

import ast
from pathlib import Path

import cv2
import numpy as np
import pytest

import elrcn
from elrcn.preprocess import tvl1
from elrcn.preprocess.flow import tvl1_flow

REFERENCE = Path(__file__).parents[1] / "data" / "tvl1_reference"


def convolve(image, sigma):
    """Gaussian to five sigma; beyond the first sample and beyond the last one's edge, reflected."""
    size = int(5 * sigma) + 1
    taps = np.exp(-(np.arange(1 - size, size) ** 2) / (2 * sigma**2))
    for axis in (1, 0):
        n = image.shape[axis]
        k = np.arange(1 - size, n + size - 1)
        k = np.where(k < 0, -k, np.where(k >= n, 2 * n - 1 - k, k)).clip(0, n - 1)
        lines = np.moveaxis(image.take(k, axis), axis, 0)
        total = sum(w * lines[t : t + n] for t, w in enumerate(taps / taps.sum()))
        image = np.moveaxis(total, 0, axis)
    return image


def bicubic(image, x, y, outside):
    """Catmull-Rom at points; samples beyond the border repeat it, or the value is `outside`."""
    ny, nx = image.shape
    ix, iy = np.floor(x).astype(int), np.floor(y).astype(int)
    weights = []
    for f in (x - ix, y - iy):
        weights.append([f * (f * (2 - f) - 1) / 2, 1 + f * f * (3 * f - 5) / 2,
                        f * (1 + f * (4 - 3 * f)) / 2, f * f * (f - 1) / 2])  # fmt: skip
    total = np.zeros(x.shape)
    for r in range(4):
        for c in range(4):
            rows, columns = (iy + r - 1).clip(0, ny - 1), (ix + c - 1).clip(0, nx - 1)
            total += weights[1][r] * weights[0][c] * image[rows, columns]
    if outside is None:
        return total
    inside = (ix >= 1) & (ix < nx - 2) & (iy >= 1) & (iy < ny - 2)
    return np.where(inside, total, outside)


def threshold(rho, gx, gy, norm, lt):
    """TH: the three cases, and none at all where the gradient is zero."""
    far, there = np.abs(rho) > lt * norm, norm >= 1e-10
    step = np.where(far, -lt * np.sign(rho), 0.0)
    inner = ~far & there
    step[inner] = -rho[inner] / norm[inner]
    return step * gx, step * gy


def slow_scale(i0, i1, u, lt=0.15 * 0.3, theta=0.3, taut=0.25 / 0.3):
    y, x = np.mgrid[: i0.shape[0], : i0.shape[1]].astype(float)
    wide = np.pad(i1, 1, mode="edge")
    slopes = (wide[1:-1, 2:] - wide[1:-1, :-2]) / 2, (wide[2:, 1:-1] - wide[:-2, 1:-1]) / 2
    p = np.zeros((2, 2, *i0.shape))
    for _ in range(5):
        at = (x + u[0], y + u[1], 0.0)
        value, gx, gy = (bicubic(image, *at) for image in (i1, *slopes))
        norm, constant = gx**2 + gy**2, value - gx * u[0] - gy * u[1] - i0
        for _ in range(300):
            d = threshold(constant + gx * u[0] + gy * u[1], gx, gy, norm, lt)
            back = [np.diff(q[0], axis=1, prepend=0) + np.diff(q[1], axis=0, prepend=0) for q in p]
            new = np.stack([u[k] + d[k] + theta * back[k] for k in range(2)])
            error, u = ((new - u) ** 2).sum(0).mean(), new
            for k in range(2):
                ux = np.diff(u[k], axis=1, append=u[k][:, -1:])
                uy = np.diff(u[k], axis=0, append=u[k][-1:])
                p[k] = (p[k] + taut * np.stack([ux, uy])) / (1 + taut * np.hypot(ux, uy))
            if error <= 1e-4:
                break
    return u


def slow_flow(first, second):
    pair = [np.asarray(image, float) for image in (first, second)]
    low, high = min(i.min() for i in pair), max(i.max() for i in pair)
    levels = [[convolve(255 * (i - low) / (high - low), 0.8)] for i in pair]
    for _ in range(1, int(1 + np.log2(np.hypot(*pair[0].shape) / 16))):
        for each in levels:
            each.append(convolve(each[-1], 0.6 * np.sqrt(3))[::2, ::2])
    u = np.zeros((2, *levels[0][-1].shape))
    for i0, i1 in zip(*(reversed(each) for each in levels), strict=True):
        if u.shape[1:] != i0.shape:
            factor = [fine / coarse for fine, coarse in zip(i0.shape, u.shape[1:], strict=True)]
            y, x = np.mgrid[: i0.shape[0], : i0.shape[1]].astype(float)
            u = np.stack([2 * bicubic(c, x / factor[1], y / factor[0], None) for c in u])
        u = slow_scale(i0, i1, u)
    return np.moveaxis(u, 0, 2)


def dark(kind, shape=(64, 72)):
    """A texture that moves by up to 1 px in its middle alone; a region of one darkest level.

    What rests at the region's edge is what makes rho zero where the gradient fades to nothing.
    """
    noise = np.random.default_rng(5).uniform(0, 255, shape).astype(np.float32)
    first = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 1.5), None, 40, 235, cv2.NORM_MINMAX)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    across, down = (x - shape[1] / 2 + 0.5), (y - shape[0] / 2 + 0.5)
    bump = np.clip(1 - (across**2 + down**2) / 64, 0, 1) ** 2
    second = cv2.remap(first, x - bump, y + 0.5 * bump, cv2.INTER_CUBIC)
    across, down = np.abs(across) / shape[1], np.abs(down) / shape[0]
    black = {
        "masked face": (across / 0.3) ** 2 + (down / 0.35) ** 2 > 1,
        "black border": (across > 0.3) | (down > 0.3),
        "black corners": across + down > 0.6,
        "pillar bars": across > 0.25,
    }[kind]
    return [np.where(black, 0, np.rint(image)) for image in (first, second)]


def point():
    a = np.zeros((40, 50), np.float32)
    b = a.copy()
    b[20, 25] = 255
    return a, b


KINDS = ("masked face", "black border", "black corners", "pillar bars")


@pytest.mark.slow
def test_the_slow_algorithm_is_the_programs():
    name = "texture_bump"
    pair = [cv2.imread(str(REFERENCE / f"{name}_{k}.png"), cv2.IMREAD_GRAYSCALE) for k in (0, 1)]
    apart = slow_flow(*pair) - np.load(REFERENCE / "tvl1_reference.npz")[name]
    assert np.linalg.norm(apart, axis=-1).mean() < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_dark_frames_have_the_flow_of_the_slow_algorithm(kind):
    first, second = dark(kind)
    apart = np.linalg.norm(tvl1_flow(first, second) - slow_flow(first, second), axis=-1)
    assert apart.max() < 2e-4 and apart.mean() < 1e-5


def test_a_point_on_black_has_the_flow_of_the_slow_algorithm():
    for pair in (point(), point()[::-1]):
        apart = np.linalg.norm(tvl1_flow(*pair) - slow_flow(*pair), axis=-1)
        assert apart.max() < 2e-4


def test_dark_frames_have_a_finite_flow_from_opencv():
    for pair in [*map(dark, KINDS), point()]:
        assert np.isfinite(tvl1_flow(*pair, "opencv")).all()


@pytest.mark.parametrize("slope", [0.0, 1e-22, 1e-19, 9e-6, 1.1e-5, 1.0])
def test_gradients_below_the_programs_bound_are_none(slope):
    """Squared norms of 1e-44 and 1e-38 are denormal: their inverse times rho is no number."""
    ny, nx = 18, 20
    inner = (slice(None), slice(1, ny + 1), slice(tvl1.LEFT, tvl1.LEFT + nx))
    images, u, warped, i0 = (tvl1.padded(n, ny, nx) for n in (3, 2, 4, 1))
    images[inner][1] = slope
    for level in (0.0, 100.0):
        i0[inner] = level
        tvl1.linearise(i0[0], images, u[0], u[1], warped, nx)
        expected = 1 / max(slope**2, 1e-10)
        assert warped[inner][3][8, 10] == pytest.approx(expected, rel=1e-5)
        flow, dual, change = tvl1.padded(2, ny, nx), tvl1.padded(4, ny, nx), tvl1.padded(1, ny, nx)
        tvl1.iterate(flow[0], flow[1], warped, dual, change[0], nx)
        assert np.isfinite(flow).all()
        # At most lambda theta times the slope in each of at most 300 iterations.
        assert np.abs(flow).max() <= 300 * 0.045 * slope + 1e-30


def compiled_functions(tree):
    """Functions of a module whose decorator compiles them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            marks = " ".join(ast.unparse(mark) for mark in node.decorator_list)
            if any(word in marks for word in ("jit", "_compiled", "_disjoint", "_exact")):
                yield node


def test_compiled_functions_use_nothing_of_other_modules():
    """Numba keeps compiled code until the function's own file changes, and bakes constants in."""
    seen = 0
    for path in Path(elrcn.__file__).parent.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        if "njit" not in source:
            continue
        tree = ast.parse(source)
        foreign = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("elrcn")
            for alias in node.names
        }
        for function in compiled_functions(tree):
            seen += 1
            body = ast.Module(function.body, [])
            held = foreign & {node.id for node in ast.walk(body) if isinstance(node, ast.Name)}
            assert not held, f"{path.name}: {function.name} holds {held}"
    assert seen > 20
