"""A manifest without frames, and features whose classes can be told apart."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

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


@pytest.fixture
def task():
    return build_task()
