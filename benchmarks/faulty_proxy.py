"""An HTTP proxy that does one thing wrong: from the n-th request on that it is told to harm."""

from __future__ import annotations

import _thread
import contextlib
import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HTML = b"<!DOCTYPE html><html><body>Please sign in to the guest network.</body></html>"
_DIGEST = re.compile(rb"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and at which of the requests that match."""

    kind: str  # one of KINDS
    method: str = ""  # "" is any
    path: str = ""  # a regular expression that is searched for
    nth: int = 0
    lasts: int = 1  # requests


KINDS = (
    "drop the request",
    "drop the answer",
    "cut the answer",
    "truncate the answer",
    "truncate the request",
    "HTTP 500",
    "HTTP 401",
    "HTML under 200",
    "HTML under 404",
    "error line under 200",
    "change a digest",
    "delay",
    "Ctrl-C",
)


class FaultyProxy(ThreadingHTTPServer):
    """Between a client and ``target`` (``host:port``); ``fault`` may be changed at any time."""

    daemon_threads = True

    def __init__(self, target: str, watch: Callable[[str, str], None] | None = None) -> None:
        """``watch(method, path)`` is called after each request that reached the target."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target, self.watch = target, watch
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.fault: Fault | None = None
        self.struck_at = ""  # the request that was harmed first
        self.seen: list[tuple[str, str]] = []
        self.new_body: Callable[[bytes], bytes] | None = None  # for "change a digest" in a request
        self._matching = 0
        self._lock = threading.Lock()

    def arm(self, fault: Fault | None) -> None:
        """Do this wrong from now on, once."""
        with self._lock:
            self.fault, self._matching = fault, 0
            self.struck_at = ""

    def strikes(self, method: str, path: str) -> Fault | None:
        """The fault if this request is the one to harm."""
        with self._lock:
            self.seen.append((method, path))
            fault = self.fault
            if fault is None or fault.method not in ("", method):
                return None
            if not re.search(fault.path, path):
                return None
            self._matching += 1
            if not fault.nth < self._matching <= fault.nth + fault.lasts:
                return None
            self.struck_at = self.struck_at or f"{method} {path}"
            return fault


@contextlib.contextmanager
def faulty_proxy(
    target: str, watch: Callable[[str, str], None] | None = None
) -> Iterator[FaultyProxy]:
    """A running proxy."""
    proxy = FaultyProxy(target, watch)
    thread = threading.Thread(target=proxy.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: FaultyProxy
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        body = self._body()
        fault = self.server.strikes(self.command, self.path)
        kind = fault.kind if fault else ""
        self.close_connection = True
        if kind == "Ctrl-C":
            _thread.interrupt_main()
        if kind in ("drop the request", "Ctrl-C"):
            return self._drop()
        if kind in _ANSWERS:
            return self._answer(*_ANSWERS[kind])
        if kind == "delay":
            time.sleep(1.5)
        in_request = self.command in ("PUT", "PATCH") and bool(body)
        if kind == "truncate the request" and body:
            body = body[: len(body) // 2]
        if kind == "change a digest" and in_request:
            body = (self.server.new_body or changed_digest)(body)
        connection = http.client.HTTPConnection(self.server.target, timeout=60)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_BY_HOP}
            connection.request(
                self.command, self.path, body, headers | {"Content-Length": str(len(body))}
            )
            response = connection.getresponse()
            if "ndjson" in response.getheader("Content-Type", ""):
                return self._stream(response, cut=kind in ("cut the answer", "drop the answer"))
            content = response.read()
        finally:
            connection.close()
        if self.server.watch:
            self.server.watch(self.command, self.path)
        if kind == "drop the answer":
            return self._drop()
        length = int(response.getheader("Content-Length") or len(content))
        if kind == "change a digest" and not in_request:
            content = changed_digest(content)
        if kind == "truncate the answer":
            content = content[: len(content) // 2]
            length = len(content)
        self.send_response_only(response.status)
        for key, value in response.getheaders():
            if key.lower() not in _HOP_BY_HOP:
                self.send_header(key, value.replace(self.server.target, self.server.host))
        self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            whole = kind != "cut the answer"
            self.wfile.write(content if whole else content[: len(content) // 2])

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _stream(self, response: http.client.HTTPResponse, *, cut: bool) -> None:
        self.send_response_only(response.status)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        for number, line in enumerate(response):
            if cut and number == 2:
                return self._drop()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.write(b"0\r\n\r\n")
        return None

    def _answer(self, status: int, type_: str, content: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", type_)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _drop(self) -> None:
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


_HOP_BY_HOP = ("connection", "content-length", "transfer-encoding", "keep-alive", "date", "expect")
_ANSWERS = {
    "HTTP 500": (500, "application/json", b'{"errors":[{"code":"UNKNOWN"}]}'),
    "HTTP 401": (401, "application/json", b'{"errors":[{"code":"UNAUTHORIZED"}]}'),
    "HTML under 200": (200, "text/html", HTML),
    "HTML under 404": (404, "text/html", HTML),
    "error line under 200": (
        200,
        "application/x-ndjson",
        b'{"status":"retrieving manifest"}\n{"error":"write tcp: broken pipe"}\n',
    ),
}


def changed_digest(content: bytes) -> bytes:
    """The first digest in a text with another last digit."""

    def other(match: re.Match[bytes]) -> bytes:
        return match[0][:-1] + (b"0" if match[0][-1:] != b"0" else b"1")

    return _DIGEST.sub(other, content, count=1)


def swapped_model(other: str) -> Callable[[bytes], bytes]:
    """Makes a manifest name another GGUF, one that the registry has: a manifest that it takes."""

    def swap(content: bytes) -> bytes:
        manifest = json.loads(content)
        for layer in manifest["layers"]:
            if layer["mediaType"].endswith(".model"):
                layer["digest"] = other
        return json.dumps(manifest).encode()

    return swap
