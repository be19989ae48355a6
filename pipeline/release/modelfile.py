"""Stage modelfile: the Modelfile a person edits, checked, filled in and given its licences."""

from __future__ import annotations

from pathlib import Path

from medllm.pipeline.config import FormatName, ModelfileConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import Manifest, Work, read_manifest, stage
from medllm.pipeline.prompts import FORMATS, Message
from medllm.pipeline.release.modelfile_syntax import (
    Modelfile,
    dropped_by_ollama,
    read_modelfile,
)
from medllm.pipeline.stages import INPUTS

__all__ = ["LLAMA2_NOTICE", "Modelfile", "check_format", "first_difference", "modelfile"]
__all__ += ["read_modelfile"]

# Llama 2 Community License, section 1.b.iii: a Notice that goes with every copy of the weights.
_LLAMA2 = "LLAMA 2 COMMUNITY LICENSE"
LLAMA2_NOTICE = (
    "Llama 2 is licensed under the LLAMA 2 Community License, "
    "Copyright (c) Meta Platforms, Inc. All Rights Reserved."
)


def modelfile(config: ModelfileConfig, paths: RunPaths) -> Manifest:
    """Write ``modelfile/Modelfile``: FROM names the GGUF of ``config.quant`` beside it.

    ``ollama create -f build/<run>/modelfile/Modelfile`` works from any folder. Raises MedllmError
    for a Modelfile that Ollama would not read as it is written, or whose prompts or stops are not
    those of the run's format.
    """

    def body(work: Work) -> None:
        gguf = work.inputs["quantize"] / f"medllm-{config.quant.lower()}.gguf"
        if not gguf.is_file():
            raise MedllmError(
                f"Stage quantize wrote no {gguf.name}.",
                f"Add {config.quant} to quantize.types or change modelfile.quant.",
            )
        edited = read_modelfile(config.path)
        check_format(edited, config.format, str(config.path))
        licenses = (*edited.licenses, *_base_licenses(work.inputs["base"]))
        filled = edited.model_copy(
            update={"source": f"../quantize/{gguf.name}", "licenses": licenses}
        )
        target = work.dir / "Modelfile"
        header = f"# Made by medllm from {config.path.name}: edit that one.\n\n"
        target.write_text(header + filled.text(), encoding="utf-8", newline="\n")
        if read_modelfile(target) != filled:
            raise MedllmError(
                f"{config.path} cannot be written so that it reads the same.",
                'Look for a text that begins or ends in " and reword it.',
            )
        work.report["from"] = filled.source
        work.report["licenses"] = [text.strip().partition("\n")[0][:80] for text in licenses]
        work.report["system_words"] = len(filled.system.split())

    return stage("modelfile", config, paths, body, files={str(config.path): config.path})


def check_format(record: Modelfile, name: FormatName, where: str = "Modelfile") -> None:
    """Refuse a Modelfile whose prompts or stops are not those of the run's format.

    Raises MedllmError, with the first difference between TEMPLATE and the format's Go template.
    """
    format_ = FORMATS[name]
    if record.template != format_.go_template:
        raise MedllmError(
            f"{where}: TEMPLATE is not that of the format {name}: "
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
    format_.prompt(record.conversation((Message(role="user", content="?"),)))


def first_difference(expected: str, found: str) -> str:
    """Where two texts part, with the beginning of what follows in each."""
    at = 0
    while at < min(len(expected), len(found)) and expected[at] == found[at]:
        at += 1
    line = expected.count("\n", 0, at) + 1
    column = at - expected.rfind("\n", 0, at)
    return (
        f"at line {line}, column {column}, {expected[at : at + 30]!r} is expected "
        f"and {found[at : at + 30]!r} is there"
    )


def _base_licenses(base: Path) -> tuple[str, ...]:
    """The licence files of the base model, and the Notice that Llama 2 asks for."""
    texts = []
    for name in read_manifest(base).matching(INPUTS["modelfile"]["base"]):
        try:
            text = (base / name).read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise MedllmError(
                f"{base / name} is not UTF-8 at byte {error.start}.",
                "Save the base model's licence as UTF-8 and run stage base again.",
            ) from None
        if text.strip():
            texts.append(_printable(text))
    whole = " ".join(" ".join(texts).split())
    if _LLAMA2 in whole.upper() and LLAMA2_NOTICE not in whole:
        texts.append(LLAMA2_NOTICE)
    return tuple(texts)


def _printable(text: str) -> str:
    """A licence in characters that Ollama keeps: other line ends and blanks become plain ones."""
    lines = "\n".join(text.splitlines())
    spaced = "".join(" " if c.isspace() and c not in "\n\t" else c for c in lines)
    return "".join(c for c in spaced if not dropped_by_ollama(c)).replace('"""', "'''").strip()
