"""llama.cpp as `make setup` installs it: library, tools and converter, really run."""

import json
import math
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.convert import run_converter_script
from medllm.convert import llama_cpp as llama
from medllm.pipeline.errors import MedllmError

TOOLS: tuple[llama.ToolName, ...] = (
    "llama-quantize",
    "llama-imatrix",
    "llama-perplexity",
    "llama-bench",
)
HIDDEN, LAYERS, HEADS, FEED_FORWARD = 256, 2, 4, 512


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers with random weights and a SentencePiece tokenizer of its own."""
    import sentencepiece
    from safetensors.numpy import save_file

    folder = tmp_path_factory.mktemp("tiny")
    corpus = folder / "corpus.txt"
    corpus.write_text("the patient reports a mild cough and a sore throat since monday\n" * 50)
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus),
        model_prefix=str(folder / "tokenizer"),
        vocab_size=300,
        model_type="bpe",
        byte_fallback=True,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    vocabulary = sentencepiece.SentencePieceProcessor(
        model_file=str(folder / "tokenizer.model")
    ).vocab_size()
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "intermediate_size": FEED_FORWARD,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "vocab_size": vocabulary,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "tie_word_embeddings": False,
        "dtype": "float32",
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "LlamaTokenizer", "add_bos_token": True})
    )
    rng = np.random.default_rng(7)
    square, up, down = (HIDDEN, HIDDEN), (FEED_FORWARD, HIDDEN), (HIDDEN, FEED_FORWARD)
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (vocabulary, HIDDEN),
        "lm_head.weight": (vocabulary, HIDDEN),
        "model.norm.weight": (HIDDEN,),
    }
    for layer in range(LAYERS):
        block = f"model.layers.{layer}"
        shapes |= {f"{block}.self_attn.{p}_proj.weight": square for p in "qkvo"}
        shapes |= {f"{block}.mlp.{p}_proj.weight": up for p in ("gate", "up")}
        shapes[f"{block}.mlp.down_proj.weight"] = down
        for norm in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"{block}.{norm}.weight"] = (HIDDEN,)
    tensors = {
        name: np.ones(shape, np.float32)
        if len(shape) == 1
        else rng.normal(0, 0.05, shape).astype(np.float32)
        for name, shape in shapes.items()
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="session")
def gguf_f16(checkpoint: Path) -> Path:
    """The checkpoint through llama.cpp's converter."""
    outfile = checkpoint.parent / "tiny-f16.gguf"
    run_converter_script(checkpoint, outfile, "f16", name="Tiny")
    return outfile


def test_build_info_describes_the_pinned_source(root: Path) -> None:
    info = llama.build_info()
    recipe = (root / "scripts" / "llama_cpp_build.py").read_text()
    assert f'VERSION = "{info.llama_cpp_python}"' in recipe
    assert f'SDIST_SHA256 = "{info.source_sha256}"' in recipe
    assert f'LLAMA_CPP_COMMIT = "{info.commit}"' in recipe
    assert info.llama_cpp[0].isdigit()
    assert info.system_info.startswith("CPU : ")
    assert isinstance(info.gpu_offload, bool)


@pytest.mark.parametrize("name", TOOLS)
def test_tool_starts(name: llama.ToolName) -> None:
    path = llama.tool(name)
    assert path.stat().st_mode & stat.S_IXUSR
    done = subprocess.run([path, "--help"], capture_output=True, text=True)
    assert "usage" in (done.stdout + done.stderr).lower()


def test_tools_come_from_the_pinned_commit() -> None:
    assert llama.build_info().commit in llama.run_tool("llama-imatrix", ["--version"])


@pytest.mark.skipif(sys.platform != "linux", reason="reads ELF names")
def test_every_library_is_there_once() -> None:
    names = [path.name for path in (llama.tool("llama-bench").parents[1] / "lib").iterdir()]
    assert "libllama.so" in names
    assert all(name.endswith(".so") for name in names), names  # no libllama.so.0 beside it
    linked = subprocess.run(["ldd", llama.tool("llama-perplexity")], capture_output=True, text=True)
    if linked.returncode == 0:
        ours = [line for line in linked.stdout.splitlines() if "llama" in line or "ggml" in line]
        assert len(ours) >= 5
        assert all("/llama_cpp/bin/../lib/" in line or "/llama_cpp/lib/" in line for line in ours)


def test_tokenizer_matches_llama_cpps_own_cases() -> None:
    llama.silence_native_logs()
    from llama_cpp import Llama

    vocabulary = llama.vocab_cases()
    cases = Path(f"{vocabulary}.inp").read_text(encoding="utf-8")
    *texts, rest = cases.split("\n__ggml_vocab_test__\n")
    assert rest == ""
    lines = Path(f"{vocabulary}.out").read_text(encoding="utf-8").splitlines()
    assert len(texts) == len(lines) > 40
    model = Llama(str(vocabulary), vocab_only=True, verbose=False)
    for text, line in zip(texts, lines, strict=True):
        expected = [int(token) for token in line.split()]
        assert model.tokenize(text.encode(), add_bos=False, special=False) == expected, text


def test_native_messages_go_to_the_list_and_not_to_the_terminal(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    messages = llama.silence_native_logs()
    assert llama.silence_native_logs() is messages
    from llama_cpp import Llama

    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"no GGUF at all")
    messages.clear()
    with pytest.raises(ValueError, match="load model"):
        Llama(str(broken), verbose=False)
    Llama(str(llama.vocab_cases()), vocab_only=True, verbose=True)
    assert "magic" in "".join(messages)
    printed = capfd.readouterr()
    assert "llama_model_loader" not in printed.out + printed.err
    assert "llama_model_loader" in "".join(messages)


def test_another_llama_cpp_cannot_slip_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(tmp_path))
    llama.silence_native_logs.cache_clear()
    with pytest.raises(MedllmError, match="Unset it"):
        llama.silence_native_logs()


def test_converted_model_holds_the_checkpoints_weights(checkpoint: Path, gguf_f16: Path) -> None:
    from gguf import GGUFReader
    from safetensors.numpy import load_file

    reader = GGUFReader(gguf_f16)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    weights = load_file(checkpoint / "model.safetensors")
    assert len(tensors) == len(weights)
    for ours, theirs in (
        ("token_embd.weight", "model.embed_tokens.weight"),
        ("blk.1.ffn_down.weight", "model.layers.1.mlp.down_proj.weight"),
    ):
        np.testing.assert_array_equal(tensors[ours].data, weights[theirs].astype(np.float16))
    name: Any = reader.fields["general.name"]
    assert name.contents() == "Tiny"


def test_quantized_model_runs_and_predicts_like_its_source(gguf_f16: Path, tmp_path: Path) -> None:
    small = tmp_path / "tiny-q8_0.gguf"
    seen: list[str] = []
    output = llama.run_tool("llama-quantize", [gguf_f16, small, "Q8_0"], on_output=seen.append)
    assert "".join(seen) == output
    assert small.stat().st_size < 0.65 * gguf_f16.stat().st_size

    llama.silence_native_logs()
    from llama_cpp import Llama

    logits = []
    for path in (gguf_f16, small):
        model = Llama(str(path), n_ctx=64, logits_all=True, n_threads=2, verbose=False)
        tokens = model.tokenize(b"the patient reports a cough")
        model.eval(tokens)
        logits.append(np.array(model.scores[: len(tokens)]))
    assert math.isfinite(float(logits[0].sum()))
    assert logits[0].std() > 0.1
    assert 0 < float((logits[1] - logits[0]).std()) < 0.06 * float(logits[0].std())


def test_imatrix_k_quant_and_perplexity_run(gguf_f16: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("the patient reports a mild cough and a sore throat since monday\n" * 40)
    imatrix, small = tmp_path / "imatrix.gguf", tmp_path / "tiny-q4_k_m.gguf"
    common: list[str | Path] = ["-f", text, "-c", "64", "-b", "64", "-t", "2"]
    llama.run_tool("llama-imatrix", ["-m", gguf_f16, "-o", imatrix, *common])
    llama.run_tool("llama-quantize", ["--imatrix", imatrix, gguf_f16, small, "Q4_K_M"])
    output = llama.run_tool("llama-perplexity", ["-m", small, *common])
    found = re.search(r"Final estimate: PPL = ([\d.]+)", output)
    assert found is not None
    assert 1 < float(found[1]) < 1e5  # random weights: about the size of the vocabulary


def test_failing_tool_says_why(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"no GGUF at all")
    log = tmp_path / "quantize.log"
    with pytest.raises(
        MedllmError, match=r"llama-quantize failed with exit code 1: .*broken\.gguf"
    ):
        llama.run_tool("llama-quantize", [broken, tmp_path / "out.gguf", "Q8_0"], log=log)
    assert "failed to quantize" in log.read_text()


def test_killed_tool_is_not_a_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suicidal = tmp_path / "tool"
    suicidal.write_text(f"#!/bin/sh\necho halfway\nkill -{signal.SIGKILL.value} $$\n")
    suicidal.chmod(0o755)
    monkeypatch.setattr(llama, "tool", lambda name: suicidal)
    with pytest.raises(MedllmError, match="killed by SIGKILL: halfway") as error:
        llama.run_tool("llama-quantize", [])
    assert "\n" not in str(error.value)


def test_missing_part_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(llama, "_package", lambda: tmp_path)
    for find in (llama.converter, llama.gguf_py, llama.vocab_cases, llama.build_info):
        with pytest.raises(MedllmError, match="make setup"):
            find()
    with pytest.raises(MedllmError, match=r"bin/llama-quantize.*make setup"):
        llama.tool("llama-quantize")


def test_stray_variables_do_not_reach_llama_cpp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_ARG_CTX_SIZE", "64")
    monkeypatch.setenv("NO_LOCAL_GGUF", "1")
    show = tmp_path / "show"
    show.write_text("#!/bin/sh\nenv\n")
    show.chmod(0o755)
    monkeypatch.setattr(llama, "tool", lambda name: show)
    output = llama.run_tool("llama-bench", [], environment={"OMP_NUM_THREADS": "1"})
    assert "LLAMA_ARG" not in output
    assert "NO_LOCAL_GGUF" not in output
    assert "OMP_NUM_THREADS=1\n" in output
