import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medllm.convert.gguf import convert_checkpoint
from medllm.convert.inspect_gguf import GgufFacts, check_gguf
from medllm.convert.quantize import check_quantized, quantize
from medllm.pipeline.config import ConvertConfig, QuantizeConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import Manifest

pytest_plugins = ("tests.small_model",)
ALL = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_K_S", "Q3_K_M")


@pytest.fixture(scope="module")
def manifest(converted_run: RunPaths) -> Manifest:
    return quantize(QuantizeConfig(seed=0, types=ALL), converted_run)


@pytest.fixture(scope="module")
def folder(manifest: Manifest, converted_run: RunPaths) -> Path:
    return converted_run.stage("quantize")


@pytest.fixture(scope="module")
def source(converted_run: RunPaths) -> GgufFacts:
    return check_gguf(converted_run.stage("convert") / "medllm-f16.gguf")


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
    assert q4["tensor_types"] == {"F32": 5, "Q4_K": 13, "Q6_K": 3}
    assert 4.5 < q4["bits_per_weight"] < 6


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


def test_types_of_the_config_only(converted_run: RunPaths, tmp_path: Path) -> None:
    shutil.copytree(converted_run.root, tmp_path / "run")
    paths = RunPaths(tmp_path / "run")
    manifest = quantize(QuantizeConfig(seed=0, types=("Q6_K",)), paths)
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
    for name in ("base", "prepare", "train", "merge"):
        put_stage(name, paths, tmp_path / "rows")
    put_stage("convert", paths, converted)
    manifest = quantize(QuantizeConfig(seed=0, types=("Q8_0", "Q4_K_M")), paths)
    q8: Any = manifest.report["medllm-q8_0.gguf"]
    assert q8["fallbacks"] == {"blk.0.ffn_down.weight": "F16, rows of 200"}
    q4: Any = manifest.report["medllm-q4_k_m.gguf"]
    assert len(q4["fallbacks"]) == 9
    assert q4["fallbacks"]["blk.0.attn_q.weight"] == "Q5_0, rows of 192"
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


def test_a_source_cut_in_half(converted_run: RunPaths, tmp_path: Path, put_stage: Any) -> None:
    shutil.copytree(converted_run.root, tmp_path / "run")
    paths = RunPaths(tmp_path / "run")
    half = tmp_path / "half"
    half.mkdir()
    whole = (paths.stage("convert") / "medllm-f16.gguf").read_bytes()
    (half / "medllm-f16.gguf").write_bytes(whole[: len(whole) // 2])
    put_stage("convert", paths, half)
    with pytest.raises(MedllmError, match=r"medllm-f16\.gguf is cut short.*bytes and has"):
        quantize(QuantizeConfig(seed=0), paths)
    assert not (paths.root / ".quantize.partial").exists()
