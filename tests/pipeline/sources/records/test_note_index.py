"""The notes that are asked for, and no others, without the file in memory."""

import csv
import gzip
import tracemalloc
from pathlib import Path

import pytest

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources.records.note_index import Key, NoteIndex, whole_number

HEADER = ["note_id", "subject_id", "hadm_id", "note_type", "note_seq", "charttime", "storetime"]


def note(patient: int, stay: int | str, text: str, kind: str = "DS", seq: int = 1) -> list[object]:
    return [f"{patient}-{kind}-{seq}", patient, stay, kind, seq, "2150-01-01", "", text]


def write(path: Path, *notes: list[object]) -> Path:
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file)
        writer.writerow([*HEADER, "text"])
        writer.writerows(notes)
    return path


TEXT = 'Name: ___\r\n \nChief "Complaint":\nknee, pain\n'


def test_by_note_and_by_stay(tmp_path: Path) -> None:
    notes = write(
        tmp_path / "d",
        note(1, 10, TEXT),
        note(1, 10, "an addendum", kind="AD"),
        note(2, "20.0", "two"),
        note(3, "", "three"),
    )
    keys = [Key(1, 10, ""), Key(2, None, "2-DS-1"), Key(3, None, "3-DS-1")]
    with NoteIndex(notes, keys) as index:
        assert [index.text(key) for key in keys] == [TEXT, "two", "three"]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (Key(9, 90, ""), "its note is not in the file of notes"),
        (Key(9, None, "9-DS-1"), "its note is not in the file of notes"),
        (Key(2, 10, ""), "its note is another patient's"),
        (Key(2, None, "1-DS-1"), "its note is another patient's"),
        (Key(4, 40, ""), "several notes of its note_id, or of its stay"),
        (Key(5, 50, ""), "its note is not in the file of notes"),
    ],
)
def test_what_gives_no_note(tmp_path: Path, key: Key, reason: str) -> None:
    twice = [note(4, 40, "one"), note(4, 40, "other", seq=2)]
    notes = write(tmp_path / "d", note(1, 10, "a"), *twice, note(5, 50, "b", kind="AD"))
    with NoteIndex(notes, [key]) as index, pytest.raises(LookupError) as error:
        index.text(key)
    assert error.value.args == (reason,)


def test_bytes_that_are_not_utf8_and_nul_survive(tmp_path: Path) -> None:
    notes = write(tmp_path / "d", note(1, 10, "a\udcff“"))
    with NoteIndex(notes, [Key(1, 10, "")]) as index:
        assert index.text(Key(1, 10, "")) == "a\udcff“"


def test_the_folder_goes_with_the_index_and_with_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile

    (tmp_path / "t").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "t"))
    with NoteIndex(write(tmp_path / "d", note(1, 10, "a")), [Key(1, 10, "")]):
        [folder] = (tmp_path / "t").iterdir()
        assert folder.stat().st_mode & 0o077 == 0
    (tmp_path / "d").write_text("a,b\n1,2\n")
    with pytest.raises(MedllmError, match="header without note_id, subject_id, hadm_id"):
        NoteIndex(tmp_path / "d", [])
    assert not list((tmp_path / "t").iterdir())


def test_a_folder_of_several_files_is_refused(tmp_path: Path) -> None:
    for name in ("discharge.csv", "radiology.csv"):
        write(tmp_path / name)
    with pytest.raises(MedllmError, match=r"holds 2 data files. Set notes to discharge.csv itself"):
        NoteIndex(tmp_path, [])
    with pytest.raises(MedllmError, match="There is no"):
        NoteIndex(tmp_path / "none.csv", [])


def test_a_long_file_of_notes_is_never_in_memory_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "d", *[note(n, n, "text " * 2000) for n in range(3000)])
    (tmp_path / "d.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
    keys = [Key(n, n, "") for n in range(0, 3000, 2)]
    tracemalloc.start()
    with NoteIndex(tmp_path / "d.gz", keys) as index:
        assert index.text(keys[-1]) == "text " * 2000
        with pytest.raises(LookupError):
            index.text(Key(1, 1, ""))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000 < 30_000_000 < path.stat().st_size


@pytest.mark.parametrize(
    ("value", "number"),
    [(7, 7), ("7", 7), (7.0, 7), (" 7.0 ", 7), ("", None), ("x", None), (7.5, None), (True, None),
     (None, None), ([7], None), ("inf", None), ("nan", None), (10**400, None), ("9" * 400, None)],
)  # fmt: skip
def test_ids(value: object, number: int | None) -> None:
    assert whole_number(value) == number
