"""The one chat schema: what every adapter yields, every later stage reads, a line of JSON each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from medllm.pipeline.config import FormatName
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import Message


class Dialogue(BaseModel):
    """A conversation of a patient (``user``) and a doctor (``assistant``).

    At most one system message stands first; then user and assistant take turns, the user first,
    the assistant last. A content is stripped, not empty, without NUL and valid Unicode.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: str = Field(min_length=1, description="source and a digest of the turns: see dialogue_id")
    source: str = Field(min_length=1, description="name of the adapter that read it")
    messages: tuple[Message, ...]
    format: FormatName | None = Field(None, description="prompt format, where not the run's")

    @field_validator("messages")
    @classmethod
    def _in_turns(cls, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        turns = messages[1:] if messages and messages[0].role == "system" else messages
        if not turns or len(turns) % 2:
            raise ValueError("the messages are not pairs of user and assistant")
        for index, message in enumerate(turns):
            if message.role != ("assistant" if index % 2 else "user"):
                raise ValueError("user and assistant do not take turns, the user first")
        for message in messages:
            if not message.content or message.content != message.content.strip():
                raise ValueError(f"a {message.role} message is empty or not stripped")
            if wrong := fault(message.content):
                raise ValueError(f"a {message.role} message cannot be used: {wrong}")
        return messages

    @property
    def question(self) -> str:
        """The patient's first words: what the split is decided by."""
        return next(message.content for message in self.messages if message.role == "user")

    def with_system(self, prompt: str) -> Dialogue:
        """The same dialogue under a system message; the id stays."""
        system = Message(role="system", content=prompt)
        return self.model_copy(update={"messages": (system, *self.messages)})

    def line(self) -> str:
        """One line of JSON, always the same bytes for the same dialogue."""
        record = self.model_dump(mode="json", exclude_none=True)
        return json.dumps(record, ensure_ascii=False) + "\n"


def fault(text: str) -> str | None:
    """Why a text cannot be used at all: NUL, or lone surrogates (bytes that were not UTF-8)."""
    if "\x00" in text:
        return "NUL character in the text"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "text is not valid UTF-8"
    return None


def dialogue_id(source: str, messages: Sequence[Message]) -> str:
    """``source-`` and 80 bits of the sha256 of the turns.

    It depends on nothing else: ids of datasets restart and repeat, and row numbers move when a
    file is edited; the same words keep their id.
    """
    return f"{source}-{content_digest(messages).hex()[:20]}"


def content_digest(messages: Sequence[Message]) -> bytes:
    """32 bytes that are equal for equal turns, and for no others."""
    turns = [[message.role, message.content] for message in messages]
    return hashlib.sha256(json.dumps(turns).encode()).digest()


def read_dialogues(path: Path) -> Iterator[Dialogue]:
    """The dialogues of a file that stage prepare wrote, each one validated, one in memory.

    Raises MedllmError naming the file and the line of the first that is not a Dialogue.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield Dialogue.model_validate_json(line)
                except ValidationError as error:
                    reason = error.errors()[0]["msg"].removeprefix("Value error, ")
                    raise MedllmError(
                        f"{path}:{number} is not a dialogue: {reason}.",
                        "Run `medllm prepare` again.",
                    ) from None
    except OSError as error:
        raise MedllmError(
            f"{path} cannot be read: {error.strerror}.", "Run `medllm prepare` first."
        ) from error
