"""EHR-DS-QA: questions and answers on discharge summaries of MIMIC-IV, written by a model.

``mimic_iv_note_qa.json`` is a list of ``{"subject_id", "hadm_id", "qa_pairs": [{"question",
"answer"}]}``; the CSV has ``note_id`` too, and ``qa_pairs`` as text (JSON, or else a Python
literal). Pairs that a person checked have ``correct``. The note is not in it: ``notes`` names
MIMIC-IV-Note's ``discharge.csv``.

A note's pairs are turns of one dialogue under the note, so that the note stands there once. Of a
longer note the first NOTE_CHARACTERS are kept, to the end of a paragraph: diagnosis, history,
results and, mostly, the hospital course; what is lost is rather the medications and instructions
at discharge. A pair whose answer has words from the lost part alone goes with it, so that no
answer is taught that the text above does not hold.

Source: Kotschenreuther, "EHR-DS-QA: A Synthetic QA Dataset Derived from Medical Discharge
Summaries for Enhanced Medical Information Retrieval Systems", PhysioNet 2024.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.literals import literal
from medllm.pipeline.sources.reading import Row
from medllm.pipeline.sources.record import Source, Terms
from medllm.pipeline.sources.records.note_index import Key, NoteIndex, whole_number
from medllm.pipeline.sources.tables import table
from medllm.pipeline.sources.turns import Dropped, Kept, Turn, assemble, tidy

NAME = "ehr_ds_qa"
NOTE_CHARACTERS = 8_000  # about 2,500 tokens; 4,096 are Llama 2's context
_INCOMPLETE = "pairs without question or answer left out"
_PARAGRAPH_END = re.compile(r"\n[ \t]*\n")
_WORDS = re.compile(r"\d+(?:\.\d+)?|[^\W\d]{4,}")


def read(file: DataFile, config: SourceConfig) -> Iterator[Kept | Dropped]:
    """One result a note; the file is read twice, first for the notes that it needs."""
    if config.notes is None:
        raise MedllmError(
            f"{NAME} holds questions on notes, but not the notes.",
            "Set notes, beside path, to discharge.csv of MIMIC-IV-Note.",
        )
    keys = {_key(row) for row in _rows(file) if isinstance(row, Row)}
    with NoteIndex(config.notes, keys) as index:
        for row in _rows(file):
            yield row if isinstance(row, Dropped) else _parse(row, index)


def _rows(file: DataFile) -> Iterator[Row | Dropped]:
    return table(file, ("subject_id", "hadm_id", "qa_pairs"))


def _key(row: Row) -> Key:
    note = row.value.get("note_id")
    return Key(
        patient=whole_number(row.value["subject_id"]),
        stay=whole_number(row.value["hadm_id"]),
        note=note.strip() if isinstance(note, str) else "",
    )


def _parse(row: Row, index: NoteIndex) -> Kept | Dropped:
    key = _key(row)
    if not key.note and key.stay is None:
        return Dropped(row.where, "neither note_id nor hadm_id")
    pairs = row.value["qa_pairs"]
    if isinstance(pairs, str):
        try:
            pairs = literal(pairs)
        except ValueError as error:
            return Dropped(row.where, f"qa_pairs is {error}")
    if not isinstance(pairs, list):
        return Dropped(row.where, "qa_pairs is not a list")
    try:
        whole = tidy(index.text(key))
    except LookupError as error:
        return Dropped(row.where, str(error.args[0]))
    if not whole:
        return Dropped(row.where, "its note is empty")
    note = head(whole)
    changes: Counter[str] = Counter({"notes cut to their beginning": 1} if note != whole else {})
    turns: list[Turn] = []
    lost = _words(whole) - _words(note)
    for pair in pairs:
        question, answer = _pair(pair)
        if not question or not answer:
            changes[_INCOMPLETE] += 1
        elif pair.get("correct") in (False, "False", "false", "no"):
            changes["pairs that a person found wrong left out"] += 1
        elif _words(answer) & lost:
            changes["pairs on the part of the note that was cut left out"] += 1
        else:
            turns += [("user", question), ("assistant", answer)]
    if not turns:
        return Dropped(row.where, "no pair that can be used", broken=bool(changes[_INCOMPLETE]))
    turns[0] = ("user", f"Discharge summary:\n\n{note}\n\nQuestion: {turns[0][1]}")
    result = assemble(NAME, row.where, turns)
    if isinstance(result, Dropped):
        return result
    return replace(result, changes=changes + Counter(result.changes))


def _pair(pair: object) -> tuple[str, str]:
    """Question and answer, "" for what is not there or no text."""
    parts = (pair.get("question"), pair.get("answer")) if isinstance(pair, dict) else ()
    texts = [tidy(part) if isinstance(part, str) else "" for part in parts]
    return (texts[0], texts[1]) if texts else ("", "")


def head(note: str, characters: int = NOTE_CHARACTERS) -> str:
    """The note, or its beginning up to the last end of a paragraph that fits, or of a word."""
    if len(note) <= characters:
        return note
    found = (match.start() for match in _PARAGRAPH_END.finditer(note))
    ends = list(takewhile(lambda end: end <= characters, found))
    end = ends[-1] if ends else max(note.rfind(" ", 0, characters), note.rfind("\n", 0, characters))
    return note[: end if end > 0 else characters].rstrip()


def _words(text: str) -> set[str]:
    """Numbers, and words of four letters and more: what carries an answer."""
    return set(_WORDS.findall(text.casefold()))


SOURCE = Source(
    name=NAME,
    title="EHR-DS-QA, questions on MIMIC-IV's discharge summaries",
    size="156,599 pairs on 21,466 summaries",
    access="from PhysioNet, to credentialed users; MIMIC-IV-Note's discharge.csv belongs to it.",
    terms=Terms(
        licence="PhysioNet Credentialed Health Data License",
        clause="Whoever signed the data use agreement may use it; no access is shared, and a model "
        "trained on it may give the notes away.",
        url="https://physionet.org/content/ehr-ds-qa/",
        publish="forbidden",
    ),
    citation="Kotschenreuther, EHR-DS-QA, PhysioNet 2024.",
    read=read,
    example="{name: ehr_ds_qa, path: data/mimic_iv_note_qa.json, notes: data/discharge.csv.gz}",
)
