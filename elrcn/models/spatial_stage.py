"""The spatial stage: one VGG trained on frames that carry their clip's label, kept for reuse."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from elrcn.config import TrainConfig, VGGConfig, canonical, config_hash
from elrcn.models.device import memory_format, resolve_device, session
from elrcn.models.inputs import InputEncoder, Quirks, check_clips, content_hash
from elrcn.models.sources import frame_source
from elrcn.models.train import History, outputs, train
from elrcn.models.vgg import VGG
from elrcn.models.weights import file_hash, load_weights


@dataclass(frozen=True)
class SpatialSpec:
    """All that decides a trained spatial network besides the clips and the seed."""

    stream: str = "all"
    vgg: VGGConfig = field(default_factory=VGGConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    scaling: str = "raw"
    quirks: Quirks = field(default_factory=Quirks)
    pretrained: str | None = None

    def key(self, X, y: np.ndarray, seed: int, threads: int, device: str, before: int) -> str:
        """Name under which the network of these training clips is kept."""
        q = self.quirks
        return config_hash(
            "spatial-1", self.stream, self.vgg, self.train, self.scaling,
            [q.reshape_layout, q.uint8_flow, q.raw_scale, before],
            file_hash(self.pretrained) if self.pretrained else None,
            content_hash(X), np.asarray(y).tolist(), seed, threads, device, torch.__version__,
        )  # fmt: skip


class SpatialNetwork:
    """A trained VGG of one stream with the input encoding it was trained under.

    Attributes
    ----------
    spec : SpatialSpec
        How it was made.
    module : VGG
        The network.
    encoder : InputEncoder
        Fitted to the training clips.
    history : History
        Losses of its training.
    folder : Path or None
        Where it and its features are kept.
    """

    def __init__(self, spec, module, encoder, history, device, threads, folder=None):
        self.spec, self.module, self.encoder, self.history = spec, module, encoder, history
        self.device, self.threads, self.folder = device, threads, folder

    def _run(self, X, function) -> np.ndarray:
        """Apply `function` to all frames of `X`, shape (clips, frames, values)."""
        shape = check_clips(X, self.spec.vgg.size)
        device = resolve_device(self.device)
        with session(device, 0, self.threads):
            self.module.to(device, memory_format=memory_format(device)).train(False)
            values = outputs(function, frame_source(X, self.encoder, device), device=device)
        return values.reshape(shape[0], shape[1], -1)

    def features(self, X, layer: str = "fc7") -> np.ndarray:
        """Feature vectors of `layer`, shape (clips, frames, fc), float32.

        Where the network is kept in a feature store, so are they, by layer and content of `X`.
        """
        if self.folder is None:
            return self._run(X, lambda x: self.module.features(x, layer))
        path = Path(self.folder) / f"{layer}-{content_hash(X)}.npy"
        if path.is_file():
            return np.load(path)
        values = self._run(X, lambda x: self.module.features(x, layer))
        handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            np.save(file, values)
        os.replace(part, path)
        return values

    def frame_probabilities(self, X) -> np.ndarray:
        """Class probabilities of every frame, shape (clips, frames, classes), float32."""
        return self._run(X, lambda x: self.module(x).float().softmax(1))


def fit_spatial(
    spec: SpatialSpec,
    X,
    y: np.ndarray,
    classes: int,
    *,
    seed: int,
    device: str = "auto",
    threads: int = 2,
    store: str | Path | None = None,
    updates_before: int = 0,
    progress: bool = False,
) -> SpatialNetwork:
    """Train the network of `spec` on the clips `X`, or fetch it from `store`.

    Parameters
    ----------
    spec : SpatialSpec
        Stream, network, training, scaling, quirks, initial weights.
    X : array (clips, frames, 5, H, W)
        Training clips.
    y : ndarray of int, shape (clips,)
        Class index of every clip; each frame carries it (Section III-B).
    classes : int
        Number of classes.
    seed : int
        Decides initial weights, dropout and order.
    device, threads
        Where to run, and CPU threads.
    store : path, optional
        Folder of trained networks: one made from the same clips, settings and seed by any
        experiment is taken instead of training anew. Safe to delete.
    updates_before : int
        See `elrcn.models.train.KerasAdam`.
    progress : bool
        Show a bar.
    """
    shape = check_clips(X, spec.vgg.size)
    torch_device = resolve_device(device)
    encoder = InputEncoder(spec.stream, spec.scaling, spec.quirks)
    module = VGG(spec.vgg, len(encoder.channels), classes, init="skip")
    folder = None
    if store is not None:
        key = spec.key(X, y, seed, threads, torch_device.type, updates_before)
        folder = Path(store) / f"{spec.stream}-{key}"
        if (folder / "card.json").is_file():
            return _fetch(folder, spec, module, encoder, device, threads)
    encoder.fit(X)
    with session(torch_device, seed, threads):
        module.reset_parameters()
        if spec.pretrained:
            load_weights(module, spec.pretrained)
        source = frame_source(X, encoder, torch_device)
        history = train(
            module,
            source,
            np.repeat(y, shape[1]),
            spec.train,
            device=torch_device,
            seed=seed,
            updates_before=updates_before,
            progress=progress,
            label=f"spatial stage ({spec.stream})",
        )
    network = SpatialNetwork(spec, module, encoder, history, device, threads, folder)
    if folder is not None:
        _keep(folder, network)
    return network


def _keep(folder: Path, network: SpatialNetwork) -> None:
    """Write the network to `folder` in one step; another process may win the race."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".part-"))
    try:
        tensors = {k: v.detach().cpu().contiguous() for k, v in network.module.state_dict().items()}
        save_file(tensors, part / "network.safetensors")
        card = {
            "spec": canonical(network.spec),
            "mean": network.encoder.mean.tolist(),
            "std": network.encoder.std.tolist(),
            "history": network.history.to_dict(),
        }
        (part / "card.json").write_text(json.dumps(card, indent=1))
        try:
            os.rename(part, folder)
        except OSError:
            if not (folder / "card.json").is_file():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _fetch(folder: Path, spec, module, encoder, device, threads) -> SpatialNetwork:
    card = json.loads((folder / "card.json").read_text())
    encoder.mean = np.array(card["mean"], np.float32)
    encoder.std = np.array(card["std"], np.float32)
    module.load_state_dict(load_file(folder / "network.safetensors"))
    history = History(**card["history"])
    return SpatialNetwork(spec, module, encoder, history, device, threads, folder)
