"""Is there an Ollama server, and which: asked once by every stage and page that can use one."""

from __future__ import annotations

import contextlib

import httpx

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.release.ollama_host import host_from_environment
from medllm.pipeline.release.server import Server
from medllm.pipeline.release.wire import one_line


def find_server() -> Server | None:
    """The Ollama server at OLLAMA_HOST, or None when nobody set that and nothing listens.

    Raises MedllmError when OLLAMA_HOST is set and nobody answers there, when something else than
    Ollama answers, and when the server is older than MINIMUM_VERSION.
    """
    host, wanted = host_from_environment()
    server = Server(host)
    try:
        server.probe()
    except httpx.HTTPError as error:
        server.close()
        if not wanted:
            return None
        raise MedllmError(
            f"No Ollama server answers at OLLAMA_HOST {host} ({one_line(str(error))}).",
            "Start it with `ollama serve`, or unset OLLAMA_HOST to go on without one.",
        ) from None
    except MedllmError:
        server.close()
        raise
    return server


def server_fact() -> str:
    """Host and version of the server as one line, ``none`` without a usable one; never raises."""
    try:
        server = find_server()
        if server is None:
            return "none"
        with contextlib.closing(server):
            return f"{server.host} {server.version()}"
    except (MedllmError, httpx.HTTPError):
        return "none"
