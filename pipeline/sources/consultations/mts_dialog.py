"""MTS-Dialog: doctor and patient talking, and the section of the note that was written from it.

CSV with ``ID, section_header, section_text, dialogue``. Speakers stand at the start of a line:
``Doctor:``, ``Patient:``, ``Guest_family:``, numbered where there are several, with typing errors
(``Gest_family``, ``Docotr_2``, ``Guest_family.``). What a guest of the family says counts as the
patient's side. Two sources read it: the talk itself, and the talk to be written up as a note.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches
from typing import Literal, NamedTuple

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.reading import Row
from medllm.pipeline.sources.record import Source, Terms
from medllm.pipeline.sources.tables import table
from medllm.pipeline.sources.turns import Dropped, Kept, Turn, assemble, tidy

TALK = "mts_dialog"
NOTES = "mts_dialog_notes"
_COLUMNS = ("section_header", "section_text", "dialogue")
_SPEAKERS = ("doctor", "patient", "guest_family", "guest_clinician")
_LABEL = re.compile(r"\s*([A-Za-z]+(?:_[A-Za-z]+)?)_?(\d*)\s*([:.])")
_SECTIONS = {
    "ALLERGY": "allergies",
    "ASSESSMENT": "assessment",
    "CC": "chief complaint",
    "DIAGNOSIS": "diagnosis",
    "DISPOSITION": "disposition",
    "EDCOURSE": "emergency department course",
    "EXAM": "physical examination",
    "FAM/SOCHX": "family and social history",
    "GENHX": "history of present illness",
    "GYNHX": "gynaecological history",
    "IMAGING": "imaging",
    "IMMUNIZATIONS": "immunizations",
    "LABS": "laboratory results",
    "MEDICATIONS": "medications",
    "OTHER_HISTORY": "other history",
    "PASTMEDICALHX": "past medical history",
    "PASTSURGICAL": "past surgical history",
    "PLAN": "plan",
    "PROCEDURES": "procedures",
    "ROS": "review of systems",
}


class _Said(NamedTuple):
    """One speaker's words; ``number`` tells apart several of one kind."""

    speaker: str  # one of _SPEAKERS
    number: str
    words: str


def read_talk(file: DataFile, _: SourceConfig) -> Iterator[Kept | Dropped]:
    """One result a row, the doctor's and the patient's words as turns.

    The doctor's words before the patient's first are left out. Talks of several clinicians are
    dropped: what they say to each other would become one answer.
    """
    for row in _rows(file):
        yield row if isinstance(row, Dropped) else _talk(row)


def read_notes(file: DataFile, _: SourceConfig) -> Iterator[Kept | Dropped]:
    """One result a row: the talk and the section's name as question, its text as answer."""
    for row in _rows(file):
        yield row if isinstance(row, Dropped) else _note(row)


def _rows(file: DataFile) -> Iterator[Row | Dropped]:
    for row in table(file, _COLUMNS):
        wrong = next(
            (c for c in _COLUMNS if isinstance(row, Row) and not isinstance(row.value.get(c), str)),
            None,
        )
        yield Dropped(row.where, f"{wrong} is not text") if wrong else row


def _talk(row: Row) -> Kept | Dropped:
    said = _speakers(str(row.value["dialogue"]))
    if isinstance(said, str):
        return Dropped(row.where, said)
    clinicians = {(one.speaker, one.number) for one in said if _side(one) == "assistant"}
    if len(clinicians) > 1:
        return Dropped(row.where, "more than one clinician speaks", broken=False)
    turns: list[Turn] = [(_side(one), one.words) for one in said]
    first = next((i for i, turn in enumerate(turns) if turn[0] == "user"), None)
    if first is None:
        return Dropped(row.where, "the patient says nothing", broken=False)
    result = assemble(TALK, row.where, turns[first:])
    if isinstance(result, Dropped):
        unanswered = result.reason == "no answer of the doctor"
        return replace(result, broken=False) if unanswered else result
    if not first:
        return result
    changes = {**result.changes, "doctor's words before the patient's first left out": 1}
    return replace(result, changes=changes)


def _note(row: Row) -> Kept | Dropped:
    header, text, dialogue = (tidy(str(row.value[column])) for column in _COLUMNS)
    if not (header and text and dialogue):
        return Dropped(row.where, "section_header, section_text or dialogue is empty")
    section = _SECTIONS.get(header, header)
    question = (
        f'Write the section "{section}" of the clinical note from this conversation.\n\n{dialogue}'
    )
    return assemble(NOTES, row.where, [("user", question), ("assistant", text)])


def _speakers(dialogue: str) -> list[_Said] | str:
    """Who says what, in order; or what is wrong with it."""
    said: list[_Said] = []
    for line in tidy(dialogue).split("\n"):
        if label := _label(line):
            said.append(_Said(label[0], label[1], line[label[2] :]))
        elif said:
            said[-1] = said[-1]._replace(words=f"{said[-1].words}\n{line}")
        elif line.strip():
            return "words before the first speaker"
    return said or "no turns"


def _label(line: str) -> tuple[str, str, int] | None:
    """Speaker and number at the start of a line, and where the words begin."""
    label = _LABEL.match(line)
    # "Doctor. Help me." is a sentence, "Guest_family. Yes." is not
    if label is None or (label[3] == "." and "_" not in label[1]):
        return None
    near = get_close_matches(label[1].lower(), _SPEAKERS, n=1, cutoff=0.8)
    return (near[0], label[2], label.end()) if near else None


def _side(said: _Said) -> Literal["user", "assistant"]:
    return "assistant" if said.speaker in ("doctor", "guest_clinician") else "user"


_TERMS = Terms(
    licence="CC BY 4.0",
    clause="Whoever publishes what is made from it names the authors.",
    url="https://github.com/abachaa/MTS-Dialog",
    publish="allowed",
)
_CITATION = 'Ben Abacha et al., "An Empirical Study of Clinical Note Generation from Doctor-Patient'
_CITATION += ' Encounters", EACL 2023.'

SOURCES = (
    Source(
        name=TALK,
        title="MTS-Dialog, the conversations",
        size="1,301 conversations to train and validate with",
        access="the authors' repository, the CSV files under Main-Dataset.",
        terms=_TERMS,
        citation=_CITATION,
        read=read_talk,
        example="{name: mts_dialog, path: data/MTS-Dialog-TrainingSet.csv}",
    ),
    Source(
        name=NOTES,
        title="MTS-Dialog, from conversation to a note's section",
        size="1,301 conversations to train and validate with",
        access="the authors' repository, the CSV files under Main-Dataset.",
        terms=_TERMS,
        citation=_CITATION,
        read=read_notes,
        example="{name: mts_dialog_notes, path: data/MTS-Dialog-TrainingSet.csv}",
    ),
)
