"""A corpus that is thinned, damaged or made twice at once is noticed, and made whole."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict

import openpyxl
import pytest

from elrcn.corpus import make_corpus
from elrcn.corpus.write import is_intact, read_corpus_receipt
from elrcn.databases.check import check_report
from elrcn.errors import ElrcnError
from elrcn.files import write_json
from elrcn.session import Session

LABELS = "CASME2/CASME2-coding-20140508.xlsx"


@pytest.fixture
def corpus(tiny_corpus, tmp_path):
    root = tmp_path / "corpus"
    shutil.copytree(tiny_corpus.root, root)
    return root


def clip(root):
    return min((root / "CASME2" / "Cropped" / "sub01").iterdir())


def frames(root):
    return sorted(clip(root).iterdir(), key=lambda p: int(p.stem[len("reg_img") :]))


def truth(root):
    return min((root / "truth" / "CASME2" / "sub01").iterdir())


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path):
    path.write_bytes(path.read_bytes()[:-200])


def relabel(path):
    book = openpyxl.load_workbook(path)
    book.worksheets[0]["I2"] = "sadness"
    book.save(path)


# What is done to the corpus, and what the warning says of it.
DAMAGE = {
    "thinned": (lambda r: [p.unlink() for p in frames(r)[20:]], "it holds 20 files, not"),
    "a frame gone": (lambda r: frames(r)[3].unlink(), "files, not"),
    "a frame empty": (lambda r: frames(r)[3].write_bytes(b""), "the file is empty"),
    "a frame cut": (lambda r: cut(frames(r)[3]), "the JPEG is truncated"),
    "a bit of a frame": (lambda r: flip(frames(r)[3]), "its frames are not those"),
    "frames swapped": (
        lambda r: shutil.copy(frames(r)[3], frames(r)[4]),
        "its frames are not those",
    ),
    "a frame too many": (
        lambda r: shutil.copy(frames(r)[3], clip(r) / "reg_img9999.jpg"),
        "files, not",
    ),
    "a frame renamed": (
        lambda r: frames(r)[3].rename(clip(r) / f"x{frames(r)[3].name}"),
        "its frames do not have the names",
    ),
    "a clip gone": (lambda r: shutil.rmtree(clip(r)), "it is missing"),
    "truth cut": (lambda r: cut(truth(r)), "it is not the file that was made"),
    "a bit of the truth": (lambda r: flip(truth(r)), "it is not the file that was made"),
    "truth gone": (lambda r: truth(r).unlink(), "it is missing"),
    "a sheet cut": (lambda r: cut(r / LABELS), "it is not the file that was made"),
    "another label": (lambda r: relabel(r / LABELS), "it is not the file that was made"),
    "a sheet gone": (lambda r: (r / LABELS).unlink(), "it is missing"),
    "the receipt cut": (lambda r: cut(r / "corpus.json"), "the corpus' receipt cannot be read"),
}
WITHOUT_FILM = ("a sheet cut", "another label", "a sheet gone", "the receipt cut")


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_noticed(name, corpus, tiny_config):
    assert is_intact(corpus, tiny_config)
    DAMAGE[name][0](corpus)
    assert not is_intact(corpus, tiny_config)


@pytest.mark.parametrize(
    "name", [n if n in WITHOUT_FILM else pytest.param(n, marks=pytest.mark.slow) for n in DAMAGE]
)
def test_damage_is_named_and_mended(name, corpus, tiny_config, tiny_digest, digest_of):
    damage, said = DAMAGE[name]
    damage(corpus)
    with pytest.warns(RuntimeWarning) as caught:
        make_corpus(corpus, tiny_config, progress=False, workers=1)
    assert [said in str(one.message) for one in caught] == [True]
    assert digest_of(corpus) == tiny_digest


def test_a_lost_receipt_is_written_again(corpus, tiny_config, tiny_digest, digest_of):
    (corpus / "corpus.json").unlink()
    make_corpus(corpus, tiny_config, progress=False)
    assert digest_of(corpus) == tiny_digest


def test_what_does_not_belong_is_the_users(corpus, tiny_config):
    stranger = corpus / "CASME2" / "CASME2-coding-20190701.xlsx"
    stranger.write_bytes(b"mine")
    with pytest.raises(ElrcnError, match="do not belong to it, first CASME2-coding-20190701"):
        make_corpus(corpus, tiny_config, progress=False)
    assert stranger.read_bytes() == b"mine"


def test_a_named_copy_that_is_damaged_is_refused_and_left_alone(corpus, digest_of):
    assert Session("smoke", casme2_root=corpus / "CASME2").roots
    assert Session("smoke", corpus / "CASME2", corpus / "SAMM").corpus_root == corpus
    DAMAGE["thinned"][0](corpus)
    before = digest_of(corpus)
    with pytest.raises(ElrcnError, match=f"CASME2/sub01/{clip(corpus).name}: it holds 20 files"):
        _ = Session("smoke", casme2_root=corpus / "CASME2").roots
    assert Session("smoke", samm_root=corpus / "SAMM").roots  # the other database is whole
    report = check_report({"CASME2": corpus / "CASME2"}, progress=False)
    assert report.exit_code == 2 and "it holds 20 files" in report.render_text()
    assert digest_of(corpus) == before


def test_receipts_of_older_generators(corpus, tiny_config):
    path = corpus / "corpus.json"
    receipt = read_corpus_receipt(corpus)
    for record in receipt["clips"].values():
        del record["names"]
    write_json(path, {**receipt, "key": "of other code"})
    assert not is_intact(corpus, tiny_config)
    with pytest.raises(ElrcnError, match="kept no frame names: make it again"):
        _ = Session("smoke", casme2_root=corpus / "CASME2").roots
    path.write_text('{"version": 3, "config": {}}')
    assert not is_intact(corpus, tiny_config)
    with pytest.raises(ElrcnError, match="another corpus"):
        make_corpus(corpus, tiny_config, progress=False)
    with pytest.raises(ElrcnError, match="version 3 of the generator: make the corpus again"):
        _ = Session("smoke", casme2_root=corpus / "CASME2").roots


def test_a_renamed_database_has_no_truth(corpus):
    (corpus / "CASME2").rename(corpus / "MyCasme")
    session = Session("smoke", casme2_root=corpus / "MyCasme")
    assert session.synthetic and session.roots  # read as it is, unchecked
    assert session.corpus_root is None
    assert Session("smoke", corpus / "MyCasme", corpus / "SAMM").corpus_root is None


def test_a_database_without_its_truth_has_none(corpus):
    shutil.rmtree(corpus / "truth" / "CASME2")
    assert Session("smoke", casme2_root=corpus / "CASME2").corpus_root is None
    assert Session("smoke", samm_root=corpus / "SAMM").corpus_root == corpus


def test_a_plain_copy_is_synthetic_and_has_no_truth(corpus, tmp_path):
    shutil.copytree(corpus / "CASME2", tmp_path / "elsewhere" / "CASME2")
    session = Session("smoke", casme2_root=tmp_path / "elsewhere" / "CASME2")
    assert session.synthetic and session.data == "synthetic dataset"
    assert session.corpus_root is None


_MAKER = """
import sys, tempfile, time
from pathlib import Path
from elrcn.config import CorpusConfig
from elrcn.corpus import make_corpus
{unlock}
here = Path({here!r})
(here / f"ready{{sys.argv[1]}}").touch()
while not (here / "go").exists():
    time.sleep(0.001)
make_corpus({root!r}, CorpusConfig(**{config!r}), progress=False, workers=1)
"""
_UNLOCK = """
import elrcn.files
def refused(*a, **k):
    raise NotImplementedError("no locks here")
elrcn.files.FileLock = refused
"""


@pytest.mark.slow
@pytest.mark.parametrize("locks", [True, False])
@pytest.mark.parametrize("attempt", range(3))
def test_two_makers_at_once(locks, attempt, tmp_path, tiny_config, tiny_digest, digest_of):
    root = tmp_path / "corpus"
    script = _MAKER.format(
        unlock="" if locks else _UNLOCK,
        here=str(tmp_path),
        root=str(root),
        config=asdict(tiny_config),
    )
    makers = []
    for name in "ab":
        (tmp_path / name).mkdir()
        environment = {**os.environ, "TMPDIR": str(tmp_path / name)}
        command = [sys.executable, "-c", script, name]
        makers.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
    end = time.monotonic() + 120
    while not all((tmp_path / f"ready{n}").exists() for n in "ab") and time.monotonic() < end:
        time.sleep(0.01)
    (tmp_path / "go").touch()
    said = [maker.communicate(timeout=300)[1] for maker in makers]
    assert [maker.returncode for maker in makers] == [0, 0], said
    assert digest_of(root) == tiny_digest
    assert not [p for p in root.rglob(".*")]  # no scratch is left
