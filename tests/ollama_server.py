"""A real Ollama server for tests, and a model small enough to load in a moment."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from medllm.pipeline.prompts import FORMATS


@pytest.fixture(scope="session")
def ollama_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server: one of our own, with its own store and home, or that of OLLAMA_HOST."""
    program = shutil.which("ollama")
    if program is None:
        set_by_user = os.environ.get("OLLAMA_HOST")
        if set_by_user:
            from medllm.pipeline.release.ollama_host import host_url

            url = host_url(set_by_user)
            if _answers(url):
                yield url
                return
        pytest.skip("no `ollama` on PATH and no server at OLLAMA_HOST")
    folder = tmp_path_factory.mktemp("ollama")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("OLLAMA_")},
        "HOME": str(folder),
        "OLLAMA_HOST": url,
        "OLLAMA_MODELS": str(folder / "models"),
        "OLLAMA_NO_CLOUD": "1",
    }
    log = folder / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "serve"],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its runners are its children and end with it
        )
    try:
        deadline = time.monotonic() + 60
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(
                    f"ollama serve did not start: {log.read_text(errors='replace')[-2000:]}"
                )
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def write_tiny_gguf(
    path: Path, seed: int = 0, jinja: str | None = None, says: int | None = None
) -> Path:
    """A Llama of random weights with one token a byte; another seed makes another file.

    ``jinja`` is its chat template, that of the format llama2 where none is given.

    With ``says`` it says that byte and nothing else: all hidden states point one way.
    """
    import gguf
    import numpy as np

    from medllm.convert.gguf import server_template

    hidden, heads, feed_forward, context = 256, 4, 256, 4096
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁"]
    kinds = [gguf.TokenType.UNKNOWN, *[gguf.TokenType.CONTROL] * 2]
    kinds += [gguf.TokenType.BYTE] * 256 + [gguf.TokenType.NORMAL]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(context)
    writer.add_embedding_length(hidden)
    writer.add_block_count(1)
    writer.add_feed_forward_length(feed_forward)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(hidden // heads)
    writer.add_vocab_size(len(pieces))
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(pieces)
    writer.add_token_scores([0.0] * len(pieces))
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    writer.add_chat_template(jinja or server_template(FORMATS["llama2"]))
    random = np.random.default_rng(seed)

    def weights(*shape: int) -> np.ndarray:
        return (0.02 * random.standard_normal(shape)).astype(np.float16)

    embedding, output = weights(len(pieces), hidden), weights(len(pieces), hidden)
    if says is not None:
        embedding[:, 0] = 8
        output[3 + says, 0] = 8
    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output.weight", output)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(hidden, np.float32))
    for name in ("q", "k", "v", "output"):
        writer.add_tensor(f"blk.0.attn_{name}.weight", weights(hidden, hidden))
    for name in ("gate", "up"):
        writer.add_tensor(f"blk.0.ffn_{name}.weight", weights(feed_forward, hidden))
    writer.add_tensor("blk.0.ffn_down.weight", weights(hidden, feed_forward))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/version", timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False
