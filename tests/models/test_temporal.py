import numpy as np
import pytest
import torch

from elrcn.config import TemporalConfig
from elrcn.errors import ElrcnError
from elrcn.models.networks import TemporalHead, class_scores


def keras_lstm(x, head, gate):
    """LSTM equations in numpy (Hochreiter and Schmidhuber 1997, with forget gate)."""
    for lstm in head.lstm:
        W, U = (getattr(lstm, n).detach().numpy() for n in ("weight_ih_l0", "weight_hh_l0"))
        b = (lstm.bias_ih_l0 + lstm.bias_hh_l0).detach().numpy()
        h = c = np.zeros((len(x), U.shape[1]))
        states = []
        for t in range(x.shape[1]):
            i, f, g, o = np.split(x[:, t] @ W.T + h @ U.T + b, 4, axis=1)
            c = gate(f) * c + gate(i) * np.tanh(g)
            h = gate(o) * np.tanh(c)
            states.append(h)
        x = np.stack(states, 1)
    return x[:, -1]


@pytest.mark.parametrize("units", [(7,), (7, 4)])
@pytest.mark.parametrize(
    ("gates", "gate"),
    [
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
        ("hard", lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
    ],
)
def test_equations(units, gates, gate):
    torch.manual_seed(0)
    head = TemporalHead(TemporalConfig(units), 5, 3, gates=gates)
    x = torch.randn(6, 9, 5) * 2
    last = torch.from_numpy(keras_lstm(x.numpy().astype(float), head, gate)).float()
    torch.testing.assert_close(head(x), head.output(last), rtol=1e-4, atol=1e-5)


def test_one_fc_by_default_and_dense_as_option():
    assert TemporalHead(TemporalConfig((8,)), 5, 3).dense is None
    head = TemporalHead(TemporalConfig((8, 6), dense=4), 5, 3)
    assert head.dense.weight.shape == (4, 6)
    assert head.output.weight.shape == (3, 4)
    assert head(torch.zeros(2, 9, 5)).shape == (2, 3)


def test_keras_initialisation():
    torch.manual_seed(0)
    lstm = TemporalHead(TemporalConfig((8,)), 5, 3).lstm[0]
    torch.testing.assert_close(lstm.weight_hh_l0.T @ lstm.weight_hh_l0, torch.eye(8))
    bias = (lstm.bias_ih_l0 + lstm.bias_hh_l0).detach()
    assert torch.equal(bias, torch.cat([torch.zeros(8), torch.ones(8), torch.zeros(16)]))


def test_sigmoid_head_is_renormalised():
    z = torch.tensor([[2.0, -1.0, 0.5]])
    s = torch.sigmoid(z)
    torch.testing.assert_close(class_scores(z, True).softmax(1), s / s.sum())
    torch.testing.assert_close(class_scores(z).softmax(1), z.softmax(1))


def test_mistakes():
    with pytest.raises(ElrcnError, match="at least one layer"):
        TemporalHead(TemporalConfig(()), 5, 3)
    with pytest.raises(ElrcnError, match="gate"):
        TemporalHead(TemporalConfig((3,)), 5, 3, gates="soft")
