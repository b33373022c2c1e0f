import json

import nbformat
import pytest
from small_checkout import BODY, END, write_notebook

from elrcn.corpus.film import MARK
from elrcn.errors import ElrcnError
from elrcn.files import file_digest
from elrcn_book import build, pages, receipts


def problem(workspace, overrides=None):
    return receipts.page_problem(workspace, "page", overrides)


def test_a_fresh_page_is_accepted(executed):
    assert problem(executed) == ""
    receipts.verify_pages(executed)


def test_receipt_says_what_the_page_was_made_from(executed):
    receipt = receipts.read_receipt(executed, "page")
    assert receipt["parameters"] == {
        "profile": "smoke",
        "seed": 8,
        "rate": 0.5,
        "names": ["a"],
        "then": "",
    }
    assert receipt["overrides"] == {"seed": 8}
    assert receipt["seed"] == 8
    assert receipt["notebook"] == file_digest(pages.source_path(executed, "page"))
    assert list(receipt["artifacts"]) == ["table.csv"]
    assert {"python", "numpy", "torch"} <= set(receipt["versions"])
    assert receipt["device"] and receipt["library"] and receipt["seconds"] > 0


def test_a_doctored_page_is_refused(workspace):
    path = pages.executed_path(workspace, "page")
    notebook = nbformat.read(path, 4)
    notebook.cells[0].source += "\n\nUAR 0.99"
    nbformat.write(notebook, path)
    assert "changed after it was executed" in problem(workspace)
    with pytest.raises(ElrcnError, match="page: the page was changed"):
        build.build_book(workspace, progress=False)


@pytest.mark.parametrize("change", ["edit", "remove", "add"])
def test_a_doctored_table_is_refused(workspace, change):
    table = workspace.artifacts / "page" / "table.csv"
    if change == "edit":
        table.write_text("seed\n99\n")
    elif change == "remove":
        table.unlink()
    else:
        (table.parent / "more.csv").write_text("x\n")
    assert "a table or figure" in problem(workspace)


def test_a_doctored_receipt_is_refused(workspace):
    path = pages.receipt_path(workspace, "page")
    receipt = json.loads(path.read_text())
    receipt["parameters"]["seed"] = 1
    path.write_text(json.dumps(receipt))
    assert "receipt is broken" in problem(workspace)
    path.write_text("{")
    assert "receipt is broken" in problem(workspace)
    path.unlink()
    assert problem(workspace) == "it has no receipt"


def test_a_receipt_of_another_page_is_refused(workspace):
    for kind in (pages.source_path, pages.executed_path, pages.receipt_path):
        kind(workspace, "other").write_bytes(kind(workspace, "page").read_bytes())
    assert "receipt is broken" in receipts.page_problem(workspace, "other")


def test_pages_go_stale_with_what_they_depend_on(workspace, monkeypatch):
    (workspace.data_manifest / "paper_results.csv").write_text("value\n0.6\n")
    assert "data_manifest/ changed" in problem(workspace)
    (workspace.data_manifest / "paper_results.csv").write_text("value\n0.5\n")
    assert problem(workspace) == ""

    monkeypatch.setattr(receipts, "library_hash", lambda: "other code")
    assert "the library changed" in problem(workspace)
    monkeypatch.undo()

    write_notebook(pages.source_path(workspace, "page"), BODY + "\n", END)
    assert "its notebook changed" in problem(workspace)


def test_another_database_makes_the_page_stale(workspace, monkeypatch, tmp_path):
    root = tmp_path / "casme2"
    root.mkdir()
    (root / "CASME2-coding-20140508.xlsx").write_bytes(b"sheet")
    monkeypatch.setenv("ELRCN_CASME2", str(root))
    assert "the choice of databases changed" in problem(workspace)


def test_other_parameters_make_the_page_stale_for_the_runner_only(executed):
    assert "a parameter changed" in problem(executed, {"seed": 9})
    assert problem(executed, {"seed": 8}) == ""


def test_missing_and_failed_pages_are_refused_together(workspace):
    pages.failure_path(workspace, "page").write_text("{}")
    (workspace.root / "_toc.yml").write_text(
        "root: book/index\nchapters:\n- file: book/executed/page\n- file: book/executed/absent\n"
    )
    with pytest.raises(ElrcnError) as caught:
        receipts.verify_pages(workspace)
    assert "page: its last run failed" in str(caught.value)
    assert "absent: its notebook is missing" in str(caught.value)
    assert caught.value.fix == "elrcn notebooks page absent"


def test_library_hash_leaves_out_what_only_runs_notebooks(monkeypatch):
    asked = []
    monkeypatch.setattr(receipts, "code_hash", lambda *parts: asked.extend(parts) or "x")
    receipts.library_hash()
    assert {"evaluation", "models", "config.py"} <= set(asked)
    assert not {"cli", "__pycache__"} & set(asked)


def two_pages(workspace, **other):
    """Give the workspace a second page, whose receipt's origin differs by `other`."""
    toc = workspace.root / "_toc.yml"
    toc.write_text(toc.read_text() + "  - file: book/executed/other\n")
    for kind in (pages.source_path, pages.executed_path):
        kind(workspace, "other").write_bytes(kind(workspace, "page").read_bytes())
    (workspace.artifacts / "other").mkdir()
    receipt = receipts.read_receipt(workspace, "page")
    record = {**receipt, "page": "other", "origin": {**receipt["origin"], **other}}
    for key in ("seal", "schema", "executed", "artifacts"):
        del record[key]
    receipts.write_receipt(workspace, "other", record)


def test_pages_of_one_profile_and_origin_belong_together(workspace):
    two_pages(workspace)
    assert receipts.mixture(workspace) == ""
    receipts.check_one_origin(workspace)


@pytest.mark.parametrize(
    "other",
    [
        {"profile": "demo"},
        {"data": "licensed copy with sheets 0123abcd"},
        {"CASME2": "synthetic copy with sheets 0123abcd"},
    ],
)
def test_a_book_does_not_mix_profiles_or_origins(workspace, other):
    two_pages(workspace, **other)
    with pytest.raises(ElrcnError, match="do not belong together") as caught:
        receipts.check_one_origin(workspace)
    assert "page" in str(caught.value) and next(iter(other.values())) in str(caught.value)
    assert "--mixed" in caught.value.fix


def test_pages_that_measure_nothing_mix_with_all(workspace):
    two_pages(workspace, profile="demo")
    receipt = receipts.read_receipt(workspace, "other")
    record = {k: v for k, v in receipt.items() if k not in ("seal", "schema", "executed")}
    receipts.write_receipt(workspace, "other", {**record, "origin": {}})
    assert receipts.mixture(workspace) == ""


def test_the_weights_belong_to_the_receipt(workspace, monkeypatch, tmp_path):
    weights = tmp_path / "vgg.t7"
    weights.write_bytes(b"one")
    monkeypatch.setenv("ELRCN_VGGFACE", str(weights))
    assert problem(workspace) == ""  # the small networks of this profile cannot take them
    paper = {"profile": "paper"}
    one = receipts.dependencies(workspace, "page", paper)
    assert one["weights"] == file_digest(weights)
    weights.write_bytes(b"other")
    assert receipts.dependencies(workspace, "page", paper)["weights"] != one["weights"]
    monkeypatch.delenv("ELRCN_VGGFACE")
    assert receipts.dependencies(workspace, "page", paper)["weights"] == ""


@pytest.fixture
def copy(tmp_path):
    """A little database: its label sheet in a folder of its own, three clips of two frames."""
    root = tmp_path / "copy"
    files = {"labels/coding.xlsx": b"sheet"}
    files |= {f"sub01/clip{c}/img{f}.jpg": bytes(100) for c in range(3) for f in (1, 2)}
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


@pytest.mark.parametrize(
    "change, which",
    [
        (lambda r: (r / "labels" / "coding.xlsx").write_bytes(b"other"), 0),
        (lambda r: (r / "labels" / "more.xls").write_bytes(b""), 0),
        (lambda r: (r / "sub01" / "clip0" / "img1.jpg").write_bytes(bytes(99)), 1),
        (lambda r: (r / "sub01" / "clip0" / "img2.jpg").unlink(), 1),
        (lambda r: (r / "sub01" / "clip0").rename(r / "sub01" / "clip9"), 1),
        (lambda r: (r / "labels" / "~$coding.xlsx").write_bytes(b"lock"), None),
        (lambda r: (r / "sub01" / "clip0" / "._img1.jpg").write_bytes(b"mac"), None),
        (lambda r: (r / "sub01" / "clip0" / "Thumbs.db").write_bytes(b"windows"), None),
        (lambda r: (r / "sub01" / "clip0" / "img3.jpg").symlink_to("nowhere"), None),
    ],
)
def test_a_copy_is_known_by_its_sheets_and_frames(copy, change, which):
    before = receipts.data_digests(copy)
    change(copy)
    changed = [a != b for a, b in zip(before, receipts.data_digests(copy), strict=True)]
    assert changed == [which == 0, which == 1]


def test_the_origin_says_what_part_is_synthetic(copy):
    parameters = {"profile": "smoke", "casme2_root": str(copy)}

    def origin():
        return receipts._origin(parameters, {copy: receipts.data_digests(copy)})["CASME2"]

    sheets, frames = receipts.data_digests(copy)
    assert origin() == f"licensed copy with sheets {sheets[:8]} and frames {frames[:8]}"
    clips = sorted((copy / "sub01").iterdir())
    (clips[0] / "img1.jpg").write_bytes(MARK.encode())
    assert origin().startswith("partly synthetic copy with")
    for clip in clips:
        (clip / "img1.jpg").write_bytes(MARK.encode())
    assert origin().startswith("synthetic copy with")
