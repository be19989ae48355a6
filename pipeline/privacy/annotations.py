"""Texts with marked spans, in the layout of presidio-research (Microsoft, MIT licence)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

from pydantic import BaseModel, ConfigDict, StrictInt, StrictStr, ValidationError
from pydantic import Field as Bounded

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.privacy import safe_harbor
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.reading import rows
from medllm.pipeline.sources.turns import Dropped

_Position = Annotated[StrictInt, Bounded(ge=0)]


@dataclass(frozen=True)
class Marked:
    """Characters ``start`` to ``end`` (exclusive) of a text, and what they are."""

    start: int
    end: int
    type: str


@dataclass(frozen=True)
class AnnotatedText:
    """One text, its marked spans, and the places beside them that must be left alone."""

    text: str
    spans: tuple[Marked, ...]
    hard_negatives: tuple[tuple[int, int], ...]
    moved: int  # spans put right, see read_annotated


class _Span(BaseModel):
    model_config = ConfigDict(frozen=True)

    entity_type: StrictStr
    entity_value: StrictStr
    start_position: _Position
    end_position: _Position


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)

    full_text: StrictStr
    spans: tuple[_Span, ...]
    hard_negatives: tuple[tuple[_Position, _Position], ...] = ()


def read_annotated(path: Path) -> list[AnnotatedText]:
    """The records of a JSON list or JSON Lines file, in order.

    A record is ``full_text`` and ``spans[{entity_type, entity_value, start_position,
    end_position}]``; ``hard_negatives``, pairs of positions, may stand beside them and all else is
    passed over. presidio-research's own sample has a span that lies one character off: a span is
    moved, and counted in ``moved``, where its value stands once in the text and overlaps the place
    given. Raises MedllmError, naming the record and none of its words, for anything else that
    does not fit.
    """
    texts = []
    for row in rows(DataFile(path)):
        where = f"{path}, {row.where}"
        if isinstance(row, Dropped):
            _refuse(where, row.reason)
        try:
            record = _Record.model_validate(row.value)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            _refuse(where, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
        texts.append(_checked(record, where))
    if not texts:
        raise MedllmError(f"{path} holds no texts.", "Name a file with at least one record.")
    return texts


def _checked(record: _Record, where: str) -> AnnotatedText:
    text, moved = record.full_text, 0
    spans = []
    for number, span in enumerate(record.spans, start=1):
        name = f"span {number} ({span.entity_type})"
        if safe_harbor.kind(span.entity_type) is None:
            _refuse(where, f"{name} has a type that is not known")
        start, end = span.start_position, span.end_position
        if not start < end <= len(text):
            _refuse(where, f"{name} runs from {start} to {end} in a text of {len(text)} characters")
        if text[start:end] != span.entity_value:
            at = text.find(span.entity_value)
            once = span.entity_value and text.count(span.entity_value) == 1
            if not once or at >= end or at + len(span.entity_value) <= start:
                _refuse(where, f"{name} does not hold its entity_value at {start} to {end}")
            start, end, moved = at, at + len(span.entity_value), moved + 1
        spans.append(Marked(start, end, span.entity_type))
    for start, end in record.hard_negatives:
        if not start < end <= len(text):
            _refuse(where, f"hard_negatives has {start} to {end} in {len(text)} characters")
    return AnnotatedText(text, tuple(spans), record.hard_negatives, moved)


def _refuse(where: str, what: str) -> NoReturn:
    raise MedllmError(
        f"{where}: {what}.", "Correct the record; privacy/annotations.py has the layout."
    )
