import hashlib
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from elrcn.config import PreprocessConfig
from elrcn.errors import ElrcnError
from elrcn.preprocess import cache as stack
from elrcn.preprocess import clips as channels
from elrcn.preprocess.cache import StackArray, build_clips, stack_clip
from elrcn.preprocess.clips import read_clip, read_grey
from elrcn.preprocess.flow import flow_sequence

CONFIG = PreprocessConfig(size=16, flow_size=32, tim_length=4)


@dataclass(frozen=True)
class Clips:
    """As much of a manifest as preprocessing uses."""

    table: pd.DataFrame
    roots: dict

    def __len__(self):
        return len(self.table)

    def frame_paths(self, i):
        row = self.table.iloc[i]
        return [Path(self.roots[row.database]) / name for name in row.frames]


def make_clips(root, lengths=(6, 9, 5), seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for number, length in enumerate(lengths):
        folder = root / "Cropped" / "sub01" / f"EP{number:02d}"
        folder.mkdir(parents=True)
        picture = cv2.GaussianBlur(rng.uniform(0, 255, (60, 60)).astype(np.float32), (0, 0), 2)
        picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX)
        names, digest = [], hashlib.sha256()
        for t in range(length):
            path = folder / f"reg_img{t + 1}.jpg"
            shift = np.float32([[1, 0, -4 + 0.4 * t], [0, 1, -4]])
            cv2.imwrite(str(path), cv2.warpAffine(picture, shift, (44, 52)))
            names.append(path.relative_to(root).as_posix())
            digest.update(path.read_bytes())
        rows.append(
            {
                "clip_id": f"CASME2/sub01/EP{number:02d}",
                "database": "CASME2",
                "frames": tuple(names),
                "sha256": digest.hexdigest(),
            }
        )
    return Clips(pd.DataFrame(rows), {"CASME2": root})


@pytest.fixture
def clips(tmp_path):
    return make_clips(tmp_path / "db")


def cached(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.npy")}


def test_channels_and_their_units(clips):
    frames = read_clip(clips.frame_paths(1), 32)
    out = stack_clip(frames, CONFIG)
    assert out.shape == (3, 5, 16, 16) and out.dtype == np.float32
    # 8 steps of 0.4 px in 44 px wide frames are 2.33 px in 32; a third of it each step.
    inner = out[:, :, 4:-4, 4:-4]
    assert abs(np.median(inner[:, 0]) - 8 * 0.4 * 32 / 44 / 3) < 0.1
    assert abs(np.median(inner[:, 1])) < 0.1
    assert (out[:, 2] >= 0).all() and (out[:, 3] >= 0).all()
    assert out[:, 4].min() >= 0 and 100 < out[:, 4].max() <= 255


def test_grey_is_the_frame_that_the_flow_starts_from(clips):
    frames = read_clip(clips.frame_paths(0), 32)
    config = replace(CONFIG, tim_length=0, size=32)
    out = stack_clip(frames, config)
    assert (out[:, 4] == frames[:-1]).all()


def test_resizing_inside_and_outside_is_the_same(clips):
    raw = np.stack([read_grey(path) for path in clips.frame_paths(0)])
    assert raw.dtype == np.uint8
    small = read_clip(clips.frame_paths(0), 32)
    np.testing.assert_array_equal(stack_clip(raw, CONFIG), stack_clip(small, CONFIG))


@pytest.mark.parametrize("size, flow_size", [(16, 40), (48, 168), (24, 64), (33, 33)])
def test_any_ratio_of_sizes(clips, size, flow_size):
    config = replace(CONFIG, size=size, flow_size=flow_size)
    frames = read_clip(clips.frame_paths(0), flow_size)
    out = stack_clip(frames, config)
    assert out.shape == (3, 5, size, size)
    np.testing.assert_allclose(out[0, 4].mean(), frames[0].mean(), rtol=1e-3)


def test_only_the_frames_that_tim_needs_are_decoded(tmp_path):
    clips = make_clips(tmp_path, lengths=(7,))
    paths = clips.frame_paths(0)
    frames = read_clip(paths, 32, tim_length=4)
    np.testing.assert_array_equal(frames, read_clip(paths, 32)[::2])
    assert len(read_clip(paths, 32, tim_length=5)) == 7
    paths[3].write_bytes(paths[3].read_bytes()[:400])
    with pytest.raises(ElrcnError, match="cut short"):
        read_clip(paths, 32, tim_length=4)


@pytest.mark.parametrize(
    "frames, said",
    [
        (np.zeros((0, 40, 40)), "shape (0, 40, 40)"),
        (np.zeros((40, 40)), "shape (40, 40)"),
        (np.zeros((4, 40, 40, 3)), "shape (4, 40, 40, 3)"),
        ([np.zeros((40, 40)), np.zeros((40, 41))], "frames of several sizes"),
    ],
)
def test_what_is_no_clip_is_refused(frames, said):
    with pytest.raises(ElrcnError, match=re.escape(said)):
        stack_clip(frames, CONFIG)
    with pytest.raises(ElrcnError, match=re.escape(said)):
        flow_sequence(frames)


def test_stacks_do_not_depend_on_workers(clips, tmp_path):
    one = build_clips(clips, CONFIG, tmp_path / "a", workers=1, progress=False)
    many = build_clips(clips, CONFIG, tmp_path / "b", workers=4, progress=False)
    assert one.shape == many.shape == (3, 3, 5, 16, 16)
    assert cached(tmp_path / "a") == cached(tmp_path / "b")
    for i in range(3):
        np.testing.assert_array_equal(
            one[i], stack_clip(read_clip(clips.frame_paths(i), 32), CONFIG)
        )


def test_an_interrupted_run_resumes(clips, tmp_path, monkeypatch):
    whole = build_clips(clips, CONFIG, tmp_path / "a", workers=1, progress=False)
    expected = cached(tmp_path / "a")
    made, real = [], stack.stack_clip

    def twice(*args, **kwargs):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(1)
        return real(*args, **kwargs)

    monkeypatch.setattr(stack, "stack_clip", twice)
    with pytest.raises(KeyboardInterrupt):
        build_clips(clips, CONFIG, tmp_path / "b", workers=1, progress=False)
    assert len(cached(tmp_path / "b")) == 2
    assert not list((tmp_path / "b").rglob("*.part"))
    made.clear()
    again = build_clips(clips, CONFIG, tmp_path / "b", workers=1, progress=False)
    assert len(made) == 1
    assert cached(tmp_path / "b") == expected
    np.testing.assert_array_equal(np.asarray(again), np.asarray(whole))


def test_a_cached_file_cut_short_is_made_again(clips, tmp_path):
    first = build_clips(clips, CONFIG, tmp_path, progress=False)
    before = cached(tmp_path)
    data = first.paths[1].read_bytes()
    first.paths[1].write_bytes(data[: len(data) // 2])
    build_clips(clips, CONFIG, tmp_path, progress=False)
    assert cached(tmp_path) == before


def test_the_cache_tells_configurations_apart(clips, tmp_path):
    a = build_clips(clips, CONFIG, tmp_path, progress=False)
    b = build_clips(clips, replace(CONFIG, tim_length=5), tmp_path, progress=False)
    assert not set(a.paths) & set(b.paths) and b.shape[1] == 4
    frames = build_clips(clips, CONFIG, tmp_path, "grey", progress=False)
    same = build_clips(
        clips, replace(CONFIG, flow="opencv", size=20), tmp_path, "grey", progress=False
    )
    assert frames.paths == same.paths


def test_grey_sequences(clips, tmp_path):
    frames = build_clips(clips, CONFIG, tmp_path, "grey", progress=False)
    assert frames.shape == (3, 4, 1, 32, 32) and frames.dtype == np.uint8
    ends = read_clip(clips.frame_paths(0), 32)[[0, -1]]
    np.testing.assert_array_equal(frames[0][[0, -1], 0], np.rint(ends))


def test_a_stack_array_indexes_as_an_array_does(clips, tmp_path):
    lazy = build_clips(clips, CONFIG, tmp_path, progress=False)
    full = np.asarray(lazy)
    assert full.shape == lazy.shape and full.dtype == lazy.dtype and len(lazy) == 3
    np.testing.assert_array_equal(lazy[-1], full[-1])
    np.testing.assert_array_equal(lazy.frame(1, 2), full[1, 2])
    for key in (slice(1, None), [2, 0], np.array([True, False, True]), np.array([1, 1, 2])):
        part = lazy[key]
        assert isinstance(part, StackArray) and part.shape == full[key].shape
        np.testing.assert_array_equal(np.asarray(part), full[key])
    empty = lazy[np.zeros(0, int)]
    assert empty.shape == (0, *full.shape[1:]) and np.asarray(empty).shape == empty.shape
    with pytest.raises(IndexError):
        lazy[3]
    with pytest.raises(IndexError):
        lazy[np.array([True, False])]


def test_without_tim_short_clips_end_at_rest(clips, tmp_path):
    config = replace(CONFIG, tim_length=0)
    lazy = build_clips(clips, config, tmp_path, progress=False)
    assert lazy.shape == (3, 8, 5, 16, 16) and list(lazy.lengths) == [5, 8, 4]
    short = lazy[2]
    assert (short[4:, :4] == 0).all() and np.abs(short[3, :4]).max() > 0
    assert (short[4:, 4] == short[3, 4]).all()
    np.testing.assert_array_equal(lazy.frame(2, 6), short[6])
    assert lazy[[2]].shape == (1, 8, 5, 16, 16)
    capped = StackArray(lazy.paths, length=5, motion=4)
    np.testing.assert_array_equal(capped[1], lazy[1][:5])


def test_a_clip_hash_is_computed_where_the_manifest_has_none(clips, tmp_path):
    known = build_clips(clips, CONFIG, tmp_path, progress=False)
    bare = Clips(clips.table.drop(columns="sha256"), clips.roots)
    assert build_clips(bare, CONFIG, tmp_path, progress=False).paths == known.paths


def damage(clips, tmp_path, change):
    path = clips.frame_paths(1)[3]
    change(path)
    with pytest.raises(ElrcnError) as caught:
        build_clips(clips, CONFIG, tmp_path / "cache", workers=2, progress=False)
    assert caught.value.where == path
    return str(caught.value)


@pytest.mark.parametrize("keep", [0, 1, 10, 300, -2])
def test_a_truncated_jpeg_is_named(clips, tmp_path, keep):
    message = damage(clips, tmp_path, lambda p: p.write_bytes(p.read_bytes()[:keep]))
    assert "EP01" in message and "frame" in message


def test_a_frame_of_another_size_names_the_clip(clips, tmp_path):
    def change(path):
        cv2.imwrite(str(path), np.zeros((40, 44), np.uint8))

    assert "CASME2/sub01/EP01" in damage(clips, tmp_path, change)


def test_a_missing_frame_is_named(clips, tmp_path):
    assert "EP01" in damage(clips, tmp_path, Path.unlink)


def test_a_clip_of_one_frame_is_refused(clips, tmp_path):
    table = clips.table.copy()
    table["frames"] = [names[:1] for names in table["frames"]]
    for tim_length in (0, 4):
        with pytest.raises(ElrcnError, match="two frames"):
            build_clips(
                Clips(table, clips.roots),
                replace(CONFIG, tim_length=tim_length),
                tmp_path,
                progress=False,
            )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_no_stack_holds_a_value_that_is_not_finite(clips, tmp_path, monkeypatch, value):
    """A frame, or a flow, that is not finite is named with its clip; nothing is stored of it."""
    real = stack.read_clip

    def damaged(*args):
        frames = real(*args)
        frames[-1, 3, 4] = value if args[2].endswith("EP01") else 7
        return frames

    monkeypatch.setattr(stack, "read_clip", damaged)
    for more in ({}, {"kind": "grey"}, {"variants": ("mirror",)}):
        with pytest.raises(ElrcnError, match=r"EP01: The frame of step \d of 4 .* not finite"):
            build_clips(clips, CONFIG, tmp_path, workers=1, progress=False, **more)
    assert not [
        path for path in cached(tmp_path) if not np.isfinite(np.load(tmp_path / path)).all()
    ]
    monkeypatch.setattr(stack, "read_clip", real)

    def flow(frames, *args):
        out = np.zeros((len(frames) - 1, *frames.shape[1:], 2), np.float32)
        out[1, 5, 6, 1] = value
        return out

    monkeypatch.setattr(channels, "flow_sequence", flow)
    with pytest.raises(ElrcnError, match="EP00: The channel flow_y of step 2 of 3"):
        build_clips(clips, CONFIG, tmp_path / "flow", workers=1, progress=False)
    assert not cached(tmp_path / "flow")


def test_a_full_disk_leaves_no_half_written_file(clips, tmp_path, monkeypatch):
    def full(file, array, **options):
        file.write(b"\x93NUMPY")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(ElrcnError, match="No space left"):
        build_clips(clips, CONFIG, tmp_path / "cache", progress=False)
    assert [p.name for p in (tmp_path / "cache").rglob("*") if p.is_file()] == ["config.json"]


@pytest.mark.parametrize(
    "change",
    [{"tim_length": 1}, {"tim_length": -3}, {"flow": "farneback"}, {"size": 64}, {"size": 4}],
)
def test_an_impossible_configuration_is_refused(clips, tmp_path, change):
    with pytest.raises(ElrcnError):
        build_clips(clips, replace(CONFIG, **change), tmp_path / "cache", progress=False)
    assert not (tmp_path / "cache").exists()


def test_clips_of_other_code_are_not_taken(clips, tmp_path, other_code):
    cache = tmp_path / "cache"
    first = build_clips(clips, CONFIG, cache, progress=False)
    grey = build_clips(clips, CONFIG, cache, "grey", progress=False)
    other_code("cli/run.py")
    assert build_clips(clips, CONFIG, cache, progress=False).paths == first.paths
    other_code("preprocess/flow.py")
    again = build_clips(clips, CONFIG, cache, progress=False)
    assert not set(again.paths) & set(first.paths)
    assert not set(build_clips(clips, CONFIG, cache, "grey", progress=False).paths) & set(
        grey.paths
    )
    np.testing.assert_array_equal(again[0], first[0])


@pytest.mark.parametrize("kind", ["stack", "grey"])
@pytest.mark.parametrize("number", range(10))
def test_a_damaged_clip_is_named_and_made_again(clips, tmp_path, corruptions, kind, number):
    cache = tmp_path / "cache"
    first = build_clips(clips, CONFIG, cache, kind, progress=False)
    values, path = np.array(first), first.paths[1]
    path.write_bytes(corruptions(path.read_bytes())[number])
    os.utime(path, ns=(number, number))
    with pytest.raises(ElrcnError, match="missing or damaged"):
        StackArray(first.paths)
    with pytest.raises(ElrcnError, match="missing or damaged"):
        first.frame(1, 0)
    with pytest.warns(RuntimeWarning, match=re.escape(path.name)):
        again = build_clips(clips, CONFIG, cache, kind, progress=False)
    np.testing.assert_array_equal(again, values)


def test_the_whole_file_of_another_clip_is_not_taken(clips, tmp_path):
    first = build_clips(clips, CONFIG, tmp_path / "cache", progress=False)
    values = np.array(first)
    first.paths[1].write_bytes(first.paths[0].read_bytes())
    with pytest.warns(RuntimeWarning, match="made again"):
        again = build_clips(clips, CONFIG, tmp_path / "cache", progress=False)
    np.testing.assert_array_equal(again, values)
