"""A checkpoint's weight files, checked by their structure before any library loads them.

Safetensors (github.com/huggingface/safetensors) is a header's length as 8 little-endian bytes, the
header as JSON, then the tensors' bytes without gaps. Only that is accepted: a pickle can run code
when it is read, whatever its name.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from medllm.convert.safetensors_io import ITEM_SIZES, TensorInfo
from medllm.pipeline.errors import MedllmError

INDEX = "model.safetensors.index.json"
_MAX_HEADER = 100_000_000  # bytes, the limit of the safetensors library
_MAX_NAME = 200  # characters of a tensor's name
_MAX_RANK = 8  # dimensions of a tensor
_PICKLES = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
_PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_AGAIN = "Fetch or write it again."


def check_weights(folder: Path) -> tuple[list[str], dict[str, TensorInfo]]:
    """Names of a checkpoint's weight files and every tensor in them, read from headers alone.

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
    tensors: dict[str, TensorInfo] = {}
    for name in files:
        for tensor, stored in check_safetensors(folder / name).items():
            listed = index.get(tensor) if index is not None else name
            if tensor in tensors or listed != name:
                raise MedllmError(
                    f"{folder / INDEX} puts {tensor} in {listed or 'no file'}, it is in {name}.",
                    _AGAIN,
                )
            tensors[tensor] = stored
    unstored = sorted((index or {}).keys() - tensors.keys())
    if unstored and index is not None:
        raise MedllmError(
            f"{folder / INDEX} puts {unstored[0]} in {index[unstored[0]]}, which lacks it.", _AGAIN
        )
    return files, tensors


def check_safetensors(path: Path) -> dict[str, TensorInfo]:
    """Check the structure of a safetensors file and return its tensors; no data is read.

    Raises MedllmError for anything else, pickles above all, and for a file that is not exactly as
    long as its header says.
    """
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
    try:
        spans, tensors = _parse_header(header)
    except (ValueError, RecursionError) as error:
        raise MedllmError(f"{path} has a damaged header: {error}.", _AGAIN) from None
    end = 0
    for start_at, stop, name in sorted(spans):
        if start_at != end:
            raise MedllmError(f"{path}: {name} starts at byte {start_at}, not at {end}.", _AGAIN)
        end = stop
    expected = 8 + header_bytes + end
    if size != expected:
        what = "is cut short" if size < expected else "goes on past its tensors"
        raise MedllmError(f"{path} {what}: {expected} bytes expected, {size} found.", _AGAIN)
    return tensors


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
            raise ValueError(f"{name} is stored as {dtype!r:.60}, not as F32, F16 or BF16")
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
