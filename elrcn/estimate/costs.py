"""What a network costs, counted from its configuration: parameters, operations, memory."""

from __future__ import annotations

from dataclasses import dataclass

from elrcn.config import TemporalConfig, VGGConfig

#: Bytes a parameter takes in training: weight, gradient and the two moments of Adam, float32.
TRAINING_BYTES = 16


@dataclass(frozen=True)
class NetworkCost:
    """Cost of one network for one sample (a frame, or a clip's sequence of features).

    Attributes
    ----------
    shape : str
        Shape of a sample.
    parameters : int
        Trainable values, as torch counts them.
    macs : int
        Multiply-accumulate operations of the forward pass; biases, activations and pooling, well
        under a hundredth, are left out.
    first_macs : int
        Those of the first layer's product with the input, whose gradient nobody needs.
    kept, pooled : int
        Values that the backward pass needs again, and values after a pooling, whose places are
        kept as well.
    """

    shape: str
    parameters: int
    macs: int
    first_macs: int
    kept: int
    pooled: int = 0

    @property
    def forward_flops(self) -> int:
        """Floating-point operations of a forward pass; a multiply-accumulate is two."""
        return 2 * self.macs

    @property
    def training_flops(self) -> int:
        """Operations of forward and backward pass: each layer's product is needed thrice."""
        return 2 * (3 * self.macs - self.first_macs)

    def activation_bytes(self, value_bytes: int) -> int:
        """Memory a sample takes in training; torch keeps places of maxima as 8-byte integers."""
        return value_bytes * (self.kept + self.pooled) + 8 * self.pooled


def vgg_cost(config: VGGConfig, channels: int, classes: int) -> NetworkCost:
    """Cost of `elrcn.models.networks.VGG` for one frame.

    With the defaults, 3 channels and 1000 classes: 138,357,544 parameters, 15.47e9 MACs.
    """
    inputs, side = channels, config.size
    parameters = macs = first = kept = pooled = 0
    for convs, width in zip(config.convs, config.widths, strict=True):
        for _ in range(convs):
            product = 9 * inputs * width * side * side
            first = first or product
            parameters += (9 * inputs + 1) * width
            macs += product
            kept += width * side * side
            inputs = width
        side //= 2
        pooled += inputs * side * side
    inputs *= side * side
    for outputs in (config.fc, config.fc, classes):
        parameters += (inputs + 1) * outputs
        macs += inputs * outputs
        kept += 2 * outputs  # before and after dropout
        inputs = outputs
    shape = f"{channels} x {config.size} x {config.size}"
    return NetworkCost(shape, parameters, macs, first, kept, pooled)


def temporal_cost(config: TemporalConfig, inputs: int, frames: int, classes: int) -> NetworkCost:
    """Cost of `elrcn.models.networks.TemporalHead` for one clip of `frames` feature vectors.

    An LSTM has four gates, each with the bias vectors that it learns: one or two.
    """
    shape = f"{frames} x {inputs}"
    parameters = macs = kept = 0
    first = 4 * config.units[0] * inputs * frames
    for units in config.units:
        parameters += 4 * units * (inputs + units + config.biases)
        macs += 4 * units * (inputs + units) * frames
        kept += 6 * units * frames  # four gates, cell and output
        inputs = units
    for outputs in (*((config.dense,) if config.dense else ()), classes):
        parameters += (inputs + 1) * outputs
        macs += inputs * outputs
        kept += outputs
        inputs = outputs
    return NetworkCost(shape, parameters, macs, first, kept)
