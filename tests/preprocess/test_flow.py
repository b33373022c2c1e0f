from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from elrcn.errors import ElrcnError
from elrcn.preprocess.flow import METHODS, eight_bit, flow_image, flow_sequence, tvl1_flow


def moved_pair(size=96, seed=0):
    """A smooth texture, and the same moved by a known smooth field of up to 1.5 px."""
    rng = np.random.default_rng(seed)
    first = cv2.GaussianBlur(rng.uniform(0, 255, (size, size)).astype(np.float32), (0, 0), 1.5)
    first = cv2.normalize(first, None, 20, 235, cv2.NORM_MINMAX)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    bump = np.exp(-((x - size / 2) ** 2 + (y - size / 2) ** 2) / (2 * (size / 5) ** 2))
    flow = np.stack([1.5 * bump, -0.75 * bump], -1)
    # first(x) = second(x + flow): sample first backwards, where the flow is smooth enough.
    back = flow.copy()
    for _ in range(10):
        back = cv2.remap(flow, x - back[..., 0], y - back[..., 1], cv2.INTER_LINEAR)
    second = cv2.remap(
        first, x - back[..., 0], y - back[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return first, second, flow


@pytest.mark.parametrize("method", METHODS)
def test_endpoint_error_on_a_known_warp(method):
    first, second, true = moved_pair()
    flow = tvl1_flow(first, second, method)
    assert flow.shape == true.shape and flow.dtype == np.float32
    error = np.linalg.norm(flow - true, axis=-1)[8:-8, 8:-8].mean()
    assert error < 0.12 < 0.3 < np.linalg.norm(true, axis=-1)[8:-8, 8:-8].mean()


@pytest.mark.parametrize("method", METHODS)
def test_no_motion_between_equal_frames(method):
    first, *_ = moved_pair()
    assert np.abs(tvl1_flow(first, first, method)).max() < 1e-3
    blank = np.full((40, 40), 7, np.uint8)
    assert np.abs(tvl1_flow(blank, blank, method)).max() == 0


@pytest.mark.parametrize("method", METHODS)
def test_a_sequence_does_not_depend_on_threads(method):
    first, second, _ = moved_pair(48)
    frames = np.stack([first, second, first, (first + second) / 2])
    one = flow_sequence(frames, method)
    assert one.shape == (3, 48, 48, 2)
    with ThreadPoolExecutor(3) as pool:
        for each in pool.map(flow_sequence, [frames] * 3, [method] * 3):
            np.testing.assert_array_equal(one, each)
    alone = tvl1_flow(second, first, method)
    np.testing.assert_allclose(one[1], alone, atol=0)


def test_eight_bit_frames_are_the_same_as_floating_point():
    first, second, _ = moved_pair(48)
    first, second = first.astype(np.uint8), second.astype(np.uint8)
    for method in ("ipol", "opencv"):
        np.testing.assert_array_equal(
            tvl1_flow(first, second, method),
            tvl1_flow(first.astype(np.float64), second.astype(np.float32), method),
        )


def test_flow_image():
    flow = np.array([[[3.0, 4.0], [-0.5, 0.0], [20.0, -20.0]]], np.float32)
    np.testing.assert_allclose(
        flow_image(flow)[0], [[3, 4, 5], [-0.5, 0, 0.5], [20, -20, 28.284271]], rtol=1e-6
    )
    quantised = flow_image(flow, quantise=True)
    assert quantised.dtype == np.float32
    np.testing.assert_array_equal(quantised[0], [[176, 192, 208], [120, 128, 136], [255, 0, 255]])


def test_eight_bits_round_as_octave_does():
    """Octave's ``uint8()``: to the nearest, halves away from zero, saturating."""
    levels = [-3, 0.49, 0.5, 127.49, 127.5, 128.96, 254.5, 256]
    np.testing.assert_array_equal(eight_bit(levels), [0, 0, 1, 127, 128, 129, 255, 255])
    # 0.06 px is 0.96 of a step, -0.01 px none; and no bias is left over many values.
    stored = flow_image(np.array([[[0.06, -0.01]]]), quantise=True)[0, 0]
    np.testing.assert_array_equal(stored, [129, 128, 129])
    flow = np.random.default_rng(0).uniform(-1, 1, (50, 50, 2)).astype(np.float32)
    error = flow_image(flow, quantise=True)[..., :2] - (16 * flow + 128)
    assert np.abs(error).max() <= 0.5 and abs(error.mean()) < 0.02


def test_refusals():
    image = np.zeros((20, 20))
    with pytest.raises(ElrcnError, match="one size"):
        tvl1_flow(image, np.zeros((20, 21)))
    with pytest.raises(ElrcnError, match="16 x 16"):
        tvl1_flow(np.zeros((8, 8)), np.zeros((8, 8)))
    with pytest.raises(ElrcnError, match="ipol"):
        tvl1_flow(image, image, "farneback")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_frames_that_are_not_finite_are_refused(method, value):
    frames = np.zeros((3, 20, 20), np.float32)
    frames[2, 5, 5] = value
    for pair in (frames[1:], frames[:0:-1]):
        with pytest.raises(ElrcnError, match="NaN or infinity"):
            tvl1_flow(*pair, method)
    with pytest.raises(ElrcnError, match="NaN or infinity"):
        flow_sequence(frames, method)
