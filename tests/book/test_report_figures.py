"""Every figure has a title, labelled axes and alternative text, and the same bytes each time."""

from types import SimpleNamespace

import cv2
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from skimage.color import lab2rgb

matplotlib.use("Agg")

from elrcn.corpus.film import encode
from elrcn.corpus.write import workbook_bytes
from elrcn.databases.synthetic import data_origin
from elrcn.errors import ElrcnError
from elrcn.manifest import COLUMNS, Finding, Manifest
from elrcn.picture import flow_colours
from elrcn.published.audit import grim_table
from elrcn.published.numbers import load_counts, load_published, published_table
from elrcn_book import figures_data, figures_preprocess, figures_results, tables
from elrcn_book.figures import figure_svg, save_figure
from elrcn_book.figures_audit import grim_distances, grim_figure
from elrcn_book.notice import origin_banner
from elrcn_book.pictures import apex_index

CLASSES = ("happiness", "disgust", "others")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


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


def titles(fig):
    found = [fig.get_suptitle()] if fig.get_suptitle() else []
    return found + [
        t for ax in fig.axes for t in (ax.get_title(loc=p) for p in ("left", "center")) if t
    ]


def labelled(fig):
    """Labels of the axes that have a scale (those that show a picture have none)."""
    axes = [ax for ax in fig.axes if ax.axison and len(ax.get_xticks()) and len(ax.get_yticks())]
    return [(ax.get_xlabel(), ax.get_ylabel()) for ax in axes]


@pytest.fixture
def results():
    true = ["happiness"] * 3 + ["disgust"] * 5 + ["others"] * 4
    rows = pd.DataFrame(
        {
            "run": "r",
            "fold": ["s1", "s2"] * 6,
            "clip_id": [f"CASME2/x/{i}" for i in range(12)],
            "subject": ["s1", "s2"] * 6,
            "true": true,
            "predicted": true[:6] + ["happiness"] * 6,
        }
    )
    return {"se": rows, "te": rows.assign(predicted=rows["true"])}


METHODS = [
    SimpleNamespace(name="se", label="ELRCN-SE", published="ELRCN-SE"),
    SimpleNamespace(name="te", label="ELRCN-TE", published="ELRCN-TE"),
]


def test_result_figures_are_labelled(results):
    table = tables.result_table(results, METHODS, published_table("Table I"), CLASSES, draws=20)
    made = [
        figures_results.confusion_figure(results["se"], CLASSES, "SE"),
        figures_results.subject_figure(tables.subject_table(results, METHODS), "Subjects"),
        figures_results.published_figure(table, "Table I", chance=1 / 3),
    ]
    for fig in made:
        assert titles(fig)
        assert any(x for x, _ in labelled(fig)) and any(y for _, y in labelled(fig))
    assert "happiness 3 of 3, disgust 3 of 5, others 0 of 4" in figures_results.confusion_alt(
        results["se"], CLASSES
    )
    text = [t.get_text() for t in made[0].axes[0].texts]
    assert text[0] == "3\n100%" and text[3] == "2\n40%"
    recall = figures_results.recall_table(results, METHODS, CLASSES)
    assert recall.loc["ELRCN-SE"].tolist() == pytest.approx([1, 0.6, 0])


def test_data_figures(manifest):
    counts = figures_data.class_counts(manifest, "objective_class", ("I", "III"))
    assert counts.loc["III"].tolist() == [1, 1] and counts.loc["I"].tolist() == [0, 0]
    subjects = figures_data.subject_counts(manifest)
    assert subjects["frames"].tolist() == [7, 7]
    for fig in (
        figures_data.strip_figure(manifest, [0, 1], "Clips"),
        figures_data.count_figure(counts, counts, "Classes"),
        figures_data.subject_count_figure(subjects, "Subjects"),
        figures_data.clip_length_figure(manifest, "Lengths"),
    ):
        assert titles(fig)
        assert all(x or y for x, y in labelled(fig))
        figure_svg(fig)


def test_apex_is_found_by_frame_number(manifest):
    assert apex_index(manifest.table.iloc[0]) == 3
    assert apex_index(manifest.table.iloc[1]) == 3
    row = manifest.table.iloc[0].copy()
    row["frames"] = row["frames"][2:]
    assert apex_index(row) == 1


def test_preprocess_figures():
    frame = np.tile(np.arange(48, dtype=np.uint8), (40, 1))
    flow = np.zeros((40, 48, 2), np.float32)
    flow[10:20, 10:20] = (0.5, -0.25)
    for fig in (
        figures_preprocess.tim_figure(24, 10),
        figures_preprocess.flow_figure(frame, flow, "Flow"),
        figures_preprocess.strain_figure(frame, np.abs(flow[..., 0]), "Strain", 20),
    ):
        assert titles(fig)
        figure_svg(fig)


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


def test_saved_figure(tmp_path, monkeypatch, results):
    monkeypatch.setenv("ELRCN_ARTIFACTS", str(tmp_path))
    data = tables.confusion_table(results["se"], CLASSES)
    saved = []
    for _ in range(2):
        fig = figures_results.confusion_figure(results["se"], CLASSES, "SE")
        record = save_figure(fig, "page", "confusion", "Caption; LOSO.", "What one\nsees.", data)
        saved.append(record.svg.read_bytes())
        assert not plt.fignum_exists(fig.number)
    assert saved[0] == saved[1]
    assert b"<dc:date>" not in saved[0] and b"matplotlib.org/ " not in saved[0]
    assert record.csv.is_file()
    text = record._repr_mimebundle_()["text/markdown"]
    assert text.startswith("```{figure} files/page/confusion.svg\n:name: fig-page-confusion\n")
    assert ":alt: What one sees.\n" in text
    assert "{download}`CSV <files/page/confusion.csv>`" in text
    monkeypatch.delenv("ELRCN_ARTIFACTS")
    assert 'alt="What one sees."' in record._repr_mimebundle_()["text/html"]
    with pytest.raises(ElrcnError):
        save_figure(plt.figure(), "page", "x", "caption", " ")


def test_banner_comes_from_the_data(manifest, tmp_path):
    assert not data_origin(manifest).any_synthetic
    assert origin_banner(manifest).title == "Computed on licensed data"
    (tmp_path / "corpus.json").write_text("{}")  # what lies beside the data tells nothing
    assert origin_banner(manifest).title == "Computed on licensed data"
    for name in ("CASME2", "SAMM"):
        (tmp_path / name / "labels.xlsx").write_bytes(workbook_bytes({"Sheet1": []}))
    origin = data_origin(manifest)
    assert origin.synthetic == {"CASME2": True, "SAMM": True}
    assert origin.note("LOSO") == (
        "LOSO; 2 clips of 2 subjects; synthetic dataset in the layout of CASME II and SAMM."
    )
    banner = origin_banner(manifest, "demo")
    assert banner.title == "Made from the synthetic dataset"
    assert "No recording" in banner.markdown() and "`demo`" in banner.markdown()
    assert "Remarks" not in banner.markdown() + banner.html()
    found = [Finding("remark", "a <b> `c`\n```", "x.xlsx, row 2", "SAMM/x", "no-frames")]
    banner = origin_banner(manifest, "demo", found)
    assert "\n\nRemarks of the loaders: 1 (1 clip without frames).\n" in banner.markdown()
    assert "\n- SAMM/x: a <b> `c` ``` (x.xlsx, row 2)\n```\n````\n`````\n" in banner.markdown()
    assert "<li>SAMM/x: a &lt;b&gt; `c` ``` (x.xlsx, row 2)</li>" in banner.html()


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
    assert origin_banner(manifest).title == "Made in part from the synthetic dataset"


def test_grim_figure():
    table = grim_table(load_published(), load_counts())
    shown = grim_distances(table)
    row = shown[shown["method"] == "ELRCN-SE"].set_index("n")["distance"]
    assert abs(row[246]) <= 0.5 < abs(row[247])
    inside = (shown["distance"].abs() <= 0.5) == shown["possible"]
    assert inside.all()
    fig = grim_figure(table, "GRIM")
    assert titles(fig) == ["GRIM"] and all(x and y for x, y in labelled(fig))
