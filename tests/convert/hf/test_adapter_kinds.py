"""Every kind of adapter that medllm merges, against PEFT's own merge in float32.

Where the base ties embedding and head, PEFT's merge writes into the memory that they share, and the
model that was trained is another one; there the comparison is with the model before any merge.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from medllm.convert.adapter import EMBEDDING, HEAD
from medllm.convert.checkpoint import MergedCheckpoint
from medllm.convert.gguf import convert_checkpoint
from medllm.convert.llama_cpp import silence_native_logs
from medllm.pipeline.config import ConvertConfig
from medllm.pipeline.errors import MedllmError

pytest_plugins = ("tests.small_model",)

SIZE = {"num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 96}
LINEAR = ["q_proj", "v_proj", "gate_proj", "down_proj"]


def train(base: Path, folder: Path, **settings: Any) -> None:
    """Save an adapter in which everything that can be trained was moved at random."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    defaults: dict[str, Any] = {"r": 8, "lora_alpha": 20, "target_modules": LINEAR}
    model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **(defaults | settings)))
    torch.manual_seed(5)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += torch.randn_like(parameter) * 0.05
    model.save_pretrained(folder)


def state(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return dict(model.state_dict())


def peft_merge(base: Path, adapter: Path) -> dict[str, torch.Tensor]:
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    return state(PeftModel.from_pretrained(model, adapter).merge_and_unload())


@pytest.fixture(scope="module")
def untied(make_checkpoint: Callable[..., Path]) -> Path:
    return make_checkpoint("bfloat16", **SIZE)


@pytest.fixture(scope="module")
def tied(make_checkpoint: Callable[..., Path]) -> Path:
    return make_checkpoint("bfloat16", **SIZE, tie_word_embeddings=True)


KINDS: dict[str, dict[str, Any]] = {
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "dora-rslora-patterns": {
        "use_dora": True,
        "use_rslora": True,
        "rank_pattern": {"layers.1.self_attn.q_proj": 3},
        "alpha_pattern": {"v_proj": 5},
    },
    "head": {"target_modules": [*LINEAR, "lm_head"]},
    "embedding": {"target_modules": [*LINEAR, "embed_tokens"]},
    "dora-embedding": {"target_modules": [*LINEAR, "embed_tokens"], "use_dora": True},
    "saved-head": {"modules_to_save": ["lm_head"]},
    "saved-embedding-and-norms": {"modules_to_save": ["embed_tokens", "norm"]},
    "saved-parent": {"target_modules": ["q_proj", "v_proj"], "modules_to_save": ["mlp"]},
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_merge_is_pefts_rounded_once(untied: Path, tmp_path: Path, kind: str) -> None:
    train(untied, tmp_path, **KINDS[kind])
    merged, expected = MergedCheckpoint(untied, tmp_path), peft_merge(untied, tmp_path)
    assert set(merged.tensors) == set(expected)
    assert merged.adapter is not None
    base = load_file(untied / "model.safetensors")
    for name, tensor in expected.items():
        ours = merged.tensor(name)
        assert ours.equal(tensor.to(torch.bfloat16)), name
        assert ours.equal(base[name]) == (name not in merged.adapter.targets), name


@pytest.mark.parametrize("bias", ["all", "lora_only"])
def test_trained_biases(untied: Path, tmp_path: Path, bias: str, tokenizer_folder: Path) -> None:
    folder, adapter = tmp_path / "base", tmp_path / "adapter"
    config = {**SIZE, "vocab_size": 448, "num_attention_heads": 8, "num_key_value_heads": 4}
    torch.manual_seed(1)
    model = Qwen2ForCausalLM(Qwen2Config(**config)).to(torch.float16)
    model.save_pretrained(folder)
    train(folder, adapter, target_modules=["q_proj"], bias=bias)
    merged, expected = MergedCheckpoint(folder, adapter), peft_merge(folder, adapter)
    assert merged.adapter is not None
    changed = {name.split(".")[-2] for name in merged.adapter.targets if name.endswith(".bias")}
    assert changed == ({"q_proj", "k_proj", "v_proj"} if bias == "all" else {"q_proj"})
    for name in merged.tensors:
        assert merged.tensor(name).equal(expected[name].to(torch.float16)), name


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(torch.arange(3, 60)[None]).logits[0]
    return found


@pytest.mark.parametrize(
    ("settings", "untied_by_it"),
    [
        ({}, False),
        ({"target_modules": [*LINEAR, "embed_tokens"]}, True),
        ({"target_modules": [*LINEAR, "lm_head"]}, True),
        ({"target_modules": [*LINEAR, "embed_tokens", "lm_head"]}, True),
        ({"modules_to_save": ["lm_head"]}, True),
        ({"modules_to_save": ["embed_tokens"]}, True),
        ({"target_modules": [*LINEAR, "embed_tokens"], "ensure_weight_tying": True}, False),
        ({"modules_to_save": ["embed_tokens"], "ensure_weight_tying": True}, False),
    ],
    ids=[
        "neither",
        "embedding",
        "head",
        "both",
        "saved-head",
        "saved-embedding",
        "kept",
        "saved-kept",
    ],
)
def test_a_tied_base_becomes_the_model_that_was_trained(
    tied: Path, tmp_path: Path, settings: dict[str, Any], untied_by_it: bool
) -> None:
    """Where embedding and head parted in training, the head gets a tensor of its own."""
    train(tied, tmp_path / "adapter", **settings)
    merged = MergedCheckpoint(tied, tmp_path / "adapter")
    assert (HEAD in merged.tensors) == untied_by_it
    assert merged.config["tie_word_embeddings"] is not untied_by_it
    base = LlamaForCausalLM.from_pretrained(tied, dtype=torch.float32)
    expected = logits(PeftModel.from_pretrained(base, tmp_path / "adapter"))

    folder = tmp_path / "merged"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(merged.config))
    tensors = {name: merged.tensor(name) for name in merged.tensors}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    ours = logits(LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32))
    assert (ours - expected).abs().max() < 0.02 * expected.std()  # bfloat16 weights
    plain = logits(LlamaForCausalLM.from_pretrained(tied, dtype=torch.float32))
    assert (plain - expected).abs().max() > 0.2 * expected.std()
    if untied_by_it:
        assert not merged.tensor(HEAD).equal(merged.tensor(EMBEDDING))


def test_an_untied_head_arrives_in_the_gguf(tied: Path, tmp_path: Path) -> None:
    from llama_cpp import Llama

    train(tied, tmp_path / "adapter", target_modules=[*LINEAR, "embed_tokens"])
    out = tmp_path / "x-f32.gguf"
    config = ConvertConfig(seed=0, type="F32")
    report = convert_checkpoint(tied, out, config, tmp_path / "adapter")
    assert report["tensors"] == len(MergedCheckpoint(tied).tensors) + 1
    base = LlamaForCausalLM.from_pretrained(tied, dtype=torch.float32)
    expected = logits(PeftModel.from_pretrained(base, tmp_path / "adapter")).log_softmax(-1)
    silence_native_logs()
    server = Llama(str(out), n_ctx=64, logits_all=True, verbose=False, n_threads=1)
    server.eval(list(range(3, 60)))
    found = torch.tensor(server.scores[:57]).log_softmax(-1)
    server.close()
    assert (found - expected).abs().max() < 0.05


@pytest.mark.parametrize("start", ["pissa", "olora"])
def test_starts_that_rewrite_the_base_merge_once_peft_has_converted_them(
    untied: Path, tmp_path: Path, start: str
) -> None:
    """PEFT's conversion keeps the first A and B beside the last: plain LoRA of twice the rank."""
    plain = LlamaForCausalLM.from_pretrained(untied, dtype=torch.float32)
    config = LoraConfig(
        r=4, lora_alpha=8, target_modules=LINEAR, init_lora_weights=start, task_type="CAUSAL_LM"
    )
    model = get_peft_model(plain, config)
    model.peft_config["default"].init_lora_weights = True
    model.save_pretrained(tmp_path / "first")
    model.peft_config["default"].init_lora_weights = start
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data += torch.randn_like(parameter) * 0.02
    trained = logits(model)
    model.save_pretrained(tmp_path / "raw")
    with pytest.raises(MedllmError, match="path_initial_model_for_weight_conversion"):
        MergedCheckpoint(untied, tmp_path / "raw")
    model.save_pretrained(
        tmp_path / "converted", path_initial_model_for_weight_conversion=tmp_path / "first"
    )
    merged = MergedCheckpoint(untied, tmp_path / "converted")
    again = LlamaForCausalLM.from_pretrained(untied, dtype=torch.float32)
    again.load_state_dict({name: merged.tensor(name).float() for name in merged.tensors})
    assert (logits(again) - trained).abs().max() < 0.02 * trained.std()


def test_what_modules_to_save_names_must_be_there(untied: Path, tmp_path: Path) -> None:
    train(untied, tmp_path, modules_to_save=["lm_head"])
    path = tmp_path / "adapter_model.safetensors"
    tensors = load_file(path)
    del tensors["base_model.model.lm_head.weight"]
    save_file(tensors, path)
    with pytest.raises(MedllmError, match=r"lacks lm_head\.weight.*modules_to_save"):
        MergedCheckpoint(untied, tmp_path)


def test_magnitudes_and_config_belong_together(untied: Path, tmp_path: Path) -> None:
    train(untied, tmp_path, use_dora=True)
    path, config = tmp_path / "adapter_model.safetensors", tmp_path / "adapter_config.json"
    fields = json.loads(config.read_text())
    config.write_text(json.dumps(fields | {"use_dora": False}))
    with pytest.raises(MedllmError, match=r"holds more of .* than adapter_config\.json says"):
        MergedCheckpoint(untied, tmp_path)
    config.write_text(json.dumps(fields))
    tensors = load_file(path)
    del tensors[next(name for name in tensors if "magnitude" in name)]
    save_file(tensors, path)
    with pytest.raises(MedllmError, match="lacks lora_magnitude_vector of model"):
        MergedCheckpoint(untied, tmp_path)


@pytest.mark.parametrize("columns", [64, 333, 2048])
@pytest.mark.parametrize("rank", [1, 7, 16, 64, 256])
def test_blocks_of_rows_are_multiplied_to_the_bits_of_the_whole(columns: int, rank: int) -> None:
    """What ``Adapter.rows`` rests on; PEFT multiplies whole matrices."""
    generator = torch.Generator().manual_seed(rank)
    a = torch.randn(rank, columns, generator=generator)
    b = torch.randn(1500, rank, generator=generator)
    whole = b @ a
    for start in range(0, 1500, 256):
        assert (b[start : start + 256] @ a).equal(whole[start : start + 256])
    for start in range(0, columns, 100):  # an embedding's rows are columns of B A
        assert (b @ a[:, start : start + 100]).equal(whole[:, start : start + 100])
