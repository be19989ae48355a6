"""From a template to a note with its spans.

A template file holds blocks that begin with ``=== name n=6 age=55-99 sex=f rel=m``: how many notes
to write from it, the patient's age and who must be a woman or a man. In the text

- ``{slot}`` or ``{slot.style}`` is personal data (slots.py), ``{!TYPE words}`` the same, verbatim;
- ``[[words]]`` is a hard negative: it must stay;
- ``<one|other>`` is a choice, ``%3-9%`` a number, ``{hn}`` a line of the set's file in negatives/;
- ``@he @his @him @man @male @M @Mr`` follow the patient's sex, ``@a`` the age; ``@rel`` and
  ``@kin`` say what the person in that slot is to the patient.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.privacy.slots import Case, Piece
from benchmarks.privacy.values import Values

HERE = Path(__file__).parent
_CHOICE = re.compile(r"<([^<>\n]*\|[^<>\n]*)>")
_NUMBER = re.compile(r"%(\d+)-(\d+)%")
_MARK = re.compile(r"\{!(?P<type>[A-Z_]+) (?P<words>[^}]+)\}|\{(?P<slot>[a-z0-9]+)"
                   r"(?:\.(?P<style>[A-Za-z0-9.]+))?\}|\[\[(?P<negative>.+?)\]\]")  # fmt: skip
_WORDS = re.compile(r"@(he|his|him|He|His|Him|man|male|M|a|Mr|rel|kin)\b")


@dataclass(frozen=True)
class Template:
    """One block of a template file."""

    name: str
    count: int
    options: dict[str, str]
    text: str


@dataclass(frozen=True)
class Span:
    """Characters start to end (exclusive) of a note, and what they are."""

    type: str
    start: int
    end: int


@dataclass(frozen=True)
class Note:
    """A finished note."""

    template: str
    text: str
    spans: tuple[Span, ...]
    negatives: tuple[Span, ...]


def load_templates(name: str) -> list[Template]:
    """Every template of a set, files and blocks in order; raises ValueError for a bad heading."""
    templates = []
    for path in sorted((HERE / "templates" / name).glob("*.txt")):
        for block in path.read_text(encoding="utf-8").split("=== ")[1:]:
            heading, _, text = block.partition("\n")
            title, *rest = heading.split()
            options = dict(option.split("=") for option in rest)
            templates.append(Template(title, int(options.pop("n")), options, text.strip("\n")))
    return templates


def fill(template: Template, rng: Random, values: Values, negatives: list[str]) -> Note:
    """Write one note; the same stream of random numbers gives the same note."""
    case = Case.draw(rng, template.options, values)
    text = re.sub(r"\{hn\}", lambda _: rng.choice(negatives), template.text)
    text = _CHOICE.sub(lambda m: rng.choice(m[1].split("|")), text)
    text = _NUMBER.sub(lambda m: str(rng.randint(int(m[1]), int(m[2]))), text)
    text = _WORDS.sub(lambda m: case.word(m[1]), text)
    pieces: list[Piece] = []
    done = 0
    for mark in _MARK.finditer(text):
        pieces.append(Piece(text[done : mark.start()]))
        if mark["negative"]:
            pieces.append(Piece(mark["negative"], negative=True))
        elif mark["type"]:
            pieces.append(Piece(mark["words"], mark["type"]))
        else:
            pieces += case.pieces(mark["slot"], mark["style"] or "")
        done = mark.end()
    pieces.append(Piece(text[done:]))
    return _joined(template.name, pieces)


def _joined(name: str, pieces: list[Piece]) -> Note:
    text, spans, negatives = "", [], []
    for piece in pieces:
        span = Span(piece.type or "NEGATIVE", len(text), len(text) + len(piece.text))
        if piece.type:
            spans.append(span)
        elif piece.negative:
            negatives.append(span)
        text += piece.text
    return Note(name, text, tuple(spans), tuple(negatives))
