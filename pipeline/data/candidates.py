"""Pass one of prepare: a row to a candidate dialogue, cleaned and without identifiers.

Everything here depends on one row, the config and the seed alone, so that rows may be worked on by
any number of processes in any order. What depends on other rows is decided in ``select``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from medllm.pipeline.config import PrepareConfig
from medllm.pipeline.data.clean import Cleaner, Example
from medllm.pipeline.data.contamination import EvaluationIndex
from medllm.pipeline.data.duplicates import signature
from medllm.pipeline.data.reporting.report import DropKind
from medllm.pipeline.data.schema import Dialogue, content_digest, dialogue_id
from medllm.pipeline.data.split import copies, gets_system
from medllm.pipeline.data.store import Candidate, Stored, record
from medllm.pipeline.data.tokens import token_counter
from medllm.pipeline.privacy.identifiers import Replacement
from medllm.pipeline.privacy.scrub import Scrubber
from medllm.pipeline.prompts import FORMATS, Message
from medllm.pipeline.sources.turns import Dropped, Kept

_BATCH = 256  # rows a worker gets at once


@dataclass(frozen=True)
class Row:
    """A result of an adapter, and which item of ``prepare.sources`` it comes from."""

    source: int
    result: Kept | Dropped


@dataclass(frozen=True)
class Gone:
    """A row that gives no candidate, and why."""

    source: int
    where: str
    kind: DropKind
    reason: str


@dataclass(frozen=True)
class Batch:
    """The results of some rows in their order, and examples of what was done to them."""

    results: list[Candidate | Gone]
    examples: dict[int, tuple[Example, ...]]  # by item of ``prepare.sources``


class Worker:
    """What a process needs to turn rows into candidates, loaded once."""

    def __init__(self, config: PrepareConfig, base: Path) -> None:
        """``base`` is the folder of stage base: tokens are counted with its tokenizer."""
        self._config = config
        self._cleaners = [Cleaner(config.clean) for _ in config.sources]
        self._scrubber = Scrubber(config.privacy, config.seed) if config.privacy != "off" else None
        self._evaluation = EvaluationIndex.read(config.evaluation_sets)
        self._tokens = token_counter(base)

    def work(self, rows: Sequence[Row]) -> Batch:
        """One result a row, in their order, and new examples of each rule."""
        results = [self._candidate(row) for row in rows]
        taken = {n: cleaner.examples.take() for n, cleaner in enumerate(self._cleaners)}
        return Batch(results, {number: new for number, new in taken.items() if new})

    def _candidate(self, row: Row) -> Candidate | Gone:
        result, config = row.result, self._config
        source = config.sources[row.source]

        def gone(kind: DropKind, reason: str) -> Gone:
            return Gone(row.source, result.where, kind, reason)

        if isinstance(result, Dropped):
            return gone("broken" if result.broken else "not a dialogue", result.reason)
        # A share below one is drawn before any work is done on a row that nobody will see.
        if source.weight < 1 and not copies(result.dialogue.id, source.weight, config.seed):
            return gone("mix", f"not drawn at weight {source.weight:g}")
        cleaned = self._cleaners[row.source].clean(result)
        if isinstance(cleaned, Dropped):
            return gone("cleaning", cleaned.reason)
        turns = _turns(cleaned.dialogue)
        if overlap := self._evaluation.overlap([turn.content for turn in turns]):
            return gone("evaluation overlap", overlap)
        scrubbed = self._scrub(cleaned.dialogue, row)
        dialogue = scrubbed.dialogue
        if gets_system(dialogue, config) and dialogue.messages[0].role != "system":
            dialogue = dialogue.with_system(config.system_prompt.strip())
        dialogue = dialogue.model_copy(update={"format": source.format})
        prompt_format = FORMATS[source.format or config.format]
        stored = Stored(
            where=result.where,
            turns=len(turns),
            with_system=dialogue.messages[0].role == "system",
            characters=sum(len(message.content) for message in dialogue.messages),
            tokens=prompt_format.count(self._tokens, dialogue.messages),
            changes=dict(cleaned.changes),
            replaced=scrubbed.replaced,
            surrogates=scrubbed.surrogates,
        )
        return Candidate(
            source=row.source,
            record=record(stored, dialogue.line(), scrubbed.tagged),
            digest=content_digest(turns)[:16],
            text_signature=signature(*scrubbed.tagged),
            question_signature=signature(scrubbed.tagged[0]),
        )

    def _scrub(self, dialogue: Dialogue, row: Row) -> _Scrubbed:
        """The dialogue under invented names, and its turns with identifiers as tags."""
        texts = [message.content for message in dialogue.messages]
        first_turn = len(texts) - len(_turns(dialogue))
        if self._scrubber is None:
            return _Scrubbed(dialogue, texts[first_turn:], {}, {})
        scrubbed = self._scrubber.scrub(texts)
        replaced = Counter(str(r.type) for found in scrubbed.replaced for r in found)
        if not replaced:
            return _Scrubbed(dialogue, texts[first_turn:], {}, {})
        examples = self._cleaners[row.source].examples
        for before, after, found in zip(texts, scrubbed.texts, scrubbed.replaced, strict=True):
            for kind in sorted({str(one.type) for one in found}):
                examples.add(f"identifiers of type {kind}", row.result.where, before, after)
        messages = tuple(
            Message(role=message.role, content=text.strip())
            for message, text in zip(dialogue.messages, scrubbed.texts, strict=True)
        )
        turns = messages[first_turn:]
        renamed = Dialogue(
            id=dialogue_id(dialogue.source, turns), source=dialogue.source, messages=messages
        )
        tagged = [
            _tagged(text, found) for text, found in zip(texts, scrubbed.replaced, strict=True)
        ]
        surrogates = {
            r.replacement: str(r.type)
            for found in scrubbed.replaced
            for r in found
            if self._scrubber.mode == "surrogates"
        }
        return _Scrubbed(renamed, tagged[first_turn:], dict(replaced), surrogates)


@dataclass(frozen=True)
class _Scrubbed:
    dialogue: Dialogue
    tagged: list[str]  # its turns, identifiers as tags
    replaced: dict[str, int]
    surrogates: dict[str, str]  # invented value -> its type


def load(config: PrepareConfig, base: Path) -> None:
    """Make this process able to ``work``."""
    global _worker
    _worker = Worker(config, base)


def work(rows: Sequence[Row]) -> Batch:
    """What ``Worker.work`` gives, in a process that has called ``load``."""
    return _worker.work(rows)


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows in pieces that a process gets at once."""
    iterator = iter(rows)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


_worker: Worker


def _tagged(text: str, replaced: Sequence[Replacement]) -> str:
    """The text with the type of each identifier in its place."""
    pieces, done = list[str](), 0
    for one in replaced:
        pieces += (text[done : one.start], f"[{one.type}]")
        done = one.end
    return "".join((*pieces, text[done:]))


def _turns(dialogue: Dialogue) -> list[Message]:
    return [message for message in dialogue.messages if message.role != "system"]
