"""Time competitors side by side: interleaved rounds, medians, ratios with their spread.

A machine that others use, or that heats up, is slow for seconds at a time. Run one after another,
competitors would meet different machines; run A B C A B C ..., each round compares them on the
same one, and the ratio within a round is what a table states. Nothing here is asserted anywhere.
"""

from __future__ import annotations

import csv
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from tqdm import tqdm


@dataclass(frozen=True)
class Row:
    """One line of the table; empty strings and None where a column does not apply.

    Attributes
    ----------
    stage, what, size : str
        What was timed, who did it, on how much.
    threads : int
        Threads or processes each competitor of this comparison was given.
    rounds : int
        Interleaved rounds behind the medians.
    ms : float
        Median milliseconds a unit (pair, frame, clip...: see `size`).
    ratio, ratio_low, ratio_high : float
        How many times faster than the yardstick: median and quartiles of the rounds' ratios.
    yardstick : str
        Whom `ratio` compares with.
    goal : float
        Least ratio wanted.
    peak_mb : float
        Peak memory of the process, resident, where it was measured.
    agreement, tolerance : float
        Greatest difference from the yardstick's or reference's result, and the one allowed.
    note : str
    """

    stage: str
    what: str
    size: str
    threads: int
    rounds: int
    ms: float
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    yardstick: str = ""
    goal: float | None = None
    peak_mb: float | None = None
    agreement: float | None = None
    tolerance: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met and the results agree; None without a goal."""
        if self.goal is None or self.ratio is None:
            return None
        apart = self.agreement is not None and self.tolerance is not None
        return self.ratio >= self.goal and not (apart and self.agreement > self.tolerance)


COLUMNS = tuple(field.name for field in fields(Row))


@contextmanager
def use_threads(n: int):
    """Give every library `n` threads for a while: OpenCV, torch, BLAS and OpenMP."""
    import cv2
    import torch
    from threadpoolctl import threadpool_limits

    before = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(n)
    torch.set_num_threads(n)
    try:
        with threadpool_limits(n):
            yield n
    finally:
        cv2.setNumThreads(before[0])
        torch.set_num_threads(before[1])


def interleave(
    competitors: Mapping[str, Callable[[], object]],
    rounds: int,
    units: Mapping[str, float] | None = None,
    repeats: Mapping[str, int] | None = None,
    warm: bool = True,
    limits: Mapping[str, int] | None = None,
) -> dict[str, np.ndarray]:
    """Run all competitors in turn, `rounds` times.

    Parameters
    ----------
    competitors : mapping of name to function
        Run without arguments, in this order in even rounds and in reverse in odd ones, so that
        nobody always follows the same neighbour.
    rounds : int
    units : mapping of name to float, optional
        Pieces of work (pairs, frames, clips) one call does; 1 if left out.
    repeats : mapping of name to int, optional
        Calls of short competitors that are timed together in a round.
    warm : bool
        Call each once before, for compilation and caches.
    limits : mapping of name to int, optional
        Rounds after which a slow competitor sits out.

    Returns
    -------
    dict of name to ndarray, shape (rounds,)
        Seconds a unit; NaN in rounds that were sat out.
    """
    units, repeats, limits = units or {}, repeats or {}, limits or {}
    if warm:
        for run in competitors.values():
            run()
    seconds = {name: np.full(rounds, np.nan) for name in competitors}
    names = list(competitors)
    for k in range(rounds):
        for name in names if k % 2 == 0 else reversed(names):
            if k >= limits.get(name, rounds):
                continue
            run, times = competitors[name], repeats.get(name, 1)
            start = time.perf_counter()
            for _ in range(times):
                run()
            seconds[name][k] = (time.perf_counter() - start) / times / units.get(name, 1)
    return seconds


def compare(
    stage: str,
    size: str,
    seconds: Mapping[str, np.ndarray],
    yardstick: str,
    threads: int,
    goals: Mapping[str, float] | None = None,
    agreement: Mapping[str, tuple[float, float]] | None = None,
    notes: Mapping[str, str] | None = None,
    peaks: Mapping[str, float] | None = None,
) -> list[Row]:
    """Rows of one comparison; ratios are taken within rounds, then their median and quartiles.

    `agreement` gives, by name, the difference measured and the one allowed; `peaks` megabytes.
    """
    goals, agreement = goals or {}, agreement or {}
    notes, peaks = notes or {}, peaks or {}
    rows = []
    for name, times in seconds.items():
        low, middle, high = np.nanpercentile(seconds[yardstick] / times, [25, 50, 75])
        found, allowed = agreement.get(name, (None, None))
        rows.append(
            Row(
                stage,
                name,
                size,
                threads,
                int(np.isfinite(times).sum()),
                ms=1000 * float(np.nanmedian(times)),
                ratio=float(middle),
                ratio_low=float(low),
                ratio_high=float(high),
                yardstick=yardstick,
                goal=goals.get(name),
                peak_mb=peaks.get(name),
                agreement=found,
                tolerance=allowed,
                note=notes.get(name, ""),
            )
        )
    return rows


def _text(value):
    """Four digits of a number, nothing for None: the same text in the file and on screen."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def table_text(rows: Sequence[Row]) -> str:
    """One plain table of all rows, for a terminal."""
    from tabulate import tabulate

    lines = []
    for row in rows:
        spread = "" if row.ratio is None else f"{row.ratio_low:.3g}-{row.ratio_high:.3g}"
        goal = "" if row.goal is None else f"{row.goal:g} {'met' if row.met else 'MISSED'}"
        same = "" if row.agreement is None else f"{row.agreement:.1e} (<= {row.tolerance:.0e})"
        ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
        peak = "" if row.peak_mb is None else f"{row.peak_mb:.0f}"
        one = (row.stage, row.what, row.size, row.threads, row.rounds, f"{row.ms:.4g}")
        lines.append((*one, ratio, spread, goal, peak, same))
    header = (
        "stage",
        "what",
        "size",
        "thr",
        "n",
        "ms",
        "ratio",
        "quartiles",
        "goal",
        "MB",
        "apart",
    )
    return tabulate(lines, header, tablefmt="simple", disable_numparse=True)


def _replace(path: Path, write) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", newline="", encoding="utf-8") as file:
            write(file)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_table(folder: Path, rows: Sequence[Row], machine: dict) -> None:
    """Write ``bench.csv`` and ``bench_machine.json``, each whole or not at all."""

    def table(file):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([_text(value) for value in asdict(row).values()] for row in rows)

    _replace(folder / "bench.csv", table)
    _replace(
        folder / "bench_machine.json",
        lambda file: file.write(json.dumps(machine, indent=1) + "\n"),
    )


def read_table(path: Path) -> list[Row]:
    """Rows of a ``bench.csv``; an empty list if there is none."""
    if not path.is_file():
        return []
    kinds = {"threads": int, "rounds": int}
    texts = {"stage", "what", "size", "yardstick", "note"}
    rows = []
    with path.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            values = {
                name: text if name in texts else kinds.get(name, float)(text) if text else None
                for name, text in line.items()
            }
            rows.append(Row(**values))
    return rows


def run_stages(stages: Mapping[str, Callable], quick: bool, progress: bool = True) -> list[Row]:
    """Rows of several stages, each ``measure(quick) -> list of Row``."""
    rows = []
    bar = tqdm(stages.items(), desc="bench", unit="stage", disable=not progress)
    for name, measure in bar:
        bar.set_postfix_str(name)
        rows += measure(quick)
    return rows
