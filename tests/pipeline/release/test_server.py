"""Against a real Ollama where there is one; a scripted server plays what no real one would do."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import FORMATS, Message
from medllm.pipeline.release.finding import find_server, server_fact
from medllm.pipeline.release.modelfile_syntax import Modelfile, parse, read_modelfile
from medllm.pipeline.release.server import Server
from medllm.pipeline.release.wire import ChatOptions
from tests.ollama_server import write_tiny_gguf

HELLO = (Message(role="user", content="Hello"),)
RECORD = parse("FROM m\nTEMPLATE {{ .Prompt }}\nPARAMETER stop x\nPARAMETER temperature 0.2\n")
DIGEST = "0" * 64


class Scripted(ThreadingHTTPServer):
    """Answers each (method, path) with a status and bytes, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[tuple[str, str], tuple[int, bytes]] = {}
        self.requests: list[tuple[str, str, bytes]] = []
        self.cut = False  # close the connection in the middle of every answer
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def bodies(self, path: str) -> list[dict[str, object]]:
        return [json.loads(body) for _, at, body in self.requests if at == path]


class _Handler(BaseHTTPRequestHandler):
    server: Scripted

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.command, self.path, body))
        status, content = self.server.answers.get((self.command, self.path), (404, b"no such page"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) + (1000 if self.server.cut else 0)))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = self.server.cut

    do_GET = do_POST = do_DELETE = do_HEAD = _answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    server = Scripted()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("OLLAMA_HOST", server.url)
    server.answers["GET", "/api/version"] = 200, b'{"version":"0.33.0"}'
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_server_is_found_with_its_version(scripted: Scripted) -> None:
    server = find_server()
    assert server is not None
    assert (server.host, server.version()) == (scripted.url, "0.33.0")
    assert server_fact() == f"{scripted.url} 0.33.0"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>a router's page</html>"),
        (200, b'["0.33.0"]'),
        (200, b'{"version": 33}'),
        (200, b'{"version": "nightly"}'),
        (200, b"\xff\xfe"),
        (404, b'{"version": "0.33.0"}'),
        (302, b""),
        (500, b""),
    ],
)
def test_something_else_than_ollama_is_named(scripted: Scripted, status: int, body: bytes) -> None:
    scripted.answers["GET", "/api/version"] = status, body
    with pytest.raises(MedllmError) as caught:
        find_server()
    assert caught.value.what == f"What answers at {scripted.url} is not an Ollama server."
    assert server_fact() == "none"


def test_a_server_that_breaks_off_is_not_ollama(scripted: Scripted) -> None:
    scripted.cut = True
    with pytest.raises(MedllmError, match="is not an Ollama server"):
        find_server()


@pytest.mark.parametrize("version", ["0.17.0", "0.20.2", "0.20.3-rc1", "0.0.0"])
def test_a_server_with_known_holes_is_refused(scripted: Scripted, version: str) -> None:
    scripted.answers["GET", "/api/version"] = 200, json.dumps({"version": version}).encode()
    with pytest.raises(MedllmError, match=f"is version {version}, with known") as caught:
        find_server()
    assert "0.20.3 or newer" in caught.value.fix
    assert server_fact() == "none"


def test_without_a_server(monkeypatch: pytest.MonkeyPatch, unused_port: int) -> None:
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{unused_port}")
    with pytest.raises(MedllmError, match=f"answers at OLLAMA_HOST http://127.0.0.1:{unused_port}"):
        find_server()
    assert server_fact() == "none"
    monkeypatch.delenv("OLLAMA_HOST")
    monkeypatch.setattr("medllm.pipeline.release.ollama_host.DEFAULT_PORT", unused_port)
    assert find_server() is None
    assert server_fact() == "none"


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_prompts_on_this_machine_never_go_through_a_proxy(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch, unused_port: int
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port}")
    scripted.answers["GET", "/api/tags"] = 200, b'{"models":[]}'
    server = find_server()
    assert server is not None
    assert server.digest("medllm:latest") is None


def test_a_create_request_byte_for_byte(scripted: Scripted) -> None:
    lines = b'{"status":"parsing GGUF"}\n\n{"status":"copying","total":10,"completed":5}\n'
    scripted.answers["POST", "/api/create"] = 200, lines + b'{"status":"success"}\n'
    record = RECORD.model_copy(
        update={
            "system": "s",
            "licenses": ("one", "two"),
            "messages": (Message(role="user", content="é"),),
            "requires": "0.20.3",
        }
    )
    Server(scripted.url).create("medllm:q8_0", f"sha256:{DIGEST}", record)
    Server(scripted.url).create("medllm:f16", f"sha256:{DIGEST}", RECORD)
    assert scripted.requests[0][2].decode() == (
        '{"model":"medllm:q8_0","files":{"medllm.gguf":"sha256:' + DIGEST + '"},'
        '"template":"{{ .Prompt }}","parameters":{"stop":["x"],"temperature":0.2},"system":"s",'
        '"license":["one","two"],"messages":[{"role":"user","content":"é"}],"requires":"0.20.3"}'
    )
    assert set(scripted.bodies("/api/create")[1]) == {"model", "files", "template", "parameters"}


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (
            200,
            b'{"status":"x"}\n{"error":"no space left\\non device"}\n',
            "no space left on device",
        ),
        (400, b'{"error":"invalid model name"}', "invalid model name"),
        (500, b"Internal Server Error", "Internal Server Error"),
        (200, b'{"status":"writing manifest"}\n', "ended at 'writing manifest'"),
        (200, b"", "ended at None"),
        (200, b"<html>", "strange answer"),
        (200, b"[1]\n", "strange answer"),
    ],
)
def test_a_failed_create_says_why(scripted: Scripted, status: int, body: bytes, said: str) -> None:
    scripted.answers["POST", "/api/create"] = status, body
    with pytest.raises(MedllmError) as caught:
        Server(scripted.url).create("medllm:f16", f"sha256:{DIGEST}", RECORD)
    assert said in caught.value.what
    assert scripted.url in caught.value.what
    assert "create medllm:f16" in caught.value.what
    assert "\n" not in caught.value.what


def test_a_blob_is_sent_once_and_whole(scripted: Scripted, tmp_path: Path) -> None:
    file = tmp_path / "medllm-q8_0.gguf"
    file.write_bytes(b"GGUF" * 700_000)  # more than one chunk
    path = f"/api/blobs/sha256:{DIGEST}"
    scripted.answers["POST", path] = 201, b""
    assert Server(scripted.url).upload_blob(file, DIGEST) == f"sha256:{DIGEST}"
    assert [(method, at) for method, at, _ in scripted.requests] == [("HEAD", path), ("POST", path)]
    assert scripted.requests[1][2] == file.read_bytes()
    scripted.answers["HEAD", path] = 200, b""
    scripted.requests.clear()
    Server(scripted.url).upload_blob(file, DIGEST)
    assert [method for method, _, _ in scripted.requests] == ["HEAD"]


def test_a_refused_blob(scripted: Scripted, tmp_path: Path) -> None:
    file = tmp_path / "medllm-q8_0.gguf"
    file.write_bytes(b"GGUF")
    scripted.answers["POST", f"/api/blobs/sha256:{DIGEST}"] = 400, b'{"error":"digest mismatch"}'
    with pytest.raises(MedllmError, match=r"does not take medllm-q8_0\.gguf: digest mismatch"):
        Server(scripted.url).upload_blob(file, DIGEST)


def test_options_that_are_none_are_left_to_the_modelfile(scripted: Scripted) -> None:
    scripted.answers["POST", "/api/chat"] = (
        200,
        b'{"message":{"role":"assistant","content":"B"},"done":true,"done_reason":"stop",'
        b'"load_duration":2000000000,"prompt_eval_count":7,"prompt_eval_duration":500000000,'
        b'"eval_count":1,"eval_duration":250000000,"logprobs":[{"token":"B","logprob":-0.5,'
        b'"top_logprobs":[{"token":"B","logprob":-0.5},{"token":" B","logprob":-1.5}]}]}',
    )
    server = Server(scripted.url)
    reply = server.chat("m", HELLO, ChatOptions(num_predict=1, stop=("x",)), top_logprobs=2)
    assert (reply.text, reply.done_reason, reply.prompt_tokens, reply.tokens) == ("B", "stop", 7, 1)
    assert (reply.load_seconds, reply.prompt_seconds, reply.generation_seconds) == (2, 0.5, 0.25)
    assert reply.logprobs[0] == ("B", -0.5, (("B", -0.5), (" B", -1.5)))
    server.chat("m", HELLO)
    first, second = scripted.bodies("/api/chat")
    assert first["options"] == {"num_predict": 1, "stop": ["x"]}
    assert (first["logprobs"], first["top_logprobs"]) == (True, 2)
    assert (first["stream"], first["truncate"], first["shift"]) == (False, False, False)
    assert second["messages"] == [{"role": "user", "content": "Hello"}]
    assert not {"logprobs", "top_logprobs"} & set(second)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, b'{"error":"model \'m\' not found"}', "model 'm' not found"),
        (200, b"<html>", "strange answer"),
        (200, b'{"done":true}', "strange answer"),
        (500, b'{"error":{"message":"context is full"}}', "as m: context is full. "),
        (500, b'{"error":"{\\"error\\":{\\"message\\":\\"too long\\"}}"}', "as m: too long. "),
        (502, b'["a proxy"]', "a proxy"),
    ],
)
def test_a_failed_chat_says_why(scripted: Scripted, status: int, body: bytes, said: str) -> None:
    scripted.answers["POST", "/api/chat"] = status, body
    with pytest.raises(MedllmError, match=said):
        Server(scripted.url).chat("m", HELLO)


def test_a_stream_that_breaks_off_is_an_error(scripted: Scripted) -> None:
    piece = b'{"message":{"role":"assistant","content":"Hel"},"done":false}\n'
    end = b'{"message":{"role":"assistant","content":"lo"},"done":true}\n'
    scripted.answers["POST", "/api/chat"] = 200, piece + end
    server = Server(scripted.url)
    assert list(server.stream("m", HELLO)) == ["Hel", "lo"]
    scripted.answers["POST", "/api/chat"] = 200, piece + b'{"error":"out of memory"}\n'
    with pytest.raises(MedllmError, match="out of memory"):
        list(server.stream("m", HELLO))
    scripted.answers["POST", "/api/chat"], scripted.cut = (200, piece), True
    with pytest.raises(MedllmError, match="broke off when asked to answer as m"):
        list(server.stream("m", HELLO))


def test_a_server_that_does_not_say_what_it_rendered(scripted: Scripted) -> None:
    scripted.answers["POST", "/api/chat"] = 200, b'{"message":{"content":"I am a model"}}'
    with pytest.raises(MedllmError, match="strange answer when asked to render a prompt for m"):
        Server(scripted.url).rendered_prompt("m", HELLO)


def test_a_server_that_went_away(unused_port: int) -> None:
    server = Server(f"http://127.0.0.1:{unused_port}")
    for call in (
        server.version,
        lambda: server.digest("m"),
        lambda: server.show("m"),
        lambda: server.delete("m"),
        lambda: server.chat("m", HELLO),
    ):
        with pytest.raises(
            MedllmError, match=f"The Ollama server at http://127.0.0.1:{unused_port}"
        ):
            call()


@pytest.fixture(scope="module")
def real(ollama_server: str) -> Iterator[Server]:
    server = Server(ollama_server)
    yield server
    server.close()


@pytest.fixture(scope="module")
def model(real: Server, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A tiny model with the Modelfile of this project."""
    path = write_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")
    digest = real.upload_blob(path, hashlib.sha256(path.read_bytes()).hexdigest())
    name = "medllm-test-server:f16"
    real.create(name, digest, read_modelfile(root / "Modelfile"))
    yield name
    real.delete(name)


@pytest.fixture(scope="module")
def record(root: Path) -> Modelfile:
    return read_modelfile(root / "Modelfile")


def test_a_real_server_is_found(real: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", real.host)
    found = find_server()
    assert found is not None
    assert server_fact() == f"{real.host} {real.version()}"
    found.close()


def test_a_real_server_keeps_what_it_is_given(real: Server, model: str, record: Modelfile) -> None:
    stored = real.show(model)
    assert (stored.template, stored.system) == (record.template, record.system)
    assert stored.parameter_set() == {
        ("stop", "[INST]"),
        ("stop", "[/INST]"),
        ("stop", "<<SYS>>"),
        ("num_ctx", 2048),
        ("num_predict", 512),
        ("temperature", 0.2),
        ("top_p", 0.9),
        ("repeat_penalty", 1.1),
    }
    assert stored.license.startswith("medllm (this Modelfile")
    assert stored.layer.startswith("sha256:")
    assert real.has(model)
    digest = real.digest(model)
    assert digest is not None
    assert len(bytes.fromhex(digest)) == 32
    assert not real.has("medllm-test-server:none")


def test_a_real_server_renders_and_answers(real: Server, model: str, record: Modelfile) -> None:
    expected = FORMATS["llama2"].prompt(record.conversation(HELLO))
    assert real.rendered_prompt(model, HELLO) == expected
    options = ChatOptions(num_predict=3, temperature=0, seed=1, num_ctx=1024)
    reply = real.chat(model, HELLO, options, top_logprobs=5)
    assert (reply.done_reason, reply.tokens, len(reply.logprobs)) == ("length", 3, 3)
    # one token a byte: BOS, the blank that SentencePiece puts first (3 bytes), the prompt
    assert reply.prompt_tokens == 1 + 1 + len(expected.replace(" ", "_").encode())
    assert [len(token.top) for token in reply.logprobs] == [5, 5, 5]
    assert reply.logprobs[0].top[0][1] == pytest.approx(reply.logprobs[0].logprob)
    assert "".join(real.stream(model, HELLO, options)) == reply.text


def test_a_conversation_that_does_not_fit_is_an_error(real: Server, model: str) -> None:
    said = [("user", "a" * 500), ("assistant", "b" * 500), ("user", "Well?")]
    messages = [Message.model_validate({"role": r, "content": c}) for r, c in said]
    with pytest.raises(MedllmError, match="exceeds the available context size"):
        real.chat(model, messages, ChatOptions(num_ctx=1024))


def test_a_reply_that_repeats_itself_ends(real: Server, record: Modelfile, tmp_path: Path) -> None:
    """Ollama breaks off without a word about it when one token comes again and again."""
    path = write_tiny_gguf(tmp_path / "repeats.gguf", says=ord("x"))
    digest = real.upload_blob(path, hashlib.sha256(path.read_bytes()).hexdigest())
    real.create("medllm-test-repeat:f16", digest, record)
    options = ChatOptions(num_predict=100, temperature=0, repeat_penalty=1)
    reply = real.chat("medllm-test-repeat:f16", HELLO, options)
    streamed = "".join(real.stream("medllm-test-repeat:f16", HELLO, options))
    real.delete("medllm-test-repeat:f16")
    assert set(reply.text) == {"x"}
    assert 30 <= len(reply.text) < 100
    assert streamed == reply.text
    assert (reply.done_reason, reply.tokens) == ("repeat", 0)


def test_a_real_server_refuses(real: Server, record: Modelfile, tmp_path: Path) -> None:
    file = tmp_path / "no.gguf"
    file.write_bytes(b"not a GGUF, " + tmp_path.name.encode())
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    with pytest.raises(MedllmError, match="digest mismatch"):
        real.upload_blob(file, DIGEST)
    blob = real.upload_blob(file, digest)
    with pytest.raises(MedllmError, match="does not create medllm-test-no:f16"):
        real.create("medllm-test-no:f16", blob, record)
    with pytest.raises(MedllmError, match="not found"):
        real.chat("medllm-test-no:f16", HELLO)
    with pytest.raises(MedllmError, match="not found"):
        real.show("medllm-test-no:f16")
    real.delete("medllm-test-no:f16")  # nothing to delete is no error
    assert not real.has("medllm-test-no:f16")


def test_a_copy_has_the_same_digest(real: Server, model: str) -> None:
    real.copy(model, "medllm-test-server:copy")
    assert real.digest("medllm-test-server:copy") == real.digest(model)
    real.delete("medllm-test-server:copy")
    assert not real.has("medllm-test-server:copy")
