import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medllm.pipeline.config import CreateConfig, ModelfileConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file
from medllm.pipeline.manifest import read_manifest
from medllm.pipeline.prompts import FORMATS, PromptFormat
from medllm.pipeline.release.create import create, read_receipt
from medllm.pipeline.release.modelfile import modelfile
from medllm.pipeline.release.server import Server
from tests.ollama_server import write_tiny_gguf

NAME = "medllm-test-create"
TAGS = ("base", "f16", "latest", "q4_k_m", "q8_0")

Run = Callable[..., RunPaths]


@pytest.fixture(scope="module")
def ggufs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Four different models; what each is quantised to does not matter here."""
    folder = tmp_path_factory.mktemp("ggufs")
    names = ("base-f16", "medllm-f16", "medllm-q8_0", "medllm-q4_k_m")
    return {
        f"{name}.gguf": write_tiny_gguf(folder / f"{name}.gguf", seed).read_bytes()
        for seed, name in enumerate(names)
    }


@pytest.fixture
def paths(run: Run, root: Path, ggufs: dict[str, bytes]) -> RunPaths:
    """A run that is complete up to stage modelfile."""
    f16 = {name: content for name, content in ggufs.items() if "f16" in name}
    quants = {name: content for name, content in ggufs.items() if "f16" not in name}
    paths = run({"base": {"LICENSE": b"Base licence."}, "convert": f16, "quantize": quants})
    modelfile(ModelfileConfig(path=root / "Modelfile"), paths)
    return paths


@pytest.fixture
def server(ollama_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OLLAMA_HOST", ollama_server)
    server = Server(ollama_server)
    yield server
    for tag in TAGS:
        server.delete(f"{NAME}:{tag}")
    server.close()


def models(server: Server) -> list[str]:
    tags = (*TAGS, *(f"{tag}-unchecked" for tag in TAGS))
    return [tag for tag in tags if server.has(f"{NAME}:{tag}")]


def test_without_a_server_the_path_goes_on(
    paths: RunPaths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("medllm.pipeline.release.create.find_server", lambda: None)
    manifest = create(CreateConfig(), paths)
    assert manifest.inputs["server"] == "none"
    receipt = json.loads((paths.stage("create") / "receipt.json").read_bytes())
    assert receipt == {"server": None, "models": {}, "prompts_checked": 0}
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "no Ollama server answers" in said[0]
    assert "embedded engine" in said[0]
    assert create(CreateConfig(), paths) == manifest


def test_every_gguf_becomes_a_model_that_renders_like_training(
    paths: RunPaths, server: Server
) -> None:
    manifest = create(CreateConfig(name=NAME), paths)
    assert manifest.inputs["server"] == f"{server.host} {server.version()}"
    assert models(server) == list(TAGS)
    receipt = read_receipt(paths.stage("create"))
    assert receipt.server is not None
    assert (receipt.server.host, receipt.server.version) == (server.host, server.version())
    assert receipt.prompts_checked == 2 * 9
    files = {
        "base": "convert/base-f16.gguf",
        "f16": "convert/medllm-f16.gguf",
        "q8_0": "quantize/medllm-q8_0.gguf",
        "q4_k_m": "quantize/medllm-q4_k_m.gguf",
        "latest": "quantize/medllm-q4_k_m.gguf",
    }
    assert {name: model.file for name, model in receipt.models.items()} == {
        f"{NAME}:{tag}": file for tag, file in files.items()
    }
    for name, model in receipt.models.items():
        assert model.sha256 == sha256_file(paths.root / model.file)
        assert model.digest == server.digest(name)
        assert model.layer == server.show(name).layer
    assert receipt.models[f"{NAME}:latest"] == receipt.models[f"{NAME}:q4_k_m"]
    assert len({model.layer for model in receipt.models.values()}) == 4
    assert "Base licence." in server.show(f"{NAME}:latest").license


def test_it_runs_again_only_when_something_is_lost(paths: RunPaths, server: Server) -> None:
    first = create(CreateConfig(name=NAME), paths)
    assert create(CreateConfig(name=NAME), paths) == first
    server.delete(f"{NAME}:q8_0")
    again = create(CreateConfig(name=NAME), paths)
    assert again.started > first.started
    assert again.outputs == first.outputs  # Ollama's digests are the same for the same model
    assert models(server) == list(TAGS)


def test_a_prompt_that_differs_leaves_the_server_as_it_was(
    paths: RunPaths, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(CreateConfig(name=NAME), paths)
    before = {tag: server.digest(f"{NAME}:{tag}") for tag in TAGS}
    was = FORMATS["llama2"]
    jinja = was.jinja.replace("' [/INST]'", "'  [/INST]'")
    assert jinja != was.jinja
    monkeypatch.setitem(FORMATS, "llama2", PromptFormat("llama2", jinja, was.go_template, was.stop))
    (paths.stage("create") / "manifest.json").unlink()
    with pytest.raises(MedllmError) as caught:
        create(CreateConfig(name=NAME), paths)
    assert "shows medllm-test-create:q4_k_m-unchecked a prompt that training never" in str(
        caught.value
    )
    assert "is expected and '[/INST]' is there" in caught.value.what
    assert {tag: server.digest(f"{NAME}:{tag}") for tag in TAGS} == before
    assert models(server) == list(TAGS)
    assert not (paths.stage("create") / "manifest.json").exists()


def test_a_gguf_whose_own_jinja_would_win_is_caught(
    run: Run, root: Path, ggufs: dict[str, bytes], server: Server, tmp_path: Path
) -> None:
    """Ollama prefers the GGUF's template to TEMPLATE when that declares more, here tools."""
    tools = "{% for m in messages %}{{ m.content }}{% endfor %}{% if tools %}{{ tools }}{% endif %}"
    other = write_tiny_gguf(tmp_path / "tools.gguf", seed=9, jinja=tools).read_bytes()
    f16 = {name: content for name, content in ggufs.items() if "f16" in name}
    paths = run({"base": {}, "convert": f16, "quantize": {"medllm-q4_k_m.gguf": other}})
    modelfile(ModelfileConfig(path=root / "Modelfile"), paths)
    with pytest.raises(MedllmError, match=r"uses another TEMPLATE for .*:q4_k_m-unchecked than"):
        create(CreateConfig(name=NAME), paths)
    assert models(server) == []


def test_a_file_that_is_no_gguf_leaves_nothing_behind(run: Run, root: Path, server: Server) -> None:
    paths = run({"base": {}, "convert": {}, "quantize": {"medllm-q4_k_m.gguf": b"no GGUF at all"}})
    modelfile(ModelfileConfig(path=root / "Modelfile"), paths)
    with pytest.raises(MedllmError, match="does not create medllm-test-create:q4_k_m-unchecked"):
        create(CreateConfig(name=NAME), paths)
    assert models(server) == []
    assert not paths.stage("create").exists()


def test_a_modelfile_of_another_run_is_refused(
    run: Run, root: Path, ggufs: dict[str, bytes], server: Server
) -> None:
    quant = {"medllm-q8_0.gguf": ggufs["medllm-q8_0.gguf"]}
    text = (root / "Modelfile").read_bytes()
    paths = run({"convert": {}, "quantize": quant, "modelfile": {"Modelfile": text}})
    with pytest.raises(MedllmError, match=r"FROM \./medllm\.gguf .* none of the GGUFs"):
        create(CreateConfig(name=NAME), paths)


def test_the_command_line_makes_the_same_model(
    paths: RunPaths, server: Server, tmp_path: Path
) -> None:
    """A doctor's `ollama create -f` gives the digest that the receipt proves."""
    program = shutil.which("ollama")
    if program is None:
        pytest.skip("no `ollama` on PATH")
    create(CreateConfig(name=NAME), paths)
    name = "medllm-test-create-by-hand"
    subprocess.run(
        [program, "create", name, "-f", paths.stage("modelfile") / "Modelfile"],
        env={**os.environ, "HOME": str(tmp_path)},
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    try:
        expected = read_receipt(paths.stage("create")).models[f"{NAME}:latest"]
        assert server.digest(f"{name}:latest") == expected.digest
    finally:
        server.delete(name)


def test_a_damaged_receipt_is_named(tmp_path: Path) -> None:
    (tmp_path / "receipt.json").write_text('{"server": "yes"}', encoding="utf-8")
    with pytest.raises(MedllmError, match=r"receipt\.json is missing or is not a receipt"):
        read_receipt(tmp_path)


def test_the_know_medical_format_too(
    run: Run, root: Path, ggufs: dict[str, bytes], server: Server, tmp_path: Path
) -> None:
    format_ = FORMATS["know_medical_v2"]
    edited = tmp_path / "Modelfile"
    lines = [f'FROM ./m.gguf\nTEMPLATE """{format_.go_template}"""', "PARAMETER num_ctx 2048"]
    lines += [f'PARAMETER stop "{stop}"' for stop in format_.stop]
    edited.write_text("\n".join([*lines, "MESSAGE user Hi", "MESSAGE assistant Yes?", ""]))
    quant = {"medllm-q4_k_m.gguf": ggufs["medllm-q4_k_m.gguf"]}
    paths = run({"base": {}, "convert": {}, "quantize": quant})
    modelfile(ModelfileConfig(path=edited, format="know_medical_v2"), paths)
    create(CreateConfig(name=NAME, format="know_medical_v2"), paths)
    assert read_receipt(paths.stage("create")).prompts_checked == 9
    assert read_manifest(paths.stage("create")).report["models"] == [
        f"{NAME}:latest",
        f"{NAME}:q4_k_m",
    ]
