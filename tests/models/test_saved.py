import json
import re

import numpy as np
import pytest

from elrcn.config import TemporalConfig, TrainConfig
from elrcn.errors import ElrcnError
from elrcn.files import write_json
from elrcn.models.estimators import ELRCN, FrozenFeatureSVM, SpatialOnly, TemporalOnly
from elrcn.models.inputs import Quirks
from elrcn.models.saved import load_model, read_card, save_model

SHORT = TrainConfig(lr=1e-3, max_epochs=1, batch_size=16)
KERAS = TrainConfig(lr=1e-3, max_epochs=1, batch_size=16, epsilon="keras")


def pick(small, *names):
    return {k: v for k, v in small.items() if k in names} | {"device": "cpu", "threads": 1}


def models(small):
    keras = {"temporal": TemporalConfig((16,), biases=1), "temporal_train": KERAS}
    shared = small | {"spatial_train": SHORT, "temporal_train": SHORT}
    yield ELRCN(quirks=Quirks(sigmoid_head=True), gates="hard", layer="fc6", **shared)
    yield ELRCN(streams=("grey", "flow"), **shared | keras)
    yield SpatialOnly(streams=("flow",), **pick(shared, "vgg", "spatial_train", "scaling"))
    yield TemporalOnly(pixels=6, **pick(shared, "temporal", "temporal_train", "scaling"))


@pytest.mark.parametrize("which", range(4))
def test_round_trip(blobs, small, tmp_path, which):
    (X, y), (X_test, _) = blobs
    model = list(models(small))[which].fit(X, y)
    folder = save_model(model, tmp_path / "model", about={"clips": len(X)})
    assert sorted(p.name for p in folder.iterdir()) == ["card.json", "model.safetensors"]
    again = load_model(folder, device="cpu")
    assert type(again) is type(model)
    np.testing.assert_array_equal(again.predict_proba(X_test), model.predict_proba(X_test))
    assert list(again.classes_) == list(model.classes_)
    own, theirs = again.get_params(), model.get_params()
    assert {k for k in own if own[k] != theirs[k]} <= {"pretrained", "feature_store"}
    assert read_card(folder)["about"] == {"clips": 30}


@pytest.fixture
def saved(blobs, small, tmp_path):
    (X, y), _ = blobs
    return save_model(next(models(small)).fit(X, y), tmp_path / "model")


def test_cards_from_before_keras_own_settings_load(saved, blobs):
    card, (_, (X_test, _)) = json.loads((saved / "card.json").read_text()), blobs
    first = load_model(saved, device="cpu").predict_proba(X_test)
    del card["sha256"]
    settings = [card["parameters"][n] for n in ("temporal", "spatial_train", "temporal_train")]
    for values in (*settings, *(network["train"] for network in card["networks"].values())):
        assert values.pop("biases", values.pop("epsilon", None)) in (2, "torch")
    (saved / "card.json").write_text(json.dumps(card))
    again = load_model(saved, device="cpu")
    assert again.temporal.biases == 2 and again.temporal_train == SHORT
    np.testing.assert_array_equal(again.predict_proba(X_test), first)


@pytest.mark.parametrize("kind", ["ELRCNSE", "ELRCNTE"])
def test_cards_of_the_two_classes_before_load(saved, blobs, kind):
    card, (_, (X_test, _)) = json.loads((saved / "card.json").read_text()), blobs
    first = load_model(saved, device="cpu").predict_proba(X_test)
    del card["sha256"]
    card |= {"format": "elrcn-model-1", "kind": kind}
    if kind == "ELRCNSE":
        (card["parameters"]["stream"],) = card["parameters"].pop("streams")
    write_json(saved / "card.json", card)
    again = load_model(saved, device="cpu")
    assert type(again) is ELRCN and again.streams == ("all",)
    np.testing.assert_array_equal(again.predict_proba(X_test), first)


def test_damaged_models_are_told(saved, tmp_path):
    with pytest.raises(ElrcnError, match="no saved model"):
        load_model(tmp_path / "nowhere")
    text = (saved / "card.json").read_text()
    for old, new in (('"fc": 32', '"fc": 31'), ('"kind": "ELRCN"', '"kind": "os"'), ("{", "")):
        (saved / "card.json").write_text(text.replace(old, new, 1))
        with pytest.raises(ElrcnError):
            load_model(saved)
    card = json.loads(text)
    (saved / "card.json").write_text(re.sub(r'("std": \[\s*)', r"\g<1>1", text))
    with pytest.raises(ElrcnError, match="changed since"):
        load_model(saved)
    del card["parameters"]["layer"], card["sha256"]
    card["parameters"]["command"] = "x"
    (saved / "card.json").write_text(json.dumps(card))
    with pytest.raises(ElrcnError, match="do not fit"):
        load_model(saved)
    (saved / "card.json").write_text(text)
    weights = (saved / "model.safetensors").read_bytes()
    (saved / "model.safetensors").write_bytes(weights[:1000])
    with pytest.raises(ElrcnError, match="cannot be read"):
        load_model(saved)
    (saved / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 64]))
    with pytest.raises(ElrcnError, match="digest"):
        load_model(saved)


def test_nothing_is_overwritten(saved, blobs, small):
    (X, y), _ = blobs
    before = (saved / "card.json").read_bytes()
    with pytest.raises(ElrcnError, match="already"):
        save_model(list(models(small))[3].fit(X, y), saved)
    assert (saved / "card.json").read_bytes() == before
    with pytest.raises(ElrcnError, match="cannot be saved"):
        save_model(FrozenFeatureSVM(), saved.parent / "svm")
