import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.svm import SVC

from elrcn.features.majority import majority_classifier
from elrcn.features.svm import LinearSVM


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_the_most_probable_class_is_the_decision(classes):
    X, y = make_classification(
        120, 12, n_informative=8, n_classes=classes, class_sep=0.5, random_state=0
    )
    y = np.array([f"class {k}" for k in y])
    ours = LinearSVM(C=1.0).fit(X[:80], y[:80])
    reference = SVC(kernel="linear", C=1.0, break_ties=True).fit(X[:80], y[:80])
    expected = reference.predict(X[80:])
    chances = ours.predict_proba(X[80:])
    np.testing.assert_array_equal(ours.classes_[chances.argmax(axis=1)], expected)
    np.testing.assert_array_equal(ours.predict(X[80:]), expected)
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    margins = ours.decision_function(X[80:])
    order = np.argsort(margins, axis=1)
    np.testing.assert_array_equal(order, np.argsort(chances, axis=1))


def test_softmax_of_two_classes_by_hand():
    model = LinearSVM().fit([[-1.0], [1.0]], ["a", "b"])  # margin: f(x) = x
    np.testing.assert_allclose(model.decision_function([[2.0]]), [[-1, 1]], atol=1e-6)
    np.testing.assert_allclose(model.predict_proba([[2.0]])[0, 1], 1 / (1 + np.exp(-2)), atol=1e-6)
    assert list(model.predict([[-1e9], [1e9]])) == ["a", "b"]
    assert np.isfinite(model.predict_proba([[1e9]])).all()


def test_one_class_is_always_answered():
    model = LinearSVM().fit([[0.0], [1.0]], ["a", "a"])
    assert list(model.predict([[5.0], [6.0]])) == ["a", "a"]
    assert model.predict_proba([[5.0]]).tolist() == [[1.0]]


class OnlyLength:
    """An input whose values may not be read."""

    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n


def test_majority_answers_the_largest_training_class():
    model = majority_classifier().fit(OnlyLength(5), np.array(["b", "a", "b", "c", "c"]))
    assert list(model.predict(OnlyLength(2))) == ["b", "b"]  # b and c tie: the first
    assert model.predict_proba(OnlyLength(1)).tolist() == [[0.0, 1.0, 0.0]]
