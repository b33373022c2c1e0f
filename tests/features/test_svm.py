import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.svm import SVC

from elrcn.features.base import LinearSVM, MajorityClassifier


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_the_most_probable_class_is_the_decision(classes):
    X, y = make_classification(
        120, 12, n_informative=8, n_classes=classes, class_sep=0.5, random_state=0
    )
    y = np.array([f"class {k}" for k in y])
    ours = LinearSVM(C=1.0).fit(X[:80], y[:80])
    reference = SVC(kernel="linear", C=1.0).fit(X[:80], y[:80])
    expected = reference.predict(X[80:])
    chances = ours.predict_proba(X[80:])
    np.testing.assert_array_equal(ours.classes_[chances.argmax(axis=1)], expected)
    np.testing.assert_array_equal(ours.predict(X[80:]), expected)
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    margins = ours.decision_function(X[80:])
    order = np.argsort(margins, axis=1)
    np.testing.assert_array_equal(order, np.argsort(chances, axis=1))


@pytest.mark.parametrize("labels", ["abcde", "edcba", "badec", ["10", "9", "-1", "Z", "é"]])
def test_ties_are_broken_as_by_svc(labels):
    """Classes without structure: few won pairs a class, so that many answers are tied."""
    differing = 0
    for draw in range(12):
        rng, classes = np.random.default_rng(draw), np.array(list(labels)[: 3 + draw % 3])
        y = np.resize(classes, 30)
        X, asked = rng.normal(size=(30, 4)), 3 * rng.normal(size=(100, 4))
        expected = SVC(kernel="linear", C=1.0).fit(X, y).predict(asked)
        ours = LinearSVM(C=1.0).fit(X, y)
        np.testing.assert_array_equal(ours.predict(asked), expected)
        # A table's columns stand in another order than `classes_`: no two chances may be equal.
        columns, chances = rng.permutation(len(classes)), ours.predict_proba(asked)
        found = ours.classes_[columns][chances[:, columns].argmax(axis=1)]
        np.testing.assert_array_equal(found, expected)
        by_margin = LinearSVM(C=1.0, break_ties=True).fit(X, y).predict(asked)
        reference = SVC(kernel="linear", C=1.0, break_ties=True).fit(X, y)
        np.testing.assert_array_equal(by_margin, reference.predict(asked))
        differing += np.sum(by_margin != expected)
    assert differing > 20


@pytest.mark.parametrize("classes", ["ab", "abc"])
def test_clips_that_cannot_be_told_apart_get_the_answer_of_svc(classes):
    X, y = np.zeros((12, 2)), np.resize(list(classes), 12)
    ours, reference = LinearSVM().fit(X, y), SVC(kernel="linear", C=10000.0).fit(X, y)
    chances = ours.predict_proba(X)
    assert (np.sort(chances)[:, -1] > np.sort(chances)[:, -2]).all()
    np.testing.assert_array_equal(ours.classes_[chances.argmax(axis=1)], reference.predict(X))


@pytest.mark.filterwarnings("error")
def test_a_machine_that_stops_says_so_without_a_warning():
    X, y = make_classification(120, 12, class_sep=0.1, random_state=0)
    assert not LinearSVM(max_iter=3).fit(X, y).converged_
    assert LinearSVM(C=1.0).fit(X, y).converged_
    assert LinearSVM(max_iter=3).fit(X, np.zeros(120)).converged_


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
    model = MajorityClassifier().fit(OnlyLength(5), np.array(["b", "a", "b", "c", "c"]))
    assert list(model.predict(OnlyLength(2))) == ["b", "b"]  # b and c tie: the first
    assert model.predict_proba(OnlyLength(1)).tolist() == [[0.0, 1.0, 0.0]]
