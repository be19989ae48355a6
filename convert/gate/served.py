"""The gate at an Ollama server: what it renders, and what it makes of typed control strings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from pydantic import BaseModel, ConfigDict

from medllm.convert.gate.agreement import TokenGate
from medllm.convert.gate.texts import TYPED_CONTROLS, Conversation
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import Message
from medllm.pipeline.release.modelfile import first_difference
from medllm.pipeline.release.modelfile_syntax import Modelfile
from medllm.pipeline.release.neutralise import neutralised
from medllm.pipeline.release.server import Server
from medllm.pipeline.release.wire import ChatOptions

_SEEDS = 8  # tries at a count
_SAMPLE = 24  # prompts that the server is shown
_ROOM = 8  # tokens left free in its context
_ARRANGEMENTS = ("{}", "I have {} here", "{}x", "x{}")


class TypedControl(BaseModel):
    """A control string in somebody's words, and the tokens that each reader makes of the prompt."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    role: str  # who typed it
    text: str
    training_ids: tuple[int, ...]
    parsed_ids: tuple[int, ...]  # llama.cpp on the rendered prompt, control strings obeyed
    server_tokens: int  # prompt_eval_count
    neutralised_tokens: int  # the same of the neutralised text, which training counts alike

    @property
    def obeyed(self) -> bool:
        """Whether the server reads a control token where training reads words."""
        return self.training_ids != self.parsed_ids


class ServerReport(BaseModel):
    """What was compared with a server."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    host: str
    version: str
    model: str
    prompts: int  # rendered as training renders them, byte for byte, and as many tokens
    typed: tuple[TypedControl, ...]


def compare_with_server(
    gate: TokenGate,
    server: Server,
    model: str,
    record: Modelfile,
    conversations: Iterable[Conversation],
    context: int,
) -> ServerReport:
    """Show a server prompts and compare what it renders and counts with training.

    ``record`` is the model's Modelfile, ``context`` its window in tokens; longer prompts are left
    out. Raises MedllmError when a prompt is rendered or counted otherwise than in training, and
    when a neutralised text still is; control strings that the server obeys are reported.
    """
    compared = 0
    for messages in islice(_prompts(gate, record, conversations, context), _SAMPLE):
        _compare(gate, server, model, record, messages)
        compared += 1
    typed = tuple(
        _typed(gate, server, model, record, role, arrangement.format(control))
        for role in ("user", "system", "assistant")
        for control in TYPED_CONTROLS
        for arrangement in (_ARRANGEMENTS if role == "user" else _ARRANGEMENTS[1:2])
    )
    return ServerReport(
        host=server.host, version=server.version(), model=model, prompts=compared, typed=typed
    )


def _prompts(
    gate: TokenGate, record: Modelfile, conversations: Iterable[Conversation], context: int
) -> Iterator[tuple[Message, ...]]:
    """What can be asked of the server: up to the last answer, short enough, nothing obeyed."""
    for conversation in conversations:
        messages = conversation.messages[:-1]
        shown = record.conversation(messages)
        ids = gate.prompt_ids(shown)
        if len(ids) + _ROOM <= context and gate.served(shown) == ids:
            yield messages


def _compare(
    gate: TokenGate,
    server: Server,
    model: str,
    record: Modelfile,
    messages: tuple[Message, ...],
) -> int:
    """Refuse a prompt that the server renders or counts otherwise; returns its tokens."""
    shown = record.conversation(messages)
    expected, found = gate.format.prompt(shown), server.rendered_prompt(model, messages)
    if found != expected:
        raise MedllmError(
            f"The Ollama server at {server.host} shows {model} a prompt that training never did: "
            f"{first_difference(expected, found)}.",
            "Check that the server runs without OLLAMA_GO_TEMPLATE, and report the prompt.",
        )
    trained = len(gate.prompt_ids(shown))
    counted = _counted(server, model, messages)
    if counted != trained:
        raise MedllmError(
            f"The Ollama server at {server.host} reads {counted} tokens where training reads "
            f"{trained}, in {expected[-80:]!r}.",
            "Make the model again with stage create; if it stays, report the prompt.",
        )
    return counted


def _counted(server: Server, model: str, messages: tuple[Message, ...]) -> int:
    """Tokens of a prompt as the server counts them, before one token of a reply.

    A reply that ends in the middle of a character is answered with an empty object, without counts;
    another seed draws another token.
    """
    for seed in range(_SEEDS):
        options = ChatOptions(num_predict=1, temperature=1.0, seed=seed)
        if tokens := server.chat(model, messages, options).prompt_tokens:
            return tokens
    raise MedllmError(
        f"The Ollama server at {server.host} does not say how many tokens a prompt has.",
        "Try again; if it stays, report the server's version.",
    )


def _typed(
    gate: TokenGate, server: Server, model: str, record: Modelfile, role: str, text: str
) -> TypedControl:
    messages = _with_words(role, text)
    shown = record.conversation(messages)
    return TypedControl(
        role=role,
        text=text,
        training_ids=tuple(gate.prompt_ids(shown)),
        parsed_ids=tuple(gate.served(shown)),
        server_tokens=_counted(server, model, messages),
        neutralised_tokens=_compare(
            gate, server, model, record, _with_words(role, neutralised(text, gate.controls))
        ),
    )


def _with_words(role: str, text: str) -> tuple[Message, ...]:
    """A conversation in which one role says a text, short enough for any context."""
    asked = Message(role="user", content="Is that all?")
    if role == "system":
        return Message(role="system", content=text), asked
    system = Message(role="system", content="Be brief.")
    if role == "assistant":
        return system, asked, Message(role="assistant", content=text), asked
    return system, Message(role="user", content=text)
