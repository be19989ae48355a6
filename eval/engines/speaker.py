"""One question to a model and what it said: the same two records for every engine.

A ``Speaker`` is given conversations, never text, and renders them with the run's prompt format, so
that every engine shows the model the same bytes; ``check_prompts`` holds a real server to that.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from typing import Protocol

from pydantic import Field

from medllm.eval.engines.embedded import EmbeddedEngine
from medllm.eval.engines.engine import GREEDY, Sampling, chat_options, without_preset
from medllm.eval.records import Engine, Record
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import FORMATS, Message
from medllm.pipeline.release.modelfile import first_difference
from medllm.pipeline.release.server import Server
from medllm.pipeline.release.streaming import Hosts, NotThisRequestError
from medllm.pipeline.release.wire import ChatOptions

TOP = 20  # first tokens that Ollama tells the log probabilities of; it gives no more


class Request(Record):
    """What is asked of a model once."""

    messages: tuple[Message, ...]
    max_tokens: int
    sampling: Sampling = GREEDY
    letters: str = Field("", description="letters whose probability as first token is wanted")

    def key(self, model: str) -> str:
        """A name for this request to this model (its digest); equal requests have one name."""
        content = [
            *(model, self.max_tokens, asdict(self.sampling), self.letters),
            [(message.role, message.content) for message in self.messages],
        ]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class Said(Record):
    """What a model said; seconds as seen from here."""

    text: str
    tokens: int
    ended: bool = Field(description="by itself; False when the limit or a loop cut it")
    first: dict[str, float] | None = Field(
        None,
        description="first token: text -> natural log probability; empty when the model says "
        "nothing, None when the engine tells none",
    )
    refused: str | None = Field(None, description="why this request could not be answered")
    seconds: float = 0.0
    first_token: float | None = None
    tokens_per_second: float | None = None
    load: float = 0.0


class Speaker(Protocol):
    """A model that answers, wherever it runs."""

    name: str
    engine: Engine
    digest: str  # of what answers: the file's sha256, or the server's digest of the model
    at_once: int  # requests that make sense at the same time; 0: the engine finds out

    async def say(self, request: Request) -> Said:
        """Answer one request. Raises MedllmError when nothing can answer any more."""

    def prompt(self, messages: Sequence[Message]) -> str:
        """The text that the model is shown, without the BOS that the tokenizer adds."""

    async def close(self) -> Engine:
        """Let go of it; returns what ran, with the digest found at the end."""


class EmbeddedSpeaker:
    """A GGUF on llama.cpp in this process."""

    at_once = 1

    def __init__(self, name: str, engine: EmbeddedEngine, sha256: str) -> None:
        """``engine`` is open and stays the caller's; ``sha256`` is its file's."""
        self.name, self._engine, self.digest = name, engine, sha256
        self.engine = Engine(program=engine.description)

    async def say(self, request: Request) -> Said:
        """Answer one request."""
        room = self._engine.room(request.messages)
        if room < 1:
            return does_not_fit(self._engine.context)
        started = time.perf_counter()
        if request.letters and request.max_tokens == 1:
            first = self._engine.first_token_logprobs(request.messages, TOP, request.letters)
            return Said(
                text=max(first, key=lambda text: first[text]).strip(),
                tokens=1,
                ended=False,
                first=first,
                seconds=time.perf_counter() - started,
            )
        reply = self._engine.reply(request.messages, request.max_tokens, request.sampling)
        return Said(
            text=reply.text,
            tokens=reply.tokens,
            ended=reply.ended_by_itself,
            seconds=reply.seconds,
            first_token=reply.first_token,
            tokens_per_second=_rate(reply.tokens, reply.seconds, reply.first_token),
        )

    def prompt(self, messages: Sequence[Message]) -> str:
        """The text that the model is shown, without the BOS that the tokenizer adds."""
        return self._engine.prompt(messages)

    async def close(self) -> Engine:
        """Nothing to let go of: the caller closes the engine."""
        return self.engine


class OllamaSpeaker:
    """A model on Ollama servers, through their native API.

    Every option that matters is sent, so that nothing depends on a server's own. ``preset`` are
    the Modelfile's MESSAGE lines: the server puts them into every conversation itself, so they are
    taken out of what is sent.
    """

    at_once = 0

    def __init__(
        self, name: str, hosts: Hosts, context: int, preset: Sequence[Message] = ()
    ) -> None:
        """``context`` is the window in tokens."""
        self.name, self.hosts, self._context = name, hosts, context
        self._preset = tuple(preset)
        self.digest = hosts.digest
        with closing(Server(hosts.hosts[0])) as server:
            program = f"Ollama {server.version()}"
        self.engine = Engine(program=program, served_as=hosts.model, digest=hosts.digest)

    async def say(self, request: Request) -> Said:
        """Answer one request."""
        options = chat_options(request.sampling, self._context, request.max_tokens)
        try:
            reply = await self.hosts.chat(
                without_preset(request.messages, self._preset),
                options,
                top_logprobs=TOP if request.letters else None,
            )
        except NotThisRequestError as error:
            return Said(text="", tokens=0, ended=False, refused=f"the server refuses it: {error}")
        return Said(
            text=reply.text.strip(),
            tokens=reply.tokens,
            ended=reply.done_reason == "stop",
            first=reply.first,
            seconds=reply.seconds,
            first_token=reply.first_token,
            tokens_per_second=reply.tokens_per_second,
            load=reply.load,
        )

    def prompt(self, messages: Sequence[Message]) -> str:
        """The text that the first server shows the model, without the BOS."""
        with closing(Server(self.hosts.hosts[0])) as server:
            options = ChatOptions(num_ctx=self._context)
            return server.rendered_prompt(
                self.hosts.model, without_preset(messages, self._preset), options
            )

    async def close(self) -> Engine:
        """Close the connections and look whether the model is still the one that was asked."""
        await self.hosts.close()
        return self.engine.model_copy(update={"digest_after": self.hosts.check()})


def does_not_fit(context: int) -> Said:
    """The answer to a conversation that leaves no room for a reply."""
    reason = f"it does not fit a context of {context} tokens"
    return Said(text="", tokens=0, ended=False, refused=reason)


def check_prompts(
    speaker: Speaker, conversations: Sequence[Sequence[Message]], format_name: str
) -> None:
    """Compare what an engine shows the model with what training showed it, byte for byte.

    Raises MedllmError with the first difference.
    """
    for messages in conversations:
        trained, shown = FORMATS[format_name].prompt(messages), speaker.prompt(messages)
        if shown != trained:
            raise MedllmError(
                f"{speaker.engine.program} does not show the model what it was trained on: "
                f"{first_difference(trained, shown)}.",
                "Run stage modelfile and create again; if it stays, report it with this line.",
            )


def _rate(tokens: int, seconds: float, first_token: float | None) -> float | None:
    """Tokens a second after the first one."""
    spent = seconds - (first_token or math.inf)
    return (tokens - 1) / spent if tokens > 1 and spent > 0 else None
