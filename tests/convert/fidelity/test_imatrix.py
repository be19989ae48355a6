from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medllm.convert.fidelity.dialogues import Vocabulary, draw
from medllm.convert.imatrix import imatrix, read_imatrix
from medllm.convert.inspect_gguf import GgufFacts, check_gguf
from medllm.convert.llama_cpp import run_tool
from medllm.convert.quantize import make_quant, quantize
from medllm.pipeline.config import ImatrixConfig, QuantizeConfig, RunPaths
from medllm.pipeline.data.schema import read_dialogues
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import read_manifest
from medllm.pipeline.prompts import Message
from tests.convert.fidelity.made import TYPED, dialogue

pytest_plugins = ("tests.small_model", "tests.convert.fidelity.quant_run")


def test_all_of_a_small_corpus_and_its_provenance(quant_run: RunPaths, source: GgufFacts) -> None:
    report: Any = read_manifest(quant_run.stage("imatrix")).report
    assert report["chunk_tokens"] == 256  # the model's whole context
    assert report["dialogues"] == 60  # made-3 counts once, the one with </s> not at all
    assert report["dialogues_available"] == 61
    assert report["dialogues_left_out"] == 1
    assert report["sources"] == {"made": 60}
    with Vocabulary(source.path, "llama2") as vocabulary:
        tokens = sum(
            len(vocabulary.encode(each.messages))
            for each in list(read_dialogues(quant_run.stage("prepare") / "train.jsonl"))[:60]
        )
    assert report["chunks"] == tokens // 256


def test_entries_are_the_activations_of_the_model(quant_run: RunPaths, source: GgufFacts) -> None:
    sha256 = read_manifest(quant_run.stage("convert")).outputs["medllm-f16.gguf"].sha256
    matrix = read_imatrix(quant_run.stage("imatrix") / "imatrix.gguf", source, sha256)
    assert len(matrix.entries) == 14  # seven matrices in each of two layers
    # What enters the attention is normalised: with gain 1 and embeddings of variance 0.02² its
    # squares average to 0.02² / (0.02² + 1e-5), the epsilon of the norm.
    tokens = matrix.chunks * 256
    mean = float(matrix.entries["blk.0.attn_q.weight"].sum()) / tokens / 256
    assert mean == pytest.approx(0.9756, abs=0.01)
    assert np.array_equal(
        matrix.entries["blk.1.attn_q.weight"], matrix.entries["blk.1.attn_v.weight"]
    )


def test_a_typed_control_token_is_no_control_token(source: GgufFacts) -> None:
    typed = [Message(role="user", content=TYPED), Message(role="assistant", content="Rest.")]
    plain = [Message(role="user", content="Hello."), Message(role="assistant", content="Rest.")]
    with Vocabulary(source.path, "llama2") as vocabulary:
        ids = vocabulary.encode(typed)
        assert (ids.count(1), ids.count(2), ids[0], ids[-1]) == (1, 1, 1, 2)
        assert not vocabulary.survives_writing(typed)
        assert vocabulary.survives_writing(plain)


def test_the_choice_follows_the_seed_and_not_the_order(quant_run: RunPaths, tmp_path: Path) -> None:
    lines = [dialogue(n) for n in range(30)]
    (tmp_path / "a.jsonl").write_text("".join(lines))
    (tmp_path / "b.jsonl").write_text("".join(reversed(lines)))
    with Vocabulary(quant_run.stage("convert") / "medllm-f16.gguf", "llama2") as vocabulary:
        first, same, other = (
            [each.id for each in draw(tmp_path / name, vocabulary, 500, seed).dialogues]
            for name, seed in (("a.jsonl", 1), ("b.jsonl", 1), ("a.jsonl", 2))
        )
    assert first == same != other
    assert 1 < len(first) < 30


def test_too_little_training_text(make_run: Callable[..., RunPaths]) -> None:
    with pytest.raises(MedllmError, match=r"dialogues hold \d+ tokens; .* at least 512"):
        imatrix(ImatrixConfig(seed=1), make_run(dialogue(1), ""))
    with pytest.raises(MedllmError, match=r"train\.jsonl holds no dialogue"):
        imatrix(ImatrixConfig(seed=1), make_run("", ""))


def test_quants_name_the_matrix_they_were_made_with(quant_run: RunPaths) -> None:
    folder = quant_run.stage("quantize")
    metadata = check_gguf(folder / "medllm-q4_k_m.gguf").metadata
    report: Any = read_manifest(quant_run.stage("imatrix")).report
    assert metadata["quantize.imatrix.dataset"] == report["dataset"]
    assert metadata["quantize.imatrix.chunks_count"] == report["chunks"]
    assert metadata["quantize.imatrix.entries_count"] == 14
    assert not Path(str(metadata["quantize.imatrix.file"])).is_absolute()
    q8 = check_gguf(folder / "medllm-q8_0.gguf").metadata
    assert not [key for key in q8 if key.startswith("quantize.imatrix")]


def test_a_matrix_changes_the_rounding_of_q4_and_not_of_q8(
    quant_run: RunPaths, source: GgufFacts, tmp_path: Path
) -> None:
    plain = tmp_path / "q4.gguf"
    make_quant(source, plain, "Q4_K_M", None)
    weighed = quant_run.stage("quantize") / "medllm-q4_k_m.gguf"
    assert _blocks(plain, "blk.0.attn_q.weight") != _blocks(weighed, "blk.0.attn_q.weight")
    assert _blocks(plain, "token_embd.weight") == _blocks(weighed, "token_embd.weight")
    forced = tmp_path / "q8.gguf"
    matrix = quant_run.stage("imatrix") / "imatrix.gguf"
    run_tool("llama-quantize", ["--imatrix", matrix, source.path, forced, "Q8_0"])
    ours = quant_run.stage("quantize") / "medllm-q8_0.gguf"
    assert all(_blocks(forced, name) == _blocks(ours, name) for name in source.tensors)


def test_none_when_the_config_says_none(copied: RunPaths) -> None:
    manifest = quantize(QuantizeConfig(seed=1, types=("Q4_K_M",), imatrix=False), copied)
    report: Any = manifest.report["medllm-q4_k_m.gguf"]
    assert report["imatrix"] is False


def test_a_matrix_of_another_model_is_refused(
    copied: RunPaths, source: GgufFacts, make_checkpoint: Any, tmp_path: Path
) -> None:
    path = copied.stage("imatrix") / "imatrix.gguf"
    with pytest.raises(MedllmError, match="was computed for another model"):
        read_imatrix(path, source, "0" * 64)
    sha256 = read_manifest(copied.stage("convert")).outputs["medllm-f16.gguf"].sha256
    fewer = {n: t for n, t in source.tensors.items() if "blk.1.ffn_up" not in n}
    smaller = GgufFacts(source.path, 3, source.metadata, fewer, source.nbytes)
    with pytest.raises(MedllmError, match=r"holds blk\.1\.ffn_up\.weight\.\w+: it is not for"):
        read_imatrix(path, smaller, sha256)


def test_a_sum_that_is_not_finite_is_refused(copied: RunPaths, source: GgufFacts) -> None:
    path = copied.stage("imatrix") / "imatrix.gguf"
    sha256 = read_manifest(copied.stage("convert")).outputs["medllm-f16.gguf"].sha256
    at = check_gguf(path).tensors["blk.0.attn_q.weight.in_sum2"].offset
    with path.open("r+b") as file:
        file.seek(at)
        file.write(np.float32("nan").tobytes())
    with pytest.raises(MedllmError, match=r"sums for blk\.0\.attn_q\.weight that cannot be"):
        read_imatrix(path, source, sha256)
    with pytest.raises(MedllmError, match="is not the file that stage imatrix wrote"):
        quantize(QuantizeConfig(seed=1, types=("Q6_K",)), copied)


def _blocks(path: Path, name: str) -> bytes:
    tensor = check_gguf(path).tensors[name]
    with path.open("rb") as file:
        file.seek(tensor.offset)
        return file.read(tensor.nbytes)
