"""The conversation as it comes in: checked, and freed of characters that no text holds rightly."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import Message

MAX_CHARACTERS = 20_000  # of one message: a long discharge letter, and far over any context here
_ENDS = re.compile(r"\r\n?|\u0085|\u2028|\u2029")
_KEPT = "\n\t"


def checked(conversation: Sequence[Message]) -> tuple[Message, ...]:
    """The conversation without control characters.

    Raises MedllmError when it is empty, does not end with the user's words, has two turns of one
    role in a row, or holds a message that is empty or too long.
    """
    messages = tuple(m.model_copy(update={"content": readable(m.content)}) for m in conversation)
    turns = messages[1:] if messages[:1] and messages[0].role == "system" else messages
    if not turns or turns[-1].role != "user":
        raise MedllmError("The conversation does not end with a question.", "Add a user message.")
    for number, message in enumerate(turns):
        if message.role != ("user" if number % 2 == 0 else "assistant"):
            raise MedllmError(
                f"Turn {number + 1} of the conversation is the {message.role}'s.",
                "Let user and assistant take turns, the user first, a system message before them.",
            )
    for message in turns:
        if message.role == "user" and not message.content.strip():
            raise MedllmError("A message is empty.", "Write something into it.")
    for message in messages:
        if len(message.content) > MAX_CHARACTERS:
            raise MedllmError(
                f"A message has {len(message.content):,} characters; {MAX_CHARACTERS:,} are "
                "allowed.",
                "Shorten it.",
            )
    return messages


def readable(text: str) -> str:
    """A text with plain line ends and without control characters."""
    text = _ENDS.sub("\n", text)
    return "".join(c for c in text if c in _KEPT or unicodedata.category(c) not in ("Cc", "Cs"))
