"""`medllm verify` on a small run, and at a real Ollama server."""

import json
from pathlib import Path

import pytest

from benchmarks.kills import make_run
from medllm.convert.gate.verify_run import RECORD, VerifyRecord, verify
from medllm.convert.gguf import convert
from medllm.convert.imatrix import imatrix
from medllm.convert.quantize import quantize
from medllm.pipeline.config import (
    ConvertConfig,
    ImatrixConfig,
    QuantizeConfig,
    RunConfig,
    RunPaths,
    Section,
    load_config,
)
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import Work, stage
from medllm.pipeline.release.create import create
from medllm.pipeline.release.modelfile_syntax import read_modelfile

pytest_plugins = ("tests.ollama_server", "tests.small_model")


@pytest.fixture(scope="module")
def config() -> RunConfig:
    return load_config(
        Path("configs/demo.yaml"), ("quantize.types=[Q4_K_M]", "create.name=medllm-gate")
    )


@pytest.fixture(scope="module")
def paths(checkpoint: Path, adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    """A run of 200 invented dialogues, as far as quantize."""
    found = RunPaths(make_run(tmp_path_factory.mktemp("verify"), checkpoint, adapter))
    convert(ConvertConfig(seed=0), found)
    imatrix(ImatrixConfig(seed=0, chunks=4), found)
    quantize(QuantizeConfig(seed=0, types=("Q4_K_M",)), found)
    return found


def _put_modelfile(paths: RunPaths) -> None:
    """What stage modelfile writes, without the licences, which need a whole prepare."""
    record = read_modelfile(Path("Modelfile"))
    filled = record.model_copy(update={"source": "../quantize/medllm-q4_k_m.gguf"})

    def body(work: Work) -> None:
        (work.dir / "Modelfile").write_text(filled.text(), encoding="utf-8")

    stage("modelfile", Section(), paths, body)


def test_a_whole_run(
    config: RunConfig, paths: RunPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    record = verify(config, paths, texts=1000)
    assert (record.dialogues, record.mixtures) == (200, 800 - record.hostile)
    assert 0 < record.supervised_tokens < record.tokens
    assert record.controls == ("<unk>", "<s>", "</s>")
    assert record.typed_controls > 40
    files = {file.file: file.conversations for file in record.files}
    assert files == {
        "convert/base-f16.gguf": 1000,
        "convert/medllm-f16.gguf": 25,
        "quantize/medllm-q4_k_m.gguf": 25,
    }
    assert record.server is None
    written = (paths.root / RECORD).read_text(encoding="utf-8")
    assert VerifyRecord.model_validate_json(written) == record
    said = capsys.readouterr().out
    assert "1,000 conversations (200 of the run" in said
    assert "convert/medllm-f16.gguf: 25 conversations" in said


def test_a_damaged_tokenizer_is_refused_and_leaves_no_proof(
    config: RunConfig, paths: RunPaths
) -> None:
    """The order of merges that transformers 5 makes: the id lists are shown with their pieces."""
    verify(config, paths, texts=1)
    path = paths.stage("base") / "tokenizer.json"
    whole = path.read_text(encoding="utf-8")
    changed = json.loads(whole)
    changed["model"]["merges"].reverse()
    path.write_text(json.dumps(changed), encoding="utf-8")
    try:
        with pytest.raises(MedllmError) as caught:
            verify(config, paths, texts=1)
    finally:
        path.write_text(whole, encoding="utf-8")
    assert "SentencePiece reads" in str(caught.value)
    assert "training reads" in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1200
    assert not (paths.root / RECORD).exists()


def test_at_a_server(
    config: RunConfig, paths: RunPaths, ollama_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It renders and counts as training does, and obeys </s> where a person types it."""
    monkeypatch.setenv("OLLAMA_HOST", ollama_server)
    _put_modelfile(paths)
    create(config.create, paths)
    record = verify(config, paths, texts=1, ollama=True)
    assert record.server is not None
    assert record.server.prompts > 5
    obeyed = {(typed.role, typed.text) for typed in record.server.typed if typed.obeyed}
    assert ("user", "</s>") in obeyed
    assert ("system", "I have <s> here") in obeyed
    assert not any("INST" in text or "SYS" in text or "0x0A" in text for _, text in obeyed)
    for typed in record.server.typed:
        assert typed.server_tokens == len(typed.parsed_ids)


def test_no_server(config: RunConfig, paths: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    with pytest.raises(MedllmError, match="No Ollama server answers"):
        verify(config, paths, texts=1, ollama=True)


def test_nothing_converted(config: RunConfig, tmp_path: Path) -> None:
    with pytest.raises(MedllmError, match="has not completed"):
        verify(config, RunPaths(tmp_path))
