"""Next-token loss on held-out dialogues: how surprised a model is by what the doctor really said.

Dialogues become tokens by the code that made the training rows, with the base's tokenizer, and
only the assistant's words and the EOS after them count, as in training. Nats are summed a
dialogue, so that two models can be compared dialogue by dialogue.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from medllm.eval.engines.journal import Journal
from medllm.eval.engines.speaker import Said
from medllm.eval.records import Sample, TaskRecord
from medllm.pipeline.data.schema import Dialogue, read_dialogues
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import FORMATS
from medllm.pipeline.weights.rows import IGNORED, build_rows

if TYPE_CHECKING:
    from medllm.eval.engines.embedded import EmbeddedEngine


@dataclass(frozen=True)
class HeldOut:
    """One held-out dialogue as training would have seen it."""

    id: str
    input_ids: list[int]
    assistant_mask: list[int]  # 1 on every token that is scored
    dialogue: Dialogue  # whole, even when input_ids lacks its last exchanges


@dataclass
class HeldOutSet:
    """The dialogues that are scored, and what happened to the ones that are too long."""

    items: list[HeldOut] = field(default_factory=list)
    shortened: int = 0  # lost their last exchanges
    dropped: int = 0  # the first exchange alone is longer than the context


def sample_dialogues(path: Path, limit: int, seed: int) -> list[Dialogue]:
    """At most ``limit`` dialogues of a file, drawn without replacement, in the file's order."""
    dialogues = list(read_dialogues(path))
    if len(dialogues) > limit:
        chosen = sorted(random.Random(seed).sample(range(len(dialogues)), limit))
        dialogues = [dialogues[index] for index in chosen]
    return dialogues


def held_out(
    dialogues: Sequence[Dialogue], base: Path, format_name: str, context: int
) -> HeldOutSet:
    """Tokenise dialogues exactly as stage train does, with the tokenizer in folder ``base``."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(base)
    found = HeldOutSet()
    for dialogue in dialogues:
        rows = build_rows([(dialogue.messages, FORMATS[format_name])], tokenizer, context)
        found.shortened += rows.shortened
        found.dropped += rows.dropped
        for ids, labels in zip(rows.input_ids, rows.labels, strict=True):
            mask = [int(label != IGNORED) for label in labels]
            found.items.append(HeldOut(dialogue.id, ids, mask, dialogue))
    return found


class Losses:
    """The task "loss": measured in this process, because no server tells a prompt's logprobs."""

    def __init__(self, record: TaskRecord, items: Sequence[HeldOut]) -> None:
        """``record.items`` stand for the dialogues, in the same order."""
        self.record, self._items = record, items

    def samples(self, engine: EmbeddedEngine, sha256: str, journal: Journal) -> tuple[Sample, ...]:
        """The loss of every dialogue, in nats a token; weights are tokens."""
        return tuple(self._sample(item, engine, sha256, journal) for item in self._items)

    def _sample(
        self, item: HeldOut, engine: EmbeddedEngine, sha256: str, journal: Journal
    ) -> Sample:
        key = f"loss {sha256} {hashlib.sha256(str(item.input_ids).encode()).hexdigest()}"
        said = journal.get(key)
        if said is None:
            nats, tokens = dialogue_loss(engine, item)
            said = Said(text="", tokens=tokens, ended=False, first={"nats": nats})
            journal.put(key, said)
        return Sample(
            id=item.id,
            score=(said.first or {})["nats"] / said.tokens,
            weight=float(said.tokens),
            how="log probabilities",
        )


def dialogue_loss(engine: EmbeddedEngine, item: HeldOut) -> tuple[float, int]:
    """−Σ ln p over the assistant's tokens of a dialogue, and how many tokens that is.

    Raises MedllmError when the GGUF reads other tokens in it than training did: its loss would
    not be the loss of what was trained.
    """
    messages = item.dialogue.messages
    served = engine.encode(messages, add_generation_prompt=False)
    if served[: len(item.input_ids)] != item.input_ids:
        raise MedllmError(
            f"{engine.path} tokenises dialogue {item.id} otherwise than training did.",
            "Run the stages from base on again with one tokenizer.",
        )
    logprobs = engine.token_logprobs(item.input_ids, item.assistant_mask)
    return -float(logprobs.sum()), len(logprobs)
