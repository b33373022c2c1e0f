"""Two databases in one task: what differs, and scores on the clips of each."""

from types import SimpleNamespace

import pandas as pd
import pytest

from elrcn.manifest import objective_five
from elrcn.session import Session
from elrcn.workspace import Workspace
from elrcn_book import domains

METHODS = [
    SimpleNamespace(name="te", label="ELRCN-TE"),
    SimpleNamespace(name="se", label="ELRCN-SE"),
    SimpleNamespace(name="never_run", label="HOOF"),
]


def test_halves_of_the_composite_by_hand():
    rows = pd.DataFrame(
        {
            "subject": ["SAMM/6", "SAMM/6", "SAMM/7", "SAMM/7", "CASME2/1", "CASME2/2"],
            "clip_id": ["SAMM/6/a", "SAMM/6/b", "SAMM/7/c", "SAMM/7/d", "CASME2/1/a", "CASME2/2/b"],
            "true": ["I", "I", "I", "II", "I", "II"],
            "predicted": ["I", "I", "II", "II", "I", "II"],
        }
    )
    wrong = rows.assign(predicted="II")
    table = domains.by_database({"se": rows, "te": wrong}, METHODS, ("I", "II"))
    assert list(table.index) == ["ELRCN-TE", "ELRCN-SE"]
    assert table.loc["ELRCN-SE", "SAMM clips"] == 4
    assert table.loc["ELRCN-SE", "SAMM WAR"] == pytest.approx(3 / 4)
    assert table.loc["ELRCN-SE", "SAMM UAR"] == pytest.approx((2 / 3 + 1) / 2)
    assert table.loc["ELRCN-TE", "CASME2 UAR"] == pytest.approx(1 / 2)


def test_databases_differ_as_the_readers_find_them(smoke_home):
    session = Session("smoke", workspace=Workspace(smoke_home), progress=False)
    clips = objective_five(session.manifest)
    table = domains.database_table(clips, ("I", "II", "III", "IV", "V"))
    assert list(table.index) == ["CASME2", "SAMM"]
    assert table["clips"].sum() == len(clips)
    assert table.filter(like="class ").sum(axis=1).to_numpy() == pytest.approx([1, 1])
    if session.synthetic:
        assert table["frame"].tolist() == ["280 × 340, colour", "640 × 480, grey"]
