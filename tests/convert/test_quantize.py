import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from medllm.convert.gguf import convert_checkpoint
from medllm.convert.inspect_gguf import GgufFacts, check_gguf
from medllm.convert.quantize import check_quantized, quantize
from medllm.pipeline.config import ConvertConfig, QuantizeConfig, QuantType, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import Manifest
from medllm.pipeline.stages import INPUTS

pytest_plugins = ("tests.small_model", "tests.convert.fidelity.quant_run")
ALL: tuple[QuantType, ...] = get_args(QuantType)


@pytest.fixture(scope="module")
def paths(quant_run: RunPaths, tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    folder = tmp_path_factory.mktemp("all") / "run"
    shutil.copytree(quant_run.root, folder)
    return RunPaths(folder)


@pytest.fixture(scope="module")
def manifest(paths: RunPaths) -> Manifest:
    """Without importance matrix, so that the mix of types is the plain one."""
    return quantize(QuantizeConfig(seed=0, types=ALL, imatrix=False), paths)


@pytest.fixture(scope="module")
def folder(manifest: Manifest, paths: RunPaths) -> Path:
    return paths.stage("quantize")


def test_every_type_is_written_and_reported(manifest: Manifest, folder: Path) -> None:
    assert set(manifest.outputs) == {f"medllm-{kind.lower()}.gguf" for kind in ALL}
    sizes = [(folder / f"medllm-{kind.lower()}.gguf").stat().st_size for kind in ALL]
    assert sizes == sorted(sizes, reverse=True)
    for name, record in manifest.outputs.items():
        report: Any = manifest.report[name]
        assert report["bytes"] == record.bytes
        assert report["fallbacks"] == {}
        assert sum(report["tensor_types"].values()) == 21
        assert report["tensor_types"]["F32"] == 5
    q4: Any = manifest.report["medllm-q4_k_m.gguf"]
    assert 4.5 < q4["bits_per_weight"] < 6


@pytest.mark.parametrize(
    ("kind", "types"),
    [
        ("Q8_0", {"Q8_0": 16}),
        ("Q6_K", {"Q6_K": 16}),
        ("Q5_K_M", {"Q5_K": 13, "Q6_K": 3}),
        ("Q5_K_S", {"Q5_K": 15, "Q6_K": 1}),
        ("Q4_K_M", {"Q4_K": 13, "Q6_K": 3}),
        ("Q4_K_S", {"Q4_K": 13, "Q5_K": 2, "Q6_K": 1}),
        ("IQ4_XS", {"IQ4_XS": 13, "Q5_K": 2, "Q6_K": 1}),
        ("Q3_K_L", {"Q3_K": 9, "Q5_K": 6, "Q6_K": 1}),
        ("Q3_K_M", {"Q3_K": 9, "Q4_K": 4, "Q5_K": 2, "Q6_K": 1}),
        ("Q2_K", {"Q2_K": 9, "Q3_K": 4, "Q4_K": 2, "Q6_K": 1}),
    ],
)
def test_mix_of_a_model_with_four_heads_over_one(
    manifest: Manifest, kind: str, types: dict[str, int]
) -> None:
    report: Any = manifest.report[f"medllm-{kind.lower()}.gguf"]
    assert report["tensor_types"] == {"F32": 5, **types}


def test_a_quantized_model_still_predicts_alike(folder: Path, source: GgufFacts) -> None:
    import torch
    from llama_cpp import Llama

    from medllm.convert.llama_cpp import silence_native_logs

    silence_native_logs()
    ids = [1, *range(260, 300)]
    logits = {}
    for path in (source.path, folder / "medllm-q8_0.gguf", folder / "medllm-q3_k_m.gguf"):
        model = Llama(str(path), n_ctx=64, logits_all=True, verbose=False, n_threads=2)
        model.eval(ids)
        logits[path.name] = torch.tensor(model.scores[: len(ids)]).flatten()
        model.close()
    exact, q8, q3 = logits.values()
    assert 0 < (exact - q8).norm() / exact.norm() < 0.05
    assert (exact - q8).norm() < (exact - q3).norm() < exact.norm()


def test_types_of_the_config_only(copied: RunPaths) -> None:
    manifest = quantize(QuantizeConfig(seed=0, types=("Q6_K",)), copied)
    assert list(manifest.outputs) == ["medllm-q6_k.gguf"]


def test_rows_that_fill_no_block(
    make_checkpoint: Callable[..., Path],
    put_stage: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Rows of 192 fill blocks of 32, not of 256; rows of 200 fill neither."""
    folder = make_checkpoint(hidden_size=192, intermediate_size=200, num_hidden_layers=1)
    converted = tmp_path / "converted"
    converted.mkdir()
    convert_checkpoint(folder, converted / "medllm-f16.gguf", ConvertConfig(seed=0))
    paths = RunPaths(tmp_path / "run")
    (tmp_path / "rows").mkdir()
    for name in ("base", "prepare", "train", *({"merge"} & INPUTS.keys())):
        put_stage(name, paths, tmp_path / "rows")
    put_stage("convert", paths, converted)
    put_stage("imatrix", paths, tmp_path / "rows")
    config = QuantizeConfig(seed=0, types=("Q8_0", "Q4_K_M", "IQ4_XS"), imatrix=False)
    manifest = quantize(config, paths)
    q8: Any = manifest.report["medllm-q8_0.gguf"]
    assert q8["fallbacks"] == {"blk.0.ffn_down.weight": "F16, rows of 200"}
    q4: Any = manifest.report["medllm-q4_k_m.gguf"]
    assert len(q4["fallbacks"]) == 9
    assert q4["fallbacks"]["blk.0.attn_q.weight"] == "Q5_0, rows of 192"
    iq4: Any = manifest.report["medllm-iq4_xs.gguf"]
    assert iq4["fallbacks"]["blk.0.attn_q.weight"] == "IQ4_NL, rows of 192"
    message = capsys.readouterr().err
    assert "quantize: 9 tensors of medllm-q4_k_m.gguf are not Q4_K_M" in message


def refused(facts: GgufFacts, source: GgufFacts, kind: Any, words: str) -> None:
    with pytest.raises(MedllmError) as caught:
        check_quantized(facts, source, kind)
    assert words in str(caught.value)


def test_what_a_wrong_result_would_look_like(folder: Path, source: GgufFacts) -> None:
    facts = check_gguf(folder / "medllm-q4_k_m.gguf")
    check_quantized(facts, source, "Q4_K_M")
    refused(facts, source, "Q5_K_M", "general.file_type 15, not Q5_K_M")
    tensors = dict(facts.tensors)
    norm = tensors["output_norm.weight"]
    query = tensors["blk.1.attn_q.weight"]
    changed = {**tensors, "output_norm.weight": replace(norm, type=query.type)}
    refused(replace(facts, tensors=changed), source, "Q4_K_M", "stores output_norm.weight as Q4_K")
    full = {**tensors, "blk.1.attn_q.weight": replace(query, type=norm.type)}
    refused(replace(facts, tensors=full), source, "Q4_K_M", "stores blk.1.attn_q.weight as F32")
    del changed["blk.1.attn_q.weight"]
    refused(replace(facts, tensors=changed), source, "Q4_K_M", "blk.1.attn_q.weight of shape None")
    metadata = {**facts.metadata, "tokenizer.chat_template": "x"}
    refused(replace(facts, metadata=metadata), source, "Q4_K_M", "tokenizer.chat_template is not")
    metadata = {**facts.metadata, "general.extra": 1}
    refused(replace(facts, metadata=metadata), source, "Q4_K_M", "general.extra is not")


def test_a_source_cut_in_half(copied: RunPaths, tmp_path: Path, put_stage: Any) -> None:
    paths = copied
    half = tmp_path / "half"
    half.mkdir()
    whole = (paths.stage("convert") / "medllm-f16.gguf").read_bytes()
    (half / "medllm-f16.gguf").write_bytes(whole[: len(whole) // 2])
    put_stage("convert", paths, half)
    with pytest.raises(MedllmError, match=r"medllm-f16\.gguf is cut short.*bytes and has"):
        quantize(QuantizeConfig(seed=0), paths)
    assert not (paths.root / ".quantize.partial").exists()
