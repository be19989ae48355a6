"""A checkpoint, with or without an adapter, merged as it is read: block of rows by block of rows.

A merged weight (see ``adapter``) is computed in float32 and rounded once, to the dtype that the
base stores: PEFT's merge in float32, rounded at the end, bit for bit. PEFT's merge of a 16-bit base
is the same only while the adapter is held in float32 and ``safe_merge`` is off; otherwise the
update is rounded to 16 bits, and then the sum is rounded again.

Memory: a block of about half a million weights, and the two small matrices of its update. Two sinks
drink from here: stage ``merge`` (safetensors) and the conversion to GGUF.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medllm.convert.adapter import EMBEDDING, HEAD, Adapter
from medllm.convert.safetensors_io import SafetensorsFile, TensorInfo
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.weights.weight_files import open_weights, read_object

if TYPE_CHECKING:
    import torch

_BLOCK = 1 << 19  # weights: as float32 they stay in the processor's cache
_AGAIN = "Fetch or write the checkpoint again."


class MergedCheckpoint:
    """A base folder of safetensors, and optionally the adapter that changes it."""

    def __init__(self, base: Path, adapter: Path | None = None) -> None:
        """Open a checkpoint; the headers are read, the weights are not.

        Raises MedllmError for a checkpoint that is incomplete, damaged, pickled or quantized, and
        for an adapter that does not fit it.
        """
        self.folder = base
        self._files = dict(open_weights(base))  # tensor -> its shard
        self.tensors: dict[str, TensorInfo] = {
            name: file.tensors[name] for name, file in self._files.items()
        }
        self.adapter: Adapter | None = None
        self._untied = False
        if adapter is not None:
            tied = self._is_tied()
            known = self.tensors | ({HEAD: self.tensors[EMBEDDING]} if tied else {})
            self.adapter = Adapter(adapter, known)
            if tied:
                self._untie(self.adapter)
            self.adapter.check_copies(self._stored)

    @cached_property
    def nbytes(self) -> int:
        """Bytes of all tensors; a merge changes them only where it unties the embedding."""
        return sum(info.nbytes for info in self.tensors.values())

    @cached_property
    def config(self) -> dict[str, Any]:
        """The config.json of the merged model.

        It differs from the base's where the adapter changed a tied embedding or head by itself.
        Raises MedllmError when there is none or it is no object.
        """
        config = read_object(self.folder / "config.json")
        return config | {"tie_word_embeddings": False} if self._untied else config

    def tensor(self, name: str) -> torch.Tensor:
        """One tensor, merged, in the dtype of the base. Raises MedllmError as ``blocks`` does."""
        import torch

        info = self.tensors[name]
        tensor = torch.empty(info.shape, dtype=info.torch_dtype)
        if not info.shape:
            return tensor.copy_(self._stored(name))
        for start, stop in self.blocks(name):
            tensor[start:stop] = self.rows(name, start, stop)
        return tensor

    def blocks(self, name: str) -> Iterator[tuple[int, int]]:
        """First row and end of each block in which a tensor is best read."""
        shape = self.tensors[name].shape
        count = shape[0] if shape else 1
        step = max(1, _BLOCK // max(1, math.prod(shape[1:])))
        for start in range(0, count, step):
            yield start, min(start + step, count)

    def rows(self, name: str, start: int, stop: int) -> torch.Tensor:
        """Rows ``start`` to ``stop`` (exclusive) of a tensor, merged, in the dtype of the base.

        Raises MedllmError when they hold NaN or Inf, in the base or after the merge.
        """
        if self.adapter is None or name not in self.adapter.targets:
            rows = self._stored_rows(name, start, stop)
            if not is_finite(rows):
                raise MedllmError(f"{self._place(name)[0].path}: {name} holds NaN or Inf.", _AGAIN)
            return rows
        info = self.tensors[name]
        exact = self.adapter.rows(name, start, stop, lambda i, j: self._stored_rows(name, i, j))
        merged = exact.to(info.torch_dtype)
        if not is_finite(merged):
            if not is_finite(self._stored_rows(name, start, stop)):
                raise MedllmError(f"{self._place(name)[0].path}: {name} holds NaN or Inf.", _AGAIN)
            raise MedllmError(
                f"{name} with its update is too large for {info.dtype}.",
                "Train with a lower learning rate, or on a base stored in bfloat16.",
            )
        return merged

    def _stored(self, name: str) -> torch.Tensor:
        """One tensor as the base has it."""
        file, place = self._place(name)
        return file.tensor(place)

    def _stored_rows(self, name: str, start: int, stop: int) -> torch.Tensor:
        file, place = self._place(name)
        return file.rows(place, start, stop)

    def _place(self, name: str) -> tuple[SafetensorsFile, str]:
        """Where a tensor is stored; the head of a tied base is its embedding."""
        place = name if name in self._files else EMBEDDING
        return self._files[place], place

    def _is_tied(self) -> bool:
        """Whether the head is the embedding."""
        if HEAD in self.tensors or EMBEDDING not in self.tensors:
            return False
        path = self.folder / "config.json"
        return path.is_file() and read_object(path).get("tie_word_embeddings") is True

    def _untie(self, adapter: Adapter) -> None:
        """Give the head a tensor of its own where the adapter parted it from the embedding.

        PEFT trains on one of the two and leaves the other as it was, yet its merge writes into the
        memory that they share; the model that was trained has two matrices.
        """
        if not {EMBEDDING, HEAD} & adapter.targets:
            return
        if adapter.keeps_tying:
            adapter.without(HEAD)
        else:
            self._untied = True
            self.tensors[HEAD] = self.tensors[EMBEDDING]


def is_finite(tensor: torch.Tensor) -> bool:
    """Whether no element is NaN or Inf: one pass, no copy."""
    if not tensor.numel():
        return True
    low, high = tensor.aminmax()
    return bool(low.isfinite() & high.isfinite())
