"""MIMIC-IV-Note's discharge summaries by id, without the 3 GB in memory.

``discharge.csv`` is read once from end to end; the notes that are asked for go into an SQLite
file in a temporary folder that only the user can read, and that is removed at the end.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources.files import DataFile, data_files
from medllm.pipeline.sources.reading import csv_rows
from medllm.pipeline.sources.turns import Dropped

_COLUMNS = ("note_id", "subject_id", "hadm_id", "note_type", "text")
_TABLE = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE note (id BLOB, patient INTEGER, stay INTEGER, type BLOB, text BLOB);
CREATE INDEX by_id ON note (id);
CREATE INDEX by_stay ON note (stay);
"""


@dataclass(frozen=True)
class Key:
    """What a row says about its note; ``note`` is "" where it gives the stay alone."""

    patient: int | None  # subject_id
    stay: int | None  # hadm_id
    note: str  # note_id


class NoteIndex:
    """The notes of some keys; a context manager that removes its file at the end."""

    def __init__(self, notes: Path, keys: Collection[Key]) -> None:
        """Raises MedllmError when ``notes`` is not discharge.csv or the disk is full."""
        files = data_files(notes)
        if len(files) != 1:
            raise MedllmError(
                f"{notes} holds {len(files)} data files.", "Set notes to discharge.csv itself."
            )
        self._folder = tempfile.TemporaryDirectory(prefix="medllm-notes-")
        try:
            self._database = sqlite3.connect(Path(self._folder.name) / "notes.sqlite")
            try:
                self._fill(files[0], keys)
            except sqlite3.OperationalError as error:
                raise MedllmError(
                    f"The index of {notes} cannot be written to {self._folder.name}: {error}.",
                    "Make room there or set TMPDIR to a larger disk.",
                ) from error
        except BaseException:
            self._folder.cleanup()
            raise

    def __enter__(self) -> NoteIndex:
        """The index, filled already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the file."""
        self._database.close()
        self._folder.cleanup()

    def text(self, key: Key) -> str:
        """The whole note. Raises LookupError with the reason when there is none, or several."""
        values: tuple[object, ...]
        if key.note:
            condition, values = "id = ?", (_bytes(key.note),)
        else:
            condition, values = "stay = ? AND type = ?", (key.stay, b"DS")
        query = f"SELECT patient, text FROM note WHERE {condition} LIMIT 2"
        found = self._database.execute(query, values).fetchall()
        if not found:
            raise LookupError("its note is not in the file of notes")
        if len(found) > 1:
            raise LookupError("several notes of its note_id, or of its stay")
        [(patient, text)] = found
        if key.patient is not None and patient != key.patient:
            raise LookupError("its note is another patient's")
        return str(bytes(text), "utf-8", "surrogatepass")

    def _fill(self, file: DataFile, keys: Collection[Key]) -> None:
        from tqdm import tqdm

        notes = {key.note for key in keys if key.note}
        stays = {key.stay for key in keys if not key.note and key.stay is not None}
        self._database.executescript(_TABLE)
        rows = csv_rows(file, need=_COLUMNS)
        for row in tqdm(rows, desc=f"index {file.name}", unit=" notes", disable=None):
            if isinstance(row, Dropped):  # whoever asks for it is told that it is not there
                continue
            note, patient, stay, kind, text = (str(row.value[column]) for column in _COLUMNS)
            if note.strip() in notes or whole_number(stay) in stays:
                numbers = whole_number(patient), whole_number(stay)
                self._database.execute(
                    "INSERT INTO note VALUES (?, ?, ?, ?, ?)",
                    (_bytes(note.strip()), *numbers, _bytes(kind.strip()), _bytes(text)),
                )
        self._database.commit()


def _bytes(text: str) -> bytes:
    """For SQLite, which takes no lone surrogates (bytes that were not UTF-8) as text."""
    return text.encode("utf-8", "surrogatepass")


def whole_number(value: object) -> int | None:
    """An id that is written as 7, "7", 7.0 or "7.0"; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
        return int(number) if number.is_integer() and abs(number) < 2**53 else None
    except (ValueError, OverflowError):
        return None
