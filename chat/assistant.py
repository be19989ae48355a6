"""The entrance to a chat: a conversation in, events out.

    with open_chat(config, paths) as chat:
        for event in chat.answer([Message(role="user", content="My chest hurts.")]):
            ...

Closing the iterator stops the generation. Events come as they happen: a red flag is there before
the model is asked anything.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Any, Self

from medllm.chat.conversation import checked
from medllm.chat.domain.greeting import is_greeting
from medllm.chat.domain.medical import MedicalCheck
from medllm.chat.domain.vectors import WordVectors, load_vectors
from medllm.chat.doses import begun, marked
from medllm.chat.events import (
    Done,
    Event,
    ModelIdentity,
    NodeEntered,
    RedFlag,
    RedFlagsFound,
    TextPiece,
)
from medllm.chat.flow import Conversation, Parts, State, build_flow
from medllm.chat.model import ChatModel, EngineChoice, open_model
from medllm.chat.redflags.layer import find_red_flags, notice
from medllm.eval.engines.engine import Sampling
from medllm.pipeline.config import RunConfig, RunPaths
from medllm.pipeline.manifest import MANIFEST, verify_files
from medllm.pipeline.prompts import Message


class Chat:
    """A model with the flow before it. Safe to use from many threads."""

    def __init__(
        self, model: ChatModel, emergency_number: str, vectors: WordVectors | None = None
    ) -> None:
        """``emergency_number`` is what people call where the chat is used, as shown to them."""
        self._model, self._number = model, emergency_number
        self._is_medical = MedicalCheck(vectors, model.first_token_logprobs)
        self._stack = ExitStack()

    @property
    def model(self) -> ModelIdentity:
        """Which model answers."""
        return self._model.identity

    @property
    def system_prompt(self) -> str:
        """SYSTEM of the Modelfile: what a conversation without a system message is answered by."""
        return self._model.modelfile.system

    @property
    def sampling(self) -> Sampling:
        """How words are drawn, as the Modelfile says."""
        return self._model.sampling

    def red_flags(self, conversation: Sequence[Message]) -> tuple[RedFlag, ...]:
        """The emergencies in the user's words, without asking any model."""
        return find_red_flags(checked(conversation))

    def answer(
        self,
        conversation: Sequence[Message],
        *,
        sampling: Sampling | None = None,
        max_tokens: int | None = None,
    ) -> Generator[Event, None, None]:
        """Answer the last message, which is the user's; a system message may stand first.

        ``sampling`` takes the place of the Modelfile's, ``max_tokens`` can only shorten. Raises
        MedllmError for a conversation that cannot be answered, before any event; and when the
        engine fails, after whatever was said: those events stand.
        """
        started = time.monotonic()

        def ask_doctor(messages: Conversation) -> Generator[str, None, None]:
            return marked(begun(self._model.stream(messages, sampling, max_tokens)))

        flow = build_flow(Parts(checked, find_red_flags, self._is_medical, is_greeting, ask_doctor))
        trace: list[NodeEntered] = []
        said: list[str] = []
        state: State = {}
        for update in _steps(flow, {"given": tuple(conversation)}):
            ((node, changes),) = update.items()
            state |= changes
            trace.append(
                NodeEntered(node=node, seconds=time.monotonic() - started, reason=state["reason"])
            )
            yield trace[-1]
            if node == "red_flag" and state["flags"]:
                text = notice(state["flags"], self._number)
                yield RedFlagsFound(flags=state["flags"], notice=text)
                said.append(text + "\n\n")
                yield TextPiece(text=said[-1], origin="red_flag")
        pieces, first = 0, None
        with closing(state["pieces"]) as words:
            for piece in words:
                if not piece:
                    continue
                if state["origin"] == "model":
                    pieces += 1
                    first = first or time.monotonic() - started
                said.append(piece)
                yield TextPiece(text=piece, origin=state["origin"])
        yield Done(
            answer="".join(said).strip(),
            trace=tuple(trace),
            flags=state["flags"],
            model=self.model,
            pieces=pieces,
            first_piece_seconds=first,
            seconds=time.monotonic() - started,
        )

    def close(self) -> None:
        """Free the model."""
        self._stack.close()

    def __enter__(self) -> Self:
        """Close the model at the end."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Free the model."""
        self.close()


def open_chat(config: RunConfig, paths: RunPaths, engine: EngineChoice = "auto") -> Chat:
    """A chat with the run's finished model.

    ``engine`` auto takes the Ollama server when it has the very model that stage create made, else
    the GGUF in this process. Raises MedllmError when there is no finished model, or when ollama is
    wanted and does not have it.
    """
    with ExitStack() as stack:
        folder = paths.stage("vectors")
        vectors = None
        if (folder / MANIFEST).exists():
            verify_files(folder)
            vectors = load_vectors(folder)
        model = open_model(config, paths, engine, stack)
        chat = Chat(model, config.chat.emergency_number, vectors)
        chat._stack = stack.pop_all()
        return chat


def _steps(flow: Any, state: State) -> Iterator[dict[str, State]]:
    """What each node changed, in order. Nothing of it goes to a tracing service."""
    from langsmith import tracing_context

    steps = flow.stream(state, stream_mode="updates")
    while True:
        with tracing_context(enabled=False):  # LANGSMITH_TRACING=true would send the words away
            update = next(steps, None)
        if update is None:
            return
        yield update
