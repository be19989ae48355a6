"""Publishing to a real registry through a real Ollama server, with a proxy to do harm."""

import json

import httpx
import pytest

from benchmarks.faulty_proxy import Fault, swapped_model
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.release.publish.push import push
from medllm.pipeline.release.publish.receipt import ReleaseReceipt, publishing_alone
from medllm.pipeline.release.publish.rollback import rollback
from tests.pipeline.release.publish.conftest import Place
from tests.release_run import AT_ONCE

EVER = 10**6


def publish(
    place: Place, run: int = 0, version: str = "1.0.0", **changes: object
) -> ReleaseReceipt:
    return push(place.config(version, **changes), place.runs[run], AT_ONCE)


def receipt_on_disk(place: Place, version: str = "1.0.0") -> ReleaseReceipt:
    [path] = place.runs[0].stage("push").rglob(f"{version}.json")
    return ReleaseReceipt.model_validate_json(path.read_bytes())


def test_every_quant_is_published_and_then_latest(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    receipt = publish(place, moving_tags={"8gb": "Q8_0"})
    tags = {tag.tag: tag for tag in receipt.tags}
    assert set(tags) == {"1.0.0-q8_0", "1.0.0-q4_k_m"}
    for name, tag in tags.items():
        assert place.digest(name) == tag.digest
        layers = json.loads(place.get(name))["layers"]
        assert {(one["digest"], one["size"]) for one in layers} < {
            (one.digest, one.bytes) for one in tag.layers
        }
    assert place.digest("latest") == tags["1.0.0-q4_k_m"].digest
    assert place.digest("8gb") == tags["1.0.0-q8_0"].digest
    assert receipt == receipt_on_disk(place)
    assert receipt.completed is not None
    assert {move.state for move in receipt.moving} == {"verified"}
    puts = [path for method, path in place.proxy.seen if method == "PUT" and "manifests" in path]
    assert [path.rpartition("/")[2] for path in puts] == [
        *("1.0.0-q4_k_m", "1.0.0-q8_0"),  # sorted by name
        *("8gb", "latest"),
    ]
    assert ":latest → 1.0.0-q4_k_m verified" in capsys.readouterr().err


def test_a_second_push_sends_nothing(place: Place) -> None:
    first = publish(place)
    place.proxy.seen.clear()
    again = publish(place)
    assert {method for method, _ in place.proxy.seen} <= {"GET", "HEAD"}
    assert (again.tags, again.started) == (
        tuple(
            tag.model_copy(update={"verified": new.verified})
            for tag, new in zip(first.tags, again.tags, strict=True)
        ),
        first.started,
    )
    assert [(m.tag, m.before, m.state) for m in again.moving] == [("latest", None, "verified")]


def test_a_published_version_never_changes(place: Place) -> None:
    first = publish(place)
    with pytest.raises(MedllmError, match=r"1\.0\.0 is already published with another q4_k_m"):
        publish(place, run=1)
    for path in place.runs[0].stage("push").rglob("*.json"):
        path.unlink()  # on another machine, without receipts
    with pytest.raises(MedllmError, match=r":1\.0\.0-q4_k_m at .* already names another model"):
        publish(place, run=1)
    assert place.digest("1.0.0-q4_k_m") == first.tags[0].digest
    assert publish(place).tags[0].digest == first.tags[0].digest  # the same model is taken over


def test_a_tag_that_somebody_overwrote_is_not_used(place: Place) -> None:
    publish(place)
    publish(place, run=1, version="1.1.0")
    old, new = place.get("1.0.0-q4_k_m"), place.digest("latest")
    place.put("1.1.0-q4_k_m", old)
    with pytest.raises(MedllmError, match=r":1\.1\.0-q4_k_m at .* already names another model"):
        publish(place, run=1, version="1.1.0")
    place.put("1.0.0-q8_0", old)
    with pytest.raises(MedllmError, match=r":1\.0\.0-q8_0 at .* is not the model"):
        rollback(place.config(None), place.runs[0], "1.0.0", AT_ONCE)
    assert place.digest("latest") == new


def test_the_way_back_and_forth(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    one = publish(place, moving_tags={"8gb": "Q8_0"})
    two = publish(place, run=1, version="1.1.0", moving_tags={"16gb": "Q8_0"})
    assert place.digest("latest") == two.tags[0].digest
    capsys.readouterr()
    back = rollback(place.config(None), place.runs[1], "1.0.0", AT_ONCE)
    assert place.digest("latest") == one.tags[0].digest
    assert place.digest("8gb") == one.tags[1].digest
    assert ":16gb is no tag of 1.0.0; it still names 1.1.0-q8_0" in capsys.readouterr().err
    latest = next(move for move in back.moving if move.tag == "latest")
    assert (latest.before, latest.state) == (two.tags[0].digest, "verified")
    rollback(place.config(None), place.runs[0], "1.1.0", AT_ONCE)
    assert place.digest("latest") == two.tags[0].digest


def test_the_way_back_without_local_models(place: Place, ollama_server: str) -> None:
    """Another machine's server has not got the earlier version: it is pulled."""
    one = publish(place)
    publish(place, run=1, version="1.1.0")
    name = f"{place.proxy.host}/tests/{place.model}:1.0.0-q4_k_m"
    with httpx.Client(base_url=ollama_server, trust_env=False) as http:
        http.request("DELETE", "/api/delete", json={"model": name}).raise_for_status()
    rollback(place.config(None), place.runs[0], "1.0.0", AT_ONCE)
    assert place.digest("latest") == one.tags[0].digest


@pytest.mark.parametrize("version", ["2.0.0", "../../etc/passwd", ""])
def test_no_way_back_to_a_version_that_is_not_there(place: Place, version: str) -> None:
    publish(place)
    before = place.digest("latest")
    with pytest.raises(MedllmError, match=r"No receipt in .* Choose among 1\.0\.0\."):
        rollback(place.config(None), place.runs[0], version, AT_ONCE)
    assert place.digest("latest") == before


def test_no_way_back_to_a_version_that_was_never_whole(place: Place) -> None:
    publish(place)
    place.proxy.arm(Fault("HTTP 500", "PUT", "/manifests/1[.]1[.]0-q8_0", lasts=EVER))
    with pytest.raises(MedllmError, match=r"HTTP 500|does not push"):
        publish(place, run=1, version="1.1.0")
    place.proxy.arm(None)
    before = place.digest("latest")
    with pytest.raises(MedllmError, match=r"1\.1\.0 was never published whole"):
        rollback(place.config(None), place.runs[0], "1.1.0", AT_ONCE)
    assert place.digest("latest") == before
    whole = publish(place, run=1, version="1.1.0")  # and the rerun finishes
    assert place.digest("latest") == whole.tags[0].digest


def test_a_manifest_altered_on_the_way_is_seen_and_sent_again(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(place)
    other = json.loads(place.get("1.0.0-q8_0"))["layers"][0]["digest"]
    place.proxy.new_body = swapped_model(other)
    place.proxy.arm(Fault("change a digest", "PUT", "/manifests/1[.]1[.]0-q4_k_m"))
    two = publish(place, run=1, version="1.1.0")
    assert place.proxy.struck_at
    assert "which is not the model" in capsys.readouterr().err
    assert place.digest("1.1.0-q4_k_m") == two.tags[0].digest == place.digest("latest")


def test_a_moving_tag_that_does_not_verify_is_put_back(place: Place) -> None:
    one = publish(place)
    other = json.loads(place.get("1.0.0-q8_0"))["layers"][0]["digest"]
    place.proxy.new_body = swapped_model(other)
    place.proxy.arm(Fault("change a digest", "PUT", "/manifests/latest"))
    with pytest.raises(MedllmError, match=r":latest was put back to 1\.0\.0-q4_k_m"):
        publish(place, run=1, version="1.1.0")
    assert place.digest("latest") == one.tags[0].digest
    assert receipt_on_disk(place, "1.1.0").moving[0].state == "put back"
    two = publish(place, run=1, version="1.1.0")
    assert place.digest("latest") == two.tags[0].digest


def test_a_move_that_fails_leaves_the_tag_as_it_was(place: Place) -> None:
    one = publish(place)
    place.proxy.arm(Fault("HTTP 500", "PUT", "/manifests/latest", lasts=EVER))
    with pytest.raises(MedllmError, match=":latest still names what it named before"):
        publish(place, run=1, version="1.1.0")
    assert place.digest("latest") == one.tags[0].digest


def test_a_denial_is_said_at_once_with_the_key(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.proxy.arm(Fault("HTTP 401", "POST", "/blobs/uploads", lasts=EVER))
    with pytest.raises(MedllmError, match="asks for a login that Ollama does not have"):
        publish(place)
    err = capsys.readouterr().err
    assert "Attempt 2" not in err
    assert "ssh-ed25519 " in err or "cat ~/.ollama/id_ed25519.pub" in err


def test_a_registry_that_is_none_gets_nothing(place: Place) -> None:
    place.proxy.arm(Fault("HTML under 200", lasts=EVER))
    with pytest.raises(MedllmError, match="is no registry"):
        publish(place)
    assert {method for method, _ in place.proxy.seen} == {"GET"}


def test_http_and_https_are_told_apart(place: Place) -> None:
    with pytest.raises(MedllmError, match=r"It speaks plain HTTP: set push\.insecure"):
        publish(place, insecure=False)


def test_two_pushes_do_not_meet(place: Place) -> None:
    publish(place)
    [path] = place.runs[0].stage("push").rglob("1.0.0.json")
    with publishing_alone(path.parent), pytest.raises(MedllmError, match="Another medllm is"):
        publish(place)


def test_a_damaged_receipt_is_named(place: Place) -> None:
    publish(place)
    [path] = place.runs[0].stage("push").rglob("1.0.0.json")
    path.write_text('{"schema_version": 1}')
    with pytest.raises(MedllmError, match="is not a release receipt"):
        publish(place)


def test_a_version_and_a_server_are_needed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MedllmError, match=r"push\.version is not set"):
        push(place.config(None), place.runs[0], AT_ONCE)
    monkeypatch.setattr("medllm.pipeline.release.publish.push.find_server", lambda: None)
    with pytest.raises(MedllmError, match=r"through the Ollama server .* none answers"):
        publish(place)
    assert place.proxy.seen == []


def test_a_model_that_is_no_longer_the_evaluated_one(place: Place, ollama_server: str) -> None:
    name = "medllm-push-100:q4_k_m"
    with httpx.Client(base_url=ollama_server, trust_env=False) as http:
        copies = ((name, "medllm-push-kept"), ("medllm-push-100:q8_0", name))
        for source, target in copies:
            http.post(
                "/api/copy", json={"source": source, "destination": target}
            ).raise_for_status()
        try:
            with pytest.raises(MedllmError, match=f"{name} .* is not the model that stage create"):
                publish(place)
        finally:
            http.post("/api/copy", json={"source": "medllm-push-kept", "destination": name})
    assert place.proxy.seen == []
