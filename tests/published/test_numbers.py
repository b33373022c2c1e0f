import pandas as pd
import pytest

from elrcn.databases import casme2
from elrcn.errors import ElrcnError
from elrcn.published.numbers import (
    load_published,
    published_counts,
    published_name,
    published_table,
)


def test_published_tables_match_the_file():
    long = load_published()
    sources = ["Table I", "Table II", "Table III", "Section IV-D text"]
    assert list(long["source"].unique()) == sources
    for source in sources:
        wide = published_table(source, long)
        cells = wide[["F1", "UAR", "WAR"]].to_numpy()
        assert (~pd.isna(cells)).sum() == (long["source"] == source).sum()
    assert published_name("LBP-TOP", published_table("Table I")) == "LBP-TOP (reproduced)"
    assert published_name("nothing", published_table("Table I")) is None
    with pytest.raises(ElrcnError):
        published_table("Table IX")


def test_published_file_is_checked(tmp_path):
    long = load_published()
    path = tmp_path / "p.csv"
    with pytest.raises(ElrcnError):
        load_published(path)
    long.assign(value=long["value"] * 100).to_csv(path, index=False)
    with pytest.raises(ElrcnError, match="outside"):
        load_published(path)
    long.assign(value="about a half").to_csv(path, index=False)
    with pytest.raises(ElrcnError, match="outside"):
        load_published(path)
    pd.concat([long, long[:1]]).to_csv(path, index=False)
    with pytest.raises(ElrcnError, match="two values"):
        load_published(path)
    long.drop(columns="role").to_csv(path, index=False)
    with pytest.raises(ElrcnError, match="role"):
        load_published(path)


def test_published_counts_add_up():
    counts = published_counts()

    def total(database, group, labels):
        return sum(counts[database, group, label][0] for label in labels)

    five = ("I", "II", "III", "IV", "V")
    emotions = casme2.NAMING.emotions
    assert total("CASME2", "emotion", emotions[:5]) == 246
    assert total("CASME2", "emotion", emotions) == 255
    assert total("CASME2", "objective", five) == counts["CASME2", "objective", "I to V"][0] == 185
    assert total("CASME2", "objective-2019", five) == 174
    assert total("SAMM", "objective", five) == counts["SAMM", "objective", "I to V"][0] == 68
    for database, group, clips in (
        ("CASME2", "objective", 255),
        ("CASME2", "objective-2019", 255),
        ("SAMM", "objective", 159),
    ):
        assert total(database, group, (*five, "VI", "VII")) == clips
    assert counts["CDE", "objective", "I to V"] == (185 + 68, 26 + 21)
