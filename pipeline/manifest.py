"""A stage's work, made all-or-nothing, and the manifest that says what it read and wrote.

``stage`` lets a stage write into a hidden sibling folder, re-reads every file to hash it, flushes
it to the disk, moves the folder into place and writes ``manifest.json`` last: a manifest's
existence means that the stage completed. Until that moment the earlier result stays as it was.
Modification times are not trusted anywhere: a stage whose config, inputs and outputs are unchanged
by content returns its manifest at once.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from medllm.pipeline.config import RunPaths, Section
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file, sync, write_atomically
from medllm.pipeline.stages import INPUTS

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
CHECKPOINTS = "checkpoints"  # what a resumable stage keeps until it is done; never an output
_CLAIM = "claim.json"
_FULL = 2**20  # bytes left on a disk that counts as full
_PACKAGES = (
    *("medllm", "torch", "transformers", "peft", "bitsandbytes", "datasets", "trl"),
    *("llama-cpp-python", "gguf", "ollama"),
)


class FileRecord(BaseModel):
    """Size and digest of one output file."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    sha256: str
    bytes: int


class GitState(BaseModel):
    """The code that ran."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    commit: str
    dirty: bool


class Manifest(BaseModel):
    """What a completed stage read and wrote."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    schema_version: int
    stage: str
    config: dict[str, JsonValue]
    inputs: dict[str, str]  # upstream stage, external file or fact -> digest or value
    outputs: dict[str, FileRecord]  # path relative to the stage's folder
    seed: int
    device: str
    packages: dict[str, str]
    git: GitState | None
    started: datetime
    ended: datetime
    report: dict[str, JsonValue]

    def digest(self, patterns: tuple[str, ...] = ("*",)) -> str:
        """One sha256 over the names and digests of the outputs that match."""
        lines = [f"{name} {self.outputs[name].sha256}\n" for name in self.matching(patterns)]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def matching(self, patterns: tuple[str, ...]) -> list[str]:
        """Names of the outputs that match any of the patterns, sorted."""
        return sorted(n for n in self.outputs if any(fnmatch(n, p) for p in patterns))


@dataclass
class Work:
    """What the body of a stage works with."""

    dir: Path  # write outputs here
    inputs: Mapping[str, Path]  # upstream stage folders; the files it declared are verified
    report: dict[str, JsonValue] = field(default_factory=dict)  # facts for the manifest
    device: str = "cpu"

    @property
    def checkpoints(self) -> Path:
        """Scratch that survives a kill of a resumable stage and is deleted when it completes."""
        return self.dir / CHECKPOINTS


def stage(
    name: str,
    config: Section,
    paths: RunPaths,
    body: Callable[[Work], None],
    *,
    files: Mapping[str, Path] | None = None,
    facts: Mapping[str, str] | None = None,
    disk_bytes: int = 0,
    resumable: bool = False,
) -> Manifest:
    """Run one stage, or return its manifest at once when nothing that it depends on changed.

    ``files`` are external inputs (a dataset, the root Modelfile), ``facts`` anything else the
    result depends on (a server's version). ``disk_bytes`` must be free before work starts. A
    ``resumable`` stage finds its unfinished folder again when config and inputs are the same.

    Raises MedllmError for a missing or altered input, too little disk, or a second medllm at work
    on the same stage.
    """
    final, partial = paths.stage(name), paths.root / f".{name}.partial"
    paths.root.mkdir(parents=True, exist_ok=True)
    with _locked(paths.root / f".{name}.lock", name):
        upstream = {up: paths.stage(up) for up in INPUTS[name]}
        slice_ = config.model_dump(mode="json")
        inputs = {up: verify_inputs(name, up, folder) for up, folder in upstream.items()}
        inputs |= {key: sha256_file(path) for key, path in (files or {}).items()}
        inputs |= facts or {}
        done = _completed(final)
        if done and (done.config, done.inputs) == (slice_, inputs) and not _altered(done, final):
            click.echo(f"{name}: up to date", err=True)
            os.utime(final / MANIFEST)
            return done
        _check_disk(paths.root, disk_bytes, name)
        claim = json.dumps({"config": slice_, "inputs": inputs}, sort_keys=True)
        _claim(partial, claim, resumable)
        work = Work(partial, upstream)
        started = datetime.now(UTC)
        try:
            body(work)
            shutil.rmtree(work.checkpoints, ignore_errors=True)
            (partial / _CLAIM).unlink()
            outputs = {n: _flushed(partial / n) for n in _files_below(partial)}
        except BaseException as error:
            full = _disk_is_full(error, paths.root)
            if not resumable:
                shutil.rmtree(partial, ignore_errors=True)
            if full:
                raise MedllmError(
                    f"The disk filled up during {name}.", "Free some space and run it again."
                ) from error
            raise
        manifest = Manifest(
            schema_version=SCHEMA_VERSION,
            stage=name,
            config=slice_,
            inputs=inputs,
            outputs=outputs,
            seed=config.seed,
            device=work.device,
            packages=_package_versions(),
            git=_git_state(),
            started=started,
            ended=datetime.now(UTC),
            report=work.report,
        )
        _swap_in(partial, final)
        write_atomically(final / MANIFEST, manifest.model_dump_json(indent=2) + "\n")
        return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a completed stage.

    Raises MedllmError when the stage has not completed or another version of medllm wrote it.
    """
    path = folder / MANIFEST
    try:
        raw = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise MedllmError(
            f"Stage {folder.name} has not completed in {folder.parent}.",
            f"Run `medllm {folder.name}` or `make {folder.name}` first.",
        ) from None
    except ValueError:
        raw = None
    found = raw.get("schema_version") if isinstance(raw, dict) else None
    if isinstance(raw, dict) and found == SCHEMA_VERSION:
        with contextlib.suppress(ValidationError):
            return Manifest.model_validate(raw)
    raise MedllmError(
        f"{path} was made by another version of medllm or is damaged (schema {found}, "
        f"this one writes {SCHEMA_VERSION}).",
        f"Move {folder.parent} away and run again.",
    )


def verify_inputs(name: str, upstream: str, folder: Path) -> str:
    """Check what stage ``name`` reads of an upstream stage; returns the digest of those files."""
    manifest = read_manifest(folder)
    patterns = INPUTS[name][upstream]
    wrong = _altered(manifest, folder, patterns)
    if wrong:
        raise MedllmError(
            f"{folder / wrong} is not the file that stage {upstream} wrote.",
            f"Delete {folder} and run stage {upstream} again.",
        )
    return manifest.digest(patterns)


def verify_files(folder: Path) -> None:
    """Raise MedllmError when an output of a completed stage is not what the stage wrote."""
    wrong = _altered(read_manifest(folder), folder)
    if wrong:
        raise MedllmError(
            f"{folder / wrong} is not the file that stage {folder.name} wrote.",
            f"Delete {folder} and run stage {folder.name} again.",
        )


@contextlib.contextmanager
def _locked(path: Path, name: str) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MedllmError(
                f"Another medllm is running stage {name} in {path.parent}.", "Wait for it to end."
            ) from None
        yield


def _completed(folder: Path) -> Manifest | None:
    return read_manifest(folder) if (folder / MANIFEST).exists() else None


def _altered(manifest: Manifest, folder: Path, patterns: tuple[str, ...] = ("*",)) -> str | None:
    """The first output that is missing or differs from its record."""
    for name in manifest.matching(patterns):
        path, record = folder / name, manifest.outputs[name]
        if not path.is_file() or path.stat().st_size != record.bytes:
            return name
        if sha256_file(path) != record.sha256:
            return name
    return None


def _check_disk(folder: Path, needed: int, name: str) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise MedllmError(
            f"Stage {name} needs {needed / 1e9:.1f} GB of disk in {folder}; "
            f"{free / 1e9:.1f} GB are free.",
            "Free some space and run it again.",
        )


def _disk_is_full(error: BaseException, folder: Path) -> bool:
    """A tool that meets a full disk says so in words of its own, or writes half a file."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return True
    return isinstance(error, Exception) and shutil.disk_usage(folder).free < _FULL


def _claim(partial: Path, claim: str, resumable: bool) -> None:
    """Make the unfinished folder ours: kept when it was working towards the same thing."""
    mine = partial / _CLAIM
    if not (resumable and mine.is_file() and mine.read_text(encoding="utf-8") == claim):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        write_atomically(mine, claim)


def _files_below(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def _flushed(path: Path) -> FileRecord:
    """Flush a finished file to the disk, then read it back for its digest."""
    sync(path)
    sync(path.parent)
    return FileRecord(sha256=sha256_file(path), bytes=path.stat().st_size)


def _swap_in(partial: Path, final: Path) -> None:
    (final / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
    sync(final.parent)


def _package_versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _git_state() -> GitState | None:
    root = Path(__file__).resolve().parent.parent
    try:
        commit, status = (
            subprocess.run(
                ["git", "-C", str(root), *command], capture_output=True, text=True, check=True
            ).stdout.strip()
            for command in (("rev-parse", "HEAD"), ("status", "--porcelain"))
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return GitState(commit=commit, dirty=bool(status))
