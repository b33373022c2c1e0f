import numpy as np
import pytest
import torch
from torch.nn import functional as F

from elrcn.config import TrainConfig, VGGConfig
from elrcn.errors import ElrcnError
from elrcn.explain import (
    cam_grid,
    clip_map,
    energy_inside,
    grad_cam,
    mask_to_input,
    pointing_game,
    random_maps,
)
from elrcn.models.spatial_stage import SpatialSpec, fit_spatial, untrained_network

SIZE = 16
SPEC = SpatialSpec(
    "flow",
    VGGConfig(size=SIZE, convs=(2, 1), widths=(6, 8), fc=16, dropout=0.0),
    TrainConfig(lr=3e-3, max_epochs=12, batch_size=16, patience=3),
    "standard",
)


def corners(clips, seed):
    """Flow moves in one of two corners; the class says which."""
    rng = np.random.default_rng(seed)
    X = rng.normal(0, 0.05, (clips, 2, 5, SIZE, SIZE)).astype(np.float32)
    y = np.arange(clips) % 2
    X[y == 0, :, :3, 1:6, 1:6] += 1
    X[y == 1, :, :3, 10:15, 10:15] += 1
    masks = np.zeros((2, SIZE, SIZE), bool)
    masks[0, :7, :7] = masks[1, 9:, 9:] = True
    return X, y, masks


def by_hand(network, image, target):
    """Grad-CAM with autograd alone."""
    module = network.module
    x = F.relu(module.conv1_2(F.relu(module.conv1_1(image))))
    x = F.max_pool2d(x, 2)
    maps = module.conv2_1(x)
    maps.retain_grad()
    hidden = torch.flatten(F.max_pool2d(F.relu(maps), 2), 1)
    logits = module.fc8(F.relu(module.fc7(F.relu(module.fc6(hidden)))))
    logits[0, target].backward()
    weights = maps.grad.mean((2, 3), keepdim=True)
    cam = F.relu((weights * maps).sum(1, keepdim=True)).detach()
    return F.interpolate(cam, (SIZE, SIZE), mode="bilinear")[0, 0].numpy()


def test_equals_autograd_by_hand():
    X, _, _ = corners(4, 0)
    network = untrained_network(SPEC, X, 3, seed=1, device="cpu", threads=1)
    maps = grad_cam(network, X, [0, 1, 2, 0])
    assert maps.shape == (4, 2, SIZE, SIZE) and maps.min() >= 0 and maps.any()
    image = torch.from_numpy(network.encoder.encode(X[2])[1:2]).permute(0, 3, 1, 2)
    np.testing.assert_allclose(maps[2, 1], by_hand(network, image, 2), rtol=1e-3, atol=1e-6)


def test_a_trained_network_looks_where_the_motion_is():
    X, y, masks = corners(24, 0)
    network = fit_spatial(SPEC, X, y, 2, seed=0, device="cpu", threads=1)
    X_test, y_test, _ = corners(10, 1)
    maps = clip_map(grad_cam(network, X_test, y_test))
    energy = [energy_inside(m, masks[t]) for m, t in zip(maps, y_test, strict=True)]
    chance = random_maps(200, cam_grid(SPEC.vgg), SIZE)
    blind = np.mean([energy_inside(m, masks[0]) for m in chance])
    assert blind == pytest.approx(masks[0].mean(), abs=0.05)
    assert np.mean(energy) > 1.5 * blind


def test_mistakes():
    X, _, masks = corners(2, 0)
    network = untrained_network(SPEC, X, 3, seed=1, device="cpu", threads=1)
    with pytest.raises(ElrcnError, match="3 classes"):
        grad_cam(network, X, 3)
    with pytest.raises(ElrcnError, match="do not fit"):
        energy_inside(np.zeros((3, 3)), masks[0])


def test_pointing_game():
    mask = np.zeros((4, 4), bool)
    mask[:2, :2] = True
    cam = np.zeros((4, 4))
    assert pointing_game(cam, mask) == 0.25
    cam[1, 1] = 2
    assert pointing_game(cam, mask) == 1.0
    cam[3, 3] = 2
    assert pointing_game(cam, mask) == 0.5
    cam[3, 3] = 3
    assert pointing_game(cam, mask) == 0.0


def test_energy_inside():
    mask = np.zeros((4, 4), bool)
    mask[0] = True
    assert energy_inside(np.zeros((4, 4)), mask) == 0.25
    cam = np.zeros((4, 4))
    cam[0, 0], cam[2, 2] = 3, 1
    assert energy_inside(cam, mask) == 0.75


def test_clip_map_scales_each_frame():
    maps = np.zeros((1, 3, 2, 2))
    maps[0, 0, 0, 0], maps[0, 1, 1, 1] = 10, 0.1
    np.testing.assert_allclose(clip_map(maps)[0], [[1 / 3, 0], [0, 1 / 3]])


def test_masks_are_reduced_by_cover():
    mask = np.zeros((8, 8), bool)
    mask[:2, :2] = mask[2:4, 2] = mask[2, 2] = True
    np.testing.assert_array_equal(mask_to_input(mask, 4)[:2, :2], [[True, False], [False, True]])
    mask[:] = False
    mask[5, 5] = True
    assert mask_to_input(mask, 4).sum() == 1
    assert not mask_to_input(np.zeros((8, 8)), 4).any()


def test_random_maps():
    maps = random_maps(3, 4, 16, seed=1)
    assert maps.shape == (3, 16, 16) and 0 <= maps.min() <= maps.max() <= 1
    np.testing.assert_array_equal(maps, random_maps(3, 4, 16, seed=1))
