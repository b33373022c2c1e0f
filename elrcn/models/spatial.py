"""Spatial learning only (Section IV-E1, Figure 5): frames without their order."""

from __future__ import annotations

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from elrcn.config import TrainConfig, VGGConfig
from elrcn.errors import ElrcnError
from elrcn.features.base import LinearSVM
from elrcn.models.clip_classifier import ClipClassifier, encode_labels, stage_seed, vote_shares
from elrcn.models.inputs import Quirks, check_clips
from elrcn.models.spatial_stage import SpatialSpec, untrained_network

VOTES = ("majority", "mean")


class SpatialOnly(ClipClassifier):
    """VGG on single frames; a clip's answer is what its frames say together.

    Parameters
    ----------
    streams : tuple of {"all", "flow", "strain", "grey"}
        One network each; frames of several networks vote side by side. ``("all",)`` is one
        network on all five channels (from scratch only).
    pretrained : path, optional
        Weights to fine-tune from, as for `elrcn.models.elrcn.ELRCNTE`.
    vote : {"majority", "mean"}
        "majority": share of the frames voting for a class (ties go to the higher mean
        probability). "mean": mean of the frames' probabilities.
    vgg, spatial_train, scaling, quirks, random_state, device, threads, feature_store, progress
        As for `elrcn.models.elrcn.ELRCNSE`, and with the same values the same networks: a shared
        `feature_store` trains them once.
    """

    def __init__(
        self,
        vgg: VGGConfig = VGGConfig(),  # noqa: B008 - frozen
        spatial_train: TrainConfig = TrainConfig(),  # noqa: B008
        streams: tuple[str, ...] = ("flow",),
        pretrained=None,
        vote: str = "majority",
        scaling: str = "raw",
        quirks: Quirks | None = None,
        random_state: int | None = 0,
        device: str = "auto",
        threads: int = 2,
        feature_store=None,
        progress: bool = False,
    ):
        self.vgg = vgg
        self.spatial_train = spatial_train
        self.streams = streams
        self.pretrained = pretrained
        self.vote = vote
        self.scaling = scaling
        self.quirks = quirks
        self.random_state = random_state
        self.device = device
        self.threads = threads
        self.feature_store = feature_store
        self.progress = progress

    def fit(self, X, y):
        """Train the network(s) on frames that carry their clip's label.

        Parameters
        ----------
        X : array (clips, frames, 5, H, W)
            Stacks.
        y : array (clips,)
            Labels.
        """
        if self.vote not in VOTES:
            raise ElrcnError(f"There is no vote called {self.vote!r}.", fix="majority or mean")
        self.classes_, index = encode_labels(y, len(X))
        pretrained = None if self.pretrained is None else str(self.pretrained)
        self._fit_networks(X, index, tuple(self.streams), pretrained, self.spatial_train)
        return self

    def predict_proba(self, X) -> np.ndarray:
        """Vote shares or mean probabilities (clips, classes), in the order of `classes_`."""
        check_is_fitted(self, "networks_")
        parts = [network.frame_probabilities(X) for network in self.networks_.values()]
        frames = np.concatenate(parts, axis=1)
        return vote_shares(frames) if self.vote == "majority" else frames.mean(1)


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
        As for `elrcn.models.elrcn.ELRCNSE`.

    Attributes
    ----------
    converged_ : bool
        Whether the SVM did, see `elrcn.features.base.LinearSVM`.

    Notes
    -----
    `predict_proba` gives the share of frames whose SVM answers each class, not a calibrated
    probability.
    """

    def __init__(
        self,
        vgg: VGGConfig = VGGConfig(),  # noqa: B008 - frozen
        streams: tuple[str, ...] = ("flow",),
        pretrained=None,
        layer: str = "fc7",
        C: float = 1.0,
        scaling: str = "raw",
        quirks: Quirks | None = None,
        random_state: int | None = 0,
        device: str = "auto",
        threads: int = 2,
        progress: bool = False,
    ):
        self.vgg = vgg
        self.streams = streams
        self.pretrained = pretrained
        self.layer = layer
        self.C = C
        self.scaling = scaling
        self.quirks = quirks
        self.random_state = random_state
        self.device = device
        self.threads = threads
        self.progress = progress

    def fit(self, X, y):
        """Measure the input scaling on `X`, then fit the SVM to its frames' features."""
        frames = check_clips(X, self.vgg.size)[1]
        self.classes_, index = encode_labels(y, len(X))
        pretrained = None if self.pretrained is None else str(self.pretrained)
        self.networks_ = {
            stream: untrained_network(
                SpatialSpec(
                    stream, self.vgg, TrainConfig(), self.scaling, self._quirks(), pretrained
                ),
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
