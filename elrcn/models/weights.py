"""Weights on disk: safetensors, and VGG-Face in the formats it is given out in."""

from __future__ import annotations

import hashlib
import mmap
import struct
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import scipy.io
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from elrcn.config import VGGConfig, canonical, config_hash
from elrcn.errors import ElrcnError
from elrcn.files import code_hash, known_digest, read_json, replacing, set_aside, write_json
from elrcn.models.networks import VGG


def file_hash(path: str | Path) -> str:
    """SHA-256 (hex, 16 digits) of a file's bytes."""
    digest = known_digest(path)[:16]
    if not digest:
        raise ElrcnError("There is no weights file here.", where=path)
    return digest


def load_weights(module: VGG, path: str | Path) -> None:
    """Copy the weights of a safetensors file into `module`, all but those of the last layer.

    The file is written by `elrcn.models.pretrain` or by `convert_vggface`.

    Raises
    ------
    ElrcnError
        If the file is missing or unreadable, lacks a layer or has other shapes.
    """
    tensors = read_tensors(path)
    own = {k: v for k, v in module.state_dict().items() if not k.startswith("fc8.")}
    missing = [k for k in own if k not in tensors]
    if missing:
        raise ElrcnError(
            f"The weights lack {len(missing)} of {len(own)} tensors, first {missing[0]}.",
            where=path,
            fix="use weights of the whole network (not a 'notop' file) with the same VGGConfig",
        )
    for name, value in own.items():
        if tensors[name].shape != value.shape:
            raise ElrcnError(
                f"{name} has the shape {tuple(tensors[name].shape)} in the weights but "
                f"{tuple(value.shape)} in the network.",
                where=path,
                fix="give both the same VGGConfig; pretrained weights need 3 input channels",
            )
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(tensors[name])


def read_tensors(path: str | Path, of: str | None = None) -> dict[str, torch.Tensor]:
    """Read a safetensors file, written by `write_tensors` or by others.

    A file that says its digest must agree with it. With `of`, what the tensors belong to as it was
    said to `write_tensors`, a file without a digest is refused too.

    Raises
    ------
    ElrcnError
        If it is missing, truncated, changed or of another kind.
    """
    if not Path(path).is_file():
        raise ElrcnError("There is no weights file here.", where=path)
    try:
        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            digest, _, owner = (file.metadata() or {}).get("sha256", "").partition(" ")
    except (SafetensorError, OSError, ValueError) as error:
        raise ElrcnError(f"This weights file cannot be read ({error}).", where=path) from None
    wrong = of is not None and of != owner
    if wrong or ((digest or of is not None) and digest != tensors_digest(tensors, owner)):
        raise ElrcnError(
            "This weights file is damaged: its values do not agree with its digest.",
            where=path,
            fix="copy it again, or make it anew",
        )
    return tensors


def tensors_digest(tensors: dict[str, torch.Tensor], of: str = "") -> str:
    """SHA-256 (hex) of what they belong to, names, types, shapes and values."""
    digest = hashlib.sha256(of.encode())
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        digest.update(repr((name, str(value.dtype), tuple(value.shape))).encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def write_tensors(tensors: dict[str, torch.Tensor], path: str | Path, of: str = "") -> None:
    """Write tensors with their digest to a safetensors file, all of it or nothing.

    `of` says what they belong to, such as the key of a network; the digest covers it.

    Raises
    ------
    ElrcnError
        If the file cannot be written.
    """
    plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    try:
        with replacing(path) as part:
            # One entry: the order of several differs from file to file.
            save_file(plain, part, {"sha256": f"{tensors_digest(plain, of)} {of}"})
    except SafetensorError as error:
        raise ElrcnError(
            f"The weights could not be stored ({error}).",
            where=path,
            fix="make room on that disk and check that you may write there",
        ) from None


def is_kept(path: Path) -> bool:
    """Whether weights and their JSON card lie at `path`; damaged ones are set aside."""
    try:
        read_tensors(path, of=path.stem)
        if read_json(path.with_suffix(".json"), of=path.stem) is not None:
            return True
    except ElrcnError:
        pass
    for file in (path, path.with_suffix(".json")):
        set_aside(file)
    return False


#: Types of tensors and storages in a Torch7 file.
_TYPES = {
    "Float": "<f4", "Cuda": "<f4", "Double": "<f8", "CudaDouble": "<f8", "Half": "<f2",
    "CudaHalf": "<f2", "Long": "<i8", "Int": "<i4", "Short": "<i2", "Char": "i1", "Byte": "u1",
}  # fmt: skip


def read_torch7(path: str | Path):
    """Read the first object of a Torch7 binary file with 64-bit longs, little-endian.

    Tensors become ndarrays; tables, and the fields of other objects, become dicts. Nothing in the
    file is run: the bytes of a function are stepped over.

    Raises
    ------
    ValueError
        If the file is truncated or is no Torch7 file.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _Torch7(data).read()
        except (struct.error, RecursionError, UnicodeDecodeError) as error:
            raise ValueError(f"not a complete Torch7 file: {error}") from None


class _Torch7:
    """Reads value after value; objects that were read before are referred to by their index."""

    def __init__(self, data):
        self.data, self.at, self.seen = data, 0, {}

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise ValueError("the file ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def int(self) -> int:
        return struct.unpack("<i", self.take(4))[0]

    def longs(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}q", self.take(8 * count))

    def string(self) -> str:
        return self.take(self.int()).decode("latin-1")

    def read(self):
        kind = self.int()
        if kind == 0:
            return None
        if kind == 1:
            return struct.unpack("<d", self.take(8))[0]
        if kind == 2:
            return self.string()
        if kind == 5:
            return bool(self.int())
        if kind not in (3, 4, 6, 7, 8):
            raise ValueError(f"unknown type code {kind}")
        # Code 6 is a function of the oldest format, which has no index.
        index = None if kind == 6 else self.int()
        if index is not None and index in self.seen:
            return self.seen[index]
        if kind == 3:
            return self.table(index)
        if kind == 4:
            return self.object(index)
        self.seen[index] = None
        self.take(self.int())
        self.read()
        return None

    def table(self, index) -> dict:
        table = self.seen[index] = {}
        for _ in range(self.int()):
            key, value = self.read(), self.read()
            if isinstance(key, (str, float, bool)):
                table[key] = value
        return table

    def object(self, index):
        version = self.string()
        name = self.string() if version.startswith("V ") else version
        kind = name.removeprefix("torch.")
        if kind != name and kind.removesuffix("Tensor") in _TYPES:
            self.seen[index] = self.tensor()
        elif kind != name and kind.removesuffix("Storage") in _TYPES:
            dtype = np.dtype(_TYPES[kind.removesuffix("Storage")])
            (size,) = self.longs(1)
            self.seen[index] = np.frombuffer(self.take(size * dtype.itemsize), dtype)
        else:
            fields = self.seen[index] = {}
            own = self.read()
            fields.update(own if isinstance(own, dict) else {})
        return self.seen[index]

    def tensor(self) -> np.ndarray | None:
        dimensions = self.int()
        if not 0 <= dimensions <= 16:
            raise ValueError(f"a tensor of {dimensions} dimensions")
        sizes, strides = self.longs(dimensions), self.longs(dimensions)
        (offset,) = self.longs(1)
        storage = self.read()
        if not isinstance(storage, np.ndarray) or not dimensions:
            return None
        last = offset - 1 + sum((n - 1) * s for n, s in zip(sizes, strides, strict=True))
        if min(sizes) < 1 or min(strides) < 0 or offset < 1 or last >= len(storage):
            raise ValueError("a tensor reaches beyond its storage")
        strides = [s * storage.itemsize for s in strides]
        return np.lib.stride_tricks.as_strided(storage[offset - 1 :], sizes, strides).copy()


class LayerFile(NamedTuple):
    """The layers with weights that a file holds, and how to read them."""

    #: Name of the format, for messages.
    kind: str
    #: (weight, bias) by name ("conv1_1" ... "fc8"), or in order where the file has no such names.
    layers: dict | list
    #: "OIHW", matrices (out, in), or "HWIO", matrices (in, out).
    layout: str
    #: "rgb" or "bgr": of the images the network was trained on, as far as is known.
    channel_order: str


def detect(path: Path) -> str:
    """Tell the format from the first bytes; "" if it is none of these."""
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
    title, names = "state dict", {}
    if any(k.startswith("features.") for k in state):
        if any(k.endswith("running_mean") for k in state):
            raise ValueError("it is a VGG with batch normalisation, which this network has not")
        title, names = "torchvision state dict", _torchvision_names(convs)
    keys = dict.fromkeys(k.rpartition(".")[0] for k in state)
    layers = {
        names.get(key, key): (state[f"{key}.weight"], state[f"{key}.bias"])
        for key in keys
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
    layers, stack = [], [read_torch7(path)]
    while stack:
        module = stack.pop()
        if not isinstance(module, dict):
            continue
        weight, bias, inner = (module.get(name) for name in ("weight", "bias", "modules"))
        if isinstance(weight, np.ndarray) and isinstance(bias, np.ndarray):
            layers.append((weight, bias))
        if isinstance(inner, dict):
            order = sorted((k for k in inner if isinstance(k, float)), reverse=True)
            stack.extend(inner[k] for k in order)
    return LayerFile("Torch7 file", layers, "OIHW", "bgr")


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


CHANNEL_ORDERS = ("auto", "rgb", "bgr")
_READERS = {"torch7": read_t7, "mat5": read_mat5, "mat73": read_mat73, "keras": read_keras}
_KNOWN = (
    "vgg_face_dag.pth, VGG_FACE.t7, vgg_face.mat, vgg_face_weights.h5, "
    "rcmalli_vggface_tf_vgg16.h5, or a torchvision VGG-16 state dict"
)


def read_vggface(
    path: str | Path, config: VGGConfig | None = None, channel_order: str = "auto"
) -> dict[str, torch.Tensor]:
    """Read a weights file into tensors named and laid out as in `elrcn.models.networks.VGG`.

    Known: ``vgg_face_dag.pth`` (or the same names in safetensors), ``VGG_FACE.t7``, MatConvNet's
    ``vgg_face.mat`` (5 and 7.3), deepface's ``vgg_face_weights.h5``, rcmalli's
    ``rcmalli_vggface_tf_vgg16.h5``, and torchvision's VGG-16. The format is told from the file's
    bytes, not from its name. Nothing in the file is run.

    Parameters
    ----------
    path : path
        The file.
    config : VGGConfig, optional
        The network the file should hold; default VGG-16.
    channel_order : {"auto", "rgb", "bgr"}
        Channels of the images the file's network takes. "auto" takes what is known of the format:
        BGR for .t7 and rcmalli, else RGB; callers of the deepface file differ. The filters of
        conv1_1 are reversed where needed, so that the result takes RGB.

    Returns
    -------
    dict of str to Tensor
        float32; ``fc8`` only if the file has it.

    Raises
    ------
    ElrcnError
        If the file is missing, truncated, of no known format, lacks layers or has other shapes.
    """
    path, config = Path(path), config or VGGConfig()
    if channel_order not in CHANNEL_ORDERS:
        raise ElrcnError(
            f"There is no channel order {channel_order!r}.", fix="choose auto, rgb or bgr"
        )
    if not path.is_file():
        raise ElrcnError("There is no weights file here.", where=path)
    file = _read(path, config)
    with torch.device("meta"):
        state = VGG(config, 3, 1, init="skip").state_dict()
    shapes = {
        name.removesuffix(".weight"): tuple(value.shape)
        for name, value in state.items()
        if name.endswith(".weight")
    }
    maps = [shape for shape in shapes.values() if len(shape) == 4][-1][0]
    tensors = {}
    for name, (weight, bias) in _named_layers(file, list(shapes), path).items():
        weight, bias = np.asarray(weight), np.asarray(bias).ravel()
        shape = (len(bias), *shapes[name][1:]) if name == "fc8" else shapes[name]
        converted = _to_torch(weight, shape, file.layout, maps if name == "fc6" else 0)
        if converted is None or bias.shape != shape[:1]:
            raise ElrcnError(
                f"{name} of this {file.kind} has the shape {weight.shape} ({file.layout}), "
                f"which does not fit {shape}.",
                where=path,
                fix="use the weights of a VGG-16 for 224 x 224 px and 3 channels",
            )
        if not (np.isfinite(converted).all() and np.isfinite(bias).all()):
            raise ElrcnError(f"{name} of this {file.kind} holds values not finite.", where=path)
        tensors[f"{name}.weight"] = torch.from_numpy(converted.astype(np.float32))
        tensors[f"{name}.bias"] = torch.from_numpy(bias.astype(np.float32))
    order = file.channel_order if channel_order == "auto" else channel_order
    if order == "bgr":
        tensors["conv1_1.weight"] = tensors["conv1_1.weight"].flip(1)
    return {name: value.contiguous() for name, value in tensors.items()}


def _read(path: Path, config: VGGConfig) -> LayerFile:
    kind = detect(path)
    if not kind:
        raise ElrcnError(
            "This is no weights file of a known format.", where=path, fix=f"use {_KNOWN}"
        )
    try:
        if kind in _READERS:
            return _READERS[kind](path)
        return read_state_dict(path, kind, config.convs)
    # The parsers of five foreign formats raise whatever damaged bytes lead them to.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        if type(error).__name__ == "UnpicklingError":
            reason = "it holds more than tensors, and nothing else is opened"
        raise ElrcnError(
            f"The weights file ({kind}) is truncated, damaged or of another kind: {reason}.",
            where=path,
            fix="compare its size with the source's and fetch it again",
        ) from None


def _named_layers(file: LayerFile, names: list[str], path: Path) -> dict:
    """Give the file's layers by the network's names; fc8 alone may be missing."""
    if isinstance(file.layers, list):
        if len(file.layers) > len(names):
            raise ElrcnError(
                f"This {file.kind} holds {len(file.layers)} layers with weights, not {len(names)}.",
                where=path,
                fix="use the weights of a VGG-16",
            )
        layers = dict(zip(names, file.layers, strict=False))
    else:
        layers = {name: file.layers[name] for name in names if name in file.layers}
        prefixes = ("conv", "fc", "features.", "classifier.")
        others = [name for name in file.layers if name.startswith(prefixes) and name not in names]
        if others:
            raise ElrcnError(
                f"This {file.kind} holds layers the network has not: {', '.join(others[:5])}.",
                where=path,
                fix=f"use the weights of a VGG-16: {_KNOWN}",
            )
    missing = [name for name in names if name not in layers and name != "fc8"]
    if missing:
        fix = f"use the weights of a VGG-16: {_KNOWN}"
        if all(name.startswith("fc") for name in missing):
            fix = "it is a 'notop' file: use the one with the fully connected layers"
        raise ElrcnError(
            f"This {file.kind} lacks the layers {', '.join(missing)}.", where=path, fix=fix
        )
    return layers


def _to_torch(weight: np.ndarray, shape: tuple, layout: str, maps: int):
    """Lay `weight` out as torch does, or return None if it cannot have `shape`.

    `maps` is the number of feature maps that a matrix's rows run over in the order H, W, C (fc6),
    else 0.
    """
    if weight.size != np.prod(shape, dtype=np.int64):
        return None
    if layout == "OIHW":
        # Torch7's SpatialConvolutionMM keeps the filters as rows; both flatten C, H, W.
        return weight.reshape(shape) if weight.shape[0] == shape[0] else None
    if weight.ndim == 2 and len(shape) == 2:
        if weight.shape != shape[::-1]:
            return None
        if not maps:
            return weight.T.copy()
        side = round((shape[1] / maps) ** 0.5)
        weight = weight.reshape(side, side, maps, shape[0])
    # MATLAB drops trailing axes of length one.
    weight = weight.reshape(weight.shape + (1,) * (4 - weight.ndim))
    weight = weight.transpose(3, 2, 0, 1)
    if weight.shape[0] != shape[0] or (len(shape) == 4 and weight.shape != shape):
        return None
    return np.ascontiguousarray(weight).reshape(shape)


def convert_vggface(
    path: str | Path,
    cache: str | Path,
    config: VGGConfig | None = None,
    channel_order: str = "auto",
) -> Path:
    """Convert a weights file once; return the safetensors file to start networks from.

    `cache` is the folder for the converted weights and their JSON card; the rest, and the errors,
    are those of `read_vggface`.
    """
    path, config = Path(path), config or VGGConfig()
    digest = file_hash(path)
    key = config_hash("vggface", code_hash("models/weights.py"), config, channel_order, digest)
    target = Path(cache) / f"vggface-{key}.safetensors"
    if is_kept(target):
        return target
    tensors = read_vggface(path, config, channel_order)
    card = {
        "source": path.name,
        "sha256_start": digest,
        "channel_order": channel_order,
        "vgg": canonical(config),
        "tensors": {name: list(value.shape) for name, value in tensors.items()},
    }
    write_json(target.with_suffix(".json"), card, of=target.stem)
    write_tensors(tensors, target, of=target.stem)
    return target
