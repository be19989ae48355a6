"""Stage modelfile: the Modelfile a person edits, checked, filled in and given its licences."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

import click

from medllm.pipeline.config import FormatName, ModelfileConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import Manifest, Work, stage
from medllm.pipeline.prompts import FORMATS, Message
from medllm.pipeline.release.licence_texts import (
    LLAMA2_NOTICE,
    base_licences,
    data_attribution,
    missing_licence_texts,
)
from medllm.pipeline.release.licences import read_report
from medllm.pipeline.release.modelfile_syntax import (
    Modelfile,
    read_modelfile,
    read_parts,
    read_text,
)
from medllm.pipeline.weights.tokenizer import TOKENIZER_MODEL, load_sentencepiece

__all__ = ["LLAMA2_NOTICE", "Modelfile", "check_format", "first_difference", "modelfile"]
__all__ += ["read_modelfile", "read_variant"]

VARIANTS = "modelfiles"  # the folder beside the root Modelfile
_DIFFERS = ("SYSTEM", "PARAMETER", "MESSAGE")  # what a variant may hold
_QUESTION = (Message(role="user", content="?"),)


def modelfile(config: ModelfileConfig, paths: RunPaths) -> Manifest:
    """Write ``modelfile/Modelfile``, and ``Modelfile.<variant>`` for each of ``config.variants``.

    FROM names the GGUF of ``config.quant`` beside it, so that ``ollama create -f
    build/<run>/modelfile/Modelfile`` works from any folder. What of the base's licence texts a
    public push would lack stands in the manifest's report as ``missing_licences``.

    Raises MedllmError for a Modelfile that Ollama would not read as it is written, and for one
    whose prompts or stops are not those of the run's format, or whose GGUF brings other prompts.
    """
    root = config.path
    variants = {name: _variant_path(root, name) for name in config.variants}

    def body(work: Work) -> None:
        gguf = work.inputs["quantize"] / f"medllm-{config.quant.lower()}.gguf"
        if not gguf.is_file():
            raise MedllmError(
                f"Stage quantize wrote no {gguf.name}.",
                f"Add {config.quant} to quantize.types or change modelfile.quant.",
            )
        _check_gguf_template(gguf, config.format)
        edited = read_modelfile(root)
        check_format(edited, config.format, str(root))
        missing = missing_licence_texts(paths.stage("base"))
        licenses = (
            *edited.licenses,
            *base_licences(paths.stage("base")),
            *_attribution(paths.stage("prepare")),
        )
        filled = edited.model_copy(
            update={"source": f"../quantize/{gguf.name}", "licenses": licenses}
        )
        _write(filled, work.dir / "Modelfile", root)
        written = {"": filled}
        for name, path in variants.items():
            varied = read_variant(path, filled)
            check_format(varied, config.format, str(path))
            _write(varied, work.dir / f"Modelfile.{name}", path)
            written[name] = varied
        work.report["from"] = filled.source
        work.report["licenses"] = [text.strip().partition("\n")[0][:80] for text in licenses]
        work.report["missing_licences"] = [*missing]
        for text in missing:
            click.echo(f"modelfile: a public push would need {text}", err=True)
        for name, record in written.items():
            tokens = _system_tokens(record, config.format, paths.stage("base"))
            label = f"Modelfile.{name}" if name else "Modelfile"
            work.report[f"{label} system_tokens"] = tokens
            click.echo(
                f"modelfile: {label}: SYSTEM costs "
                + ("an unknown number of" if tokens is None else f"{tokens}")
                + " tokens of every conversation, read before the first word of a reply",
                err=True,
            )

    files = {str(path): path for path in (root, *variants.values())}
    return stage("modelfile", config, paths, body, files=files)


def check_format(record: Modelfile, name: FormatName, where: str = "Modelfile") -> None:
    """Refuse a Modelfile whose prompts or stops are not those of the run's format.

    ``where`` is the file's path: lines are looked up there for the message. Raises MedllmError,
    with the first difference between TEMPLATE and the format's Go template.
    """
    format_ = FORMATS[name]
    if record.template != format_.go_template:
        line = line_of(Path(where), "TEMPLATE")
        raise MedllmError(
            f"{where}{line}: TEMPLATE is not that of the format {name}: "
            f"{first_difference(format_.go_template, record.template)}.",
            f"Copy the Go template of {name} from pipeline/prompts.py.",
        )
    stops = record.parameters.get("stop")
    for stop in format_.stop:
        if not isinstance(stops, tuple) or stop not in stops:
            raise MedllmError(
                f'{where} does not stop at "{stop}", as the format {name} must.',
                f'Add the line PARAMETER stop "{stop}".',
            )
    # MESSAGE lines must leave the turns in order, whatever a person then asks.
    try:
        format_.prompt(record.conversation(_QUESTION))
    except MedllmError:
        line = line_of(Path(where), "MESSAGE")
        raise MedllmError(
            f"{where}{line}: the MESSAGE lines do not leave user and assistant to take turns.",
            "Write pairs of MESSAGE user and MESSAGE assistant, in that order, and no system.",
        ) from None


def read_variant(path: Path, whole: Modelfile) -> Modelfile:
    """``whole`` with what a variant's file says instead.

    Its SYSTEM and its MESSAGE lines replace those of ``whole``, a parameter the one of its name;
    stops are added. Raises MedllmError for any other instruction, and for a file that changes
    nothing.
    """
    parts = read_parts(read_text(path), str(path), _DIFFERS)
    before, after = whole.parameters.get("stop", ()), parts.parameters.get("stop", ())
    assert isinstance(before, tuple)
    assert isinstance(after, tuple)
    stops = tuple(dict.fromkeys((*before, *after)))
    varied = whole.model_copy(
        update={
            "system": parts.single.get("SYSTEM", whole.system),
            "parameters": whole.parameters | parts.parameters | ({"stop": stops} if stops else {}),
            "messages": tuple(parts.messages) or whole.messages,
        }
    )
    if varied == whole:
        raise MedllmError(f"{path} changes nothing.", "Give it a SYSTEM of its own.")
    return varied


def first_difference(expected: str, found: str) -> str:
    """Where two texts part, with the beginning of what follows in each, escaped."""
    at = 0
    while at < min(len(expected), len(found)) and expected[at] == found[at]:
        at += 1
    line = expected.count("\n", 0, at) + 1
    column = at - expected.rfind("\n", 0, at)
    return (
        f"at line {line}, column {column}, {expected[at : at + 30]!r} is expected "
        f"and {found[at : at + 30]!r} is there"
    )


def _variant_path(root: Path, name: str) -> Path:
    """The file of a variant. Raises MedllmError that names the nearest."""
    folder = root.parent / VARIANTS
    known = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if name not in known:
        close = get_close_matches(name, known, n=1)
        raise MedllmError(
            f"modelfile.variants names {name}, but {folder} has no such file.",
            f"Did you mean {close[0]}?" if close else f"Known are {', '.join(known) or 'none'}.",
        )
    return folder / name


def _check_gguf_template(gguf: Path, name: FormatName) -> None:
    """Refuse a GGUF whose own chat template a server could prefer to TEMPLATE."""
    from medllm.convert.gguf import server_template
    from medllm.convert.inspect_gguf import check_gguf

    found = check_gguf(gguf).metadata.get("tokenizer.chat_template", "")
    expected = server_template(FORMATS[name])
    if found != expected:
        raise MedllmError(
            f"{gguf} holds another chat template than the format {name}: "
            f"{first_difference(expected, str(found))}.",
            "Run stage convert again: Ollama may prefer the GGUF's template to TEMPLATE.",
        )


def _attribution(prepared: Path) -> tuple[str, ...]:
    """The layer that names the training data's authors, where there is one."""
    text = data_attribution(read_report(prepared))
    return (text,) if text else ()


def _system_tokens(record: Modelfile, name: FormatName, base: Path) -> int | None:
    """How many tokens SYSTEM adds to a prompt; None for a base without tokenizer.model.

    Raises MedllmError when what precedes every question leaves no room for one.
    """
    if not (base / TOKENIZER_MODEL).is_file():
        return None
    pieces = load_sentencepiece(base / TOKENIZER_MODEL)
    bare = record.model_copy(update={"system": ""})
    whole, rest = (
        len(pieces.encode(FORMATS[name].prompt(one.conversation(_QUESTION))))
        for one in (record, bare)
    )
    context = record.parameters.get("num_ctx")
    if isinstance(context, int) and whole + 1 >= context:
        raise MedllmError(
            f"SYSTEM and MESSAGE take {whole + 1} tokens, and num_ctx is {context}: no room is "
            "left for a question.",
            "Shorten them or raise num_ctx.",
        )
    return whole - rest


def _write(record: Modelfile, target: Path, edited: Path) -> None:
    header = f"# Made by medllm from {edited.name}: edit that one.\n\n"
    target.write_text(header + record.text(), encoding="utf-8", newline="\n")
    if read_modelfile(target) != record:
        raise MedllmError(
            f"{edited} cannot be written so that it reads the same.",
            'Look for a text that begins or ends in " and reword it.',
        )


def line_of(path: Path, instruction: str) -> str:
    """``" line 12"`` where that file has such an instruction, else nothing."""
    if not path.is_file():
        return ""
    line = read_parts(read_text(path), str(path)).lines.get(instruction)
    return f" line {line}" if line else ""
