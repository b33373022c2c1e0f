"""What ``make bench`` measured: goals, growth and rooflines, read from the committed table."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd

from elrcn.errors import ElrcnError
from elrcn.workspace import find_workspace

_NUMBERS = (
    "threads", "rounds", "ms", "ratio", "ratio_low", "ratio_high", "goal", "peak_mb", "agreement",
    "tolerance",
)  # fmt: skip
_TEXTS = ("stage", "what", "size", "yardstick", "note")
_COUNTS = re.compile(r"([\d.e+]+) operations, ([\d.e+]+) bytes")
_FLAT = 8.0  # megabytes: a difference below this is the allocator's, not the work's
#: Stages of the bench whose rows are no comparison of programs.
_OWN_FIGURES = ("growth", "roofline")


def load_bench(folder: str | Path | None = None) -> tuple[pd.DataFrame, dict]:
    """Read ``bench.csv`` and ``bench_machine.json``.

    Parameters
    ----------
    folder : path, optional
        Default: ``data_manifest`` of the workspace.

    Returns
    -------
    DataFrame
        A row a measurement: `stage`, `what`, `size`, `threads`, `rounds`, `ms`, `ratio` with
        quartiles, `yardstick`, `goal`, `peak_mb`, `agreement`, `tolerance`, `note`.
    dict
        The machine, its libraries and its load before the run.

    Raises
    ------
    ElrcnError
        If a file is missing or cannot be read, or a column is missing.
    """
    folder = find_workspace().data_manifest if folder is None else Path(folder)
    try:
        table = pd.read_csv(folder / "bench.csv", dtype=dict.fromkeys(_TEXTS, str))
        machine = json.loads((folder / "bench_machine.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ElrcnError(
            "The table of the benchmarks cannot be read.", where=folder, fix="run `make bench`"
        ) from error
    missing = [name for name in (*_TEXTS, *_NUMBERS) if name not in table]
    if missing:
        raise ElrcnError(
            f"The table of the benchmarks lacks the columns {', '.join(missing)}.",
            where=folder / "bench.csv",
            fix="run `make bench`",
        )
    table = table.fillna(dict.fromkeys(_TEXTS, ""))
    return table.astype(dict.fromkeys(_NUMBERS, float)), machine


def machine_text(machine: dict) -> str:
    """Processor, cores, memory, load and date in one line for a caption."""
    parts = [
        str(machine.get("cpu", "")),
        f"{machine['cores']} cores" if machine.get("cores") else "",
        f"{machine['memory_gb']:g} GB" if machine.get("memory_gb") else "",
        f"load {machine['load_before'][0]:g} before" if machine.get("load_before") else "",
        str(machine.get("date", "")),
    ]
    return ", ".join(part for part in parts if part)


def _verdict(row) -> str:
    if np.isnan(row["goal"]):
        return ""
    if np.isnan(row["ratio"]):
        return "not measured"
    if row["agreement"] > row["tolerance"]:
        return "missed: results differ"
    return "met" if row["ratio"] >= row["goal"] else "missed"


def peer_table(bench: pd.DataFrame) -> pd.DataFrame:
    """Rows that compare programs: time, how many times faster than the yardstick, goal, verdict.

    Returns
    -------
    DataFrame
        `stage`, `what`, `size`, `threads`, `ms`, `ratio`, `ratio_low`, `ratio_high`, `yardstick`,
        `goal`, `verdict` ("met", "missed", "missed: results differ", "not measured" or ""),
        `peak_mb`, `difference`, `allowed`.
    """
    part = bench[~bench["stage"].isin(_OWN_FIGURES)].copy()
    part["verdict"] = [_verdict(row) for _, row in part.iterrows()]
    part = part.rename(columns={"agreement": "difference", "tolerance": "allowed"})
    columns = [
        "stage", "what", "size", "threads", "ms", "ratio", "ratio_low", "ratio_high", "yardstick",
        "goal", "verdict", "peak_mb", "difference", "allowed",
    ]  # fmt: skip
    return part[columns].reset_index(drop=True).astype({"threads": int})


def goal_summary(bench: pd.DataFrame) -> str:
    """Markdown: how many goals are met, and which are not, by how much."""
    aims = bench[bench["goal"].notna()].copy()
    if aims.empty:
        return "The table holds no goal."
    aims["verdict"] = [_verdict(row) for _, row in aims.iterrows()]
    met = aims["verdict"] == "met"
    text = [f"**{met.sum()} of {len(aims)} goals are met.**"]
    for _, row in aims[~met].iterrows():
        name = f"{row['stage'].replace('_', '-')}, {row['what']} ({row['size']})"
        if row["verdict"] == "not measured":
            text.append(f"- Not measured: {name}.")
            continue
        found = f"{row['ratio']:.3g} where {row['goal']:g} was wanted"
        if row["verdict"] != "missed":
            found += f"; results differ by {row['agreement']:.2g}, {row['tolerance']:.2g} allowed"
        text.append(f"- Missed: {name}: {found}.")
    return "\n".join([text[0], "", *text[1:]]) if len(text) > 1 else text[0]


def growth_table(bench: pd.DataFrame) -> pd.DataFrame:
    """List times and memory by size, from the stage `growth`.

    Returns
    -------
    DataFrame
        `work`, `axis` (clips, frames or pixels), `size`, `seconds`, `megabytes`.
    """
    part = bench[bench["stage"] == "growth"]
    names = part["what"].str.extract(r"^(?P<work>.+) against (?P<axis>.+)$")
    size = part["size"].str.extract(r"^(\d+)")[0].astype(float)
    return pd.DataFrame(
        {
            "work": names["work"],
            "axis": names["axis"],
            "size": size,
            "seconds": part["ms"] / 1000,
            "megabytes": part["peak_mb"],
        }
    ).reset_index(drop=True)


def exponents(growth: pd.DataFrame) -> pd.DataFrame:
    """Exponents of time and memory, fitted by least squares to logarithms.

    Parameters
    ----------
    growth : DataFrame
        From `growth_table`.

    Returns
    -------
    DataFrame
        `work`, `axis`, `sizes`, `time` and `memory`: y grows as size to this power. Memory that
        hardly differs between the sizes (8 MB) has exponent 0.
    """
    rows = []
    for (work, axis), part in growth.groupby(["work", "axis"], sort=False):
        size = np.log(part["size"].to_numpy())
        memory = part["megabytes"].to_numpy()
        grows = np.ptp(memory) > _FLAT and memory.min() > 0
        rows.append(
            {
                "work": work,
                "axis": axis,
                "sizes": len(part),
                "time": np.polyfit(size, np.log(part["seconds"]), 1)[0],
                "memory": np.polyfit(size, np.log(memory), 1)[0] if grows else 0.0,
            }
        )
    return pd.DataFrame(rows, columns=["work", "axis", "sizes", "time", "memory"])


def growth_summary(fitted: pd.DataFrame, slack: float = 0.1) -> str:
    """Markdown: whether any exponent of `exponents` is above linear by more than `slack`."""
    above = [
        f"{kind} of {row['work']} against {row['axis']} ({row[kind]:.2f})"
        for _, row in fitted.iterrows()
        for kind in ("time", "memory")
        if row[kind] > 1 + slack
    ]
    if fitted.empty:
        return "Growth was not measured."
    if above:
        return f"Faster than linear, by more than {slack:g}, grow the " + "; the ".join(above) + "."
    return (
        f"Nothing grows faster than linearly (to within {slack:g}): the greatest exponent is "
        f"{fitted['time'].max():.2f} for time and {fitted['memory'].max():.2f} for memory."
    )


def roofline_table(bench: pd.DataFrame) -> pd.DataFrame:
    """Intensity and rate of the roofs and the kernels, from the stage `roofline`.

    Returns
    -------
    DataFrame
        `kernel`, `size`, `intensity` (operations a byte), `rate` (billion operations a second),
        `bandwidth` (billion bytes a second), `roof` (bool), and `share` of the attainable rate:
        the least of the arithmetic peak and the intensity times the fastest bandwidth measured.
    """
    part = bench[bench["stage"] == "roofline"]
    counts = part["note"].str.extract(_COUNTS).astype(float)
    table = pd.DataFrame(
        {
            "kernel": part["what"].str.removeprefix("roof: "),
            "size": part["size"],
            "intensity": counts[0] / counts[1],
            "rate": counts[0] / part["ms"] / 1e6,
            "bandwidth": counts[1] / part["ms"] / 1e6,
            "roof": part["what"].str.startswith("roof: "),
        }
    ).reset_index(drop=True)
    roofs = table[table["roof"]]
    if len(roofs):
        fastest = roofs.loc[roofs["kernel"] != "arithmetic", "bandwidth"].max()
        reach = np.minimum(table["intensity"] * fastest, roofs["rate"].max())
        table["share"] = np.where(table["roof"], np.nan, table["rate"] / reach)
    else:
        table["share"] = np.nan
    return table
