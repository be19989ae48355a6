"""A Llama checkpoint, with or without a LoRA adapter, merged tensor by tensor as it is read.

A merged weight is W + scale · B A (see ``adapter``), computed in float32 and rounded once, to the
dtype that the base stores: PEFT's merge in float32, rounded at the end, bit for bit. PEFT's merge
of a 16-bit base is the same only while the adapter is held in float32 and ``safe_merge`` is off;
otherwise the update is rounded to 16 bits, and then the sum is rounded again.

Memory: one tensor at a time. At the peak two float32 copies of a matrix, the weight and its update,
stand beside the 16-bit weight; for Llama-2-70B's largest, 28672 × 8192, that is 2.3 GB.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medllm.convert.adapter import Adapter
from medllm.convert.safetensors_io import SafetensorsFile, TensorInfo
from medllm.pipeline.errors import MedllmError

if TYPE_CHECKING:
    import torch

INDEX = "model.safetensors.index.json"
_AGAIN = "Fetch or write the checkpoint again."


class MergedCheckpoint:
    """A base folder of safetensors, and optionally the adapter that changes it."""

    def __init__(self, base: Path, adapter: Path | None = None) -> None:
        """Open a checkpoint; the headers are read, the weights are not.

        Raises MedllmError for a checkpoint that is incomplete, damaged, pickled or quantized, and
        for an adapter that does not fit it.
        """
        self.folder = base
        self._files: dict[str, SafetensorsFile] = {}  # tensor -> its shard
        for shard in self._shards():
            file = SafetensorsFile(base / shard)
            twice = self._files.keys() & file.tensors.keys()
            if twice:
                raise MedllmError(f"{base} holds {min(twice)} in two shards.", _AGAIN)
            self._files |= dict.fromkeys(file.tensors, file)
        self._check_index()
        self.tensors: dict[str, TensorInfo] = {
            name: file.tensors[name] for name, file in self._files.items()
        }
        self.adapter = Adapter(adapter, self.tensors) if adapter else None
        if self.adapter:
            self.adapter.check_copies(lambda name: self._files[name].tensor(name))

    @cached_property
    def nbytes(self) -> int:
        """Bytes of all tensors, which a merge does not change."""
        return sum(info.nbytes for info in self.tensors.values())

    @cached_property
    def config(self) -> dict[str, Any]:
        """The model's config.json. Raises MedllmError when there is none or it is no object."""
        return _read_object(self.folder / "config.json")

    def tensor(self, name: str) -> torch.Tensor:
        """One tensor, merged, in the dtype of the base.

        Raises MedllmError when it holds NaN or Inf, in the base or after the merge.
        """
        import torch

        weight = self._files[name].tensor(name)
        if not weight.isfinite().all():
            raise MedllmError(f"{self._files[name].path}: {name} holds NaN or Inf.", _AGAIN)
        if self.adapter is None or name not in self.adapter.targets:
            return weight
        update = self.adapter.update(name)
        merged = torch.add(update, weight, out=update).to(weight.dtype)
        if not merged.isfinite().all():
            raise MedllmError(
                f"{name} with its update is too large for {self.tensors[name].dtype}.",
                "Train with a lower learning rate, or on a base stored in bfloat16.",
            )
        return merged

    def _index(self) -> dict[str, Any] | None:
        path = self.folder / INDEX
        if not path.is_file():
            return None
        weight_map = _read_object(path).get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise MedllmError(f"{path} has no weight_map.", _AGAIN)
        for shard in weight_map.values():
            if not isinstance(shard, str) or Path(shard).name != shard:
                raise MedllmError(f"{path} names a shard {shard!r} outside its folder.", _AGAIN)
        return weight_map

    def _shards(self) -> list[str]:
        """Names of the weight files, by the index when there is one."""
        index = self._index()
        if index is not None:
            found = sorted(set(index.values()))
        else:
            found = sorted(p.name for p in self.folder.glob("model*.safetensors"))
        if not found:
            pickled = next(self.folder.glob("pytorch_model*.bin"), None)
            if pickled:
                raise MedllmError(
                    f"{pickled} is a pickle, which can run code when it is read.",
                    "Give a checkpoint saved as safetensors.",
                )
            raise MedllmError(
                f"{self.folder} holds no model*.safetensors.",
                "Give the folder of a Hugging Face checkpoint.",
            )
        missing = [name for name in found if not (self.folder / name).is_file()]
        if missing:
            raise MedllmError(
                f"{self.folder / INDEX} names {missing[0]}, which is missing "
                f"({len(missing)} of {len(found)} shards).",
                _AGAIN,
            )
        return found

    def _check_index(self) -> None:
        """The index and the shards name the same tensors, each where it is."""
        index = self._index()
        if index is None:
            return
        held = {name: file.path.name for name, file in self._files.items()}
        wrong = sorted(name for name, _ in index.items() ^ held.items())
        if wrong:
            raise MedllmError(
                f"{self.folder / INDEX} puts {wrong[0]} in {index.get(wrong[0], 'no shard')}, "
                f"but it is in {held.get(wrong[0], 'none')}.",
                _AGAIN,
            )


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise MedllmError(f"{path} is missing.", _AGAIN) from None
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise MedllmError(f"{path} is not a JSON object.", _AGAIN)
    return value
