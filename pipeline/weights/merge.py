"""Stage ``merge``: the adapter folded into the 16-bit base, as a Hugging Face checkpoint.

For those who go on with transformers; the way to the GGUF merges by itself (``convert.gguf``).

Never into the 4-bit base that training saw: the update would meet weights rounded to 16 levels and
the result would be rounded again. Shards are streamed: at any time one tensor is in memory.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from medllm.convert.checkpoint import MergedCheckpoint
from medllm.convert.safetensors_io import TensorInfo, write_safetensors
from medllm.pipeline.config import MergeConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import Manifest, Work, stage
from medllm.pipeline.weights.weight_files import INDEX, read_object

if TYPE_CHECKING:
    import torch

# Copied byte for byte: a tokenizer that is saved anew is another tokenizer.
_REQUIRED = ("config.json", "tokenizer.model", "tokenizer.json", "tokenizer_config.json")
_OPTIONAL = ("generation_config.json", "special_tokens_map.json", "added_tokens.json")


def merge(config: MergeConfig, paths: RunPaths) -> Manifest:
    """Merge ``train/adapter`` into ``base`` and write the result to ``merge/``.

    Raises MedllmError when the adapter does not fit the base, cannot be merged exactly, or makes a
    weight that is not finite.
    """
    weights = sum(p.stat().st_size for p in paths.stage("base").glob("*.safetensors"))

    def body(work: Work) -> None:
        _merge(config, work)

    return stage("merge", config, paths, body, disk_bytes=int(weights * 1.05))


def _merge(config: MergeConfig, work: Work) -> None:
    base = work.inputs["base"]
    checkpoint = MergedCheckpoint(base, work.inputs["train"] / "adapter")
    for name in (*_REQUIRED, *_OPTIONAL):
        if (base / name).is_file():
            shutil.copyfile(base / name, work.dir / name)
        elif name in _REQUIRED:
            raise MedllmError(f"{base / name} is missing.", "Run stage base again.")
    if checkpoint.config != read_object(base / "config.json"):  # the adapter untied the embedding
        text = json.dumps(checkpoint.config, indent=2, sort_keys=True)
        (work.dir / "config.json").write_text(text + "\n", encoding="utf-8")
    shards = plan_shards(checkpoint.tensors, int(config.max_shard_gb * 1e9))
    _write(checkpoint, shards, work.dir)
    written = MergedCheckpoint(work.dir)
    if written.tensors != checkpoint.tensors:
        raise RuntimeError(f"{work.dir} does not hold the tensors that were merged")
    assert checkpoint.adapter is not None
    work.report |= {
        "tensors": len(written.tensors),
        "merged_tensors": len(checkpoint.adapter.targets),
        "weight_bytes": written.nbytes,
        "shards": len(shards),
    }


def plan_shards(tensors: Mapping[str, TensorInfo], max_bytes: int) -> list[dict[str, TensorInfo]]:
    """Fill shards in the order of the tensors; one larger than ``max_bytes`` stands alone."""
    shards: list[dict[str, TensorInfo]] = []
    room = 0
    for name, info in tensors.items():
        if not shards or info.nbytes > room:
            shards.append({})
            room = max_bytes
        shards[-1][name] = info
        room -= info.nbytes
    return shards


def _write(checkpoint: MergedCheckpoint, shards: list[dict[str, TensorInfo]], folder: Path) -> None:
    from tqdm import tqdm

    weight_map: dict[str, str] = {}
    with tqdm(
        total=checkpoint.nbytes, unit="B", unit_scale=True, desc="merge", disable=None
    ) as bar:

        def read(name: str) -> torch.Tensor:
            tensor = checkpoint.tensor(name)
            bar.update(checkpoint.tensors[name].nbytes)
            return tensor

        for number, shard in enumerate(shards, start=1):
            many = f"-{number:05d}-of-{len(shards):05d}" if len(shards) > 1 else ""
            path = folder / f"model{many}.safetensors"
            write_safetensors(path, shard, read)
            weight_map |= dict.fromkeys(shard, path.name)
    if len(shards) > 1:
        index = {"metadata": {"total_size": checkpoint.nbytes}, "weight_map": weight_map}
        (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
