"""A question to the finished model, through either engine."""

from pathlib import Path

import pytest

from medllm.eval.ask import _write, ask, sampling_of
from medllm.pipeline.config import CreateConfig, RunConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.release.modelfile_syntax import Modelfile


@pytest.fixture
def config() -> RunConfig:
    sections: dict[str, object] = {name: {} for name in RunConfig.model_fields}
    sections["base"] = {"source": "somewhere"}
    sections["prepare"] = {"sources": [{"name": "x", "path": "x"}]}
    sections["create"] = {"name": "asked"}
    return RunConfig.model_validate(sections)


def test_the_embedded_engine_streams_the_answer(
    small_run: RunPaths, config: RunConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    ask("My knee hurts. What should I do?", config, small_run)
    out, err = capsys.readouterr()
    assert set(out.split()) <= {"A", "B"}
    assert len(out.split()) == 24  # num_predict
    assert out == out.strip() + "\n"
    assert err.startswith("medllm-q8_0.gguf (sha256 ")
    assert "llama-cpp-python" in err
    assert err.count("\n") == 1
    assert "Not medical advice" in err


def test_ollama_must_have_the_very_model(small_run: RunPaths, config: RunConfig) -> None:
    with pytest.raises(MedllmError, match="No Ollama server has asked:latest"):
        ask("My knee hurts.", config, small_run, "ollama")


def test_an_altered_or_missing_model_is_refused(small_run: RunPaths, config: RunConfig) -> None:
    gguf = small_run.stage("quantize") / "medllm-q8_0.gguf"
    content = bytearray(gguf.read_bytes())
    content[-1] ^= 1
    gguf.write_bytes(content)
    with pytest.raises(MedllmError, match="is not the file that stage quantize wrote"):
        ask("My knee hurts.", config, small_run, "embedded")
    (small_run.stage("modelfile") / "manifest.json").unlink()
    with pytest.raises(MedllmError, match="Stage modelfile has not completed"):
        ask("My knee hurts.", config, small_run)


def test_an_empty_question_is_refused(tmp_path: Path, config: RunConfig) -> None:
    with pytest.raises(MedllmError, match="empty"):
        ask("  ", config, RunPaths(tmp_path))


def test_through_ollama(
    small_run: RunPaths,
    config: RunConfig,
    ollama_server: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from medllm.pipeline.release.create import create
    from medllm.pipeline.release.server import Server

    monkeypatch.setenv("OLLAMA_HOST", ollama_server)
    create(CreateConfig(name="asked"), small_run)
    for engine in ("auto", "ollama"):
        ask("My knee hurts.", config, small_run, engine)
        out, err = capsys.readouterr()
        assert set(out.split()) <= {"A", "B"}
        assert out.strip()
        assert f"on Ollama {Server(ollama_server).version()} at {ollama_server}" in err
    ask("My knee hurts.", config, small_run, "embedded")
    assert "llama-cpp-python" in capsys.readouterr().err
    Server(ollama_server).copy("asked:f16", "asked:latest")  # somebody else's model now
    ask("My knee hurts.", config, small_run)
    assert "llama-cpp-python" in capsys.readouterr().err


def test_parameters_are_the_modelfiles_else_ollamas() -> None:
    bare = Modelfile(source="x", template="x")
    assert sampling_of(bare).temperature == 0.8
    given = {"temperature": 0.2, "top_k": 7, "seed": 5, "stop": ("[INST]",), "repeat_penalty": 1.1}
    sampling = sampling_of(bare.model_copy(update={"parameters": given}))
    assert (sampling.temperature, sampling.top_k, sampling.seed) == (0.2, 7, 5)
    assert (sampling.stop, sampling.repeat_penalty, sampling.top_p) == (("[INST]",), 1.1, 0.9)


def test_white_space_around_an_answer_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    _write(iter([" ", " Rest", " and", "\n", "\n drink. ", "", "\n "]))
    assert capsys.readouterr().out == "Rest and\n\n drink.\n"
