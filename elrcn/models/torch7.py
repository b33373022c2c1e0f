"""A reader of Torch7's binary files (.t7): numbers, tables, tensors; functions are skipped."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

_NIL, _NUMBER, _STRING, _TABLE, _OBJECT, _BOOLEAN = range(6)
_FUNCTIONS = (6, 7, 8)
_KINDS = {
    "Float": "<f4", "Cuda": "<f4", "Double": "<f8", "CudaDouble": "<f8", "Half": "<f2",
    "CudaHalf": "<f2", "Long": "<i8", "Int": "<i4", "Short": "<i2", "Char": "i1", "Byte": "u1",
}  # fmt: skip


@dataclass
class Torch7Object:
    """An object of a Lua class: its name and the table of its fields."""

    kind: str
    fields: dict = field(default_factory=dict)


def read_torch7(path: str | Path):
    """Read the first object of a Torch7 binary file with 64-bit longs, little-endian.

    Tensors become ndarrays, tables become dicts, other objects `Torch7Object`. Nothing in the
    file is run: the bytes of a function are stepped over.

    Raises
    ------
    ValueError
        If the file is truncated or is no Torch7 file.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _Reader(data).read()
        except (struct.error, RecursionError, UnicodeDecodeError) as error:
            raise ValueError(f"not a complete Torch7 file: {error}") from None


class _Reader:
    def __init__(self, data):
        self.data, self.at, self.seen = data, 0, {}

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise ValueError("the file ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def int(self) -> int:
        return struct.unpack("<i", self.take(4))[0]

    def longs(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}q", self.take(8 * count))

    def string(self) -> str:
        return self.take(self.int()).decode("latin-1")

    def read(self):
        kind = self.int()
        if kind == _NIL:
            return None
        if kind == _NUMBER:
            return struct.unpack("<d", self.take(8))[0]
        if kind == _STRING:
            return self.string()
        if kind == _BOOLEAN:
            return bool(self.int())
        if kind not in (_TABLE, _OBJECT, *_FUNCTIONS):
            raise ValueError(f"unknown type code {kind}")
        # Code 6 is a function of the oldest format, which has no index.
        index = self.int() if kind != 6 else None
        if index is not None and index in self.seen:
            return self.seen[index]
        if kind == _TABLE:
            return self.table(index)
        if kind == _OBJECT:
            return self.object(index)
        self.seen[index] = None
        self.take(self.int())
        self.read()
        return None

    def table(self, index) -> dict:
        table = self.seen[index] = {}
        for _ in range(self.int()):
            key, value = self.read(), self.read()
            if isinstance(key, (str, float, bool)):
                table[key] = value
        return table

    def object(self, index):
        version = self.string()
        kind = self.string() if version.startswith("V ") else version
        name = kind.removeprefix("torch.")
        if name != kind and name.removesuffix("Tensor") in _KINDS:
            self.seen[index] = tensor = self.tensor()
            return tensor
        if name != kind and name.removesuffix("Storage") in _KINDS:
            dtype = np.dtype(_KINDS[name.removesuffix("Storage")])
            (size,) = self.longs(1)
            storage = np.frombuffer(self.take(size * dtype.itemsize), dtype)
            self.seen[index] = storage
            return storage
        found = self.seen[index] = Torch7Object(kind)
        fields = self.read()
        found.fields = fields if isinstance(fields, dict) else {}
        return found

    def tensor(self) -> np.ndarray | None:
        dimensions = self.int()
        if not 0 <= dimensions <= 16:
            raise ValueError(f"a tensor of {dimensions} dimensions")
        sizes, strides = self.longs(dimensions), self.longs(dimensions)
        (offset,) = self.longs(1)
        storage = self.read()
        if not isinstance(storage, np.ndarray) or not dimensions:
            return None
        last = offset - 1 + sum((n - 1) * s for n, s in zip(sizes, strides, strict=True))
        if min(sizes) < 1 or min(strides) < 0 or offset < 1 or last >= len(storage):
            raise ValueError("a tensor reaches beyond its storage")
        strides = [s * storage.itemsize for s in strides]
        return np.lib.stride_tricks.as_strided(storage[offset - 1 :], sizes, strides).copy()


def weight_modules(root) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weight and bias of every layer that has them, in the order of the module containers."""
    found, stack = [], [root]
    while stack:
        module = stack.pop()
        if not isinstance(module, Torch7Object):
            continue
        weight, bias = module.fields.get("weight"), module.fields.get("bias")
        if isinstance(weight, np.ndarray) and isinstance(bias, np.ndarray):
            found.append((weight, bias))
        inner = module.fields.get("modules")
        if isinstance(inner, dict):
            order = sorted((k for k in inner if isinstance(k, float)), reverse=True)
            stack.extend(inner[k] for k in order)
    return found
