"""Who can reach the Ollama server: it has no password, so only this computer should."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from medllm.pipeline.release.ollama_host import host_url

_LISTEN = "0A"  # state of a socket in /proc/net/tcp


def exposed_addresses(proc: Path = Path("/proc/net")) -> list[str]:
    """Addresses beyond loopback on which something listens at the Ollama server's port.

    From the kernel's table where there is one (Linux); elsewhere only OLLAMA_HOST is looked at,
    which says what a server started from here would do.
    """
    url = urlsplit(host_url(os.environ.get("OLLAMA_HOST", "").strip().strip("\"'").strip()))
    tables = [path for path in (proc / "tcp", proc / "tcp6") if path.is_file()]
    if tables and url.port:
        found = {address for path in tables for address in _listening(path, url.port)}
        return sorted(str(one) for one in found if not _loopback(one))
    return [] if _loopback_host(_asked_host()) else [_asked_host()]


def _listening(table: Path, port: int) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Local addresses in LISTEN at a port. Source: proc(5), /proc/net/tcp."""
    for line in table.read_text(encoding="ascii").splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        address, _, number = local.partition(":")
        if state == _LISTEN and int(number, 16) == port:
            raw = bytes.fromhex(address)
            # four bytes at a time, in the order of the machine
            words = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))
            yield ipaddress.ip_address(words)


def _loopback(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _asked_host() -> str:
    """The host part of OLLAMA_HOST as it stands there: a server takes 0.0.0.0 by its word."""
    value = os.environ.get("OLLAMA_HOST", "").strip().strip("\"'").strip()
    if value.count(":") > 1 and "://" not in value and not value.startswith("["):
        return value  # a bare IPv6 address
    return urlsplit(value if "://" in value else f"http://{value}").hostname or "127.0.0.1"


def _loopback_host(host: str) -> bool:
    try:
        return _loopback(ipaddress.ip_address(host))
    except ValueError:
        return host == "localhost"
