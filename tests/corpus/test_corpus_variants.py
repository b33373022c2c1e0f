import pytest

from elrcn.databases import casme2, samm
from elrcn.errors import ElrcnError
from tests.corpus.variants import LITTER, VARIANTS, emit_variant

COMPARED = ["clip_id", "subject", "onset", "apex", "action_units", "emotion", "objective_class"]


def tables(root, source="cropped"):
    first = casme2.load(root / "CASME2", source=source, progress=False)
    second = samm.load(root / "SAMM", progress=False)
    return [first.manifest.table, second.manifest.table]


@pytest.fixture(scope="module")
def plain(tiny_corpus):
    return tables(tiny_corpus.root)


@pytest.mark.parametrize("name", sorted(set(VARIANTS) - {"offset-zero"}))
def test_every_variant_reads_as_the_plain_corpus(name, tiny_corpus, tmp_path, plain):
    root = emit_variant(tiny_corpus.root, tmp_path / "copy", name)
    source = "raw" if name.startswith("raw") else "cropped"
    for table, expected in zip(tables(root, source), plain, strict=True):
        assert table[COMPARED].equals(expected[COMPARED])
        assert table["frames"].map(len).equals(expected["frames"].map(len))
        assert table["sha256"].equals(expected["sha256"])


def test_offset_zero_is_named(tiny_corpus, tmp_path, plain):
    root = emit_variant(tiny_corpus.root, tmp_path / "copy", "offset-zero")
    findings = casme2.load(root / "CASME2", progress=False).findings
    clip = plain[0]["clip_id"].iloc[0]
    assert any(clip in (f.clip, f.where) or "offset" in f.what.lower() for f in findings)


def test_frames_are_links_and_litter_is_left(tiny_corpus, tmp_path):
    root = emit_variant(tiny_corpus.root, tmp_path / "copy", "litter")
    frame = next((root / "SAMM").glob("*/*/[0-9]*.jpg"))
    assert frame.stat().st_nlink > 1
    names = {p.name for p in frame.parent.iterdir()}
    assert set(LITTER) <= names and any(n.startswith("._") for n in names)


def test_mistakes_are_told(tiny_corpus, tmp_path):
    with pytest.raises(ElrcnError, match="no variant called 'upside-down'"):
        emit_variant(tiny_corpus.root, tmp_path / "a", "upside-down")
    with pytest.raises(ElrcnError, match="no finished corpus"):
        emit_variant(tmp_path, tmp_path / "b", "plain")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "file").write_text("")
    with pytest.raises(ElrcnError, match="not empty"):
        emit_variant(tiny_corpus.root, tmp_path / "c", "plain")
    with pytest.raises(ElrcnError, match="could not be written"):
        emit_variant(tiny_corpus.root, tmp_path / "c" / "file" / "d", "plain")
