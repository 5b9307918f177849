"""Read the header of a GGUF file: metadata and where each tensor lies. Touches no tensor data.

Takes a path, gives a GgufFile. Every length and offset is checked against the file's size, so a
truncated or foreign file is refused with one line. Written out here because the `gguf` package
needs six seconds for a vocabulary of 150,000 words, and this a fraction of one.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codekiln.core.errors import WeightsError
from codekiln.models.extras import local_extra

MAGIC = b"GGUF"
# struct codes of the scalar value types, numbered as the GGUF specification does
_SCALARS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
_STRING, _ARRAY = 8, 9
_MAX_DIMENSIONS = 4


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """Where one tensor lies. `shape` has the slowest dimension first, as in PyTorch."""

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int
    size_bytes: int
    row_bytes: int

    @property
    def rows(self) -> int:
        """Number of rows along the fastest dimension."""
        return math.prod(self.shape[:-1])


@dataclass(frozen=True, slots=True)
class GgufFile:
    """A GGUF file's metadata and tensor table."""

    path: Path
    metadata: Mapping[str, Any]
    tensors: Mapping[str, GgufTensor]


class _Cursor:
    """A reading position in the header that refuses to pass the end of the file."""

    def __init__(self, path: Path, data: memoryview) -> None:
        self.path, self.data, self.position = path, data, 0

    def take(self, count: int) -> memoryview:
        end = self.position + count
        if end > len(self.data):
            raise WeightsError(
                f"{self.path} is truncated: its header goes on past the end of the file",
                "Download it again",
            )
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def number(self, code: str) -> Any:
        return struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))[0]

    def text(self) -> str:
        return str(self.take(self.number("Q")), "utf-8", "surrogateescape")

    def value(self, kind: int, depth: int = 0) -> Any:
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY and depth < _MAX_DIMENSIONS:
            item, count = self.number("I"), self.number("Q")
            code = _SCALARS.get(item)
            if code is not None:
                size = struct.calcsize("<" + code)
                return list(struct.unpack(f"<{count}{code}", self.take(count * size)))
            return [self.value(item, depth + 1) for _ in range(count)]
        if kind not in _SCALARS:
            raise _damaged(self.path, f"unknown metadata type {kind}")
        return self.number(_SCALARS[kind])


def read_gguf(path: Path) -> GgufFile:
    """Parse and check the header of `path`.

    Raises WeightsError when the file is missing, no GGUF, of an unknown version, damaged or
    shorter than its tensors.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            if start[:4] != MAGIC:
                raise WeightsError(
                    f"{path} is not a GGUF file: it begins with {start[:4]!r} instead of {MAGIC!r}",
                    "Give a .gguf file or a folder with config.json and safetensors",
                )
            header = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise WeightsError(
            f"{path} cannot be read: {error.strerror or error}", "Check the path"
        ) from error
    return _parse(path, header, size)


def _parse(path: Path, header: memoryview, size: int) -> GgufFile:
    cursor = _Cursor(path, header)
    cursor.take(4)
    version = cursor.number("I")
    if version not in (2, 3):
        raise WeightsError(
            f"{path} has GGUF version {version}; versions 2 and 3 (little-endian) are read",
            "Convert it with a current llama.cpp",
        )
    tensor_count, key_count = cursor.number("Q"), cursor.number("Q")
    metadata: dict[str, Any] = {}
    for _ in range(key_count):
        key = cursor.text()
        metadata[key] = cursor.value(cursor.number("I"))
    infos: list[tuple[str, tuple[int, ...], int, int]] = []
    for _ in range(tensor_count):
        name, dimensions = cursor.text(), cursor.number("I")
        if not 1 <= dimensions <= _MAX_DIMENSIONS:
            raise _damaged(path, f"tensor {name!r} has {dimensions} dimensions")
        shape = tuple(cursor.number("Q") for _ in range(dimensions))[::-1]
        infos.append((name, shape, cursor.number("I"), cursor.number("Q")))
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 1:
        raise _damaged(path, f"alignment {alignment!r}")
    base = -(-cursor.position // alignment) * alignment
    tensors = {info[0]: _locate(path, base, *info) for info in infos}
    end = max((t.offset + t.size_bytes for t in tensors.values()), default=0)
    if end > size:
        raise WeightsError(
            f"{path} is truncated: its tensors need {end:,} bytes, the file has {size:,}",
            "Download it again",
        )
    return GgufFile(path, metadata, tensors)


def _locate(
    path: Path, base: int, name: str, shape: tuple[int, ...], kind: int, offset: int
) -> GgufTensor:
    with local_extra("Reading GGUF files"):
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
    try:
        block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    except (ValueError, KeyError) as error:
        raise _damaged(path, f"tensor {name!r} has the unknown type {kind}") from error
    if shape[-1] % block or not math.prod(shape):
        raise _damaged(path, f"tensor {name!r} has the shape {shape} in blocks of {block}")
    row_bytes = shape[-1] // block * block_bytes
    return GgufTensor(
        name, shape, kind, base + offset, math.prod(shape[:-1]) * row_bytes, row_bytes
    )


def _damaged(path: Path, what: str) -> WeightsError:
    return WeightsError(f"{path} is damaged: {what}", "Download it again")
