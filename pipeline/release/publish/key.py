"""The public key with which an Ollama server signs its pushes: that of the user who runs it."""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from medllm.pipeline.release.ollama_host import DEFAULT_PORT

_PUBLIC = re.compile(r"ssh-ed25519 [A-Za-z0-9+/]{40,200}={0,2}( [ -~]{0,200})?\n?")
_LISTEN = "0A"  # TCP_LISTEN of include/net/tcp_states.h
KEYS_PAGE = "https://ollama.com/settings/keys"


def server_key(host: str, proc: Path = Path("/proc")) -> tuple[str | None, str]:
    """The key as one line, and where it was read; or None, and why it cannot be read.

    ``host`` is the server's URL. Only a server of this machine whose process can be looked at
    gives its home for certain; a guess would show the key of the wrong user.
    """
    url = httpx.URL(host)
    if url.host not in ("127.0.0.1", "::1", "localhost"):
        return None, f"the server runs on {url.host}"
    home = _home_of_listener(url.port or DEFAULT_PORT, proc)
    if home is None:
        return None, "the server's process cannot be looked at from here"
    path = home / ".ollama" / "id_ed25519.pub"
    try:
        with path.open("rb") as file:
            text = file.read(1000).decode("ascii")
    except FileNotFoundError:
        return None, f"there is no {path} (the server writes it when it starts)"
    except (OSError, ValueError):
        return None, f"{path} cannot be read"
    if not _PUBLIC.fullmatch(text):
        return None, f"{path} is no public key"
    return text.strip(), str(path)


def about_key(host: str) -> str:
    """Lines that tell a person which key to register, and where."""
    key, where = server_key(host)
    if key:
        return f"the Ollama server signs with {key}\n  ({where}); register it at {KEYS_PAGE}"
    return (
        f"the key that the Ollama server signs with cannot be shown: {where}.\n"
        f"  As the user who runs the server: cat ~/.ollama/id_ed25519.pub; "
        f"register it at {KEYS_PAGE}"
    )


def _home_of_listener(port: int, proc: Path) -> Path | None:
    """HOME of the process that listens on a TCP port (Linux: proc(5), /proc/net/tcp)."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text(encoding="ascii").splitlines()[1:]
        except (OSError, ValueError):
            continue
        for line in lines:
            fields = line.split()
            if len(fields) > 9 and fields[3] == _LISTEN and int(fields[1][-4:], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for folder in sorted(proc.glob("[0-9]*")) if inodes else ():
        try:
            if any(str(link.readlink()) in inodes for link in (folder / "fd").iterdir()):
                values = (folder / "environ").read_bytes().split(b"\0")
                homes = [value[5:] for value in values if value.startswith(b"HOME=/")]
                return Path(homes[0].decode()) if homes else None
        except (OSError, ValueError):
            continue  # gone meanwhile, or another user's
    return None
