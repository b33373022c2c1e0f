import numpy as np
import pytest
import torch
from torch import nn

from elrcn.config import TrainConfig
from elrcn.errors import ElrcnError
from elrcn.models.inputs import InputEncoder, StreamedFrames, TensorSource, frame_source
from elrcn.models.train import (
    KerasAdam,
    memory_format,
    outputs,
    reproducible,
    resolve_device,
    train,
)

CPU = torch.device("cpu")


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64))


@pytest.mark.parametrize("before", [0, 40])
def test_adam_with_keras_decay_by_hand(before):
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(5, 3))
    layer = Layer()
    config = TrainConfig(lr=0.01, decay=0.1)
    adam = KerasAdam(layer, config, before)
    w, m, v = np.array([1.0, -2.0, 0.5]), 0, 0
    for t, g in enumerate(gradients, before):
        layer.w.grad = torch.from_numpy(g.copy())
        adam.step()
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        rate = 0.01 / (1 + 0.1 * t)
        m_hat, v_hat = m / (1 - 0.9 ** (t + 1)), v / (1 - 0.999 ** (t + 1))
        w = w - rate * m_hat / (np.sqrt(v_hat) + 1e-8)
    np.testing.assert_allclose(layer.w.detach().numpy(), w, rtol=1e-6)
    assert adam.updates == before + 5


@pytest.mark.parametrize("before", [0, 7])
def test_adam_is_torchs_own_to_the_last_bit(before):
    config, ours, theirs = TrainConfig(lr=0.02), nn.Linear(9, 5), nn.Linear(9, 5)
    theirs.load_state_dict(ours.state_dict())
    adam = KerasAdam(ours, config, before)
    reference = torch.optim.Adam(theirs.parameters(), lr=0.02, eps=1e-8, fused=True)
    for p in theirs.parameters():
        zeros = {name: torch.zeros_like(p) for name in ("exp_avg", "exp_avg_sq")}
        reference.state[p] = {"step": torch.tensor(float(before)), **zeros}
    for update in range(before, before + 20):
        x = torch.randn(3, 9)
        for module in (ours, theirs):
            module(x).square().sum().backward()
        reference.param_groups[0]["lr"] = 0.02 / (1 + config.decay * update)
        reference.step()
        reference.zero_grad()
        adam.step()
    assert all(p.grad is None for p in ours.parameters())
    pairs = zip(ours.parameters(), theirs.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_adam_leaves_what_had_no_gradient():
    layers = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    still, moved = (layer.weight.detach().clone() for layer in layers)
    adam = KerasAdam(layers, TrainConfig(lr=0.1))
    layers[1](torch.ones(1, 2)).sum().backward()
    adam.step()
    assert torch.equal(layers[0].weight, still) and not torch.equal(layers[1].weight, moved)


def toy(n=64):
    x = torch.randn(n, 4, generator=torch.Generator().manual_seed(0))
    return TensorSource(x), (x[:, 0] > 0).long().numpy()


def fit(config, seed=0, **options):
    source, y = toy()
    with reproducible(CPU, seed, 1):
        module = nn.Linear(4, 2)
        return module, train(module, source, y, config, device=CPU, seed=seed, **options)


def test_loss_falls_and_updates_are_counted():
    _, history = fit(TrainConfig(lr=0.05, batch_size=10, max_epochs=6), updates_before=3)
    assert history.losses[-1] < history.losses[0]
    assert history.updates == 3 + 6 * 7


def test_patience_zero_stops_at_the_first_epoch_without_improvement():
    _, history = fit(TrainConfig(lr=0.05, max_epochs=50, min_delta=10.0))
    assert len(history.losses) == 2 and history.stopped_early
    _, history = fit(TrainConfig(lr=0.05, max_epochs=50, min_delta=10.0, patience=3))
    assert len(history.losses) == 5


def test_seed_decides_all_and_process_state_survives():
    torch.manual_seed(7)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    (a, _), (b, _), (c, _) = (fit(TrainConfig(lr=0.05, max_epochs=3), s) for s in (1, 1, 2))
    assert torch.equal(a.weight, b.weight) and not torch.equal(a.weight, c.weight)
    assert torch.equal(state, torch.get_rng_state()) and threads == torch.get_num_threads()


def test_faded_numbers_are_zero_inside_and_only_there():
    faded = torch.full((64,), 1e-39)
    with reproducible(CPU, 0, 1):
        inside = (faded * 1.0).abs().max()
    # Not every processor can.
    assert inside in (0, faded[0])
    if torch.set_flush_denormal(False):
        assert inside == 0
    assert (faded * 1.0).abs().max() > 0


@pytest.mark.parametrize("capability", ["AVX2", "AVX512"])
def test_layout_changes_no_result_but_rounding(capability, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    wide = nn.Sequential(*(nn.Conv2d(64, 64, 1) for _ in range(8)))
    expected = torch.contiguous_format if capability == "AVX2" else torch.channels_last
    assert memory_format(CPU, wide) is expected
    assert memory_format(CPU) is memory_format(CPU, wide[:7]) is torch.channels_last

    def losses(layout):
        monkeypatch.setattr("elrcn.models.train.memory_format", lambda *_: layout)
        x = torch.randn(40, 6, 6, 3, generator=torch.Generator().manual_seed(0))
        y, config = np.arange(40) % 2, TrainConfig(lr=0.01, max_epochs=3)
        with reproducible(CPU, 0, 1):
            module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(128, 2))
            return train(module, TensorSource(x, images=True), y, config, device=CPU, seed=0).losses

    first, second = losses(torch.contiguous_format), losses(torch.channels_last)
    np.testing.assert_allclose(first, second, rtol=1e-4)


def test_divergence_is_told():
    source, y = toy()
    source.tensor[5, 2] = torch.nan
    with pytest.raises(ElrcnError, match="diverged"), reproducible(CPU, 0, 1):
        train(nn.Linear(4, 2), source, y, TrainConfig(), device=CPU, seed=0)


def test_streamed_and_held_frames_are_the_same(blobs):
    (X, _), _ = blobs
    encoder = InputEncoder("flow", "standard").fit(X)
    held = frame_source(X, encoder, CPU)
    streamed = frame_source(X, encoder, CPU, limit=0)
    assert isinstance(streamed, StreamedFrames) and isinstance(held, TensorSource)
    assert len(held) == len(streamed) == X.shape[0] * X.shape[1]
    order = np.random.default_rng(0).permutation(len(held))
    batches = [order[i : i + 32] for i in range(0, len(order), 32)]
    pairs = zip(held.batches(batches), streamed.batches(batches), strict=True)
    for (a, b), index in zip(pairs, batches, strict=True):
        assert a.shape == (len(index), 3, 16, 16) and torch.equal(a, b)
    assert outputs(lambda x: x.sum((1, 2, 3)), streamed, device=CPU).shape == (len(held),)


def test_devices():
    assert resolve_device("cpu").type == "cpu"
    assert resolve_device("auto").type in ("cpu", "cuda", "mps")
    for name in ("tpu", "cpu:1", "cuda:x", ""):
        with pytest.raises(ElrcnError, match="no device"):
            resolve_device(name)
    if not torch.cuda.is_available():
        with pytest.raises(ElrcnError, match="not available"):
            resolve_device("cuda")
