"""One model that answers one conversation at a time: in this process, or on an Ollama server.

An engine is given conversations, never text, and renders them with the run's prompt format. The
engine in this process is ``medllm.eval.engines.embedded``; an evaluation, which asks many things at
once, goes through ``medllm.eval.engines.speaker``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from medllm.pipeline.prompts import Message
from medllm.pipeline.release.server import Server
from medllm.pipeline.release.wire import ChatOptions


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn; the default is greedy, without any penalty or stop string."""

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 1.0
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()


GREEDY = Sampling()


class Reply(NamedTuple):
    """A generated reply; ``ended_by_itself`` is False when the token limit cut it."""

    text: str
    tokens: int
    ended_by_itself: bool
    seconds: float
    first_token: float | None  # seconds until it; None: nothing came, or the engine does not tell


class Engine(Protocol):
    """A loaded model that answers conversations."""

    @property
    def description(self) -> str:
        """Which program runs the model, with its version."""

    def prompt(self, messages: Sequence[Message]) -> str:
        """The text that the model is shown, without the BOS that the tokenizer adds."""

    def first_token_logprobs(self, messages: Sequence[Message], top: int) -> dict[str, float]:
        """The ``top`` most probable first tokens of the reply: text -> natural log probability.

        Tokens with one text (a letter and its byte) are added up. Empty when the most probable
        first token ends the reply: the model says nothing then.
        """

    def reply(
        self, messages: Sequence[Message], max_tokens: int, sampling: Sampling = GREEDY
    ) -> Reply:
        """Generate a whole reply."""

    def stream(
        self, messages: Sequence[Message], max_tokens: int, sampling: Sampling = GREEDY
    ) -> Iterator[str]:
        """Generate a reply, piece by piece as it comes."""


class OllamaEngine:
    """A model of an Ollama server, through its native API.

    Every option that matters is sent, so that nothing depends on the Modelfile's or the server's
    own. ``preset`` are the Modelfile's MESSAGE lines: the server puts them into every conversation
    itself, so they are taken out of what is sent.
    """

    def __init__(
        self, server: Server, name: str, context: int, preset: Sequence[Message] = ()
    ) -> None:
        """``name`` is model:tag, ``context`` the window in tokens; nothing is sent yet."""
        self._server, self._name, self._context = server, name, context
        self._preset = tuple(preset)
        self.description = f"Ollama {server.version()}"

    def prompt(self, messages: Sequence[Message]) -> str:
        """The text that the server shows the model, without the BOS that the tokenizer adds."""
        options = ChatOptions(num_ctx=self._context)
        return self._server.rendered_prompt(
            self._name, without_preset(messages, self._preset), options
        )

    def first_token_logprobs(self, messages: Sequence[Message], top: int) -> dict[str, float]:
        """The ``top`` (at most 20) most probable first tokens: text -> natural log probability.

        Empty when the most probable first token ends the reply: Ollama reports none then.
        """
        answer = self._server.chat(
            self._name,
            without_preset(messages, self._preset),
            chat_options(GREEDY, self._context, 1),
            top_logprobs=top,
        )
        found: dict[str, float] = {}
        for token in answer.logprobs[:1]:
            for text, logprob in token.top:
                earlier = math.exp(found[text]) if text in found else 0.0
                found[text] = math.log(earlier + math.exp(logprob)) if earlier else logprob
        return found

    def reply(
        self, messages: Sequence[Message], max_tokens: int, sampling: Sampling = GREEDY
    ) -> Reply:
        """Generate a whole reply."""
        started = time.perf_counter()
        options = chat_options(sampling, self._context, max_tokens)
        answer = self._server.chat(self._name, without_preset(messages, self._preset), options)
        seconds = time.perf_counter() - started
        return Reply(
            answer.text.strip(), answer.tokens, answer.done_reason == "stop", seconds, None
        )

    def stream(
        self, messages: Sequence[Message], max_tokens: int, sampling: Sampling = GREEDY
    ) -> Iterator[str]:
        """Generate a reply, piece by piece as it comes."""
        options = chat_options(sampling, self._context, max_tokens)
        yield from self._server.stream(self._name, without_preset(messages, self._preset), options)


def chat_options(sampling: Sampling, context: int, max_tokens: int) -> ChatOptions:
    """Every option that matters, so that nothing depends on the Modelfile's or a server's own."""
    return ChatOptions(
        num_ctx=context,
        num_predict=max_tokens,
        temperature=sampling.temperature,
        top_k=sampling.top_k,
        top_p=sampling.top_p,
        min_p=sampling.min_p,
        repeat_penalty=sampling.repeat_penalty,
        seed=sampling.seed,
        stop=sampling.stop,
    )


def without_preset(messages: Sequence[Message], preset: tuple[Message, ...]) -> list[Message]:
    """A conversation without the MESSAGE lines that the server puts into it by itself."""
    first = int(messages[0].role == "system")
    last = first + len(preset)
    inside = tuple(messages[first:last]) == preset
    return [*messages[:first], *messages[last if inside else first :]]


def split_at_stop(text: str, stops: Sequence[str]) -> tuple[str, bool, str]:
    """Text that is safe to show, whether a stop string came, and what may be one's beginning."""
    found = [place for stop in stops if (place := text.find(stop)) >= 0]
    if found:
        return text[: min(found)], True, ""
    for size in range(min(len(text), max(map(len, stops), default=0)), 0, -1):
        if any(stop.startswith(text[-size:]) for stop in stops):
            return text[:-size], False, text[-size:]
    return text, False, ""


def spelt_letter(token: str) -> str | None:
    """The capital letter that a token is, if it is nothing else.

    A spelling is the letter with white space, SentencePiece's ▁ or an opening mark before it and
    closing punctuation after it: "A", " A", "▁A", "(A", "A.".
    """
    bare = token.strip().lstrip("▁(*").rstrip(".):,*")
    return bare if len(bare) == 1 and bare.isascii() and bare.isupper() else None
