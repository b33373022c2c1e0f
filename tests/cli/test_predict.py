"""`elrcn train` and `elrcn predict` on the synthetic dataset, a video of it and a photograph."""

import json
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from elrcn.cli import main
from elrcn.config import PROFILES
from elrcn.corpus import make_corpus

DATA = Path(__file__).parents[1] / "data" / "tvl1_reference"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpus")
    config = replace(PROFILES["smoke"].corpus, samm_subjects=1, samm_clips=1)
    return make_corpus(root, config, progress=False)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    root = tmp_path_factory.mktemp("checkout")
    (root / "_toc.yml").touch()
    (root / "data_manifest").mkdir()
    return root


@pytest.fixture
def elrcn(checkout, capfd, monkeypatch):
    """Run the command line; return exit code, output and errors."""
    monkeypatch.setenv("ELRCN_HOME", str(checkout))
    for name in ("ELRCN_CASME2", "ELRCN_SAMM"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments):
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main([str(a) for a in arguments])
        out, err = capfd.readouterr()
        return stop.value.code, out, err

    return run


@pytest.fixture
def train(elrcn, corpus):
    def run(out, *more):
        data = ("--casme2", corpus.casme2, "--samm", corpus.samm, "--profile", "smoke", "--quiet")
        return elrcn("train", "table1", "--out", out, *data, "--workers", 1, *more)

    return run


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def model(models, train):
    """ELRCN-SE, trained once for the module by the command itself."""
    folder = models / "se"
    if not folder.exists():
        code, _, err = train(folder)
        assert code == 0, err
    return folder


@pytest.fixture(scope="module")
def video(corpus, tmp_path_factory):
    """A film of a SAMM clip's uncropped frames, as a phone would give it."""
    folder = next(p for p in sorted(Path(corpus.samm).glob("*/*")) if p.is_dir())
    frames = sorted(folder.glob("*.jpg"), key=lambda p: int(p.stem.split("_")[-1]))[:30]
    path = tmp_path_factory.mktemp("video") / "film.mp4"
    first = cv2.imread(str(frames[0]))
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter_fourcc(*"mp4v"), 30, (first.shape[1], first.shape[0])
    )
    for frame in frames:
        writer.write(cv2.imread(str(frame)))
    writer.release()
    return path


@pytest.fixture
def photographs(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    for t in range(2):
        shutil.copy(DATA / f"face_smile_{t}.png", folder)
    return folder


def shares(out):
    rows = [line.split() for line in out.splitlines()]
    start = rows.index(["class", "probability"]) + 1
    return {row[0]: float(row[1]) for row in rows[start : rows.index([], start)]}


def test_train_says_what_it_was_trained_on(model):
    assert sorted(p.name for p in model.iterdir()) == ["card.json", "model.safetensors"]
    about = json.loads((model / "card.json").read_text())["about"]
    assert about["data"]["origin"] == "synthetic" and about["data"]["clips"] == {"CASME2": 12}
    assert about["clips"] == sum(about["class_counts"].values()) == 12
    assert about["subjects"] == 3 and about["profile"] == "smoke" and about["seed"] == 0
    assert "no subject was held out" in about["evaluation"]
    assert about["preprocess"]["tim_length"] == 10 and "torch" in about["versions"]
    assert "/" not in json.dumps(about["data"])


def test_a_clip_of_the_corpus(elrcn, model, corpus, tmp_path):
    clip = next(p for p in sorted((Path(corpus.casme2) / "Cropped").glob("*/*")))
    code, out, err = elrcn("predict", model, clip, "--picture", tmp_path / "a.svg")
    assert code == 0 and err == ""
    assert "SYNTHETIC" in out and "12 clips of 3 subjects" in out and "cropped already" in out
    found = shares(out)
    assert set(found) == {"happiness", "disgust", "repression", "surprise", "others"}
    assert sum(found.values()) == pytest.approx(1, abs=3e-4)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    first = (tmp_path / "a.svg").read_bytes()
    assert first.startswith(b"<?xml") and b"<image" in first
    again = elrcn("predict", model, clip, "--picture", tmp_path / "a.svg")
    assert again[1] == out and (tmp_path / "a.svg").read_bytes() == first


def test_a_video(elrcn, model, video, tmp_path):
    pytest.importorskip("dlib")
    picture = tmp_path / "film.png"
    code, out, err = elrcn(
        "predict", model, video, "--onset", 3, "--offset", 27, "--picture", picture
    )
    assert code == 0, err
    assert "25 frames, 3 to 27; face found at onset" in out.splitlines()[0]
    assert "30 frames a second" in out
    assert cv2.imread(str(picture)).shape[1] == 1000
    assert [p.name for p in tmp_path.iterdir()] == ["film.png"]


def test_te_on_a_photographed_face(elrcn, train, photographs, models, tmp_path):
    pytest.importorskip("dlib")
    code, out, err = train(models / "te", "--method", "elrcn_te", "--seed", 3)
    assert code == 0, err
    card = json.loads((models / "te" / "card.json").read_text())
    assert card["parameters"]["random_state"] == 3 == card["about"]["seed"]
    assert card["about"]["initial_weights"] == "synthetic"
    picture = tmp_path / "face.svg"
    code, out, err = elrcn("predict", models / "te", photographs, "--picture", picture)
    assert code == 0, err
    assert "face found at onset" in out and "remark: The clip has 2 frames" in out
    assert picture.read_bytes().count(b"<image") >= 7  # 2 frames, flow, key, 3 Grad-CAM


def damaged(model, tmp_path, name):
    folder = tmp_path / name
    shutil.copytree(model, folder)
    return folder


def test_mistakes_end_in_one_message_and_write_nothing(elrcn, model, photographs, tmp_path):
    no_card, no_weights, header, card, other, mute = (
        damaged(model, tmp_path, name)
        for name in ("no_card", "no_weights", "header", "card", "other", "mute")
    )
    (no_card / "card.json").unlink()
    (no_weights / "model.safetensors").unlink()
    weights = (model / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", weights[:8])
    (header / "model.safetensors").write_bytes(weights[:8] + b"x" * length + weights[8 + length :])
    (card / "card.json").write_text('{"format": "elrcn-model-1", "kind": "ELRCNSE"}')
    text = json.loads((model / "card.json").read_text())
    edited = damaged(model, tmp_path, "edited")
    (edited / "card.json").write_text(json.dumps({**text, "classes": text["classes"][::-1]}))
    del text["sha256"]  # as an earlier version wrote cards
    lists = damaged(model, tmp_path, "lists")
    (lists / "card.json").write_text(json.dumps({**text, "networks": [1]}))
    text["about"]["preprocess"]["size"] = "24"
    (other / "card.json").write_text(json.dumps(text))
    text["about"] = {}
    (mute / "card.json").write_text(json.dumps(text))
    cut = damaged(model, tmp_path, "cut")
    (cut / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    words = tmp_path / "words.mp4"
    words.write_text("words")
    cases = [
        ((no_card, photographs), "no saved model"),
        ((no_weights, photographs), "no weights file"),
        ((header, photographs), "cannot be read"),
        ((cut, photographs), "cannot be read"),
        ((card, photographs), "preprocessed"),
        ((mute, photographs), "preprocessed"),
        ((edited, photographs), "changed since"),
        ((other, photographs), "not understood"),
        ((lists, photographs), "damaged"),
        ((words, photographs), "no saved model"),
        ((model, tmp_path / "gone.mp4"), "no such file"),
        ((model, words), "no video"),
        ((model, nothing), "no frames"),
        ((model, photographs / "face_smile_0.png"), "single picture"),
        ((model, photographs, "--onset", 1, "--offset", 0), "must come before"),
        ((model, photographs, "--offset", 9), "no frame 9"),
        ((model, photographs, "--onset", 1), "at least two frames"),
        ((model, photographs, "--align", "sideways"), "sideways"),
        ((model, photographs, "--onset", "two"), "two"),
    ]
    picture = tmp_path / "pictures" / "p.svg"
    picture.parent.mkdir()
    for arguments, message in cases:
        code, out, err = elrcn("predict", *arguments, "--picture", picture)
        assert (code, out) == (2, ""), (arguments, out)
        assert message in err and "Traceback" not in err, (arguments, err)
        assert not list(picture.parent.iterdir()), arguments
    for bad, message in (
        (tmp_path / "p.gif", ".svg or .png"),
        (tmp_path / "p", ".svg or .png"),
        (tmp_path / "away" / "p.svg", "no folder"),
        (photographs / "p.svg", "among the frames"),
    ):
        code, out, err = elrcn("predict", model, photographs, "--picture", bad)
        assert (code, out) == (2, "") and message in err
        assert not bad.exists()


def test_no_face_can_stop_it(elrcn, model, tmp_path):
    pytest.importorskip("dlib")
    folder = tmp_path / "texture"
    folder.mkdir()
    for t in range(2):
        shutil.copy(DATA / f"texture_bump_{t}.png", folder)
    code, out, err = elrcn("predict", model, folder)
    assert code == 0 and "No face was found in frame 0" in out
    code, out, err = elrcn("predict", model, folder, "--no-face", "fail")
    assert (code, out) == (2, "") and "No face was found" in err


def test_what_cannot_be_trained_is_told_before_training(train, elrcn, model, tmp_path):
    code, _, err = train(tmp_path / "m", "--method", "lbp_top")
    assert code == 2 and "cannot be saved" in err and "elrcn_se" in err
    code, _, err = train(tmp_path / "m", "--profile", "paper", "--device", "cpu")
    assert code == 2 and "--yes" in err
    code, _, err = train(tmp_path / "m", "--method", "elrcn_te", "--pretrained", "vggface")
    assert code == 2 and "full VGG-16" in err
    code, _, err = train(tmp_path / "m", "--method", "resnet")
    assert code == 2 and "no method 'resnet'" in err
    code, _, err = elrcn("train", "table9", "--out", tmp_path / "m")
    assert code == 2 and "table9" in err
    before = (model / "card.json").read_bytes()
    code, _, err = train(model)
    assert code == 2 and "already" in err and (model / "card.json").read_bytes() == before
    (tmp_path / "file").touch()
    code, _, err = train(tmp_path / "file" / "m")
    assert code == 2 and "cannot be made" in err
    assert not (tmp_path / "m").exists()
