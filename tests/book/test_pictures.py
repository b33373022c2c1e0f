"""Which clips and frames pages show, and how: colours, maps, animations, where data come from."""

import io
from types import SimpleNamespace

import cv2
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from skimage.color import lab2rgb

matplotlib.use("Agg")

from elrcn.corpus.film import encode
from elrcn.corpus.write import workbook_bytes
from elrcn.databases.synthetic import data_origin
from elrcn.manifest import COLUMNS, Manifest
from elrcn.picture import flow_colours
from elrcn_book.pictures import (
    animation,
    apex_index,
    blinking,
    examples,
    frames_of,
    heat,
    outline,
    panel_row,
    spread,
    strip,
)


@pytest.fixture
def manifest(tmp_path):
    """Two clips of seven frames, one of a subject of each database, apex known for the first."""
    rows = []
    for database, subject, digits in (("CASME2", "sub01", 0), ("SAMM", "006", 5)):
        folder = tmp_path / database / subject
        folder.mkdir(parents=True)
        names = []
        for number in range(9, 16):
            name = f"img{number:0{digits}d}.png"
            image = np.full((40, 30), 10 * number, np.uint8)
            cv2.imwrite(str(folder / name), image)
            names.append(f"{subject}/{name}")
        apex = 12 if database == "CASME2" else pd.NA
        rows.append(
            (f"{database}/{subject}/c", database, f"{database}/{subject[-2:]}", tuple(names), 9,
             apex, 15, 200.0, "4+7", "disgust" if digits == 0 else "", "III", "")
        )  # fmt: skip
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return Manifest(table, {name: tmp_path / name for name in ("CASME2", "SAMM")})


def test_apex_is_found_by_frame_number(manifest):
    assert apex_index(manifest.table.iloc[0]) == 3
    assert apex_index(manifest.table.iloc[1]) == 3
    row = manifest.table.iloc[0].copy()
    row["frames"] = row["frames"][2:]
    assert apex_index(row) == 1


def test_examples_are_of_other_subjects_and_spread_is_even(manifest):
    assert examples(manifest, "objective_class", ("I", "III")) == [0]
    assert examples(manifest, "database", ("SAMM", "CASME2")) == [1, 0]
    assert spread(manifest, 5) == [0, 1] and spread(manifest, 1) == [0]


def test_a_strip_shows_onset_apex_and_offset_with_their_times(manifest):
    fig, axes = plt.subplots(1, 3)
    strip(axes, manifest, 0)
    assert [ax.get_title(loc="left") or ax.get_title() for ax in axes] == [
        "onset, 0 ms",
        "apex, 15 ms",
        "offset, 30 ms",
    ]
    assert [float(ax.images[0].get_array().mean()) for ax in axes] == [90, 120, 150]
    plt.close(fig)


def test_a_map_leaves_the_face_where_it_is_nothing():
    frame = np.full((20, 10), 51.0)
    values = np.zeros((20, 10))
    values[:5] = 2.0
    seen = heat(frame, values)
    assert seen.shape == (20, 10, 3)
    assert seen[12:] == pytest.approx(0.2)
    assert np.ptp(seen[0, 0]) > 0.1


def test_an_outline_needs_an_inside_and_an_outside():
    fig, ax = plt.subplots()
    outline(ax, np.zeros((4, 4), bool))
    outline(ax, np.ones((4, 4), bool))
    assert not ax.collections
    outline(ax, np.eye(4, dtype=bool))
    assert ax.collections
    plt.close(fig)


def test_an_animation_loops_and_is_the_same_each_time(manifest):
    frames = frames_of(manifest, 0)
    data = animation(frames, milliseconds=50, height=20)
    assert data == animation(frames, milliseconds=50, height=20)
    moving = Image.open(io.BytesIO(data))
    assert (moving.format, moving.n_frames, moving.info["loop"]) == ("WEBP", len(frames), 0)
    assert moving.height == 20


def test_flow_colours_tell_directions_apart():
    right, left, up, down, still = flow_colours(
        np.array([[[1, 0], [-1, 0], [0, -1], [0, 1], [0, 0]]], float), 1.0
    )[0]
    assert right[0] > right[2] and left[2] > left[0]
    assert up.mean() > still.mean() > down.mean()
    assert np.ptp(still) < 0.02
    far = flow_colours(np.array([[[9.0, 0]]]), 1.0)[0, 0]
    assert far == pytest.approx(right)


def test_flow_colours_are_those_of_a_plane_in_lab():
    flow = np.random.default_rng(0).normal(0, 2, (40, 30, 2))
    unit = flow / np.maximum(np.linalg.norm(flow, axis=-1, keepdims=True), 1)
    lab = np.stack([62 - 33 * unit[..., 1], 0 * unit[..., 0], 62 * unit[..., 0]], axis=-1)
    np.testing.assert_allclose(flow_colours(flow, 1.0), lab2rgb(lab), rtol=0, atol=1e-12)


def test_origin_comes_from_the_data(manifest, tmp_path):
    assert not data_origin(manifest).any_synthetic
    (tmp_path / "corpus.json").write_text("{}")  # what lies beside the data tells nothing
    assert not data_origin(manifest).any_synthetic
    for name in ("CASME2", "SAMM"):
        (tmp_path / name / "labels.xlsx").write_bytes(workbook_bytes({"Sheet1": []}))
    origin = data_origin(manifest)
    assert origin.synthetic == {"CASME2": True, "SAMM": True}
    assert origin.note("leaving out") == (
        "Leaving out; 2 clips of 2 subjects; synthetic dataset in the layout of CASME II and SAMM."
    )


def test_a_mixture_is_said(manifest, tmp_path):
    other = tmp_path / "CASME2" / "sub02"
    other.mkdir()
    (other / "img1.jpg").write_bytes(encode(np.zeros((8, 8), np.uint8), 90))
    origin = data_origin(manifest)
    assert origin.synthetic == {"CASME2": True, "SAMM": False}
    assert origin.label == (
        "SAMM and synthetic dataset in the layout of CASME II "
        "(CASME II: 1 of 2 clip folders are synthetic, so the whole counts as such)"
    )


def test_blinks_count_between_onset_and_offset(manifest, monkeypatch):
    lids = {"CASME2/sub01/c": (8, 0.0), "SAMM/006/c": (11, 1.0)}

    def truth(root, clip_id):
        number, closure = lids[clip_id]
        numbers = np.arange(7, 18)
        return SimpleNamespace(numbers=numbers, blink=np.where(numbers == number, closure, 0))

    monkeypatch.setattr("elrcn_book.pictures.load_truth", truth)
    assert blinking(manifest, "corpus").tolist() == [False, True]
    lids["SAMM/006/c"] = (16, 1.0)  # after the offset
    assert not blinking(manifest, "corpus").any()
    lids["SAMM/006/c"] = (11, 1.0)
    assert not blinking(manifest, None).any()


def test_panels_stand_side_by_side_under_their_titles():
    grey, colour = np.full((50, 40), 255, np.uint8), np.zeros((50, 40, 3))
    row = panel_row({"frames": grey, "flow": colour}, height=100, gap=6)
    assert row.shape == (122, 80 + 6 + 80, 3) and 0 <= row.min() and row.max() <= 1
    assert row[22:, :86].min() == 1 and row[22:, 86:].max() == 0
    assert row[:22, :80].min() < 0.5 and row[:22, 80:86].min() == 1
