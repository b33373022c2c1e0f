import os
import re

import numpy as np
import pytest
import torch

from elrcn import files
from elrcn.config import TemporalConfig, TrainConfig
from elrcn.errors import ElrcnError
from elrcn.models import spatial_stage
from elrcn.models.estimators import ELRCN, FrozenFeatureSVM, SpatialOnly, TemporalOnly
from elrcn.models.inputs import Quirks
from elrcn.models.weights import read_tensors, write_tensors


@pytest.fixture
def quick(small):
    return small | {"spatial_train": TrainConfig(lr=3e-3, max_epochs=2, batch_size=16)}


def spatial_arguments(arguments):
    return {k: v for k, v in arguments.items() if not k.startswith("temporal")}


def kept_folders(store):
    return [p for p in store.iterdir() if not p.name.startswith(".")]


def test_store_serves_other_experiments_with_the_same_network(blobs, quick, tmp_path, monkeypatch):
    (X, y), (X_test, _) = blobs
    plain = ELRCN(streams=("flow", "strain"), **quick).fit(X, y)
    kept = ELRCN(streams=("flow", "strain"), feature_store=tmp_path, **quick).fit(X, y)
    np.testing.assert_array_equal(plain.predict_proba(X_test), kept.predict_proba(X_test))
    folders = sorted(p.name.split("-")[0] for p in kept_folders(tmp_path))
    assert folders == ["flow", "strain"]

    def forbidden(*args, **kwargs):
        raise AssertionError("trained again")

    monkeypatch.setattr(spatial_stage, "train", forbidden)
    spatial = SpatialOnly(streams=("flow",), feature_store=tmp_path, **spatial_arguments(quick))
    spatial.fit(X, y)
    np.testing.assert_array_equal(
        spatial.spatial_features(X_test), plain.networks_["flow"].features(X_test)
    )
    other_head = quick | {"temporal": TemporalConfig(units=(8, 4))}
    ELRCN(streams=("flow",), layer="fc6", feature_store=tmp_path, **other_head).fit(X, y)
    for change in (
        {"random_state": 1},
        {"scaling": "raw"},
        {"quirks": Quirks(uint8_flow=True)},
        {"quirks": Quirks(reversed_channels=True)},
        {"quirks": Quirks(frozen_layers=True)},
    ):
        with pytest.raises(AssertionError, match="trained again"):
            ELRCN(streams=("flow",), feature_store=tmp_path, **quick | change).fit(X, y)
    with pytest.raises(AssertionError, match="trained again"):
        ELRCN(streams=("flow",), feature_store=tmp_path, **quick).fit(X[1:], y[1:])


def test_features_of_a_kept_network_lie_beside_it(blobs, quick, tmp_path):
    (X, y), (X_test, _) = blobs
    model = ELRCN(feature_store=tmp_path, **quick).fit(X, y)
    fresh = model.spatial_features(X_test, "fc6")
    (folder,) = kept_folders(tmp_path)
    kept = sorted(p.name.split("-")[0] for p in folder.glob("*.npy"))
    assert kept == ["fc6", "fc6", "fc7", "fc7", "softmax", "softmax"]  # training and test clips
    np.testing.assert_array_equal(model.spatial_features(X_test, "fc6"), fresh)
    assert not any(p.name.startswith(".") or p.suffix == ".part" for p in folder.rglob("*"))


def test_of_large_networks_the_features_alone_are_kept(blobs, quick, tmp_path, monkeypatch):
    (X, y), (X_test, _) = blobs
    monkeypatch.setattr(spatial_stage, "MOST_KEPT", 0)
    first = ELRCN(feature_store=tmp_path, **quick).fit(X, y)
    expected = first.predict_proba(X_test)
    (folder,) = kept_folders(tmp_path)
    assert not list(folder.glob("*.safetensors"))
    train, trained = spatial_stage.train, []
    monkeypatch.setattr(spatial_stage, "train", lambda *a, **k: trained.append(1) or train(*a, **k))
    second = ELRCN(feature_store=tmp_path, **quick).fit(X, y)
    np.testing.assert_array_equal(second.predict_proba(X_test), expected)
    other_layer = ELRCN(feature_store=tmp_path, layer="fc6", **quick).fit(X, y)
    other_layer.predict_proba(X_test)
    assert not trained
    # Clips that no experiment has asked about need the network itself.
    unseen = second.spatial_features(X_test[:1])
    assert trained == [1]
    np.testing.assert_allclose(unseen, first.spatial_features(X_test)[:1], atol=1e-5)


def test_a_held_out_clip_cannot_touch_the_weights(blobs, quick):
    (X, y), _ = blobs
    train = np.arange(len(X)) != 4
    changed, labels = X.copy(), y.copy()
    changed[4] = 1e3
    labels[4] = "surprise"
    models = [ELRCN(**quick).fit(a[train], b[train]) for a, b in ((X, y), (changed, labels))]
    first, second = (m.networks_["all"].module.state_dict() for m in models)
    assert all(torch.equal(first[k], second[k]) for k in first)
    first, second = (m.temporal_.state_dict() for m in models)
    assert all(torch.equal(first[k], second[k]) for k in first)


def test_fine_tuning_starts_from_the_file(blobs, quick, tmp_path):
    (X, y), _ = blobs
    still = quick | {"spatial_train": TrainConfig(lr=0.0, max_epochs=1)}
    donor = ELRCN(streams=("flow",), **quick).fit(X, y).networks_["flow"].module
    path = tmp_path / "donor.safetensors"
    write_tensors(donor.state_dict(), path)
    tuned = ELRCN(streams=("flow", "grey"), pretrained=path, **still).fit(X, y)
    for stream in ("flow", "grey"):
        state = tuned.networks_[stream].module.state_dict()
        for name, value in donor.state_dict().items():
            assert torch.equal(state[name], value) != name.startswith("fc8.")
    with pytest.raises(ElrcnError, match="conv1_1"):
        SpatialOnly(streams=("all",), pretrained=path, **spatial_arguments(quick)).fit(X, y)


def test_weights_files_that_do_not_fit(blobs, quick, tmp_path):
    (X, y), _ = blobs
    path = tmp_path / "w.safetensors"
    model = ELRCN(streams=("flow",), pretrained=path, **quick)
    with pytest.raises(ElrcnError, match="no weights file"):
        model.fit(X, y)
    path.write_bytes(b"not safetensors")
    with pytest.raises(ElrcnError, match="cannot be read"):
        model.fit(X, y)
    write_tensors({"conv1_1.weight": torch.zeros(8, 3, 3, 3)}, path)
    with pytest.raises(ElrcnError, match="lack"):
        model.fit(X, y)
    with pytest.raises(ElrcnError):
        read_tensors(tmp_path)


def test_shared_optimizer_counts_through_all_models(blobs, quick):
    (X, y), _ = blobs
    quirks = Quirks(shared_optimizer=True, updates_before=100)
    model = ELRCN(streams=("flow", "strain"), quirks=quirks, **quick).fit(X, y)
    steps = -(-X.shape[0] * X.shape[1] // 16)
    flow, strain = (n.history for n in model.networks_.values())
    assert flow.updates == 100 + steps * len(flow.losses)
    assert strain.updates == flow.updates + steps * len(strain.losses)
    assert model.history_.updates == strain.updates + 2 * len(model.history_.losses)


def test_frozen_layers_keep_their_start_to_the_bit_and_the_others_learn(blobs, quick, tmp_path):
    (X, y), (X_test, _) = blobs
    start = ELRCN(streams=("flow",), **quick).fit(X, y).networks_["flow"].module
    path = tmp_path / "start.safetensors"
    write_tensors(start.state_dict(), path)
    store = tmp_path / "store"
    models = [
        ELRCN(streams=("flow",), pretrained=path, quirks=q, feature_store=store, **quick)
        for q in (Quirks(frozen_layers=True), None)
    ]
    frozen, whole = (m.fit(X, y).networks_["flow"] for m in models)
    before, after = start.state_dict(), frozen.module.state_dict()
    for name, value in before.items():
        kept = not name.startswith(("fc7.", "fc8."))
        assert torch.equal(after[name], value) == kept, name
        assert not torch.equal(whole.module.state_dict()[name], value), name
    # Two networks of the store, and one that Grad-CAM can take gradients of.
    assert frozen.folder != whole.folder
    assert all(p.requires_grad for p in frozen.module.parameters())
    again = models[0].fit(X, y).networks_["flow"]
    np.testing.assert_array_equal(again.features(X_test), frozen.features(X_test))


@pytest.mark.parametrize("vote", ["majority", "mean"])
def test_spatial_only_learns(blobs, small, vote):
    (X, y), (X_test, y_test) = blobs
    model = SpatialOnly(streams=("flow",), vote=vote, **spatial_arguments(small)).fit(X, y)
    probabilities = model.predict_proba(X_test)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    frames = model.networks_["flow"].frame_probabilities(X_test)
    if vote == "mean":
        np.testing.assert_allclose(probabilities, frames.mean(1), rtol=1e-5)
    else:
        votes = np.stack([np.bincount(v, minlength=3) for v in frames.argmax(2)])
        assert np.all(
            np.take_along_axis(votes, probabilities.argmax(1)[:, None], 1)[:, 0] == votes.max(1)
        )
    assert np.mean(model.predict(X_test) == y_test) >= 0.8


def test_frozen_features_need_no_training(blobs, quick):
    (X, y), (X_test, y_test) = blobs
    arguments = {k: quick[k] for k in ("vgg", "scaling", "device", "threads")}
    model = FrozenFeatureSVM(streams=("flow", "strain"), **arguments).fit(X, y)
    assert model.networks_["flow"].history.losses == [] and model.converged_
    assert model.spatial_features(X_test).shape[2] == 64
    np.testing.assert_allclose(model.predict_proba(X_test).sum(1), 1, rtol=1e-5)
    assert np.mean(model.predict(X_test) == y_test) > 0.6


def test_temporal_only_sees_small_grey_pixels(blobs, quick):
    (X, y), _ = blobs
    moving = X.copy()
    moving[:, :, 4] = 100 + 50 * X[:, :, 1]
    arguments = {
        k: quick[k] for k in ("temporal", "temporal_train", "scaling", "device", "threads")
    }
    model = TemporalOnly(pixels=8, **arguments).fit(moving, y)
    assert model.temporal_.inputs == 64
    sequence = model._sequences(moving[:1])
    block = model.encoder_.encode(moving[0])[0, :2, :2, 0].mean()
    assert sequence[0, 0, 0] == pytest.approx(block, rel=1e-4)
    assert np.mean(model.predict(moving) == y) > 0.7
    larger = TemporalOnly(pixels=20, stream="flow", **arguments).fit(moving, y)
    assert larger.temporal_.inputs == 3 * 400


def test_mistakes(blobs, quick):
    (X, y), _ = blobs
    with pytest.raises(ElrcnError, match="vote"):
        SpatialOnly(vote="first", **spatial_arguments(quick)).fit(X, y)
    with pytest.raises(ElrcnError, match="resized"):
        TemporalOnly(pixels=0).fit(X, y)


def test_networks_of_other_code_are_not_taken(blobs, quick, tmp_path, other_code):
    (X, y), (X_test, _) = blobs
    arguments = {**quick, "feature_store": tmp_path / "store"}
    expected = ELRCN(**arguments).fit(X, y).predict_proba(X_test)
    other_code("cli/run.py")
    ELRCN(**arguments).fit(X, y)
    assert len(kept_folders(tmp_path / "store")) == 1
    other_code("models/train.py")
    np.testing.assert_array_equal(ELRCN(**arguments).fit(X, y).predict_proba(X_test), expected)
    assert len(kept_folders(tmp_path / "store")) == 2


def check_corruption(blobs, quick, store, name, damaged):
    """Damage one file of a kept network; the same answers come out, and the file is named."""
    (X, y), (X_test, _) = blobs
    arguments = {**quick, "feature_store": store}
    expected = ELRCN(**arguments).fit(X, y).predict_proba(X_test)
    (folder,) = kept_folders(store)
    (path, *_) = sorted(folder.glob(name))
    good = path.read_bytes()
    for i, data in enumerate(damaged(good)):
        path.write_bytes(data)
        os.utime(path, ns=(i, i))
        if name == "card.json" and files.read_json(path, of=folder.name) is not None:
            continue  # white space
        with pytest.warns(RuntimeWarning, match=re.escape(folder.name)):
            again = ELRCN(**arguments).fit(X, y).predict_proba(X_test)
        np.testing.assert_array_equal(again, expected, err_msg=f"{name} {i}")
        assert path.is_file() or name.startswith("fc7")
        path = path if path.is_file() else next(iter(sorted(folder.glob(name))))


KEPT = ["network.safetensors", "card.json", "fc7-*.npy"]


@pytest.mark.parametrize("name", KEPT)
def test_a_damaged_network_is_trained_again(blobs, quick, tmp_path, name):
    def flip(data):
        middle = len(data) // 2
        return [data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]]

    check_corruption(blobs, quick, tmp_path, name, flip)


@pytest.mark.slow
@pytest.mark.parametrize("name", KEPT)
def test_ten_corruptions_of_a_kept_network(blobs, quick, tmp_path, corruptions, name):
    check_corruption(blobs, quick, tmp_path, name, corruptions)


def test_whole_files_of_other_networks_are_not_taken(blobs, quick, tmp_path):
    (X, y), (X_test, _) = blobs
    arguments = {**quick, "feature_store": tmp_path}
    expected = ELRCN(**arguments).fit(X, y).predict_proba(X_test)
    (own,) = kept_folders(tmp_path)
    ELRCN(**arguments).fit(X[1:], y[1:]).predict_proba(X_test)
    (other,) = (folder for folder in kept_folders(tmp_path) if folder != own)
    answer = sorted(p.name for p in own.glob("fc7-*.npy"))[0]
    for name, source in {
        "card.json": other / "card.json",
        "network.safetensors": other / "network.safetensors",
        answer: own / answer.replace("fc7", "fc6"),
    }.items():
        (own / name).write_bytes(source.read_bytes())
        with pytest.warns(RuntimeWarning, match="made again"):
            again = ELRCN(**arguments).fit(X, y).predict_proba(X_test)
        np.testing.assert_array_equal(again, expected, err_msg=name)
