import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from medllm.convert.adapter import Adapter
from medllm.convert.checkpoint import MergedCheckpoint
from medllm.convert.safetensors_io import TensorInfo
from medllm.pipeline.errors import MedllmError

pytest_plugins = ("tests.small_model",)

PREFIX = "base_model.model.model.layers.1.mlp.gate_proj.lora_"


@pytest.fixture
def copy(adapter: Path, tmp_path: Path) -> Path:
    """An adapter to break."""
    return shutil.copytree(adapter, tmp_path / "adapter")


@pytest.fixture(scope="module")
def base(checkpoint: Path) -> dict[str, TensorInfo]:
    return MergedCheckpoint(checkpoint).tensors


def change_config(folder: Path, **settings: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(folder / "adapter_model.safetensors")
    change(tensors)
    save_file(tensors, folder / "adapter_model.safetensors")


def refused(folder: Path, base: dict[str, TensorInfo], *words: str) -> None:
    with pytest.raises(MedllmError) as caught:
        Adapter(folder, base)
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words), message


def test_targets(copy: Path, base: dict[str, TensorInfo]) -> None:
    targets = Adapter(copy, base).targets
    assert len(targets) == 12
    assert "model.layers.1.mlp.gate_proj.weight" in targets


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lora_bias", True),
        ("trainable_token_indices", [5]),
        ("target_parameters", ["x"]),
        ("fan_in_fan_out", True),
        ("layer_replication", [[0, 1]]),
        ("use_qalora", True),
        ("a_field_of_the_future", 3),
    ],
)
def test_what_is_not_plain_lora_is_refused_by_name(
    copy: Path, base: dict[str, TensorInfo], field: str, value: object
) -> None:
    change_config(copy, **{field: value})
    refused(copy, base, field, json.dumps(value), "as LoRA or DoRA")


@pytest.mark.parametrize("start", ["pissa", "pissa_niter_4", "olora", "loftq", "corda"])
def test_starts_that_rewrite_the_base_are_refused(
    copy: Path, base: dict[str, TensorInfo], start: str
) -> None:
    change_config(copy, init_lora_weights=start)
    refused(copy, base, f"init_lora_weights = '{start}'", "changes the base")


@pytest.mark.parametrize("start", [True, False, "gaussian"])
def test_starts_that_keep_the_base(copy: Path, base: dict[str, TensorInfo], start: object) -> None:
    change_config(copy, init_lora_weights=start)
    Adapter(copy, base)


def test_every_default_of_peft_is_understood(copy: Path, base: dict[str, TensorInfo]) -> None:
    from peft import LoraConfig

    defaults = LoraConfig().to_dict()
    mine = json.loads((copy / "adapter_config.json").read_text())
    change_config(copy, **{k: v for k, v in defaults.items() if k not in mine})
    Adapter(copy, base)


@pytest.mark.parametrize("value", [0, -1, None, "8", float("nan"), float("inf"), True])
def test_rank_and_alpha_are_positive_numbers(
    copy: Path, base: dict[str, TensorInfo], value: object
) -> None:
    change_config(copy, lora_alpha=value)
    refused(copy, base, "lora_alpha")
    change_config(copy, lora_alpha=8, alpha_pattern={"q_proj": value})
    refused(copy, base, "lora_alpha")


def test_rank_of_the_config_against_the_matrices(copy: Path, base: dict[str, TensorInfo]) -> None:
    change_config(copy, r=4)
    refused(copy, base, "rank 4", "rank 8", "scale is unknown")


def test_other_adapters(copy: Path, base: dict[str, TensorInfo]) -> None:
    change_config(copy, peft_type="LOHA")
    refused(copy, base, "LOHA")


@pytest.mark.parametrize("text", ["{", "[]", "null", "\x00"])
def test_damaged_config(copy: Path, base: dict[str, TensorInfo], text: str) -> None:
    (copy / "adapter_config.json").write_text(text)
    refused(copy, base, "adapter_config.json is not a JSON object")


def test_nothing_there(tmp_path: Path, base: dict[str, TensorInfo]) -> None:
    refused(tmp_path, base, "no adapter", "adapter_config.json is missing")


def test_pickled_weights(copy: Path, base: dict[str, TensorInfo]) -> None:
    (copy / "adapter_model.safetensors").rename(copy / "adapter_model.bin")
    refused(copy, base, "adapter_model.bin is a pickle")


def test_weights_cut_in_half(copy: Path, base: dict[str, TensorInfo]) -> None:
    path = copy / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(copy, base, str(path), "is cut short")


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_nan_and_inf_name_the_tensor(copy: Path, base: dict[str, TensorInfo], value: float) -> None:
    change_weights(copy, lambda tensors: tensors[PREFIX + "A.weight"][3, 5:6].fill_(value))
    refused(copy, base, PREFIX + "A.weight", "NaN or Inf")


def test_untrained_adapter(copy: Path, base: dict[str, TensorInfo]) -> None:
    def forget(tensors: dict[str, torch.Tensor]) -> None:
        for name, tensor in tensors.items():
            if "lora_B" in name:
                tensor.zero_()

    change_weights(copy, forget)
    refused(copy, base, "every lora_B is zero")


def test_half_a_pair(copy: Path, base: dict[str, TensorInfo]) -> None:
    change_weights(copy, lambda tensors: tensors.pop(PREFIX + "B.weight"))
    refused(copy, base, "lacks lora_B of model.layers.1.mlp.gate_proj")


def test_lost_layer(copy: Path, base: dict[str, TensorInfo]) -> None:
    def lose(tensors: dict[str, torch.Tensor]) -> None:
        for side in "AB":
            del tensors[f"{PREFIX}{side}.weight"]

    change_weights(copy, lose)
    refused(copy, base, "no matrices for model.layers.1.mlp.gate_proj", "1 of 12")


def test_module_that_is_not_targeted(copy: Path, base: dict[str, TensorInfo]) -> None:
    change_config(copy, target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "down_proj"])
    refused(copy, base, "model.layers.0.mlp.gate_proj", "does not target", "2 of 12")


def test_base_with_more_layers(copy: Path, make_checkpoint: Callable[..., Path]) -> None:
    deeper = MergedCheckpoint(make_checkpoint(num_hidden_layers=3)).tensors
    refused(copy, deeper, "no matrices for model.layers.2.mlp.down_proj")


def test_base_with_fewer_layers(copy: Path, base: dict[str, TensorInfo]) -> None:
    shallower = {name: info for name, info in base.items() if "layers.1" not in name}
    refused(copy, shallower, "model.layers.1", "does not have")


def test_base_of_another_width(copy: Path, make_checkpoint: Callable[..., Path]) -> None:
    wider = MergedCheckpoint(make_checkpoint(intermediate_size=768)).tensors
    refused(copy, wider, "mlp.down_proj.weight", "[8, 512]", "[256, 8]", "[256, 768]")


def test_base_of_another_vocabulary(checkpoint: Path, make_adapter: Callable[..., Path]) -> None:
    adapter = make_adapter(checkpoint, target_modules=["lm_head"])
    base = dict(MergedCheckpoint(checkpoint).tensors)
    base["lm_head.weight"] = TensorInfo("F16", (449, 256))
    refused(adapter, base, "lm_head", "[448, 256]", "[449, 256]")


def test_copy_of_the_embedding_must_be_the_bases(copy: Path, checkpoint: Path) -> None:
    name = "base_model.model.model.embed_tokens.weight"
    embedding = load_file(checkpoint / "model.safetensors")["model.embed_tokens.weight"].float()

    def carry(tensor: torch.Tensor) -> None:
        change_weights(copy, lambda tensors: tensors.update({name: tensor}))

    carry(embedding)
    MergedCheckpoint(checkpoint, copy)
    embedding[4, 4] += 1
    carry(embedding)
    with pytest.raises(MedllmError, match=r"embed_tokens\.weight, and it differs from the base's"):
        MergedCheckpoint(checkpoint, copy)
    carry(torch.zeros(449, 256))
    with pytest.raises(MedllmError, match=r"\[449, 256\], the base has \[448, 256\]: another"):
        MergedCheckpoint(checkpoint, copy)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("lora_magnitude_vector", "holds more of model.layers.0.self_attn.q_proj"),
        ("lora_embedding_A", "lacks lora_embedding_B"),
        ("lora_A.bias", "the base model has no model.layers.0.self_attn.q_proj.lora_A.bias"),
        ("lora_C", "is no part of LoRA or DoRA"),
    ],
)
def test_parts_that_do_not_belong(
    copy: Path, base: dict[str, TensorInfo], part: str, words: str
) -> None:
    name = f"base_model.model.model.layers.0.self_attn.q_proj.{part}"
    change_weights(copy, lambda tensors: tensors.update({name: torch.zeros(8)}))
    refused(copy, base, words)
