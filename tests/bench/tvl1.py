"""TV-L1 optical flow of the four reference pairs, by everyone who computes one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from skimage.registration import optical_flow_tvl1

from elrcn.preprocess.flow import tvl1_flow
from elrcn.preprocess.tvl1 import scales_that_fit

from .clips import PAIRS, REFERENCE, reference_pairs
from .harness import Row, compare, interleave, use_threads

OURS = "elrcn (IPOL's algorithm)"
AUTHORS, SKIMAGE = "OpenCV, the authors' settings", "scikit-image"
YARDSTICK = "OpenCV DualTVL1, default"
TOLERANCE = 1e-3  # px, mean over a pair, from the flow of IPOL's own program
ROUNDS = 7  # the slower ones sit out after a few


class OpenCVAsAuthors:
    """OpenCV's solver under the settings of IPOL's program, as far as it has them.

    For its time only: near borders it errs by up to 23 px where a picture moves by 1.5 to 2 px.
    """

    def __init__(self):
        # One outer round of 300 and no median filter is IPOL's loop, early stop included.
        self.solver = cv2.optflow.DualTVL1OpticalFlow_create(
            tau=0.25,
            lambda_=0.15,
            theta=0.3,
            warps=5,
            epsilon=0.01,
            innnerIterations=300,  # the argument is spelt so in OpenCV
            outerIterations=1,
            scaleStep=0.5,
            gamma=0.0,
            medianFiltering=1,
        )

    def __call__(self, first, second):
        """Flow (H, W, 2) of a pair with some contrast, scaled jointly and smoothed."""
        first, second = first.astype(np.float32), second.astype(np.float32)
        self.solver.setScalesNumber(scales_that_fit(*first.shape))
        low = min(first.min(), second.min())
        span = max(first.max(), second.max()) - low
        pair = [
            cv2.GaussianBlur((frame - low) / span, (0, 0), 0.8, borderType=cv2.BORDER_REFLECT)
            for frame in (first, second)
        ]
        return self.solver.calc(*pair, None)


def _loop(flow, pairs):
    return lambda: [flow(first, second) for first, second in pairs]


def _side_by_side(pairs, threads):
    """Our flow of several pairs at a time: a pair's memory fits a core's cache."""

    def run():
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda pair: tvl1_flow(*pair), pairs))

    return run


def _apart(flows):
    """Greatest mean distance of the whole pairs' flows from the reference's, in pixels."""
    reference = np.load(REFERENCE / "tvl1_reference.npz")
    distances = [
        np.linalg.norm(flow - reference[name], axis=-1).mean()
        for name, flow in zip(PAIRS, flows, strict=True)
    ]
    return float(max(distances))


def measure(quick: bool) -> list[Row]:
    """Rows of this stage: 1 and 2 threads."""
    side = 32 if quick else 224
    pairs = reference_pairs(side)
    whole = [] if quick else reference_pairs(None)
    agreement = {}
    if whole:
        agreement[OURS] = (_apart([tvl1_flow(*pair) for pair in whole]), TOLERANCE)
    rows = []
    for threads in (1,) if quick else (1, 2):
        runs = {
            YARDSTICK: _loop(lambda a, b: tvl1_flow(a, b, "opencv"), pairs),
            AUTHORS: _loop(OpenCVAsAuthors(), pairs),
            SKIMAGE: _loop(lambda a, b: optical_flow_tvl1(a / 255, b / 255), pairs),
            OURS: _side_by_side(pairs, threads),
        }
        units = dict.fromkeys(runs, len(pairs))
        with use_threads(threads):
            seconds = interleave(
                runs,
                1 if quick else ROUNDS,
                units,
                {OURS: 3},
                limits={AUTHORS: 3, SKIMAGE: 3},
            )
        rows += compare(
            "tvl1",
            f"pair of {side} x {side}",
            seconds,
            YARDSTICK,
            threads,
            goals={OURS: 30},
            agreement=agreement,
            notes={
                OURS: "apart: greatest mean over a pair in px, from the flow of IPOL's program; "
                "pairs side by side, the others' threads within a pair",
            },
        )
    return rows
