"""VGG-Face and ImageNet weights from the files people have, converted to this package's VGG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from elrcn.config import VGGConfig, canonical, config_hash
from elrcn.errors import ElrcnError
from elrcn.files import code_hash, write_json
from elrcn.models import vggface_formats as formats
from elrcn.models.vgg import VGG
from elrcn.models.weights import file_hash, is_kept, write_tensors

#: Mean of VGG-Face's training images, red, green, blue (Parkhi et al. 2015, 10.5244/C.29.41).
MEAN_RGB = (129.1863, 104.7624, 93.5940)
CHANNEL_ORDERS = ("auto", "rgb", "bgr")
_READERS = {
    "torch7": formats.read_t7,
    "mat5": formats.read_mat5,
    "mat73": formats.read_mat73,
    "keras": formats.read_keras,
}
_KNOWN = (
    "vgg_face_dag.pth, VGG_FACE.t7, vgg_face.mat, vgg_face_weights.h5, "
    "rcmalli_vggface_tf_vgg16.h5, or a torchvision VGG-16 state dict"
)


def read_vggface(
    path: str | Path, config: VGGConfig | None = None, channel_order: str = "auto"
) -> dict[str, torch.Tensor]:
    """Read a weights file into tensors named and laid out as in `elrcn.models.vgg.VGG`.

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
        model = VGG(config, 3, 1, init="skip")
    expected = {
        name.removesuffix(".weight"): tuple(value.shape)
        for name, value in model.state_dict().items()
        if name.endswith(".weight")
    }
    tensors = _assemble(file, expected, path)
    order = file.channel_order if channel_order == "auto" else channel_order
    if order == "bgr":
        tensors["conv1_1.weight"] = tensors["conv1_1.weight"].flip(1)
    return {name: value.contiguous() for name, value in tensors.items()}


def _read(path: Path, config: VGGConfig) -> formats.LayerFile:
    kind = formats.detect(path)
    if not kind:
        raise ElrcnError(
            "This is no weights file of a known format.", where=path, fix=f"use {_KNOWN}"
        )
    try:
        if kind in _READERS:
            return _READERS[kind](path)
        return formats.read_state_dict(path, kind, config.convs)
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


def _assemble(file: formats.LayerFile, expected: dict, path: Path) -> dict[str, torch.Tensor]:
    """Name, order and check the layers of `file`."""
    names = list(expected)
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
        notop = all(name.startswith("fc") for name in missing)
        raise ElrcnError(
            f"This {file.kind} lacks the layers {', '.join(missing)}.",
            where=path,
            fix="it is a 'notop' file: use the one with the fully connected layers"
            if notop
            else f"use the weights of a VGG-16: {_KNOWN}",
        )
    maps = [shape for shape in expected.values() if len(shape) == 4][-1][0]
    tensors = {}
    for name, (weight, bias) in layers.items():
        shape = expected[name]
        if name == "fc8":
            shape = (np.size(bias), *shape[1:])
        converted = _to_torch(np.asarray(weight), shape, file.layout, maps if name == "fc6" else 0)
        bias = np.asarray(bias).ravel()
        if converted is None or bias.shape != shape[:1]:
            raise ElrcnError(
                f"{name} of this {file.kind} has the shape {np.shape(weight)} ({file.layout}), "
                f"which does not fit {shape}.",
                where=path,
                fix="use the weights of a VGG-16 for 224 x 224 px and 3 channels",
            )
        if not (np.isfinite(converted).all() and np.isfinite(bias).all()):
            raise ElrcnError(f"{name} of this {file.kind} holds values not finite.", where=path)
        tensors[f"{name}.weight"] = torch.from_numpy(converted.astype(np.float32))
        tensors[f"{name}.bias"] = torch.from_numpy(bias.astype(np.float32))
    return tensors


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
    """Convert a weights file once; return the safetensors file that `ELRCNTE` takes.

    Parameters
    ----------
    path, config, channel_order
        As for `read_vggface`.
    cache : path
        Folder for the converted weights and their JSON card.

    Raises
    ------
    ElrcnError
        As `read_vggface`; nothing is written then.
    """
    path, config = Path(path), config or VGGConfig()
    digest = file_hash(path)
    key = config_hash("vggface", code_hash("models/vggface.py"), config, channel_order, digest)
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
