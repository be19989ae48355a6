"""What an answer is made of: events, in the order in which they happen.

The texts of all ``TextPiece`` events, put together, are the whole answer as it is to be shown and
kept; ``Done`` comes last and holds it again, with the trace. Every record is plain data
(``model_dump_json`` writes it, ``EVENT.validate_json`` reads it).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

NodeName = Literal[
    "ask_user",
    "red_flag",
    "check_medical",
    "ask_doctor",
    "check_greeting",
    "ans_greeting",
    "static_idk_msg",
]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RedFlag(_Record):
    """An emergency that a rule found in the user's words."""

    id: str = Field(description="of the rule, as stroke")
    name: str = Field(description="of the emergency, as a patient reads it")
    evidence: tuple[str, ...] = Field(description="the user's words that the rule found")
    first_aid: str = Field(description="what to do until help is there; may be empty")
    guideline: str = Field(description="the public guideline behind the rule")


class ModelIdentity(_Record):
    """Which model answers, and whether it is known to be the one of the run."""

    name: str = Field(description="name:tag on the server, or the name of the GGUF")
    digest: str = Field(
        description="64 hex digits: of the model's manifest on the server, or sha256 of the GGUF"
    )
    verified: bool = Field(description="the digest was compared with what the run recorded")
    engine: str = Field(description="the program that runs it, with its version")


class NodeEntered(_Record):
    """The flow has come through a node."""

    kind: Literal["node"] = "node"
    node: NodeName
    seconds: float = Field(description="since the answer was asked for")
    reason: str = Field("", description="what was decided there, and by what")


class RedFlagsFound(_Record):
    """Emergencies were found; ``notice`` is shown at once and again as the first text piece."""

    kind: Literal["red_flags"] = "red_flags"
    flags: tuple[RedFlag, ...]
    notice: str = Field(description="names the emergency and the number; plain text")


class TextPiece(_Record):
    """The next piece of the answer; plain text, never markup to be trusted."""

    kind: Literal["text"] = "text"
    text: str
    origin: Literal["red_flag", "model", "flow"] = Field(
        description="a rule, the language model, or a sentence that never changes"
    )


class Done(_Record):
    """The answer is complete."""

    kind: Literal["done"] = "done"
    answer: str
    trace: tuple[NodeEntered, ...]
    flags: tuple[RedFlag, ...]
    model: ModelIdentity
    forgotten: int = Field(0, description="oldest messages that did not fit the model's context")
    pieces: int = Field(0, description="pieces of text that the model gave")
    first_piece_seconds: float | None = Field(None, description="until the model's first piece")
    seconds: float = Field(description="from question to end")


Event = NodeEntered | RedFlagsFound | TextPiece | Done
EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])
