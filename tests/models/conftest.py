"""A task that a small ELRCN can learn: where in the picture does a blob move?"""

import numpy as np
import pytest

from elrcn.config import TemporalConfig, TrainConfig, VGGConfig

SIZE, FRAMES = 16, 4


def make_blobs(clips: int, seed: int):
    """Stacks (clips, FRAMES, 5, SIZE, SIZE) and labels by the corner that moves."""
    rng = np.random.default_rng(seed)
    y = np.arange(clips) % 3
    centres = [(4, 4), (4, 12), (12, 8)]
    rows, columns = np.mgrid[:SIZE, :SIZE]
    X = rng.normal(0, 0.05, (clips, FRAMES, 5, SIZE, SIZE)).astype(np.float32)
    for i, label in enumerate(y):
        row, column = np.add(centres[label], rng.normal(0, 0.7, 2))
        blob = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 8)
        pulse = np.sin(np.pi * (np.arange(FRAMES) + 0.5) / FRAMES)[:, None, None]
        X[i, :, 0] += rng.normal(0, 0.2) * blob * pulse
        X[i, :, 1] += blob * pulse
        X[i, :, 2] = np.hypot(X[i, :, 0], X[i, :, 1])
        X[i, :, 3] = np.abs(X[i, :, 3]) + 0.1 * blob * pulse
        X[i, :, 4] = 120 + 40 * rng.random() + 20 * X[i, :, 4]
    return X, np.array(["disgust", "happiness", "surprise"])[y]


@pytest.fixture(scope="session")
def blobs():
    return make_blobs(30, 0), make_blobs(15, 1)


@pytest.fixture(scope="session")
def small():
    """Constructor arguments of a network that learns the blobs in a second."""
    return {
        "vgg": VGGConfig(size=SIZE, convs=(1, 1), widths=(8, 16), fc=32, dropout=0.2),
        "temporal": TemporalConfig(units=(16,)),
        "spatial_train": TrainConfig(lr=3e-3, max_epochs=8, batch_size=16, patience=2),
        "temporal_train": TrainConfig(lr=1e-2, max_epochs=15, batch_size=16, patience=3),
        "scaling": "standard",
        "device": "cpu",
        "threads": 1,
    }
