"""The engines as inspect_ai's model API "medllm", for our own runs and for any inspect task.

With an Ollama server up, ``inspect eval some_task.py --model medllm/NAME:TAG`` goes through the
native streaming API (num_ctx and every option as given, nothing overridden); with
``-M file=model.gguf -M format=llama2`` through llama.cpp in this process, which renders the very
same prompt.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    Logprob,
    Logprobs,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    StopReason,
    TopLogprob,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from medllm.eval.engines.embedded import EmbeddedEngine
from medllm.eval.engines.engine import Sampling
from medllm.eval.engines.speaker import EmbeddedSpeaker, OllamaSpeaker, Request, Speaker
from medllm.pipeline.files import sha256_file
from medllm.pipeline.prompts import Message
from medllm.pipeline.release.ollama_host import host_from_environment
from medllm.pipeline.release.streaming import Hosts

_CONTEXT = 4096
_LIMIT = 512


@modelapi(name="medllm")
class MedllmAPI(ModelAPI):
    """A model of an Ollama server, or a GGUF in this process."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008  (inspect's own signature)
        speaker: Speaker | None = None,
        file: str | None = None,
        format: str = "llama2",
        num_ctx: int = _CONTEXT,
        **_: Any,
    ) -> None:
        """``speaker`` is used where a caller has one; else ``file``, else the server."""
        super().__init__(model_name, base_url, api_key, [], config)
        if speaker is None and file is not None:
            engine = EmbeddedEngine(Path(file), format, num_ctx)
            speaker = EmbeddedSpeaker(model_name, engine, sha256_file(Path(file)))
        if speaker is None:
            host = base_url or host_from_environment()[0]
            speaker = OllamaSpeaker(model_name, Hosts([host], model_name), num_ctx)
        self.speaker = speaker

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """One reply; with logprobs only the first token's are told, when max_tokens is 1."""
        request = Request(
            messages=tuple(_message(message) for message in input),
            max_tokens=config.max_tokens or _LIMIT,
            sampling=Sampling(
                temperature=config.temperature or 0.0,
                top_k=config.top_k or 40,
                top_p=1.0 if config.top_p is None else config.top_p,
                seed=config.seed or 0,
                stop=tuple(config.stop_seqs or ()),
            ),
            letters="ABCDEFGH" if config.logprobs and config.max_tokens == 1 else "",
        )
        said = await self.speaker.say(request)
        stop: StopReason = (
            "model_length" if said.refused else "stop" if said.ended else "max_tokens"
        )
        logprobs = None
        if said.first:
            tops = [TopLogprob(token=text, logprob=value) for text, value in said.first.items()]
            best = max(tops, key=lambda top: top.logprob)
            logprobs = Logprobs(
                content=[Logprob(token=best.token, logprob=best.logprob, top_logprobs=tops)]
            )
        choice = ChatCompletionChoice(
            message=ChatMessageAssistant(content=said.text, source="generate"),
            stop_reason=stop,
            logprobs=logprobs,
        )
        return ModelOutput(
            model=self.model_name,
            choices=[choice],
            usage=ModelUsage(output_tokens=said.tokens, total_tokens=said.tokens),
            time=said.seconds,
            error=said.refused,
            metadata={"first_token": said.first_token, "tokens_per_second": said.tokens_per_second},
        )

    def max_connections(self) -> int:
        """Requests under way; the queue of ``Hosts`` decides how many a server gets."""
        return self.speaker.at_once or 16


def _message(message: ChatMessage) -> Message:
    role = message.role if message.role in ("system", "user", "assistant") else "user"
    return Message.model_validate({"role": role, "content": message.text})
