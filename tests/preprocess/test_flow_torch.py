from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from elrcn.preprocess.flow_torch import flow_batch
from elrcn.preprocess.tvl1 import ipol_flow

REFERENCE = Path(__file__).parents[1] / "data" / "tvl1_reference"
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")),
]


def crop_pairs(names, box):
    return [
        np.stack(
            [
                cv2.imread(str(REFERENCE / f"{name}_{k}.png"), cv2.IMREAD_GRAYSCALE)[box]
                for name in names
            ]
        ).astype(np.float32)
        for k in (0, 1)
    ]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shape", [(64, 64), (51, 70), (16, 130)])
def test_agrees_with_the_compiled_flow(device, shape):
    box = (slice(80, 80 + shape[0]), slice(70, 70 + shape[1]))
    first, second = crop_pairs(["face_smile", "photo_rotation", "photo_still_noise"], box)
    flow = flow_batch(first, second, device, batch=2)
    assert flow.shape == (3, *shape, 2) and flow.dtype == np.float32
    for k in range(3):
        apart = np.linalg.norm(flow[k] - ipol_flow(first[k], second[k]), axis=-1)
        assert apart.mean() < 1e-3


@pytest.mark.parametrize("device", DEVICES)
def test_a_pair_does_not_depend_on_its_batch(device):
    box = (slice(100, 140), slice(80, 120))
    first, second = crop_pairs(["texture_bump", "photo_rotation"], box)
    together = flow_batch(first, second, device)
    for k in range(2):
        alone = flow_batch(first[k : k + 1], second[k : k + 1], device)
        np.testing.assert_allclose(together[k], alone[0], atol=1e-3)


def test_frames_without_contrast_have_no_motion():
    blank = np.full((2, 20, 20), 9.0, np.float32)
    assert (flow_batch(blank, blank) == 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES)
def test_agrees_with_the_program_of_the_authors(device):
    for name, reference in np.load(REFERENCE / "tvl1_reference.npz").items():
        first, second = crop_pairs([name], (slice(None), slice(None)))
        apart = np.linalg.norm(flow_batch(first, second, device)[0] - reference, axis=-1)
        assert apart.mean() < 1e-3
