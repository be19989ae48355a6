"""Datasets of a hub: from its cache, over a wire, and where neither works."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources import read_source
from medllm.pipeline.sources.turns import Kept
from tests.pipeline.sources.samples import SAMPLES

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONFIG = SourceConfig(name="icliniq", hub="org/name", revision=COMMIT)
CONTENT = SAMPLES["icliniq"].content


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; nothing is written outside of the test's folder."""
    harnesses = str(tmp_path / "harnesses.json")
    monkeypatch.setattr("huggingface_hub.constants.AGENT_HARNESSES_PATH", harnesses)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No way to the hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


class Hub(BaseHTTPRequestHandler):
    """What the hub answers on the wire for a dataset of one file and a card."""

    breaks_off = False
    asked: list[str]

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, body: bytes, **headers: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_GET(self) -> None:
        if COMMIT not in self.path:  # the client's own questions, not about a dataset
            self.send_error(404)
            return
        self.asked.append(self.path)
        if "/tree/" in self.path:
            files = [("data/train.json", len(CONTENT)), ("README.md", 9), ("model.bin", 10**9)]
            entries = [{"type": "file", "path": p, "size": s, "oid": "0" * 40} for p, s in files]
            self.answer(json.dumps(entries).encode(), Content_Type="application/json")
        elif self.breaks_off:
            self.connection.close()
        else:
            self.answer(CONTENT, ETag='"abc"', X_Repo_Commit=COMMIT)

    do_HEAD = do_GET


@pytest.fixture
def hub(hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    """A hub on this machine."""
    handler = type("_Hub", (Hub,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
    files = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", files)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_dataset_is_downloaded_at_its_commit_and_only_its_data(hub: type[Hub]) -> None:
    results = list(read_source(CONFIG))
    assert [result.where for result in results] == ["row 1", "row 2"]
    assert all(isinstance(result, Kept) for result in results)
    assert not [path for path in hub.asked if path.endswith((".md", ".bin"))]
    asked = len(hub.asked)
    assert list(read_source(CONFIG)) == results
    assert len(hub.asked) == asked  # the second time it is in the cache


def test_a_connection_that_breaks_off(hub: type[Hub]) -> None:
    hub.breaks_off = True
    with pytest.raises(MedllmError, match=f"org/name at {COMMIT} could not be downloaded"):
        read_source(CONFIG)


@pytest.mark.usefixtures("offline")
def test_a_dataset_that_is_not_in_the_cache_offline(hub_cache: Path) -> None:
    with pytest.raises(MedllmError, match=f"org/name at {COMMIT} could not be downloaded") as error:
        read_source(CONFIG)
    assert error.value.fix.endswith("download its files and set path instead of hub.")


@pytest.mark.usefixtures("offline")
def test_a_dataset_from_the_cache(hub_cache: Path) -> None:
    repository = hub_cache / "datasets--org--name"
    snapshot = repository / "snapshots" / COMMIT
    (snapshot / "data").mkdir(parents=True)
    (repository / "blobs").mkdir()
    (repository / "blobs" / "1").write_bytes(CONTENT)
    (snapshot / "data" / "train.json").symlink_to(repository / "blobs" / "1")
    (snapshot / "README.md").write_text("# a card")
    assert [result.where for result in read_source(CONFIG)] == ["row 1", "row 2"]
