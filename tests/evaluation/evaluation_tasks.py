"""A manifest without frames, features whose classes can be told apart, and a tiny classifier."""

import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin

CLASSES = ("I", "II", "III")


def build_task(subjects=(3, 2), clips=6, seed=0):
    """Clips of some subjects of two databases, with a feature vector and a class each."""
    generator = np.random.default_rng(seed)
    names = [f"CASME2/{i:02d}" for i in range(1, subjects[0] + 1)]
    names += [f"SAMM/{i:03d}" for i in range(6, 6 + subjects[1])]
    table = pd.DataFrame(
        [
            {"clip_id": f"{s}/clip{k}", "database": s.split("/")[0], "subject": s}
            for s in names
            for k in range(clips)
        ]
    )
    labels = np.array([CLASSES[i % 3] for i in range(len(table))])
    X = generator.normal(size=(len(table), 8))
    X[:, 0] += [2.0 * CLASSES.index(c) for c in labels]
    return SimpleNamespace(manifest=SimpleNamespace(table=table), labels=labels, X=X)


class Centroid(ClassifierMixin, BaseEstimator):
    """Nearest class mean with a seeded jitter, so that rows show which seed a fold had."""

    def __init__(self, pause=0.0, broken=False, random_state=None):
        self.pause = pause
        self.broken = broken
        self.random_state = random_state

    def fit(self, X, y):
        time.sleep(self.pause)
        self.classes_ = np.unique(y)
        jitter = np.random.default_rng(self.random_state).normal(size=X.shape[1:], scale=0.01)
        self.centres_ = np.stack([X[y == c].mean(axis=0) + jitter for c in self.classes_])
        return self

    def predict_proba(self, X):
        distance = ((X[:, None] - self.centres_) ** 2).sum(axis=-1)
        chances = np.exp(-(distance - distance.min(axis=1, keepdims=True)))
        return chances / chances.sum(axis=1, keepdims=True) * (np.nan if self.broken else 1)
