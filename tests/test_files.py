"""Files that are whole, known by what made them, and made once."""

import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from elrcn import files
from elrcn.errors import ElrcnError

PACKAGE = Path(files.__file__).parent


def names(folder):
    return sorted(p.name for p in folder.iterdir() if p.name != ".locks")


def _make(path, made):
    with files.computed_once(path):
        if not path.exists():
            time.sleep(0.2)
            with open(made, "a") as file:
                file.write("x")
            path.write_text("done")


def test_one_of_two_processes_computes(tmp_path):
    target, made = tmp_path / "thing", tmp_path / "made"
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=_make, args=(target, made)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert made.read_text() == "x"
    assert names(tmp_path) == ["made", "thing"]


def test_processes_with_temporary_folders_of_their_own_meet_one_lock(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from elrcn.files import computed_once\n"
        "path = Path(sys.argv[1])\n"
        "with computed_once(path):\n"
        "    if not path.exists():\n"
        "        time.sleep(0.5); open(sys.argv[2], 'a').write('x'); path.write_text('done')\n"
    )
    both = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        both.append(
            subprocess.Popen(
                [sys.executable, "-c", code, tmp_path / "out" / "thing", tmp_path / "made"],
                env={**os.environ, "TMPDIR": str(tmp_path / name)},
            )
        )
    assert [process.wait() for process in both] == [0, 0]
    assert (tmp_path / "made").read_text() == "x"


def test_a_lock_is_free_again_after_an_error(tmp_path):
    for _ in range(2):
        try:
            with files.computed_once(tmp_path / "thing"):
                raise ValueError("stopped")
        except ValueError:
            pass


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "a.txt"
    files.write(path, "first")
    with pytest.raises(ValueError), files.replacing(path) as part:
        part.write_text("half")
        raise ValueError
    assert path.read_text() == "first"
    files.write(path, b"second")
    assert path.read_bytes() == b"second"
    assert names(path.parent) == ["a.txt"]


def test_a_folder_appears_whole_and_the_first_one_stays(tmp_path):
    for text in ("one", "two"):
        with files.replacing(tmp_path / "made") as part:
            part.mkdir()
            (part / "x").write_text(text)
    assert (tmp_path / "made" / "x").read_text() == "one"
    assert names(tmp_path) == ["made"]


def test_what_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ElrcnError) as error:
        files.write(tmp_path / "file" / "below", "x", fix="choose another folder")
    assert error.value.fix == "choose another folder"


def test_sweep_takes_what_is_old_and_stumbles_over_nothing(tmp_path):
    (tmp_path / ".part-gone.part").symlink_to("/nonexistent")
    old, new = tmp_path / ".old.1.part", tmp_path / ".new.2.part"
    old.mkdir()
    (old / "half").write_text("")
    new.write_text("")
    for path in (old, tmp_path / ".part-gone.part"):
        os.utime(path, (0, 0), follow_symlinks=False)
    files.sweep(tmp_path)
    files.sweep(tmp_path / "missing")
    assert names(tmp_path) == [".new.2.part"]


@pytest.mark.filterwarnings("ignore:.*set aside")
def test_what_is_set_aside_is_named(tmp_path):
    path = tmp_path / "a.npy"
    assert files.set_aside(path) is None
    path.write_text("x")
    with pytest.warns(RuntimeWarning, match="a.npy: it is damaged"):
        aside = files.set_aside(path)
    assert aside.read_text() == "x" and not path.exists()


def test_arrays_know_what_is_in_them(tmp_path, corruptions):
    path, array = tmp_path / "a.npy", np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    files.write_array(path, array)
    np.testing.assert_array_equal(files.read_array(path), array)
    np.testing.assert_array_equal(np.load(path, mmap_mode="r")[1], array[1])
    data = path.read_bytes()
    for i, damaged in enumerate(corruptions(data)):
        path.write_bytes(damaged)
        os.utime(path, ns=(i, i))
        assert files.read_array(path) is None, i
    path.unlink()
    assert files.read_array(path) is None
    path.mkdir()
    assert files.read_array(path) is None


def test_an_array_without_a_digest_is_not_taken(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(100))
    assert files.read_array(tmp_path / "a.npy") is None


def test_json_knows_what_is_in_it(tmp_path, corruptions):
    path, value = tmp_path / "a.json", {"mean": [1.5, 2.0], "name": "é"}
    files.write_json(path, value)
    assert files.read_json(path) == value
    data = path.read_bytes()
    for damaged in corruptions(data):
        path.write_bytes(damaged)
        assert files.read_json(path) in (None, value)
    path.write_text(data.decode().replace("1.5", "1.6"))
    assert files.read_json(path) is None
    path.write_text("[1]")
    assert files.read_json(path) is None


@pytest.mark.parametrize("threads", [False, True])
def test_jobs_side_by_side(threads):
    jobs = ((pow, n, 2) for n in range(5))
    done = files.side_by_side(jobs, 5, workers=2, threads=threads, progress=False)
    assert sorted(done) == [0, 1, 4, 9, 16]
    assert list(files.side_by_side([], 0)) == []


def change(package, module, old, new):
    files._module.cache_clear()
    path = package / module
    path.write_text(path.read_text().replace(old, new, 1))


def test_a_hash_follows_imports_wherever_they_stand(tmp_path, monkeypatch):
    package = tmp_path / "elrcn"
    (package / "sub").mkdir(parents=True)
    monkeypatch.setattr(files, "_PACKAGE", package)
    (package / "a.py").write_text("from elrcn.sub.b import x\n")
    (package / "sub" / "__init__.py").write_text("Y = 1\n")
    (package / "sub" / "b.py").write_text("def f():\n    from elrcn.sub import c\n    return c.Z\n")
    (package / "sub" / "c.py").write_text("import elrcn.a\nZ = 1\n")
    (package / "other.py").write_text("W = 1\n")
    reached = {"a.py", "sub/__init__.py", "sub/b.py", "sub/c.py"}
    assert files.import_closure("a.py") == reached
    before = files.code_hash("a.py")
    for name, same in [("other.py", True), ("sub/c.py", False), ("sub/__init__.py", False)]:
        change(package, name, "= 1", "= 2")
        assert (files.code_hash("a.py") == before) is same, name
        change(package, name, "= 2", "= 1  # as before")
        assert files.code_hash("a.py") == before


NUMBERS = {
    "preprocess/cache.py": ["preprocess"],
    "models/spatial_stage.py": [f"models/{name}.py" for name in ("inputs", "networks", "train")],
    "models/pretrain.py": ["models/train.py", "corpus/face.py"],
    "corpus/write.py": ["corpus"],
}


@pytest.mark.parametrize("stage", NUMBERS)
def test_each_numeric_module_is_in_the_key_of_what_it_makes(stage):
    reached = files.import_closure(stage)
    for pattern in NUMBERS[stage]:
        paths = [p for p in PACKAGE.glob(pattern) if p.is_file()]
        paths += (PACKAGE / pattern).rglob("*.py") if not paths else []
        modules = {p.relative_to(PACKAGE).as_posix() for p in paths}
        assert modules and modules <= reached, modules - reached


def test_a_caption_costs_nothing():
    for stage in NUMBERS:
        reached = files.import_closure(stage)
        assert not [m for m in reached if m.startswith(("picture.py", "cli/"))]
