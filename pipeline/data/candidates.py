"""Pass one of prepare: a row to a candidate dialogue, cleaned and without identifiers.

Everything here depends on one row, the config and the seed alone, so that rows may be worked on by
any number of processes in any order. What depends on other rows is decided in ``select``.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from medllm.pipeline.config import PrepareConfig
from medllm.pipeline.data.clean import Cleaner, Example
from medllm.pipeline.data.contamination import EvaluationIndex
from medllm.pipeline.data.duplicates import signature
from medllm.pipeline.data.reporting.report import DropKind
from medllm.pipeline.data.schema import Dialogue, content_digest, dialogue_id
from medllm.pipeline.data.split import copies, gets_system
from medllm.pipeline.data.store import Candidate, Stored
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.privacy.identifiers import Replacement
from medllm.pipeline.privacy.scrub import Scrubber
from medllm.pipeline.prompts import FORMATS, Message
from medllm.pipeline.sources.turns import Dropped, Kept

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_BATCH = 256  # rows a worker gets at once
_WAITING = 4  # batches a worker may be ahead of the writer


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
        self._tokenizer = counting_tokenizer(base)

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
            line=dialogue.line(),
            question=scrubbed.tagged[0],
            text="\n".join(scrubbed.tagged),
            answer="\n".join(scrubbed.tagged[1::2]),
            turns=len(turns),
            with_system=dialogue.messages[0].role == "system",
            characters=sum(len(message.content) for message in dialogue.messages),
            tokens=prompt_format.count(self._tokenizer, dialogue.messages),
            changes=dict(cleaned.changes),
            replaced=scrubbed.replaced,
            surrogates=scrubbed.surrogates,
        )
        return Candidate(
            source=row.source,
            stored=stored,
            digest=content_digest(turns)[:16],
            text_signature=signature(stored.text),
            question_signature=signature(stored.question),
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


def candidates(
    rows: Iterable[Row], config: PrepareConfig, base: Path, workers: int
) -> Iterator[Batch]:
    """Batches in the order of the rows, whatever the number of worker processes."""
    if workers == 1:
        worker = Worker(config, base)
        yield from map(worker.work, _batches(rows))
        return
    with ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_load_worker,
        initargs=(config, base),
    ) as pool:
        waiting: deque[Future[Batch]] = deque()
        for batch in _batches(rows):
            if len(waiting) == workers * _WAITING:
                yield waiting.popleft().result()
            waiting.append(pool.submit(_work, batch))
        while waiting:
            yield waiting.popleft().result()


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


_worker: Worker


def _load_worker(config: PrepareConfig, base: Path) -> None:
    global _worker
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the processes are the parallelism
    # spaCy and Presidio load these where they can; nothing here needs them, and they cost a
    # process 320 MB and two seconds. Python takes None for a module that is not installed.
    for name in ("torch", "transformers"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    _worker = Worker(config, base)


def _work(rows: Sequence[Row]) -> Batch:
    return _worker.work(rows)


def _tagged(text: str, replaced: Sequence[Replacement]) -> str:
    """The text with the type of each identifier in its place."""
    pieces, done = list[str](), 0
    for one in replaced:
        pieces += (text[done : one.start], f"[{one.type}]")
        done = one.end
    return "".join((*pieces, text[done:]))


def _turns(dialogue: Dialogue) -> list[Message]:
    return [message for message in dialogue.messages if message.role != "system"]


def counting_tokenizer(base: Path) -> Tokenizer:
    """The tokenizer of stage base, for counting: nothing in a text is special."""
    from tokenizers import Tokenizer

    path = base / "tokenizer.json"
    if not path.is_file():
        raise MedllmError(
            f"{base} has no tokenizer.json.", "Run `medllm base` again; prepare counts tokens."
        )
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True
    return tokenizer
