"""Safetensors files: checked by structure, read memory-mapped, written one tensor at a time.

Format (github.com/huggingface/safetensors): the header's length as 8 little-endian bytes, the
header as JSON, then the tensors' bytes without gaps. Only that is accepted: a pickle can run code
when it is read, whatever its name.

A read maps no more than the rows that were asked for, so that neither a file nor a tensor has to
fit in memory. Every shape is known before the first tensor is computed, so a header can be written
first and the same holds for a shard.
"""

from __future__ import annotations

import json
import math
import mmap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medllm.pipeline.errors import MedllmError

if TYPE_CHECKING:
    import torch

ITEM_SIZES: Mapping[str, int] = {"F32": 4, "F16": 2, "BF16": 2}  # bytes an element
TORCH_DTYPES: Mapping[str, str] = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_MAX_HEADER = 100_000_000  # bytes, the limit of the safetensors library
_MAX_NAME = 200  # characters of a tensor's name
_MAX_RANK = 8  # dimensions of a tensor
_PICKLES = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
_AGAIN = "Fetch or write it again."


@dataclass(frozen=True)
class TensorInfo:
    """What a header says of a tensor: dtype in safetensors' spelling (``BF16``) and shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """Number of elements; 1 for a scalar."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Size of the data in bytes."""
        return self.elements * ITEM_SIZES[self.dtype]

    @property
    def torch_dtype(self) -> torch.dtype:
        """The dtype in torch's spelling."""
        import torch

        dtype: torch.dtype = getattr(torch, TORCH_DTYPES[self.dtype])
        return dtype


class SafetensorsFile:
    """One safetensors file of floating-point tensors, checked whole, read by rows."""

    def __init__(self, path: Path) -> None:
        """Check the structure of a file; no data is read.

        Raises MedllmError for anything else, pickles above all, for quantized weights, and for a
        file that is not exactly as long as its header says.
        """
        self.path = path
        size, header = _read_header(path)
        try:
            spans, self.tensors = _parse_header(header)
        except _OtherDtype as error:
            raise MedllmError(
                f"{path}: {error}.",
                "Give the 16-bit model: quantized weights cannot be merged or converted.",
            ) from None
        except (ValueError, RecursionError) as error:
            raise MedllmError(f"{path} has a damaged header: {error}.", _AGAIN) from None
        self._data = 8 + len(header)  # bytes before the first tensor
        self._starts = {name: start for start, _, name in spans}
        end = 0
        for start, stop, name in sorted(spans):
            if start != end:
                raise MedllmError(f"{path}: {name} starts at byte {start}, not at {end}.", _AGAIN)
            end = stop
        expected = self._data + end
        if size != expected:
            what = "is cut short" if size < expected else "goes on past its tensors"
            raise MedllmError(f"{path} {what}: {expected} bytes expected, {size} found.", _AGAIN)

    def tensor(self, name: str) -> torch.Tensor:
        """One tensor, in the dtype and shape of its header; a view of the mapped file."""
        info = self.tensors[name]
        return self._map(name, 0, info.elements).reshape(info.shape)

    def rows(self, name: str, start: int, stop: int) -> torch.Tensor:
        """Rows ``start`` to ``stop`` (exclusive), mapped by themselves."""
        shape = self.tensors[name].shape
        width = math.prod(shape[1:])
        view = self._map(name, start * width, (stop - start) * width)
        return view.reshape(stop - start, *shape[1:])

    @cached_property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(info.nbytes for info in self.tensors.values())

    def _map(self, name: str, first: int, count: int) -> torch.Tensor:
        """A tensor's elements, flat. The mapping ends with the last view of it."""
        import torch

        info = self.tensors[name]
        if not count:
            return torch.empty(0, dtype=info.torch_dtype)
        item = ITEM_SIZES[info.dtype]
        at = self._data + self._starts[name] + first * item
        page = at - at % mmap.ALLOCATIONGRANULARITY
        with self.path.open("rb") as file:
            # A private copy-on-write mapping: torch wants writable memory, the file stays as it is.
            mapped = mmap.mmap(
                file.fileno(), at - page + count * item, access=mmap.ACCESS_COPY, offset=page
            )
        return torch.frombuffer(mapped, dtype=info.torch_dtype, count=count, offset=at - page)


def write_safetensors(
    path: Path, tensors: Mapping[str, TensorInfo], read: Callable[[str], torch.Tensor]
) -> None:
    """Write a safetensors file, asking ``read`` for one tensor at a time.

    Tensors with wider elements come first, so that each one starts at a multiple of its element
    size. ``read`` must give what ``tensors`` announces; a ValueError says where it did not.
    """
    order = sorted(tensors, key=lambda name: -ITEM_SIZES[tensors[name].dtype])
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in order:
        info = tensors[name]
        start, end = end, end + info.nbytes
        header[name] = {
            "dtype": info.dtype,
            "shape": list(info.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            file.write(_raw(read(name), name, tensors[name]))


def _raw(tensor: torch.Tensor, name: str, info: TensorInfo) -> memoryview:
    import torch

    if tensor.dtype != info.torch_dtype or tuple(tensor.shape) != info.shape:
        raise ValueError(f"{name} is {tensor.dtype} {tuple(tensor.shape)}, announced as {info}")
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data


class _OtherDtype(ValueError):
    pass


def _read_header(path: Path) -> tuple[int, bytes]:
    """Size of a file and its header's JSON. Raises MedllmError when it can be no safetensors."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(64)
            header_bytes = int.from_bytes(start[:8], "little")
            if start[8:9] != b"{" or not 2 <= header_bytes <= _MAX_HEADER:
                raise MedllmError(
                    f"{path} {_what_it_is(start)}.", "Give a checkpoint saved as safetensors."
                )
            file.seek(8)
            header = file.read(header_bytes)
    except OSError as error:
        raise MedllmError(f"{path} cannot be read: {error.strerror}.", _AGAIN) from None
    if len(header) < header_bytes:
        raise MedllmError(
            f"{path} is cut short: its header is {header_bytes} bytes, {len(header)} are there.",
            _AGAIN,
        )
    return size, header


def _parse_header(header: bytes) -> tuple[list[tuple[int, int, str]], dict[str, TensorInfo]]:
    """Byte span and kind of every tensor. Raises ValueError saying what is wrong."""
    parsed = json.loads(header, object_pairs_hook=_without_duplicates)
    spans, tensors = [], {}
    for name, entry in parsed.items():
        if name == "__metadata__":
            continue
        if not name.isprintable() or len(name) > _MAX_NAME:
            raise ValueError(f"a tensor is called {name!r:.60}")
        if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
            raise ValueError(f"{name} has no dtype, shape and data_offsets")
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(dtype, str) or dtype not in ITEM_SIZES:
            raise _OtherDtype(f"{name} is stored as {dtype!r:.60}, not as F32, F16 or BF16")
        if not _are_counts(shape, range(_MAX_RANK + 1)) or not _are_counts(offsets, range(2, 3)):
            raise ValueError(f"{name} has shape {shape!r:.60} at {offsets!r:.60}")
        info, (start, stop) = TensorInfo(dtype, tuple(shape)), offsets
        if stop - start != info.nbytes:
            raise ValueError(
                f"{name} takes {stop - start} bytes, {dtype} {shape} needs {info.nbytes}"
            )
        spans.append((start, stop, name))
        tensors[name] = info
    return spans, tensors


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("a name occurs twice")
    return unique


def _are_counts(values: Any, lengths: range) -> bool:
    if not isinstance(values, list) or len(values) not in lengths:
        return False
    return all(type(value) is int and 0 <= value < 1 << 63 for value in values)


def _what_it_is(start: bytes) -> str:
    """Say what a file that is not safetensors looks like, by its first bytes."""
    if start.startswith((b"PK\x03\x04", *_PICKLES)):
        return "is a pickle of PyTorch, which can run code when it is read, not safetensors"
    if start.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the file itself"
    return "is not safetensors"
