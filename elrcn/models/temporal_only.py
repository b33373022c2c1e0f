"""Temporal learning only (Section IV-E2, Figure 6): pixels straight into an LSTM."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch.nn import functional as F

from elrcn.config import TemporalConfig, TrainConfig
from elrcn.errors import ElrcnError
from elrcn.models.clip_classifier import ClipClassifier, encode_labels
from elrcn.models.inputs import InputEncoder, Quirks, check_clips


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
        As for `elrcn.models.elrcn.ELRCNSE`.
    """

    def __init__(
        self,
        temporal: TemporalConfig = TemporalConfig(),  # noqa: B008 - frozen
        temporal_train: TrainConfig = TrainConfig(),  # noqa: B008
        pixels: int = 50,
        stream: str = "grey",
        scaling: str = "raw",
        quirks: Quirks | None = None,
        gates: str = "sigmoid",
        random_state: int | None = 0,
        device: str = "auto",
        threads: int = 2,
        progress: bool = False,
    ):
        self.temporal = temporal
        self.temporal_train = temporal_train
        self.pixels = pixels
        self.stream = stream
        self.scaling = scaling
        self.quirks = quirks
        self.gates = gates
        self.random_state = random_state
        self.device = device
        self.threads = threads
        self.progress = progress

    def fit(self, X, y):
        """Train the LSTM on flattened frames.

        Parameters
        ----------
        X : array (clips, frames, 5, H, W)
            Stacks.
        y : array (clips,)
            Labels.
        """
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
