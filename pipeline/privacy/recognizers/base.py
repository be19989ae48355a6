"""What our own recognisers share: Presidio's interface over a method that yields spans."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

from presidio_analyzer import LocalRecognizer, RecognizerResult

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.recognizers.clues import Clues, read_clues
from medllm.pipeline.privacy.vocabulary.lexicon import lexicon

CAPITAL = "A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĘĚĞĢĪİĶĹĽŁŃŇŌŐŒŔŘŚŞŠŢŤŪŮŰŹŻŽȘȚ"
"""Capital letters of Latin alphabets, for a character class."""
MEDICAL_SHAPE = re.compile(
    r"(?:ine|ol|ide|ate|cin|zole|mab|nib|pril|tan|tin|itis|osis|emia|oma|pathy|ectomy|ium|"
    r"gram|scopy|"
    r"logy|ic|ous|tion|ment|ness|ular|ology|ine|cillin|cycline|ing|ed|ly|ism|ies|ate|xin|ase|one)$"
)
"""Endings of drugs, diseases and adjectives: a word on no list that ends so is no name."""
Found = tuple[int, int, PhiType]  # start, end, type
_MID = frozenset("abcdefghijklmnopqrstuvwxyz,;(")


class SpanRecognizer(LocalRecognizer):
    """A Presidio recogniser whose entities are ``PhiType`` values; it needs no NLP engine."""

    TYPES: tuple[PhiType, ...]
    SCORE = 0.85

    def __init__(self) -> None:
        """Registers ``TYPES`` as Presidio's entities."""
        super().__init__(supported_entities=[str(type_) for type_ in self.TYPES])
        # One dictionary for all results: Presidio logs a line for a result without one.
        self._metadata = {RecognizerResult.RECOGNIZER_NAME_KEY: self.name}

    def load(self) -> None:
        """Nothing: the lexicon is read when the first recogniser is built."""

    @abstractmethod
    def spans(self, text: str, clues: Clues) -> Iterable[Found]:
        """What was found; spans may overlap. ``clues`` are those of the same text."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: Any = None
    ) -> list[RecognizerResult]:
        """Presidio's form of ``spans``, for the types in ``entities`` (all when empty)."""
        return [
            RecognizerResult(type_, start, end, self.SCORE, None, self._metadata)
            for start, end, type_ in self.spans(text, read_clues(text, lexicon()))
            if not entities or type_ in entities
        ]


def is_whole(text: str, start: int, end: int) -> bool:
    """Whether ``text[start:end]`` is a word by itself, outside e-mail addresses and links."""
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    return not (before.isalnum() or before in "_@./-" or after.isalnum() or after in "_@-")


def is_mid_sentence(text: str, start: int) -> bool:
    """Whether a lower-case word stands right before: the capital is then no sentence's."""
    return start > 1 and text[start - 1] == " " and text[start - 2] in _MID
