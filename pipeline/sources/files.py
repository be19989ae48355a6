"""Dataset files as they lie on a disk: plain, gzip, or inside a zip, and folders of them.

What a file is, its first bytes say, never its name. Everything streams: no more than a buffer is
in memory, and a damaged archive raises where the damage is, after the rows before it.
"""

from __future__ import annotations

import gzip
import io
import lzma
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NoReturn, cast

from medllm.pipeline.errors import MedllmError

SUFFIXES = frozenset({".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".parquet"})
# Files beside the data that have a data file's ending (PhysioNet's and the hub's).
_NOT_DATA = frozenset({"readme", "license", "licence", "sha256sums", "dataset_infos"})
# More bytes out of one byte than any table gives; a bomb of deflate gives about 1,030.
MAX_RATIO = 300
_ALWAYS_ALLOWED = 64 * 2**20  # bytes: no ratio is checked below
_BUFFER = 2**16
_GZIP, _ZIP = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06")
_REFUSED = {
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"(\xb5/\xfd": "zstd",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "rar",
    b"ARROW1": "an Arrow file",
    b"SQLite format 3": "a database",
    **dict.fromkeys(_ZIP, "a zip archive"),  # in another one, or where one plain file is needed
}
# What zlib, gzip and zipfile raise for bytes that are not what they should be.
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,  # NotImplementedError too: a compression that zipfile lacks
    LookupError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
)


@dataclass(frozen=True)
class DataFile:
    """A file of a dataset: ``path``, or one ``member`` of the zip there; gzip is unpacked."""

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """For people: ``train.csv.gz``, ``data.zip:train.json``."""
        return self.path.name if self.member is None else f"{self.path.name}:{self.member}"

    def __str__(self) -> str:
        """The whole path: for errors."""
        return str(self.path) if self.member is None else f"{self.path}:{self.member}"

    def open(self) -> BinaryIO:
        """The unpacked bytes as a stream; the caller closes it.

        Raises MedllmError, here or while reading, for a file that is missing, damaged, cut short,
        encrypted, of a kind that is not read, or that unpacks to an absurd size.
        """
        with ExitStack() as stack:
            try:
                packed, size = self._packed(stack)
                source = io.BufferedReader(packed, _BUFFER)
                stream: io.BufferedIOBase = source
                start = source.peek(512)[:512]
                zipped = self.member is not None
                if start.startswith(_GZIP):
                    unpacked = stack.enter_context(gzip.GzipFile(fileobj=source))
                    stream, start, zipped = unpacked, unpacked.peek(512)[:512], True
            except _DAMAGE as error:
                self._refuse(error)
            _refuse_kind(str(self), start)
            limit = max(_ALWAYS_ALLOWED, MAX_RATIO * size) if zipped else None
            return io.BufferedReader(_Guarded(self, stream, limit, stack.pop_all()), _BUFFER)
        raise AssertionError  # an ExitStack with nothing on it swallows no exception

    @contextmanager
    def local(self) -> Iterator[Path]:
        """The unpacked bytes as a plain file that can seek: itself, or a copy that is removed."""
        with self.open() as stream:
            if self.member is None and not _starts(self.path, (_GZIP,)):
                yield self.path
                return
            with tempfile.NamedTemporaryFile(prefix="medllm-", suffix=".unpacked") as copy:
                try:
                    shutil.copyfileobj(stream, copy, 2**20)
                    copy.flush()
                except OSError as error:
                    raise MedllmError(
                        f"{self} cannot be unpacked into {tempfile.gettempdir()}: "
                        f"{error.strerror}.",
                        "Make room there, or unpack the file and give the path of that.",
                    ) from error
                yield Path(copy.name)

    def _packed(self, stack: ExitStack) -> tuple[io.FileIO | zipfile.ZipExtFile, int]:
        """The bytes as they lie on the disk or in the zip, and how many they are."""
        size = self.path.stat().st_size
        if self.member is None:
            plain = io.FileIO(self.path)
            stack.callback(plain.close)
            return plain, size
        archive = stack.enter_context(zipfile.ZipFile(self.path))
        info = archive.getinfo(self.member)
        if info.flag_bits & 1:
            raise MedllmError(f"{self} is encrypted.", "Unpack it and give the path of the folder.")
        member = cast("zipfile.ZipExtFile", stack.enter_context(archive.open(info)))
        return member, min(size, info.compress_size)

    def _refuse(self, error: Exception) -> NoReturn:
        if isinstance(error, OSError) and error.strerror:
            raise MedllmError(
                f"{self} cannot be read: {error.strerror}.", "Check the path in the config."
            ) from error
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise MedllmError(
            f"{self} is damaged or cut short: {reason}.", "Fetch the file again."
        ) from error


class _Guarded(io.RawIOBase):
    """A stream whose faults name the file, and that ends before it fills a disk."""

    def __init__(
        self, file: DataFile, source: io.BufferedIOBase, limit: int | None, stack: ExitStack
    ) -> None:
        super().__init__()
        self._file, self._source, self._limit, self._stack = file, source, limit, stack
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object, /) -> int:
        try:
            count = self._source.readinto(cast("bytearray", buffer))
        except _DAMAGE as error:
            self._file._refuse(error)
        self._given += count
        if self._limit is not None and self._given > self._limit:
            raise MedllmError(
                f"{self._file} unpacks to more than {MAX_RATIO} times its size.",
                "Check where it comes from; if it is sound, unpack it and give that path.",
            )
        return count

    def close(self) -> None:
        if not self.closed:
            self._stack.close()
        super().close()


def data_files(path: Path) -> list[DataFile]:
    """The data files at a path, sorted: a file, the members of a zip, a folder's, recursively.

    In a folder or a zip only files with one of ``SUFFIXES`` (or that and .gz, .zip) count, and
    neither hidden ones nor a README, LICENSE or list of digests. Raises MedllmError for a path
    that is missing or holds none.
    """
    if not path.exists():
        raise MedllmError(f"There is no {path}.", "Check the path in the config.")
    if path.is_dir():
        names = sorted(p for p in path.rglob("*") if p.is_file() and _is_data(p.relative_to(path)))
        files = [file for name in names for file in _members(name)]
    elif path.is_file():
        files = _members(path)
    else:
        raise MedllmError(f"{path} is neither file nor folder.", "Check the path in the config.")
    if not files:
        raise MedllmError(
            f"{path} holds no data file.",
            f"Give a file, or a folder or zip with {', '.join(sorted(SUFFIXES))} in it.",
        )
    return files


def _members(path: Path) -> list[DataFile]:
    """The file itself, or the data files of a zip."""
    if not _starts(path, _ZIP):
        return [DataFile(path)]
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except _DAMAGE as error:
        DataFile(path)._refuse(error)
    if sum(info.compress_size for info in infos) > path.stat().st_size:
        raise MedllmError(f"{path} is a zip whose members overlap.", "Check where it comes from.")
    found = sorted(
        info.filename
        for info in infos
        if not info.filename.endswith(("/", ".zip")) and _is_data(PurePosixPath(info.filename))
    )
    if len(found) != len(set(found)):
        raise MedllmError(
            f"{path} is a zip with two members of one name.", "Unpack it and give the folder."
        )
    return [DataFile(path, name) for name in found]


def _is_data(path: PurePosixPath | Path) -> bool:
    if any(part.startswith((".", "__MACOSX")) for part in path.parts):
        return False
    name = PurePosixPath(path.name.lower())
    if name.suffix == ".zip":
        return True
    name = name.with_suffix("") if name.suffix == ".gz" else name
    return name.suffix in SUFFIXES and name.stem not in _NOT_DATA


def _starts(path: Path, magic: tuple[bytes, ...]) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(8).startswith(magic)
    except OSError as error:
        DataFile(path)._refuse(error)


def _refuse_kind(name: str, start: bytes) -> None:
    """Refuse by content what only looks like text from afar: other archives, and pickles."""
    kind = next((kind for magic, kind in _REFUSED.items() if start.startswith(magic)), None)
    if start[257:262] == b"ustar":
        kind = "a tar archive"
    if kind:
        raise MedllmError(f"{name} is {kind}.", "Unpack it and give the path of what is in it.")
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise MedllmError(
            f"{name} is a Python pickle, which can run any code.",
            "Write it as JSON Lines or parquet where it was made.",
        )
