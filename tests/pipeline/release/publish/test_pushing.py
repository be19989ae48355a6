"""What /api/push may answer, byte for byte."""

import json

import pytest

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.release.publish.pushing import push_model
from medllm.pipeline.release.publish.retry import Denied, Transient
from medllm.pipeline.release.server import Server
from tests.pipeline.release.publish.conftest import Answer, ScriptedRegistry

NDJSON = "application/x-ndjson"
DONE = b'{"status":"pushing manifest"}\n{"status":"success"}\n'


def push(scripted: ScriptedRegistry, answer: Answer) -> None:
    scripted.answers["/api/push"] = answer
    push_model(Server(f"http://{scripted.host}"), "me/medllm:1", insecure=False)


def error_line(text: str) -> Answer:
    line = json.dumps({"error": text}).encode()
    return Answer(200, NDJSON, b'{"status":"retrieving manifest"}\n' + line + b"\n")


def test_a_push_ends_with_success(scripted: ScriptedRegistry) -> None:
    progress = b'{"status":"pushing 0123","digest":"sha256:0123","total":9,"completed":9}\n'
    push(scripted, Answer(200, NDJSON, progress + DONE))


@pytest.mark.parametrize(
    "text",
    [
        "unauthorized: access denied",
        "you are not authorized to push to this namespace, create the model under a namespace",
        '401: {"errors":[]}',
        "403: ",
        "http status 403 Forbidden: ",
    ],
)
def test_a_denial_says_which_key(scripted: ScriptedRegistry, text: str) -> None:
    with pytest.raises(Denied, match="the key of the user who runs the Ollama server"):
        push(scripted, error_line(text))


def test_a_registry_with_passwords(scripted: ScriptedRegistry) -> None:
    with pytest.raises(Denied, match="a login that Ollama does not have"):
        push(scripted, error_line('realm host "" does not match original host "10.0.0.1"'))


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("http: server gave HTTP response to HTTPS client", r"push\.insecure to true"),
        ("400: Client sent an HTTP request to an HTTPS server.", r"leave push\.insecure out"),
        ("tls: failed to verify certificate: x509: unknown authority", "certificate authority"),
        ("open /root/.ollama/models/x: no such file or directory", "lost the model"),
    ],
)
def test_what_no_second_attempt_changes(scripted: ScriptedRegistry, text: str, fix: str) -> None:
    with pytest.raises(MedllmError, match=fix) as refusal:
        push(scripted, error_line(text))
    assert not isinstance(refusal.value, Transient | Denied)


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (error_line("max retries exceeded: EOF"), "max retries exceeded: EOF"),
        (error_line("500: 401 bytes of nothing"), "500: 401 bytes"),
        (Answer(200, NDJSON, b'{"error":""}\n'), "does not push"),
        (Answer(200, NDJSON, b'{"error":{"message":"broken pipe"}}\n'), "broken pipe"),
        (Answer(200, NDJSON, b'{"status":"pushing manifest"}\n'), "ended at 'pushing manifest'"),
        (Answer(200, NDJSON, b""), "ended at None"),
        (Answer(200, NDJSON, DONE + b'{"error":"late"}\n'), "late"),
        (Answer(200, NDJSON, b"[1]\n"), "strange answer"),
        (Answer(200, "text/html", b"<html>"), "strange answer"),
        (Answer(200, NDJSON, b"\xff\xfe\n"), "strange answer"),
        (Answer(200, NDJSON, DONE, {"Content-Length": "9999"}), "broke off"),
        (Answer(500, NDJSON, b'{"error":"disk I/O"}'), "disk I/O"),
        (Answer(502, "text/html", b""), "Bad Gateway"),
    ],
)
def test_what_may_pass(scripted: ScriptedRegistry, answer: Answer, what: str) -> None:
    with pytest.raises(Transient, match=what):
        push(scripted, answer)


def test_nobody_there(scripted: ScriptedRegistry) -> None:
    with pytest.raises(Transient, match="broke off"):
        push_model(Server("http://127.0.0.1:1"), "me/medllm:1", insecure=False)
