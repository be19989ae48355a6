"""``medllm verify``: what was trained is what is served, shown on a run's own dialogues."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, islice, zip_longest
from pathlib import Path

import click
from pydantic import BaseModel, ConfigDict

from medllm.convert.gate.agreement import TokenGate
from medllm.convert.gate.served import ServerReport, compare_with_server
from medllm.convert.gate.texts import (
    Conversation,
    hostile_conversations,
    mixtures,
    run_conversations,
)
from medllm.convert.inspect_gguf import check_gguf
from medllm.pipeline.config import RunConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import write_atomically
from medllm.pipeline.manifest import MANIFEST, read_manifest
from medllm.pipeline.prompts import FORMATS
from medllm.pipeline.weights.tokenizer import TOKENIZER_MODEL

RECORD = "verify.json"
_SPLITS = ("train", "validation", "test")
_SCHEMA = 1
_EVERY = 40  # a GGUF with the vocabulary of an earlier one reads every 40th conversation again


class CheckedFile(BaseModel):
    """A GGUF whose vocabulary was compared."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    file: str  # relative to the run's folder
    sha256: str  # as its stage's manifest says
    conversations: int  # read with it


class VerifyRecord(BaseModel):
    """What the gate read and found equal; written to ``verify.json`` in the run's folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    schema_version: int
    format: str
    tokenizer: str  # sha256 of tokenizer.model
    dialogues: int  # of the run
    hostile: int  # generated
    mixtures: int  # of both
    tokens: int
    supervised_tokens: int
    typed_controls: int  # conversations in which somebody types a control string
    controls: tuple[str, ...]  # those strings
    files: tuple[CheckedFile, ...]
    server: ServerReport | None
    started: datetime
    ended: datetime


def verify(
    config: RunConfig, paths: RunPaths, *, texts: int = 10_000, ollama: bool = False
) -> VerifyRecord:
    """Compare token ids of training, SentencePiece and the run's GGUFs on at least ``texts`` texts.

    The texts are the run's own dialogues, hostile ones, and mixtures of both up to the number; see
    ``TokenGate.check`` for what must hold of each. With ``ollama`` the server of stage create is
    compared too. Prints a summary and writes ``verify.json``. Raises MedllmError at the first
    difference, and when a stage that is read has not completed.
    """
    started = datetime.now(UTC)
    (paths.root / RECORD).unlink(missing_ok=True)  # an old proof must not outlive a new refusal
    base = paths.stage("base")
    tokenizer = read_manifest(base).outputs[TOKENIZER_MODEL].sha256
    ggufs = _ggufs(paths)
    own, hostile, mixed = _conversations(paths, texts, config.prepare.seed)
    everything = [*own, *hostile, *mixed]
    counts = [0, 0, 0]
    checked: list[CheckedFile] = []
    server: ServerReport | None = None
    vocabularies: list[Mapping[str, object]] = []
    for path, sha256 in ggufs.items():
        vocabulary = _vocabulary(path)
        known = vocabulary in vocabularies
        read = everything[::_EVERY] if known else everything
        with contextlib.closing(TokenGate(base, path, FORMATS[config.convert.format])) as gate:
            found = _check_all(gate, read, path.name)
            if not checked:
                counts, controls = found, gate.controls
                if ollama:
                    server = _server_report(config, paths, gate, own, hostile)
        vocabularies += [] if known else [vocabulary]
        file = str(path.relative_to(paths.root))
        checked.append(CheckedFile(file=file, sha256=sha256, conversations=len(read)))
    record = VerifyRecord(
        schema_version=_SCHEMA,
        format=config.convert.format,
        tokenizer=tokenizer,
        dialogues=len(own),
        hostile=len(hostile),
        mixtures=len(mixed),
        tokens=counts[0],
        supervised_tokens=counts[1],
        typed_controls=counts[2],
        controls=controls,
        files=tuple(checked),
        server=server,
        started=started,
        ended=datetime.now(UTC),
    )
    write_atomically(paths.root / RECORD, record.model_dump_json(indent=2) + "\n")
    click.echo(summary(record), nl=False)
    return record


def summary(record: VerifyRecord) -> str:
    """A record for a person to read; each line ends in a newline."""
    lines = [
        f"{record.dialogues + record.hostile + record.mixtures:,} conversations "
        f"({record.dialogues:,} of the run, {record.hostile:,} hostile, {record.mixtures:,} of "
        f"both), {record.tokens:,} tokens, {record.supervised_tokens:,} of them with loss.",
        "Training, SentencePiece and llama.cpp read the same ids in each; one BOS an exchange, "
        "one EOS an answer, with loss.",
        f"In {record.typed_controls:,} of them somebody types {', '.join(record.controls)}: "
        "words in training and in the embedded engine.",
        *(f"  {file.file}: {file.conversations:,} conversations" for file in record.files),
    ]
    if record.server:
        obeyed = [typed for typed in record.server.typed if typed.obeyed]
        lines += [
            f"Ollama {record.server.version} at {record.server.host} rendered and counted "
            f"{record.server.prompts} prompts for {record.server.model} as training does.",
            f"It obeys typed control strings ({len(obeyed)} of {len(record.server.typed)} texts; "
            "see docs/front-ends.md):",
            f"  {'who types':<10}{'what':<24}{'tokens: training':>18}{'server':>8}{'neutral':>9}",
            *(
                f"  {typed.role:<10}{typed.text:<24}{len(typed.training_ids):>18}"
                f"{typed.server_tokens:>8}{typed.neutralised_tokens:>9}"
                for typed in obeyed
            ),
        ]
    return "\n".join(lines) + "\n"


def _ggufs(paths: RunPaths) -> dict[Path, str]:
    """Every GGUF of the run and its digest, those of quantize when that stage has completed."""
    found: dict[Path, str] = {}
    for stage in ("convert", "quantize"):
        folder = paths.stage(stage)
        if stage == "convert" or (folder / MANIFEST).exists():
            manifest = read_manifest(folder)
            found |= {
                folder / n: manifest.outputs[n].sha256 for n in manifest.matching(("*.gguf",))
            }
    if not found:
        raise MedllmError(f"{paths.stage('convert')} holds no GGUF.", "Run stage convert again.")
    return found


def _conversations(
    paths: RunPaths, texts: int, seed: int
) -> tuple[list[Conversation], list[Conversation], list[Conversation]]:
    folder = paths.stage("prepare")
    read_manifest(folder)
    own = list(run_conversations([folder / f"{split}.jsonl" for split in _SPLITS], texts))
    hostile = list(hostile_conversations())
    missing = max(0, texts - len(own) - len(hostile))
    return own, hostile, list(mixtures(own or hostile, missing, seed))


def _vocabulary(path: Path) -> Mapping[str, object]:
    metadata = check_gguf(path).metadata
    return {key: value for key, value in metadata.items() if key.startswith("tokenizer.")}


def _check_all(gate: TokenGate, conversations: Sequence[Conversation], name: str) -> list[int]:
    """Tokens, tokens with loss, and conversations with typed control strings."""
    from tqdm import tqdm

    counts = [0, 0, 0]
    for conversation in tqdm(conversations, desc=f"verify {name}", unit="text", disable=None):
        for index, value in enumerate(gate.check(conversation)):
            counts[index] += value
    return counts


def _server_report(
    config: RunConfig,
    paths: RunPaths,
    gate: TokenGate,
    own: Iterable[Conversation],
    hostile: Iterable[Conversation],
) -> ServerReport:
    from medllm.pipeline.release.create import read_receipt
    from medllm.pipeline.release.finding import find_server
    from medllm.pipeline.release.modelfile_syntax import read_modelfile

    name = f"{config.create.name}:latest"
    server = find_server()
    if server is None:
        raise MedllmError(
            "No Ollama server answers.", "Start one with `ollama serve`, or leave out --ollama."
        )
    with contextlib.closing(server):
        receipt = read_receipt(paths.stage("create"))
        made = receipt.models.get(name)
        if made is None or server.digest(name) != made.digest:
            raise MedllmError(
                f"The Ollama server at {server.host} does not hold this run's {name}.",
                "Run `medllm create` with that server, then verify again.",
            )
        record = read_modelfile(paths.stage("modelfile") / "Modelfile")
        facts = check_gguf(gate.gguf)
        windows = (
            record.parameters.get("num_ctx"),
            facts.metadata.get(f"{facts.architecture}.context_length"),
        )
        context = min(window for window in windows if isinstance(window, int))
        pairs = zip_longest(_spread(own), _spread(hostile))
        sample = filter(None, chain.from_iterable(pairs))
        return compare_with_server(gate, server, name, record, sample, context)


def _spread(conversations: Iterable[Conversation]) -> Iterator[Conversation]:
    """Every 29th, so that few of them are of many kinds."""
    return islice(iter(conversations), 0, None, 29)
