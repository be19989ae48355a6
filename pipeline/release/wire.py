"""Records of what goes to an Ollama server and what comes back."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from tqdm import tqdm

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import Message

_CHUNK = 2**20  # bytes of a blob read at once

# Ollama's options (``api.Options``) that are numbers: type, least and greatest sensible value.
NUMBERS: dict[str, tuple[type[int] | type[float], float, float]] = {
    "num_ctx": (int, 1, 2**20),
    "num_predict": (int, -2, 2**20),
    "num_keep": (int, -1, 2**20),
    "num_batch": (int, 1, 2**20),
    "num_gpu": (int, -1, 2**20),
    "main_gpu": (int, 0, 1024),
    "num_thread": (int, 0, 4096),
    "draft_num_predict": (int, 0, 1024),
    "seed": (int, -1, 2**31 - 1),
    "top_k": (int, 0, 2**20),
    "top_p": (float, 0, 1),
    "min_p": (float, 0, 1),
    "typical_p": (float, 0, 1),
    "temperature": (float, 0, 2),
    "repeat_last_n": (int, -1, 2**20),
    "repeat_penalty": (float, 0.1, 10),
    "presence_penalty": (float, -2, 2),
    "frequency_penalty": (float, -2, 2),
}


class ChatOptions(BaseModel):
    """How a reply is drawn; what is None is left to the model's Modelfile."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    num_ctx: int | None = Field(None, description="context, tokens")
    num_predict: int | None = Field(None, description="longest reply, tokens")
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repeat_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] | None = None

    def sent(self) -> dict[str, JsonValue]:
        """``options`` of a request."""
        return self.model_dump(mode="json", exclude_none=True)


AS_THE_MODELFILE_SAYS = ChatOptions()


class TokenLogprobs(NamedTuple):
    """One generated token, and the likeliest ones in its place, with natural log probabilities."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...]  # the likeliest first; two may have the same text


class ChatReply(NamedTuple):
    """A whole reply; times in seconds, as the server measured them.

    ``done_reason`` is "stop", "length" when num_predict or the context cut the reply, or "repeat":
    Ollama breaks off when one token comes more than thirty times in a row, and says nothing else
    about such a reply, so that every count and time is then 0.
    """

    text: str
    done_reason: str
    prompt_tokens: int
    tokens: int
    load_seconds: float
    prompt_seconds: float
    generation_seconds: float
    logprobs: tuple[TokenLogprobs, ...]  # one a token when asked for, else empty


class Stored(BaseModel):
    """What a server says it keeps of a model (POST /api/show)."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    modelfile: str
    template: str
    system: str = ""
    parameters: str = ""
    license: str = ""

    @property
    def layer(self) -> str:
        """The digest of the model layer: Ollama's rewritten GGUF, not the file it was given."""
        match = re.search(r"^FROM \S*sha256[-:]([0-9a-f]{64})$", self.modelfile, re.MULTILINE)
        return f"sha256:{match[1]}" if match else ""

    def parameter_set(self) -> set[tuple[str, str | float | bool]]:
        """The parameters, one pair a line: Go prints texts quoted, numbers and truths bare."""
        pairs = (line.split(maxsplit=1) for line in self.parameters.splitlines())
        return {(name, json.loads(value)) for name, value in pairs}


class _DebugInfo(BaseModel):
    rendered_template: str


class Rendered(BaseModel):
    """The answer to ``_debug_render_only``; None from a server that does not know the option."""

    debug_info: _DebugInfo | None = Field(None, alias="_debug_info")


class NotRendered(MedllmError):
    """The server generated a reply instead of saying which prompt it rendered."""


def chat_request(
    name: str, messages: Sequence[Message], options: ChatOptions
) -> dict[str, JsonValue]:
    """A request to POST /api/chat that is answered whole or not at all."""
    return {
        "model": name,
        "messages": [message.model_dump() for message in messages],
        "options": options.sent(),
        "stream": False,
        "truncate": False,  # of the conversation, before the reply
        "shift": False,  # of the context, during the reply
    }


def file_chunks(path: Path) -> Iterator[bytes]:
    """A file piece by piece, with a progress bar."""
    with (
        path.open("rb") as file,
        tqdm(
            total=path.stat().st_size,
            desc=f"uploading {path.name}",
            unit="B",
            unit_scale=True,
            leave=False,
            disable=None,
        ) as bar,
    ):
        while chunk := file.read(_CHUNK):
            yield chunk
            bar.update(len(chunk))


def reason(error: object) -> str:
    """The innermost message: Ollama passes on its runner's JSON errors as texts of its own."""
    if isinstance(error, str):
        with contextlib.suppress(ValueError):
            if isinstance(inner := json.loads(error), dict):
                return reason(inner)
    if isinstance(error, dict) and (error.get("error") or error.get("message")):
        return reason(error.get("error") or error["message"])
    return one_line(str(error))


def one_line(text: str) -> str:
    """A text from elsewhere, fit for an error message."""
    return " ".join(text.split())[:300].rstrip(".")
