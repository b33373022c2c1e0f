from pathlib import Path

import cv2
import numpy as np
import pytest

from elrcn.preprocess.flow import tvl1_flow
from elrcn.preprocess.tvl1 import (
    LEFT,
    cubic_weights,
    gaussian_kernel,
    ipol_flow,
    linearise,
    padded,
    scales_that_fit,
    smooth,
)

REFERENCE = Path(__file__).parents[1] / "data" / "tvl1_reference"
PAIRS = ("face_smile", "photo_rotation", "photo_still_noise", "texture_bump")


def read_pair(name):
    return [cv2.imread(str(REFERENCE / f"{name}_{k}.png"), cv2.IMREAD_GRAYSCALE) for k in (0, 1)]


def distance(a, b):
    return np.linalg.norm(a.astype(float) - b.astype(float), axis=-1)


@pytest.mark.parametrize("name", PAIRS)
def test_agrees_with_the_program_of_the_authors(name):
    flow = tvl1_flow(*read_pair(name), "ipol")
    apart = distance(flow, np.load(REFERENCE / "tvl1_reference.npz")[name])
    assert apart.mean() < 5e-5 and apart.max() < 2e-2


def test_opencv_is_another_flow():
    reference = np.load(REFERENCE / "tvl1_reference.npz")["texture_bump"]
    apart = distance(tvl1_flow(*read_pair("texture_bump"), "opencv"), reference)
    assert 0.03 < apart.mean() < 0.06


def test_the_true_motion_is_near():
    true = np.load(REFERENCE / "true_motion.npz")["photo_rotation"]
    flow = tvl1_flow(*read_pair("photo_rotation"))
    inner = (slice(16, -16),) * 2
    assert distance(flow, true)[inner].mean() < 0.15 * np.linalg.norm(true[inner], axis=-1).mean()


@pytest.mark.parametrize("side, scales", [(16, 1), (64, 3), (168, 4), (224, 5), (1024, 7)])
def test_scales_that_fit(side, scales):
    assert scales_that_fit(side, side) == scales


def test_smoothing_is_a_gaussian_of_unit_sum():
    kernel = gaussian_kernel(0.8)
    assert len(kernel) == 5
    np.testing.assert_allclose(2 * kernel.sum() - kernel[0], 1)
    point = np.zeros((41, 41), np.float32)
    point[20, 20] = 1
    out = smooth(point, kernel, 1)
    np.testing.assert_allclose(out[20, 20:25], kernel * kernel[0], rtol=1e-6)
    np.testing.assert_allclose(out, out.T)
    np.testing.assert_array_equal(smooth(point, kernel, 2), out[::2, ::2])
    np.testing.assert_allclose(smooth(np.full((19, 17), 3, np.float32), kernel, 1), 3, rtol=1e-6)


def warp_slowly(image, u1, u2):
    """Bicubic warp a pixel at a time, 0 where a sample lies outside."""
    ny, nx = image.shape
    out = np.zeros((ny, nx))
    for i in range(ny):
        for j in range(nx):
            x, y = np.float32(j) + u1[i, j], np.float32(i) + u2[i, j]
            ix, iy = int(np.floor(x)), int(np.floor(y))
            if 1 <= ix < nx - 2 and 1 <= iy < ny - 2:
                wx, wy = (np.array(cubic_weights(np.float32(f % 1))) for f in (x, y))
                out[i, j] = wy @ image[iy - 1 : iy + 3, ix - 1 : ix + 3].astype(float) @ wx
    return out


def test_rows_of_padded_images_begin_at_cache_lines():
    for nx in (16, 63, 224):
        images = padded(2, 20, nx)
        assert images.shape[:2] == (2, 22) and not images.any()
        assert images[1, 3, LEFT:].ctypes.data % 64 == 0
        assert images.shape[2] >= LEFT + nx + 1


@pytest.mark.parametrize("amplitude", [0.0, 0.4, 3.0, 40.0])
def test_the_warp_equals_a_slow_one_for_any_motion(amplitude):
    rng = np.random.default_rng(7)
    ny, nx = 21, 150
    image = rng.uniform(0, 255, (ny, nx)).astype(np.float32)
    flow = amplitude * rng.normal(size=(2, ny, nx)).astype(np.float32)
    flow[:, 5:15] = cv2.GaussianBlur(flow[0, 5:15], (0, 0), 5)
    inner = (slice(None), slice(1, ny + 1), slice(LEFT, LEFT + nx))
    images, u, warped, i0 = (padded(n, ny, nx) for n in (3, 2, 4, 1))
    images[inner] = image, 2 * image, 1 - image
    u[inner] = flow
    linearise(i0[0], images, u[0], u[1], warped, nx)
    warped = warped[inner]
    expected = warp_slowly(image, flow[0], flow[1])
    np.testing.assert_allclose(warped[0], 2 * expected, atol=2e-3)
    value = warped[2] + warped[0] * flow[0] + warped[1] * flow[1]
    np.testing.assert_allclose(value, expected, atol=2e-3 + 2e-4 * amplitude)
    norm = (warped[:2].astype(float) ** 2).sum(0)
    np.testing.assert_allclose(warped[3], 1 / np.maximum(norm, 1e-10), rtol=1e-5)


@pytest.mark.parametrize("shape", [(16, 16), (16, 97), (131, 18), (53, 67), (300, 17), (16, 1000)])
def test_any_size(shape):
    rng = np.random.default_rng(3)
    first = cv2.GaussianBlur(rng.uniform(0, 255, shape).astype(np.float32), (0, 0), 1.5)
    flow = ipol_flow(first, np.roll(first, 1, axis=1))
    assert flow.shape == (*shape, 2) and np.isfinite(flow).all()
    assert np.median(flow[..., 0]) > 0.5


def test_the_same_bits_every_time_and_at_any_grey_scale():
    first, second = (image[60:160, 60:160].astype(np.float32) for image in read_pair("face_smile"))
    flow = ipol_flow(first, second)
    np.testing.assert_array_equal(flow, ipol_flow(first, second))
    # The pair is normalised jointly, so contrast and brightness do not matter.
    np.testing.assert_allclose(ipol_flow(first / 8 + 3, second / 8 + 3), flow, atol=2e-3)
