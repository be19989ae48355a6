"""Files that survive a crash, and their digests."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from medllm.pipeline.errors import MedllmError


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file. Raises MedllmError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MedllmError(
            f"{path} cannot be read: {error.strerror}.", "Check the path in the config."
        ) from error


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a crash leaves either the old or the new one, whole."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Flush a file's bytes, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
