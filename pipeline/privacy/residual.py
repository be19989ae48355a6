"""A second look at finished texts, with other means than the recognisers'.

It shares no pattern and no list of names with them: it counts digits, looks for the signs that
e-mail addresses and links cannot do without, and takes a capitalised pair of words for a name when
neither word is ever written small in the same corpus. It knows the ranges that surrogates come
from, and says where something stands, never what.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Literal

from medllm.pipeline.privacy.identifiers import Mode
from medllm.pipeline.privacy.surrogates.pools import (
    IPV4_NETWORKS,
    MAIL_DOMAIN,
    RESERVED_NAMES,
)

Kind = Literal["digits", "mail", "link", "address", "title", "name", "age", "date", "postcode"]

_LINES_KEPT = 20
_CHUNK = re.compile(r"[+(]?\d(?:[\d().\-/ ]*\d)?")
_MEASURE = re.compile(
    r"^\s*(?:%|mg|mcg|µg|g\b|kg|ml|l\b|iu|units?|mm|cm|m\b|hz|kcal|cells|copies|years?|"
    r"days?|hours?)",
    re.IGNORECASE,
)
_MAIL = re.compile(r"[^\s@]+@([^\s@]+)")
_LINK = re.compile(r"(?:\w+://|\bwww\.)(\S+)", re.IGNORECASE)
_QUAD = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_TITLED = re.compile(r"\bM(?:r|rs|s|iss)\b\.?\s+([A-Z]\w+)")
_TITLED_OR_ADDRESSED = re.compile(r"\b(?:D(?:r|octor)|Prof(?:essor)?)\b\.?\s+([A-Z]\w+)")
_NAMED = re.compile(r"\b[Nn]ame(?:'s| is|:)\s+([A-Z]\w+)")
# The lookbehind stands behind the capital: a search that may skip to capitals is twice as fast.
_PAIR = re.compile(r"([A-Z](?<=[a-z,;] .)[a-z]{2,}) ([A-Z][a-z]{2,})\b")
_SUSPECTS: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (_PAIR, "name"),
    (_TITLED_OR_ADDRESSED, "title"),
    (_NAMED, "title"),
)
"""Capitalised words that count unless one of them is written small somewhere in the corpus."""
_SMALL = re.compile(r"\b[a-z]{2,}\b")
_OLD = re.compile(r"\b(?:9\d|1[0-2]\d)[\s-]*(?:y(?:ea)?rs?\b|year|y/?o\b)[\s-]*(?:old|of age)?")
_DATE = re.compile(
    r"(?<![\d.])(?:\d{1,2}([-/.])\d{1,2}\1(?:\d{4}|\d\d)|\d{4}-\d\d?-\d\d?)(?![\d.])"
)
_STATE_CODE = re.compile(r"\b[A-Z]{2},? (\d{5})(?!\d)")
_MANY_DIGITS = re.compile(r"\d(?:[().\-/ ]*\d){6}")
_DOTTED = re.compile(r"\.\d{1,3}\.\d")
_OLD_DIGITS = re.compile(r"[91]\d")
_FIVE_DIGITS = re.compile(r" \d{5}")
_LONG_RUN = 7  # digits without a sign between them
_LONG_GROUPS = 9  # digits with signs between them
_GREETED = frozenset(("chat", "sir", "madam", "please", "thank", "thanks", "hello", "and", "the"))


@dataclass(frozen=True)
class Residue:
    """Things of one kind that still look like identifiers."""

    kind: Kind
    count: int
    lines: tuple[int, ...]  # 1-based, the first few


@dataclass(frozen=True)
class ResidualReport:
    """What the second look saw; ``residues`` without those that saw nothing."""

    texts: int
    residues: tuple[Residue, ...]

    @property
    def total(self) -> int:
        """All kinds together."""
        return sum(residue.count for residue in self.residues)


@dataclass
class Look:
    """What some texts show, before it is known which words the whole corpus writes small."""

    texts: int = 0
    places: dict[Kind, list[int]] = field(default_factory=dict)
    suspects: list[tuple[int, Kind, tuple[str, ...]]] = field(default_factory=list)
    small: set[str] = field(default_factory=set)

    def add(self, later: Look) -> None:
        """Add a look at the texts that come after these."""
        for kind, lines in later.places.items():
            self.places.setdefault(kind, []).extend(self.texts + line for line in lines)
        self.small |= later.small
        self.suspects += [
            (self.texts + line, kind, words)
            for line, kind, words in later.suspects
            if self.small.isdisjoint(words)
        ]
        self.texts += later.texts


def look(texts: Iterable[str], mode: Mode) -> Look:
    """Look through finished texts, one of them a line of the file they stand in.

    Dates are looked for in ``tags`` only: a surrogate's date is a date like any other. Holds the
    texts' vocabulary and the places of capitalised pairs in memory, never the texts.
    """
    seen = Look()
    for number, text in enumerate(texts, 1):
        seen.texts = number
        for kind in _shapes(text, mode):
            seen.places.setdefault(kind, []).append(number)
        seen.small.update(_SMALL.findall(text))
        for pattern, kind in _SUSPECTS:
            for match in pattern.finditer(text):
                words = tuple(word.casefold() for word in match.groups())
                if RESERVED_NAMES.isdisjoint(words):
                    seen.suspects.append((number, kind, words))
    seen.suspects = [found for found in seen.suspects if seen.small.isdisjoint(found[2])]
    return seen


def residues(seen: Look, small: Set[str]) -> tuple[Residue, ...]:
    """What remains of a look when the words in ``small`` are no names."""
    places = {kind: list(lines) for kind, lines in seen.places.items()}
    for line, kind, words in seen.suspects:
        if small.isdisjoint(words):
            places.setdefault(kind, []).append(line)
    return tuple(_residue(kind, sorted(places[kind])) for kind in sorted(places))


def residual(texts: Iterable[str], mode: Mode) -> ResidualReport:
    """The second look at one corpus as a whole."""
    seen = look(texts, mode)
    return ResidualReport(seen.texts, residues(seen, seen.small))


def counts(report: ResidualReport) -> Mapping[str, int]:
    """Count by kind, for a summary."""
    return {residue.kind: residue.count for residue in report.residues}


def _residue(kind: Kind, lines: list[int]) -> Residue:
    return Residue(kind, len(lines), tuple(dict.fromkeys(lines))[:_LINES_KEPT])


def _shapes(text: str, mode: Mode) -> Iterator[Kind]:
    """One kind for each thing seen.

    What each pattern cannot do without is looked for first, at a tenth of the pattern's time.
    """
    lowered = text.lower()
    if _MANY_DIGITS.search(text):
        for match in _CHUNK.finditer(text):
            if _is_long_number(match[0], text, match.start(), match.end()):
                yield "digits"
    if "@" in text:
        for match in _MAIL.finditer(text):
            if match[1].casefold().rstrip(".,;:)>]!?\"'") != MAIL_DOMAIN:
                yield "mail"
    if "://" in text or "www." in lowered:
        for match in _LINK.finditer(text):
            if not match[1].casefold().removeprefix("www.").startswith(MAIL_DOMAIN):
                yield "link"
    if _DOTTED.search(text):
        for match in _QUAD.finditer(text):
            if not match[0].startswith(IPV4_NETWORKS):
                yield "address"
    if "Mr" in text or "Ms" in text or "Miss" in text:
        for match in _TITLED.finditer(text):
            word = match[1].casefold()
            if word not in RESERVED_NAMES and word not in _GREETED:
                yield "title"
    if _OLD_DIGITS.search(text) and _OLD.search(text):
        yield "age"
    if mode == "tags":
        for _ in _DATE.finditer(text):
            yield "date"
    if _FIVE_DIGITS.search(text):
        for match in _STATE_CODE.finditer(text):
            if not match[1].startswith("00"):
                yield "postcode"


def _is_long_number(chunk: str, text: str, start: int, end: int) -> bool:
    """Long enough to identify; not a reserved number, a date, a quantity or a network address."""
    groups = re.findall(r"\d+", chunk)
    digits = "".join(groups)
    if max(map(len, groups)) < _LONG_RUN and len(digits) < _LONG_GROUPS:
        return False
    if _DATE.fullmatch(chunk) or _QUAD.fullmatch(chunk) or digits.startswith("00"):
        return False
    if "55501" in digits and len(digits) - digits.index("55501") == 7 and len(digits) <= 11:
        return False
    if re.search(r"[A-Za-z]", text[max(0, start - 1) : start]):
        return False
    round_number = digits.endswith("000") and len(groups) == 1
    return not round_number and not _MEASURE.match(text, end)
