"""A bundle onto a stick, or into one zip: whole and read back, or not there at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Never

import click
from tqdm import tqdm

from medllm.pipeline.bundle.verify import check_folder_of_bundle, verify_bundle
from medllm.pipeline.config import RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sync
from medllm.pipeline.manifest import read_manifest
from medllm.pipeline.provenance.checksums import list_plain_files

_MARGIN = 2**22  # bytes for the file system's own needs
_CHUNK = 2**22
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same bundle gives the same zip


def copy_run(paths: RunPaths, target: Path) -> None:
    """Copy the bundle of a run, as ``copy_bundle``."""
    read_manifest(paths.stage("bundle"))
    (folder,) = (path for path in paths.stage("bundle").iterdir() if path.is_dir())
    copy_bundle(folder, target)


def copy_bundle(bundle: Path, target: Path) -> None:
    """Copy a bundle to ``target``, a folder that is not there yet or is empty, or a ``.zip``.

    The copy is made beside the target, flushed, checked as ``verify-bundle`` does, and then
    renamed. Raises MedllmError, and leaves nothing behind, for a bundle that is not as it was
    signed, a target that holds something, cannot be written or is too small.
    """
    target = Path(os.path.abspath(target))  # noqa: PTH100  resolve() would follow a link
    check_folder_of_bundle(bundle, None)
    sizes = list_plain_files(bundle)
    _check_target(target, sum(sizes.values()))
    partial = target.with_name(f".{target.name}.partial")
    with _all_or_nothing(partial, target):
        write = _write_zip if target.suffix == ".zip" else _write_folder
        write(bundle, partial, sizes)
        # Read back from the stick: many write what they cannot hold.
        verify_bundle(partial)
        if target.is_dir():
            target.rmdir()
        partial.rename(target)
        with contextlib.suppress(OSError):  # some file systems cannot flush a folder
            sync(target.parent)
    click.echo(f"{target}: {len(sizes)} files, read back and unchanged", err=True)


def _check_target(target: Path, needed: int) -> None:
    parent = target.parent
    if not parent.is_dir():
        raise MedllmError(f"There is no folder {parent}.", "Plug the stick in or make it.")
    if target.is_mount():
        raise MedllmError(
            f"{target} is the stick itself.", f"Name a folder on it, such as {target / 'medllm'}."
        )
    if target.is_symlink() or target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise MedllmError(f"{target} is there already.", "Name a folder that is not there yet.")
    free = shutil.disk_usage(parent).free
    if free < needed + _MARGIN:
        raise MedllmError(
            f"The bundle takes {needed / 1e6:,.0f} MB; {free / 1e6:,.0f} MB are free in {parent}.",
            "Take a larger stick.",
        )


@contextlib.contextmanager
def _all_or_nothing(partial: Path, target: Path) -> Iterator[None]:
    _discard(partial)
    try:
        yield
    except BaseException as error:
        _discard(partial)
        if isinstance(error, OSError):
            hint = "Choose another place."
            if error.errno == errno.EFBIG:
                hint = "This stick takes no file of that size: copy to a folder, not to a zip."
            raise MedllmError(f"{target} cannot be written: {error.strerror}.", hint) from None
        raise


def _discard(partial: Path) -> None:
    if partial.is_dir() and not partial.is_symlink():
        shutil.rmtree(partial, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            partial.unlink()


def _write_folder(bundle: Path, partial: Path, sizes: dict[str, int]) -> None:
    partial.mkdir()
    with _bar(sizes) as bar:
        for name in sizes:
            with (bundle / name).open("rb") as source, (partial / name).open("xb") as copy:
                while chunk := source.read(_CHUNK):
                    copy.write(chunk)
                    bar.update(len(chunk))
                copy.flush()
                os.fsync(copy.fileno())


def _write_zip(bundle: Path, partial: Path, sizes: dict[str, int]) -> None:
    with zipfile.ZipFile(partial, "x", zipfile.ZIP_STORED) as archive, _bar(sizes) as bar:
        for name in sizes:
            entry = zipfile.ZipInfo(f"{bundle.name}/{name}", _EPOCH)
            entry.external_attr = 0o100644 << 16
            with (
                (bundle / name).open("rb") as source,
                archive.open(entry, "w", force_zip64=True) as copy,
            ):
                while chunk := source.read(_CHUNK):
                    copy.write(chunk)
                    bar.update(len(chunk))
    sync(partial)


def _bar(sizes: dict[str, int]) -> tqdm[Never]:
    return tqdm(
        total=sum(sizes.values()), desc="copying", unit="B", unit_scale=True, leave=False,
        disable=None,
    )  # fmt: skip
