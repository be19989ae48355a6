"""The model behind a chat: the run's own, on an Ollama server or in this process.

SYSTEM and parameters are those of the run's Modelfile, whichever engine answers.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing, nullcontext
from typing import Literal

from medllm.chat.events import ModelIdentity
from medllm.eval.ask import number_of, published_gguf, published_on, sampling_of
from medllm.eval.engines.embedded import EmbeddedEngine
from medllm.eval.engines.engine import Engine, OllamaEngine, Sampling
from medllm.pipeline.config import RunConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import verify_inputs
from medllm.pipeline.prompts import Message
from medllm.pipeline.release.finding import find_server
from medllm.pipeline.release.modelfile_syntax import Modelfile, read_modelfile
from medllm.pipeline.release.neutralise import neutralised
from medllm.pipeline.release.server import Server

EngineChoice = Literal["auto", "ollama", "embedded"]


class ChatModel:
    """An engine with the Modelfile that it answers by.

    The embedded engine answers one conversation at a time: others wait until ``stream`` is
    exhausted or closed. The server takes as many as it is set up for.
    """

    def __init__(
        self, engine: Engine, modelfile: Modelfile, context: int, identity: ModelIdentity
    ) -> None:
        """``context`` is the window in tokens."""
        self.engine, self.modelfile, self.context = engine, modelfile, context
        self.identity = identity
        self.sampling = sampling_of(modelfile)
        self._serves_many = isinstance(engine, OllamaEngine)
        self._turn = nullcontext() if self._serves_many else threading.Lock()

    @property
    def max_tokens(self) -> int:
        """The longest reply in tokens, as the Modelfile says."""
        limit = int(number_of(self.modelfile, "num_predict"))
        return limit if limit > 0 else self.context

    def prompt_of(self, conversation: Sequence[Message]) -> tuple[Message, ...]:
        """What the model is shown: SYSTEM unless the conversation has its own, then its turns."""
        messages = self.modelfile.conversation(tuple(conversation))
        if not self._serves_many:
            return messages
        return tuple(m.model_copy(update={"content": neutralised(m.content)}) for m in messages)

    def stream(
        self,
        conversation: Sequence[Message],
        sampling: Sampling | None = None,
        max_tokens: int | None = None,
    ) -> Generator[str, None, None]:
        """The model's words as they come; closing the iterator stops the generation."""
        longest = min(max_tokens or self.max_tokens, self.max_tokens)
        with self._turn:
            yield from self.engine.stream(
                self.prompt_of(conversation), longest, sampling or self.sampling
            )

    def first_token_logprobs(self, messages: Sequence[Message], top: int) -> dict[str, float]:
        """The most probable first tokens of a reply: text -> natural log probability."""
        with self._turn:
            return self.engine.first_token_logprobs(self.prompt_of(messages), top)


def open_model(
    config: RunConfig, paths: RunPaths, choice: EngineChoice, stack: ExitStack
) -> ChatModel:
    """The run's model; what has to be closed later goes onto the stack.

    ``auto`` takes the Ollama server when it has the very model that stage create made, else the
    GGUF in this process. Raises MedllmError when there is no finished model.
    """
    verify_inputs("create", "modelfile", paths.stage("modelfile"))
    modelfile = read_modelfile(paths.stage("modelfile") / "Modelfile")
    server = None if choice == "embedded" else find_server()
    if server is not None:
        stack.callback(server.close)
        model = _from_ollama(server, config, paths, modelfile)
        if model is not None:
            return model
    if choice == "ollama":
        raise MedllmError(
            f"No Ollama server has {config.create.name}:latest as stage create made it.",
            "Start the server and run `medllm create`, or take --engine embedded.",
        )
    return _embedded(config, paths, modelfile, stack)


def _from_ollama(
    server: Server, config: RunConfig, paths: RunPaths, modelfile: Modelfile
) -> ChatModel | None:
    """The published model on the server, or None when it is not the one of the receipt."""
    found = published_on(server, config, paths)
    if found is None:
        return None
    name, digest = found
    context = int(number_of(modelfile, "num_ctx"))
    engine = OllamaEngine(server, name, context, modelfile.messages)
    identity = ModelIdentity(
        name=name,
        digest=digest,
        verified=True,
        engine=f"{engine.description} at {server.host}",
    )
    return ChatModel(engine, modelfile, context, identity)


def _embedded(
    config: RunConfig, paths: RunPaths, modelfile: Modelfile, stack: ExitStack
) -> ChatModel:
    """The GGUF that the Modelfile names, on llama.cpp in this process."""
    path, sha256 = published_gguf(paths, modelfile)
    context = int(number_of(modelfile, "num_ctx"))
    engine = stack.enter_context(closing(EmbeddedEngine(path, config.modelfile.format, context)))
    identity = ModelIdentity(
        name=path.name, digest=sha256, verified=True, engine=engine.description
    )
    return ChatModel(engine, modelfile, engine.context, identity)
