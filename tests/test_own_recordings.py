import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from elrcn.config import PreprocessConfig
from elrcn.errors import ElrcnError
from elrcn.predict import MOST_FRAMES, cut_clip, open_recording
from elrcn.preprocess.clips import read_grey, stack_clip

DATA = Path(__file__).parent / "data" / "tvl1_reference"
CONFIG = PreprocessConfig(size=16, flow_size=32, tim_length=3)


def pictures(count, size=(48, 40)):
    """Frames that tell their own number by their brightness."""
    rows = np.linspace(0, 40, size[0])[:, None]
    return [np.uint8(np.tile(20 + 10 * (t % 20) + 0.8 * rows, (1, size[1]))) for t in range(count)]


def write_frames(folder, names, size=(48, 40)):
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in zip(names, pictures(len(names), size), strict=True):
        assert cv2.imwrite(str(folder / name), picture)
    return folder


def write_video(path, count, code="mp4v", fps=30.0, size=(48, 64)):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), fps, size[::-1])
    assert writer.isOpened()
    for picture in pictures(count, size):
        writer.write(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


def brightness(recording):
    return [round((float(frame.mean()) - 36) / 10) for frame in recording.frames()]


def test_a_folder_is_read_in_numeric_order_without_litter(tmp_path):
    folder = write_frames(tmp_path / "clip", [f"img{n}.png" for n in (8, 9, 10, 11)])
    for name in ("Thumbs.db", ".DS_Store", "._img9.png", "notes.txt"):
        (folder / name).write_text("x")
    (folder / "img12.png").mkdir()
    recording = open_recording(folder)
    assert recording.numbers == (8, 9, 10, 11) and recording.fps is None
    assert brightness(recording) == [0, 1, 2, 3]
    part = open_recording(folder, onset=9, offset=10)
    assert part.numbers == (9, 10) and brightness(part) == [1, 2]
    assert open_recording(folder, onset=10).numbers == (10, 11)


def test_frames_without_numbers_are_counted_from_one(tmp_path):
    recording = open_recording(write_frames(tmp_path / "clip", ["a.bmp", "b.bmp", "c.bmp"]), 2)
    assert recording.numbers == (2, 3) and brightness(recording) == [1, 2]


def test_missing_frames_are_remarked(tmp_path):
    folder = write_frames(tmp_path / "clip", ["1.png", "2.png", "5.png"])
    assert any("2 of the frames 1 to 5 are missing" in r for r in open_recording(folder).remarks)


@pytest.mark.parametrize(("code", "suffix"), [("mp4v", ".mp4"), ("MJPG", ".avi")])
def test_a_video_is_counted_from_one(tmp_path, code, suffix):
    path = write_video(tmp_path / f"clip{suffix}", 12, code)
    whole = open_recording(path)
    assert whole.numbers == tuple(range(1, 13)) and whole.fps == pytest.approx(30)
    part = open_recording(path, onset=4, offset=9)
    assert part.numbers == (4, 5, 6, 7, 8, 9)
    assert brightness(part) == [3, 4, 5, 6, 7, 8]
    assert brightness(part) == [3, 4, 5, 6, 7, 8]  # a second pass decodes the same frames


def test_speed_and_length_unlike_the_databases_are_remarked(tmp_path):
    slow = open_recording(write_video(tmp_path / "slow.avi", 12, "MJPG"))
    assert "30 frames a second" in slow.remarks[0] and "4 to 21 frames" in slow.remarks[0]
    assert "12 frames" in slow.remarks[1] and "24 to 141" in slow.remarks[1]
    assert open_recording(write_video(tmp_path / "fast.avi", 30, "MJPG", 200.0)).remarks == ()


def test_colour_and_large_numbers(tmp_path):
    folder = tmp_path / "clip"
    folder.mkdir()
    for t in range(2):
        cv2.imwrite(str(folder / f"006_0556{t}.png"), np.full((40, 40, 3), (255, 0, 0), np.uint8))
    frames = list(open_recording(folder).frames())
    assert [frame.shape for frame in frames] == [(40, 40)] * 2 and frames[0][0, 0] == 29


def bad_sources(tmp_path):
    good = write_frames(tmp_path / "good", [f"{n}.png" for n in range(46, 52)])
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.avi").touch()
    whole = write_video(tmp_path / "whole.mp4", 12)
    (tmp_path / "cut.mp4").write_bytes(whole.read_bytes()[:500])
    (tmp_path / "bare").mkdir()
    litter = tmp_path / "litter"
    litter.mkdir()
    (litter / "Thumbs.db").touch()
    single = write_frames(tmp_path / "single", ["img1.png"])
    twice = write_frames(tmp_path / "twice", ["img1.png", "img01.png", "img2.png"])
    stray = write_frames(tmp_path / "stray", ["img1.png", "img2.png", "cover.png"])
    long = tmp_path / "long"
    long.mkdir()
    for n in range(MOST_FRAMES + 1):
        (long / f"{n}.png").touch()
    gap = write_frames(tmp_path / "gap", ["1.png", "2.png", "5.png"])
    return [
        (tmp_path / "nowhere.mp4", {}, "no such file"),
        (tmp_path / "text.mp4", {}, "no video"),
        (tmp_path / "empty.avi", {}, "no video"),
        (tmp_path / "cut.mp4", {}, "no video"),
        (tmp_path / "bare", {}, "holds no frames"),
        (litter, {}, "holds no frames"),
        (single, {}, "at least two frames; this one has 1"),
        (single / "img1.png", {}, "single picture"),
        (twice, {}, "same frame number"),
        (stray, {}, "this one is not"),
        (long, {}, "at most 600"),
        (good, {"onset": 50, "offset": 48}, "must come before"),
        (good, {"onset": 50, "offset": 50}, "must come before"),
        (good, {"onset": 1}, "no frame 1 for --onset: the frames are 46 to 51"),
        (good, {"offset": 52}, "no frame 52 for --offset"),
        (good, {"onset": 51}, "this one has 1"),
        (gap, {"onset": 3}, "with gaps"),
        (whole, {"offset": 13}, "the frames are 1 to 12"),
        (whole, {"onset": 0}, "no frame 0"),
        (whole, {"onset": 12}, "this one has 1"),
        (whole, {"onset": 900, "offset": 901}, "no frame 900"),
    ]


def test_what_is_no_clip_is_told(tmp_path):
    for source, cut, message in bad_sources(tmp_path):
        with pytest.raises(ElrcnError, match=message) as caught:
            open_recording(source, **cut)
        assert message in str(caught.value)
        assert caught.value.fix or caught.value.where


def test_the_decoder_adds_no_lines_of_its_own(tmp_path):
    (tmp_path / "cut.mp4").write_bytes(write_video(tmp_path / "whole.mp4", 12).read_bytes()[:500])
    code = "import sys, elrcn.predict as r; r.open_recording(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "cut.mp4"], capture_output=True, text=True
    )
    assert "ElrcnError: This file is no video" in done.stderr
    assert done.stderr.startswith("Traceback") and "moov" not in done.stderr


def test_frames_that_do_not_fit_together_are_told(tmp_path):
    folder = write_frames(tmp_path / "clip", ["1.png", "2.png", "3.png"])
    write_frames(tmp_path / "other", ["2.png"], (40, 40))
    shutil.copy(tmp_path / "other" / "2.png", folder / "2.png")
    with pytest.raises(ElrcnError, match="differ in size"):
        list(open_recording(folder).frames())
    (folder / "2.png").write_bytes((folder / "1.png").read_bytes()[:40])
    with pytest.raises(ElrcnError, match=r"damaged.*") as caught:
        list(open_recording(folder).frames())
    assert "2.png" in str(caught.value)
    tiny = write_frames(tmp_path / "tiny", ["1.png", "2.png"], (8, 8))
    with pytest.raises(ElrcnError, match="too small"):
        list(open_recording(tiny).frames())


def face_folder(tmp_path):
    folder = tmp_path / "face"
    folder.mkdir()
    for t in range(2):
        shutil.copy(DATA / f"face_smile_{t}.png", folder)
    return folder


def test_a_photographed_face_is_found_and_cut(tmp_path):
    pytest.importorskip("dlib")
    recording = open_recording(face_folder(tmp_path))
    frame = read_grey(recording.files[0])
    clip = cut_clip(recording, CONFIG)
    assert clip.cut == "face found at onset" and clip.remarks == ()
    assert clip.stack.shape == (2, 5, 16, 16) and np.isfinite(clip.stack).all()
    assert clip.pictures[0].shape[1] < frame.shape[1]
    whole = cut_clip(recording, CONFIG, align="none")
    frames = np.stack([read_grey(path) for path in recording.files])
    np.testing.assert_allclose(whole.stack, stack_clip(frames, CONFIG))
    assert np.abs(clip.stack - whole.stack).max() > 1


def test_no_face_is_remarked_or_fatal(tmp_path):
    pytest.importorskip("dlib")
    recording = open_recording(write_frames(tmp_path / "blank", ["1.png", "2.png"]))
    clip = cut_clip(recording, CONFIG)
    assert clip.cut == "whole frames" and "No face was found in frame 1" in clip.remarks[0]
    with pytest.raises(ElrcnError, match="No face was found"):
        cut_clip(recording, CONFIG, no_face="fail")
    with pytest.raises(ElrcnError, match="no choice"):
        cut_clip(recording, CONFIG, no_face="guess")
    with pytest.raises(ElrcnError, match="alignment"):
        cut_clip(recording, CONFIG, align="sideways")


def test_a_recording_whose_stack_is_not_finite_is_named(tmp_path, monkeypatch):
    from elrcn.predict import cut_clip
    from elrcn.preprocess import clips as channels

    def flow(frames, *args):
        return np.full((len(frames) - 1, *frames.shape[1:], 2), np.nan, np.float32)

    monkeypatch.setattr(channels, "flow_sequence", flow)
    recording = open_recording(write_frames(tmp_path / "own", ["1.png", "2.png"]))
    with pytest.raises(ElrcnError, match="flow_x of step 1 of 2") as caught:
        cut_clip(recording, CONFIG, align="none")
    assert caught.value.where == recording.path


def test_cropped_frames_are_not_cropped_again(tmp_path):
    names = ["reg_img9.jpg", "reg_img10.jpg"]
    clip = cut_clip(open_recording(write_frames(tmp_path / "EP02_01f", names)), CONFIG)
    assert clip.cut == "frames cropped already" and clip.remarks == ()
