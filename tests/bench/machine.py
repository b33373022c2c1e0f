"""What the numbers were measured on: processor, libraries and load, but no names."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = {
    "numpy": "numpy",
    "numba": "numba",
    "opencv": "opencv-contrib-python-headless",
    "scikit-image": "scikit-image",
    "torch": "torch",
}


def _first(text, key):
    found = re.search(rf"^{key}\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1).strip() if found else ""


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _cache_kb(level):
    """Size of one core's cache of a level in KB, 0 where the system does not say."""
    for index in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        kind = (index / "type").read_text().strip()
        if (index / "level").read_text().strip() == level and kind != "Instruction":
            return int((index / "size").read_text().strip().rstrip("K"))
    return 0


def describe() -> dict:
    """Describe this machine as plain JSON values; empty where the system does not say."""
    import psutil

    proc = Path("/proc/cpuinfo")
    text = proc.read_text() if proc.is_file() else ""
    flags = _first(text, "flags").split()
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": _first(text, "model name") or platform.processor() or platform.machine(),
        "family_model_stepping": [_first(text, key) for key in ("cpu family", "model", "stepping")],
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "vector": [name for name in ("avx2", "fma", "avx512f") if name in flags],
        "cache_kb": {f"L{level}": _cache_kb(str(level)) for level in (1, 2, 3)},
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "load_before": [round(x, 2) for x in os.getloadavg()],
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        **{name: _version(package) for name, package in LIBRARIES.items()},
    }
