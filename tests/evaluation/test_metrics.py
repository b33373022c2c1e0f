import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from elrcn.errors import ElrcnError
from elrcn.evaluation import metrics as m

# Rows true, columns predicted. By hand: recalls 3/5, 1/2, 2/3; precisions 3/4, 1/3, 2/3.
HAND = np.array([[3, 1, 1], [1, 1, 0], [0, 1, 2]])


def test_hand_worked_matrix():
    recall, precision = (3 / 5 + 1 / 2 + 2 / 3) / 3, (3 / 4 + 1 / 3 + 2 / 3) / 3
    assert m.war(HAND) == pytest.approx(6 / 10)
    assert m.micro_f1(HAND) == pytest.approx(6 / 10)
    assert m.uar(HAND) == pytest.approx(recall)
    assert m.uf1(HAND) == pytest.approx((6 / 9 + 2 / 5 + 4 / 6) / 3)
    assert m.authors_f1(HAND) == pytest.approx(
        2 * precision * recall / (precision + recall), abs=1e-5
    )


def test_authors_epsilon_is_in_the_denominators():
    precision = (3 / 4.00001 + 1 / 3.00001 + 2 / 3.00001) / 3
    recall = (3 / 5.00001 + 1 / 2.00001 + 2 / 3.00001) / 3
    expected = 2 * precision * recall / (precision + recall)
    assert float(m.authors_f1(HAND)) == pytest.approx(expected, rel=1e-12)


labels = st.lists(
    st.tuples(st.sampled_from("abcde"), st.sampled_from("abcde")), min_size=1, max_size=60
)


@settings(max_examples=80, deadline=None)
@given(labels)
def test_against_scikit_learn(pairs):
    y_true, y_pred = map(list, zip(*pairs, strict=True))
    matrix = m.confusion_matrix(y_true, y_pred, list("abcde"))
    np.testing.assert_array_equal(matrix, sk.confusion_matrix(y_true, y_pred, labels=list("abcde")))
    present = sorted(set(y_true))
    assert m.war(matrix) == pytest.approx(sk.accuracy_score(y_true, y_pred))
    assert m.micro_f1(matrix) == pytest.approx(sk.f1_score(y_true, y_pred, average="micro"))
    assert m.uf1(matrix) == pytest.approx(
        sk.f1_score(y_true, y_pred, average="macro", zero_division=0)
    )
    assert m.uar(matrix) == pytest.approx(
        sk.recall_score(y_true, y_pred, labels=present, average="macro", zero_division=0)
    )
    assert m.weighted_f1(matrix) == pytest.approx(
        sk.f1_score(y_true, y_pred, average="weighted", zero_division=0)
    )
    precision, recall, _, _ = sk.precision_recall_fscore_support(
        y_true, y_pred, labels=list("abcde"), average="macro", zero_division=0
    )
    harmonic = 2 * precision * recall / (precision + recall) if precision + recall else 0
    assert m.authors_f1(matrix) == pytest.approx(harmonic, abs=3e-5)


def test_a_stack_of_matrices_is_scored_at_once():
    stack = np.stack([HAND, np.eye(3), np.zeros((3, 3))])
    for score in m.METRICS.values():
        values = score(stack)
        assert values.shape == (3,)
        assert values[0] == pytest.approx(float(score(HAND)))
        assert values[1] == pytest.approx(1, abs=2e-5)
        assert np.isnan(values[2])


def test_majority_answer():
    counts = np.array([99, 63, 32, 27, 25])
    matrix = np.zeros((5, 5))
    matrix[:, 0] = counts
    assert m.war(matrix) == pytest.approx(99 / 246)
    assert m.uar(matrix) == pytest.approx(0.2)
    assert m.uf1(matrix) == pytest.approx(2 * 99 / (99 + 246) / 5)


def test_a_class_absent_from_the_truth():
    matrix = np.array([[3, 0, 1], [0, 4, 0], [0, 0, 0]])
    assert m.uar(matrix) == pytest.approx((3 / 4 + 1) / 2)  # two true classes
    assert m.uf1(matrix) == pytest.approx((6 / 7 + 1 + 0) / 3)  # the third was predicted
    assert m.uf1(matrix[:2, :2]) == pytest.approx((1 + 1) / 2)
    precision, recall = (1 + 1 + 0) / 3, (3 / 4 + 1 + 0) / 3  # all three
    assert m.authors_f1(matrix) == pytest.approx(
        2 * precision * recall / (precision + recall), abs=1e-5
    )


def test_refused_labels():
    with pytest.raises(ElrcnError, match="outside"):
        m.confusion_matrix(["a"], ["x"], ["a", "b"])
    with pytest.raises(ElrcnError, match="2 true"):
        m.confusion_matrix(["a", "b"], ["a"], ["a", "b"])
    with pytest.raises(ElrcnError, match="choose one of"):
        m.get_metric("accuracy")


def test_pooled_and_mean_of_folds_differ():
    rows = pd.DataFrame(
        {
            "fold": ["x"] * 4 + ["y"],
            "true": ["a", "a", "b", "b", "a"],
            "predicted": ["a", "a", "b", "a", "b"],
            "p_a": 0.5,
            "p_b": 0.5,
        }
    )
    assert m.row_classes(rows) == ("a", "b")
    assert m.pooled(rows)["war"] == pytest.approx(3 / 5)
    assert m.fold_mean(rows)["war"] == pytest.approx((3 / 4 + 0) / 2)
    assert m.pooled(rows)["n"] == m.fold_mean(rows)["n"] == 5


def test_folds_of_one_clip_are_no_collapse():
    rows = pd.DataFrame({"fold": list("aaaabbc"), "predicted": list("xxxyyyx")})
    # The commonest answer of fold a has 3 of 4 clips, of b 2 of 2; c has one clip.
    assert m.commonest_share(rows) == pytest.approx(5 / 6)
    assert m.commonest_share(rows.assign(predicted="x")) == 1
    assert np.isnan(m.commonest_share(rows.assign(fold=range(7))))
