"""Dialogues to training rows: token ids and labels that put loss on the assistant's words only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import Message, PromptFormat

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

IGNORED = -100  # torch's cross entropy skips this label


@dataclass
class Rows:
    """Tokenised dialogues, and what happened to those that were too long.

    ``input_ids`` and ``labels`` hold one list a row, equally long; ``labels`` is IGNORED wherever
    the assistant is not speaking.
    """

    input_ids: list[list[int]] = field(default_factory=list)
    labels: list[list[int]] = field(default_factory=list)
    shortened: int = 0  # rows that lost their last exchanges
    dropped: int = 0  # rows whose first exchange alone is too long

    @property
    def tokens(self) -> int:
        """All tokens, padding not counted."""
        return sum(map(len, self.input_ids))

    @property
    def supervised_tokens(self) -> int:
        """Tokens with a loss."""
        return sum(label != IGNORED for row in self.labels for label in row)


def build_rows(
    dialogues: Iterable[tuple[Sequence[Message], PromptFormat]],
    tokenizer: PreTrainedTokenizerFast,
    max_length: int,
) -> Rows:
    """Tokenise dialogues, each in its format, keeping the whole exchanges that fit ``max_length``.

    An answer is never cut in the middle, so that every row teaches the model to end: what does not
    fit is left off and counted. Raises MedllmError when the format leaves a row without a
    supervised token or without a supervised EOS.
    """
    rows = Rows()
    for messages, prompt_format in dialogues:
        kept = list(messages)
        encoded = prompt_format.encode(tokenizer, kept)
        while len(encoded.input_ids) > max_length and _exchanges(kept) > 1:
            kept = kept[:-2]
            encoded = prompt_format.encode(tokenizer, kept)
        if len(encoded.input_ids) > max_length:
            rows.dropped += 1
            continue
        rows.shortened += len(kept) < len(messages)
        if encoded.input_ids[-1] != tokenizer.eos_token_id or not encoded.assistant_mask[-1]:
            raise MedllmError(
                f"Format {prompt_format.name} puts no loss on the end of an answer.",
                "Put the EOS token inside {% generation %} … {% endgeneration %}.",
            )
        rows.input_ids.append(encoded.input_ids)
        rows.labels.append(
            [
                token if learnt else IGNORED
                for token, learnt in zip(encoded.input_ids, encoded.assistant_mask, strict=True)
            ]
        )
    return rows


def _exchanges(messages: Sequence[Message]) -> int:
    return sum(message.role == "assistant" for message in messages)
