"""Two finished runs on a real Ollama server, a real registry, and a registry that is scripted."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from benchmarks.faulty_proxy import FaultyProxy, faulty_proxy
from benchmarks.loopback import docker_registry
from medllm.pipeline.config import PushConfig, RunPaths
from tests.release_run import build_run

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture(scope="session")
def registry_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``host:port`` of a real registry."""
    with contextlib.ExitStack() as stack:
        try:
            yield stack.enter_context(docker_registry(tmp_path_factory.mktemp("registry")))
        except FileNotFoundError as error:
            pytest.skip(str(error))


@pytest.fixture(scope="session")
def run_folders(ollama_server: str, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs whose models differ, complete up to stage create."""
    folder = tmp_path_factory.mktemp("runs")
    return [
        build_run(folder / f"run{seed}", ollama_server, seed, f"medllm-push-{seed}").root
        for seed in (100, 200)
    ]


@dataclass
class Place:
    """A repository of its own behind a proxy, and two runs that share its receipts."""

    model: str
    direct: str  # host:port of the registry itself
    proxy: FaultyProxy
    runs: list[RunPaths]

    def config(self, version: str | None = "1.0.0", **changes: object) -> PushConfig:
        """The push section."""
        values = {"registry": self.proxy.host, "name": f"tests/{self.model}", "insecure": True}
        return PushConfig.model_validate({**values, "version": version, **changes})

    def digest(self, tag: str) -> str | None:
        """What a tag names, read past the proxy."""
        response = httpx.get(
            f"http://{self.direct}/v2/tests/{self.model}/manifests/{tag}",
            headers={"Accept": MANIFEST_TYPE},
            trust_env=False,
        )
        return response.headers["Docker-Content-Digest"] if response.is_success else None

    def put(self, tag: str, manifest: bytes) -> None:
        """Overwrite a tag, as somebody else would."""
        httpx.put(
            f"http://{self.direct}/v2/tests/{self.model}/manifests/{tag}",
            content=manifest,
            headers={"Content-Type": MANIFEST_TYPE},
            trust_env=False,
        ).raise_for_status()

    def get(self, tag: str) -> bytes:
        """A tag's manifest."""
        return httpx.get(
            f"http://{self.direct}/v2/tests/{self.model}/manifests/{tag}",
            headers={"Accept": MANIFEST_TYPE},
            trust_env=False,
        ).content


@pytest.fixture
def place(
    run_folders: list[Path],
    registry_host: str,
    ollama_server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    monkeypatch.setenv("OLLAMA_HOST", ollama_server)
    runs = []
    for number, folder in enumerate(run_folders):
        root = tmp_path / f"run{number}"
        root.mkdir()
        for stage in folder.iterdir():
            if stage.is_dir() and not stage.name.startswith("."):
                (root / stage.name).symlink_to(stage)
        (tmp_path / "receipts").mkdir(exist_ok=True)
        (root / "push").symlink_to(tmp_path / "receipts")
        runs.append(RunPaths(root))
    with faulty_proxy(registry_host) as proxy:
        yield Place(tmp_path.name.lower().replace("_", "-").strip("-"), registry_host, proxy, runs)


@dataclass
class Answer:
    """What a scripted registry says."""

    status: int = 200
    type: str = "application/json"
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)


class ScriptedRegistry(ThreadingHTTPServer):
    """Answers each path with exact bytes."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: ScriptedRegistry

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(f"{self.command} {self.path}")
        answer = self.server.answers.get(self.path, Answer(404, body=b'{"errors":[]}'))
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.type)
        if "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.body)))
        for key, value in answer.headers.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_POST = _answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def scripted() -> Iterator[ScriptedRegistry]:
    server = ScriptedRegistry()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
