from collections.abc import Callable
from pathlib import Path

import pytest

from medllm.pipeline.config import ModelfileConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import FORMATS, Message
from medllm.pipeline.release.modelfile import (
    LLAMA2_NOTICE,
    check_format,
    first_difference,
    modelfile,
)
from medllm.pipeline.release.modelfile_syntax import parse, read_modelfile

GGUF = {"quantize": {"medllm-q4_k_m.gguf": b"GGUF", "medllm-q8_0.gguf": b"GGUF8"}}
MODEL = {"base": {"model.safetensors": b"{}"}}

Run = Callable[..., RunPaths]


def test_the_shipped_modelfile_is_what_a_doctor_should_get(root: Path) -> None:
    record = read_modelfile(root / "Modelfile")
    check_format(record, "llama2")
    assert record.source == "./medllm.gguf"
    assert record.parameters["num_ctx"] == 2048  # Llama-2-7B in 8 GB
    assert record.parameters["num_predict"] == 512
    assert 0 < float(record.parameters["temperature"]) <= 0.3  # type: ignore[arg-type]
    assert len(record.system.split()) <= 90
    for word in ("clinician", "emergency", "Ask", "unsure", "formulary"):
        assert word in record.system
    assert "Apache License" in record.licenses[0]


def test_from_names_the_quantised_file_beside_it(root: Path, run: Run) -> None:
    paths = run({**MODEL, **GGUF})
    manifest = modelfile(ModelfileConfig(path=root / "Modelfile", quant="Q8_0"), paths)
    written = paths.stage("modelfile") / "Modelfile"
    record, edited = read_modelfile(written), read_modelfile(root / "Modelfile")
    assert record == edited.model_copy(update={"source": "../quantize/medllm-q8_0.gguf"})
    assert (written.parent / record.source).read_bytes() == b"GGUF8"
    assert manifest.report["from"] == record.source
    assert list(manifest.outputs) == ["Modelfile"]


def test_a_changed_word_in_system_makes_the_stage_run_again(
    root: Path, run: Run, tmp_path: Path
) -> None:
    paths, edited = run({**MODEL, **GGUF}), tmp_path / "Modelfile"
    config = ModelfileConfig(path=edited)
    text = (root / "Modelfile").read_text(encoding="utf-8")
    edited.write_text(text, encoding="utf-8")
    first = modelfile(config, paths)
    assert modelfile(config, paths) == first
    edited.write_text(text.replace("Say when", "Tell when"), encoding="utf-8")
    assert modelfile(config, paths).outputs != first.outputs


def test_the_licences_of_the_base_are_layers_and_llama_2_gets_its_notice(
    root: Path, run: Run
) -> None:
    license_ = "\ufeffLLAMA 2 COMMUNITY\u00a0LICENSE AGREEMENT\r\n“It”\x0cmeans\u200b it.\r\n"
    base = {
        "LICENSE.txt": license_.encode(),
        "USE_POLICY.md": b'# Llama 2 Acceptable Use Policy\n"""\n',
        "config.json": b"{}",
    }
    paths = run({"base": base, **GGUF})
    modelfile(ModelfileConfig(path=root / "Modelfile"), paths)
    licenses = read_modelfile(paths.stage("modelfile") / "Modelfile").licenses
    assert licenses[1:] == (
        "LLAMA 2 COMMUNITY LICENSE AGREEMENT\n“It”\nmeans it.",
        "# Llama 2 Acceptable Use Policy\n'''",
        LLAMA2_NOTICE,
    )


def test_a_notice_that_the_base_brings_is_not_repeated(root: Path, run: Run) -> None:
    notice = LLAMA2_NOTICE.replace(" Community ", "\nCommunity ").encode()
    base = {"LICENSE": b"LLAMA 2 COMMUNITY LICENSE AGREEMENT", "Notice.txt": notice}
    paths = run({"base": base, **GGUF})
    modelfile(ModelfileConfig(path=root / "Modelfile"), paths)
    licenses = read_modelfile(paths.stage("modelfile") / "Modelfile").licenses
    assert len(licenses) == 3
    assert " ".join(licenses[2].split()) == LLAMA2_NOTICE


def test_a_licence_that_is_not_text_is_refused(root: Path, run: Run) -> None:
    paths = run({"base": {"LICENSE": b"\xff\xfe"}, **GGUF})
    with pytest.raises(MedllmError, match="LICENSE is not UTF-8 at byte 0"):
        modelfile(ModelfileConfig(path=root / "Modelfile"), paths)


def test_a_quant_that_was_not_made_is_named(root: Path, run: Run) -> None:
    paths = run({**MODEL, **GGUF})
    with pytest.raises(MedllmError, match=r"wrote no medllm-q6_k\.gguf") as caught:
        modelfile(ModelfileConfig(path=root / "Modelfile", quant="Q6_K"), paths)
    assert "Q6_K" in caught.value.fix
    assert not (paths.stage("modelfile")).exists()


@pytest.mark.parametrize("name", ["llama2", "know_medical_v2"])
def test_the_template_of_every_format_survives_the_modelfile(name: str) -> None:
    format_ = FORMATS[name]
    text = f'FROM m\nTEMPLATE """{format_.go_template}"""\n'
    text += "".join(f'PARAMETER stop "{stop}"\n' for stop in format_.stop)
    check_format(parse(text), name)  # type: ignore[arg-type]


def test_another_template_is_refused_at_its_first_difference(root: Path) -> None:
    text = (root / "Modelfile").read_text(encoding="utf-8")
    record = parse(text.replace("[INST] {{ if and", "[INST]{{ if and"))
    with pytest.raises(MedllmError) as caught:
        check_format(record, "llama2")
    assert "at line 4, column 38, ' {{ if and" in caught.value.what
    assert "and '{{ if and" in caught.value.what
    with pytest.raises(MedllmError, match="TEMPLATE is not that of the format know_medical_v2"):
        check_format(parse(text), "know_medical_v2")


def test_a_missing_stop_is_refused(root: Path) -> None:
    text = (root / "Modelfile").read_text(encoding="utf-8")
    with pytest.raises(MedllmError, match=r'does not stop at "<<SYS>>"'):
        check_format(parse(text.replace('PARAMETER stop "<<SYS>>"\n', "")), "llama2")


def test_messages_must_leave_the_turns_in_order(root: Path) -> None:
    text = (root / "Modelfile").read_text(encoding="utf-8")
    pair = "MESSAGE user Hello\nMESSAGE assistant How can I help?\n"
    check_format(parse(text + pair), "llama2")
    with pytest.raises(MedllmError, match="take turns"):
        check_format(parse(text + "MESSAGE user Hello\n"), "llama2")


def test_a_request_meets_system_and_messages_as_ollama_joins_them() -> None:
    record = parse("FROM m\nTEMPLATE t\nSYSTEM s\nMESSAGE user u\nMESSAGE assistant a\n")
    asked = Message(role="user", content="?")
    own = Message(role="system", content="")
    said = [(m.role, m.content) for m in record.conversation((asked,))]
    assert said == [("system", "s"), ("user", "u"), ("assistant", "a"), ("user", "?")]
    assert record.conversation((own, asked))[0] == own
    assert len(record.conversation((own, asked))) == 4


def test_first_difference_points_at_line_and_column() -> None:
    assert first_difference("ab\ncd", "ab\ncx") == (
        "at line 2, column 2, 'd' is expected and 'x' is there"
    )
    assert first_difference("ab", "a") == "at line 1, column 2, 'b' is expected and '' is there"
