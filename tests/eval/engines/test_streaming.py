"""Servers that die, swap the model, or answer something else: a real HTTP server plays them."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import Message
from medllm.pipeline.release import streaming
from medllm.pipeline.release.streaming import Hosts, NotThisRequestError, Streamed
from medllm.pipeline.release.wire import ChatOptions

ASKED = [Message(role="user", content="Hello?")]
DONE = {"done": True, "done_reason": "stop", "eval_count": 2, "eval_duration": 10**7}
Answer = Callable[[int], tuple[int, list[bytes]]]


def said(*pieces: str, **last: Any) -> list[bytes]:
    lines = [{"message": {"content": piece}, "done": False} for piece in pieces]
    return [json.dumps(line).encode() + b"\n" for line in [*lines, DONE | last]]


class Played:
    """A server: ``answer`` gives status and lines for the n-th chat."""

    def __init__(self) -> None:
        self.answer: Answer = lambda _: (200, said("Hel", "lo."))
        self.digest = "a" * 64
        self.chats = 0
        self.requests: list[dict[str, Any]] = []
        played = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None: ...

            def do_GET(self) -> None:
                models = [{"model": "m:x", "name": "m:x", "digest": played.digest}]
                self._send(200, [json.dumps({"models": models, "version": "0.33.0"}).encode()])

            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                played.requests.append(json.loads(self.rfile.read(size)))
                played.chats += 1
                self._send(*played.answer(played.chats))

            def _send(self, status: int, lines: list[bytes]) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.writelines(lines)

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.httpd.server_port}"
        threading.Thread(target=self.httpd.serve_forever, daemon=True).start()


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Iterator[Played]:
    monkeypatch.setattr(streaming, "_WAIT", 0.001)
    server = Played()
    yield server
    server.httpd.shutdown()
    server.httpd.server_close()


@pytest.fixture
def second(played: Played) -> Iterator[Played]:
    server = Played()
    yield server
    server.httpd.shutdown()
    server.httpd.server_close()


def chat(*servers: Played, times: int = 1, **more: Any) -> list[Streamed]:
    hosts = Hosts([server.url for server in servers], "m:x", parallel=1)

    async def go() -> list[Streamed]:
        try:
            options = ChatOptions(num_predict=5)
            return list(
                await asyncio.gather(*(hosts.chat(ASKED, options, **more) for _ in range(times)))
            )
        finally:
            await hosts.close()

    return asyncio.run(go())


def test_a_reply_and_its_times(played: Played) -> None:
    (reply,) = chat(played)
    assert (reply.text, reply.done_reason, reply.tokens) == ("Hello.", "stop", 2)
    assert reply.tokens_per_second == 200
    assert reply.first_token is not None
    assert played.requests[0]["options"] == {"num_predict": 5}
    assert played.requests[0]["truncate"] is False


@pytest.mark.parametrize(
    "first",
    [
        (503, [b'{"error": "busy"}']),
        (200, [b"<html><body>It works!</body></html>"]),
        (200, []),
        (200, said("Hel")[:1]),
        (200, [b'{"error": "llama runner process has terminated"}\n']),
        (200, [b'{"message": 7}\n']),
    ],
    ids=["busy", "html", "empty", "broken off", "error line", "odd"],
)
def test_a_fault_that_passes_is_tried_again(played: Played, first: tuple[int, list[bytes]]) -> None:
    played.answer = lambda n: first if n == 1 else (200, said("Hello."))
    (reply,) = chat(played)
    assert (reply.text, played.chats) == ("Hello.", 2)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((200, [b"<html>"]), "something else than Ollama's answers: <html>"),
        ((200, []), "the answer is empty"),
        ((500, [b'{"error": "out of memory"}']), "status 500: out of memory"),
    ],
)
def test_a_fault_that_stays_ends_in_one_line(
    played: Played, answer: tuple[int, list[bytes]], says: str
) -> None:
    played.answer = lambda _: answer
    with pytest.raises(MedllmError) as error:
        chat(played)
    assert says in error.value.what
    assert "what is finished is kept" in str(error.value)
    assert played.chats == streaming.ATTEMPTS


def test_a_reply_that_breaks_off_at_the_same_word_twice_is_ollamas_guard(played: Played) -> None:
    """It ends a reply of 30 equal tokens without a last line; parts of a character are not sent."""
    played.answer = lambda _: (200, said("Hel", "lo")[:2])
    (reply,) = chat(played)
    assert (reply.text, reply.done_reason, reply.tokens) == ("Hello", "repeat", 2)
    assert played.chats == 2


def test_a_reply_that_breaks_off_elsewhere_each_time_is_a_fault(played: Played) -> None:
    played.answer = lambda n: (200, said(*"Hello, you")[:n])
    with pytest.raises(MedllmError, match="the answer broke off"):
        chat(played)


def test_a_request_that_is_refused_is_not_tried_again(played: Played) -> None:
    played.answer = lambda _: (400, [b'{"error": "prompt exceeds context"}'])
    with pytest.raises(NotThisRequestError, match="prompt exceeds context"):
        chat(played)
    assert played.chats == 1


def test_a_server_that_is_gone_is_said(played: Played) -> None:
    hosts = Hosts([played.url], "m:x", parallel=1)
    played.httpd.shutdown()
    played.httpd.server_close()
    with pytest.raises(MedllmError, match="After 4 attempts m:x does not answer at http"):
        asyncio.run(hosts.chat(ASKED, ChatOptions()))


def test_many_servers_share_one_queue(played: Played, second: Played) -> None:
    assert len(chat(played, second, times=8)) == 8
    assert played.chats > 0
    assert second.chats > 0
    assert played.chats + second.chats == 8


def test_servers_with_different_models_are_refused(played: Played, second: Played) -> None:
    second.digest = "b" * 64
    with pytest.raises(MedllmError, match="is bbbbbbbbbbbb and not aaaaaaaaaaaa"):
        chat(played, second)


def test_a_swapped_model_is_seen_at_the_end(played: Played) -> None:
    hosts = Hosts([played.url], "m:x")
    assert hosts.check() == "a" * 64
    played.digest = "c" * 64
    with pytest.raises(MedllmError, match="answers would be those of another model"):
        hosts.check()


def test_a_model_without_log_probabilities_and_one_that_ends_at_once(played: Played) -> None:
    assert chat(played, top_logprobs=20)[0].first is None
    played.answer = lambda _: (200, said())
    assert chat(played, top_logprobs=20)[0].first == {}
    told = {"token": "A", "logprob": -1.0, "top_logprobs": [{"token": "A", "logprob": -1.0}]}
    played.answer = lambda _: (200, said(logprobs=[told]))
    assert chat(played, top_logprobs=20)[0].first == {"A": -1.0}


def test_a_reply_that_repeats_one_token_is_no_broken_one(played: Played) -> None:
    played.answer = lambda _: (200, said(*["doctor "] * 31)[:-1])
    (reply,) = chat(played)
    assert (reply.done_reason, reply.tokens) == ("repeat", 31)
