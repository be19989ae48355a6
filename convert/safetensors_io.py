"""Safetensors files: read memory-mapped, written one tensor at a time.

Format (github.com/huggingface/safetensors): the header's length as 8 little-endian bytes, the
header as JSON, then the tensors' bytes. Every shape is known before the first tensor is computed,
so the header can be written first and a shard never has to fit in memory.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from medllm.pipeline.errors import MedllmError

if TYPE_CHECKING:
    import torch

ITEM_SIZES: Mapping[str, int] = {"F32": 4, "F16": 2, "BF16": 2}  # bytes an element


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


class SafetensorsFile:
    """One memory-mapped safetensors file of floating-point tensors."""

    def __init__(self, path: Path) -> None:
        """Read the header. Raises MedllmError for a damaged file or one of quantized weights."""
        from safetensors import SafetensorError, safe_open

        self.path = path
        try:
            self._file = cast(Any, safe_open(path, framework="pt"))
        except (OSError, SafetensorError) as error:
            raise MedllmError(
                f"{path} is not a whole safetensors file: {error}.", "Fetch or write it again."
            ) from error
        self.tensors: dict[str, TensorInfo] = {}
        for name in self._file.keys():  # noqa: SIM118  (no mapping)
            part = self._file.get_slice(name)
            info = TensorInfo(part.get_dtype(), tuple(part.get_shape()))
            if info.dtype not in ITEM_SIZES:
                raise MedllmError(
                    f"{path} stores {name} as {info.dtype}, not as F32, F16 or BF16.",
                    "Give the 16-bit model: quantized weights cannot be merged or converted.",
                )
            self.tensors[name] = info

    def tensor(self, name: str) -> torch.Tensor:
        """One tensor, in the dtype and shape of its header."""
        tensor: torch.Tensor = self._file.get_tensor(name)
        return tensor

    @cached_property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(info.nbytes for info in self.tensors.values())


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

    dtypes = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    if tensor.dtype != dtypes[info.dtype] or tuple(tensor.shape) != info.shape:
        raise ValueError(f"{name} is {tensor.dtype} {tuple(tensor.shape)}, announced as {info}")
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data
