"""What was published: a record a version, written after every step, so that a rerun goes on there.

``build/<run>/push/<host>/<namespace>/<model>/<version>.json``. Keep these files: a rollback moves
tags only to what a receipt proves.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medllm.pipeline.config import RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import write_atomically
from medllm.pipeline.release.publish.names import Reach, Repository
from medllm.pipeline.release.publish.registry import Found

SCHEMA_VERSION: Literal[1] = 1


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GateResult(_Record):
    """One thing that was asked before anything left the machine."""

    check: str
    result: Literal["passed", "not asked"]
    detail: str


class PublishedLayer(_Record):
    """A blob at the registry."""

    media_type: str
    digest: str
    bytes: int


class PublishedTag(_Record):
    """A tag that never changes once it is verified: one quant of one version."""

    tag: str
    quant: str = Field(description="as in the file's name, q4_k_m")
    file: str = Field(description="GGUF below the run's folder")
    sha256: str = Field(description="of that file")
    server_digest: str = Field(description="of the model on the Ollama server that made it")
    digest: str | None = Field(None, description="of the manifest at the registry; None: not yet")
    layers: tuple[PublishedLayer, ...] = ()
    begun: datetime | None = Field(None, description="when a push of it was last begun")
    verified: datetime | None = None

    def seen(self, found: Found) -> PublishedTag:
        """This tag with what the registry showed."""
        layers = tuple(
            PublishedLayer(media_type=one.media_type, digest=one.digest, bytes=one.size)
            for one in found.layers
        )
        return self.model_copy(
            update={"digest": found.digest, "layers": layers, "verified": datetime.now(UTC)}
        )

    @property
    def bytes(self) -> int:
        """All layers together."""
        return sum(layer.bytes for layer in self.layers)


class MovingTag(_Record):
    """A tag that is moved from version to version, and how the last move of it ended."""

    tag: str
    to: str = Field(description="the version's tag")
    digest: str = Field(description="of the manifest that it shall name")
    before: str | None = Field(description="digest that it named before; None: no such tag")
    state: Literal["moving", "verified", "put back", "unverified"]
    at: datetime


class ReleaseReceipt(_Record):
    """One version at one registry."""

    schema_version: Literal[1] = SCHEMA_VERSION
    registry: str
    name: str = Field(description="namespace/model")
    version: str
    reach: Reach = Field(description="who can read there")
    medllm: str = Field(description="version of medllm that pushed")
    ollama: str = Field(description="version of the Ollama server that pushed")
    gate: tuple[GateResult, ...]
    tags: tuple[PublishedTag, ...]
    moving: tuple[MovingTag, ...] = ()
    started: datetime
    updated: datetime
    completed: datetime | None = None

    def published(self, quant: str) -> PublishedTag | None:
        """The tag of a quant."""
        return next((tag for tag in self.tags if tag.quant == quant), None)

    def named(self, tag: str) -> PublishedTag | None:
        """The published tag of that name."""
        return next((one for one in self.tags if one.tag == tag), None)


class Journal:
    """The receipt of the version at work; each change is on the disk before the next step."""

    def __init__(self, path: Path, receipt: ReleaseReceipt) -> None:
        """Writes the receipt."""
        self.path, self.receipt = path, receipt
        path.parent.mkdir(parents=True, exist_ok=True)
        self._write()

    def published(self, tag: PublishedTag) -> None:
        """Record one version's tag."""
        tags = (tag if one.tag == tag.tag else one for one in self.receipt.tags)
        self._write(tags=tuple(tags))

    def moved(self, tag: MovingTag) -> None:
        """Record where one moving tag stands."""
        others = (one for one in self.receipt.moving if one.tag != tag.tag)
        self._write(moving=(*others, tag), completed=None)

    def complete(self) -> None:
        """Record that everything is published and verified."""
        self._write(completed=datetime.now(UTC))

    def _write(self, **changes: Any) -> None:
        changes["updated"] = datetime.now(UTC)
        self.receipt = self.receipt.model_copy(update=changes)
        write_atomically(self.path, self.receipt.model_dump_json(indent=2) + "\n")


def release_folder(paths: RunPaths, repository: Repository) -> Path:
    """Where the receipts of a repository's versions are."""
    host = repository.host.replace(":", "_")
    return paths.stage("push") / host / repository.namespace / repository.model


def read_release(folder: Path, version: str) -> ReleaseReceipt | None:
    """The receipt of a version, or None. Raises MedllmError for a damaged one."""
    path = folder / f"{version}.json"
    try:
        return ReleaseReceipt.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        raise MedllmError(
            f"{path} is not a release receipt that this version of medllm reads.",
            "Restore it from a copy, or move it away to publish that version again.",
        ) from None


def all_releases(folder: Path) -> list[ReleaseReceipt]:
    """The receipts of all versions, the latest published last."""
    found = [read_release(folder, path.stem) for path in sorted(folder.glob("*.json"))]
    return sorted((one for one in found if one), key=lambda one: one.started)


@contextlib.contextmanager
def publishing_alone(folder: Path) -> Iterator[None]:
    """Hold the repository's lock. Raises MedllmError when another medllm has it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MedllmError(
                f"Another medllm is publishing to {folder}.", "Wait for it to end."
            ) from None
        yield
