"""A run's folders, as the stages before this one leave them."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from medllm.pipeline.config import RunPaths, Section
from medllm.pipeline.manifest import MANIFEST, Work, stage
from medllm.pipeline.sources.record import Terms
from medllm.pipeline.stages import INPUTS
from tests.finished_run import prepare_report

_REPORT = prepare_report()
_YOURS = Terms("yours", "You answer for it.", "", "allowed")
_SOURCES = tuple(source.model_copy(update={"terms": _YOURS}) for source in _REPORT.sources)
OWN_DATA = _REPORT.model_copy(update={"sources": _SOURCES}).model_dump_json().encode()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunPaths]:
    """Build a run: ``run({"base": {"LICENSE.txt": b"…"}, …})`` completes those stages.

    Stages base and prepare are there in any case, prepare with data of one's own.
    """
    paths = RunPaths(tmp_path / "run")

    def build(folders: dict[str, dict[str, bytes]]) -> RunPaths:
        always = {
            name: files
            for name, files in (("base", {}), ("prepare", {"report.json": OWN_DATA}))
            if not (paths.stage(name) / MANIFEST).exists()
        }
        for name, files in (always | folders).items():

            def body(work: Work, files: dict[str, bytes] = files) -> None:
                for file, content in files.items():
                    (work.dir / file).write_bytes(content)

            with monkeypatch.context() as patch:
                patch.setitem(INPUTS, name, {})  # stands alone here
                stage(name, Section(), paths, body)
        return paths

    return build


class Proxy(ThreadingHTTPServer):
    """Hands everything on to a real Ollama server and keeps what was asked, with its size.

    With ``forgetful`` that server knows nothing of ``_debug_render_only``.
    """

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = httpx.Client(base_url=target, timeout=60, trust_env=False)
        self.requests: list[tuple[str, str, int]] = []
        self.forgetful = False
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def sent(self, path: str) -> list[int]:
        """Bytes of each body that was sent to paths that begin so."""
        return [size for _, at, size in self.requests if at.startswith(path) and size]


class _Handler(BaseHTTPRequestHandler):
    server: Proxy
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.command, self.path, len(body)))
        if self.server.forgetful and self.path == "/api/chat":
            request = json.loads(body)
            request.pop("_debug_render_only", None)
            body = json.dumps(request).encode()
        answer = self.server.upstream.request(self.command, self.path, content=body)
        self.send_response(answer.status_code)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.content)

    do_GET = do_POST = do_DELETE = do_HEAD = _answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxy(ollama_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy in front of the real server; OLLAMA_HOST names it."""
    server = Proxy(ollama_server)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("OLLAMA_HOST", server.url)
    yield server
    server.shutdown()
    server.server_close()
    server.upstream.close()
    thread.join()
