"""Builds the kernels for this processor; None, with a logged reason, where that cannot be done.

The library is kept in the cache under the hash of all that went into it. Before it gets there a
process of its own holds it against plain PyTorch, so that a compiler's or processor's fault costs
speed and nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from codekiln.core.files import write_atomic
from codekiln.core.settings import load_settings

_SOURCES = tuple(Path(__file__).with_name(name) for name in ("attend.cpp", "select.cpp"))
_HEADERS = tuple(Path(__file__).with_name(name) for name in ("numbers.h", "bf16.h", "f32.h"))
_FLAGS = (
    "-std=c++17",
    "-O3",
    "-march=native",
    "-fopenmp",
    "-shared",
    "-fPIC",
    "-w",
    "-fno-strict-aliasing",
)
_BUILD_S = 300
# As numbers.h has it.
_NO_MEMORY = 2
HEAD_DIMS = (64, 128)
_log = logging.getLogger(__name__)


class Choice(ctypes.Structure):
    """The numbers of a selection, as select.cpp has them."""

    _fields_ = (
        ("pool", ctypes.c_int32),
        ("globals", ctypes.c_int32),
        ("group", ctypes.c_int32),
        ("most_groups", ctypes.c_int32),
        ("min_blocks", ctypes.c_int32),
        ("max_blocks", ctypes.c_int32),
        ("threshold", ctypes.c_float),
    )


@dataclass(frozen=True, slots=True)
class Native:
    """The loaded kernels, which take tensors of `dtypes`."""

    library: ctypes.CDLL
    dtypes: frozenset[torch.dtype]

    def attend(
        self,
        q: Tensor,  # [rows, heads, head_dim], contiguous
        context: Context,
        items: Tensor,  # int32 [items, 8], see attend.cpp
        lists: Tensor,  # int32, flat
        block: int,
    ) -> tuple[Tensor, Tensor]:
        """Output of q's shape and log-sum-exp, float32 [rows, heads]."""
        rows, heads, head_dim = q.shape
        out = torch.empty_like(q)
        lse = torch.empty(rows, heads)
        status = self.library.codekiln_attend(
            q.dtype == torch.bfloat16,
            *(_address(tensor) for tensor in (q, context.keys, context.values)),
            ctypes.c_int64(context.head_stride),
            *(_address(tensor) for tensor in (out, lse, items)),
            items.shape[0],
            _address(lists),
            block,
            heads,
            context.kv_heads,
            head_dim,
            torch.get_num_threads(),
        )
        _refuse(status, f"{q.dtype} {q.shape} with blocks of {block}")
        return out, lse

    def select(
        self,
        q: Tensor,  # [rows, heads, head_dim], contiguous
        means: Tensor,  # of q's dtype, [kv_heads, blocks, head_dim]
        boxes: Tensor,  # of q's dtype, [low or high, kv_heads, groups, head_dim]
        readers: Tensor,  # int32 [readers, 6], see select.cpp
        span: int,
        choice: Choice,
    ) -> tuple[Tensor, Tensor]:
        """Blocks, int32 [kv_heads, readers, most], and how many each reader has.

        `span` neighbouring readers share their work.
        """
        assert q.dtype == means.dtype == boxes.dtype
        assert means.stride()[1:] == boxes.stride()[2:] == (q.shape[-1], 1)
        kv_heads, count = means.shape[0], len(readers)
        most = max(1, int(readers[:, 3].max()))
        assert most <= max(1, means.shape[1]), "the index does not hold what the readers see"
        lists = torch.zeros(kv_heads, count, most, dtype=torch.int32)
        counts = torch.zeros(kv_heads, count, dtype=torch.int32)
        status = self.library.codekiln_select(
            q.dtype == torch.bfloat16,
            *(_address(tensor) for tensor in (q, means)),
            ctypes.c_int64(means.stride(0)),
            *(_address(tensor) for tensor in boxes),
            ctypes.c_int64(boxes.stride(1)),
            _address(readers),
            count,
            span,
            ctypes.byref(choice),
            _address(lists),
            ctypes.c_int64(most),
            _address(counts),
            q.shape[1],
            kv_heads,
            q.shape[2],
            torch.get_num_threads(),
        )
        _refuse(status, f"{q.dtype} {q.shape}")
        return lists, counts


def native_for(
    device: torch.device, dtype: torch.dtype, head_dim: int, block: int
) -> Native | None:
    """The kernels for such tensors and blocks of keys, built only where they can be used."""
    if (
        device.type != "cpu"
        or dtype not in (torch.bfloat16, torch.float32)
        or head_dim not in HEAD_DIMS
        or not 16 <= block <= 128
        or 128 % block
    ):
        return None
    native = load_native()
    return native if native and dtype in native.dtypes else None


def native_of(q: Tensor, keys: Tensor, values: Tensor, block: int) -> Native | None:
    """`native_for` these tensors; None also where they are not of one kind."""
    if not q.dtype == keys.dtype == values.dtype or not q.device == keys.device == values.device:
        return None
    return native_for(q.device, q.dtype, q.shape[-1], block)


def laid_out(keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Both [kv_heads, n, head_dim] as the kernel reads them, copied where they lie otherwise."""
    keys, values = _rows_together(keys), _rows_together(values)
    # Of a single head the stride says nothing.
    if len(keys) > 1 and keys.stride() != values.stride():
        return keys.contiguous(), values.contiguous()
    return keys, values


def _rows_together(part: Tensor) -> Tensor:
    return part if part.stride()[1:] == (part.shape[-1], 1) else part.contiguous()


@dataclass(frozen=True, slots=True)
class Context:
    """Where keys and values lie: int64 addresses [sequences] of [kv_heads, n, head_dim].

    `head_stride` counts elements from head to head. The tensors must outlive it.
    """

    keys: Tensor
    values: Tensor
    head_stride: int
    kv_heads: int

    @classmethod
    def of(cls, keys: Tensor, values: Tensor) -> Context:
        """One sequence, `laid_out`."""
        assert len(keys) == 1 or keys.stride() == values.stride()
        assert keys.stride()[1:] == values.stride()[1:] == (keys.shape[-1], 1)
        address = torch.tensor([keys.data_ptr(), values.data_ptr()])
        return cls(address[:1], address[1:], keys.stride(0), len(keys))


def _address(tensor: Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(tensor.data_ptr())


def _refuse(status: int, tensors: str) -> None:
    """Raise for what numbers.h calls a Status and is not DONE."""
    if status == _NO_MEMORY:
        raise MemoryError(f"attention over {tensors} found too little memory")
    assert not status, f"the kernel was not made for {tensors}"


@functools.cache
def load_native() -> Native | None:
    """The kernels, built if need be (seconds, once per machine). `CODEKILN_NATIVE=0`: never."""
    if os.environ.get("CODEKILN_NATIVE", "1") == "0":
        return None
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        _log.info("no C++ compiler is installed; attention runs in plain PyTorch, slower")
        return None
    path = load_settings().cache_dir / "kernels" / f"attention-{_key(compiler)}.so"
    if not path.exists() and (why := _build(compiler, path)):
        _log.info("no attention kernel: %s; attention runs in plain PyTorch, slower", why)
        return None
    try:
        return open_native(path)
    except OSError as error:
        _log.warning("%s cannot be loaded (%s); attention runs in plain PyTorch", path, error)
        return None


def open_native(path: Path) -> Native:
    """Load a built library. Raises OSError."""
    library = ctypes.CDLL(str(path))
    has_bf16 = library.codekiln_has_bf16()
    return Native(library, frozenset((torch.float32, *([torch.bfloat16] if has_bf16 else []))))


def _key(compiler: str) -> str:
    parts = [compiler, *_FLAGS, platform.machine(), torch.__version__]
    with contextlib.suppress(OSError):
        # An upgrade of the compiler leaves its name.
        found = Path(shutil.which(compiler) or compiler).resolve()
        parts += [str(found), str(found.stat().st_mtime_ns)]
    with contextlib.suppress(OSError):
        # -march=native gives other code on another processor of a shared home.
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        told = ("flags", "Features", "CPU implementer", "CPU part")
        parts += sorted({line for line in lines if line.startswith(told)})
    sources = b"".join(path.read_bytes() for path in (*_SOURCES, *_HEADERS))
    return hashlib.sha256(sources + "\0".join(parts).encode()).hexdigest()[:16]


def _build(compiler: str, path: Path) -> str:
    """Compile beside `path`, prove the result, and rename it into place; why not, if not.

    What failed for a reason that stays is not tried again while the file that tells it is there.
    """
    failed = path.with_suffix(".failed")
    try:
        if failed.exists():
            return f"{failed.read_text('utf-8').strip()} (delete {failed} to try again)"
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".build-") as folder:
            built = Path(folder, path.name)
            why = _compile_and_prove(compiler, built)
            if why:
                write_atomic(failed, why)
            else:
                built.replace(path)
            return why
    except OSError as error:
        return str(error)


def _compile_and_prove(compiler: str, built: Path) -> str:
    """The first line of what went wrong, or nothing."""
    for step in (
        [compiler, *_FLAGS, *map(str, _SOURCES), "-o", str(built), *_openmp_of_torch()],
        [sys.executable, "-m", "codekiln.attention.native.prove", str(built)],
    ):
        try:
            done = subprocess.run(step, capture_output=True, text=True, timeout=_BUILD_S)
        except subprocess.TimeoutExpired as error:
            return str(error)
        if done.returncode:
            return (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[0]
    return ""


def _openmp_of_torch() -> list[str]:
    """PyTorch's own OpenMP: a second one would have threads that wait on the same cores."""
    folder = Path(torch.__file__).parent
    found = [*folder.glob("lib/libgomp*.so*"), *folder.parent.glob("torch.libs/libgomp*.so*")]
    return [str(found[0])] if found else []
