"""ELRCN and its parts as scikit-learn classifiers of clips (Sections III-B to III-D, IV-E)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted
from torch.nn import functional as F

from elrcn.config import TemporalConfig, TrainConfig, VGGConfig
from elrcn.errors import ElrcnError
from elrcn.features.base import LinearSVM
from elrcn.models.inputs import STREAMS, InputEncoder, Quirks, TensorSource, check_clips
from elrcn.models.networks import TemporalHead, class_scores
from elrcn.models.spatial_stage import SpatialSpec, fit_spatial, untrained_network
from elrcn.models.train import outputs, reproducible, resolve_device, train
from elrcn.preprocess.clips import VARIANTS


def stage_seed(random_state: int | None, stage: str) -> int:
    """Seed of one stage: it depends on `random_state` and the stage's name only.

    So the flow network of a fold is the same network in every experiment that asks for it.
    """
    entropy = np.random.SeedSequence().entropy if random_state is None else int(random_state)
    words = [entropy, *stage.encode()]
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> 1)


def encode_labels(y, clips: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted classes and every clip's class index.

    Raises
    ------
    ElrcnError
        If there is not one label a clip, or only one class.
    """
    classes, index = np.unique(np.asarray(y), return_inverse=True)
    if len(index) != clips:
        raise ElrcnError(f"There are {clips} clips but {len(index)} labels.")
    if len(classes) < 2:
        raise ElrcnError("The training clips hold a single class; there is nothing to tell apart.")
    return classes, index


#: Streams of temporal enrichment; ("all",), five channels in one network, are those of spatial.
TE_STREAMS = ("flow", "strain", "grey")
_VGG, _TEMPORAL, _TRAIN = VGGConfig(), TemporalConfig(), TrainConfig()  # frozen


@dataclass(eq=False, repr=False, kw_only=True)
class ClipClassifier(ClassifierMixin, BaseEstimator):
    """What the estimators on stacks (clips, frames, 5, H, W) share.

    A dataclass, so that each names its own parameters only: scikit-learn reads them, as ever, from
    the constructor. Subclasses fill `networks_` (by stream), `temporal_` or both when fitted.

    Parameters
    ----------
    scaling : {"raw", "standard", "motion"}
        Input scaling, see `elrcn.models.inputs.InputEncoder`.
    quirks : Quirks, optional
        Departures of the authors' code; None means none.
    random_state : int or None
        Seed of everything.
    device : str
        "auto", "cpu", "cuda" or "mps".
    threads : int
        CPU threads of torch; part of what makes a result bit-reproducible.
    progress : bool
        Show bars.

    Attributes
    ----------
    classes_ : ndarray
        Labels, sorted.
    networks_ : dict of SpatialNetwork
        By stream.
    temporal_ : TemporalHead
        The trained temporal stage.
    history_ : History
        Of the temporal stage.
    """

    scaling: str = "raw"
    quirks: Quirks | None = None
    random_state: int | None = 0
    device: str = "auto"
    threads: int = 2
    progress: bool = False

    def _quirks(self) -> Quirks:
        return self.quirks or Quirks()

    def _check_streams(self) -> None:
        """Raise `ElrcnError` unless `streams` names each stream at most once, and "all" alone."""
        streams = tuple(self.streams)
        unknown = [s for s in streams if s not in STREAMS or (s == "all" and len(streams) > 1)]
        if unknown or not streams or len(set(streams)) != len(streams):
            raise ElrcnError(
                f"There is no network with the streams {streams}.",
                fix="name each of flow, strain and grey at most once, or all alone",
            )

    def _spec(self, stream: str, train: TrainConfig) -> SpatialSpec:
        """Say what decides the network of `stream`."""
        pretrained = None if self.pretrained is None else str(self.pretrained)
        return SpatialSpec(stream, self.vgg, train, self.scaling, self._quirks(), pretrained)

    def _fit_networks(self, X, index: np.ndarray) -> int:
        """Train one spatial network a stream; return the updates a shared optimizer counted."""
        quirks = self._quirks()
        updates = quirks.updates_before if quirks.shared_optimizer else 0
        self.networks_ = {}
        for stream in self.streams:
            self.networks_[stream] = fit_spatial(
                self._spec(stream, self.spatial_train),
                X,
                index,
                len(self.classes_),
                seed=stage_seed(self.random_state, stream),
                device=self.device,
                threads=self.threads,
                store=self.feature_store,
                updates_before=updates,
                progress=self.progress,
            )
            if quirks.shared_optimizer:
                updates = self.networks_[stream].history.updates
        return updates

    def _fit_temporal(self, sequences: np.ndarray, index: np.ndarray, updates: int = 0) -> None:
        """Train the temporal stage on sequences (clips, frames, values)."""
        device = resolve_device(self.device)
        seed = stage_seed(self.random_state, "temporal")
        sigmoid = self._quirks().sigmoid_head
        with reproducible(device, seed, self.threads):
            self.temporal_ = TemporalHead(
                self.temporal, sequences.shape[2], len(self.classes_), gates=self.gates
            )
            self.history_ = train(
                self.temporal_,
                TensorSource(torch.from_numpy(sequences).to(device)),
                index,
                self.temporal_train,
                device=device,
                seed=seed,
                scores=lambda logits: class_scores(logits, sigmoid),
                updates_before=updates,
                progress=self.progress,
                label="temporal stage",
            )

    def _temporal_probabilities(self, sequences: np.ndarray) -> np.ndarray:
        check_is_fitted(self, "temporal_")
        device = resolve_device(self.device)
        sigmoid = self._quirks().sigmoid_head
        with reproducible(device, 0, self.threads):
            head = self.temporal_.to(device).train(False)
            return outputs(
                lambda x: class_scores(head(x).float(), sigmoid).softmax(1),
                TensorSource(torch.from_numpy(sequences).to(device)),
                device=device,
            )

    def spatial_features(self, X, layer: str | None = None) -> np.ndarray:
        """Feature vectors of all frames, streams concatenated: (clips, frames, streams * fc).

        Parameters
        ----------
        X : array (clips, frames, 5, H, W)
            Clips.
        layer : {"fc7", "fc6"}, optional
            Default: the estimator's own, else fc7.
        """
        check_is_fitted(self, "networks_")
        layer = layer or getattr(self, "layer", "fc7")
        parts = [network.features(X, layer) for network in self.networks_.values()]
        return np.concatenate(parts, axis=2)

    def predict(self, X) -> np.ndarray:
        """Most probable label of every clip."""
        return self.classes_[self.predict_proba(X).argmax(1)]


def vote_shares(frames: np.ndarray) -> np.ndarray:
    """Share of the frames that vote for each class; equal shares are told apart by mean scores.

    Parameters
    ----------
    frames : ndarray (clips, frames, classes)
        Probabilities of every frame.

    Returns
    -------
    ndarray (clips, classes)
        Rows add up to 1.
    """
    votes = np.eye(frames.shape[2])[frames.argmax(2)].mean(1)
    # Far less than one vote, so it decides ties and nothing else.
    weight = 0.01 / frames.shape[1]
    return ((1 - weight) * votes + weight * frames.mean(1)).astype(np.float32)


@dataclass(eq=False, repr=False, kw_only=True)
class ELRCN(ClipClassifier):
    """ELRCN: a VGG for each stream, then an LSTM on their features, laid end to end.

    ``streams=("all",)`` is spatial enrichment (SE): one network from scratch on five channels.
    ``streams=("flow", "strain", "grey")`` is temporal enrichment (TE): flow, strain (three times)
    and grey (three times) each have a 3-channel VGG that starts from face-identity weights, is
    fine-tuned whole with its own softmax, and gives its features to one temporal stage: 3 x 4,096
    = 12,288 at full size.

    Parameters
    ----------
    streams : tuple of {"all", "flow", "strain", "grey"}
        Networks, in the order of their features; "all" only alone.
    pretrained : path, optional
        Safetensors file of face-identity weights (`elrcn.models.pretrain.face_identity_weights`,
        or converted VGG-Face) that networks of three channels start from; None: Glorot uniform.
    vgg : VGGConfig
        Spatial networks.
    temporal : TemporalConfig
        LSTM layers and the FC between.
    spatial_train, temporal_train : TrainConfig
        Training of the two stages (Section III-D).
    layer : {"fc7", "fc6"}
        Features given to the temporal stage.
    gates : {"sigmoid", "hard"}
        LSTM gates; "hard" as in Keras.
    feature_store : path, optional
        Folder of spatial networks shared between experiments.
    scaling, quirks, random_state, device, threads, progress
        As for `ClipClassifier`.
    """

    streams: tuple[str, ...] = ("all",)
    pretrained: str | Path | None = None
    vgg: VGGConfig = _VGG
    temporal: TemporalConfig = _TEMPORAL
    spatial_train: TrainConfig = _TRAIN
    temporal_train: TrainConfig = _TRAIN
    layer: str = "fc7"
    gates: str = "sigmoid"
    feature_store: str | Path | None = None

    def fit(self, X, y):
        """Train the spatial network(s), then the temporal stage on their features.

        Parameters
        ----------
        X : array (clips, frames, 5, H, W)
            Stacks: p, q, |v| in pixels per frame, strain, grey 0..255.
        y : array (clips,)
            Labels.

        Raises
        ------
        ElrcnError
            If shapes disagree, the device is missing or a training diverges.
        """
        self._check_streams()
        self.classes_, index = encode_labels(y, len(X))
        updates = self._fit_networks(X, index)
        self._fit_temporal(self.spatial_features(X), index, updates)
        return self

    def predict_proba(self, X) -> np.ndarray:
        """Class probabilities (clips, classes), columns in the order of `classes_` (Eq 5)."""
        check_is_fitted(self, "temporal_")
        check_clips(X, self.vgg.size)
        return self._temporal_probabilities(self.spatial_features(X))


@dataclass(eq=False, repr=False, kw_only=True)
class SpatialOnly(ClipClassifier):
    """VGG on single frames; a clip's answer is what its frames say together.

    Parameters
    ----------
    streams : tuple of {"all", "flow", "strain", "grey"}
        One network each; frames of several networks vote side by side. ``("all",)`` is one
        network on all five channels (from scratch only).
    pretrained : path, optional
        Weights to fine-tune from, as for `ELRCN`.
    vote : {"majority", "mean"}
        "majority": share of the frames voting for a class (ties go to the higher mean
        probability). "mean": mean of the frames' probabilities.
    vgg, spatial_train, scaling, quirks, random_state, device, threads, feature_store, progress
        As for `ELRCN`, and with the same values the same networks: a shared
        `feature_store` trains them once.
    """

    streams: tuple[str, ...] = ("flow",)
    pretrained: str | Path | None = None
    vote: str = "majority"
    vgg: VGGConfig = _VGG
    spatial_train: TrainConfig = _TRAIN
    feature_store: str | Path | None = None

    def fit(self, X, y):
        """Train the network(s) on frames that carry their clip's label; `X`, `y` as for `ELRCN`."""
        if self.vote not in ("majority", "mean"):
            raise ElrcnError(f"There is no vote called {self.vote!r}.", fix="majority or mean")
        self.classes_, index = encode_labels(y, len(X))
        self._fit_networks(X, index)
        return self

    def predict_proba(self, X) -> np.ndarray:
        """Vote shares or mean probabilities (clips, classes), in the order of `classes_`."""
        check_is_fitted(self, "networks_")
        parts = [network.frame_probabilities(X) for network in self.networks_.values()]
        frames = np.concatenate(parts, axis=1)
        return vote_shares(frames) if self.vote == "majority" else frames.mean(1)


@dataclass(eq=False, repr=False, kw_only=True)
class FrozenFeatureSVM(ClipClassifier):
    """Linear SVM on frame features of networks that are not trained on the clips at all.

    Parameters
    ----------
    pretrained : path, optional
        Face-identity weights; None leaves random weights, a control.
    streams : tuple of {"flow", "strain", "grey"}
        Networks; their features are concatenated frame by frame.
    layer : {"fc7", "fc6"}
        Features.
    C : float
        The SVM's penalty of slack, on standardised features. The paper's baselines use 10000
        (Section IV-B), with which LIBSVM runs a million steps and more on single frames, whose
        classes overlap; the paper says nothing of an SVM on features.
    vgg, scaling, quirks, random_state, device, threads, progress
        As for `ELRCN`.

    Attributes
    ----------
    converged_ : bool
        Whether the SVM did, see `elrcn.features.base.LinearSVM`.

    Notes
    -----
    `predict_proba` gives the share of frames whose SVM answers each class, not a calibrated
    probability.
    """

    streams: tuple[str, ...] = ("flow",)
    pretrained: str | Path | None = None
    layer: str = "fc7"
    C: float = 1.0
    vgg: VGGConfig = _VGG

    def fit(self, X, y):
        """Measure the input scaling on `X`, then fit the SVM to its frames' features."""
        frames = check_clips(X, self.vgg.size)[1]
        self.classes_, index = encode_labels(y, len(X))
        self.networks_ = {
            stream: untrained_network(
                self._spec(stream, TrainConfig()),
                X,
                len(self.classes_),
                seed=stage_seed(self.random_state, stream),
                device=self.device,
                threads=self.threads,
            )
            for stream in self.streams
        }
        features = self.spatial_features(X)
        self.svm_ = make_pipeline(StandardScaler(), LinearSVM(C=self.C))
        self.svm_.fit(features.reshape(-1, features.shape[2]), np.repeat(index, frames))
        self.converged_ = self.svm_[-1].converged_
        return self

    def predict_proba(self, X) -> np.ndarray:
        """Vote shares (clips, classes), in the order of `classes_`."""
        check_is_fitted(self, "svm_")
        features = self.spatial_features(X)
        scores = self.svm_.predict_proba(features.reshape(-1, features.shape[2]))
        return vote_shares(scores.reshape(*features.shape[:2], -1))


@dataclass(eq=False, repr=False, kw_only=True)
class TemporalOnly(ClipClassifier):
    """LSTM on the grey values of small frames.

    Parameters
    ----------
    temporal : TemporalConfig
        LSTM layers.
    temporal_train : TrainConfig
        Training.
    pixels : int
        Side in pixels to which frames are resized (paper: 50): area averaging, or bilinear
        interpolation where the stacks are smaller.
    stream : {"grey", "flow", "strain", "all"}
        What is flattened; "grey" is the paper's "pixel intensities", one value a pixel.
    scaling, quirks, gates, random_state, device, threads, progress
        As for `ELRCN`.
    """

    pixels: int = 50
    stream: str = "grey"
    temporal: TemporalConfig = _TEMPORAL
    temporal_train: TrainConfig = _TRAIN
    gates: str = "sigmoid"

    def fit(self, X, y):
        """Train the LSTM on flattened frames; `X`, `y` as for `ELRCN`."""
        check_clips(X)
        if self.pixels < 1:
            raise ElrcnError(f"Frames cannot be resized to {self.pixels} px.")
        self.classes_, index = encode_labels(y, len(X))
        self.encoder_ = InputEncoder(self.stream, self.scaling, self._quirks()).fit(X)
        self._fit_temporal(self._sequences(X), index)
        return self

    def predict_proba(self, X) -> np.ndarray:
        """Class probabilities (clips, classes), columns in the order of `classes_`."""
        check_is_fitted(self, "temporal_")
        return self._temporal_probabilities(self._sequences(X))

    def _sequences(self, X) -> np.ndarray:
        """Flattened small frames (clips, frames, values); repeated channels are taken once."""
        clips, frames, _, height, width = check_clips(X)
        once = np.unique(self.encoder_.channels, return_index=True)[1]
        shrink = self.pixels <= min(height, width)
        parts = []
        for i in range(clips):
            image = torch.from_numpy(self.encoder_.encode(X[i])[..., once]).permute(0, 3, 1, 2)
            size = (self.pixels, self.pixels)
            image = F.interpolate(image, size, mode="area" if shrink else "bilinear")
            parts.append(image.reshape(frames, -1).numpy())
        return np.stack(parts)


@dataclass(eq=False, repr=False)
class TrainAugmented(ClassifierMixin, BaseEstimator):
    """Fit an estimator to the training clips and their variants; test it on plain clips.

    Parameters
    ----------
    estimator : scikit-learn classifier of clips
        Cloned into `estimator_`, never fitted itself. Its `random_state` is the seed of everything.
    variants : tuple of str
        Which of the variants that `X` carries are used; each has the label of its clip.
    """

    estimator: BaseEstimator
    variants: tuple[str, ...] = VARIANTS

    @property
    def clips_factor(self) -> int:
        """Training clips for each clip given: itself and its variants."""
        return 1 + len(self.variants)

    def fit(self, X, y):
        """Fit to the clips of `X` and to their variants.

        Parameters
        ----------
        X : StackArray with `variants`, shape (clips, frames, 5, H, W)
            Training clips only: the variants of a clip are wherever the clip is.
        y : array (clips,)
            Labels.

        Raises
        ------
        ElrcnError
            If `X` carries no variants, or not these, or as the estimator does.
        """
        if not getattr(X, "variants", None):
            raise ElrcnError(
                "Augmented training needs clips with their variants.",
                fix="pass what elrcn.preprocess.cache.build_clips gives for these variants",
            )
        labels = np.tile(np.asarray(y), self.clips_factor)
        self.estimator_ = clone(self.estimator).fit(X.everything(self.variants), labels)
        self.classes_ = self.estimator_.classes_
        return self

    def predict_proba(self, X) -> np.ndarray:
        """Class probabilities (clips, classes) of the plain clips; variants are not looked at."""
        check_is_fitted(self, "estimator_")
        return self.estimator_.predict_proba(X)

    def predict(self, X) -> np.ndarray:
        """Most probable label of every plain clip."""
        return self.classes_[self.predict_proba(X).argmax(1)]


def fewer_epochs(config: TrainConfig, factor: float) -> TrainConfig:
    """Shorten a training whose epochs are `factor` (above 0) times as long: about as many updates.

    `factor` is the training samples over those that `config` is meant for. `max_epochs` and
    `patience` are divided by it and rounded up.
    """
    return replace(
        config,
        # Rounded first: 25 / (1 / 0.8) is a little more than 20.
        max_epochs=int(np.ceil(round(config.max_epochs / factor, 9))),
        patience=int(np.ceil(round(config.patience / factor, 9))),
    )
