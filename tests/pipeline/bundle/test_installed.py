"""verify-installed against a real server's own files."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from medllm.pipeline.bundle.exposure import exposed_addresses
from medllm.pipeline.bundle.installed import show_installed, verify_installed
from medllm.pipeline.bundle.store import models_folder, read_model
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file
from tests.finished_run import GGUF
from tests.pipeline.bundle.conftest import NAME, Made
from tests.pipeline.provenance.test_identity import rewritten


@pytest.fixture(scope="module")
def server_models(made: Made, ollama_server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models of our own server, with the bundle installed by its script."""
    if shutil.which("ollama") is None:
        pytest.skip("no `ollama` on PATH")
    (folder,) = tmp_path_factory.getbasetemp().glob("ollama[0-9]*/models")
    subprocess.run(
        ["sh", made.whole / "install.sh", "--yes"],
        env={**os.environ, "OLLAMA_HOST": ollama_server, "HOME": str(folder.parent)},
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture
def alone(server_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the server's folder, to spoil; no server is there to ask."""
    copy = shutil.copytree(server_models, tmp_path / "models")
    monkeypatch.setenv("OLLAMA_MODELS", str(copy))
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    monkeypatch.setattr("medllm.pipeline.bundle.installed.find_server", lambda: None)
    return copy


def replace_layer(models: Path, kind: str, content: bytes | Path | None) -> None:
    """Put another blob in a model, as `ollama create` would have; None takes the layer out."""
    path = models / "manifests" / "registry.ollama.ai" / "library" / NAME / "latest"
    manifest: dict[str, Any] = json.loads(path.read_bytes())
    layers = [one for one in manifest["layers"] if not one["mediaType"].endswith(f".{kind}")]
    if content is not None:
        scratch = models / "scratch"
        scratch.write_bytes(content.read_bytes() if isinstance(content, Path) else content)
        digest, size = sha256_file(scratch), scratch.stat().st_size
        scratch.rename(models / "blobs" / f"sha256-{digest}")
        new = {"digest": f"sha256:{digest}", "size": size}
        if kind == "config":
            manifest["config"] |= new
        else:
            layers.append({"mediaType": f"application/vnd.ollama.image.{kind}", **new})
    manifest["layers"] = layers
    path.write_text(json.dumps(manifest), encoding="utf-8")


def test_what_the_script_installed_is_the_release(
    server_models: Path,
    made: Made,
    ollama_server: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OLLAMA_MODELS", str(server_models))
    monkeypatch.setenv("OLLAMA_HOST", ollama_server)
    found = verify_installed(NAME, made.whole, made.public)
    assert found.served
    assert found.exposed == ()
    # Ollama lays this GGUF out anew: its digest alone would prove nothing.
    assert not found.same_file
    show_installed(NAME, made.parts)
    said = capsys.readouterr()
    assert "is the release" in said.out
    assert "laid out anew by Ollama, all weights the same" in said.out
    assert "the running server has this very model" in said.out
    assert "compare a fingerprint" in said.out
    assert said.err == ""


def test_the_very_file_is_known_by_its_digest(alone: Path, made: Made) -> None:
    replace_layer(alone, "model", made.whole / GGUF)
    found = verify_installed(NAME, made.whole)
    assert found.same_file
    assert not found.served


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("template", b"{{ .Prompt }}", "another template"),
        ("template", None, "another template"),
        ("system", b"Prescribe freely.", "another system"),
        ("params", b'{"temperature":1.9}', "another params"),
        ("params", b"no JSON", "another params"),
        ("license", b"Do as you like.", "another license"),
        ("messages", b'[{"role":"user","content":"Hi"}]', "another messages"),
        ("adapter", b"adapter", "has a layer adapter"),
        ("projector", b"projector", "has a layer projector"),
        ("config", b'{"renderer":"other"}', "has a renderer of its own"),
        ("model", None, "has 0 GGUFs"),
        ("model", b"no GGUF", "not a sound GGUF"),
        ("system", b"\xff", "its system is no text"),
    ],
)
def test_what_differs_is_named(
    alone: Path, made: Made, kind: str, content: bytes | None, message: str
) -> None:
    replace_layer(alone, kind, content)
    with pytest.raises(MedllmError, match=message):
        verify_installed(NAME, made.whole)


def test_other_weights_and_another_tokenizer_are_seen(
    alone: Path, made: Made, tmp_path: Path
) -> None:
    content = bytearray((made.whole / GGUF).read_bytes())
    content[-1000] ^= 1
    replace_layer(alone, "model", bytes(content))
    with pytest.raises(MedllmError, match="other weights than the release"):
        verify_installed(NAME, made.whole)
    other = rewritten(made.whole / GGUF, tmp_path / "o.gguf", tokenizer_ggml_eos_token_id=5)
    replace_layer(alone, "model", other)
    with pytest.raises(MedllmError, match="another tokenizer or other settings"):
        verify_installed(NAME, made.whole)


def test_a_damaged_blob_is_seen(alone: Path, made: Made) -> None:
    (layer,) = read_model(NAME, alone).layers("model")
    blob = alone / "blobs" / layer.digest.replace(":", "-")
    content = bytearray(blob.read_bytes())
    content[len(content) // 2] ^= 1
    blob.write_bytes(content)
    with pytest.raises(MedllmError, match=r"is damaged: .*sha256-"):
        verify_installed(NAME, made.whole)


def test_a_server_with_another_store_is_noticed(
    alone: Path, made: Made, ollama_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medllm.pipeline.release.finding import find_server

    monkeypatch.setattr("medllm.pipeline.bundle.installed.find_server", find_server)
    monkeypatch.setenv("OLLAMA_HOST", ollama_server)
    manifest = alone / "manifests" / "registry.ollama.ai" / "library" / NAME / "latest"
    manifest.write_text(manifest.read_text() + " ", encoding="utf-8")
    with pytest.raises(MedllmError, match="has another medllm-test-bundle:latest than"):
        verify_installed(NAME, made.whole)


@pytest.mark.parametrize("name", ["nothing", f"{NAME}:none", "../x", "a/b/c/d", "", "x:y/z"])
def test_names_that_are_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(MedllmError, match=r"There is no model|is no name"):
        read_model(name, tmp_path)


def test_the_folder_is_ollamas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_MODELS", f' "{tmp_path}" ')
    assert models_folder() == tmp_path
    monkeypatch.delenv("OLLAMA_MODELS")
    monkeypatch.setenv("HOME", "/home/x")
    assert models_folder() == Path("/home/x/.ollama/models")


@pytest.fixture
def listening() -> Iterator[Callable[[str], int]]:
    """Open a port at an address, for as long as the test runs."""
    open_: list[socket.socket] = []

    def listen(address: str) -> int:
        server = socket.socket()
        open_.append(server)
        server.bind((address, 0))
        server.listen()
        return int(server.getsockname()[1])

    yield listen
    for one in open_:
        one.close()


@pytest.mark.skipif(not Path("/proc/net/tcp").is_file(), reason="the kernel's table is Linux's")
def test_loopback_is_not_exposed(
    listening: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = listening("127.0.0.1")
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{port}")
    assert exposed_addresses() == []


def test_the_kernels_table_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines as Linux writes them on a little-endian machine: 11434 is 2CAA."""
    head = "  sl  local_address rem_address   st\n"
    lines = [
        "   0: 0100007F:2CAA 00000000:0000 0A 0",
        "   1: 00000000:2CAA 00000000:0000 0A 0",
        "   2: 0500A8C0:2CAA 00000000:0000 01 0",  # a connection, not a listener
        "   3: 0600A8C0:2CAB 00000000:0000 0A 0",  # another port
    ]
    (tmp_path / "tcp").write_text(head + "\n".join(lines) + "\n", encoding="ascii")
    six = ["   0: 00000000000000000000000001000000:2CAA 0:0 0A 0"]
    six += ["   1: 00000000000000000000000000000000:2CAA 0:0 0A 0"]
    (tmp_path / "tcp6").write_text(head + "\n".join(six) + "\n", encoding="ascii")
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    assert exposed_addresses(tmp_path) == ["0.0.0.0", "::"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("127.0.0.1:9", []),
        ("http://localhost:9", []),
        ("::1", []),
        ("[::1]:9", []),
        ("0.0.0.0", ["0.0.0.0"]),
        ("::", ["::"]),
        ("[::]:9", ["::"]),
        ("192.0.2.7:9", ["192.0.2.7"]),
    ],
)
def test_without_a_table_ollama_host_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, expected: list[str]
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", value)
    assert exposed_addresses(tmp_path) == expected
