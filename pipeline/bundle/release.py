"""release.txt: the few facts that the install scripts and the checks read, as ``key=value`` lines.

Plain lines, because a shell and PowerShell 5.1 must read them; signed like every other file.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.provenance.identity import GgufIdentity

RELEASE = "release.txt"
FAT32_LIMIT = 2**32 - 1  # bytes a file on FAT32 can have
_HEX = r"^[0-9a-f]{64}$"
_LIMIT = 64 * 1024  # bytes


class Release(BaseModel):
    """What a bundle installs."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    release: int = Field(1, ge=1, le=1, description="version of this file")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$", description="in Ollama")
    gguf: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}\.gguf$")
    bytes: int = Field(gt=0, description="of the whole GGUF")
    sha256: str = Field(pattern=_HEX, description="of the whole GGUF")
    parts: int = Field(ge=0, le=99, description="pieces the GGUF is cut into; 0: one file")
    memory: int = Field(gt=0, description="bytes needed free while it answers")
    tensors: str = Field(pattern=_HEX, description="GgufIdentity.tensors")
    metadata: str = Field(pattern=_HEX, description="GgufIdentity.metadata")

    @property
    def identity(self) -> GgufIdentity:
        """What any copy of the weights must be, however it is laid out."""
        return GgufIdentity(tensors=self.tensors, metadata=self.metadata)

    @property
    def weight_files(self) -> tuple[str, ...]:
        """The files that hold the GGUF, in order: ``x.gguf`` or ``x.gguf.part01`` …"""
        parts = tuple(f"{self.gguf}.part{number:02d}" for number in range(1, self.parts + 1))
        return parts or (self.gguf,)

    def text(self) -> str:
        """The file's content."""
        return "".join(f"{key}={value}\n" for key, value in self.model_dump().items())


def read_release(folder: Path) -> Release:
    """Read a bundle's release.txt. Raises MedllmError when it is not one."""
    path = folder / RELEASE
    try:
        with path.open("rb") as file:
            text = file.read(_LIMIT).decode("ascii")
        return Release.model_validate(
            dict(line.split("=", 1) for line in text.splitlines()), strict=False
        )
    except (OSError, ValueError, ValidationError):
        raise MedllmError(
            f"{path} is missing or damaged.", "Name the folder of a medllm bundle."
        ) from None
