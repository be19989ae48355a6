"""Doses in the model's words get a mark: "[check the formulary]".

A language model's figures look surer than they are. The mark stands right after the dose, also when
the words come piece by piece: what may be the beginning of a dose is held until it is decided.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import closing

MARK = " [check the formulary]"
_NUMBER = r"\d+(?:[.,]\d+)*(?:\s*(?:-|–|to)\s*\d+(?:[.,]\d+)*)?"
_UNIT = (
    r"(?:mg|mcg|µg|μg|ug|micrograms?|milligrams?|g|grams?|ml|mls|millilit(?:er|re)s?|iu|units?|mmol"
    r"|meq|tablets?|tabs?|capsules?|puffs?|drops?|sachets?|teaspoons?|tablespoons?|suppositor\w+)"
)
_PER = r"(?:\s*(?:/|per)\s*(?:kg|kilogram|day|d|dose|h|hr|hour|min|minute|ml|24\s*h|m2|m²)\b){0,3}"
_DOSE = re.compile(rf"(?<![\w.]){_NUMBER}\s*-?{_UNIT}\b{_PER}", re.IGNORECASE)
# The end of a text that more characters could turn into a dose, or a longer one.
_OPEN = re.compile(
    r"(?<![\w.])\d[\d.,]*(?:\s*(?:-|–|to?)?\s*[\d.,]*)?\s*-?[A-Za-zµμ]{0,14}"
    r"(?:\s*(?:/|per|pe|p)\s*[\w²]{0,9}){0,3}\s*$"
)
_WORD_END = re.compile(r"[\w.,]*$")
_LONGEST = 60  # characters that are held at most


def marked(pieces: Iterator[str]) -> Generator[str, None, None]:
    """The pieces with a mark after every dose: joined, ``mark_doses`` of the whole text."""
    before, held = "", ""  # the word that went out last: "mg500 mg" is no dose
    try:
        for piece in pieces:
            held += piece
            found = _OPEN.search(before + held)
            cut = max(found.start() - len(before), 0) if found else len(held)
            if len(held) - cut > _LONGEST:
                cut = len(held)
            if cut:
                yield _marked_from(before + held[:cut], len(before))
                before = _WORD_END.findall(before + held[:cut])[0][-_LONGEST:]
                held = held[cut:]
        if held:
            yield _marked_from(before + held, len(before))
    finally:
        if isinstance(pieces, Generator):
            pieces.close()


def begun(pieces: Generator[str, None, None]) -> Generator[str, None, None]:
    """The pieces without white space before the first word."""
    with closing(pieces):
        started = False
        for piece in pieces:
            text = piece if started else piece.lstrip()
            started = started or bool(text)
            yield text


def mark_doses(text: str) -> str:
    """A text with a mark after every dose."""
    return _marked_from(text, 0)


def _marked_from(text: str, start: int) -> str:
    """What stands from ``start`` on, with a mark after every dose that begins there."""
    out, at = "", start
    for found in _DOSE.finditer(text):
        if found.start() >= start:
            out += text[at : found.end()] + MARK
            at = found.end()
    return out + text[at:]
