import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from medllm.convert.hf.architecture import Architecture
from medllm.convert.hf.handover import Answer, Request, run_converter
from medllm.convert.inspect_gguf import GgufFacts, check_gguf
from medllm.convert.verify import check_header, check_weights
from medllm.pipeline.errors import MedllmError

pytest_plugins = ("tests.small_model",)


@pytest.fixture(scope="module")
def answers() -> dict[str, Answer]:
    return {}


@pytest.fixture(scope="module")
def facts(
    checkpoint: Path,
    adapter: Path,
    answers: dict[str, Answer],
    tmp_path_factory: pytest.TempPathFactory,
) -> GgufFacts:
    """A GGUF in F16; what the converter was handed comes along."""
    folder = tmp_path_factory.mktemp("verify")
    answers |= {
        name: handed(checkpoint, given, folder / f"{name}.gguf")
        for name, given in (("base", None), ("medllm", adapter))
    }
    return check_gguf(folder / "medllm.gguf")


def handed(base: Path, adapter: Path | None, outfile: Path) -> Answer:
    request = Request(
        base=base, adapter=adapter, small_files=base, outfile=outfile, type="F16", name="x",
        answer=outfile.with_suffix(".json"),
    )  # fmt: skip
    return run_converter(request, lambda: None)


@pytest.fixture(scope="module")
def architecture(checkpoint: Path) -> Architecture:
    return Architecture(checkpoint)


def with_config(folder: Path, **fields: Any) -> Architecture:
    plain = {
        "model_type": "llama", "num_hidden_layers": 1, "max_position_embeddings": 64,
        "hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2, "vocab_size": 8,
        "rms_norm_eps": 1e-5,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(plain | fields))
    return Architecture(folder)


@pytest.mark.parametrize(
    ("config", "theta"),
    [
        ({}, 10_000),
        ({"rope_theta": 500}, 500),
        ({"rope_parameters": {"rope_theta": 500.0}}, 500),
        ({"rope_parameters": {"rope_theta": 500}, "rope_theta": 500.0}, 500),
        ({"rope_parameters": None, "rope_theta": None}, 10_000),
    ],
)
def test_rope_theta(tmp_path: Path, config: dict[str, object], theta: float) -> None:
    assert with_config(tmp_path, **config).rope_theta == theta


@pytest.mark.parametrize("kind", ["mistral", "qwen2", "another"])
def test_fields_whose_defaults_differ_must_be_there(tmp_path: Path, kind: str) -> None:
    with pytest.raises(MedllmError, match="has no num_key_value_heads"):
        with_config(tmp_path, model_type=kind)
    with pytest.raises(MedllmError, match="has no rope_theta"):
        with_config(tmp_path, model_type=kind, num_key_value_heads=2)


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"model_type": "mistral", "sliding_window": None}, False),
        ({"model_type": "mistral", "sliding_window": 64}, False),
        ({"model_type": "mistral", "sliding_window": 63}, True),
        ({"model_type": "qwen2", "sliding_window": 32}, False),
        ({"model_type": "qwen2", "sliding_window": 32, "use_sliding_window": False}, False),
        ({"model_type": "qwen2", "sliding_window": 32, "use_sliding_window": True}, True),
        ({"model_type": "llama", "sliding_window": 32, "layer_types": ["full_attention"]}, False),
    ],
)
def test_sliding_windows(tmp_path: Path, fields: dict[str, object], refused: bool) -> None:
    more = {"num_key_value_heads": 2, "rope_theta": 1e4}
    architecture = with_config(tmp_path, **more, **fields)
    if not refused:
        architecture.check()
        return
    with pytest.raises(MedllmError, match="slides over a window"):
        architecture.check()


def test_llama_3_frequencies_are_those_of_transformers(tmp_path: Path) -> None:
    rope = {
        "rope_type": "llama3", "rope_theta": 500_000.0, "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
    }  # fmt: skip
    size = {"hidden_size": 4096, "num_attention_heads": 32, "max_position_embeddings": 131_072}
    factors = with_config(tmp_path, **size, rope_parameters=rope).rope_factors()
    assert factors is not None
    slowed, _ = ROPE_INIT_FUNCTIONS["llama3"](LlamaConfig(**size, rope_parameters=rope), "cpu")
    plain = [500_000.0 ** (-index / 128) for index in range(0, 128, 2)]
    expected = [one / other for one, other in zip(plain, slowed.tolist(), strict=True)]
    assert factors == pytest.approx(expected, rel=1e-5)
    assert min(factors) == 1.0
    assert max(factors) == pytest.approx(8.0)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("general.architecture", "mistral"),
        ("general.file_type", 0),
        ("llama.block_count", 3),
        ("llama.attention.head_count_kv", 8),
        ("llama.rope.freq_base", 1e6),
        ("llama.attention.layer_norm_rms_epsilon", 1e-6),
        ("llama.rope.scaling.type", "linear"),
    ],
)
def test_one_hyperparameter_off(
    facts: GgufFacts,
    answers: dict[str, Answer],
    architecture: Architecture,
    key: str,
    value: object,
) -> None:
    check_header(facts, architecture, answers["medllm"], "F16")
    changed = {**facts.metadata, key: value}
    broken = replace(facts, metadata=changed)  # type: ignore[arg-type]
    with pytest.raises(MedllmError, match=f"{key} = {value}".replace("+", r"\+")):
        check_header(broken, architecture, answers["medllm"], "F16")


def test_one_tensor_off(
    facts: GgufFacts, answers: dict[str, Answer], architecture: Architecture
) -> None:
    name = "blk.0.ffn_up.weight"
    tensor = facts.tensors[name]
    lost = {key: value for key, value in facts.tensors.items() if key != name}
    for tensors in (
        lost,
        {**facts.tensors, "blk.2.ffn_up.weight": tensor},
        {**facts.tensors, name: replace(tensor, shape=(512, 256))},
        {**facts.tensors, name: replace(tensor, type=facts.tensors["output_norm.weight"].type)},
    ):
        with pytest.raises(MedllmError, match=r"blk\.[02]\.ffn_up\.weight"):
            check_header(replace(facts, tensors=tensors), architecture, answers["medllm"], "F16")


@pytest.mark.parametrize("name", ["blk.1.attn_q.weight", "blk.0.ffn_norm.weight", "output.weight"])
def test_one_bit_off(
    facts: GgufFacts,
    answers: dict[str, Answer],
    architecture: Architecture,
    tmp_path: Path,
    name: str,
) -> None:
    assert check_weights(facts, architecture, answers["medllm"]) == 0
    raw = bytearray(facts.path.read_bytes())
    raw[facts.tensors[name].offset + facts.tensors[name].nbytes // 2] ^= 1
    path = tmp_path / "x.gguf"
    path.write_bytes(raw)
    with pytest.raises(MedllmError, match=f"{name} differs from"):
        check_weights(check_gguf(path), architecture, answers["medllm"])


def test_the_base_is_not_the_merged_model(
    facts: GgufFacts, answers: dict[str, Answer], architecture: Architecture
) -> None:
    with pytest.raises(MedllmError, match="differs from"):
        check_weights(facts, architecture, answers["base"])
