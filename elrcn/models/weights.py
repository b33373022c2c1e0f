"""Weights in safetensors files: digests, loading all but the last layer."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from elrcn.errors import ElrcnError
from elrcn.files import known_digest, read_json, replacing, set_aside
from elrcn.models.vgg import VGG


def file_hash(path: str | Path) -> str:
    """SHA-256 (hex, 16 digits) of a file's bytes."""
    path = Path(path)
    if not path.is_file():
        raise ElrcnError("There is no weights file here.", where=path)
    return known_digest(path)[:16]


def load_weights(module: VGG, path: str | Path) -> None:
    """Copy the weights of a safetensors file into `module`, all but those of the last layer.

    Parameters
    ----------
    module : VGG
        Network whose other layers have the shapes of the file.
    path : path
        Written by `elrcn.models.pretrain` or by the VGG-Face converter.

    Raises
    ------
    ElrcnError
        If the file is missing or unreadable, lacks a layer or has other shapes.
    """
    copy_weights(module, read_tensors(path), path)


def read_tensors(path: str | Path, of: str | None = None) -> dict[str, torch.Tensor]:
    """Read a safetensors file.

    Parameters
    ----------
    path : path
        File, written by `write_tensors` or by others.
    of : str, optional
        What the file must belong to, as it was said to `write_tensors`; one without a digest is
        then refused. Left out, a digest that is there must agree with the tensors alone.

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


def copy_weights(module: VGG, tensors: dict[str, torch.Tensor], where=None) -> None:
    """Copy `tensors` into `module`, all but fc8, after checking every name and shape."""
    own = {k: v for k, v in module.state_dict().items() if not k.startswith("fc8.")}
    missing = [k for k in own if k not in tensors]
    if missing:
        raise ElrcnError(
            f"The weights lack {len(missing)} of {len(own)} tensors, first {missing[0]}.",
            where=where,
            fix="use weights of the whole network (not a 'notop' file) with the same VGGConfig",
        )
    for name, value in own.items():
        if tensors[name].shape != value.shape:
            raise ElrcnError(
                f"{name} has the shape {tuple(tensors[name].shape)} in the weights but "
                f"{tuple(value.shape)} in the network.",
                where=where,
                fix="give both the same VGGConfig; pretrained weights need 3 input channels",
            )
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(tensors[name])
