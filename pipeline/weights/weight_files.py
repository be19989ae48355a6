"""A checkpoint's weight files: which they are, and that index and shards agree.

Each file is checked by its structure before any library loads it (``convert.safetensors_io``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medllm.convert.safetensors_io import SafetensorsFile, TensorInfo
from medllm.pipeline.errors import MedllmError

INDEX = "model.safetensors.index.json"
_PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_AGAIN = "Fetch or write it again."


def check_weights(folder: Path) -> tuple[list[str], dict[str, TensorInfo]]:
    """Names of a checkpoint's weight files and every tensor in them, read from headers alone.

    Raises MedllmError as ``open_weights`` does.
    """
    opened = open_weights(folder)
    files = sorted({file.path.name for file in opened.values()})
    return files, {name: file.tensors[name] for name, file in opened.items()}


def open_weights(folder: Path) -> Mapping[str, SafetensorsFile]:
    """Every tensor of a checkpoint and the file that holds it.

    Raises MedllmError when there are only pickles, a file is damaged, or the shard index and the
    shards differ.
    """
    index = _read_index(folder)
    files = sorted(set(index.values())) if index is not None else ["model.safetensors"]
    absent = [name for name in files if not (folder / name).is_file()]
    if absent and index is None:
        _refuse_pickles(folder)
    if absent:
        raise MedllmError(
            f"{folder} has no {absent[0]} ({len(absent)} of {len(files)} weight files missing).",
            "Give the folder of a whole checkpoint in safetensors.",
        )
    opened: dict[str, SafetensorsFile] = {}
    for name in files:
        file = SafetensorsFile(folder / name)
        for tensor in file.tensors:
            listed = index.get(tensor) if index is not None else name
            if tensor in opened or listed != name:
                raise MedllmError(
                    f"{folder / INDEX} puts {tensor} in {listed or 'no file'}, it is in {name}.",
                    _AGAIN,
                )
            opened[tensor] = file
    unstored = sorted((index or {}).keys() - opened.keys())
    if unstored and index is not None:
        raise MedllmError(
            f"{folder / INDEX} puts {unstored[0]} in {index[unstored[0]]}, which lacks it.", _AGAIN
        )
    return opened


def _refuse_pickles(folder: Path) -> None:
    pickles = sorted(p.name for p in folder.glob("*") if p.suffix in _PICKLE_SUFFIXES)
    if pickles:
        raise MedllmError(
            f"{folder} has its weights only as pickles ({pickles[0]}), which can run code when "
            "they are read.",
            "Give a checkpoint saved as safetensors.",
        )


def _read_index(folder: Path) -> dict[str, str] | None:
    """Tensor name to file name, or None for a checkpoint in one file."""
    path = folder / INDEX
    if not path.exists():
        return None
    weight_map = read_object(path).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise MedllmError(f"{path} has no weight_map.", _AGAIN)
    for shard in weight_map.values():
        if (
            not isinstance(shard, str)
            or Path(shard).name != shard
            or not shard.endswith(".safetensors")
        ):
            raise MedllmError(f"{path} names {shard!r:.60}, no safetensors file beside it.", _AGAIN)
    return weight_map


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object. Raises MedllmError when the file is missing or holds something else."""
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise MedllmError(
            f"{path} cannot be read: {error.strerror}.",
            "Give the folder of a whole Hugging Face checkpoint.",
        ) from None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise MedllmError(f"{path} is not a JSON object.", _AGAIN)
    return value
