"""The networks: VGG for single frames, LSTM heads for sequences."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from elrcn.config import TemporalConfig, VGGConfig
from elrcn.errors import ElrcnError

LAYERS = ("fc6", "fc7")


class VGG(nn.Module):
    """A VGG network (Simonyan and Zisserman 2015, arXiv 1409.1556; Section III-B of the paper).

    Blocks of 3 x 3 convolutions with ReLU, each ended by 2 x 2 max pooling, then fc6 and fc7 with
    ReLU and dropout, then fc8. With the default configuration, 3 channels and 1000 classes this
    is VGG-16: 13 convolutions, 3 fully connected layers, 138,357,544 parameters. Parameters are
    named as VGG-Face names them (``conv1_1.weight`` ... ``fc8.bias``).

    Parameters
    ----------
    config : VGGConfig
        Input size, convolutions per block, widths, hidden units, dropout.
    channels : int
        Input channels: 3 for one stream, 5 for the stack of ELRCN-SE.
    classes : int
        Outputs of fc8, as logits.
    init : {"glorot", "torch", "skip"}
        Glorot uniform with zero biases, as the authors' Keras code; torch's own; or none, when
        weights are loaded or drawn later.

    Raises
    ------
    ElrcnError
        If the input is too small for the number of poolings, or the configuration is empty.
    """

    def __init__(
        self, config: VGGConfig, channels: int = 3, classes: int = 1000, init: str = "glorot"
    ):
        super().__init__()
        if not config.convs or len(config.convs) != len(config.widths):
            raise ElrcnError(
                f"A VGG needs one width a block: convs {config.convs}, widths {config.widths}."
            )
        side = config.size // 2 ** len(config.convs)
        if side < 1:
            raise ElrcnError(
                f"An image of {config.size} px is too small for {len(config.convs)} poolings.",
                fix="raise VGGConfig.size or use fewer blocks",
            )
        self.config, self.channels, self.classes = config, int(channels), int(classes)
        self.blocks: list[list[str]] = []
        width_in = self.channels
        for block, (convs, width) in enumerate(zip(config.convs, config.widths, strict=True), 1):
            names = [f"conv{block}_{i}" for i in range(1, convs + 1)]
            for name in names:
                layer = nn.utils.skip_init(nn.Conv2d, width_in, width, 3, padding=1)
                self.add_module(name, layer)
                width_in = width
            self.blocks.append(names)
        self.fc6 = nn.utils.skip_init(nn.Linear, width_in * side * side, config.fc)
        self.fc7 = nn.utils.skip_init(nn.Linear, config.fc, config.fc)
        self.fc8 = nn.utils.skip_init(nn.Linear, config.fc, self.classes)
        if init not in ("glorot", "torch", "skip"):
            raise ElrcnError(f"There is no initialisation called {init!r}.", fix="glorot or torch")
        for layer in self.layers():
            if init == "torch":
                layer.reset_parameters()
            elif init == "glorot":
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    def layers(self) -> list[nn.Module]:
        """List the layers with weights, input to output."""
        names = [name for block in self.blocks for name in block]
        return [self.get_submodule(name) for name in [*names, "fc6", "fc7", "fc8"]]

    def _block(self, x: torch.Tensor, names: list[str]) -> torch.Tensor:
        """Apply a block's convolutions, all but the last with their ReLU."""
        for name in names[:-1]:
            x = F.relu(self.get_submodule(name)(x), inplace=True)
        return self.get_submodule(names[-1])(x)

    def _pooled(self, x: torch.Tensor, blocks: list[list[str]]) -> torch.Tensor:
        for names in blocks:
            # Max pooling and ReLU commute; pooling first leaves a quarter of the ReLUs.
            x = F.relu(F.max_pool2d(self._block(x, names), 2), inplace=True)
        return x

    def _hidden(self, maps: torch.Tensor, layer: str) -> torch.Tensor:
        x = F.relu(self.fc6(torch.flatten(maps, 1)))
        if layer == "fc6":
            return x
        return F.relu(self.fc7(F.dropout(x, self.config.dropout, self.training)))

    def _classified(self, maps: torch.Tensor) -> torch.Tensor:
        x = F.dropout(self._hidden(maps, "fc7"), self.config.dropout, self.training)
        return self.fc8(x)

    def maps(self, x: torch.Tensor) -> torch.Tensor:
        """Feature maps after the last pooling, from images of shape (n, channels, size, size)."""
        return self._pooled(x, self.blocks)

    def activations(self, x: torch.Tensor) -> torch.Tensor:
        """Output of the last convolution after its ReLU and before pooling: (n, width, side, side).

        Where Grad-CAM looks (Section V, `elrcn.explain.grad_cam`).
        """
        return F.relu(self._block(self._pooled(x, self.blocks[:-1]), self.blocks[-1]))

    def logits(self, activations: torch.Tensor) -> torch.Tensor:
        """Class logits, shape (n, classes), from what `activations` gives."""
        return self._classified(F.max_pool2d(activations, 2))

    def features(self, x: torch.Tensor, layer: str = "fc7") -> torch.Tensor:
        """Give the output of `layer` after its ReLU and before its dropout, shape (n, fc).

        fc7 is the "last FC" of the paper's Figure 7, fc6 the "second last".
        """
        if layer not in LAYERS:
            raise ElrcnError(f"There is no feature layer {layer!r}.", fix="choose fc6 or fc7")
        return self._hidden(self.maps(x), layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Class logits, shape (n, classes)."""
        return self._classified(self.maps(x))

    def answers(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Give fc6, fc7 and class probabilities of images at once; for networks in use."""
        fc6 = self.features(x, "fc6")
        fc7 = F.relu(self.fc7(fc6))
        return fc6, fc7, self.fc8(fc7).float().softmax(1)


def count_parameters(module: nn.Module) -> int:
    """Count the trainable values of `module`."""
    return sum(math.prod(p.shape) for p in module.parameters())


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
        self, config: TemporalConfig, inputs: int, classes: int, gates="sigmoid", init="keras"
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
