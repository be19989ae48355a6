"""Stage create: the GGUFs as models of a local Ollama server, and proof of what it will show them.

Models are made under ``<tag>-unchecked`` names and get their own names once the server is seen to
render every prompt as training did: a fault leaves the models of the last good run as they were.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path, PurePosixPath

import click
from pydantic import BaseModel, ConfigDict, ValidationError

from medllm.pipeline.config import CreateConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import MANIFEST, Manifest, Work, read_manifest, stage
from medllm.pipeline.prompts import FORMATS, Message, PromptFormat
from medllm.pipeline.release.modelfile import first_difference
from medllm.pipeline.release.modelfile_syntax import Modelfile, read_modelfile
from medllm.pipeline.release.server import Server, find_server

_UNCHECKED = "-unchecked"
RECEIPT = "receipt.json"


class ServerRecord(BaseModel):
    """The server that holds the models."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    host: str
    version: str


class ModelRecord(BaseModel):
    """One model of the server and the file that it was made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    file: str  # relative to the run's folder
    sha256: str  # of that file
    digest: str  # of the model's manifest on the server, 64 hex digits
    layer: str  # of the server's own GGUF, "sha256:…": Ollama rewrites the file it is given


class Receipt(BaseModel):
    """What stage create did; ``models`` maps ``name:tag`` to a record."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    server: ServerRecord | None  # None: no server answered
    models: dict[str, ModelRecord]
    prompts_checked: int  # prompts that the server rendered and that were compared


def create(config: CreateConfig, paths: RunPaths) -> Manifest:
    """Make ``<name>:base``, ``:f16``, one model a quant and ``:latest``; write ``receipt.json``.

    Without a server the receipt says so, and the path goes on with the embedded engine. Raises
    MedllmError when the server refuses, keeps something else than it was given, or renders a
    prompt that differs from the training text; the models stay as they were.
    """
    server = find_server()
    with contextlib.closing(server) if server else contextlib.nullcontext():
        version = server.version() if server else ""
        if server and _lost_models(paths.stage("create"), server):
            (paths.stage("create") / MANIFEST).unlink()

        def body(work: Work) -> None:
            if server is None:
                click.echo(
                    "create: no Ollama server answers at OLLAMA_HOST, so no model is made there; "
                    "evaluation goes on with the embedded engine",
                    err=True,
                )
                receipt = Receipt(server=None, models={}, prompts_checked=0)
            else:
                receipt = _create(config, server, version, work.inputs)
            (work.dir / RECEIPT).write_text(
                json.dumps(receipt.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8"
            )
            work.report["models"] = [*sorted(receipt.models)]

        fact = f"{server.host} {version}" if server else "none"
        return stage("create", config, paths, body, facts={"server": fact})


def read_receipt(folder: Path) -> Receipt:
    """The receipt in a create folder. Raises MedllmError when it is not there or not readable."""
    path = folder / RECEIPT
    try:
        return Receipt.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise MedllmError(
            f"{path} is missing or is not a receipt.",
            f"Delete {folder} and run stage create again.",
        ) from None


def _create(
    config: CreateConfig, server: Server, version: str, inputs: Mapping[str, Path]
) -> Receipt:
    record = read_modelfile(inputs["modelfile"] / "Modelfile")
    files = dict(_gguf_files(inputs))
    published = PurePosixPath(record.source).stem.removeprefix("medllm-")
    if published not in files:
        raise MedllmError(
            f"FROM {record.source} in the Modelfile is none of the GGUFs of this run.",
            "Run stage modelfile again.",
        )
    unchecked = {tag: f"{config.name}:{tag}{_UNCHECKED}" for tag in files}
    try:
        models, compared = {}, 0
        for tag, path in files.items():
            sha256 = read_manifest(path.parent).outputs[path.name].sha256
            server.create(unchecked[tag], server.upload_blob(path, sha256), record)
            _check_stored(server, unchecked[tag], record)
            if path.parent.name == "quantize":  # what doctors run; F16 may not fit in memory here
                compared += check_prompts(server, unchecked[tag], record, FORMATS[config.format])
        for tag, path in files.items():
            names = [f"{config.name}:{tag}"]
            if tag == published:
                names.append(f"{config.name}:latest")
            for name in names:
                server.copy(unchecked[tag], name)
                models[name] = ModelRecord(
                    file=f"{path.parent.name}/{path.name}",
                    sha256=read_manifest(path.parent).outputs[path.name].sha256,
                    digest=_digest(server, name),
                    layer=server.show(name).layer,
                )
    finally:
        for name in unchecked.values():
            with contextlib.suppress(MedllmError):  # the first error is the one to show
                server.delete(name)
    return Receipt(
        server=ServerRecord(host=server.host, version=version),
        models=models,
        prompts_checked=compared,
    )


def check_prompts(server: Server, name: str, record: Modelfile, format_: PromptFormat) -> int:
    """Compare what the server renders with what training renders, byte for byte.

    Returns how many conversations were compared. Raises MedllmError with the first difference.
    """
    conversations = tuple(_conversations())
    for messages in conversations:
        expected = format_.prompt(record.conversation(messages))
        found = server.rendered_prompt(name, messages)
        if found != expected:
            raise MedllmError(
                f"The Ollama server at {server.host} shows {name} a prompt that training never "
                f"did: {first_difference(expected, found)}.",
                "Check that the server runs without OLLAMA_GO_TEMPLATE, and report the prompt.",
            )
    return len(conversations)


def _conversations() -> Iterator[tuple[Message, ...]]:
    """Single and multi turn, with and without a system message, with what templates trip on."""
    turns = (
        ("user", "I have had a headache for two days."),
        ("assistant", "Is it sudden and severe, or with fever > 38.5 °C?"),
        ("user", 'No.\nIt "throbs", and {{ light }} hurts & it\'s <b>worse</b>  at night.'),
        ("assistant", "1. Rest.\n2. Drink water.\n\nSee a doctor if it lasts."),
        ("user", "Merci — très bien, 谢谢 🙂"),
    )
    for system in (None, "", "You help a clinician.\nBe brief."):
        before = () if system is None else (("system", system),)
        for length in (1, 3, 5):
            yield tuple(
                Message.model_validate({"role": role, "content": content})
                for role, content in (*before, *turns[:length])
            )


def _gguf_files(inputs: Mapping[str, Path]) -> Iterator[tuple[str, Path]]:
    """Tag and file of every GGUF of the run: ``base``, the 16-bit fine-tune, the quants."""
    for upstream in ("convert", "quantize"):
        for name in read_manifest(inputs[upstream]).matching(("*.gguf",)):
            model, _, type_ = PurePosixPath(name).stem.partition("-")
            yield "base" if model == "base" else type_, inputs[upstream] / name


def _check_stored(server: Server, name: str, record: Modelfile) -> None:
    """The server keeps what it was given: it accepts more than it understands."""
    stored = server.show(name)
    if not stored.layer:
        raise MedllmError(
            f"The Ollama server at {server.host} does not say which GGUF {name} is made of.",
            "Report its version: medllm does not know it.",
        )
    given: set[object] = {
        (key, one)
        for key, value in record.parameters.items()
        for one in (value if isinstance(value, tuple) else (value,))
    }
    for field, expected, found in (
        ("TEMPLATE", record.template, stored.template),
        ("SYSTEM", record.system, stored.system),
        # 1 and 1.0 are the same here, and only here: Ollama prints both as 1
        ("PARAMETER", *(_odd_ones(given, stored.parameter_set()))),
    ):
        if found != expected:
            raise MedllmError(
                f"The Ollama server at {server.host} uses another {field} for {name} than it was "
                f"given: {first_difference(expected, found)}.",
                "Look at the chat template in the GGUF (Ollama prefers it to TEMPLATE when it "
                "declares more) and at the server's version.",
            )


def _odd_ones(one: set[object], other: AbstractSet[object]) -> tuple[str, str]:
    return str(sorted(map(str, one - other))), str(sorted(map(str, other - one)))


def _digest(server: Server, name: str) -> str:
    digest = server.digest(name)
    if digest is None:
        raise MedllmError(
            f"The Ollama server at {server.host} lost {name} at once.", "Look at its disk and log."
        )
    return digest


def _lost_models(folder: Path, server: Server) -> bool:
    """Whether a completed stage's models are gone from the server, or others are in their place."""
    if not (folder / MANIFEST).is_file() or not (folder / RECEIPT).is_file():
        return False
    models = read_receipt(folder).models
    return any(server.digest(name) != model.digest for name, model in models.items())
