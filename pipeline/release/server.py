"""The Ollama server: the one module that speaks to it.

What the ``ollama`` package can say goes through its client. What it cannot (the version, a blob
with progress, REQUIRES in a create request, which prompt was rendered) goes over the same HTTP API
with httpx. Every failure on the way becomes a MedllmError that names the host.

Source of the API: ``docs/api.md``, ``server/routes.go`` and ``envconfig/config.go`` in
github.com/ollama/ollama.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx
import ollama
from pydantic import BaseModel, JsonValue
from tqdm import tqdm

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import Message
from medllm.pipeline.release.modelfile_syntax import Modelfile
from medllm.pipeline.release.ollama_host import (
    MINIMUM_KEY,
    MINIMUM_VERSION,
    version_key,
)
from medllm.pipeline.release.wire import (
    AS_THE_MODELFILE_SAYS,
    ChatOptions,
    ChatReply,
    NotRendered,
    Rendered,
    Stored,
    TokenLogprobs,
    chat_request,
    file_chunks,
    one_line,
    reason,
)

_PROBE = httpx.Timeout(5)  # seconds
_TIMEOUT = httpx.Timeout(600, connect=5)  # between two bytes: a 70B model takes minutes to load

_Record = TypeVar("_Record", bound=BaseModel)


class _Refusal(Exception):
    """The server said no; its argument is what it gave as the reason."""


class Server:
    """An Ollama server that answered. Names of models are ``name:tag``."""

    def __init__(self, host: str) -> None:
        """``host`` is a URL; nothing is sent yet."""
        # A proxy has no business between two programs of one machine: prompts would leave it.
        direct = httpx.URL(host).host in ("127.0.0.1", "::1", "localhost")
        self.host = host
        self._http = httpx.Client(base_url=host, timeout=_TIMEOUT, trust_env=not direct)
        self._ollama = ollama.Client(host, timeout=_TIMEOUT, trust_env=not direct)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._ollama.close()  # type: ignore[no-untyped-call]

    def version(self) -> str:
        """The server's version. Raises MedllmError when it is not Ollama, or older than allowed."""
        with self._reaching("say its version"):
            return self.probe()

    def probe(self) -> str:
        """Like ``version``, but lets httpx's ConnectError and ConnectTimeout through."""
        found: object = None
        try:
            response = self._http.get("/api/version", timeout=_PROBE)
            if response.is_success:
                found = _object(response.json()).get("version")
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise
        except (httpx.HTTPError, ValueError):
            pass
        key = version_key(found) if isinstance(found, str) else None
        if key is None:
            raise MedllmError(
                f"What answers at {self.host} is not an Ollama server.",
                "Set OLLAMA_HOST to the address of one, or stop that program.",
            )
        if key < MINIMUM_KEY:
            raise MedllmError(
                f"The Ollama server at {self.host} is version {found}, with known security holes.",
                f"Install Ollama {MINIMUM_VERSION} or newer.",
            )
        return str(found)

    def digest(self, name: str) -> str | None:
        """The digest of a model's manifest, 64 hex digits, or None when it is not there."""
        with self._reaching("list its models"):
            models = self._ollama.list().models
        return next((model.digest for model in models if model.model == name), None)

    def has(self, name: str) -> bool:
        """Whether the server has this model."""
        return self.digest(name) is not None

    def show(self, name: str) -> Stored:
        """What the server keeps of a model."""
        doing = f"show {name}"
        return self._valid(Stored, self._post("/api/show", {"model": name}, doing), doing)

    def upload_blob(self, path: Path, sha256: str) -> str:
        """Give the server a file, unless it has it; returns its digest, ``sha256:…``.

        ``sha256`` is 64 hex digits; the server refuses a file that does not have that digest.
        """
        digest = f"sha256:{sha256}"
        with self._reaching(f"take {path.name}"):
            if self._http.head(f"/api/blobs/{digest}").is_success:
                return digest
            response = self._http.post(
                f"/api/blobs/{digest}",
                content=file_chunks(path),
                headers={"Content-Length": str(path.stat().st_size)},
            )
            _raise_error(response)
        return digest

    def create(self, name: str, digest: str, record: Modelfile) -> None:
        """Make a model of an uploaded GGUF and a Modelfile (whose FROM is not looked at)."""
        request: dict[str, JsonValue] = {
            "model": name,
            "files": {"medllm.gguf": digest},
            "template": record.template,
            "parameters": record.api_parameters(),
        }
        if record.system:
            request["system"] = record.system
        if record.licenses:
            request["license"] = list(record.licenses)
        if record.messages:
            request["messages"] = [message.model_dump() for message in record.messages]
        if record.requires:
            request["requires"] = record.requires
        status = None
        with (
            self._reaching(f"create {name}"),
            self._http.stream("POST", "/api/create", json=request) as response,
            tqdm(unit="B", unit_scale=True, leave=False, disable=None) as bar,
        ):
            if not response.is_success:
                response.read()
                _raise_error(response)
            for line in filter(None, response.iter_lines()):
                progress = _object(json.loads(line))
                if "error" in progress:  # arrives under HTTP 200
                    raise _Refusal(progress["error"])
                status = progress.get("status")
                bar.set_description(f"{name}: {status}", refresh=False)
                total, completed = progress.get("total"), progress.get("completed")
                if isinstance(total, int) and isinstance(completed, int):
                    bar.total = total
                    bar.update(completed - bar.n)
            if status != "success":
                raise _Refusal(f"the answer ended at {status!r} instead of 'success'")

    def copy(self, source: str, target: str) -> None:
        """Give a model a second name; its manifest stays the same."""
        with self._reaching(f"copy {source} to {target}"):
            self._ollama.copy(source, target)

    def delete(self, name: str) -> None:
        """Delete a model; one that is not there is no error."""
        with self._reaching(f"delete {name}"):
            try:
                self._ollama.delete(name)
            except ollama.ResponseError as error:
                if error.status_code != 404:
                    raise

    def rendered_prompt(
        self, name: str, messages: Sequence[Message], options: ChatOptions = AS_THE_MODELFILE_SAYS
    ) -> str:
        """The text that the server would show the model, without the BOS; loads the model.

        Raises NotRendered when the server answers as if it were asked for a reply.
        """
        doing = f"render a prompt for {name}"
        request = chat_request(name, messages, options) | {"_debug_render_only": True}
        answer = self._valid(Rendered, self._post("/api/chat", request, doing), doing)
        if answer.debug_info is None:
            raise NotRendered(
                f"The Ollama server at {self.host} gave a strange answer when asked to {doing}: "
                "it does not say what it rendered.",
                "Check that it is Ollama.",
            )
        return answer.debug_info.rendered_template

    def chat(
        self,
        name: str,
        messages: Sequence[Message],
        options: ChatOptions = AS_THE_MODELFILE_SAYS,
        *,
        top_logprobs: int | None = None,
    ) -> ChatReply:
        """One whole reply; ``top_logprobs`` (0–20) asks for the log probabilities of its tokens.

        A conversation that does not fit ``num_ctx`` is an error here: left to itself, Ollama drops
        its oldest messages without a word.
        """
        doing = f"answer as {name}"
        request = chat_request(name, messages, options)
        if top_logprobs is not None:
            request |= {"logprobs": True, "top_logprobs": top_logprobs}
        answer = self._valid(ollama.ChatResponse, self._post("/api/chat", request, doing), doing)
        return ChatReply(
            text=answer.message.content or "",
            done_reason=(answer.done_reason or "") if answer.done else "repeat",
            prompt_tokens=answer.prompt_eval_count or 0,
            tokens=answer.eval_count or 0,
            load_seconds=(answer.load_duration or 0) / 1e9,
            prompt_seconds=(answer.prompt_eval_duration or 0) / 1e9,
            generation_seconds=(answer.eval_duration or 0) / 1e9,
            logprobs=tuple(
                TokenLogprobs(
                    token.token,
                    token.logprob,
                    tuple((other.token, other.logprob) for other in token.top_logprobs or ()),
                )
                for token in answer.logprobs or ()
            ),
        )

    def stream(
        self, name: str, messages: Sequence[Message], options: ChatOptions = AS_THE_MODELFILE_SAYS
    ) -> Iterator[str]:
        """A reply, piece by piece as it is generated; one that repeats a token just ends."""
        with self._reaching(f"answer as {name}"):
            for piece in self._ollama.chat(
                model=name,
                messages=[message.model_dump() for message in messages],
                options=options.sent(),
                stream=True,
            ):
                if piece.message.content:
                    yield piece.message.content

    def _post(self, path: str, request: dict[str, JsonValue], doing: str) -> object:
        with self._reaching(doing):
            response = self._http.post(path, json=request)
            _raise_error(response)
            return response.json()

    def _valid(self, record: type[_Record], answer: object, doing: str) -> _Record:
        with self._reaching(doing):
            return record.model_validate(answer)

    @contextlib.contextmanager
    def _reaching(self, doing: str) -> Iterator[None]:
        """Turn whatever goes wrong between here and the server into one MedllmError."""
        try:
            yield
        except ollama.ResponseError as error:
            what = f"does not {doing}: {reason(error.error)}"
            fix = "Read the server's log."
        except _Refusal as error:
            what = f"does not {doing}: {reason(error.args[0])}"
            fix = "Read the server's log."
        except (httpx.TimeoutException, TimeoutError):
            what = f"was silent for too long when asked to {doing}"
            fix = "Try again, or start it again."
        except (httpx.HTTPError, ConnectionError) as error:
            what = (
                f"broke off when asked to {doing}: {one_line(str(error)) or type(error).__name__}"
            )
            fix = "Start it again with `ollama serve`."
        # AttributeError: the client meets an error body that is JSON but not an object
        except (ValueError, TypeError, AttributeError) as error:
            what = f"gave a strange answer when asked to {doing}: {one_line(str(error))}"
            fix = "Check that it is Ollama."
        else:
            return
        raise MedllmError(f"The Ollama server at {self.host} {what}.", fix) from None


def _raise_error(response: httpx.Response) -> None:
    if not response.is_success:
        raise _Refusal(response.text or response.reason_phrase)


def _object(answer: object) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise ValueError("not a JSON object")
    return answer
