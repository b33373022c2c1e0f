"""Training with variants: those of training clips only, and the plain clips at test time."""

from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from elrcn.config import TemporalConfig, TrainConfig, VGGConfig
from elrcn.errors import ElrcnError
from elrcn.evaluation.protocols import loso_folds
from elrcn.evaluation.runner import run_protocol, seeded_clone
from elrcn.evaluation.store import RunStore
from elrcn.files import write_array
from elrcn.models.estimators import ELRCN, TrainAugmented, fewer_epochs
from elrcn.preprocess.cache import StackArray

SUBJECTS, CLIPS = 3, 4
#: Every clip is a constant: its number, its variants the number and some hundreds.
OFFSETS = {"mirror": 100, "crop": 200}


@pytest.fixture
def clips(tmp_path):
    def folder(offset):
        paths = []
        for i in range(SUBJECTS * CLIPS):
            path = tmp_path / f"{offset}-{i:02d}.npy"
            write_array(path, np.full((3, 5, 8, 8), i + offset, np.float32))
            paths.append(path)
        return StackArray(paths, motion=4)

    both = folder(0)
    both.variants = {name: folder(n).paths for name, n in OFFSETS.items()}
    return both


def plain(clips):
    """Give the same clips without their variants."""
    return StackArray(clips.paths, motion=4)


class Recorder(ClassifierMixin, BaseEstimator):
    """Remembers every clip that it was fitted to and asked about, in one list for all clones."""

    seen: ClassVar[list] = []

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        Recorder.seen.append(("fit", [float(clip.flat[0]) for clip in X], list(y)))
        return self

    def predict_proba(self, X):
        Recorder.seen.append(("predict", [float(clip.flat[0]) for clip in X], None))
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


def test_no_variant_of_a_test_clip_reaches_training(clips, tmp_path):
    subjects = np.repeat([f"CASME2/{i:02d}" for i in range(SUBJECTS)], CLIPS)
    table = pd.DataFrame(
        {
            "clip_id": [f"{s}/{i}" for i, s in enumerate(subjects)],
            "database": "CASME2",
            "subject": subjects,
        }
    )
    labels = np.array(["I", "II"] * (SUBJECTS * CLIPS // 2))
    people = SimpleNamespace(table=table)
    folds = loso_folds(people)
    Recorder.seen = []
    run_protocol(
        TrainAugmented(Recorder(), tuple(OFFSETS)), clips, people, labels, folds,
        RunStore(tmp_path / "run", {"seed": 0}), progress=False, threads=1, classes=("I", "II"),
    )  # fmt: skip
    fits = [entry for entry in Recorder.seen if entry[0] == "fit"]
    asked = [entry for entry in Recorder.seen if entry[0] == "predict"]
    assert len(fits) == len(asked) == SUBJECTS
    for fold, (_, values, given), (_, tested, _) in zip(folds, fits, asked, strict=True):
        own = set(fold.test)
        assert not {int(v) % 100 for v in values} & own
        expected = [i + offset for offset in (0, *OFFSETS.values()) for i in fold.train]
        assert values == expected
        assert given == [labels[int(v) % 100] for v in values]
        assert tested == list(fold.test)
        # The check can fail: the variants of the test clips are at hand under their numbers.
        assert {int(np.load(clips.variants["mirror"][i]).flat[0]) % 100 for i in fold.test} == own


def test_the_inner_network_gets_the_seed_and_the_clips_of_its_variants(clips):
    settings = {
        "vgg": VGGConfig(size=8, convs=(1,), widths=(4,), fc=6),
        "temporal": TemporalConfig(units=(5,)),
        "spatial_train": TrainConfig(lr=1e-2, max_epochs=2, batch_size=8),
        "temporal_train": TrainConfig(lr=1e-2, max_epochs=2, batch_size=8),
        "scaling": "standard", "device": "cpu", "threads": 1,
    }  # fmt: skip
    labels = np.array(["a", "b", "c", "b"] * SUBJECTS)

    def chances(variants, seed):
        model = seeded_clone(TrainAugmented(ELRCN(**settings), variants), seed)
        assert model.get_params()["estimator__random_state"] == seed
        return model.fit(clips, labels).predict_proba(clips)

    both = chances(("mirror", "crop"), 3)
    assert both.shape == (SUBJECTS * CLIPS, 3)
    np.testing.assert_array_equal(both, chances(("mirror", "crop"), 3))
    assert not np.allclose(both, chances(("mirror", "crop"), 4))
    # No variant is the plain estimator, bit for bit.
    plain = seeded_clone(ELRCN(**settings), 3).fit(clips, labels)
    np.testing.assert_array_equal(chances((), 3), plain.predict_proba(clips))
    assert not np.allclose(both, chances((), 3))


def test_clips_without_variants_are_refused(clips):
    with pytest.raises(ElrcnError, match="variants"):
        TrainAugmented(Recorder()).fit(plain(clips), np.arange(12) % 2)
    with pytest.raises(ElrcnError, match="rotate"):
        TrainAugmented(Recorder(), ("rotate+4",)).fit(clips, np.arange(12) % 2)


def test_fewer_epochs_keep_the_number_of_updates():
    config = TrainConfig(max_epochs=40, patience=4)
    assert fewer_epochs(config, 5) == replace(config, max_epochs=8, patience=1)
    assert fewer_epochs(config, 3).max_epochs == 14
    assert fewer_epochs(TrainConfig(max_epochs=2), 5).max_epochs == 1
    assert fewer_epochs(config, 0.5) == replace(config, max_epochs=80, patience=8)
