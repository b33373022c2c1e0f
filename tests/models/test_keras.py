"""The temporal stage against Keras 2.0.6, written out here in double precision."""

import numpy as np
import pytest
import torch

from elrcn.config import PROFILES, TemporalConfig, TrainConfig
from elrcn.errors import ElrcnError
from elrcn.models.inputs import TensorSource
from elrcn.models.networks import TemporalHead
from elrcn.models.train import KerasAdam, reproducible, train

STEPS, UNITS, CPU = 50, 12, torch.device("cpu")


def hard_sigmoid(x):
    return torch.clamp(0.2 * x + 0.5, 0, 1)


def keras_forward(weights, x):
    """LSTM (recurrent_activation="hard_sigmoid", one bias), then Dense; gates i, f, c, o."""
    kernel, recurrent, bias, dense, dense_bias = weights
    h = c = torch.zeros(len(x), UNITS, dtype=torch.float64)
    for t in range(x.shape[1]):
        z = x[:, t] @ kernel + h @ recurrent + bias
        i, f, g, o = (z[:, k * UNITS : (k + 1) * UNITS] for k in range(4))
        c = hard_sigmoid(f) * c + hard_sigmoid(i) * torch.tanh(g)
        h = hard_sigmoid(o) * torch.tanh(c)
    return h @ dense + dense_bias


def keras_training(weights, x, y, lr, decay, updates_before):
    """Keras' Adam.get_updates, term by term; the gradients are autograd's."""
    weights = [w.clone().requires_grad_() for w in weights]
    means, squares = ([torch.zeros_like(w) for w in weights] for _ in range(2))
    for iterations in range(updates_before, updates_before + STEPS):
        logits = keras_forward(weights, x)
        loss = (logits.logsumexp(1) - logits[range(len(y)), y]).mean()
        gradients = torch.autograd.grad(loss, weights)
        t = iterations + 1
        rate = lr / (1 + decay * iterations)
        rate_t = rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        for p, m, v, g in zip(weights, means, squares, gradients, strict=True):
            m.mul_(0.9).add_(0.1 * g)
            v.mul_(0.999).add_(0.001 * g**2)
            p.data -= rate_t * m / (v.sqrt() + 1e-8)
    return [w.detach() for w in weights]


def in_keras_order(head):
    """Weights of a `TemporalHead` of one layer as Keras holds them, in double precision."""
    lstm, dense = head.lstm[0], head.output
    bias = lstm.bias_ih_l0 + lstm.bias_hh_l0
    found = (lstm.weight_ih_l0.T, lstm.weight_hh_l0.T, bias, dense.weight.T, dense.bias)
    return [w.detach().double().clone() for w in found]


def disagreement(epsilon, biases, before=0):
    """Largest difference of a weight to Keras' after 50 updates at the rate 1e-3.

    Every second feature is so weak that its gradients come near epsilon.
    """
    x = torch.randn(8, 5, 6, generator=torch.Generator().manual_seed(3))
    x *= torch.tensor([1.0, 1e-6] * 3)
    y = np.arange(8) % 3
    config = TrainConfig(1e-3, 1e-2, 8, STEPS, patience=STEPS, epsilon=epsilon)
    with reproducible(CPU, 1, 1):
        head = TemporalHead(TemporalConfig((UNITS,), biases=biases), 6, 3, gates="hard")
        start = in_keras_order(head)
        source = TensorSource(x)
        train(head, source, y, config, device=CPU, seed=0, updates_before=before)
        expected = keras_training(start, x.double(), y, 1e-3, 1e-2, before)
    pairs = zip(in_keras_order(head), expected, strict=True)
    return max(float((a - b).abs().max()) for a, b in pairs)


@pytest.mark.parametrize("before", [0, 30])
def test_fifty_updates_are_those_of_keras(before):
    assert disagreement("keras", 1, before) < 2e-6


@pytest.mark.parametrize(("epsilon", "biases"), [("torch", 1), ("keras", 2), ("torch", 2)])
def test_torchs_own_ways_are_not_keras(epsilon, biases):
    assert disagreement(epsilon, biases) > 1e-2


@pytest.mark.parametrize("gates", ["sigmoid", "hard"])
@pytest.mark.parametrize("init", ["keras", "torch"])
def test_one_bias_stays_alone(gates, init):
    head = TemporalHead(TemporalConfig((7, 4), biases=1), 5, 3, gates=gates, init=init)
    first = [lstm.bias_ih_l0.detach().clone() for lstm in head.lstm]
    if init == "keras":
        assert torch.equal(first[0], torch.cat([torch.zeros(7), torch.ones(7), torch.zeros(14)]))
    adam = KerasAdam(head, TrainConfig(lr=0.1, epsilon="keras"))
    for _ in range(3):
        head(torch.randn(4, 9, 5)).square().sum().backward()
        adam.step()
    for lstm, before in zip(head.lstm, first, strict=True):
        assert not lstm.bias_hh_l0.any() and not torch.equal(lstm.bias_ih_l0, before)


def test_paper_trains_as_keras_and_the_small_profiles_as_they_did():
    stages = ("spatial_train", "finetune_train", "temporal_train", "pretrain_train")
    for name, epsilon, biases in (("paper", "keras", 1), ("demo", "torch", 2)):
        profile = PROFILES[name]
        assert {getattr(profile, stage).epsilon for stage in stages} == {epsilon}
        assert profile.temporal.biases == biases


def test_mistakes():
    with pytest.raises(ElrcnError, match="epsilon"):
        KerasAdam(torch.nn.Linear(2, 2), TrainConfig(epsilon="tf"))
    with pytest.raises(ElrcnError, match="3 bias vectors"):
        TemporalHead(TemporalConfig(biases=3), 5, 3)
