"""Readers of the weight files in circulation: each gives named layers in the file's layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import scipy.io
import torch
from safetensors.torch import load_file

from elrcn.models.torch7 import read_torch7, weight_modules


@dataclass
class LayerFile:
    """What a file holds: (weight, bias) by layer, and how to read it.

    Attributes
    ----------
    kind : str
        Name of the format, for messages.
    layers : dict or list
        By layer name ("conv1_1" ... "fc8"), or in order where the file has no such names.
    layout : {"OIHW", "HWIO"}
        Order of a convolution's axes; matrices are (out, in) in the first, (in, out) in the other.
    channel_order : {"rgb", "bgr"}
        Of the images the network was trained on, as far as is known.
    """

    kind: str
    layers: dict | list
    layout: str
    channel_order: str


def detect(path: Path) -> str:
    """Tell a reader's name from the first bytes; "" if no reader knows them."""
    with open(path, "rb") as file:
        head = file.read(520)
    signature = b"\x89HDF\r\n\x1a\n"
    if head.startswith(b"MATLAB 7.3") or head[512:] == signature:
        return "mat73"
    if head.startswith(b"MATLAB 5.0"):
        return "mat5"
    if head.startswith(signature):
        return "keras"
    if head.startswith(b"\x04\x00\x00\x00"):
        return "torch7"
    if head.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04")):
        return "torch"
    if head[8:9] == b"{":
        return "safetensors"
    return ""


def read_state_dict(path: Path, kind: str, convs: tuple[int, ...]) -> LayerFile:
    """Read a torch state dict with VGG-Face's or torchvision's names; nothing else is unpickled."""
    if kind == "safetensors":
        state = load_file(path)
    else:
        state = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict):
        raise ValueError("it is no state dict")
    state = {
        str(k).removeprefix("module."): v.float().numpy()
        for k, v in state.items()
        if isinstance(v, torch.Tensor)
    }
    if any(k.startswith("features.") for k in state):
        known = _torchvision_names(convs)
        if any(k.endswith("running_mean") for k in state):
            raise ValueError("it is a VGG with batch normalisation, which this network has not")
        title = "torchvision state dict"
    else:
        known, title = {}, "state dict"
    names = {key: known.get(key, key) for key in (k.rpartition(".")[0] for k in state)}
    layers = {
        name: (state[f"{key}.weight"], state[f"{key}.bias"])
        for key, name in names.items()
        if f"{key}.weight" in state and f"{key}.bias" in state
    }
    return LayerFile(title, layers, "OIHW", "rgb")


def _torchvision_names(convs: tuple[int, ...]) -> dict[str, str]:
    names, at = {"classifier.0": "fc6", "classifier.3": "fc7", "classifier.6": "fc8"}, 0
    for block, count in enumerate(convs, 1):
        for i in range(1, count + 1):
            names[f"features.{at}"] = f"conv{block}_{i}"
            at += 2
        at += 1
    return names


def read_t7(path: Path) -> LayerFile:
    """Read VGG_FACE.t7: modules in order, OIHW (or flat rows of it), trained on BGR."""
    return LayerFile("Torch7 file", weight_modules(read_torch7(path)), "OIHW", "bgr")


def read_mat5(path: Path) -> LayerFile:
    """Read a MatConvNet file saved by MATLAB before 7.3."""
    content = scipy.io.loadmat(path, variable_names=["layers", "net"])
    cells = content.get("layers")
    if cells is None and content.get("net") is not None:
        cells = content["net"][0, 0]["layers"]
    if cells is None:
        raise ValueError("it has no variable `layers` or `net`")
    layers = []
    for cell in cells.ravel():
        entry = cell[0, 0]
        names = entry.dtype.names or ()
        if "weights" in names and entry["weights"].size == 2:
            layers.append(tuple(entry["weights"].ravel()))
        elif "filters" in names and "biases" in names and entry["filters"].size:
            layers.append((entry["filters"], entry["biases"]))
    return LayerFile("MatConvNet file", layers, "HWIO", "rgb")


def read_mat73(path: Path) -> LayerFile:
    """Read a MatConvNet file saved by MATLAB 7.3 or later, which is HDF5 with axes reversed."""
    layers = []
    with h5py.File(path, "r") as file:
        cells = file.get("layers", file.get("net/layers"))
        if cells is None:
            raise ValueError("it has no variable `layers` or `net`")
        for reference in np.ravel(cells[()]):
            entry = file[reference]
            if not isinstance(entry, h5py.Group):
                continue
            if "weights" in entry and entry["weights"].dtype == h5py.ref_dtype:
                pair = [file[r] for r in np.ravel(entry["weights"][()])]
            elif "filters" in entry and "biases" in entry:
                pair = [entry["filters"], entry["biases"]]
            else:
                continue
            if len(pair) == 2 and "MATLAB_empty" not in pair[0].attrs:
                layers.append((pair[0][()].T, pair[1][()].T))
    return LayerFile("MatConvNet 7.3 file", layers, "HWIO", "rgb")


def read_keras(path: Path) -> LayerFile:
    """Read Keras weights: deepface's Sequential in order, or rcmalli's layers by name."""
    with h5py.File(path, "r") as file:
        root = file["model_weights"] if "model_weights" in file else file
        layers = {}
        for name in _names(root, "layer_names"):
            group = root[name]
            arrays = [group[w][()] for w in _names(group, "weight_names")]
            if len(arrays) == 2:
                layers[name] = tuple(sorted(arrays, key=np.ndim, reverse=True))
    if any(name.startswith("conv1_") for name in layers):
        return LayerFile("Keras file (rcmalli)", layers, "HWIO", "bgr")
    return LayerFile("Keras file (deepface)", list(layers.values()), "HWIO", "rgb")


def _names(group, attribute: str) -> list[str]:
    """Read an attribute that Keras splits into numbered parts when it is long."""
    if attribute in group.attrs:
        values = list(group.attrs[attribute])
    else:
        parts = [k for k in group.attrs if k.startswith(attribute)]
        if not parts:
            raise ValueError(f"it has no attribute {attribute}: not a Keras weights file")
        parts.sort(key=lambda k: int(k.removeprefix(attribute) or 0))
        values = [v for k in parts for v in group.attrs[k]]
    return [v.decode() if isinstance(v, bytes) else str(v) for v in values]
