"""What every estimator of clips shares: labels, seeds, the temporal stage, the answer."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from elrcn.errors import ElrcnError
from elrcn.models.device import resolve_device, session
from elrcn.models.inputs import Quirks
from elrcn.models.sources import TensorSource
from elrcn.models.spatial_stage import SpatialSpec, fit_spatial
from elrcn.models.temporal import TemporalHead, class_scores
from elrcn.models.train import outputs, train


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


class ClipClassifier(ClassifierMixin, BaseEstimator):
    """Base of the estimators on stacks (clips, frames, 5, H, W).

    Subclasses set the usual constructor arguments and fill `networks_` (by stream), `temporal_`
    or both when fitted.
    """

    def _quirks(self) -> Quirks:
        return self.quirks or Quirks()

    def _fit_networks(self, X, index: np.ndarray, streams, pretrained, config) -> int:
        """Train one spatial network a stream; return the updates a shared optimizer counted."""
        quirks = self._quirks()
        updates = quirks.updates_before if quirks.shared_optimizer else 0
        self.networks_ = {}
        for stream in streams:
            network = fit_spatial(
                SpatialSpec(stream, self.vgg, config, self.scaling, quirks, pretrained),
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
            self.networks_[stream] = network
            if quirks.shared_optimizer:
                updates = network.history.updates
        return updates

    def _fit_temporal(self, sequences: np.ndarray, index: np.ndarray, updates: int = 0) -> None:
        """Train the temporal stage on sequences (clips, frames, values)."""
        device = resolve_device(self.device)
        seed = stage_seed(self.random_state, "temporal")
        sigmoid = self._quirks().sigmoid_head
        with session(device, seed, self.threads):
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
        with session(device, 0, self.threads):
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
