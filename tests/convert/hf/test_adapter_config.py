import json
import re
from pathlib import Path
from typing import Any

import pytest
from peft import LoraConfig
from peft.tuners.tuners_utils import check_target_module_exists
from peft.utils.other import get_pattern_key

from medllm.convert.hf.adapter_config import AdapterConfig, read_adapter_config
from medllm.pipeline.errors import MedllmError

MODULES = [
    *("model.embed_tokens", "lm_head", "model.norm"),
    *(
        f"model.layers.{layer}.{part}"
        for layer in (0, 1, 11)
        for part in ("self_attn.q_proj", "self_attn.v_proj", "mlp.gate_proj", "mlp.down_proj")
    ),
]


def config(**fields: Any) -> AdapterConfig:
    return AdapterConfig(Path("adapter_config.json"), {"r": 8, "lora_alpha": 16, **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {"target_modules": ["q_proj", "lm_head"]},
        {"target_modules": ["proj"]},
        {"target_modules": ["model.layers.1.self_attn.q_proj"]},
        {"target_modules": r".*\.(q|v)_proj"},
        {"target_modules": r"model\.layers\.1\..*_proj"},
        {"target_modules": ["q_proj", "gate_proj"], "exclude_modules": ["layers.1.mlp.gate_proj"]},
        {"target_modules": ["q_proj"], "exclude_modules": r".*\.11\..*"},
        {"target_modules": ["q_proj", "lm_head"], "modules_to_save": ["lm_head"]},
        {"target_modules": ["q_proj", "down_proj"], "modules_to_save": ["mlp"]},
        {"target_modules": ["q_proj"], "layers_to_transform": [1, 11]},
        {"target_modules": ["q_proj"], "layers_to_transform": 0},
        {"target_modules": ["q_proj"], "layers_to_transform": [1], "layers_pattern": "layers"},
        {
            "target_modules": ["q_proj"],
            "layers_to_transform": [1],
            "layers_pattern": ["h", "layers"],
        },
        {"target_modules": ["q_proj"], "layers_to_transform": [1], "layers_pattern": "h"},
    ],
)
def test_targets_are_those_of_peft(fields: dict[str, Any]) -> None:
    ours, theirs = config(**fields), LoraConfig(**fields)
    for module in MODULES:
        expected = bool(check_target_module_exists(theirs, module))
        assert ours.targets(module) == expected, module


@pytest.mark.parametrize(
    "pattern",
    [
        {"q_proj": 3},
        {"layers.1.self_attn.q_proj": 3, "v_proj": 4},
        {r"layers\.(0|1)\..*_proj": 5, "q_proj": 6},
        {"proj": 7},
        {r"^model\.layers\.1\.mlp\.gate_proj": 9},
    ],
)
def test_patterns_are_matched_as_peft_does(pattern: dict[str, int]) -> None:
    ours = config(alpha_pattern=pattern)
    for module in MODULES:
        alpha = pattern.get(get_pattern_key(list(pattern), module), 16)
        assert ours.scale(module, 8) == alpha / 8, module


def test_rank_stabilised_scale() -> None:
    assert config(use_rslora=True).scale("x", 8) == 16 / 8**0.5
    with pytest.raises(MedllmError, match="rank 8, but its matrices have rank 4"):
        config().scale("x", 4)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"target_modules": "("}, "not clear which modules"),
        ({"target_modules": None}, "not clear which modules"),
        ({"target_modules": 3}, "not clear which modules"),
    ],
)
def test_broken_targets(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(MedllmError, match=words):
        config(**fields).targets("model.layers.0.self_attn.q_proj")


@pytest.mark.parametrize(
    ("field", "value"),
    [("bias", "some"), ("modules_to_save", "lm_head"), ("modules_to_save", [3])],
)
def test_values_that_no_peft_writes(tmp_path: Path, field: str, value: object) -> None:
    fields = {"peft_type": "LORA", "r": 8, "lora_alpha": 8, field: value}
    (tmp_path / "adapter_config.json").write_text(json.dumps(fields))
    with pytest.raises(MedllmError, match=re.escape(f"says {field} = {json.dumps(value)}")):
        read_adapter_config(tmp_path)
