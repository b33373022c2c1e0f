"""The spatial stage: one VGG trained on frames that carry their clip's label, kept for reuse."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch

from elrcn.config import TrainConfig, VGGConfig, canonical, config_hash
from elrcn.errors import ElrcnError
from elrcn.files import (
    code_hash,
    computed_once,
    read_array,
    read_json,
    replacing,
    set_aside,
    sweep,
    write_array,
    write_json,
)
from elrcn.models.inputs import (
    InputEncoder,
    Quirks,
    check_clips,
    content_hash,
    frame_source,
    frames_at_once,
)
from elrcn.models.networks import LAYERS, VGG, count_parameters
from elrcn.models.train import (
    History,
    frozen,
    memory_format,
    outputs,
    reproducible,
    resolve_device,
    train,
)
from elrcn.models.weights import file_hash, load_weights, read_tensors, write_tensors

#: Bytes of a network above which the feature store keeps what it answers, not the network.
MOST_KEPT = 1 << 28
#: What is kept of every network for the clips it was applied to.
ANSWERS = (*LAYERS, "softmax")


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
            "spatial", code_hash("models/spatial_stage.py"), self.stream, self.vgg,
            self.train, self.scaling,
            [q.reshape_layout, q.uint8_flow, q.raw_scale, q.frozen_layers, q.reversed_channels],
            before,
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
        The network. One whose features alone are kept is trained again when it is asked for.
    encoder : InputEncoder
        Fitted to the training clips.
    history : History
        Losses of its training.
    folder : Path or None
        Where it and its features are kept.
    """

    def __init__(self, spec, module, encoder, history, device, threads, folder=None, again=None):
        self.spec, self._module, self.encoder, self.history = spec, module, encoder, history
        self.device, self.threads, self.folder, self._again = device, threads, folder, again

    @property
    def module(self) -> VGG:
        """The network."""
        if self._module is None:
            self._module = self._again().module
        return self._module

    def __getstate__(self):
        # What would train it again holds the training clips.
        return self.__dict__ | {"_module": self.module, "_again": None}

    def card(self) -> dict:
        """Give what a card says of the network besides its spec, for `rebuild`."""
        return {**self.encoder.measured(), "history": asdict(self.history)}

    def _answers(self, X) -> dict[str, np.ndarray]:
        """Give fc6, fc7 and class probabilities of all frames, in one pass over them."""
        shape = check_clips(X, self.spec.vgg.size)
        device = resolve_device(self.device)
        module = self.module
        with reproducible(device, 0, self.threads):
            module.to(device, memory_format=memory_format(device)).train(False)
            values = outputs(
                lambda x: torch.cat(module.answers(x), 1),
                frame_source(X, self.encoder, device),
                device=device,
                batch_size=frames_at_once(self.spec.vgg, device),
            )
        values = values.reshape(shape[0], shape[1], -1)
        fc = self.spec.vgg.fc
        parts = np.split(values, [fc, 2 * fc], axis=2)
        return dict(zip(ANSWERS, map(np.ascontiguousarray, parts), strict=True))

    def _kept(self, X, name: str) -> np.ndarray:
        """Answer `name`, from the feature store if it is there; all are put there together."""
        if self.folder is None:
            return self._answers(X)[name]
        content = content_hash(X)
        path = Path(self.folder) / f"{name}-{content}.npy"
        answer = read_array(path)
        if answer is None:
            answers = self._answers(X)
            for other, values in answers.items():
                target = path.with_name(f"{other}-{content}.npy")
                if read_array(target) is None:
                    set_aside(target)
                    write_array(target, values)
            answer = answers[name]
        return answer

    def features(self, X, layer: str = "fc7") -> np.ndarray:
        """Feature vectors of `layer`, shape (clips, frames, fc), float32.

        In a feature store they lie beside the network, by layer and content of `X`.

        Raises
        ------
        ElrcnError
            If `layer` is neither fc6 nor fc7.
        """
        if layer not in LAYERS:
            raise ElrcnError(f"There is no feature layer {layer!r}.", fix="choose fc6 or fc7")
        return self._kept(X, layer)

    def frame_probabilities(self, X) -> np.ndarray:
        """Class probabilities of every frame, shape (clips, frames, classes), float32."""
        return self._kept(X, "softmax")


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
        experiment is taken instead of training anew. Of networks above `MOST_KEPT` bytes, such
        as the full VGG-16, the features alone are kept. Safe to delete.
    updates_before : int
        See `elrcn.models.train.KerasAdam`.
    progress : bool
        Show a bar.
    """
    check_clips(X, spec.vgg.size)
    make = partial(
        train_spatial, spec, X, y, classes, seed=seed, device=device, threads=threads,
        updates_before=updates_before, progress=progress,
    )  # fmt: skip
    if store is None:
        return make()
    key = spec.key(X, y, seed, threads, resolve_device(device).type, updates_before)
    folder = Path(store) / f"{spec.stream}-{key}"
    with computed_once(folder):
        network = _fetch(folder, spec, classes, device, threads, make)
        if network is None:
            set_aside(folder)
            network = make()
            network.folder = folder
            _keep(network)
    return network


def train_spatial(
    spec: SpatialSpec,
    X,
    y: np.ndarray,
    classes: int,
    *,
    seed: int,
    device: str = "auto",
    threads: int = 2,
    updates_before: int = 0,
    progress: bool = False,
) -> SpatialNetwork:
    """Train the network of `spec`; parameters as for `fit_spatial`. Nothing is read or kept."""
    torch_device = resolve_device(device)
    network = untrained_network(spec, X, classes, seed=seed, device=device, threads=threads)
    fixed = network.module.layers()[:-2] if spec.quirks.frozen_layers else ()
    with reproducible(torch_device, seed, threads), frozen(fixed):
        network.history = train(
            network.module,
            frame_source(X, network.encoder, torch_device),
            np.repeat(y, X.shape[1]),
            spec.train,
            device=torch_device,
            seed=seed,
            updates_before=updates_before,
            progress=progress,
            label=f"spatial stage ({spec.stream})",
        )
    return network


def untrained_network(
    spec: SpatialSpec, X, classes: int, *, seed: int, device: str = "auto", threads: int = 2
) -> SpatialNetwork:
    """Give the network that `fit_spatial` would start from, its encoding fitted to `X`."""
    check_clips(X, spec.vgg.size)
    encoder = InputEncoder(spec.stream, spec.scaling, spec.quirks).fit(X)
    with reproducible(resolve_device(device), seed, threads):
        module = VGG(spec.vgg, len(encoder.channels), classes)
        if spec.pretrained:
            load_weights(module, spec.pretrained)
    return SpatialNetwork(spec, module, encoder, History(), device, threads)


def _keep(network: SpatialNetwork) -> None:
    """Write the network to its folder in one step; another process may win the race."""
    own = network.folder.name
    sweep(network.folder.parent)
    with replacing(network.folder) as part:
        whole = 4 * count_parameters(network.module) <= MOST_KEPT
        if whole:
            write_tensors(network.module.state_dict(), part / "network.safetensors", of=own)
        card = {"whole": whole, "spec": canonical(network.spec), **network.card()}
        write_json(part / "card.json", card, of=own)


def _fetch(folder: Path, spec, classes: int, device: str, threads: int, again):
    """Give the network kept in `folder`; None if it is missing or damaged."""
    card, tensors = read_json(folder / "card.json", of=folder.name), None
    if card is None:
        return None
    if card["whole"]:
        try:
            tensors = read_tensors(folder / "network.safetensors", of=folder.name)
        except ElrcnError:
            return None
    return rebuild(spec, classes, tensors, card, device, threads, folder, again)


def rebuild(
    spec: SpatialSpec, classes: int, tensors, card: dict, device, threads, folder=None, again=None
) -> SpatialNetwork:
    """Make a trained network from its tensors and card; without tensors, `again` trains it."""
    encoder = InputEncoder(spec.stream, spec.scaling, spec.quirks).restore(card)
    module = None
    if tensors is not None:
        module = VGG(spec.vgg, len(encoder.channels), classes, init="skip")
        module.load_state_dict(tensors)
    history = History(**card["history"])
    return SpatialNetwork(spec, module, encoder, history, device, threads, folder, again)
