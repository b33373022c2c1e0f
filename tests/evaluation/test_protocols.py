from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elrcn.errors import ElrcnError
from elrcn.evaluation.protocols import (
    Fold,
    cde_folds,
    check_folds,
    grouped_folds,
    hde_folds,
    loso_folds,
)


def manifest_of(subjects):
    subjects = list(subjects)
    table = pd.DataFrame({"subject": subjects, "database": [s.split("/")[0] for s in subjects]})
    return SimpleNamespace(table=table)


def assert_partition(folds, subjects):
    subjects = np.asarray(subjects)
    for fold in folds:
        assert not set(subjects[fold.train]) & set(subjects[fold.test])
        assert sorted([*fold.train, *fold.test]) == list(range(len(subjects)))
    tested = np.concatenate([fold.test for fold in folds])
    assert sorted(tested) == list(range(len(subjects)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([f"CASME2/{i:02d}" for i in range(1, 9)]), min_size=2, max_size=40))
def test_loso_holds_out_each_subject_once(subjects):
    manifest = manifest_of(subjects)
    if len(set(subjects)) < 2:
        with pytest.raises(ElrcnError):
            loso_folds(manifest)
        return
    folds = loso_folds(manifest)
    assert [f.name for f in folds] == sorted(set(subjects))
    assert_partition(folds, subjects)
    for fold in folds:
        assert {subjects[i] for i in fold.test} == {fold.name}


def test_cde_is_loso_over_both_databases():
    subjects = ["CASME2/06", "SAMM/006", "SAMM/006", "CASME2/06", "CASME2/07"]
    folds = cde_folds(manifest_of(subjects))
    assert [f.name for f in folds] == ["CASME2/06", "CASME2/07", "SAMM/006"]
    assert_partition(folds, subjects)
    with pytest.raises(ElrcnError, match="databases"):
        cde_folds(manifest_of(["CASME2/06", "CASME2/07"]))


def test_hde_trains_on_one_database_and_tests_on_the_other():
    subjects = ["SAMM/006", "CASME2/01", "CASME2/02", "SAMM/007"]
    folds = hde_folds(manifest_of(subjects))
    assert [f.name for f in folds] == ["CASME2 to SAMM", "SAMM to CASME2"]
    assert list(folds[0].train) == [1, 2] and list(folds[0].test) == [0, 3]
    assert list(folds[1].train) == [0, 3] and list(folds[1].test) == [1, 2]
    with pytest.raises(ElrcnError):
        hde_folds(manifest_of(["CASME2/01", "CASME2/02"]))


def test_groups_of_subjects_partition_the_clips():
    subjects = [f"CASME2/{i % 7:02d}" for i in range(30)]
    folds = grouped_folds(manifest_of(subjects), 4)
    assert [f.name for f in folds] == [f"group {k} of 4" for k in (1, 2, 3, 4)]
    assert_partition(folds, subjects)
    with pytest.raises(ElrcnError):
        grouped_folds(manifest_of(subjects), 8)
    with pytest.raises(ElrcnError):
        grouped_folds(manifest_of(subjects), 1)


def test_overlap_is_refused_at_construction():
    with pytest.raises(ElrcnError, match="both sides"):
        Fold("a", [0, 1], [1, 2])
    with pytest.raises(ElrcnError, match="nothing"):
        Fold("a", [], [1, 2])
    with pytest.raises(ElrcnError, match="CASME2/01"):
        check_folds([Fold("a", [0, 1], [2])], ["CASME2/01", "CASME2/02", "CASME2/01"])
    with pytest.raises(ElrcnError, match="same name"):
        check_folds([Fold("a", [0], [1]), Fold("a", [1], [0])], ["x", "y"])
    with pytest.raises(ElrcnError, match="more than one fold"):
        check_folds([Fold("a", [0], [1]), Fold("b", [0], [1])], ["x", "y"])
