import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medllm.convert.safetensors_io import TensorInfo
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.weights.checks import (
    check_config_fits_tokenizer,
    check_generation_ids,
    check_tensors_fit_config,
    read_config,
)
from medllm.pipeline.weights.tokenizer import read_proto
from medllm.pipeline.weights.weight_files import check_weights

pytest_plugins = ("tests.small_model",)

LLAMA2 = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 32000,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "rope_scaling": None,
    "torch_dtype": "float16",
}


@pytest.fixture
def config_file(tmp_path: Path) -> Callable[..., Path]:
    def write(**changed: Any) -> Path:
        path = tmp_path / "config.json"
        fields = {k: v for k, v in (LLAMA2 | changed).items() if v != "absent"}
        path.write_text(json.dumps(fields))
        return path

    return write


@pytest.fixture(scope="module")
def proto(shared_data: Path) -> Any:
    return read_proto(shared_data / "llama2-tokenizer" / "tokenizer.model")


def test_llama2_fits_its_tokenizer(config_file: Callable[..., Path], proto: Any) -> None:
    for changed in ({}, {"eos_token_id": [2]}, {"pad_token_id": None}, {"pad_token_id": -1}):
        path = config_file(**changed)
        check_config_fits_tokenizer(path, read_config(path), proto)
    path = config_file(bos_token_id="absent", eos_token_id="absent")
    check_config_fits_tokenizer(path, read_config(path), proto)


def test_another_vocabulary_is_refused_with_every_value(
    config_file: Callable[..., Path], proto: Any
) -> None:
    path = config_file(vocab_size=32001, bos_token_id=0, eos_token_id=1, pad_token_id=32000)
    with pytest.raises(MedllmError) as caught:
        check_config_fits_tokenizer(path, read_config(path), proto)
    assert caught.value.what == (
        f"{path} does not fit its tokenizer.model: vocab_size is 32001, the tokenizer has 32000; "
        "bos_token_id is 0, the tokenizer's <s> is 1; eos_token_id is 1, the tokenizer's </s> is "
        "2; pad_token_id is 32000, the tokenizer's ids end at 31999."
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [("eos_token_id", [2, 32000]), ("eos_token_id", 0), ("unk_token_id", 3), ("pad_token_id", -2)],
)
def test_each_id_counts(
    config_file: Callable[..., Path], proto: Any, field: str, value: object
) -> None:
    path = config_file(**{field: value})
    with pytest.raises(MedllmError, match=field):
        check_config_fits_tokenizer(path, read_config(path), proto)


def test_generation_config_counts_too(tmp_path: Path, proto: Any) -> None:
    path = tmp_path / "generation_config.json"
    path.write_text('{"eos_token_id": 2, "temperature": 0.6}')
    check_generation_ids(path, proto)
    for wrong in ('{"eos_token_id": 128009}', '{"bos_token_id": "1"}', '{"eos_token_id": [2, 0]}'):
        path.write_text(wrong)
        with pytest.raises(MedllmError, match=r"generation_config\.json does not fit"):
            check_generation_ids(path, proto)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"model_type": "qwen2"}, "model_type is 'qwen2'"),
        ({"architectures": ["LlamaForSequenceClassification"]}, "LlamaForSequenceClassification"),
        ({"auto_map": {"AutoModel": "evil.Model"}}, "auto_map is"),
        ({"quantization_config": {"bits": 4}}, "quantization_config is"),
        ({"vocab_size": "absent"}, "vocab_size is missing"),
        ({"vocab_size": 0}, "vocab_size is 0"),
        ({"hidden_size": "4096"}, "hidden_size is '4096'"),
        ({"hidden_size": True}, "hidden_size is True"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000"),
        ({"hidden_size": 4097}, "not a multiple of num_attention_heads"),
        ({"num_key_value_heads": 5}, "not a multiple of num_key_value_heads"),
        ({"attention_bias": True}, "attention_bias is True"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
    ],
)
def test_configs_that_are_refused(
    config_file: Callable[..., Path], changed: dict[str, Any], words: str
) -> None:
    with pytest.raises(MedllmError) as caught:
        read_config(config_file(**changed))
    assert words in caught.value.what
    assert "\n" not in str(caught.value)


def test_a_config_that_is_no_object(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    with pytest.raises(MedllmError, match="No such file"):
        read_config(path)
    for content in (b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b"NaN"):
        path.write_bytes(content)
        with pytest.raises(MedllmError, match="is not a JSON object"):
            read_config(path)


def test_shapes_of_llama2_7b(config_file: Callable[..., Path]) -> None:
    shapes = read_config(config_file()).expected_shapes()
    assert len(shapes) == 291  # as in meta-llama/Llama-2-7b-hf's own index
    count = sum(s[0] * (s[1] if len(s) > 1 else 1) for s in shapes.values())
    assert count == 6_738_415_616


@pytest.mark.parametrize("settings", [{}, {"tie_word_embeddings": True}, {"head_dim": 64}])
def test_shapes_are_those_of_transformers(
    make_checkpoint: Callable[..., Path], settings: dict[str, Any]
) -> None:
    folder = make_checkpoint(**settings)
    _, tensors = check_weights(folder)
    config = read_config(folder / "config.json")
    check_tensors_fit_config(folder, tensors, config)
    assert {n: t.shape for n, t in tensors.items()} == config.expected_shapes()


def test_tensors_that_do_not_fit(checkpoint: Path) -> None:
    _, tensors = check_weights(checkpoint)
    config = read_config(checkpoint / "config.json")

    def refusal(changed: dict[str, TensorInfo]) -> str:
        with pytest.raises(MedllmError) as caught:
            check_tensors_fit_config(checkpoint, changed, config)
        return caught.value.what

    grown = TensorInfo("F16", (config.vocab_size + 1, config.hidden_size))
    embedding = "model.embed_tokens.weight"
    assert f"{embedding} has shape {grown.shape}" in refusal(tensors | {embedding: grown})
    assert "model.norm.bias is no tensor of a llama" in refusal(
        tensors | {"model.norm.bias": TensorInfo("F16", (256,))}
    )
    fewer = {name: info for name, info in tensors.items() if name != "lm_head.weight"}
    assert "lm_head.weight is missing (1 of 21 tensors are)" in refusal(fewer)
    buffer = {"model.layers.0.self_attn.rotary_emb.inv_freq": TensorInfo("F32", (16,))}
    check_tensors_fit_config(checkpoint, tensors | buffer, config)
