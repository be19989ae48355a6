"""A real Ollama server and a real registry of our own on loopback, each in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import httpx

_REGISTRY = """version: 0.1
log: {{level: error}}
storage:
  filesystem: {{rootdirectory: {folder}/storage}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@contextlib.contextmanager
def ollama(folder: Path) -> Iterator[str]:
    """The URL of an Ollama server. Raises FileNotFoundError without ``ollama`` on the PATH."""
    port = free_port()
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("OLLAMA_")},
        "HOME": str(folder),
        "OLLAMA_HOST": f"127.0.0.1:{port}",
        "OLLAMA_MODELS": str(folder / "models"),
        "OLLAMA_NO_CLOUD": "1",
    }
    folder.mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{port}"
    with _running(["ollama", "serve"], folder, environment, f"{url}/api/version"):
        yield url


@contextlib.contextmanager
def docker_registry(folder: Path) -> Iterator[str]:
    """``host:port`` of a registry. Raises FileNotFoundError without ``docker-registry``."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "registry.yml"
    config.write_text(_REGISTRY.format(folder=folder, port=port), encoding="utf-8")
    command = ["docker-registry", "serve", str(config)]
    with _running(command, folder, os.environ, f"http://127.0.0.1:{port}/v2/"):
        yield f"127.0.0.1:{port}"


def free_port() -> int:
    """A TCP port of loopback that was free a moment ago."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def _running(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], probe: str
) -> Iterator[None]:
    program = shutil.which(command[0])
    if program is None:
        raise FileNotFoundError(f"no `{command[0]}` on PATH")
    log = folder / f"{command[0]}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, *command[1:]],
            env=dict(environment),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # its children end with it
        )
    try:
        deadline = time.monotonic() + 60
        while not _answers(probe):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"{command[0]} did not start: {log.read_text(errors='replace')[-2000:]}"
                )
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False
