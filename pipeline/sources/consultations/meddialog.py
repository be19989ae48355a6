"""MedDialog, English: dialogues from healthcaremagic.com and icliniq.com.

On disk: the raw text (``id=N``, a URL, ``Description``, ``Dialogue``, then ``Patient:`` and
``Doctor:`` alone on a line with the words below), or JSON rows with ``utterances``
(``"patient: …"``) or ``dialogue_turns`` (speaker 0 the patient, 1 the doctor).

The description is not a turn: it says again, often in an editor's words, what the patient says.
Ids restart in each file and repeat, so nothing here reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.reading import MAX_ROW, Row, lines, rows, shape, too_long
from medllm.pipeline.sources.record import Source, Terms
from medllm.pipeline.sources.turns import Dropped, Kept, Turn, assemble

NAME = "meddialog"
_ROLES: dict[object, Literal["user", "assistant"]] = {"patient": "user", "doctor": "assistant"}
_RECORD = re.compile(r"id=\d+")


def read(file: DataFile, _: SourceConfig) -> Iterator[Kept | Dropped]:
    """One result a record of a raw text, JSON list, JSON Lines or parquet file."""
    if shape(file) == "text":
        for where, record in _records(file):
            yield _parse_text(where, record)
    else:
        for row in rows(file):
            yield row if isinstance(row, Dropped) else parse_row(NAME, row)


def _records(file: DataFile) -> Iterator[tuple[str, list[str]]]:
    """The lines of each record; whatever stands before the first ``id=`` counts as one too."""
    where, record, size = "line 1", list[str](), 0
    for number, line in lines(file):
        if _RECORD.fullmatch(line.strip()):
            if any(text.strip() for text in record):
                yield where, record
            where, record, size = f"line {number}", [], 0
        size += len(line) + 1
        if size > MAX_ROW:
            raise too_long(file, f"the record at {where}")
        record.append(line)
    if any(text.strip() for text in record):
        yield where, record


def _parse_text(where: str, record: list[str]) -> Kept | Dropped:
    if not _RECORD.fullmatch(record[0].strip()):
        return Dropped(where, "text without an id= line above it")
    # A header counts only where it may stand: "Description" on a line of its own inside a turn
    # is something that the speaker wrote.
    part: Literal["head", "description", "dialogue"] = "head"
    description: list[str] = []
    turns: list[tuple[Literal["user", "assistant"], list[str]]] = []
    for line in record[1:]:
        header = line.strip()
        if part == "head" and header == "Description":
            part = "description"
        elif part != "dialogue" and header == "Dialogue":
            part = "dialogue"
        elif part == "dialogue" and header.endswith(":") and _speaker(header[:-1]):
            turns.append((_ROLES[_speaker(header[:-1])], []))
        elif part == "dialogue" and turns:
            turns[-1][1].append(line)
        elif part == "dialogue" and header:
            return Dropped(where, "words before the first speaker")
        elif part == "description":
            description.append(line)
    if part != "dialogue":
        return Dropped(where, "no Dialogue header")
    spoken: list[Turn] = [(role, "\n".join(text)) for role, text in turns]
    return assemble(NAME, where, spoken, "\n".join(description))


def parse_row(source: str, row: Row) -> Kept | Dropped:
    """The dialogue of a row with ``utterances`` or ``dialogue_turns``, under a source's name."""
    description = row.value.get("description")
    if description is not None and not isinstance(description, str):
        return Dropped(row.where, "description is not text")
    if "utterances" in row.value:
        turns = _utterances(row.value["utterances"])
    elif "dialogue_turns" in row.value:
        turns = _dialogue_turns(row.value["dialogue_turns"])
    else:
        return Dropped(row.where, "no key utterances or dialogue_turns")
    if isinstance(turns, str):
        return Dropped(row.where, turns)
    return assemble(source, row.where, turns, description or "")


def _utterances(value: object) -> list[Turn] | str:
    """Turns of ``["patient: …", "doctor: …"]``, or what is wrong with it."""
    if not isinstance(value, list):
        return "utterances is not a list"
    turns: list[Turn] = []
    for utterance in value:
        if not isinstance(utterance, str):
            return "an utterance is not text"
        name, colon, words = utterance.partition(":")  # the first colon only: "BP: 120/80" stays
        speaker = _speaker(name) if colon else None
        if speaker is None:
            return "an utterance of neither patient nor doctor"
        turns.append((_ROLES[speaker], words))
    return turns


def _dialogue_turns(value: object) -> list[Turn] | str:
    """Turns of ``[{"speaker": 0, "utterance": …}]``, or of the same turned into two lists."""
    if isinstance(value, dict):
        speakers, words = value.get("speaker"), value.get("utterance")
        if not isinstance(speakers, list) or not isinstance(words, list):
            return "dialogue_turns without speaker or utterance"
        if len(speakers) != len(words):
            return "dialogue_turns has more speakers than utterances, or fewer"
        value = [{"speaker": s, "utterance": w} for s, w in zip(speakers, words, strict=True)]
    if not isinstance(value, list):
        return "dialogue_turns is not a list"
    turns: list[Turn] = []
    for turn in value:
        speaker = turn.get("speaker") if isinstance(turn, dict) else None
        if isinstance(speaker, bool) or speaker not in (0, 1):
            return "an utterance of neither patient nor doctor"
        words = turn.get("utterance")
        if not isinstance(words, str):
            return "an utterance is not text"
        turns.append(("assistant" if speaker else "user", words))
    return turns


def _speaker(name: str) -> str | None:
    name = name.strip().lower()
    return name if name in _ROLES else None


SOURCE = Source(
    name=NAME,
    title="MedDialog, English",
    size="257,454 consultations",
    access="the authors' archive of texts, or JSON made of it; the hub's copy needs a loading "
    "script, and its processed.en is 603 rows only.",
    terms=Terms(
        licence="none stated",
        clause="The sites keep the copyright in the texts; iCliniq's terms forbid copying.",
        url="https://arxiv.org/abs/2004.03329",
        publish="review",
    ),
    citation='Zeng et al., "MedDialog", EMNLP 2020, arXiv 2004.03329.',
    read=read,
    example="{name: meddialog, path: data/meddialog}",
)
