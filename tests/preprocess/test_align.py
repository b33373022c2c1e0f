import builtins
import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from elrcn.config import PreprocessConfig
from elrcn.errors import ElrcnError
from elrcn.preprocess import faces as align
from elrcn.preprocess import faces as crops
from elrcn.preprocess.cache import build_clips
from elrcn.preprocess.clips import resize
from elrcn.preprocess.faces import clip_crops, face_crop, find_landmarks, follow_crops
from elrcn.preprocess.flow import flow_sequence

pytest.importorskip("dlib")

PORTRAIT = Path(__file__).parents[1] / "data" / "tvl1_reference" / "face_smile_0.png"
CONFIG = PreprocessConfig(size=32, flow_size=64, tim_length=3, align="face")


def scene(turn=0.0, shift=(0.0, 0.0), brow=0.0, noise=None):
    """A wide picture of a head and shoulders, twice the portrait's size.

    `turn` in degrees and `shift` in pixels move the whole head; `brow` lifts the left brow by so
    many pixels.
    """
    portrait = cv2.imread(str(PORTRAIT), cv2.IMREAD_GRAYSCALE).astype(np.float32)
    centre = (120.0, 105.0)  # between the eyes
    matrix = cv2.getRotationMatrix2D(centre, turn, 2.0)
    matrix[:, 2] += np.array([480, 260]) - centre + np.array(shift)
    picture = cv2.warpAffine(
        portrait, matrix, (960, 720), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    y, x = np.mgrid[:720, :960].astype(np.float32)
    bump = np.exp(-((x - 600) ** 2 + (y - 254) ** 2) / (2 * 18**2))
    picture = cv2.remap(picture, x, y + np.float32(brow) * bump, cv2.INTER_CUBIC)
    if noise is not None:
        picture = picture + noise.normal(0, 1.0, picture.shape)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def frames():
    """A head that keeps still while a brow is lifted by 1.5 px and lowered again."""
    noise = np.random.default_rng(0)
    lift = 1.5 * np.sin(np.linspace(0, np.pi, 9)) ** 2
    return [scene(brow=amount, noise=noise) for amount in lift]


def cut(frames, crops):
    crops = crops if len(crops) > 1 else crops * len(frames)
    return np.stack([crop.apply(frame) for crop, frame in zip(crops, frames, strict=True)])


def test_the_crop_is_the_upright_face(frames):
    landmarks = find_landmarks(frames[0])
    assert landmarks.shape == (68, 2)
    crop = face_crop(landmarks)
    assert abs(crop.height / crop.width - 340 / 280) < 0.01
    inside = landmarks @ np.array(crop.matrix).reshape(2, 3)[:, :2].T
    inside += np.array(crop.matrix).reshape(2, 3)[:, 2]
    right, left = inside[36:42].mean(0), inside[42:48].mean(0)
    assert abs(right[1] - left[1]) < 1e-6 < left[0] - right[0]
    jaw = inside[:17]
    edge = crop.width * align.MARGIN / (1 + 2 * align.MARGIN)
    np.testing.assert_allclose(jaw[:, 0].min(), edge, atol=1)
    np.testing.assert_allclose(crop.width - jaw[:, 0].max(), edge, atol=1)
    assert 0 < inside[17:27, 1].min() < 0.5 * crop.height  # brows, below some forehead
    np.testing.assert_allclose(crop.to_frame(inside), landmarks, atol=1e-6)


def test_a_turned_head_gives_the_same_face(frames):
    upright = resize(cut(frames[:1], clip_crops(frames[:1]))[0], 64)
    turned = scene(turn=12.0, shift=(40, -25))
    again = resize(cut([turned], clip_crops([turned]))[0], 64)
    matched = np.corrcoef(upright[8:-8, 8:-8].ravel(), again[8:-8, 8:-8].ravel())[0, 1]
    straight = cv2.resize(turned, (64, 64))
    assert matched > 0.9 > np.corrcoef(upright.ravel(), straight.ravel())[0, 1] + 0.3


def test_one_transform_a_clip_keeps_micro_motion_and_one_a_frame_invents_some(frames):
    still = find_landmarks(frames[0])
    fixed = clip_crops(frames)
    assert len(fixed) == 1
    jittery = follow_crops(np.stack([find_landmarks(frame) for frame in frames]), window=1)
    smoothed = clip_crops(frames, every_frame=True)
    assert len(jittery) == len(smoothed) == len(frames)
    assert len({(crop.width, crop.height) for crop in smoothed}) == 1

    matrix = np.array(fixed[0].matrix).reshape(2, 3)
    brow = np.array([600, 254]) @ matrix[:, :2].T + matrix[:, 2]
    nose = still[30] @ matrix[:, :2].T + matrix[:, 2]

    def motion(crops):
        """Total path in px of the lifted brow, and of the nose, which did not move."""
        flows = flow_sequence(cut(frames, crops))
        paths = []
        for x, y in (brow, nose):
            patch = flows[:, int(y) - 4 : int(y) + 5, int(x) - 4 : int(x) + 5]
            paths.append(np.linalg.norm(patch.mean((1, 2)), axis=-1).sum())
        return paths

    brow_fixed, nose_fixed = motion(fixed)
    _, nose_jittery = motion(jittery)
    _, nose_smoothed = motion(smoothed)
    assert 2.0 < brow_fixed < 3.6  # up 1.5 px and down again
    assert nose_fixed < 0.3
    assert nose_jittery > 3 * nose_fixed and nose_jittery > 0.6
    assert nose_smoothed < nose_jittery


def test_one_transform_a_frame_erases_what_the_landmarks_follow():
    frames = [scene(shift=(2.0 * t, 0)) for t in range(5)]
    fixed = flow_sequence(cut(frames, clip_crops(frames)))
    each = follow_crops(np.stack([find_landmarks(frame) for frame in frames]), window=1)
    followed = flow_sequence(cut(frames, each))
    centre = (slice(None), slice(80, 160), slice(60, 140), 0)
    assert abs(np.median(fixed[centre]) - 2.0) < 0.2
    assert abs(np.median(followed[centre])) < 1.0


def write_clips(root, folders):
    """A tree in SAMM's layout; `folders` maps clip names to lists of frames."""
    rows = []
    for name, frames in folders.items():
        folder = root / name
        folder.mkdir(parents=True)
        names = []
        for t, frame in enumerate(frames):
            path = folder / f"006_{5000 + t:05d}.png"
            cv2.imwrite(str(path), frame)
            names.append(path.relative_to(root).as_posix())
        rows.append({"clip_id": f"SAMM/{name}", "database": "SAMM", "frames": tuple(names)})
    return rows


class Clips:
    """As much of a manifest as preprocessing uses."""

    def __init__(self, table, root):
        self.table, self.root = table.reset_index(drop=True), root

    frame_paths = lambda self, i: [self.root / name for name in self.table["frames"][i]]  # noqa: E731
    subset = lambda self, mask: Clips(self.table[mask], self.root)  # noqa: E731

    def __len__(self):
        return len(self.table)


@pytest.fixture(scope="module")
def clips(frames, tmp_path_factory):
    root = tmp_path_factory.mktemp("SAMM")
    blank = [np.full((120, 160), 60 + t, np.uint8) for t in range(3)]
    rows = write_clips(root, {"006/006_1_2": frames[:3], "007/007_3_1": blank})
    return Clips(pd.DataFrame(rows), root)


def test_stacks_are_made_of_the_face(clips, frames, tmp_path):
    with pytest.warns(UserWarning, match="SAMM/007/007_3_1"):
        stacks = build_clips(clips, CONFIG, tmp_path, progress=False)
    assert [finding.clip for finding in stacks.findings] == ["SAMM/007/007_3_1"]
    assert stacks.findings[0].level == "remark"
    whole = build_clips(clips, replace(CONFIG, align="none"), tmp_path, progress=False)
    assert not set(stacks.paths) & set(whole.paths) and whole.findings == ()
    crop = clip_crops(frames)[0]
    expected = resize(resize(crop.apply(frames[0]), 64), 32)
    np.testing.assert_allclose(stacks[0][0, 4], expected, atol=1e-3)
    np.testing.assert_array_equal(stacks[1], whole[1])


def test_faces_are_found_once(clips, tmp_path, monkeypatch):
    with pytest.warns(UserWarning):
        first = build_clips(clips, CONFIG, tmp_path, "grey", progress=False)

    def again(*_):
        raise AssertionError("the face was looked for again")

    monkeypatch.setattr(crops, "clip_crops", again)
    with pytest.warns(UserWarning):
        stacks = build_clips(clips, CONFIG, tmp_path, progress=False)
    assert len(stacks) == len(first) and len(stacks.findings) == 1


def test_a_damaged_record_of_a_face_is_made_again(clips, tmp_path):
    found = crops.find_crops(clips, "face", tmp_path, progress=False)
    (record,) = (p for p in tmp_path.glob("*/*.json") if b"matrix" in p.read_bytes())
    text = record.read_text()
    record.write_text(text.replace('"width": ', '"width": 1'))
    with pytest.warns(RuntimeWarning, match="made again"):
        assert crops.find_crops(clips, "face", tmp_path, progress=False) == found
    assert record.read_text() == text


def test_clips_without_a_face_can_be_left_out_by_their_findings(clips, tmp_path):
    _, findings = crops.find_crops(clips, "face", tmp_path, progress=False)
    without = [finding.clip for finding in findings if finding.kind == "no-face"]
    kept = clips.subset(~clips.table["clip_id"].isin(without))
    assert list(kept.table["clip_id"]) == ["SAMM/006/006_1_2"]
    assert build_clips(kept, CONFIG, tmp_path, progress=False).shape[0] == 1


def test_following_the_face_is_another_input(clips, tmp_path):
    one = clips.subset(np.array([True, False]))
    fixed = build_clips(one, CONFIG, tmp_path, "grey", progress=False)
    followed = build_clips(
        one, replace(CONFIG, align="face-follow"), tmp_path, "grey", progress=False
    )
    assert (fixed[0] != followed[0]).any()
    records = [json.loads(path.read_text()) for path in tmp_path.glob("*/*.json")]
    assert sorted(len(r["crops"]) for r in records if "crops" in r) == [1, 3]


def test_frames_that_are_cropped_already_are_left_as_they_are():
    assert crops.is_cropped(("Cropped/sub01/EP02_01f/reg_img46.jpg",))
    assert not crops.is_cropped(("CASME2_RAW_selected/sub01/EP02_01f/img46.jpg",))
    assert not crops.is_cropped(("006/006_1_2/006_05562.jpg",))


def test_without_dlib_one_clear_message(clips, tmp_path, monkeypatch):
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name == "dlib":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ElrcnError, match=r"\[align\]"):
        build_clips(clips, CONFIG, tmp_path, progress=False)
    assert not list(tmp_path.rglob("*.npy"))


def test_without_the_landmark_model_one_clear_message(monkeypatch):
    align._predictor.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ElrcnError, match=r"landmark model.*|\[align\]"):
        align.require_dlib()
    align._predictor.cache_clear()
