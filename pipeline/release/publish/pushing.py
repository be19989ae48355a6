"""POST /api/push and /api/pull: the transfers of a model between an Ollama server and a registry.

Each streams lines of JSON; an error is a line ``{"error": …}`` under HTTP 200. Source:
``server.PushHandler`` and ``server/upload.go`` of github.com/ollama/ollama.
"""

from __future__ import annotations

import json
import re
import time

import httpx
from tqdm import tqdm

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.release.publish.retry import AGAIN, Denied, Transient
from medllm.pipeline.release.server import Server
from medllm.pipeline.release.wire import one_line, reason

STALL = 300.0  # seconds without a byte or a new status after which a transfer is given up
_DENIED = re.compile(
    r"^40[13]\b|status 40[13]\b|unauthori[sz]ed|not authori[sz]ed|access denied"
    r"|requested access|NAME_UNKNOWN|namespace",
    re.IGNORECASE,
)
_PLAIN = "server gave HTTP response to HTTPS client"
_ENCRYPTED = "HTTP request to an HTTPS server"
_LOGIN = "realm host"  # getAuthorizationToken in server/auth.go
# what no second attempt changes -> what to do
_HOPELESS = {
    _PLAIN: "The registry speaks plain HTTP: set push.insecure to true if that is meant.",
    _ENCRYPTED: "The registry speaks HTTPS: leave push.insecure out.",
    _LOGIN: "The registry asks for a login that Ollama does not have: it knows its key only. Let "
    "the server's machine in by address, or use a registry without a login.",
    "x509:": "Give the machine of the Ollama server the registry's certificate authority.",
    "no such file or directory": "Run stage create again: the server lost the model.",
}


def push_model(server: Server, name: str, *, insecure: bool, stall: float = STALL) -> None:
    """Have the server push one of its models to the registry that its name holds.

    Blobs that the registry has are not sent again. Raises Denied, Transient when a second attempt
    may work, and MedllmError for the rest.
    """
    _transfer(server, "push", name, insecure, stall)


def pull_model(server: Server, name: str, *, insecure: bool, stall: float = STALL) -> None:
    """Have the server fetch a model from the registry that its name holds; raises as push does."""
    _transfer(server, "pull", name, insecure, stall)


def _transfer(server: Server, verb: str, name: str, insecure: bool, stall: float) -> None:
    direct = httpx.URL(server.host).host in ("127.0.0.1", "::1", "localhost")
    doing = f"{verb} {name}"
    status: object = None
    moved, heard = None, time.monotonic()
    try:
        with (
            httpx.Client(
                base_url=server.host,
                timeout=httpx.Timeout(stall, connect=5),
                trust_env=not direct,
            ) as http,
            http.stream(
                "POST", f"/api/{verb}", json={"model": name, "insecure": insecure}
            ) as response,
            tqdm(unit="B", unit_scale=True, leave=False, disable=None, desc=doing) as bar,
        ):
            if not response.is_success:
                response.read()
                raise _refusal(server, doing, response.text or response.reason_phrase)
            for line in filter(None, response.iter_lines()):
                progress = json.loads(line)
                if not isinstance(progress, dict):
                    raise ValueError("a line is not a JSON object")
                if "error" in progress:
                    raise _refusal(server, doing, progress["error"])
                status = progress.get("status")
                total, completed = progress.get("total"), progress.get("completed")
                if (status, completed) != moved:
                    moved, heard = (status, completed), time.monotonic()
                elif time.monotonic() - heard > stall:
                    raise httpx.ReadTimeout(f"nothing moved for {stall:g} s")
                bar.set_description(f"{name}: {status}", refresh=False)
                if isinstance(total, int) and isinstance(completed, int):
                    bar.total = total
                    bar.update(completed - bar.n)
    except (httpx.HTTPError, httpx.StreamError) as error:
        told = one_line(str(error)) or type(error).__name__
        raise Transient(
            f"The Ollama server at {server.host} broke off when asked to {doing}: {told}.", AGAIN
        ) from None
    except ValueError as error:
        raise Transient(
            f"The Ollama server at {server.host} gave a strange answer when asked to {doing}: "
            f"{one_line(str(error))}.",
            AGAIN,
        ) from None
    if status != "success":
        raise Transient(
            f"The Ollama server at {server.host} did not finish when asked to {doing}: it ended at "
            f"{status!r}.",
            AGAIN,
        )


def _refusal(server: Server, doing: str, error: object) -> MedllmError:
    told = reason(error)
    what = f"The Ollama server at {server.host} does not {doing}: {told}."
    for sign, fix in _HOPELESS.items():
        if sign in told:
            return (Denied if sign == _LOGIN else MedllmError)(what, fix)
    if _DENIED.search(told):
        return Denied(
            what,
            "Check that the namespace of push.name is yours, and register the key of the user who "
            "runs the Ollama server (not yours) at the registry; for the hub that is "
            "https://ollama.com/settings/keys.",
        )
    return Transient(what, AGAIN)
