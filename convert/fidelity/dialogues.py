"""Dialogues as llama.cpp reads them: the tokens of training, its control tokens included.

A control token comes from the template alone: each stretch between two of them is tokenized by
itself with nothing special in it, so a "</s>" that a patient types is four characters.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from medllm.convert.inspect_gguf import GgufFacts
from medllm.convert.llama_cpp import silence_native_logs
from medllm.pipeline.data.schema import Dialogue, read_dialogues
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.machine import cpus
from medllm.pipeline.prompts import FORMATS, Message

if TYPE_CHECKING:
    from llama_cpp import Llama

_CHUNK = 512  # tokens, what llama.cpp's own figures are measured with
_SMALL = 64 * 2**20  # bytes of a model below which threads wait longer than they work


@dataclass(frozen=True)
class Drawn:
    """Dialogues drawn for a measurement, and how they were."""

    dialogues: tuple[Dialogue, ...]
    ids: tuple[tuple[int, ...], ...]  # token ids, one entry a dialogue
    left_out: int  # not drawn because their written text reads otherwise than in training
    available: int  # dialogues in the file, each counted once

    @property
    def tokens(self) -> int:
        """Token ids in all."""
        return sum(map(len, self.ids))

    @property
    def sources(self) -> dict[str, int]:
        """Dialogues by source."""
        return dict(sorted(Counter(dialogue.source for dialogue in self.dialogues).items()))


class Vocabulary:
    """The tokenizer of a GGUF under a prompt format; a context manager that loads no weights."""

    def __init__(self, gguf: Path, format_name: str) -> None:
        """Raises MedllmError when llama.cpp does not read the file."""
        self._format = FORMATS[format_name]
        self._llama = load(gguf, vocab_only=True)
        self._control = {"bos": self._llama.token_bos(), "eos": self._llama.token_eos()}

    def __enter__(self) -> Vocabulary:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Free the vocabulary."""
        self._llama.close()

    def encode(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of a conversation as training saw it."""
        ids: list[int] = []
        for stretch in self._format.stretches(messages):
            if stretch.control:
                ids.append(self._control[stretch.control])
            else:
                ids += self._llama.tokenize(stretch.text.encode(), add_bos=False, special=False)
        return ids

    def survives_writing(self, messages: Sequence[Message]) -> bool:
        """Whether the written text, read with its control tokens parsed, gives the same ids.

        It does not where a person typed the name of a control token.
        """
        text = self._format.render(messages).encode()
        written: list[int] = self._llama.tokenize(text, add_bos=False, special=True)
        return written == self.encode(messages)

    def write(self, messages: Sequence[Message]) -> str:
        """The text of a conversation, control tokens by name."""
        return self._format.render(messages)


def draw(
    path: Path,
    vocabulary: Vocabulary,
    tokens: int,
    seed: int,
    accept: Callable[[Sequence[Message]], bool] = lambda _: True,
) -> Drawn:
    """Dialogues of a file in an order that follows the seed, until they hold ``tokens`` tokens.

    Each id counts once. Raises MedllmError when the file holds no dialogue.
    """
    dialogues = _in_drawn_order(read_dialogues(path), seed)
    if not dialogues:
        raise MedllmError(
            f"{path} holds no dialogue.",
            "Give prepare more data, or a larger share for this split.",
        )
    drawn: list[Dialogue] = []
    ids: list[tuple[int, ...]] = []
    left_out = count = 0
    for dialogue in dialogues:
        if count >= tokens:
            break
        if not accept(dialogue.messages):
            left_out += 1
            continue
        drawn.append(dialogue)
        ids.append(tuple(vocabulary.encode(dialogue.messages)))
        count += len(ids[-1])
    return Drawn(tuple(drawn), tuple(ids), left_out, len(dialogues))


def load(gguf: Path, *, vocab_only: bool = False, context: int = 0, threads: int = 1) -> Llama:
    """A GGUF in llama.cpp; with ``context`` tokens it decodes as many at once.

    Raises MedllmError when llama.cpp does not read the file.
    """
    said = silence_native_logs()
    from llama_cpp import Llama

    try:
        return Llama(
            str(gguf),
            vocab_only=vocab_only,
            n_ctx=context or _CHUNK,
            n_batch=context or _CHUNK,
            n_ubatch=context or _CHUNK,
            n_threads=threads,
            n_threads_batch=threads,
            n_gpu_layers=-1,
            flash_attn=False,
            verbose=False,
        )
    except ValueError:
        last = " / ".join(line.strip() for line in list(said)[-3:])
        raise MedllmError(
            f"llama.cpp does not load {gguf}: {last}.", "Check free memory, then convert again."
        ) from None


def chunk_tokens(facts: GgufFacts) -> int:
    """Tokens of a piece: 512, or the model's whole context where that is shorter."""
    trained = facts.metadata.get(f"{facts.architecture}.context_length")
    return min(_CHUNK, trained) if isinstance(trained, int) and trained > 0 else _CHUNK


def threads_for(facts: GgufFacts) -> int:
    """Threads that llama.cpp works fastest with on this machine."""
    return 1 if facts.nbytes < _SMALL else cpus()


def _in_drawn_order(dialogues: Iterable[Dialogue], seed: int) -> list[Dialogue]:
    once = {dialogue.id: dialogue for dialogue in dialogues}
    return sorted(
        once.values(), key=lambda each: hashlib.sha256(f"{seed} {each.id}".encode()).digest()
    )
