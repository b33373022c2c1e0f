"""Tables from hand-made rows give values worked by hand."""

from types import SimpleNamespace

import pandas as pd
import pytest

from elrcn.errors import ElrcnError
from elrcn.published.numbers import load_published, published_table
from elrcn_book import html, tables

CLASSES = ("a", "b", "c")


def make_rows(true, predicted, subjects):
    rows = pd.DataFrame(
        {
            "run": "r",
            "fold": subjects,
            "clip_id": [f"CASME2/x/{i}" for i in range(len(true))],
            "subject": subjects,
            "true": list(true),
            "predicted": list(predicted),
        }
    )
    for name in CLASSES:
        rows[f"p_{name}"] = (rows["predicted"] == name).astype(float)
    return rows


def times(rows, n):
    """The same clips `n` times, each time of other subjects."""
    parts = [rows.assign(**{c: rows[c] + f"/{k}" for c in ("clip_id", "subject", "fold")})
             for k in range(n)]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def results():
    subjects = ["s1"] * 4 + ["s2"] * 4
    # true a: 4 (3 right, 1 as b), b: 2 (1 right, 1 as a), c: 2 (both as a)
    return {
        "x": make_rows("aaaabbcc", "aaabbaaa", subjects),
        "most": make_rows("aaaabbcc", "aaaaaaaa", subjects),
    }


@pytest.fixture
def methods():
    return [
        SimpleNamespace(name="most", label="Largest class", published=""),
        SimpleNamespace(name="x", label="LBP-TOP", published=""),
        SimpleNamespace(name="never_run", label="ELRCN-SE", published="ELRCN-SE"),
    ]


def test_result_table_by_hand(results, methods):
    published = published_table("Table I")
    table = tables.result_table(results, methods, published, CLASSES, draws=50)
    assert list(table["method"][:2]) == ["Largest class", "LBP-TOP (reproduced)"]
    assert list(table["method"][1:]) == list(published.index)
    row = table.set_index("method").loc["LBP-TOP (reproduced)"]
    assert row["clips"] == 8 and row["subjects"] == 2
    assert row["war"] == pytest.approx(4 / 8)
    assert row["uar"] == pytest.approx((3 / 4 + 1 / 2 + 0) / 3)
    # a: 2*3/(4+6); b: 2*1/(2+2); c: 0
    assert row["uf1"] == pytest.approx((0.6 + 0.5 + 0) / 3)
    assert row["micro_f1"] == pytest.approx(4 / 8)
    precision, recall = (3 / 6 + 1 / 2 + 0) / 3, (3 / 4 + 1 / 2 + 0) / 3
    assert row["authors_f1"] == pytest.approx(
        2 * precision * recall / (precision + recall), abs=1e-4
    )
    assert (
        row["published_WAR"]
        == load_published()
        .query("source == 'Table I' and method == 'LBP-TOP (reproduced)' and metric == 'WAR'")[
            "value"
        ]
        .item()
    )
    # Two subjects are too few for intervals, six are enough.
    assert all(pd.isna(row[f"{score}_{end}"]) for score in html.SCORES for end in ("low", "high"))
    assert "chance" not in tables.summary(table, 1 / 3)
    more = {name: times(rows, 3) for name, rows in results.items()}
    same = tables.result_table(more, methods, published, CLASSES, draws=50)
    other = same.set_index("method").loc["LBP-TOP (reproduced)"]
    for score in html.SCORES:
        assert other[score] == pytest.approx(row[score], abs=1e-4)
        assert 0 <= other[f"{score}_low"] <= other[f"{score}_high"] <= 1
    majority = table.set_index("method").loc["Largest class"]
    assert majority["uar"] == pytest.approx(1 / 3)
    assert majority["war"] == pytest.approx(1 / 2)
    assert table.set_index("method").loc["ELRCN-SE"][["war", "uar"]].isna().all()


def test_result_html_shows_numbers_and_gaps(results, methods):
    table = tables.result_table(results, methods, published_table("Table I"), CLASSES, draws=0)
    text = html.result_html(table, "t")
    assert "<b>0.500</b>" in text and "0.4595" in text and "–" in text
    assert text == html.result_html(table, "t")


def test_subject_and_clip_tables(results, methods):
    by_subject = tables.subject_table(results, methods)
    assert by_subject.loc["s1", "clips"] == 4
    assert by_subject.loc["s1", "LBP-TOP"] == pytest.approx(3 / 4)
    assert by_subject.loc["s2", "LBP-TOP"] == pytest.approx(1 / 4)
    assert by_subject.loc["s2", "Largest class"] == 0
    shuffled = dict(results, most=results["most"].iloc[::-1])
    clips = tables.clip_table(shuffled, methods)
    assert clips.loc["CASME2/x/3"].tolist() == ["s1", "a", "a", "b"]
    with pytest.raises(ElrcnError):
        tables.subject_table({}, methods)


def test_confusion_table(results):
    table = tables.confusion_table(results["x"], CLASSES)
    assert table.loc["a", ["a", "b", "c"]].tolist() == [3, 1, 0]
    assert table.loc["c", "a_share"] == 1
    assert table[["a", "b", "c"]].to_numpy().sum() == 8


def test_save_table_writes_unrounded_csv(results, methods, tmp_path, monkeypatch):
    monkeypatch.setenv("ELRCN_ARTIFACTS", str(tmp_path))
    table = tables.subject_table(results, methods)
    record = tables.save_table(table, "page", "subjects", "Right answers; LOSO, 8 clips.")
    assert record.csv == tmp_path / "page" / "subjects.csv"
    pd.testing.assert_frame_equal(pd.read_csv(record.csv, index_col="subject"), table)
    shown = record._repr_mimebundle_()
    assert set(shown) == {"text/markdown"}
    assert "{download}`CSV <files/page/subjects.csv>`" in shown["text/markdown"]
    monkeypatch.delenv("ELRCN_ARTIFACTS")
    assert "<table" in record._repr_mimebundle_()["text/html"]
    with pytest.raises(ElrcnError):
        tables.save_table(table, "page", "../outside", "x")
    with pytest.raises(ElrcnError):
        tables.save_table(table, "page", "subjects", "  ")


def test_interactive_table_needs_no_network(results, methods):
    text = html.interactive_html(tables.clip_table(results, methods), "clips")
    assert "CASME2/x/3" in text
    assert "unpkg.com" not in text and "from 'http" not in text
    assert 'src="http' not in text and "cdn." not in text.split("<table")[-1]
