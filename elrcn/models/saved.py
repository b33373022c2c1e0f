"""Trained models on disk: safetensors and a JSON card, nothing that runs when loaded."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
from sklearn.utils.validation import check_is_fitted

from elrcn.config import TemporalConfig, TrainConfig, VGGConfig, canonical
from elrcn.errors import ElrcnError
from elrcn.files import read_json, replacing, write_json
from elrcn.models.estimators import ELRCN, SpatialOnly, TemporalOnly
from elrcn.models.inputs import InputEncoder, Quirks
from elrcn.models.networks import TemporalHead
from elrcn.models.spatial_stage import SpatialSpec, rebuild
from elrcn.models.train import History
from elrcn.models.weights import read_tensors, write_tensors

FORMAT = "elrcn-model-2"
_KINDS = {kind.__name__: kind for kind in (ELRCN, SpatialOnly, TemporalOnly)}
#: What models were called in cards of the format before.
_BEFORE = {"elrcn-model-1": {"ELRCNSE": "ELRCN", "ELRCNTE": "ELRCN"}}
_CONFIGS = {
    "vgg": VGGConfig,
    "temporal": TemporalConfig,
    "spatial_train": TrainConfig,
    "temporal_train": TrainConfig,
    "quirks": Quirks,
}
# Where the model runs is the loader's affair.
_LOCAL = ("device", "feature_store", "progress", "pretrained")


def save_model(estimator, folder: str | Path, about: dict | None = None) -> Path:
    """Write a fitted estimator to `folder`: ``model.safetensors`` and ``card.json``.

    Parameters
    ----------
    estimator : ELRCN, SpatialOnly or TemporalOnly
        Fitted.
    folder : path
        New folder; it appears complete or not at all.
    about : dict, optional
        What the model was trained on and how, for the people who use it (JSON values).

    Raises
    ------
    ElrcnError
        If the folder exists and is not empty, cannot be written, or the estimator is of
        another kind.
    """
    folder, kind = Path(folder), type(estimator).__name__
    if kind not in _KINDS:
        raise ElrcnError(f"A {kind} cannot be saved.", fix=f"save one of: {', '.join(_KINDS)}")
    check_is_fitted(estimator, "classes_")
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise ElrcnError("There is something here already.", where=folder, fix="name a new folder")
    tensors, networks = {}, {}
    for stream, network in getattr(estimator, "networks_", {}).items():
        state = network.module.state_dict()
        tensors |= {f"spatial.{stream}.{name}": value for name, value in state.items()}
        networks[stream] = {**network.card(), "train": canonical(network.spec.train)}
    card = {
        "format": FORMAT,
        "kind": kind,
        "classes": estimator.classes_.tolist(),
        "parameters": {
            name: canonical(value)
            for name, value in estimator.get_params(deep=False).items()
            if name not in _LOCAL
        },
        "networks": networks,
        "about": about or {},
    }
    if hasattr(estimator, "temporal_"):
        state = estimator.temporal_.state_dict()
        tensors |= {f"temporal.{name}": value for name, value in state.items()}
        card["temporal"] = {
            "inputs": estimator.temporal_.inputs,
            "history": asdict(estimator.history_),
        }
    if hasattr(estimator, "encoder_"):
        card["encoder"] = estimator.encoder_.measured()
    with replacing(folder) as part:
        write_tensors(tensors, part / "model.safetensors")
        write_json(part / "card.json", card)
    return folder


def _config(kind, values: dict, where):
    known = {f.name for f in fields(kind)}
    if not isinstance(values, dict) or not set(values) <= known:
        raise ElrcnError(f"The card's {kind.__name__} is not understood.", where=where)
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def read_card(folder: str | Path) -> dict:
    """Read the JSON card of a saved model.

    Raises
    ------
    ElrcnError
        If there is no saved model in `folder`.
    """
    path = Path(folder) / "card.json"
    try:
        card = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ElrcnError(
            f"There is no saved model here ({error}).", where=folder, fix="run `elrcn train` first"
        ) from None
    if isinstance(card, dict) and (names := _BEFORE.get(card.get("format"))):
        kind = card.get("kind")
        card = card | {"format": FORMAT, "kind": names.get(kind, kind)}
        if kind == "ELRCNSE":
            rest = dict(card.get("parameters", {}))
            card["parameters"] = {"streams": [rest.pop("stream", "all")], **rest}
    if not isinstance(card, dict) or card.get("format") != FORMAT or card.get("kind") not in _KINDS:
        raise ElrcnError("This card is not that of a model saved by this version.", where=path)
    if "sha256" in card and read_json(path) is None:
        raise ElrcnError(
            "This card was changed since it was written, or is damaged.",
            where=path,
            fix="copy the model again, or train it again with `elrcn train`",
        )
    return card


def load_model(folder: str | Path, device: str = "auto"):
    """Return the estimator that `save_model` wrote to `folder`; it predicts at once, on `device`.

    Raises
    ------
    ElrcnError
        If something is missing, damaged or does not fit together.
    """
    folder = Path(folder)
    card = read_card(folder)
    tensors = read_tensors(folder / "model.safetensors")
    try:
        return _restore(card, tensors, device, folder)
    # What a damaged card of an earlier version, which has no digest, may lead to.
    except (
        KeyError, TypeError, ValueError, RuntimeError, AttributeError, IndexError, AssertionError
    ) as error:  # fmt: skip
        raise ElrcnError(
            f"The card and the weights of this model do not fit, or are damaged ({error}).",
            where=folder,
            fix="copy the model again, or train it again with `elrcn train`",
        ) from None


def _restore(card: dict, tensors: dict, device: str, folder: Path):
    parameters = dict(card["parameters"])
    for name, kind in _CONFIGS.items():
        if parameters.get(name) is not None:
            parameters[name] = _config(kind, parameters[name], folder)
    if "streams" in parameters:
        parameters["streams"] = tuple(parameters["streams"])
    model = _KINDS[card["kind"]](**parameters, device=device)
    model.classes_ = np.array(card["classes"])
    quirks = model.quirks or Quirks()
    if card["networks"]:
        model.networks_ = {}
    for stream, own in card["networks"].items():
        train = _config(TrainConfig, own["train"], folder)
        model.networks_[stream] = rebuild(
            SpatialSpec(stream, model.vgg, train, model.scaling, quirks),
            len(model.classes_),
            _part(tensors, f"spatial.{stream}."),
            own,
            device,
            model.threads,
        )
    if "temporal" in card:
        head = TemporalHead(
            model.temporal, card["temporal"]["inputs"], len(model.classes_), gates=model.gates
        )
        head.load_state_dict(_part(tensors, "temporal."))
        model.temporal_ = head.train(False)
        model.history_ = History(**card["temporal"]["history"])
    if "encoder" in card:
        encoder = InputEncoder(model.stream, model.scaling, quirks)
        model.encoder_ = encoder.restore(card["encoder"])
    return model


def _part(tensors: dict, prefix: str) -> dict:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
