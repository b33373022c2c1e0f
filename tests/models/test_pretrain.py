import json
from dataclasses import replace

import numpy as np
import pytest

from elrcn.config import PROFILES, TrainConfig, VGGConfig
from elrcn.errors import ElrcnError
from elrcn.models.networks import VGG
from elrcn.models.pretrain import face_identity_weights, train_identities
from elrcn.models.weights import load_weights

PROFILE = replace(
    PROFILES["smoke"],
    vgg=VGGConfig(size=16, convs=(1, 1), widths=(6, 8), fc=16, dropout=0.0),
    pretrain_train=TrainConfig(lr=5e-3, max_epochs=25, batch_size=8, patience=5),
    threads_per_fold=1,
)


def patterns(identities=4, each=12):
    rng = np.random.default_rng(0)
    own = rng.integers(40, 200, (identities, 16, 16))
    labels = np.repeat(np.arange(identities), each)
    images = own[labels] + rng.normal(0, 10, (len(labels), 16, 16))
    return np.uint8(np.clip(images, 0, 255)), labels


def test_identities_are_learned_and_measured_on_other_images():
    images, labels = patterns()
    module, card = train_identities(PROFILE, images, labels, progress=False)
    assert module.channels == 3 and module.classes == 4
    assert card["held_out_images"] == 8 and card["held_out_accuracy"] >= 0.75
    assert card["identities"] == 4 and card["chance"] == 0.25
    json.dumps(card)


def test_wrong_size_is_told():
    with pytest.raises(ElrcnError, match="16 px"):
        train_identities(PROFILE, np.zeros((2, 8, 8), np.uint8), np.arange(2), progress=False)


def test_face_weights_are_made_once(tmp_path):
    profile = replace(PROFILE, pretrain_faces=2, pretrain_train=TrainConfig(max_epochs=1))
    path = face_identity_weights(profile, tmp_path, progress=False)
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["identities"] == 2
    stamp = path.stat().st_mtime_ns
    assert face_identity_weights(profile, tmp_path, progress=False) == path
    assert path.stat().st_mtime_ns == stamp
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".json", ".safetensors"]
    load_weights(VGG(profile.vgg, 3, 5), path)


@pytest.mark.filterwarnings("ignore:.*set aside")
def test_face_weights_of_other_code_or_damaged_ones_are_made_again(tmp_path, other_code):
    profile = replace(PROFILE, pretrain_faces=2, pretrain_train=TrainConfig(max_epochs=1))
    path = face_identity_weights(profile, tmp_path / "cache", progress=False)
    card, weights = path.with_suffix(".json").read_bytes(), path.read_bytes()
    middle = len(weights) // 2
    for file, data in [
        (path, weights[:middle] + bytes([weights[middle] ^ 1]) + weights[middle + 1 :]),
        (path, b""),
        (path.with_suffix(".json"), card.replace(b'"identities": 2', b'"identities": 3')),
    ]:
        file.write_bytes(data)
        assert face_identity_weights(profile, tmp_path / "cache", progress=False) == path
        assert (path.with_suffix(".json").read_bytes(), path.read_bytes()) == (card, weights)
    other_code("corpus/face.py")
    assert face_identity_weights(profile, tmp_path / "cache", progress=False) != path
