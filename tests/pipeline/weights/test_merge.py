import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaForCausalLM

from medllm.convert.checkpoint import MergedCheckpoint
from medllm.convert.safetensors_io import TensorInfo
from medllm.pipeline.config import MergeConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.weights.merge import merge, plan_shards

pytest_plugins = ("tests.small_model",)


@pytest.fixture
def paths(
    checkpoint: Path, adapter: Path, put_stage: Callable[..., None], tmp_path: Path
) -> RunPaths:
    """A run in which base and train have completed."""
    (tmp_path / "rows").mkdir()
    for name in ("train.jsonl", "validation.jsonl", "test.jsonl"):
        (tmp_path / "rows" / name).write_text("")
    paths = RunPaths(tmp_path / "run")
    put_stage("base", paths, checkpoint)
    put_stage("prepare", paths, tmp_path / "rows")
    put_stage("train", paths, adapter, "adapter")
    return paths


def test_merge_writes_a_checkpoint_that_transformers_loads(
    paths: RunPaths, checkpoint: Path, adapter: Path
) -> None:
    manifest = merge(MergeConfig(seed=0, max_shard_gb=5), paths)
    folder = paths.stage("merge")
    assert set(manifest.outputs) == {p.name for p in checkpoint.iterdir()}
    for name in manifest.outputs:
        same = (folder / name).read_bytes() == (checkpoint / name).read_bytes()
        assert same == (name != "model.safetensors"), name
    expected = MergedCheckpoint(checkpoint, adapter)
    model = LlamaForCausalLM.from_pretrained(folder, dtype="auto")
    state = model.state_dict()
    assert model.dtype == torch.float16
    assert set(state) == set(expected.tensors)
    assert all(state[name].equal(expected.tensor(name)) for name in state)
    assert manifest.report == {
        "tensors": len(state),
        "merged_tensors": 12,
        "weight_bytes": expected.nbytes,
        "shards": 1,
    }


def test_shards_hold_the_same_tensors(paths: RunPaths, checkpoint: Path, adapter: Path) -> None:
    manifest = merge(MergeConfig(seed=0, max_shard_gb=0.0005), paths)
    folder = paths.stage("merge")
    shards = sorted(name for name in manifest.outputs if name.endswith(".safetensors"))
    assert len(shards) > 4
    assert shards[0] == f"model-00001-of-{len(shards):05d}.safetensors"
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    expected = MergedCheckpoint(checkpoint, adapter)
    assert index["metadata"]["total_size"] == expected.nbytes
    for shard in shards:
        tensors = load_file(folder / shard)
        assert {name for name, place in index["weight_map"].items() if place == shard} == set(
            tensors
        )
        assert all(tensor.equal(expected.tensor(name)) for name, tensor in tensors.items())
        data = sum(tensor.nbytes for tensor in tensors.values())
        assert data <= 500_000 or len(tensors) == 1
    LlamaForCausalLM.from_pretrained(folder)


def test_mixed_dtypes_keep_their_alignment(tmp_path: Path) -> None:
    from safetensors import safe_open

    from medllm.convert.safetensors_io import write_safetensors

    tensors = {
        "odd": torch.ones(3, dtype=torch.bfloat16),
        "wide": torch.arange(4, dtype=torch.float32),
        "scalar": torch.tensor(2.0, dtype=torch.float16),
        "empty": torch.ones(0, 5, dtype=torch.float16),
    }
    names = {torch.bfloat16: "BF16", torch.float32: "F32", torch.float16: "F16"}
    infos = {n: TensorInfo(names[t.dtype], tuple(t.shape)) for n, t in tensors.items()}
    path = tmp_path / "x.safetensors"
    write_safetensors(path, infos, tensors.__getitem__)
    loaded = load_file(path)
    assert all(loaded[n].equal(t) and loaded[n].shape == t.shape for n, t in tensors.items())
    with safe_open(path, framework="pt") as file:
        assert file.metadata() == {"format": "pt"}
    header = path.read_bytes()
    offsets = json.loads(header[8 : 8 + int.from_bytes(header[:8], "little")])
    assert offsets["wide"]["data_offsets"] == [0, 16]
    with pytest.raises(ValueError, match="announced"):
        write_safetensors(path, infos, lambda name: tensors["odd"])


def test_a_tensor_above_the_limit_stands_alone() -> None:
    sizes = {"a": 10, "b": 10, "huge": 500, "c": 10, "d": 60, "e": 40}
    tensors = {name: TensorInfo("F16", (size // 2,)) for name, size in sizes.items()}
    plan = [list(shard) for shard in plan_shards(tensors, 100)]
    assert plan == [["a", "b"], ["huge"], ["c", "d"], ["e"]]


def test_an_adapter_of_another_base_leaves_nothing_behind(
    paths: RunPaths,
    put_stage: Callable[..., None],
    make_checkpoint: Callable[..., Path],
    make_adapter: Callable[..., Path],
) -> None:
    put_stage("train", paths, make_adapter(make_checkpoint(num_hidden_layers=4)), "adapter")
    with pytest.raises(MedllmError, match=r"model\.layers\.[23]\..*does not have"):
        merge(MergeConfig(seed=0, max_shard_gb=5), paths)
    assert not paths.stage("merge").exists()
    assert not (paths.root / ".merge.partial").exists()


def test_a_base_without_tokenizer_model_is_refused(
    paths: RunPaths, checkpoint: Path, put_stage: Callable[..., None], tmp_path: Path
) -> None:
    import shutil

    lacking = shutil.copytree(checkpoint, tmp_path / "lacking")
    (lacking / "tokenizer.model").unlink()
    put_stage("base", paths, lacking)
    with pytest.raises(MedllmError, match=r"tokenizer\.model is missing"):
        merge(MergeConfig(seed=0, max_shard_gb=5), paths)


def test_a_tied_base_is_untied_where_the_adapter_parted_the_two(
    paths: RunPaths,
    put_stage: Callable[..., None],
    make_checkpoint: Callable[..., Path],
    make_adapter: Callable[..., Path],
) -> None:
    tied = make_checkpoint(tie_word_embeddings=True)
    adapter = make_adapter(tied, target_modules=["q_proj", "embed_tokens"])
    put_stage("base", paths, tied)
    put_stage("train", paths, adapter, "adapter")
    merge(MergeConfig(seed=0, max_shard_gb=5), paths)
    folder = paths.stage("merge")
    assert json.loads((folder / "config.json").read_text())["tie_word_embeddings"] is False
    model = LlamaForCausalLM.from_pretrained(folder, dtype="auto")
    base = load_file(tied / "model.safetensors")["model.embed_tokens.weight"]
    assert model.lm_head.weight.equal(base)
    assert not model.model.embed_tokens.weight.equal(base)
