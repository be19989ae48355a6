"""A registry's answers, real and scripted."""

import contextlib
import hashlib
import json
from collections.abc import Iterator

import httpx
import pytest

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.release.publish.names import repository
from medllm.pipeline.release.publish.registry import Registry
from medllm.pipeline.release.publish.retry import Denied, Transient, Unverified
from tests.pipeline.release.publish.conftest import MANIFEST_TYPE, Answer, ScriptedRegistry

SMALL, LARGE = b"a template", b"g" * (2**20 + 1)


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def manifest(*blobs: bytes, **changes: object) -> bytes:
    layers = [
        {"mediaType": "application/vnd.ollama.image.model", "digest": digest(b), "size": len(b)}
        for b in blobs
    ]
    record = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": layers[0], "layers": layers}
    return json.dumps(record | changes).encode()


RAW = manifest(SMALL, LARGE)
SERVERS = hashlib.sha256(RAW + b"\n").hexdigest()  # an Ollama server's file ends in a line feed


@pytest.fixture
def at(scripted: ScriptedRegistry) -> Iterator[Registry]:
    """A scripted registry that is in order."""
    base = "/v2/me/medllm"
    scripted.answers = {
        "/v2/": Answer(headers={"Docker-Distribution-Api-Version": "registry/2.0"}),
        f"{base}/manifests/t": Answer(type=MANIFEST_TYPE, body=RAW),
        **{f"{base}/blobs/{digest(b)}": Answer(body=b) for b in (SMALL, LARGE)},
    }
    with contextlib.closing(
        Registry(repository(scripted.host, "me/medllm", insecure=True))
    ) as registry:
        yield registry


def test_a_manifest_and_its_blobs_at_a_real_registry(registry_host: str) -> None:
    url = f"http://{registry_host}/v2/me/put-there"
    with httpx.Client(trust_env=False) as http:
        for blob in (SMALL, LARGE):
            begun = http.post(f"{url}/blobs/uploads/")
            put = httpx.URL(begun.headers["Location"]).copy_merge_params({"digest": digest(blob)})
            http.put(put, content=blob).raise_for_status()
        http.put(
            f"{url}/manifests/t", content=RAW, headers={"Content-Type": MANIFEST_TYPE}
        ).raise_for_status()
        place = repository(registry_host, "me/put-there", insecure=True)
        with contextlib.closing(Registry(place)) as registry:
            registry.check()
            found = registry.verify("t", SERVERS)
            assert found.digest == digest(RAW)
            assert [layer.size for layer in found.layers] == [len(SMALL), len(LARGE), len(SMALL)]
            assert registry.verify("t", hashlib.sha256(RAW).hexdigest()) == found
            assert registry.find("another") is None
            with pytest.raises(Unverified, match="has no :another"):
                registry.verify("another", SERVERS)
            with pytest.raises(Unverified, match=r"names sha256:.* which is not the model"):
                registry.verify("t", "0" * 64)
            http.delete(f"{url}/blobs/{digest(LARGE)}").raise_for_status()
            with pytest.raises(Unverified, match=f"lacks the layer {digest(LARGE)[:19]}"):
                registry.verify("t", SERVERS)


def test_only_large_blobs_are_not_read(scripted: ScriptedRegistry, at: Registry) -> None:
    at.verify("t", SERVERS)
    assert f"HEAD /v2/me/medllm/blobs/{digest(LARGE)}" in scripted.asked
    assert f"GET /v2/me/medllm/blobs/{digest(SMALL)}" in scripted.asked


@pytest.mark.parametrize(
    "body",
    [
        b"",
        RAW[: len(RAW) // 2],
        b"[]",
        b"<html>",
        b"\xff",
        b"[" * 100_000,
        manifest(SMALL, schemaVersion=1),
        manifest(SMALL, layers=[]),
        manifest(SMALL, config={"mediaType": "x", "digest": "sha256:0", "size": 1}),
        manifest(SMALL, config={"mediaType": "x", "digest": digest(b"") + "\n", "size": 1}),
        manifest(SMALL, config={"mediaType": "x", "digest": digest(b""), "size": -1}),
        manifest(SMALL, config={"mediaType": "x", "digest": digest(b""), "size": "1"}),
        manifest(SMALL, config={"mediaType": "x", "digest": "../../etc", "size": 1}),
        RAW + b" " * 2**20,
    ],
)
def test_what_is_no_manifest_is_refused(
    scripted: ScriptedRegistry, at: Registry, body: bytes
) -> None:
    scripted.answers["/v2/me/medllm/manifests/t"] = Answer(type=MANIFEST_TYPE, body=body)
    with pytest.raises(Transient) as refusal:
        at.find("t")
    assert "\n" not in refusal.value.what


@pytest.mark.parametrize(
    ("answer", "error", "what"),
    [
        (Answer(401), Denied, r"HTTP 401.*cannot be verified"),
        (Answer(403), Denied, r"HTTP 403"),
        (Answer(500), Transient, r"HTTP 500"),
        (Answer(404, "text/html", b"<html>"), Transient, r"HTTP 404"),
        (Answer(body=RAW, headers={"Content-Length": "9999"}), Transient, "cannot be read"),
        (Answer(body=RAW, headers={"Docker-Content-Digest": digest(b"")}), Transient, "not whole"),
        (Answer(302, headers={"Location": "http://[broken"}), Transient, "cannot be read"),
    ],
)
def test_a_manifest_that_cannot_be_had(
    scripted: ScriptedRegistry, at: Registry, answer: Answer, error: type[Exception], what: str
) -> None:
    scripted.answers["/v2/me/medllm/manifests/t"] = answer
    with pytest.raises(error, match=what):
        at.find("t")


@pytest.mark.parametrize(
    ("blob", "answer"),
    [
        (SMALL, Answer(body=b"b template")),
        (SMALL, Answer(body=b"a templat")),
        (SMALL, Answer(type="text/html", body=b"<html>sign in</html>")),
        (LARGE, Answer(body=LARGE[1:])),
        (LARGE, Answer(body=LARGE, headers={"Docker-Content-Digest": digest(b"")})),
    ],
)
def test_a_blob_that_is_another_is_found(
    scripted: ScriptedRegistry, at: Registry, blob: bytes, answer: Answer
) -> None:
    scripted.answers[f"/v2/me/medllm/blobs/{digest(blob)}"] = answer
    with pytest.raises(Unverified, match="bytes for the layer"):
        at.verify("t", SERVERS)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(type="text/html", body=b"<html>a router</html>"),
        Answer(404, "text/html", b"<html>"),
        Answer(302, "text/plain", b""),
        Answer(200, "text/plain", b"hello"),
    ],
)
def test_what_is_no_registry_is_named(
    scripted: ScriptedRegistry, at: Registry, answer: Answer
) -> None:
    scripted.answers["/v2/"] = answer
    with pytest.raises(MedllmError, match="is no registry") as refusal:
        at.check()
    assert not isinstance(refusal.value, Transient)


def test_nobody_there_is_worth_another_attempt(at: Registry, scripted: ScriptedRegistry) -> None:
    with (
        contextlib.closing(
            Registry(repository("127.0.0.1:1", "me/medllm", insecure=True))
        ) as nobody,
        pytest.raises(Transient, match="cannot be read"),
    ):
        nobody.check()
