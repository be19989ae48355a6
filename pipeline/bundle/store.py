"""Ollama's folder of models on this computer, read without its server.

Layout (``server/manifest.go`` and ``types/model/name.go`` of github.com/ollama/ollama):
``manifests/<host>/<namespace>/<model>/<tag>`` is a JSON manifest, ``blobs/sha256-<hex>`` a layer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file

_LIMIT = 2**20  # bytes of a manifest, or of a layer that is read as text
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}")
_MEDIA = "application/vnd.ollama.image."
_FIX = "Install it again from the bundle."


class Layer(BaseModel):
    """One file of a model."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    media_type: str = Field(alias="mediaType")
    digest: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    size: int = Field(ge=0)

    @property
    def kind(self) -> str:
        """``model``, ``template``, ``system``, ``params``, ``license``, ``messages`` or another."""
        return self.media_type.removeprefix(_MEDIA)


class StoreManifest(BaseModel):
    """What a model consists of."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    config: Layer
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class StoredModel:
    """A model of the store, its files not yet checked."""

    name: str  # as `ollama list` shows it
    folder: Path
    digest: str  # sha256 of the manifest: the server's digest of the model
    manifest: StoreManifest

    def layers(self, kind: str) -> Sequence[Layer]:
        """The layers of one kind, in order."""
        return [layer for layer in self.manifest.layers if layer.kind == kind]

    def blob(self, layer: Layer) -> Path:
        """A layer's file, read and compared with its digest.

        Raises MedllmError when it is missing or damaged.
        """
        path = self.folder / "blobs" / layer.digest.replace(":", "-")
        if not path.is_file() or f"sha256:{sha256_file(path)}" != layer.digest:
            raise MedllmError(
                f"{self.name} is damaged: {path} is missing or not what its name says.", _FIX
            )
        return path

    def text(self, layer: Layer) -> str:
        """A small layer's content. Raises MedllmError like ``blob``, and when it is no text."""
        if layer.size > _LIMIT:
            raise MedllmError(f"{self.name}: its {layer.kind} is too large.", _FIX)
        try:
            return self.blob(layer).read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            raise MedllmError(f"{self.name}: its {layer.kind} is no text.", _FIX) from None


def models_folder() -> Path:
    """OLLAMA_MODELS, or Ollama's own place below the home folder."""
    value = os.environ.get("OLLAMA_MODELS", "").strip().strip("\"'").strip()
    return Path(value) if value else Path.home() / ".ollama" / "models"


def read_model(name: str, folder: Path) -> StoredModel:
    """Find a model by the name that `ollama list` shows.

    Raises MedllmError when the name is none, nothing is there, or the manifest is not one.
    """
    parts, tag = _split(name)
    path = folder.joinpath("manifests", *parts, tag)
    try:
        content = path.read_bytes() if path.stat().st_size <= _LIMIT else b""
    except OSError as error:
        raise MedllmError(
            f"There is no model {name} in {folder} ({error.strerror}).",
            "Set OLLAMA_MODELS to the server's folder (for Linux's service that is "
            "/usr/share/ollama/.ollama/models, for root to read).",
        ) from None
    try:
        manifest = StoreManifest.model_validate_json(content)
    except ValidationError:
        raise MedllmError(f"{path} is damaged.", _FIX) from None
    short = "/".join(part for part in parts if part not in ("registry.ollama.ai", "library"))
    return StoredModel(f"{short}:{tag}", folder, sha256_file(path), manifest)


def _split(name: str) -> tuple[list[str], str]:
    parts = name.split("/")
    parts[-1], _, tag = parts[-1].partition(":")
    parts = ["registry.ollama.ai", "library"][: max(3 - len(parts), 0)] + parts
    tag = tag or "latest"
    if len(parts) != 3 or not all(_PART.fullmatch(part) for part in (*parts, tag)):
        raise MedllmError(f"{name} is no name of a model.", "Write it as `ollama list` shows it.")
    return parts, tag
