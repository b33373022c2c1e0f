import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn
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
    pointing_tolerance,
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
    """Grad-CAM with autograd alone, on the last convolution after its ReLU."""
    module = network.module
    x = F.relu(module.conv1_2(F.relu(module.conv1_1(image))))
    x = F.max_pool2d(x, 2)
    maps = F.relu(module.conv2_1(x))
    maps.retain_grad()
    hidden = torch.flatten(F.max_pool2d(maps, 2), 1)
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


def test_equals_captum_on_the_relu():
    X, _, _ = corners(3, 0)
    network = untrained_network(SPEC, X, 3, seed=1, device="cpu", threads=1)
    module, relu = network.module, nn.ReLU()
    plain = nn.Sequential(
        module.conv1_1, nn.ReLU(), module.conv1_2, nn.ReLU(), nn.MaxPool2d(2), module.conv2_1,
        relu, nn.MaxPool2d(2), nn.Flatten(), module.fc6, nn.ReLU(), module.fc7, nn.ReLU(),
        module.fc8,
    )  # fmt: skip
    images = torch.from_numpy(network.encoder.encode(X[1])).permute(0, 3, 1, 2)
    cam = LayerGradCam(plain, relu).attribute(images, target=2, relu_attributions=True)
    cam = F.interpolate(cam, (SIZE, SIZE), mode="bilinear")[:, 0].detach().numpy()
    np.testing.assert_allclose(grad_cam(network, X, 2)[1], cam, rtol=1e-4, atol=1e-7)


def dented():
    """A network of two maps: one lowers class 0 and is -3 where the strain is 0, one is constant.

    Before the ReLU, the negative values times the first map's negative weight would be evidence.
    """
    vgg = VGGConfig(size=8, convs=(1,), widths=(2,), fc=2, dropout=0.0)
    network = untrained_network(
        SpatialSpec("strain", vgg, TrainConfig(), "raw"), np.zeros((1, 1, 5, 8, 8), np.float32), 2,
        seed=0, device="cpu", threads=1,
    )  # fmt: skip
    module = network.module
    with torch.no_grad():
        for value in module.parameters():
            value.zero_()
        module.conv1_1.weight[0, 0, 1, 1] = 4 / 255
        module.conv1_1.bias[:] = torch.tensor([-3.0, 1.0])
        module.fc6.weight[0, :16] = 1
        module.fc6.weight[1, 16:] = 1
        module.fc7.weight.copy_(torch.eye(2))
        module.fc8.weight[0] = torch.tensor([-1.0, 1.0])
    return network


def test_what_the_relu_cuts_off_is_no_evidence():
    network, X = dented(), np.zeros((1, 1, 5, 8, 8), np.float32)
    X[0, 0, 3, 4:] = 1
    image = network.encoder.encode(X[0])[0, :, 0, 0]
    np.testing.assert_array_equal(image, [0] * 4 + [255] * 4)
    # Each map weighs its 16 pooled places over 64. Above only the constant map; below 1 - 1.
    expected = np.tile([[0.25]] * 4 + [[0.0]] * 4, 8)
    np.testing.assert_allclose(grad_cam(network, X, 0)[0, 0], expected, atol=1e-7)
    with torch.no_grad():
        network.module.conv1_1.bias[1] = 0
    assert not grad_cam(network, X, 0).any()


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


def test_pointing_game_with_a_tolerance():
    # 15 px of 224, scaled to the map's side and rounded to the nearest px.
    sides = {224: 15, 112: 8, 64: 4, 24: 2, 16: 1, 7: 0}
    assert {side: pointing_tolerance(side) for side in sides} == sides
    mask, cam = np.zeros((24, 24), bool), np.zeros((24, 24))
    mask[5:10, 5:10] = True
    cam[10, 7] = 1
    assert pointing_game(cam, mask) == 0
    assert pointing_game(cam, mask, pointing_tolerance(24)) == 1
    for place, hit in (((11, 7), 1), ((12, 7), 0), ((10, 10), 1), ((11, 11), 0), ((7, 7), 1)):
        cam[:] = 0
        cam[place] = 1
        assert pointing_game(cam, mask, 2) == hit, place
    # A constant map hits with the share of the picture that is close enough: 9 x 9 less corners.
    assert pointing_game(np.zeros((24, 24)), mask, 2) == (81 - 12) / 24**2
    assert pointing_game(cam, np.zeros((24, 24), bool), 2) == 0
    with pytest.raises(ElrcnError, match="0 px or more"):
        pointing_game(cam, mask, -1)


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
