"""Names on no list: capitalised words where nothing but a person fits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.recognizers.base import CAPITAL, MEDICAL_SHAPE, Found, SpanRecognizer
from medllm.pipeline.privacy.recognizers.clues import Clues
from medllm.pipeline.privacy.vocabulary import word_set
from medllm.pipeline.privacy.vocabulary.lexicon import (
    COMMON,
    EPONYM,
    MAYBE_EPONYM,
    NAME,
    REGION,
    lexicon,
)

_NAME = rf"[{CAPITAL}][a-zà-ÿ'’\-]{{2,}}"
_PAIR = rf"(?P<name>{_NAME}(?:[ ]{_NAME}){{1,2}})"
_PLACES = tuple(
    (word_set(words), re.compile(pattern))
    for words, pattern in (
        (
            "admitted seen born diagnosed discharged said says told asked lives complains "
            "complained "
            "reports denies called came went and",
            rf"(?<![\w@/]){_PAIR}(?=,? (?:was (?:admitted|seen|born|diagnosed|discharged)|"
            rf"said|says|"
            r"told|asked|lives|complains|complained|reports|denies|called|came|went|and I)\b)",
        ),
        (
            "asked told met according spoke ask tell",
            r"\b(?:asked|told|met|[Aa]ccording to|spoke (?:with|to)|ask|tell|met with)[ ]" + _PAIR,
        ),
        (
            "i i'm im this",
            rf"\b(?:I am|I['’]m|[Tt]his is|i am)[ ]{_PAIR}(?=\s*(?:[,.]|$|and\b|from\b))",
        ),
        ("patient client seen", rf"(?:Patient|Client|Pt|[Ss]een today)[ ]*:[ ]*{_PAIR}"),
        ("patient client", rf"\b[Tt]he (?:patient|client),[ ]{_PAIR}"),
    )
)
_SIGNED = re.compile(rf"[.!?]\s+(?:[-–]\s*)?{_PAIR}\s*$")
_POSSESSIVE = re.compile(
    rf"(?<![\w@/]){_PAIR}(?<!['’]s)['’]s (?:mother|father|wife|husband|son|daughter|doctor|blood|"
    r"condition|symptoms|results|case|chart|pain|temperature|fever|medication)\b"
)
_SINGLES = re.compile(
    rf"(?<![\w@/.])(?P<name>{_NAME})"
    r"(?= (?:said|says|told me|lives|lived|works at|was born|grew up)\b)"
    rf"|\b(?:said|asked|told) (?P<object>{_NAME})\b(?! [A-Z])"
)
_SINGLE_WORDS = word_set("said says told lives lived works born grew asked")
_ADDRESSEE = re.compile(rf"^\W*{_PAIR}[ ]*\n[^\n]*\d", re.MULTILINE)


class StrangerRecognizer(SpanRecognizer):
    """Given and family name, neither a frequent word, a region, a disease or shaped like a drug."""

    TYPES = (PhiType.NAME,)
    SCORE = 0.6

    def __init__(self) -> None:
        """Reads the lists when nobody has."""
        super().__init__()
        self._flags = lexicon().flags

    def spans(self, text: str, clues: Clues) -> Iterator[Found]:
        """Names in ``text``."""
        if not clues.uncommon:
            return
        for words, pattern in _PLACES:
            if not words.isdisjoint(clues.words):
                for match in pattern.finditer(text):
                    yield from self._if_a_name(match)
        if "'s" in text or "’s" in text:
            for match in _POSSESSIVE.finditer(text):
                yield from self._if_a_name(match)
        if clues.has_unlisted and not _SINGLE_WORDS.isdisjoint(clues.words):
            for match in _SINGLES.finditer(text):
                yield from self._if_a_name(match, match.lastgroup or "name")
        if clues.numbers and "\n" in text:
            for match in _ADDRESSEE.finditer(text):
                yield from self._if_a_name(match)
        signed = _SIGNED.search(text, max(0, len(text) - 60))
        if signed:
            yield from self._if_a_name(signed)

    def _if_a_name(self, match: re.Match[str], group: str = "name") -> Iterator[Found]:
        for word in match[group].split():
            flags = self._flags.get(word.casefold(), 0)
            if flags & (COMMON | EPONYM | MAYBE_EPONYM | REGION) and not flags & NAME:
                return
            if flags & (COMMON | REGION) or (not flags and MEDICAL_SHAPE.search(word)):
                return
        yield *match.span(group), PhiType.NAME
