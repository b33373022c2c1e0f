"""ELRCN-SE and ELRCN-TE (Sections III-B to III-D) as scikit-learn classifiers."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

from elrcn.config import TemporalConfig, TrainConfig, VGGConfig
from elrcn.errors import ElrcnError
from elrcn.models.clip_classifier import ClipClassifier, encode_labels
from elrcn.models.inputs import STREAMS, Quirks, check_clips


class _ELRCN(ClipClassifier):
    """What both variants share: spatial networks, features, temporal stage."""

    def _streams(self) -> tuple[str, ...]:
        raise TypeError("use ELRCNSE or ELRCNTE")

    def _pretrained(self) -> str | None:
        return None

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
        streams = self._streams()
        self.classes_, index = encode_labels(y, len(X))
        updates = self._fit_networks(X, index, streams, self._pretrained(), self.spatial_train)
        self._fit_temporal(self.spatial_features(X), index, updates)
        return self

    def predict_proba(self, X) -> np.ndarray:
        """Class probabilities (clips, classes), columns in the order of `classes_` (Eq 5)."""
        check_is_fitted(self, "temporal_")
        check_clips(X, self.vgg.size)
        return self._temporal_probabilities(self.spatial_features(X))


class ELRCNSE(_ELRCN):
    """ELRCN with spatial enrichment: one VGG from scratch on five channels, then an LSTM.

    Parameters
    ----------
    vgg : VGGConfig
        Spatial network.
    temporal : TemporalConfig
        LSTM layers and the FC between.
    spatial_train, temporal_train : TrainConfig
        Training of the two stages (Section III-D).
    layer : {"fc7", "fc6"}
        Features given to the temporal stage.
    scaling : {"raw", "standard", "motion"}
        Input scaling, see `elrcn.models.inputs.InputEncoder`.
    quirks : Quirks, optional
        Departures of the authors' code; None means none.
    gates : {"sigmoid", "hard"}
        LSTM gates; "hard" as in Keras.
    stream : {"all", "flow", "strain", "grey"}
        Channels; "all" is the paper's SE.
    random_state : int or None
        Seed of everything.
    device : str
        "auto", "cpu", "cuda" or "mps".
    threads : int
        CPU threads of torch; part of what makes a result bit-reproducible.
    feature_store : path, optional
        Folder of spatial networks shared between experiments.
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

    def __init__(
        self,
        vgg: VGGConfig = VGGConfig(),  # noqa: B008 - frozen
        temporal: TemporalConfig = TemporalConfig(),  # noqa: B008
        spatial_train: TrainConfig = TrainConfig(),  # noqa: B008
        temporal_train: TrainConfig = TrainConfig(),  # noqa: B008
        layer: str = "fc7",
        scaling: str = "raw",
        quirks: Quirks | None = None,
        gates: str = "sigmoid",
        stream: str = "all",
        random_state: int | None = 0,
        device: str = "auto",
        threads: int = 2,
        feature_store=None,
        progress: bool = False,
    ):
        self.vgg = vgg
        self.temporal = temporal
        self.spatial_train = spatial_train
        self.temporal_train = temporal_train
        self.layer = layer
        self.scaling = scaling
        self.quirks = quirks
        self.gates = gates
        self.stream = stream
        self.random_state = random_state
        self.device = device
        self.threads = threads
        self.feature_store = feature_store
        self.progress = progress

    def _streams(self):
        return (self.stream,)


class ELRCNTE(_ELRCN):
    """ELRCN with temporal enrichment: one network a stream, fine-tuned, features concatenated.

    Flow, strain (three times) and grey (three times) each have a 3-channel VGG that starts from
    face-identity weights, is fine-tuned whole with its own softmax, and gives its features to one
    temporal stage: 3 x 4,096 = 12,288 at full size.

    Parameters
    ----------
    streams : tuple of {"flow", "strain", "grey"}
        Networks, in the order of their features.
    pretrained : path, optional
        Safetensors file of face-identity weights (`pretrain.face_identity_weights`, or converted
        VGG-Face); None starts from Glorot uniform weights.
    vgg, temporal, spatial_train, temporal_train, layer, scaling, quirks, gates, random_state,
    device, threads, feature_store, progress
        As for `ELRCNSE`; `spatial_train` is the fine-tuning of each stream.
    """

    def __init__(
        self,
        vgg: VGGConfig = VGGConfig(),  # noqa: B008 - frozen
        temporal: TemporalConfig = TemporalConfig(),  # noqa: B008
        spatial_train: TrainConfig = TrainConfig(),  # noqa: B008
        temporal_train: TrainConfig = TrainConfig(),  # noqa: B008
        streams: tuple[str, ...] = ("flow", "strain", "grey"),
        pretrained=None,
        layer: str = "fc7",
        scaling: str = "raw",
        quirks: Quirks | None = None,
        gates: str = "sigmoid",
        random_state: int | None = 0,
        device: str = "auto",
        threads: int = 2,
        feature_store=None,
        progress: bool = False,
    ):
        self.vgg = vgg
        self.temporal = temporal
        self.spatial_train = spatial_train
        self.temporal_train = temporal_train
        self.streams = streams
        self.pretrained = pretrained
        self.layer = layer
        self.scaling = scaling
        self.quirks = quirks
        self.gates = gates
        self.random_state = random_state
        self.device = device
        self.threads = threads
        self.feature_store = feature_store
        self.progress = progress

    def _streams(self):
        unknown = [s for s in self.streams if s not in STREAMS or s == "all"]
        if unknown or not self.streams or len(set(self.streams)) != len(self.streams):
            raise ElrcnError(
                f"TE cannot be built from the streams {tuple(self.streams)}.",
                fix="name each of flow, strain and grey at most once",
            )
        return tuple(self.streams)

    def _pretrained(self):
        return None if self.pretrained is None else str(self.pretrained)
