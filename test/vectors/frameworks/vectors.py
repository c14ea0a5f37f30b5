"""Seeded inputs, and the files that hold them with what is due."""

import platform
import zlib
from importlib.metadata import version
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent


def random(name):
    """A generator whose seed is the CRC-32 of a name."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def f32(values):
    """The nearest f32, as f64: what the package is given and what the frameworks compute with."""
    return np.asarray(values).astype(np.float32).astype(np.float64)


def axes_of(axis, rank):
    """A set of axes as the package takes them, from 0 and in order."""
    return sorted(each % rank for each in ([axis] if isinstance(axis, int) else axis))


def channel_numbers(shape, axis):
    """For each element the number of its channel."""
    kept = axes_of(axis, len(shape))
    sizes = [size if at in kept else 1 for at, size in enumerate(shape)]
    return np.broadcast_to(np.arange(np.prod(sizes, dtype=int)).reshape(sizes), shape)


def elements(family, shape, axis, name):
    """x: channels of several offsets and deviations; `mixed` gives each channel a family of its own."""
    normal = random(name).standard_normal(shape)
    channel = channel_numbers(shape, axis)
    mild = normal * (0.5 + channel % 3) + 0.7 * (channel % 5 - 2)
    sign = np.where(channel % 2 == 0, 1.0, -1.0)
    families = {
        "mild": mild,
        "offset 1e4": 1e4 * sign + normal,
        "offset 1e6": 1e6 * sign + normal,
        "a constant channel": np.where(channel % 3 == 1, 0.1, mild),
        "big": 1e15 * mild,
        "small": 1e-15 * mild,
    }
    order = list(families)
    families["mixed"] = np.choose(channel % len(order), [families[each] for each in order])
    return f32(families[family])


class Book:
    """One JSON file: versions, the input arrays by name, all of one type, and lists of cases."""

    def __init__(self, file, packages, dtype=np.float32):
        self.file = file
        self.dtype = dtype
        self.versions = {"python": platform.python_version(), **{each: version(each) for each in packages}}
        self.arrays = {}
        self.lists = {}

    def array(self, name, values):
        """Keeps an input array under a name, by which cases refer to it."""
        values = np.asarray(values, dtype=np.float64)
        if not np.array_equal(values.astype(self.dtype), values):
            raise ValueError(f"{name} is not of {self.dtype.__name__}")
        if name in self.arrays and not np.array_equal(self.arrays[name], values):
            raise ValueError(f"two arrays are named {name}")
        self.arrays[name] = values
        return name

    def add(self, kind, case):
        self.lists.setdefault(kind, []).append(case)

    def entry(self, values):
        """Numbers with the digits that tell them from their neighbours of the array's type."""
        digits = [
            plain(repr(each.item()) if self.dtype is np.float64 else str(each))
            for each in values.astype(self.dtype).ravel()
        ]
        if not np.array_equal(np.array([float(each) for each in digits]).astype(self.dtype), values.ravel()):
            raise ValueError("the digits are of other numbers")
        return f'{{"shape":{text(list(values.shape))},"data":[{",".join(digits)}]}}'

    def write(self):
        for kind, cases in self.lists.items():
            if len({case["name"] for case in cases}) < len(cases):
                raise ValueError(f"{self.file}, {kind}: two cases have one name")
        parts = [f'"versions":{text(self.versions)}']
        parts.append(f'"dtype":{text(self.dtype.__name__)}')
        entries = [f" {text(name)}:{self.entry(values)}" for name, values in self.arrays.items()]
        parts.append('"arrays":{\n' + ",\n".join(entries) + "\n}")
        for kind, cases in self.lists.items():
            parts.append(f"{text(kind)}:[\n" + ",\n".join(f" {text(case)}" for case in cases) + "\n]")
        path = HERE / f"{self.file}.json"
        path.write_text("{\n" + ",\n".join(parts) + "\n}\n")
        count = sum(len(cases) for cases in self.lists.values())
        print(f"{path.name}: {count} cases, {path.stat().st_size} bytes")


def shaped(values):
    values = np.asarray(values, dtype=np.float64)
    return {"shape": list(values.shape), "data": values.ravel()}


def text(value):
    """Compact JSON; numbers with the digits that tell an f64 from its neighbours, at most 17."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        return "{" + ",".join(f"{text(key)}:{text(each)}" for key, each in value.items()) + "}"
    if isinstance(value, np.ndarray):
        return text(value.tolist())
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(text(each) for each in value) + "]"
    if isinstance(value, int):
        return str(value)
    number = float(value)
    if not np.isfinite(number):
        raise ValueError(f"JSON has no {number}")
    return plain(repr(number))


def plain(digits):
    return digits.removesuffix(".0")
