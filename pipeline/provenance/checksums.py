"""SHA256SUMS of a flat folder: which files are there, and what they hold.

A release is one folder of plain files whose names a shell, PowerShell and FAT32 take as they are.
Everything else (a link, a folder, a device, an odd name) is refused before anything is read.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Mapping
from pathlib import Path

from tqdm import tqdm

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file

SUMS = "SHA256SUMS"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LINE = re.compile(rf"([0-9a-f]{{64}})  ({NAME.pattern})")
_LIMIT = 2**20  # bytes of a list that is read at all
_FIX = "Get the release again from its maintainer."
_STRAY = (
    "Delete it if your computer put it there (.DS_Store, Thumbs.db); else get the release again."
)


def list_plain_files(folder: Path) -> dict[str, int]:
    """Names and sizes of the files in a folder, sorted by name.

    Raises MedllmError for a folder that cannot be read and for anything in it that is not a plain
    file with a plain name.
    """
    found = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                facts = entry.stat(follow_symlinks=False)
                if not stat.S_ISREG(facts.st_mode):
                    kind = "a link" if stat.S_ISLNK(facts.st_mode) else "not a plain file"
                    raise MedllmError(f"{entry.name!r} in {folder} is {kind}.", _FIX)
                if not NAME.fullmatch(entry.name):
                    raise MedllmError(
                        f"{entry.name!r} in {folder} does not belong to a release.", _STRAY
                    )
                found[entry.name] = facts.st_size
    except OSError as error:
        raise MedllmError(f"{folder} cannot be read: {error.strerror}.", "Check it.") from None
    return dict(sorted(found.items()))


def digests(folder: Path, names: Collection[str], said: str = "reading") -> dict[str, str]:
    """Hex sha256 of files of a folder, with a progress bar over the files."""
    return {
        name: sha256_file(folder / name)
        for name in tqdm(sorted(names), desc=said, unit="file", leave=False, disable=None)
    }


def sums_text(found: Mapping[str, str]) -> str:
    """The list in the form that ``sha256sum -c`` and ``shasum -c`` read, sorted by name."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(found.items()))


def read_sums(folder: Path) -> dict[str, str]:
    """Name -> hex sha256, as SHA256SUMS in a folder says.

    Raises MedllmError for a list that is not exactly as ``sums_text`` writes it: there is one way
    to write it, so that no two programs can read it differently.
    """
    path = folder / SUMS
    if path.is_symlink() or not path.is_file():
        raise MedllmError(f"{folder} holds no {SUMS}.", "Name the folder of a release.")
    if path.stat().st_size > _LIMIT:
        raise MedllmError(f"{path} is too large for a list of files.", _FIX)
    text = path.read_bytes().decode("ascii", errors="replace")
    found = {}
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise MedllmError(f"{path} line {number} is damaged.", _FIX)
        found[match[2]] = match[1]
    if not found or sums_text(found) != text:
        raise MedllmError(f"{path} is damaged.", _FIX)
    return found


def check_sums(folder: Path, unlisted: Collection[str]) -> dict[str, str]:
    """Compare a folder with its SHA256SUMS; returns name -> digest.

    ``unlisted`` are the files that no list can hold: itself and its signature. They must be there.
    Raises MedllmError, naming the file, for one that is missing, added or changed.
    """
    listed, there = read_sums(folder), list_plain_files(folder)
    expected = {*listed, *unlisted}
    for name in sorted(expected - there.keys()):
        raise MedllmError(f"{name} is missing in {folder}.", _FIX)
    for name in sorted(there.keys() - expected):
        raise MedllmError(f"{name} in {folder} does not belong to this release.", _STRAY)
    for name, digest in digests(folder, listed, "checking").items():
        if digest != listed[name]:
            raise MedllmError(f"{name} in {folder} is damaged or was changed.", _FIX)
    return listed
