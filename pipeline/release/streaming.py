"""Many replies from one or several Ollama servers at once, streamed, with their times.

The native ``POST /api/chat``: unlike ``/v1`` it takes ``num_ctx``, leaves the temperature alone and
says how long loading took. One queue feeds all servers: a request goes to whichever has a place
free. What a dying or wrong server answers (a broken stream, HTML, a line that is no JSON, nothing
at all) is tried again, on another server where there is one, and is in the end one MedllmError.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Sequence
from contextlib import closing
from typing import Any, NamedTuple

import httpx

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import Message
from medllm.pipeline.release.server import Server
from medllm.pipeline.release.wire import ChatOptions, chat_request, one_line, reason

ATTEMPTS = 4
_WAIT = 0.5  # seconds before the second attempt, doubled before each further one
_TIMEOUT = httpx.Timeout(600, connect=5)
_REPEATED = 30  # equal pieces at the end after which Ollama breaks off without a word
_MOST = 8  # requests at once that are tried out


class Streamed(NamedTuple):
    """A whole reply; times in seconds, ``first_token`` and ``seconds`` as seen from here."""

    text: str
    done_reason: str  # stop, length or repeat
    tokens: int
    load: float
    first_token: float | None  # None: nothing was said
    seconds: float
    tokens_per_second: float | None  # by the server's clock
    first: dict[str, float] | None  # first token: text -> log probability; None: server has none


class NotThisRequestError(Exception):
    """The server refuses this request, whoever asks: the prompt does not fit, for example."""


class _TryAgainError(Exception):
    """The server failed in a way that may pass."""


class _BrokeOffError(_TryAgainError):
    """A stream that ended in good order, but without its last line."""

    def __init__(self, reply: Streamed) -> None:
        super().__init__("the answer broke off")
        self.reply = reply


class Hosts:
    """The same model on one or several servers, each with ``parallel`` places.

    Raises MedllmError when the servers do not hold the very same model. Works inside one running
    event loop; ``close`` belongs there too.
    """

    def __init__(self, hosts: Sequence[str], model: str, parallel: int | None = None) -> None:
        """``model`` is name:tag; ``parallel`` None tries out how many each server runs at once."""
        self.hosts, self.model = tuple(dict.fromkeys(hosts)), model
        self.digest = self.check()
        self._parallel = parallel
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._free: asyncio.Queue[str] | None = None
        self._opening: asyncio.Lock | None = None
        self.places = 0

    def check(self) -> str:
        """The model's digest, equal on all servers and to the one seen first."""
        found: dict[str, str] = {}
        for host in self.hosts:
            with closing(Server(host)) as server:
                digest = server.digest(self.model)
            if digest is None:
                raise MedllmError(
                    f"The Ollama server at {host} has no {self.model}.",
                    "Create or pull it there, or leave that host out of eval.hosts.",
                )
            found[host] = digest
        known = getattr(self, "digest", None) or found[self.hosts[0]]
        for host, digest in found.items():
            if digest != known:
                raise MedllmError(
                    f"{self.model} at {host} is {digest[:12]} and not {known[:12]}: its answers "
                    "would be those of another model.",
                    "Put the same model on every server, leave it alone, and evaluate again.",
                )
        return known

    async def chat(
        self,
        messages: Sequence[Message],
        options: ChatOptions,
        *,
        top_logprobs: int | None = None,
    ) -> Streamed:
        """One reply. Raises NotThisRequestError, or MedllmError when no server can give it."""
        request = chat_request(self.model, messages, options) | {"stream": True}
        if top_logprobs is not None:
            request |= {"logprobs": True, "top_logprobs": top_logprobs}
        free = await self._places()
        problem, cut = "", None
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(_WAIT * 2 ** (attempt - 1))
            host = await free.get()
            try:
                return await self._once(host, request)
            except (_TryAgainError, httpx.HTTPError, OSError) as error:
                # Ollama ends a reply of 30 equal tokens without a word. Tokens of part of a
                # character are among them and are not sent, so only the same end twice tells.
                if isinstance(error, _BrokeOffError):
                    if cut == error.reply.text:
                        return error.reply
                    cut = error.reply.text
                problem = f"at {host}: {one_line(str(error)) or type(error).__name__}"
            finally:
                free.put_nowait(host)
        raise MedllmError(
            f"After {ATTEMPTS} attempts {self.model} does not answer {problem}.",
            "Look at the server and its log, then run it again: what is finished is kept.",
        )

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.aclose()
        self._clients, self._free, self._opening = {}, None, None

    async def _places(self) -> asyncio.Queue[str]:
        if self._free is None:
            self._opening = self._opening or asyncio.Lock()
            async with self._opening:
                if self._free is None:
                    self._free = await self._open()
        return self._free

    async def _open(self) -> asyncio.Queue[str]:
        free: asyncio.Queue[str] = asyncio.Queue()
        places = []
        for host in self.hosts:
            direct = httpx.URL(host).host in ("127.0.0.1", "::1", "localhost")
            self._clients[host] = httpx.AsyncClient(
                base_url=host, timeout=_TIMEOUT, trust_env=not direct
            )
            places.append(self._parallel or await self._capacity(host))
        for turn in range(max(places)):  # in turns, so that all servers start at once
            for host, count in zip(self.hosts, places, strict=True):
                if turn < count:
                    free.put_nowait(host)
        self.places = sum(places)
        return free

    async def _capacity(self, host: str) -> int:
        """How many replies a server generates at the same time: 1, 2, 4 or 8.

        The API does not tell OLLAMA_NUM_PARALLEL. Requests that all get their first token before
        any of them has ended were generated together; the others waited for each other.
        """
        options = ChatOptions(num_predict=24, temperature=0.0)
        request = chat_request(self.model, [Message(role="user", content="Count.")], options)
        request |= {"stream": True}
        try:
            await self._once(host, request)  # loads the model
            found = 1
            while found < _MOST:
                began = time.perf_counter()
                tried = await asyncio.gather(
                    *(self._timed(host, request, began) for _ in range(2 * found))
                )
                if max(first for first, _ in tried) >= min(end for _, end in tried):
                    break
                found *= 2
        except (_TryAgainError, NotThisRequestError, httpx.HTTPError, OSError):
            return 1  # what is wrong shows, with its words, at the first real request
        return found

    async def _timed(self, host: str, request: dict[str, Any], began: float) -> tuple[float, float]:
        sent = time.perf_counter() - began
        reply = await self._once(host, request)
        return sent + (reply.first_token or reply.seconds), sent + reply.seconds

    async def _once(self, host: str, request: dict[str, Any]) -> Streamed:
        started = time.perf_counter()
        pieces: list[str] = []
        first_at: float | None = None
        first: dict[str, float] | None = None
        last: dict[str, Any] = {}
        async with self._clients[host].stream("POST", "/api/chat", json=request) as response:
            if not response.is_success:
                said = reason((await response.aread()).decode(errors="replace"))
                if response.status_code >= 500 or response.status_code in (408, 429):
                    raise _TryAgainError(f"status {response.status_code}: {said}")
                raise NotThisRequestError(said)
            async for line in response.aiter_lines():
                if not line.strip():
                    continue
                last = _object(line)
                if "error" in last:  # arrives under HTTP 200
                    raise _TryAgainError(reason(last["error"]))
                if first is None and last.get("logprobs"):
                    first = _first(last["logprobs"])
                content = (last.get("message") or {}).get("content")
                if content:
                    first_at = first_at or time.perf_counter() - started
                    pieces.append(content)
        asked, done = bool(request.get("logprobs")), last.get("done") is True
        repeats = len(pieces) >= _REPEATED and len(set(pieces[-_REPEATED:])) == 1
        if not last:
            raise _TryAgainError("the answer is empty")
        spent = (last.get("eval_duration") or 0) / 1e9
        tokens = int(last.get("eval_count") or 0)
        reply = Streamed(
            text="".join(pieces),
            done_reason=str(last.get("done_reason") or "") if done else "repeat",
            tokens=tokens if done else len(pieces),
            load=(last.get("load_duration") or 0) / 1e9,
            first_token=first_at,
            seconds=time.perf_counter() - started,
            tokens_per_second=tokens / spent if spent and tokens > 1 else None,
            # Ollama tells no log probabilities when the model ends before it says anything.
            first={} if first is None and asked and not pieces else first,
        )
        if not done and not repeats:
            raise _BrokeOffError(reply)
        return reply


def _first(logprobs: Any) -> dict[str, float]:
    """The likeliest first tokens; those of one text (a letter and its byte) are added up."""
    found: dict[str, float] = {}
    try:
        for other in logprobs[0].get("top_logprobs") or [logprobs[0]]:
            text, value = str(other["token"]), float(other["logprob"])
            earlier = found.get(text)
            found[text] = (
                value if earlier is None else math.log(math.exp(earlier) + math.exp(value))
            )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise _TryAgainError("its log probabilities are not readable") from None
    return found


def _object(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not isinstance(value.get("message") or {}, dict):
        raise _TryAgainError(f"it sends something else than Ollama's answers: {one_line(line)}")
    return value
