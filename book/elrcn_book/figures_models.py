"""Drawings of ELRCN-SE and ELRCN-TE, with shapes and parameter counts from the configurations."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Patch

from elrcn.config import PreprocessConfig, TemporalConfig, VGGConfig
from elrcn.errors import ElrcnError
from elrcn_book.style import WIDTH, figure_style

#: Name and channels of each stream's input: SE stacks them, TE keeps them apart.
STREAMS = {
    "SE": (("flow, strain, grey", 5),),
    "TE": (("flow", 3), ("strain × 3", 3), ("grey × 3", 3)),
}

_HALF = 0.38  # half the height of a box; boxes are one unit apart
_LINE = "0.25"
_KINDS = {
    "input": ("white", "data"),
    "spatial": ("#BBDFF4", "trained first, on frames"),
    "temporal": ("#FBD9A3", "trained second, on sequences"),
    "head": ("0.92", "classifier of the first training"),
}


@dataclass(frozen=True)
class Layer:
    """One line of an architecture.

    Attributes
    ----------
    stage : {"input", "spatial", "temporal"}
    stream : int
        Which of the parallel networks; 0 for what they share.
    name, shape : str
        Layer and the shape of its output for one clip.
    parameters : int
        Trainable values.
    """

    stage: str
    stream: int
    name: str
    shape: str
    parameters: int


def vgg_layers(config: VGGConfig, channels: int, classes: int) -> list[tuple[str, str, int]]:
    """Name, output shape and parameters of every layer with weights of one VGG network.

    Parameters
    ----------
    config : VGGConfig
        Default: VGG-16 at 224 pixels.
    channels, classes : int
        Input channels; outputs of fc8.
    """
    layers, inputs, side = [], channels, config.size
    for block, (convs, width) in enumerate(zip(config.convs, config.widths, strict=True), 1):
        for i in range(1, convs + 1):
            shape = f"{side} × {side} × {width}"
            layers.append((f"conv{block}_{i}", shape, 9 * inputs * width + width))
            inputs = width
        side //= 2
    inputs *= side * side
    for name, outputs in (("fc6", config.fc), ("fc7", config.fc), ("fc8", classes)):
        layers.append((name, f"{outputs:,}", inputs * outputs + outputs))
        inputs = outputs
    return layers


def temporal_layers(
    config: TemporalConfig, inputs: int, classes: int
) -> list[tuple[str, str, int]]:
    """Name, output shape and parameters of the LSTM layers and the FC layer after them.

    An LSTM has four gates, each with the bias vectors that it learns: one or two.
    """
    layers = []
    for units in config.units:
        parameters = 4 * units * (inputs + units + config.biases)
        layers.append((f"LSTM({units:,})", f"{units:,}", parameters))
        inputs = units
    if config.dense:
        layers.append((f"Dense({config.dense})", f"{config.dense}", (inputs + 1) * config.dense))
        inputs = config.dense
    layers.append(("fc + softmax", f"{classes}", (inputs + 1) * classes))
    return layers


def architecture(
    variant: str,
    preprocess: PreprocessConfig,
    vgg: VGGConfig,
    temporal: TemporalConfig,
    classes: int = 5,
) -> list[Layer]:
    """All layers of a variant, in order.

    Parameters
    ----------
    variant : {"SE", "TE"}
        Spatial or temporal enrichment (Section III-B).
    preprocess, vgg, temporal
        Settings of a profile.
    classes : int
        Classes of the task.

    Raises
    ------
    ElrcnError
        If there is no such variant.
    """
    if variant not in STREAMS:
        raise ElrcnError(f"There is no variant {variant!r}.", fix="choose SE or TE")
    steps = max(preprocess.tim_length - 1, 1)
    layers = []
    for stream, (name, channels) in enumerate(STREAMS[variant], 1):
        shape = f"{steps} × {vgg.size} × {vgg.size} × {channels}"
        layers.append(Layer("input", stream, name, shape, 0))
        for layer, output, count in vgg_layers(vgg, channels, classes):
            layers.append(Layer("spatial", stream, layer, f"{steps} × {output}", count))
    features = vgg.fc * len(STREAMS[variant])
    layers.append(Layer("temporal", 0, "features φ(x)", f"{steps} × {features:,}", 0))
    for name, output, count in temporal_layers(temporal, features, classes):
        layers.append(Layer("temporal", 0, name, output, count))
    return layers


def architecture_table(layers: list[Layer]) -> pd.DataFrame:
    """Layers as a table: columns `stage`, `stream`, `layer`, `output`, `parameters`."""
    return pd.DataFrame(
        [(x.stage, x.stream, x.name, x.shape, x.parameters) for x in layers],
        columns=["stage", "stream", "layer", "output", "parameters"],
    )


def stage_parameters(layers: list[Layer]) -> dict[str, int]:
    """Trainable values of the spatial stage, of the temporal stage and in all."""
    count = {
        stage: sum(x.parameters for x in layers if x.stage == stage)
        for stage in ("spatial", "temporal")
    }
    return {**count, "total": sum(count.values())}


def _box(ax, x, y, width, text, kind, size):
    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - _HALF),
            width,
            2 * _HALF,
            boxstyle="round,pad=0,rounding_size=0.05",
            facecolor=_KINDS[kind][0],
            edgecolor=_LINE,
            linestyle="--" if kind == "head" else "-",
            linewidth=0.8,
        )
    )
    ax.text(x, y, text, ha="center", va="center", fontsize=size)


def _arrow(ax, start, end):
    ax.annotate(
        "",
        end,
        start,
        arrowprops={"arrowstyle": "-|>", "color": _LINE, "shrinkA": 0, "shrinkB": 0},
    )


def _grouped(layers: list[Layer], stream: int) -> list[tuple[str, str, int]]:
    """Convolutions of a block drawn as one box; the pooling is implied."""
    groups: list[tuple[str, str, int]] = []
    blocks: dict[str, list[Layer]] = {}
    for layer in layers:
        if layer.stage == "spatial" and layer.stream == stream:
            blocks.setdefault(layer.name.split("_")[0], []).append(layer)
    for name, members in blocks.items():
        times = f" × {len(members)}" if len(members) > 1 else ""
        label = f"{name}{times}" + (" + pool" if name.startswith("conv") else "")
        groups.append(
            (label, members[-1].shape.split(" × ", 1)[1], sum(m.parameters for m in members))
        )
    return groups


def short_count(number: int) -> str:
    """Return a number of parameters in few characters: 134.3 M, 61.2 k, 645."""
    for factor, unit in ((1e6, " M"), (1e3, " k")):
        if number >= factor:
            return f"{number / factor:.1f}{unit}"
    return str(number)


def architecture_figure(layers: list[Layer], title: str) -> Figure:
    """Draw a variant top to bottom: inputs, one VGG a stream, features, LSTM, softmax.

    Parameters
    ----------
    layers : list of Layer
        From `architecture`.
    title : str
        Variant and profile.
    """
    inputs = [x for x in layers if x.stage == "input"]
    groups = [_grouped(layers, x.stream) for x in inputs]
    below = [x for x in layers if x.stage == "temporal"]
    many = len(inputs) > 1
    depth, wide, size = len(groups[0]), 0.92 if many else 2.6, 8 if many else 9
    end = depth + len(below) + 1
    with figure_style():
        fig, ax = plt.subplots(figsize=(WIDTH, (0.58 if many else 0.47) * end + 0.9))
        for i, (source, group) in enumerate(zip(inputs, groups, strict=True)):
            x = (i - (len(inputs) - 1) / 2) * 1.05
            _box(ax, x, 0, wide, f"{source.name}\n{source.shape}", "input", size)
            for y, (name, output, count) in enumerate(group, 1):
                _arrow(ax, (x, y - 1 + _HALF), (x, y - _HALF))
                kind = "head" if name == "fc8" else "spatial"
                break_ = "\n" if many else ", "
                unit = "" if many else " parameters"
                text = f"{name}{break_}{output}\n{short_count(count)}{unit}"
                _box(ax, x, y, wide, text, kind, size)
            # The features leave fc7; fc8 only trains the network.
            ax.plot(
                [x + wide / 2, x + wide / 2 + 0.06, x + wide / 2 + 0.06],
                [depth - 1, depth - 1, depth + 0.6],
                color=_LINE,
                linewidth=1,
            )
            _arrow(ax, (x + wide / 2 + 0.06, depth + 0.6), (0.9 * x, depth + 1 - _HALF))
        for y, layer in enumerate(below, depth + 1):
            text = f"{layer.name}, {layer.shape}"
            if layer.parameters:
                text += f"\n{short_count(layer.parameters)} parameters"
            _box(ax, 0, y, 2.6, text, "temporal" if layer.parameters else "input", 9)
            if layer is not below[-1]:
                _arrow(ax, (0, y + _HALF), (0, y + 1 - _HALF))
        handles = [Patch(facecolor=c, edgecolor=_LINE, label=label) for c, label in _KINDS.values()]
        ax.set_xlim(-1.65, 1.65)
        ax.set_ylim(end - 0.4, -0.6)
        ax.axis("off")
        ax.set_title(title)
        fig.legend(handles=handles, loc="outside lower center", ncols=2)
    return fig
