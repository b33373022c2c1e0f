"""`make bench`: time every stage against its yardstick and print one table."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import sys
import time
from pathlib import Path

from . import harness, machine

STAGES = {
    "tvl1": "TV-L1 flow of a pair: ours, OpenCV's two settings, scikit-image, torch in batches",
    "strain": "optical strain of a flow: ours, numpy in two ways, OpenCV filters",
    "tim": "TIM to ten frames: closed form against the SVD program",
    "lbp_top": "LBP-TOP of ten frames: ours against scikit-image's loops",
    "pipeline": "246 clips of frames to stacks: ours against the naive chain, and its memory",
    "training": "training folds: ours against plain torch, side by side, from stored features",
    "growth": "time and memory against clips, frames and pixels",
    "roofline": "operations and bytes a second of the kernels, and the machine's limits",
}
"""A stage's module in this folder has ``measure(quick) -> list of Row`` and the same name."""

COMMITTED = Path(__file__).parents[2] / "data_manifest"

EXAMPLES = """
Examples:
  make bench                             everything; writes data_manifest/bench.csv at the end
  make bench BENCH="--only tvl1"         one stage, printed only
  python -m tests.bench --only tim lbp_top --keep
                                         replaces these stages' lines of the committed table
  python -m tests.bench --quick --out /tmp
                                         seconds: tiny sizes, whether everything runs
  python -m tests.bench.coverage         not of time: how often intervals hold the true score

Ratios are the median and quartiles over interleaved rounds; they travel between machines,
milliseconds do not. Close other programs first: the load is written down with the numbers.
"""


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    options = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__.replace("`", ""),
        epilog="Stages:\n"
        + "\n".join(f"  {name:10} {title}" for name, title in STAGES.items())
        + "\n"
        + EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("--only", nargs="+", choices=STAGES, metavar="STAGE", help="some stages")
    options.add_argument("--quick", action="store_true", help="tiny sizes, one round")
    options.add_argument("--keep", action="store_true", help="with --only: into the table as well")
    options.add_argument("--out", type=Path, metavar="FOLDER", help="write there instead")
    return options


def main(arguments=None) -> int:
    """Run the command; the table is written at the very end, or not at all."""
    options = parser().parse_args(arguments)
    names = [name for name in STAGES if name in (options.only or STAGES)]
    folder = options.out
    if folder is None and not options.quick and (options.keep or not options.only):
        folder = COMMITTED
    if folder is not None and not folder.is_dir():
        parser().error(f"there is no folder {folder}")
    about, start = machine.describe(), time.perf_counter()
    stages = {name: importlib.import_module(f".{name}", __package__).measure for name in names}
    rows = harness.run_stages(stages, options.quick, progress=sys.stderr.isatty())
    if options.quick:  # too small to judge
        rows = [dataclasses.replace(row, goal=None) for row in rows]
    about["minutes"] = round((time.perf_counter() - start) / 60, 1)
    print(harness.table_text(rows))
    if folder is not None:
        kept = harness.read_table(folder / "bench.csv") if options.only else []
        merged = []
        for name in STAGES:
            merged += [row for row in (rows if name in names else kept) if row.stage == name]
        if kept:
            about["only"] = names
        harness.write_table(folder, merged, about)
        print(f"\nWritten: {folder / 'bench.csv'}")
    if options.quick:
        return 0
    missed = [f"{row.stage}: {row.what} ({row.size})" for row in rows if row.met is False]
    print("\nEvery goal is met." if not missed else "\nGoals missed: " + "; ".join(missed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
