"""``medllm verify-bundle``: is this bundle whole, and whose is it?"""

from __future__ import annotations

import contextlib
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import click

from medllm.pipeline.bundle.bundle import UNLISTED
from medllm.pipeline.bundle.release import Release, read_release
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file
from medllm.pipeline.provenance.checksums import NAME, SUMS, check_sums
from medllm.pipeline.provenance.signing import (
    PUBLIC_KEY,
    SUMS_SIGNATURE,
    check_file,
    check_folder,
    fingerprint,
    read_public_key,
    spaced,
)

_FIX = "Get the release again from its maintainer."


@dataclass(frozen=True)
class Verified:
    """A bundle that is as its maintainer signed it."""

    release: Release
    files: int
    fingerprint: str  # sha256 of SHA256SUMS
    key: str  # fingerprint of the key that signed it
    key_given: bool  # by the person who asked; else it is the bundle's own


def verify_bundle(path: Path, key: Path | None = None) -> Verified:
    """Check every file of a bundle, folder or zip, and both signatures.

    Raises MedllmError for the first thing that is wrong: a file missing, added, changed, no plain
    file; a list or signature that is damaged or is not by the key.
    """
    with opened(path) as folder:
        return check_folder_of_bundle(folder, key)


def show_verified(path: Path, key: Path | None = None) -> None:
    """Print what ``verify_bundle`` found."""
    found = verify_bundle(path, key)
    click.echo(f"{found.release.name}: {found.files} files, all there and unchanged")
    click.echo(f"fingerprint of the release  {spaced(found.fingerprint)}")
    click.echo(f"fingerprint of the key      {spaced(found.key)}")
    if found.key_given:
        click.echo("signed by the key you gave")
    else:
        click.echo(
            "signed by the key inside the bundle, which proves nothing about who made it: compare "
            "one of the fingerprints with the maintainer's, or give a key you trust with --key"
        )


def check_folder_of_bundle(folder: Path, key: Path | None) -> Verified:
    """``verify_bundle`` for a bundle that is a folder."""
    listed = check_sums(folder, UNLISTED)
    public = read_public_key(key or folder / PUBLIC_KEY)
    check_file(public, folder / SUMS, folder / SUMS_SIGNATURE)
    check_folder(public, folder, UNLISTED)
    release = read_release(folder)
    for name in release.weight_files:
        if name not in listed:
            raise MedllmError(f"{name} is missing in {folder}.", _FIX)
    return Verified(
        release=release,
        files=len(listed) + len(UNLISTED),
        fingerprint=sha256_file(folder / SUMS),
        key=fingerprint(public),
        key_given=key is not None,
    )


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Path]:
    """A bundle as a folder: itself, or a zip unpacked for as long as it is needed.

    Raises MedllmError for a zip with anything in it but plain files in one folder.
    """
    if not path.is_file():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="medllm-") as scratch:
        try:
            with zipfile.ZipFile(path) as archive:
                _unpack(archive, Path(scratch), path)
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
            raise MedllmError(
                f"{path} cannot be unpacked: {' '.join(str(error).split())[:120]}.", _FIX
            ) from None
        yield Path(scratch)


def _unpack(archive: zipfile.ZipFile, folder: Path, path: Path) -> None:
    members = archive.infolist()
    needed, free = sum(member.file_size for member in members), shutil.disk_usage(folder).free
    if needed > free:
        raise MedllmError(
            f"Unpacking {path} takes {needed / 1e9:.1f} GB in {folder}; {free / 1e9:.1f} GB are "
            "free.",
            "Unpack it yourself on a larger disk and name that folder.",
        )
    tops = {str(PurePosixPath(member.filename).parent) for member in members}
    for member in members:
        name = PurePosixPath(member.filename).name
        mode = member.external_attr >> 16
        plain = not member.is_dir() and stat.S_IFMT(mode) in (0, stat.S_IFREG)
        if len(tops) > 1 or not plain or not NAME.fullmatch(name) or (folder / name).exists():
            raise MedllmError(f"{path} holds {member.filename!r}, which no release does.", _FIX)
        with archive.open(member) as source, (folder / name).open("xb") as target:
            shutil.copyfileobj(source, target, 2**20)
