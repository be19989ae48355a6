from dataclasses import replace
from pathlib import Path

import pytest

from medllm.convert.checkpoint import MergedCheckpoint
from medllm.convert.inspect_gguf import GgufFacts, check_gguf
from medllm.convert.verify import check_header, check_weights, rope_theta
from medllm.pipeline.config import RunPaths
from medllm.pipeline.errors import MedllmError

pytest_plugins = ("tests.small_model",)


@pytest.fixture(scope="module")
def facts(converted_run: RunPaths) -> GgufFacts:
    return check_gguf(converted_run.stage("convert") / "medllm-f16.gguf")


@pytest.fixture(scope="module")
def merged(converted_run: RunPaths) -> MergedCheckpoint:
    return MergedCheckpoint(converted_run.stage("merge"))


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
def test_rope_theta(config: dict[str, object], theta: float) -> None:
    assert rope_theta(config) == theta


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
    facts: GgufFacts, merged: MergedCheckpoint, key: str, value: object
) -> None:
    check_header(facts, merged, "F16")
    changed = {**facts.metadata, key: value}
    with pytest.raises(MedllmError, match=f"{key} = {value}".replace("+", r"\+")):
        check_header(replace(facts, metadata=changed), merged, "F16")  # type: ignore[arg-type]


def test_one_tensor_off(facts: GgufFacts, merged: MergedCheckpoint) -> None:
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
            check_header(replace(facts, tensors=tensors), merged, "F16")


@pytest.mark.parametrize("name", ["blk.1.attn_q.weight", "blk.0.ffn_norm.weight", "output.weight"])
def test_one_bit_off(facts: GgufFacts, merged: MergedCheckpoint, tmp_path: Path, name: str) -> None:
    assert check_weights(facts, merged) == 0
    raw = bytearray(facts.path.read_bytes())
    raw[facts.tensors[name].offset + facts.tensors[name].nbytes // 2] ^= 1
    path = tmp_path / "x.gguf"
    path.write_bytes(raw)
    with pytest.raises(MedllmError, match=f"{name} differs from"):
        check_weights(check_gguf(path), merged)


def test_the_base_is_not_the_merged_model(facts: GgufFacts, converted_run: RunPaths) -> None:
    with pytest.raises(MedllmError, match="differs from"):
        check_weights(facts, MergedCheckpoint(converted_run.stage("base")))
