"""Each measuring part against llama.cpp itself."""

import math
import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medllm.convert.fidelity import perplexity, speed
from medllm.convert.fidelity.base_logits import BaseLogits, base_bytes, write_base
from medllm.convert.fidelity.dialogues import Vocabulary, draw, load
from medllm.convert.fidelity.memory import expected_memory
from medllm.convert.inspect_gguf import GgufFacts
from medllm.convert.llama_cpp import run_tool, silence_native_logs
from medllm.pipeline.config import RunPaths
from medllm.pipeline.errors import MedllmError

pytest_plugins = ("tests.small_model", "tests.convert.fidelity.quant_run")
CHUNK = 256
OUTPUT = """\
0.00.037.953 I kl_divergence: computing over 3 chunks, n_ctx=256, batch_size=256, n_seq=1
chunk PPL ln(PPL(Q)/PPL(base)) KL Divergence
   1     576.4775 ±  266.8020       0.00114 ±    0.03204
====== Perplexity statistics ======
Mean PPL(Q)                   : 372.634111 ±  22.904425
Mean PPL(base)                : 336.709734 ±  19.855492
Mean ln(PPL(Q)/PPL(base))     :   0.101376 ±   0.007760
====== KL divergence statistics ======
Mean    KLD:   0.017915 ±   0.000466
Maximum KLD:   0.964604
99.9%   KLD:   0.520153
99.0%   KLD:   0.182251
====== Token probability statistics ======
Mean    Δp: -0.124 ± 0.021 %
Same top p: 93.337 ± 0.274 %
"""
BASE = BaseLogits(Path("base.kld"), 3, CHUNK, 5.8, 0)


@pytest.fixture(scope="module")
def ids(quant_run: RunPaths, source: GgufFacts) -> list[int]:
    with Vocabulary(source.path, "llama2") as vocabulary:
        drawn = draw(quant_run.stage("prepare") / "test.jsonl", vocabulary, 10**6, 1)
    return [token for each in drawn.ids for token in each]


def test_the_file_is_the_one_that_llama_perplexity_writes(
    source: GgufFacts, tmp_path: Path
) -> None:
    """Same text without control tokens, written by both: header, ids and rows agree."""
    text = tmp_path / "text.txt"
    text.write_text("For two days I have had a dry cough and a headache, worse at night. " * 40)
    theirs, ours = tmp_path / "theirs.kld", tmp_path / "ours.kld"
    size = ["-c", str(CHUNK), "-b", str(CHUNK), "-ub", str(CHUNK), "-t", "1", "-fa", "off"]
    run_tool(
        "llama-perplexity", ["-m", source.path, "-f", text, "--kl-divergence-base", theirs, *size]
    )
    model = load(source.path, vocab_only=True)
    tokens = model.tokenize(text.read_bytes(), add_bos=True, special=False)
    vocabulary = model.n_vocab()
    model.close()
    base = write_base(source, tokens, CHUNK, ours)
    assert base.chunks == len(tokens) // CHUNK >= 2
    one, other = theirs.read_bytes(), ours.read_bytes()
    assert len(one) == len(other) == base_bytes(base.chunks, CHUNK, vocabulary)
    head = 20 + base.chunks * CHUNK * 4
    assert one[:head] == other[:head]
    width = 2 * ((vocabulary + 1) // 2) + 4
    rows = [np.frombuffer(raw[head:], "<u2").reshape(base.scored, width) for raw in (one, other)]
    scales = [each[:, :4].copy().view("<f4") for each in rows]
    assert np.allclose(scales[0], scales[1], rtol=1e-4, atol=1e-5)
    logs = [
        each[:, 4 : 4 + vocabulary] * scale[:, :1] + scale[:, 1:]
        for each, scale in zip(rows, scales, strict=True)
    ]
    assert np.abs(logs[0] - logs[1]).max() < 1e-3
    assert np.exp(logs[1]).sum(axis=1) == pytest.approx(np.ones(base.scored), abs=1e-3)


def test_improbable_tokens_are_raised_to_the_floor_and_counted(tmp_path: Path) -> None:
    from medllm.convert.fidelity.base_logits import _write_rows

    logits = np.array([[0.0, 20.0, 1.0], [0.0, 0.0, 0.0]], np.float32)
    with (tmp_path / "rows").open("wb") as file:
        nats, floored = _write_rows(file, logits, np.array([0, 2], np.int32))
    assert floored == 1
    assert nats == pytest.approx(20.0 + math.log(3), abs=1e-6)
    raw = (tmp_path / "rows").read_bytes()
    assert len(raw) == 2 * (4 + 4) * 2
    scale, lowest, *steps = struct.unpack("<2f4H", raw[:16])
    assert (steps[0], steps[1]) == (0, 65535)
    assert lowest == pytest.approx(-16.0, abs=1e-5)
    assert lowest + scale * steps[1] == pytest.approx(0.0, abs=1e-5)
    assert struct.unpack("<2f4H", raw[16:])[2:] == (0, 0, 0, 0)  # all alike: scale 0


def test_a_model_does_not_diverge_from_itself(
    source: GgufFacts, ids: list[int], tmp_path: Path
) -> None:
    base = write_base(source, ids, CHUNK, tmp_path / "base.kld")
    found = perplexity.measure(source, base)
    assert abs(found.mean_kld.value) < 1e-5
    assert found.same_top.value > 0.99
    assert math.log(found.perplexity.value) == pytest.approx(base.nats, abs=1e-4)


def test_the_report_is_read() -> None:
    found = perplexity.parse(OUTPUT, BASE)
    assert found.mean_kld.value == 0.017915
    assert found.mean_kld.error == 0.000466
    assert (found.kld_99, found.max_kld) == (0.182251, 0.964604)
    assert found.same_top.value == pytest.approx(0.93337)
    assert found.perplexity.value == 372.634111


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("Mean    KLD:   0.017915", "Mean    KLD:        nan", "mean kld"),
        ("Maximum KLD:", "Max KLD:", "max kld"),
        ("over 3 chunks", "over 2 chunks", "computing over 3 chunks of 256"),
        ("Same top p: 93.337", "Same top p: 193.337", "figures that can be"),
        ("372.634111", "0.634111", "figures that can be"),
        ("0.007760", "-nan", "log ratio"),
        ("Same top p: 93.337 ± 0.274 %\n", "", "same top"),
    ],
)
def test_a_report_of_another_kind_is_an_error(old: str, new: str, what: str) -> None:
    assert old in OUTPUT
    with pytest.raises(MedllmError, match=re.escape(f"does not say {what}")):
        perplexity.parse(OUTPUT.replace(old, new), BASE)
    with pytest.raises(MedllmError, match="does not say"):
        perplexity.parse(OUTPUT + OUTPUT, BASE)


def test_equal_models_have_no_error_of_their_ratio() -> None:
    same = OUTPUT.replace("0.007760", "-nan").replace("0.017915", "0.000001")
    assert perplexity.parse(same, BASE).log_ratio_error == 0


def test_llama_perplexity_that_fails(source: GgufFacts, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(source.path.read_bytes()[:5000])
    with pytest.raises(MedllmError, match="llama-perplexity failed with exit code 1"):
        perplexity.measure(replace(source, path=broken), BASE)


def test_a_lost_end_is_asked_for_again(source: GgufFacts, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = OUTPUT.partition("====== KL")[0]
    answers = [cut, cut, OUTPUT]
    monkeypatch.setattr(perplexity, "run_tool", lambda *_, **__: answers.pop(0))
    assert perplexity.measure(source, BASE).mean_kld.value == 0.017915
    answers = [cut] * 20
    with pytest.raises(MedllmError, match="does not say mean kld"):
        perplexity.measure(source, BASE)
    assert len(answers) == 12


@pytest.mark.parametrize("context", [512, 2048, 4096])
def test_memory_is_what_llama_cpp_allocates(source: GgufFacts, context: int) -> None:
    """The logged sizes: cache to the byte, compute buffer a little under the estimate."""
    messages = silence_native_logs()
    from llama_cpp import Llama

    messages.clear()
    model = Llama(
        str(source.path),
        n_ctx=context,
        n_batch=512,
        n_ubatch=512,
        n_threads=1,
        flash_attn=False,
        verbose=False,
    )
    model.close()
    logged = {
        name: float(size)
        for name, size in re.findall(r"(KV|compute) buffer size = +([\d.]+) MiB", "".join(messages))
    }
    expected = expected_memory(source, context)
    assert expected.kv_cache / 2**20 == pytest.approx(logged["KV"], abs=0.006)
    assert 1.0 <= expected.compute / 2**20 / logged["compute"] < 1.35
    assert expected.weights < source.nbytes


def test_memory_of_llama_2_7b() -> None:
    """0.5 MiB of cache a token without grouped queries; llama.cpp logs 296 MiB of compute."""
    metadata: dict[str, Any] = {
        "general.architecture": "llama",
        "llama.block_count": 32,
        "llama.embedding_length": 4096,
        "llama.attention.head_count": 32,
        "tokenizer.ggml.tokens": ("x",) * 32000,
    }
    facts = GgufFacts(Path("7b.gguf"), 3, metadata, {}, 0)
    memory = expected_memory(facts, 4096)
    assert memory.kv_cache == 2 * 2**30
    assert 296 <= memory.compute / 2**20 < 340
    grouped = {**metadata, "llama.attention.head_count_kv": 8}
    assert expected_memory(replace(facts, metadata=grouped), 4096).kv_cache == 2**29
    with pytest.raises(MedllmError, match=r"llama\.block_count as None"):
        expected_memory(replace(facts, metadata={"general.architecture": "llama"}), 4096)


def test_speed_is_the_median_of_all_runs(source: GgufFacts) -> None:
    found = speed.measure_speed(source)
    assert found.threads == 1
    assert found.prompt > found.generation > 0
    assert found.processor


def test_a_bench_report_of_another_kind_is_an_error() -> None:
    line = (
        '{"n_prompt": %d, "n_gen": %d, "n_threads": 2, "cpu_info": "c", "gpu_info": "", '
        '"samples_ts": [5, 1, 3, 2, 4]}\n'
    )
    both = line % (128, 0) + line % (0, 32)
    assert speed.parse("a warning\n" + both).generation == 3
    for broken in ("", both.replace("32", "33", 1), both.replace("[5,", "[0,"), both[:-9]):
        with pytest.raises(MedllmError, match="llama-bench's report is not understood"):
            speed.parse(broken)


def test_token_ids_are_those_of_training(
    ids: list[int], quant_run: RunPaths, tokenizer_folder: Path, source: GgufFacts
) -> None:
    from transformers import PreTrainedTokenizerFast

    from medllm.pipeline.data.schema import read_dialogues
    from medllm.pipeline.prompts import FORMATS

    tokenizer = PreTrainedTokenizerFast.from_pretrained(tokenizer_folder)
    dialogues = list(read_dialogues(quant_run.stage("prepare") / "train.jsonl"))
    with Vocabulary(source.path, "llama2") as vocabulary:
        for each in dialogues:
            trained = FORMATS["llama2"].encode(tokenizer, each.messages).input_ids
            assert vocabulary.encode(each.messages) == trained
    assert ids.count(1) == ids.count(2) == 40
