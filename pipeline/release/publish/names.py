"""Names of models as Ollama and registries take them: host/namespace/model:tag.

Sources: ``types/model/name.go`` of github.com/ollama/ollama for the characters and lengths, the
OCI distribution specification ("Pulling manifests") for what a registry takes of those.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal

from medllm.pipeline.errors import MedllmError

HUB = "registry.ollama.ai"
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,349}")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}")
_MODEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
_OCI = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*")
# RFC 6762, RFC 8375 and ICANN's resolution 2024.07.29.06: never names of the public Internet
_PRIVATE_SUFFIXES = (".local", ".home.arpa", ".internal", ".localhost")

Reach = Literal["loopback", "private", "public"]


@dataclass(frozen=True)
class Repository:
    """One model's place at one registry; every part is legal."""

    host: str
    namespace: str
    model: str
    insecure: bool

    @property
    def url(self) -> str:
        """The registry's own address."""
        return f"{'http' if self.insecure else 'https'}://{self.host}"

    @property
    def path(self) -> str:
        """The repository in a registry's URL."""
        return f"{self.namespace}/{self.model}"

    @property
    def reach(self) -> Reach:
        """Who can read there, judged by the host's name alone; in doubt everybody."""
        return host_reach(self.host)

    def tagged(self, tag: str) -> str:
        """The name of a model on an Ollama server, as that server itself lists it.

        Raises MedllmError for a tag that Ollama does not take.
        """
        if not _MODEL.fullmatch(tag):
            raise MedllmError(
                f"{tag!r} is no tag: letters, digits, _ . - and 80 characters at most.",
                "Correct push.moving_tags or push.version.",
            )
        return f"{'' if self.host == HUB else self.host + '/'}{self.path}:{tag}"


def repository(registry: str, name: str | None, *, insecure: bool = False) -> Repository:
    """Read push.registry and push.name. Raises MedllmError with the part that is not legal."""
    host = registry.strip()
    if "://" in host or "/" in host or not _HOST.fullmatch(host) or not _port_is_legal(host):
        raise MedllmError(
            f"push.registry {registry!r} is no host.",
            "Write it without scheme and path, like registry.ollama.ai or 127.0.0.1:5000.",
        )
    if host.lower() in (HUB, "ollama.com", "www.ollama.com"):
        host = HUB
    if not name:
        raise MedllmError("push.name is not set.", "Write it as namespace/model in the config.")
    namespace, separator, model = name.partition("/")
    if not separator or (host == HUB and namespace == "library"):
        raise MedllmError(
            f"push.name {name!r} has no namespace of yours.",
            "Write namespace/model; at the hub the namespace is your user name there.",
        )
    for what, part, pattern in (("namespace", namespace, _NAMESPACE), ("model", model, _MODEL)):
        if not pattern.fullmatch(part):
            extra = "" if what == "namespace" else " ."
            raise MedllmError(
                f"push.name {name!r}: {part!r} is no {what}.",
                f"Use letters, digits, _ -{extra}, beginning with a letter or digit, 80 at most; "
                f"the tag comes from push.version.",
            )
        if not _OCI.fullmatch(part):
            raise MedllmError(
                f"push.name {name!r}: registries do not take {part!r}.",
                "Use lower case, and one of _ - between letters or digits.",
            )
    if insecure and host_reach(host) == "public":
        raise MedllmError(
            f"push.insecure would send the model to {host} unencrypted over public networks.",
            "Leave push.insecure out, or name a registry of your own network.",
        )
    return Repository(host, namespace, model, insecure)


def host_reach(host: str) -> Reach:
    """Who can read at a ``host[:port]``: loopback, a private network, or the public.

    An address is judged by its block (RFC 6890); a name is private when public DNS cannot hold it.
    Nothing is resolved: an answer from DNS could change between this look and the push.
    """
    name = host.rpartition(":")[0] if re.fullmatch(r".*:\d+", host) else host
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        pass
    else:
        if address.is_loopback:
            return "loopback"
        return "public" if address.is_global else "private"
    if name.lower() == "localhost":
        return "loopback"
    label = re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", name)  # 134744072 would be an address
    return "private" if label or name.lower().endswith(_PRIVATE_SUFFIXES) else "public"


def _port_is_legal(host: str) -> bool:
    name, separator, port = host.partition(":")
    if not separator:
        return True
    return bool(name) and port.isascii() and port.isdigit() and 0 < int(port) < 2**16
