"""Two processes that want the same thing: one makes it."""

import multiprocessing
import time

from elrcn.locking import computed_once


def _make(path, made):
    with computed_once(path):
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
    assert sorted(p.name for p in tmp_path.iterdir()) == ["made", "thing"]


def test_a_lock_is_free_again_after_an_error(tmp_path):
    for _ in range(2):
        try:
            with computed_once(tmp_path / "thing"):
                raise ValueError("stopped")
        except ValueError:
            pass
