"""One question to the finished model, as a doctor would ask it.

SYSTEM, template and parameters are those of the Modelfile, whichever engine answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import NamedTuple

import click

from medllm.eval.engines.embedded import EmbeddedEngine
from medllm.eval.engines.engine import Sampling
from medllm.pipeline.config import RunConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file
from medllm.pipeline.manifest import MANIFEST, read_manifest, verify_inputs
from medllm.pipeline.prompts import Message
from medllm.pipeline.release.create import read_receipt
from medllm.pipeline.release.finding import find_server
from medllm.pipeline.release.modelfile_syntax import Modelfile, read_modelfile
from medllm.pipeline.release.server import Server

_CAUTION = "Not medical advice: a clinician decides."
# What Ollama takes for a parameter that the Modelfile leaves out (DefaultOptions in api/types.go of
# github.com/ollama/ollama); a seed it draws.
_DEFAULTS: dict[str, float] = {
    **{"num_ctx": 4096, "num_predict": -1, "seed": 0},
    **{"temperature": 0.8, "top_k": 40, "top_p": 0.9, "min_p": 0.0, "repeat_penalty": 1.0},
}


class _Source(NamedTuple):
    """Where an answer comes from: one line that says so, and its pieces."""

    note: str
    pieces: Iterator[str]


def ask(question: str, config: RunConfig, paths: RunPaths, engine: str = "auto") -> None:
    """Write the model's answer to standard output as it comes; who answers, to standard error.

    ``engine`` is auto, ollama or embedded; auto takes the Ollama server when it has the very model
    that stage create made, else the GGUF in this process. Raises MedllmError when there is no
    finished model to ask, when ollama is wanted and does not have it, and for an empty question.
    """
    if not question.strip():
        raise MedllmError("The question is empty.", 'Write it in quotation marks: medllm ask "…".')
    message = Message(role="user", content=question.strip())
    verify_inputs("create", "modelfile", paths.stage("modelfile"))
    modelfile = read_modelfile(paths.stage("modelfile") / "Modelfile")
    server = None if engine == "embedded" else find_server()
    with closing(server) if server else nullcontext():
        source = _from_ollama(server, config, paths, message) if server else None
        if source is None and engine == "ollama":
            raise MedllmError(
                f"No Ollama server has {config.create.name}:latest as stage create made it.",
                "Start the server and run `medllm create`, or ask with --engine embedded.",
            )
        if source is None:
            source = _embedded(config, paths, modelfile, message)
        click.echo(f"{source.note} {_CAUTION}", err=True)
        _write(source.pieces)


def _write(pieces: Iterator[str]) -> None:
    """Stream an answer without the white space around it."""
    waiting, begun = "", False
    for piece in pieces:
        text = waiting + piece if begun else (waiting + piece).lstrip()
        kept = text.rstrip()
        waiting, begun = text[len(kept) :], begun or bool(kept)
        click.echo(kept, nl=False)
    click.echo()


def published_on(server: Server, config: RunConfig, paths: RunPaths) -> tuple[str, str] | None:
    """Name and digest of the published model on a server; None when it is not the receipt's."""
    folder, name = paths.stage("create"), f"{config.create.name}:latest"
    record = read_receipt(folder).models.get(name) if (folder / MANIFEST).exists() else None
    if record is None or server.digest(name) != record.digest:
        return None
    return name, record.digest


def published_gguf(paths: RunPaths, modelfile: Modelfile) -> tuple[Path, str]:
    """The GGUF that the Modelfile names, and its sha256. Raises MedllmError when it was altered."""
    path = paths.stage("quantize") / Path(modelfile.source).name
    record = read_manifest(path.parent).outputs.get(path.name)
    if record is None or sha256_file(path) != record.sha256:
        raise MedllmError(
            f"{path} is not the file that stage quantize wrote.",
            f"Delete {path.parent} and run `medllm quantize` again.",
        )
    return path, record.sha256


def _from_ollama(
    server: Server, config: RunConfig, paths: RunPaths, message: Message
) -> _Source | None:
    """The published model on the server, or None when it is not the one of the receipt."""
    found = published_on(server, config, paths)
    if found is None:
        return None
    name, digest = found
    note = f"{name} ({digest[:12]}) on Ollama {server.version()} at {server.host}."
    return _Source(note, server.stream(name, [message]))


def _embedded(
    config: RunConfig, paths: RunPaths, modelfile: Modelfile, message: Message
) -> _Source:
    """The GGUF that the Modelfile names, on llama.cpp in this process."""
    path, sha256 = published_gguf(paths, modelfile)
    context = int(number_of(modelfile, "num_ctx"))
    engine = EmbeddedEngine(path, config.modelfile.format, context)
    note = f"{path.name} (sha256 {sha256[:12]}) on {engine.description}."
    return _Source(note, _closing_stream(engine, modelfile, message))


def _closing_stream(
    engine: EmbeddedEngine, modelfile: Modelfile, message: Message
) -> Iterator[str]:
    with closing(engine):
        limit = int(number_of(modelfile, "num_predict"))
        messages = modelfile.conversation((message,))
        longest = limit if limit > 0 else engine.context
        yield from engine.stream(messages, longest, sampling_of(modelfile))


def sampling_of(modelfile: Modelfile) -> Sampling:
    """The Modelfile's parameters as the embedded engine takes them, else Ollama's defaults."""
    stop = modelfile.parameters.get("stop", ())
    return Sampling(
        temperature=number_of(modelfile, "temperature"),
        top_k=int(number_of(modelfile, "top_k")),
        top_p=number_of(modelfile, "top_p"),
        min_p=number_of(modelfile, "min_p"),
        repeat_penalty=number_of(modelfile, "repeat_penalty"),
        seed=max(int(number_of(modelfile, "seed")), 0),
        stop=stop if isinstance(stop, tuple) else (),
    )


def number_of(modelfile: Modelfile, name: str) -> float:
    """A parameter of the Modelfile, else Ollama's default for it."""
    value = modelfile.parameters.get(name)
    return _DEFAULTS[name] if value is None or isinstance(value, tuple) else value
