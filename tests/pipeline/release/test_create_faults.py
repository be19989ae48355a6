"""Stage create against a server that fails in every way that is seen on a wire.

A stub, because no real server can be made to send these bytes.
"""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from medllm.pipeline.config import CreateConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.release.create import create

NAME = "medllm"
TEMPLATE = "FROM ../quantize/medllm-q4_k_m.gguf\nTEMPLATE t\n"
HTML = b"<!DOCTYPE html><html><body>Sign in to the guest network</body></html>"
SUCCESS = b'{"status":"parsing GGUF"}\n{"status":"success"}\n'

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers as told; what nobody told it about it takes."""

    server: "Stub"

    def say(self, status: int, body: bytes, *, missing: int = 0) -> None:
        """One answer; with ``missing`` it ends that many bytes too soon."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) + missing))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = bool(missing)

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path))
        for (method, path), answer in self.server.answers.items():
            if self.command == method and self.path.startswith(path):
                answer(self)
                return
        self.say(404, b"{}")

    do_GET = do_POST = do_DELETE = do_HEAD = _answer

    def log_message(self, *_: object) -> None:
        pass


def saying(status: int, body: bytes, *, missing: int = 0) -> Answer:
    return lambda handler: handler.say(status, body, missing=missing)


def slowly(body: bytes, pause: float, stop_after: int | None = None) -> Answer:
    """A byte at a time; after ``stop_after`` bytes no more, with the connection left open."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        for sent, byte in enumerate(body):
            if sent == stop_after:
                handler.server.over.wait(10)
                return
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(pause)

    return answer


class Stub(ThreadingHTTPServer):
    """An Ollama server that has nothing and takes everything until an answer says otherwise."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.over = threading.Event()
        self.asked: list[tuple[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.answers: dict[tuple[str, str], Answer] = {
            ("GET", "/api/version"): saying(200, b'{"version":"0.33.0"}'),
            ("GET", "/api/tags"): saying(200, b'{"models":[]}'),
            ("POST", "/api/blobs/"): saying(201, b""),
            ("POST", "/api/create"): saying(200, SUCCESS),
            ("DELETE", "/api/delete"): saying(200, b""),
        }


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    server = Stub()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("OLLAMA_HOST", server.url)
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def paths(run: Callable[..., RunPaths]) -> RunPaths:
    quant = {"medllm-q4_k_m.gguf": b"GGUF"}
    written = {"Modelfile": TEMPLATE.encode()}
    return run({"convert": {}, "quantize": quant, "modelfile": written})


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (saying(200, b'{"status":"x"}\n{"error":"no space left on device"}\n'), "no space left"),
        (saying(200, b'{"error":{"message":"unsupported"}}\n'), "unsupported"),
        (saying(200, b'{"status":"writing manifest"}\n'), "ended at 'writing manifest'"),
        (saying(200, b'{"status":"parsing GGUF"}\n', missing=40), "broke off"),
        (saying(200, b'{"status":"parsi', missing=40), "broke off"),
        (saying(200, b'{"status":"parsi'), "strange answer"),
        (saying(200, b""), "ended at None"),
        (saying(200, HTML), "strange answer"),
        (saying(200, b"\xff\xfe\x00"), "strange answer"),
        (saying(400, b'{"error":"invalid model name"}'), "invalid model name"),
        (saying(401, b'{"error":"unauthorized"}'), "unauthorized"),
        (saying(403, b""), "Forbidden"),
        (saying(403, HTML), "guest network"),
        (saying(404, b"404 page not found"), "404 page not found"),
        (saying(500, b'{"error":"{\\"error\\":{\\"message\\":\\"bad magic\\"}}"}'), "bad magic"),
        (saying(500, b""), "Internal Server Error"),
        (saying(502, HTML), "guest network"),
    ],
)
def test_a_create_that_fails_is_one_line_and_leaves_nothing(
    stub: Stub, paths: RunPaths, answer: Answer, said: str
) -> None:
    stub.answers["POST", "/api/create"] = answer
    with pytest.raises(MedllmError) as caught:
        create(CreateConfig(), paths)
    assert said in caught.value.what
    assert f"The Ollama server at {stub.url}" in caught.value.what
    assert f"create {NAME}:q4_k_m-unchecked" in caught.value.what
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    assert stub.asked[-1] == ("DELETE", "/api/delete")  # the unchecked model, should it be there
    assert not paths.stage("create").exists()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            saying(400, b'{"error":"digest mismatch, expected \\"a\\", got \\"b\\""}'),
            "digest mismatch",
        ),
        (saying(401, b""), "Unauthorized"),
        (saying(413, HTML), "guest network"),
        (saying(500, b'{"error":"write: no space left on device"}'), "no space left"),
        (saying(201, b"", missing=10), "broke off"),
    ],
)
def test_a_blob_that_is_refused(stub: Stub, paths: RunPaths, answer: Answer, said: str) -> None:
    stub.answers["POST", "/api/blobs/"] = answer
    with pytest.raises(MedllmError) as caught:
        create(CreateConfig(), paths)
    assert said in caught.value.what
    assert "take medllm-q4_k_m.gguf" in caught.value.what
    assert ("POST", "/api/create") not in stub.asked
    assert not paths.stage("create").exists()


def test_slow_bytes_are_waited_for_and_silence_is_not(
    stub: Stub, paths: RunPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is on the time between two bytes: a 70B model takes long."""
    monkeypatch.setattr("medllm.pipeline.release.server._TIMEOUT", httpx.Timeout(0.5))
    stub.answers["POST", "/api/create"] = slowly(SUCCESS, 0.02)
    with pytest.raises(
        MedllmError, match="does not show medllm:q4_k_m-unchecked"
    ):  # the step after
        create(CreateConfig(), paths)
    stub.answers["POST", "/api/create"] = slowly(SUCCESS, 0.0, stop_after=20)
    with pytest.raises(MedllmError, match="was silent for too long when asked to create medllm:q4"):
        create(CreateConfig(), paths)


@pytest.mark.parametrize(
    "shown",
    [HTML, b"[]", b'{"modelfile":"FROM x","template":"t"}', b'{"modelfile":7,"template":"t"}'],
)
def test_what_the_server_shows_is_not_trusted(stub: Stub, paths: RunPaths, shown: bytes) -> None:
    stub.answers["POST", "/api/show"] = saying(200, shown)
    with pytest.raises(MedllmError) as caught:
        create(CreateConfig(), paths)
    assert "medllm:q4_k_m-unchecked" in str(caught.value)
    assert not paths.stage("create").exists()
