import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

from medllm.convert.checkpoint import MergedCheckpoint
from medllm.pipeline.errors import MedllmError

pytest_plugins = ("tests.small_model",)


def peft_merge(checkpoint: Path, adapter: Path) -> dict[str, torch.Tensor]:
    """PEFT's merge in float32."""
    base = LlamaForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    return PeftModel.from_pretrained(base, adapter).merge_and_unload().state_dict()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize(
    "settings",
    [
        {"r": 1, "lora_alpha": 3},
        {"r": 16, "lora_alpha": 32},
        {"r": 5, "lora_alpha": 7, "use_rslora": True},
        {
            "r": 4,
            "lora_alpha": 9,
            "rank_pattern": {"layers.1.self_attn.q_proj": 7, "v_proj": 2},
            "alpha_pattern": {r"layers\.0\..*_proj": 5},
            "target_modules": ["q_proj", "v_proj", "lm_head"],
        },
    ],
    ids=lambda settings: f"r{settings['r']}" if isinstance(settings, dict) else settings,
)
def test_merge_is_pefts_float32_merge_rounded_once(
    make_checkpoint: Callable[..., Path],
    make_adapter: Callable[..., Path],
    dtype: str,
    settings: dict[str, object],
) -> None:
    folder = make_checkpoint(dtype, num_hidden_layers=2, hidden_size=64, intermediate_size=96)
    adapter = make_adapter(folder, **settings)
    merged = MergedCheckpoint(folder, adapter)
    expected = peft_merge(folder, adapter)
    base = load_file(folder / "model.safetensors")
    assert merged.adapter is not None
    assert set(merged.tensors) == set(base)
    for name, before in base.items():
        tensor = merged.tensor(name)
        assert tensor.dtype == before.dtype == getattr(torch, dtype)
        assert tensor.equal(expected[name].to(before.dtype)), name
        assert tensor.equal(before) == (name not in merged.adapter.targets), name


def test_how_pefts_own_16_bit_merge_differs(checkpoint: Path, adapter: Path) -> None:
    """It is the same with a float32 adapter; safe_merge rounds the update before it is added."""
    merged = MergedCheckpoint(checkpoint, adapter)
    equal = {}
    for safe in (False, True):
        base = LlamaForCausalLM.from_pretrained(checkpoint, dtype=torch.float16)
        model = PeftModel.from_pretrained(base, adapter).merge_and_unload(safe_merge=safe)
        state = model.state_dict()
        equal[safe] = all(merged.tensor(name).equal(state[name]) for name in merged.tensors)
    assert equal == {False: True, True: False}


def test_any_shard_layout(checkpoint: Path, adapter: Path, tmp_path: Path) -> None:
    model = LlamaForCausalLM.from_pretrained(checkpoint, dtype=torch.float16)
    model.save_pretrained(tmp_path, max_shard_size="400KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 3
    one, many = MergedCheckpoint(checkpoint, adapter), MergedCheckpoint(tmp_path, adapter)
    assert one.nbytes == many.nbytes
    assert set(one.tensors) == set(many.tensors)
    assert all(one.tensor(name).equal(many.tensor(name)) for name in one.tensors)


@pytest.fixture
def sharded(checkpoint: Path, tmp_path: Path) -> Path:
    """Two shards and their index, for tests that break something."""
    tensors = load_file(checkpoint / "model.safetensors")
    names = sorted(tensors)
    parts = {"model-00001-of-00002.safetensors": names[:9]}
    parts["model-00002-of-00002.safetensors"] = names[9:]
    for file, held in parts.items():
        save_file({name: tensors[name] for name in held}, tmp_path / file)
    weight_map = {name: file for file, held in parts.items() for name in held}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    assert len(MergedCheckpoint(tmp_path).tensors) == len(tensors)
    return tmp_path


def refused(base: Path, *words: str) -> None:
    with pytest.raises(MedllmError) as caught:
        MergedCheckpoint(base)
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words), message


def test_missing_shard(sharded: Path) -> None:
    (sharded / "model-00002-of-00002.safetensors").unlink()
    refused(sharded, "model-00002-of-00002.safetensors", "1 of 2")


def test_shard_cut_in_half(sharded: Path) -> None:
    path = sharded / "model-00001-of-00002.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(sharded, str(path), "is cut short")


def test_index_that_disagrees_with_the_shards(sharded: Path) -> None:
    path = sharded / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"]["lm_head.weight"] = "model-00002-of-00002.safetensors"
    path.write_text(json.dumps(index))
    refused(sharded, "lm_head.weight", "model-00002-of-00002", "model-00001-of-00002")


@pytest.mark.parametrize("shard", ["../model.safetensors", "/etc/passwd", 3])
def test_index_that_points_outside(sharded: Path, shard: object) -> None:
    index = {"weight_map": {"lm_head.weight": shard}}
    (sharded / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(sharded, "no safetensors file beside it")


def test_tensor_in_two_shards(sharded: Path) -> None:
    one, two = (sharded / f"model-0000{number}-of-00002.safetensors" for number in (1, 2))
    tensors = load_file(one)
    save_file(load_file(two) | {min(tensors): tensors[min(tensors)]}, two)
    refused(sharded, f"puts {min(tensors)} in {one.name}, it is in {two.name}")


def test_pickled_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    refused(tmp_path, "pytorch_model.bin", "pickle")


def test_empty_folder(tmp_path: Path) -> None:
    refused(tmp_path, "has no model.safetensors")


def test_quantized_base(tmp_path: Path) -> None:
    save_file(
        {"model.norm.weight": torch.zeros(4, dtype=torch.uint8)}, tmp_path / "model.safetensors"
    )
    refused(tmp_path, "model.norm.weight", "U8", "16-bit")


def test_nan_in_the_base_names_the_tensor(tmp_path: Path) -> None:
    save_file({"model.norm.weight": torch.tensor([1.0, torch.nan])}, tmp_path / "model.safetensors")
    with pytest.raises(MedllmError, match=r"model\.norm\.weight holds NaN or Inf"):
        MergedCheckpoint(tmp_path).tensor("model.norm.weight")


def test_update_that_overflows_float16(checkpoint: Path, make_adapter: Callable[..., Path]) -> None:
    adapter = make_adapter(checkpoint, lora_alpha=10**8, target_modules=["q_proj"])
    merged = MergedCheckpoint(checkpoint, adapter)
    with pytest.raises(MedllmError, match=r"q_proj\.weight with its update is too large for F16"):
        merged.tensor("model.layers.0.self_attn.q_proj.weight")
