import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from medllm.convert.gguf import server_template
from medllm.pipeline.config import ModelfileConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import FORMATS, Message
from medllm.pipeline.release.licence_texts import printable
from medllm.pipeline.release.modelfile import (
    LLAMA2_NOTICE,
    check_format,
    first_difference,
    modelfile,
    read_variant,
)
from medllm.pipeline.release.modelfile_syntax import parse, read_modelfile
from medllm.pipeline.sources import SOURCES
from tests.pipeline.release.test_licences import trained_on

pytest_plugins = ("tests.small_model",)


def header(template: str, seed: str = "") -> bytes:
    """The smallest GGUF that names a chat template; ``seed`` makes another file."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    pairs = {
        "general.architecture": "llama",
        "general.name": seed,
        "tokenizer.chat_template": template,
    }
    body = b"".join(text(key) + struct.pack("<I", 8) + text(value) for key, value in pairs.items())
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs)) + body


LLAMA2 = server_template(FORMATS["llama2"])
Q8_0 = header(LLAMA2, "q8_0")
GGUF = {"quantize": {"medllm-q4_k_m.gguf": header(LLAMA2), "medllm-q8_0.gguf": Q8_0}}
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
    assert (written.parent / record.source).read_bytes() == Q8_0
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


def test_errors_about_a_file_name_its_line(root: Path, tmp_path: Path) -> None:
    text = (root / "Modelfile").read_text(encoding="utf-8")
    edited = tmp_path / "Modelfile"
    line = text.splitlines().index('TEMPLATE """{{- $first := true -}}') + 1
    edited.write_text(text.replace("[INST] {{ if and", "[INST]{{ if and"), encoding="utf-8")
    with pytest.raises(MedllmError, match=rf"Modelfile line {line}: TEMPLATE is not that of"):
        check_format(read_modelfile(edited), "llama2", str(edited))
    edited.write_text(text + "MESSAGE user Hello\n", encoding="utf-8")
    last = len(text.splitlines()) + 1
    with pytest.raises(MedllmError, match=rf"Modelfile line {last}: the MESSAGE lines"):
        check_format(read_modelfile(edited), "llama2", str(edited))


@pytest.mark.parametrize(
    "template", ["", LLAMA2 + " ", server_template(FORMATS["know_medical_v2"])]
)
def test_a_gguf_with_other_prompts_is_refused(root: Path, run: Run, template: str) -> None:
    paths = run({**MODEL, "quantize": {"medllm-q4_k_m.gguf": header(template)}})
    with pytest.raises(MedllmError) as caught:
        modelfile(ModelfileConfig(path=root / "Modelfile"), paths)
    assert "medllm-q4_k_m.gguf holds another chat template than the format llama2" in str(
        caught.value
    )
    assert "\n" not in str(caught.value)
    assert not paths.stage("modelfile").exists()


def test_the_price_of_system_is_counted_and_said(
    root: Path, run: Run, tokenizer_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As many tokens as SYSTEM adds to a prompt, by the base's own tokenizer."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(tokenizer_folder)
    pieces = (tokenizer_folder / "tokenizer.model").read_bytes()
    paths = run({"base": {"tokenizer.model": pieces}, **GGUF})
    report = modelfile(ModelfileConfig(path=root / "Modelfile"), paths).report
    system = Message(role="system", content=read_modelfile(root / "Modelfile").system)
    asked = Message(role="user", content="?")
    format_ = FORMATS["llama2"]
    expected = len(format_.encode(tokenizer, [system, asked]).input_ids) - len(
        format_.encode(tokenizer, [asked]).input_ids
    )
    assert report["Modelfile system_tokens"] == expected > 50
    assert f"Modelfile: SYSTEM costs {expected} tokens" in capsys.readouterr().err


def test_a_system_prompt_that_fills_the_context_is_refused(
    root: Path, run: Run, tokenizer_folder: Path, tmp_path: Path
) -> None:
    pieces = (tokenizer_folder / "tokenizer.model").read_bytes()
    text = (root / "Modelfile").read_text(encoding="utf-8").replace("num_ctx 2048", "num_ctx 64")
    (tmp_path / "Modelfile").write_text(text, encoding="utf-8")
    with pytest.raises(MedllmError, match="num_ctx is 64: no room is left"):
        modelfile(
            ModelfileConfig(path=tmp_path / "Modelfile"),
            run({"base": {"tokenizer.model": pieces}, **GGUF}),
        )


@pytest.mark.parametrize("name", ["patient", "triage-nurse"])
def test_every_variant_is_short_and_says_what_it_must(root: Path, name: str) -> None:
    whole = read_modelfile(root / "Modelfile")
    varied = read_variant(root / "modelfiles" / name, whole)
    check_format(varied, "llama2")
    assert varied.model_copy(update={"system": whole.system}) == whole
    system = varied.system.lower()
    assert len(system.split()) <= 90
    for word in ("you are not a", "can be wrong", "first", "emergency", "ask", "unsure", "doses"):
        assert word in system
    assert system.index("emergency") < system.index("dose")
    assert not any(unit in system for unit in (" mg", " ml", "µg"))


def test_every_variant_in_the_folder_is_tested(root: Path) -> None:
    assert {path.name for path in (root / "modelfiles").iterdir()} == {"patient", "triage-nurse"}


def test_a_variant_is_the_modelfile_with_what_differs(root: Path, tmp_path: Path) -> None:
    whole = read_modelfile(root / "Modelfile")
    path = tmp_path / "terse"
    path.write_text(
        "SYSTEM Be terse.\nPARAMETER temperature 0\nPARAMETER stop END\nPARAMETER stop [INST]\n"
        "MESSAGE user Hi\nMESSAGE assistant Yes?\n"
    )
    varied = read_variant(path, whole)
    assert varied.system == "Be terse."
    assert varied.parameters == whole.parameters | {
        "temperature": 0.0,
        "stop": ("[INST]", "[/INST]", "<<SYS>>", "END"),
    }
    assert [message.content for message in varied.messages] == ["Hi", "Yes?"]
    assert (varied.template, varied.licenses, varied.source) == (
        whole.template,
        whole.licenses,
        whole.source,
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("SYSTEM a\nFROM x\n", "line 2: FROM does not belong here"),
        ("TEMPLATE x\n", "line 1: TEMPLATE does not belong here"),
        ("LICENSE x\n", "line 1: LICENSE does not belong here"),
        ("SYSTM x\n", "line 1: SYSTM is not an instruction"),
        ("SYSTEM a\nSYSTEM b\n", "line 2 is a second SYSTEM; the first is in line 1"),
        ("# nothing\n", "changes nothing"),
        ("PARAMETER num_ctx 2048\n", "changes nothing"),
    ],
)
def test_a_variant_holds_only_what_differs(
    root: Path, tmp_path: Path, text: str, what: str
) -> None:
    path = tmp_path / "variant"
    path.write_text(text)
    with pytest.raises(MedllmError, match=what):
        read_variant(path, read_modelfile(root / "Modelfile"))


def test_variants_are_written_beside_the_modelfile(root: Path, run: Run) -> None:
    paths = run({**MODEL, **GGUF})
    config = ModelfileConfig(path=root / "Modelfile", variants=("patient",))
    manifest = modelfile(config, paths)
    assert set(manifest.outputs) == {"Modelfile", "Modelfile.patient"}
    assert set(manifest.inputs) >= {str(root / "Modelfile"), str(root / "modelfiles" / "patient")}
    default = read_modelfile(paths.stage("modelfile") / "Modelfile")
    varied = read_modelfile(paths.stage("modelfile") / "Modelfile.patient")
    assert varied.model_copy(update={"system": default.system}) == default
    assert "to patients" in varied.system


def test_a_variant_that_is_not_there_is_named(root: Path, run: Run) -> None:
    config = ModelfileConfig(path=root / "Modelfile", variants=("pateint",))
    with pytest.raises(MedllmError, match="names pateint, but") as caught:
        modelfile(config, run({**MODEL, **GGUF}))
    assert caught.value.fix == "Did you mean patient?"


def test_a_missing_licence_is_recorded_and_stops_nothing(
    root: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """The base of this run says nothing of where it is from, and brings no licence."""
    manifest = modelfile(ModelfileConfig(path=root / "Modelfile"), run({**MODEL, **GGUF}))
    assert manifest.report["missing_licences"] == ["the licence of the base model (LICENSE.txt)"]
    assert "a public push would need the licence of the base" in capsys.readouterr().err


def test_the_data_of_the_run_is_attributed(root: Path, run: Run) -> None:
    report = trained_on("pmc_patients", "messages").model_dump_json().encode()
    paths = run({**MODEL, **GGUF, "prepare": {"report.json": report}})
    modelfile(ModelfileConfig(path=root / "Modelfile"), paths)
    last = read_modelfile(paths.stage("modelfile") / "Modelfile").licenses[-1]
    source = SOURCES["pmc_patients"]
    for text in (source.title, source.terms.licence, source.terms.clause, source.terms.url):
        assert printable(text) in last
    assert SOURCES["messages"].title not in last
