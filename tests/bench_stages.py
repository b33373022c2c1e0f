"""Time per stage on this machine: `make bench`. Nothing is asserted about time."""

import cv2
import numpy as np
import pytest

from elrcn.features.lbp_top import LBPTOP
from elrcn.preprocess.flow import tvl1_flow
from elrcn.preprocess.strain import optical_strain
from elrcn.preprocess.tim import interpolate

SIDE = 224


@pytest.fixture(scope="module")
def frames():
    """Sixty frames of smooth noise that drifts by a third of a pixel a frame."""
    noise = np.random.default_rng(0).normal(size=(SIDE + 40, SIDE + 40)).astype(np.float32)
    noise = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    shifts = np.arange(60) / 3
    moves = [np.float32([[1, 0, -s], [0, 1, 0]]) for s in shifts]
    return np.stack([cv2.warpAffine(noise, m, (SIDE, SIDE)) for m in moves]).astype(np.uint8)


@pytest.mark.parametrize("method", ["ipol", "opencv", "opencv-authors"])
def test_flow_of_one_pair(benchmark, frames, method):
    tvl1_flow(frames[0], frames[6], method)  # compiled once
    flow = benchmark(tvl1_flow, frames[0], frames[6], method)
    assert flow.shape == (SIDE, SIDE, 2)


def test_interpolation_of_sixty_frames_to_ten(benchmark, frames):
    assert benchmark(interpolate, frames, 10).shape == (10, SIDE, SIDE)


def test_strain_of_one_flow(benchmark, frames):
    flow = np.random.default_rng(0).normal(size=(SIDE, SIDE, 2)).astype(np.float32)
    optical_strain(flow)
    assert benchmark(optical_strain, flow).shape == (SIDE, SIDE)


def test_lbp_top_of_ten_frames(benchmark, frames):
    clip = np.ascontiguousarray(frames[None, :10, None])
    transformer = LBPTOP().fit(clip)
    assert len(benchmark(transformer.transform, clip)) == 1
