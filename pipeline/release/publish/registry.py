"""A registry of models, read through its HTTP API v2: manifests and blobs, each answer checked.

Only reading: what is written there is written by the Ollama server, whose key the registry knows.
Source: the OCI distribution specification 1.1, and Docker's registry API before it.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.release.publish.names import HUB, Repository
from medllm.pipeline.release.publish.retry import AGAIN, Denied, Transient, Unverified
from medllm.pipeline.release.wire import one_line

_TIMEOUT = httpx.Timeout(60, connect=10)  # seconds between two bytes
_MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
# OpenSSL's words for what no second attempt changes -> what to do
_HOPELESS = {
    "WRONG_VERSION_NUMBER": "It speaks plain HTTP: set push.insecure to true if that is meant.",
    "CERTIFICATE_VERIFY_FAILED": "Give this machine the registry's certificate authority.",
}
_MOST = 2**20  # bytes of a manifest, and of a blob that is read to be hashed


class Layer(BaseModel):
    """One blob that a manifest names."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)
    media_type: str = Field(alias="mediaType", max_length=200)
    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    size: int = Field(ge=0)


class ImageManifest(BaseModel):
    """A model at a registry: its layers and its config."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    schema_version: Literal[2] = Field(alias="schemaVersion")
    config: Layer
    layers: tuple[Layer, ...] = Field(min_length=1, max_length=1000)


@dataclass(frozen=True)
class Found:
    """A manifest as a registry returned it."""

    manifest: ImageManifest
    raw: bytes

    @property
    def digest(self) -> str:
        """Its name at the registry, ``sha256:…``."""
        return f"sha256:{hashlib.sha256(self.raw).hexdigest()}"

    @property
    def server_digests(self) -> frozenset[str]:
        """What an Ollama server calls the same manifest, 64 hex digits.

        The server that made the model hashes its own file, which ends in a line feed that the push
        leaves off (``manifest.WriteManifest`` of github.com/ollama/ollama); a server that pulled
        it has the registry's bytes.
        """
        return frozenset(hashlib.sha256(self.raw + end).hexdigest() for end in (b"", b"\n"))

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All blobs, the config last."""
        return (*self.manifest.layers, self.manifest.config)


class Registry:
    """One repository at one registry. Names no tag of its own."""

    def __init__(self, repository: Repository) -> None:
        """Nothing is sent yet."""
        self.repository = repository
        self._http = httpx.Client(
            base_url=repository.url,
            timeout=_TIMEOUT,
            follow_redirects=True,  # the hub keeps its blobs with another host
            max_redirects=5,
            trust_env=repository.reach == "public",  # no proxy between two private machines
            headers={"Accept-Encoding": "identity"},
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def check(self) -> None:
        """Raise MedllmError when what answers there is no registry."""
        path = f"/v2/{self.repository.path}/manifests/latest"
        with self._asking("GET", path if self.repository.host == HUB else "/v2/") as response:
            if response.status_code >= 500:
                raise Transient(f"{self._who} answers HTTP {response.status_code}.", AGAIN)
            known = response.headers.get("Docker-Distribution-Api-Version") == "registry/2.0"
            json = "json" in response.headers.get("Content-Type", "")
            if response.status_code not in (200, 401, 404) or not (known or json):
                raise MedllmError(
                    f"What answers at {self.repository.url} is no registry "
                    f"(HTTP {response.status_code}, "
                    f"{one_line(response.headers.get('Content-Type', 'no content type'))}).",
                    "Correct push.registry.",
                )

    def find(self, tag: str) -> Found | None:
        """What a tag names, or None. Raises Denied, or Transient for anything but a manifest."""
        path = f"/v2/{self.repository.path}/manifests/{tag}"
        with self._asking("GET", path, {"Accept": _MANIFEST_TYPE}) as response:
            html = "html" in response.headers.get("Content-Type", "")
            if response.status_code == 404 and not html:
                return None
            self._require(response, f"the manifest of :{tag}")
            raw = _read(response)
            told = response.headers.get("Docker-Content-Digest")
        try:
            found = Found(ImageManifest.model_validate_json(raw), raw)
        except ValidationError:
            raise Transient(
                f"{self._who} answers with something else than the manifest of :{tag}.", AGAIN
            ) from None
        if told and told != found.digest:
            raise Transient(f"{self._who} sent a manifest of :{tag} that is not whole.", AGAIN)
        return found

    def verify(self, tag: str, server_digest: str) -> Found:
        """Prove that a tag names the model that a server calls ``server_digest``, with all blobs.

        That digest is over every layer's digest and size. Each blob must be there with its size;
        those up to 1 MiB (template, licences, parameters) are read and hashed as well. Raises
        Unverified when it is anything else.
        """
        found = self.find(tag)
        if found is None:
            raise Unverified(f"{self._who} has no :{tag}.", AGAIN)
        if server_digest not in found.server_digests:
            raise Unverified(
                f":{tag} at {self.repository.host} names {found.digest[:19]}…, which is not the "
                f"model {server_digest[:12]}… of the Ollama server.",
                AGAIN,
            )
        for layer in found.layers:
            self._verify_blob(layer)
        return found

    def _verify_blob(self, layer: Layer) -> None:
        path, what = f"/v2/{self.repository.path}/blobs/{layer.digest}", f"{layer.digest[:19]}…"
        read = layer.size <= _MOST
        with self._asking("GET" if read else "HEAD", path) as response:
            if response.status_code == 404:
                raise Unverified(f"{self._who} lacks the layer {what}.", AGAIN)
            self._require(response, f"the layer {what}")
            if read:
                content = _read(response)
                size: object = len(content)
                right = f"sha256:{hashlib.sha256(content).hexdigest()}" == layer.digest
            else:
                size = response.headers.get("Content-Length")
                right = response.headers.get("Docker-Content-Digest", layer.digest) == layer.digest
        if not right or str(size) != str(layer.size):
            raise Unverified(
                f"{self._who} has {size} bytes for the layer {what} of {layer.size} bytes, or "
                f"other ones.",
                AGAIN,
            )

    @property
    def _who(self) -> str:
        return f"The registry {self.repository.host}"

    def _require(self, response: httpx.Response, what: str) -> None:
        status = response.status_code
        if status in (401, 403):
            raise Denied(
                f"{self._who} does not show {what} to everybody (HTTP {status}), so it cannot be "
                f"verified.",
                "Make the model public there, and check push.name.",
            )
        if status != 200:
            raise Transient(f"{self._who} answers HTTP {status} for {what}.", AGAIN)

    @contextlib.contextmanager
    def _asking(
        self, method: str, path: str, headers: dict[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        try:
            with self._http.stream(method, path, headers=headers) as response:
                hops = [hop.url.scheme for hop in (*response.history, response)]
                if "https" in hops and "http" in hops[hops.index("https") :]:
                    raise MedllmError(
                        f"{self._who} sends readers on to an unencrypted address.",
                        "Do not use this registry.",
                    )
                yield response
        except httpx.InvalidURL as error:
            raise MedllmError(
                f"{self.repository.url} is no address: {error}.", "Correct push.registry."
            ) from None
        except (httpx.HTTPError, httpx.StreamError, ValueError) as error:
            told = one_line(str(error)) or type(error).__name__
            for sign, fix in _HOPELESS.items():
                if sign in told:
                    raise MedllmError(f"{self._who} cannot be read: {told}.", fix) from None
            raise Transient(f"{self._who} cannot be read: {told}.", AGAIN) from None


def _read(response: httpx.Response) -> bytes:
    """A small answer. Raises ValueError when it is not small."""
    content = b""
    for piece in response.iter_bytes():
        content += piece
        if len(content) > _MOST:
            raise ValueError(f"more than {_MOST} bytes")
    return content
