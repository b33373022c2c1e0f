"""Directions of HDE, from hand-made rows and the published numbers."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from elrcn.errors import ElrcnError
from elrcn.published.numbers import load_published, published_table
from elrcn_book import directions

CLASSES = ("I", "II")
METHODS = [
    SimpleNamespace(name="most", label="Largest class", published=""),
    SimpleNamespace(name="te", label="ELRCN-TE", published="ELRCN-TE"),
    SimpleNamespace(name="se", label="ELRCN-SE", published="ELRCN-SE"),
    SimpleNamespace(name="never_run", label="HOOF", published="HOOF"),
]


def make_rows(predicted):
    """Four SAMM clips tested first (I I I II), then two of CASME II (I II)."""
    clips = ["SAMM/006/a", "SAMM/006/b", "SAMM/007/c", "SAMM/007/d", "CASME2/s1/a", "CASME2/s2/b"]
    rows = pd.DataFrame(
        {
            "fold": ["CASME2 to SAMM"] * 4 + ["SAMM to CASME2"] * 2,
            "clip_id": clips,
            "subject": [c.rpartition("/")[0] for c in clips],
            "true": ["I", "I", "I", "II", "I", "II"],
            "predicted": list(predicted),
        }
    )
    return rows.assign(**{f"p_{c}": (rows["predicted"] == c).astype(float) for c in CLASSES})


@pytest.fixture
def results():
    return {
        "most": make_rows(["I"] * 6),
        "te": make_rows(["II"] * 6),
        "se": make_rows(["I", "I", "II", "II", "I", "II"]),
    }


def test_columns_of_the_text_change_places_because_the_audit_says_so():
    table = directions.text_scores().set_index("fold")
    assert list(table.index) == ["CASME2 to SAMM", "SAMM to CASME2"]
    assert table["exchanged"].all()
    assert (table["WAR"] == table["printed_UAR"]).all()
    assert (table["UAR"] == table["printed_WAR"]).all()
    # Right way round, the mean of the directions is Table III's accuracy.
    mean = published_table("Table III").loc["ELRCN-SE", "WAR"]
    assert table["WAR"].mean() == pytest.approx(mean, abs=5e-4)


def test_columns_stay_where_the_audit_finds_no_exchange():
    printed = load_published()
    text = printed["source"] == "Section IV-D text"
    right = printed.assign(
        metric=printed["metric"].mask(text, printed["metric"].replace({"UAR": "WAR", "WAR": "UAR"}))
    )
    table = directions.text_scores(right)
    assert not table["exchanged"].any()
    assert (table["WAR"] == table["printed_WAR"]).all()


def test_directions_by_hand(results):
    tables = directions.direction_tables(results, METHODS, CLASSES, draws=50)
    assert list(tables) == ["CASME2 to SAMM", "SAMM to CASME2"]
    first, second = (t.set_index("method") for t in tables.values())
    assert list(first.index) == ["Largest class", "ELRCN-TE", "ELRCN-SE"]
    assert first.loc["ELRCN-SE", "clips"] == 4 and second.loc["ELRCN-SE", "clips"] == 2
    assert first.loc["ELRCN-SE", "war"] == pytest.approx(3 / 4)
    assert first.loc["ELRCN-SE", "uar"] == pytest.approx((2 / 3 + 1) / 2)
    assert second.loc["ELRCN-SE", "uar"] == 1
    assert first.loc["ELRCN-TE", "war"] == pytest.approx(1 / 4)
    text = directions.text_scores().set_index("fold")
    for fold, table in zip(tables, (first, second), strict=True):
        assert table.loc["ELRCN-SE", "published_UAR"] == text.loc[fold, "UAR"]
        assert table.loc[["Largest class", "ELRCN-TE"], "published_WAR"].isna().all()
    with pytest.raises(ElrcnError):
        directions.direction_tables({}, METHODS, CLASSES)


def test_summary_names_a_direction_only_if_the_intervals_are_apart():
    tables = {
        fold: pd.DataFrame(
            {
                "method": ["x", "y", "z"],
                "uar": uar,
                "uar_low": [v - 0.05 for v in uar],
                "uar_high": [v + 0.05 for v in uar],
            }
        )
        for fold, uar in (("A to B", (0.5, 0.30, 0.2)), ("B to A", (0.3, 0.32, 0.4)))
    }
    x, y, z = directions.direction_summary(tables).splitlines()
    assert x.endswith("; higher for A to B.") and "0.500 (0.45 to 0.55) for A to B" in x
    assert y.endswith("; the intervals overlap.")
    assert z.endswith("; higher for B to A.")


def test_figure_has_both_directions_and_the_text(results):
    tables = directions.direction_tables(results, METHODS, CLASSES, draws=20)
    fig = directions.direction_figure(tables, "Table III", chance=0.5)
    labels = [t.get_text() for t in fig.legends[0].get_texts()]
    assert set(labels) == {
        "chance",
        *(f for fold in tables for f in (fold, f"{fold}, the paper")),
    }
    plt.close(fig)
