import pytest
import torch
from torch import nn
from torch.nn import functional as F

from elrcn.config import VGGConfig
from elrcn.errors import ElrcnError
from elrcn.models.networks import VGG, count_parameters

SMALL = VGGConfig(size=16, convs=(1, 2), widths=(4, 6), fc=10)


def test_vgg16_is_exact():
    with torch.device("meta"):
        model = VGG(VGGConfig(), 3, 1000, init="skip")
    # Published for torchvision's vgg16.
    assert count_parameters(model) == 138_357_544
    kinds = [type(layer) for layer in model.layers()]
    assert kinds == [nn.Conv2d] * 13 + [nn.Linear] * 3
    widths = [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    assert [layer.out_channels for layer in model.layers()[:13]] == widths
    assert all(layer.kernel_size == (3, 3) for layer in model.layers()[:13])
    shapes = [tuple(layer.weight.shape) for layer in model.layers()[13:]]
    assert shapes == [(4096, 25088), (4096, 4096), (1000, 4096)]
    assert list(model.state_dict())[:2] == ["conv1_1.weight", "conv1_1.bias"]


def test_five_channels_cost_two_more_filter_planes():
    with torch.device("meta"):
        model = VGG(VGGConfig(), 5, 5, init="skip")
    assert count_parameters(model) == 138_357_544 + 2 * 64 * 9 - 995 * 4097


def test_forward_is_the_plain_sequence_of_layers():
    torch.manual_seed(0)
    model = VGG(SMALL, 5, 3).train(False)
    x = torch.randn(2, 5, 16, 16)
    plain = nn.Sequential(
        model.conv1_1, nn.ReLU(), nn.MaxPool2d(2), model.conv2_1, nn.ReLU(), model.conv2_2,
        nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), model.fc6, nn.ReLU(),
    )  # fmt: skip
    fc6 = plain(x)
    fc7 = F.relu(model.fc7(fc6))
    torch.testing.assert_close(model.features(x, "fc6"), fc6)
    torch.testing.assert_close(model.features(x, "fc7"), fc7)
    torch.testing.assert_close(model(x), model.fc8(fc7))


def test_the_network_can_be_cut_after_its_last_activations():
    torch.manual_seed(0)
    model = VGG(SMALL, 5, 3).train(False)
    x = torch.randn(2, 5, 16, 16)
    inside = []
    handle = model.conv2_2.register_forward_hook(lambda *args: inside.append(args[2].clone()))
    activations = model.activations(x)
    handle.remove()
    assert activations.shape == (2, 6, 8, 8) and activations.min() == 0
    torch.testing.assert_close(activations, F.relu(inside[0]), rtol=0, atol=0)
    torch.testing.assert_close(model.logits(activations), model(x), rtol=0, atol=0)


def test_pooling_before_relu_keeps_the_gradient():
    torch.manual_seed(0)
    model = VGG(VGGConfig(size=8, convs=(1,), widths=(4,), fc=6), 3, 2).train(False)
    x = torch.randn(3, 3, 8, 8)
    model.maps(x).square().sum().backward()
    ours = model.conv1_1.weight.grad.clone()
    model.conv1_1.weight.grad = None
    F.max_pool2d(F.relu(model.conv1_1(x)), 2).square().sum().backward()
    torch.testing.assert_close(ours, model.conv1_1.weight.grad)


def test_glorot_uniform_bounds():
    torch.manual_seed(0)
    model = VGG(SMALL, 3, 3)
    for layer in model.layers():
        receptive = layer.weight[0, 0].numel()
        limit = (6 / (receptive * sum(layer.weight.shape[:2]))) ** 0.5
        assert layer.weight.abs().max() <= limit
        assert layer.weight.abs().max() > 0.8 * limit
        assert not layer.bias.any()


def test_dropout_only_in_training():
    model = VGG(SMALL, 3, 3)
    x = torch.randn(1, 3, 16, 16)
    assert not torch.equal(model.train(True)(x), model(x))
    assert torch.equal(model.train(False)(x), model(x))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (VGGConfig(size=3, convs=(1, 1), widths=(4, 4)), "too small"),
        (VGGConfig(size=16, convs=(1, 1), widths=(4,)), "one width a block"),
    ],
)
def test_impossible_networks(config, message):
    with pytest.raises(ElrcnError, match=message):
        VGG(config)


def test_unknown_layer_and_initialisation():
    with pytest.raises(ElrcnError, match="feature layer"):
        VGG(SMALL).features(torch.zeros(1, 3, 16, 16), "fc8")
    with pytest.raises(ElrcnError, match="initialisation"):
        VGG(SMALL, init="he")
