"""Where the Ollama server is (OLLAMA_HOST, read as Ollama itself does) and how old it may be."""

from __future__ import annotations

import ipaddress
import os
import re

from medllm.pipeline.errors import MedllmError

# CVE-2026-7020 is open up to 0.20.2, CVE-2026-7482 up to 0.17.0.
MINIMUM_VERSION, MINIMUM_KEY = "0.20.3", (0, 20, 3, True)
DEFAULT_PORT = 11434


def host_from_environment() -> tuple[str, bool]:
    """The server's URL, and whether a person set it (else it is Ollama's default)."""
    value = os.environ.get("OLLAMA_HOST", "").strip().strip("\"'").strip()
    return host_url(value), bool(value)


def host_url(value: str) -> str:
    """An OLLAMA_HOST value as a URL to connect to.

    Missing parts are ``http``, 127.0.0.1 and 11434 (80 or 443 where a scheme is written). The
    addresses that mean "every interface" to a server become loopback. Source:
    ``envconfig.Host`` and ``envconfig.ConnectableHost`` of github.com/ollama/ollama.

    Raises MedllmError for a scheme other than http and https, and for a host that is none.
    """
    scheme, separator, rest = value.partition("://")
    if not separator:
        scheme, rest = "http", value
    if scheme not in ("http", "https"):
        raise MedllmError(f"OLLAMA_HOST={value} begins with {scheme}://.", "Use http or https.")
    port = {"http": 80, "https": 443}[scheme] if separator else DEFAULT_PORT
    rest, _, path = rest.partition("/")
    match = re.fullmatch(r"(?:\[([^][]*)\]|([^][:]*)):([^:]*)", rest)
    host = rest.strip("[]")
    if match:
        host = match[1] or match[2] or ""
        if match[3].isascii() and match[3].isdigit() and int(match[3]) < 2**16:
            port = int(match[3])
    try:
        address = ipaddress.ip_address(host or "127.0.0.1")
    except ValueError:
        if not re.fullmatch(r"[A-Za-z0-9._-]+", host):
            raise MedllmError(
                f"OLLAMA_HOST={value} names no host.", "Write it like 127.0.0.1:11434."
            ) from None
    else:
        if address.is_unspecified:
            address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
        host = str(address) if address.version == 4 else f"[{address}]"
    return f"{scheme}://{host}:{port}" + (f"/{path.rstrip('/')}" if path.rstrip("/") else "")


def version_key(text: str) -> tuple[int, int, int, bool] | None:
    """Sorts versions; a release comes after its candidates. None for what is no version."""
    match = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)([-+].*)?", text, re.ASCII)
    if match is None:
        return None
    return int(match[1]), int(match[2]), int(match[3]), not (match[4] or "").startswith("-")
