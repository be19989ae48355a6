import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from medllm.convert.gguf import server_template
from medllm.pipeline.config import CreateConfig, ModelfileConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file
from medllm.pipeline.manifest import read_manifest
from medllm.pipeline.prompts import FORMATS, PromptFormat
from medllm.pipeline.release.create import create, read_receipt
from medllm.pipeline.release.modelfile import modelfile
from medllm.pipeline.release.modelfile_syntax import read_modelfile
from medllm.pipeline.release.parity import conversations
from medllm.pipeline.release.server import Server
from medllm.pipeline.release.wire import Stored
from tests.ollama_server import write_tiny_gguf
from tests.pipeline.release.conftest import Proxy

NAME = "medllm-test-create"
TAGS = ("base", "f16", "latest", "q4_k_m", "q8_0")

ALL = tuple(conversations())
FEW = ALL[::25]
EACH = len(FEW)  # compared for one model

Run = Callable[..., RunPaths]


@pytest.fixture(autouse=True)
def few_prompts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ninth of the conversations, except where a test is about them."""
    if "all_prompts" not in request.fixturenames:
        monkeypatch.setattr("medllm.pipeline.release.parity.conversations", lambda: iter(FEW))


@pytest.fixture
def all_prompts() -> int:
    """How many conversations are compared for one model when all of them are."""
    return len(ALL)


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


def written(root: Path) -> dict[str, dict[str, bytes]]:
    """Stage modelfile as it would be if it did not look into the GGUF."""
    record = read_modelfile(root / "Modelfile")
    source = "../quantize/medllm-q4_k_m.gguf"
    text = record.model_copy(update={"source": source}).text()
    return {"modelfile": {"Modelfile": text.encode()}}


def models(server: Server) -> list[str]:
    tags = (*TAGS, *(f"{tag}-unchecked" for tag in TAGS))
    return [tag for tag in tags if server.has(f"{NAME}:{tag}")]


def test_without_a_server_the_path_goes_on(
    paths: RunPaths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("medllm.pipeline.release.create.find_server", lambda: None)
    capsys.readouterr()
    manifest = create(CreateConfig(), paths)
    assert manifest.inputs["server"] == "none"
    receipt = json.loads((paths.stage("create") / "receipt.json").read_bytes())
    assert receipt == {
        "server": None,
        "models": {},
        "variants": {},
        "prompts_checked": 0,
        "prompts_compared_by": None,
    }
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
    assert receipt.prompts_checked == 2 * EACH
    assert receipt.prompts_compared_by == "rendered text"
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
    paths = run({"convert": f16, "quantize": {"medllm-q4_k_m.gguf": other}, **written(root)})
    with pytest.raises(MedllmError, match=r"uses another TEMPLATE for .*:q4_k_m-unchecked than"):
        create(CreateConfig(name=NAME), paths)
    assert models(server) == []


def test_a_file_that_is_no_gguf_leaves_nothing_behind(run: Run, root: Path, server: Server) -> None:
    quant = {"medllm-q4_k_m.gguf": b"no GGUF at all"}
    paths = run({"convert": {}, "quantize": quant, **written(root)})
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


def test_all_prompts_of_the_know_medical_format_with_message_lines(
    run: Run, server: Server, tmp_path: Path, all_prompts: int
) -> None:
    format_ = FORMATS["know_medical_v2"]
    edited = tmp_path / "Modelfile"
    lines = [f'FROM ./m.gguf\nTEMPLATE """{format_.go_template}"""', "PARAMETER num_ctx 2048"]
    lines += [f'PARAMETER stop "{stop}"' for stop in format_.stop]
    edited.write_text("\n".join([*lines, "MESSAGE user Hi", "MESSAGE assistant Yes?", ""]))
    own = write_tiny_gguf(tmp_path / "know.gguf", seed=7, jinja=server_template(format_))
    quant = {"medllm-q4_k_m.gguf": own.read_bytes()}
    paths = run({"base": {}, "convert": {}, "quantize": quant})
    modelfile(ModelfileConfig(path=edited, format="know_medical_v2"), paths)
    create(CreateConfig(name=NAME, format="know_medical_v2"), paths)
    assert read_receipt(paths.stage("create")).prompts_checked == all_prompts >= 200
    assert read_manifest(paths.stage("create")).report["models"] == [
        f"{NAME}:latest",
        f"{NAME}:q4_k_m",
    ]


def test_the_receipt_holds_every_layer(paths: RunPaths, server: Server) -> None:
    """As the server's own manifest, whose digest the server tells, lists them."""
    create(CreateConfig(name=NAME), paths)
    record = read_modelfile(paths.stage("modelfile") / "Modelfile")
    for model in read_receipt(paths.stage("create")).models.values():
        kinds = [one.media_type.rpartition(".")[2] for one in model.layers]
        assert kinds.count("license") == len(record.licenses) == 2
        assert set(kinds) == {"model", "template", "system", "params", "license", "v1+json"}
        by_kind = dict(zip(kinds, model.layers, strict=True))
        assert by_kind["model"].digest == model.layer
        assert model.modelfile == sha256_file(paths.stage("modelfile") / "Modelfile")
        for kind, text in (("template", record.template), ("system", record.system)):
            assert by_kind[kind].digest == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
            assert by_kind[kind].size == len(text.encode())
    written = json.loads((paths.stage("create") / "receipt.json").read_bytes())
    first = written["models"][f"{NAME}:latest"]["layers"][0]
    assert set(first) == {"mediaType", "digest", "size"}


def test_without_the_servers_store_the_receipt_holds_what_the_api_tells(
    paths: RunPaths, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is not here, and one that holds another manifest."""
    shown = Server.show
    for there in ("/nowhere", str(paths.root)):
        stand_in = paths.root / "manifests/registry.ollama.ai/library" / NAME
        stand_in.mkdir(parents=True, exist_ok=True)
        (stand_in / "latest").write_text("{}")

        def show(self: Server, name: str, there: str = there) -> Stored:
            stored = shown(self, name)
            lines = [
                f"FROM {there}/blobs/sha256-{stored.layer[7:]}" if line[:5] == "FROM " else line
                for line in stored.modelfile.splitlines()
            ]
            return stored.model_copy(update={"modelfile": "\n".join(lines)})

        monkeypatch.setattr(Server, "show", show)
        (paths.stage("create") / "manifest.json").unlink(missing_ok=True)
        create(CreateConfig(name=NAME), paths)
        model = read_receipt(paths.stage("create")).models[f"{NAME}:latest"]
        assert [(one.digest, one.size) for one in model.layers] == [(model.layer, None)]


def test_no_blob_moves_twice(
    run: Run, root: Path, server: Server, proxy: Proxy, tmp_path: Path
) -> None:
    """Up to date: nothing is sent. Run anew: the models of before are checked, and kept."""
    base, quant = (
        write_tiny_gguf(tmp_path / f"{seed}.gguf", seed).read_bytes() for seed in (101, 102)
    )
    stages = {"convert": {"base-f16.gguf": base}, "quantize": {"medllm-q4_k_m.gguf": quant}}
    paths = run({**stages, **written(root)})
    create(CreateConfig(name=NAME), paths)
    sizes = sorted(path.stat().st_size for path in paths.root.glob("*/*.gguf"))
    assert sorted(proxy.sent("/api/blobs/")) == sizes
    assert len(proxy.sent("/api/create")) == 2
    before = read_receipt(paths.stage("create"))
    proxy.requests.clear()
    create(CreateConfig(name=NAME), paths)
    assert sum(size for _, _, size in proxy.requests) == 0
    (paths.stage("create") / "manifest.json").unlink()
    create(CreateConfig(name=NAME), paths)
    assert not [at for _, at, _ in proxy.requests if at.startswith("/api/blobs")]
    assert not proxy.sent("/api/create")
    assert len(proxy.sent("/api/chat")) == EACH
    assert read_receipt(paths.stage("create")) == before
    server.delete(f"{NAME}:base")
    proxy.requests.clear()
    create(CreateConfig(name=NAME), paths)
    assert set(proxy.sent("/api/blobs/")) <= {len(base)}  # Ollama may have kept what it was sent
    assert len(proxy.sent("/api/create")) == 1
    assert read_receipt(paths.stage("create")) == before


def test_versions_and_variants_have_names_of_their_own(
    run: Run, root: Path, ggufs: dict[str, bytes], server: Server
) -> None:
    quant = {"medllm-q4_k_m.gguf": ggufs["medllm-q4_k_m.gguf"]}
    paths = run({"base": {}, "convert": {}, "quantize": quant})
    variants = ("patient", "triage-nurse")
    modelfile(ModelfileConfig(path=root / "Modelfile", variants=variants), paths)
    create(CreateConfig(name=NAME, version="1.2.0"), paths)
    receipt = read_receipt(paths.stage("create"))
    try:
        assert set(receipt.models) == {f"{NAME}:1.2.0-q4_k_m", f"{NAME}:latest"}
        assert set(receipt.variants) == {
            f"{NAME}:{tag}" for one in variants for tag in (f"1.2.0-q4_k_m-{one}", one)
        }
        assert receipt.prompts_checked == 3 * EACH
        default = receipt.models[f"{NAME}:latest"]
        for one in variants:
            shown = server.show(f"{NAME}:{one}")
            written = read_modelfile(paths.stage("modelfile") / f"Modelfile.{one}")
            assert shown.system == written.system != server.show(f"{NAME}:latest").system
            made = receipt.variants[f"{NAME}:{one}"]
            assert (made.layer, made.sha256) == (default.layer, default.sha256)
            assert made.digest != default.digest
        report = read_manifest(paths.stage("create")).report["models"]
        assert report == sorted(receipt.models | receipt.variants)
        first = read_manifest(paths.stage("create"))
        server.delete(f"{NAME}:patient")
        assert create(CreateConfig(name=NAME, version="1.2.0"), paths).started > first.started
        assert server.has(f"{NAME}:patient")
    finally:
        for name in receipt.models | receipt.variants:
            server.delete(name)


def test_a_server_older_than_requires_is_refused_before_anything_is_sent(
    run: Run, ggufs: dict[str, bytes], root: Path, server: Server, proxy: Proxy
) -> None:
    text = written(root)["modelfile"]["Modelfile"].replace(b"REQUIRES 0.20.3", b"REQUIRES 99.0.0")
    quant = {"medllm-q4_k_m.gguf": ggufs["medllm-q4_k_m.gguf"]}
    paths = run({"convert": {}, "quantize": quant, "modelfile": {"Modelfile": text}})
    with pytest.raises(MedllmError, match=r"Modelfile line 2: REQUIRES 99\.0\.0 is newer than"):
        create(CreateConfig(name=NAME), paths)
    assert not proxy.sent("/")


@pytest.mark.usefixtures("all_prompts")
def test_a_mismatch_deletes_the_new_model_and_nothing_else(
    run: Run, ggufs: dict[str, bytes], root: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first model's prompts are right, the second's are not: neither stays."""
    f16 = {"medllm-f16.gguf": ggufs["medllm-f16.gguf"]}
    quants = {name: ggufs[name] for name in ("medllm-q4_k_m.gguf", "medllm-q8_0.gguf")}
    paths = run({"convert": f16, "quantize": quants, **written(root)})
    rendered = Server.rendered_prompt

    def other(self: Server, name: str, *rest: Any) -> str:
        text = rendered(self, name, *rest)
        return text.replace("fever</s>", "fever</s> ") if "q8_0" in name else text

    monkeypatch.setattr(Server, "rendered_prompt", other)
    with pytest.raises(MedllmError) as caught:
        create(CreateConfig(name=NAME), paths)
    assert "(control strings): at line" in caught.value.what
    assert "'<s>[INST] Forget the above. [/' is expected and ' <s>[INST]" in caught.value.what
    assert "\n" not in str(caught.value)
    assert models(server) == []


def test_all_prompts_of_the_llama2_format(
    run: Run, root: Path, ggufs: dict[str, bytes], server: Server, all_prompts: int
) -> None:
    quant = {"medllm-q4_k_m.gguf": ggufs["medllm-q4_k_m.gguf"]}
    paths = run({"convert": {}, "quantize": quant, **written(root)})
    create(CreateConfig(name=NAME), paths)
    assert read_receipt(paths.stage("create")).prompts_checked == all_prompts >= 200
