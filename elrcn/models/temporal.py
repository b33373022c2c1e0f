"""The temporal stage: LSTM layers over a clip's feature vectors, then one FC layer."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from elrcn.config import TemporalConfig
from elrcn.errors import ElrcnError


class TemporalHead(nn.Module):
    """LSTM layers and one FC layer on the state after the last frame (Section III-C).

    Parameters
    ----------
    config : TemporalConfig
        Units of each LSTM layer; `dense` > 0 inserts the Dense(dense, ReLU) of the authors' code;
        `biases` 1 freezes the second of torch's two bias vectors at zero.
    inputs : int
        Length of a frame's feature vector (4,096 for SE, 12,288 for TE at full size).
    classes : int
        Outputs, as logits; Eq 5 is their softmax.
    gates : {"sigmoid", "hard"}
        "hard" is Keras' gate clip(0.2 x + 0.5, 0, 1).
    init : {"keras", "torch"}
        "keras": Glorot uniform kernels, orthogonal recurrence, zero biases but forget bias 1.

    Raises
    ------
    ElrcnError
        If a layer has no unit, or there are no such gates, initialisation or number of biases.

    Notes
    -----
    With ``gates="hard", init="keras"`` and one bias this is Keras 2.0's LSTM. Torch holds two
    vectors that are added: where both learn, Adam moves their sum by two steps.
    """

    def __init__(
        self,
        config: TemporalConfig,
        inputs: int,
        classes: int,
        gates: str = "sigmoid",
        init: str = "keras",
    ):
        super().__init__()
        if not config.units or min(config.units) < 1:
            raise ElrcnError(f"An LSTM needs at least one layer of units, not {config.units}.")
        if gates not in ("sigmoid", "hard"):
            raise ElrcnError(f"There is no LSTM gate called {gates!r}.", fix="sigmoid or hard")
        if config.biases not in (1, 2):
            raise ElrcnError(f"An LSTM cannot have {config.biases} bias vectors.", fix="1 or 2")
        self.config, self.inputs, self.gates = config, int(inputs), gates
        sizes = (self.inputs, *config.units)
        self.lstm = nn.ModuleList(nn.LSTM(a, b, batch_first=True) for a, b in pairwise(sizes))
        self.dense = nn.Linear(sizes[-1], config.dense) if config.dense else None
        self.output = nn.Linear(config.dense or sizes[-1], classes)
        if init == "keras":
            self._keras_init()
        elif init != "torch":
            raise ElrcnError(f"There is no initialisation called {init!r}.", fix="keras or torch")
        if config.biases == 1:
            for lstm in self.lstm:
                nn.init.zeros_(lstm.bias_hh_l0).requires_grad_(False)

    def _keras_init(self) -> None:
        for lstm in self.lstm:
            units = lstm.hidden_size
            # Keras draws one (inputs, 4 units) kernel: the fan-out is 4 units, as in torch's shape.
            nn.init.xavier_uniform_(lstm.weight_ih_l0)
            nn.init.orthogonal_(lstm.weight_hh_l0)
            nn.init.zeros_(lstm.bias_ih_l0)
            nn.init.zeros_(lstm.bias_hh_l0)
            with torch.no_grad():
                lstm.bias_ih_l0[units : 2 * units] = 1.0
        for layer in filter(None, (self.dense, self.output)):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Class logits (n, classes) of feature sequences (n, frames, inputs)."""
        for lstm in self.lstm:
            x = lstm(x)[0] if self.gates == "sigmoid" else _hard_lstm(lstm, x)
        x = x[:, -1]
        if self.dense is not None:
            x = F.relu(self.dense(x))
        return self.output(x)


def _hard_lstm(lstm: nn.LSTM, x: torch.Tensor) -> torch.Tensor:
    """Give the outputs of `lstm` at every frame with Keras' hard-sigmoid gates."""
    inputs = F.linear(x, lstm.weight_ih_l0, lstm.bias_ih_l0 + lstm.bias_hh_l0)
    hidden = x.new_zeros(len(x), lstm.hidden_size)
    cell, outputs = hidden, []
    for step in inputs.unbind(1):
        i, f, g, o = (step + F.linear(hidden, lstm.weight_hh_l0)).chunk(4, dim=1)
        i, f, o = ((0.2 * gate + 0.5).clamp(0, 1) for gate in (i, f, o))
        cell = f * cell + i * torch.tanh(g)
        hidden = o * torch.tanh(cell)
        outputs.append(hidden)
    return torch.stack(outputs, 1)


def class_scores(logits: torch.Tensor, sigmoid_head: bool = False) -> torch.Tensor:
    """Scores whose softmax are the class probabilities.

    The logits themselves (Eq 5), or, with the authors' `sigmoid_head`, their log-sigmoids: the
    softmax of these is s(z_c) / sum s(z_k), which is how Keras' categorical cross-entropy
    renormalises sigmoid outputs.
    """
    return F.logsigmoid(logits) if sigmoid_head else logits
