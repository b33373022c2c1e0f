import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone

from elrcn.errors import ElrcnError
from elrcn.models.estimators import ELRCN


def weights(estimator):
    tensors = {f"t.{k}": v for k, v in estimator.temporal_.state_dict().items()}
    for stream, network in estimator.networks_.items():
        tensors |= {f"{stream}.{k}": v for k, v in network.module.state_dict().items()}
    return {k: v.numpy().copy() for k, v in tensors.items()}


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def test_se_learns_where_the_blob_moves(blobs, small):
    (X, y), (X_test, y_test) = blobs
    model = ELRCN(**small).fit(X, y)
    assert list(model.classes_) == ["disgust", "happiness", "surprise"]
    probabilities = model.predict_proba(X_test)
    assert probabilities.shape == (15, 3)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    assert np.mean(model.predict(X_test) == y_test) >= 0.8


def test_te_learns_and_concatenates(blobs, small):
    (X, y), (X_test, y_test) = blobs
    model = ELRCN(streams=("flow", "strain"), **small).fit(X, y)
    assert np.mean(model.predict(X_test) == y_test) >= 0.8
    assert model.spatial_features(X_test).shape == (15, 4, 64)
    assert model.spatial_features(X_test, "fc6").shape == (15, 4, 64)
    flow = model.networks_["flow"].features(X_test)
    np.testing.assert_array_equal(model.spatial_features(X_test)[..., :32], flow)


def test_same_seed_same_bits(blobs, small):
    (X, y), _ = blobs
    first = ELRCN(**small).fit(X, y)
    torch.manual_seed(99)
    second = clone(first).fit(X, y)
    other = ELRCN(**small | {"random_state": 1}).fit(X, y)
    assert same(weights(first), weights(second))
    assert not same(weights(first), weights(other))


def test_copied_estimator_predicts_alike(blobs, small):
    (X, y), (X_test, _) = blobs
    model = ELRCN(**small).fit(X, y)
    assert pickle.dumps(model)  # as a worker process needs
    again = copy.deepcopy(model)
    np.testing.assert_array_equal(model.predict_proba(X_test), again.predict_proba(X_test))


def test_parameters_round_trip(small):
    model = ELRCN(streams=("flow",), **small)
    assert clone(model).get_params() == model.get_params()
    assert ELRCN().get_params()["temporal"].units == (3000,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"streams": ("sound",)}, "no network with the streams"),
        ({"scaling": "none"}, "no input scaling"),
        ({"device": "tpu"}, "no device"),
    ],
)
def test_mistakes_are_told(blobs, small, change, message):
    (X, y), _ = blobs
    with pytest.raises(ElrcnError, match=message):
        ELRCN(**small | change).fit(X, y)


def test_shapes_are_checked(blobs, small):
    (X, y), _ = blobs
    with pytest.raises(ElrcnError, match="network takes 16 x 16"):
        ELRCN(**small).fit(X[..., :8, :8], y)
    with pytest.raises(ElrcnError, match="labels"):
        ELRCN(**small).fit(X, y[:-1])
    with pytest.raises(ElrcnError, match="single class"):
        ELRCN(**small).fit(X[:2], ["a", "a"])
    with pytest.raises(ElrcnError, match="streams"):
        ELRCN(streams=("all", "flow"), **small).fit(X, y)
