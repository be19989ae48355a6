"""Numbers that identify: by the words beside them, by their check digits, or by their length."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.recognizers.base import Found, SpanRecognizer
from medllm.pipeline.privacy.recognizers.clues import Clues
from medllm.pipeline.privacy.recognizers.numbers import shapes
from medllm.pipeline.privacy.recognizers.numbers.labels import (
    LABEL_WORDS,
    label_before,
    label_behind,
)

_VALUE = re.compile(
    r"(?<![\w.,/@-])(?=[A-Za-z]{0,8}[-/.:]?[A-Za-z]{0,4}\d|[A-Za-z]{1,5}[-/][A-Za-z]{1,5}[-/]\d|"
    r"(?:[A-Z]+\d|\d+[A-Z])|[A-Z]{6}\d|[A-Z]{2,5}-[A-Z]{2,5}-\d)"
    r"[A-Za-z0-9]+(?:[-/.:_]{1,2}[A-Za-z0-9]+)*"
    r"(?:[ ](?=[\dA-Z]*\d)[\dA-Z]{2,6}\b){0,4}"
)
_LETTERS_BEFORE = re.compile(r"(?<!\w)[A-Z]{1,4}[ ]$")
_LETTERS_BEHIND = re.compile(r"[ -](?:[A-Z\d]\b|(?P<plate>[A-Z]{2,3}\b))(?![\w'’.-]*[a-z])(?!:)")
_MORE = re.compile(
    r"[ ]*(?:,|;|/|&|and|or)[ ]*(?:and[ ])?(?P<value>(?=[A-Za-z/-]{0,6}\d)[A-Za-z0-9]+"
    r"(?:[-/.][A-Za-z0-9]+)*)(?![\w%])"
)
_UNIT = re.compile(
    r"[ ]?(?:mg|mcg|ml|iu|units?|cells|mm|cm|%|/|years?|days?|weeks?|months?|hours?|kcal|"
    r"cal|calories|times|copies|steps|rpm|bpm|dollars|rs|usd|patients?|people|persons|women|men|"
    r"children|subjects|participants|cases|controls|adults|meters|metres|feet|miles|k?g|kg|lbs?|"
    r"pounds|ppm|ng|pg|mmol|mol|mmhg|cc|psi|hz|khz|mhz|square|percent|euros?|pairs|samples|hrs?|"
    r"am|pm|yo|y/o|yrs?|doses?|tablets?|tabs?|puffs?|drops?)\b|[ ]?%",
    re.IGNORECASE,
)
_BLOOD_PRESSURE = re.compile(r"\d{1,3}/\d{1,3}")
_INTERVAL = re.compile(r"\d{1,2}:\d+|[A-Z]{2}:?\d?\.?\d+\.\d+|\d+\.\d+[-:]\d+\.\d+")


class NumberRecognizer(SpanRecognizer):
    """Values that hold a digit and the label beside them; shapes that need none."""

    TYPES = (
        PhiType.SSN,
        PhiType.FAX,
        PhiType.VEHICLE,
        PhiType.MRN,
        PhiType.HEALTH_PLAN,
        PhiType.ACCOUNT,
        PhiType.LICENSE,
        PhiType.DEVICE,
        PhiType.PHONE,
        PhiType.ID,
    )
    SCORE = 0.9

    def spans(self, text: str, clues: Clues) -> Iterator[Found]:
        """Numbers in ``text``; nothing is looked at unless some value is long enough."""
        if not clues.numbers:
            return
        labelled = not LABEL_WORDS.isdisjoint(clues.words)
        if (labelled and (clues.most > 2 or clues.mixed)) or clues.most > 3 or clues.mixed:
            for match in _VALUE.finditer(text):
                yield from self._value(text, match, labelled=labelled)
        if clues.most < 6 and not clues.mixed:
            return
        if clues.longest > 5:
            for match in shapes.LONG.finditer(text):
                value = match[0]
                long = value[0].isalpha() or len(value) > 7
                counts = value.endswith("000") or _UNIT.match(text, match.end())
                if long and not counts and not shapes.cited(text, match.start()):
                    yield match.start(), match.end(), PhiType.ID

    def _value(self, text: str, match: re.Match[str], *, labelled: bool) -> Iterator[Found]:
        """The value by its label, else by its shape, with or without letters before it."""
        found = list(self._labelled(text, match)) if labelled else []
        if found:
            yield from found
            return
        start, end = match.span()
        letters = _LETTERS_BEFORE.search(text, max(0, start - 5), start)
        first = match[0].split(" ", 1)[0]
        tries = [(start, end), (start, start + len(first))]
        for begin, stop in [(letters.start(), end), *tries] if letters else tries:
            if shapes.has_shape(text, begin, stop) and not _UNIT.match(text, stop):
                yield begin, stop, PhiType.ID
                return

    def _labelled(self, text: str, match: re.Match[str]) -> Iterator[Found]:
        """The value, with letters beside it ("BCX 882 1190"), if a label stands by it."""
        start, end = match.span()
        digits = sum(char.isdigit() for char in match[0])
        if digits < 2 or _UNIT.match(text, end) or _BLOOD_PRESSURE.fullmatch(match[0]):
            return
        if (shapes.DECIMAL.fullmatch(match[0]) and digits < 6) or _INTERVAL.fullmatch(match[0]):
            return
        label = label_before(text, start)
        if not label:
            letters = _LETTERS_BEFORE.search(text, max(0, start - 5), start)
            if letters:
                start = letters.start()
                label = label_before(text, start)
        label = label or label_behind(text, end)
        if not label:
            return
        type_ = label.type
        stop = self._whole(text, end, type_)
        if not self._can_be(type_, text[start:stop], digits, label.least):
            return
        yield start, stop, type_
        while more := _MORE.match(text, stop):
            value = more["value"]
            count = sum(char.isdigit() for char in value)
            alike = abs(len(value) - (end - start)) < 3 and count > 2
            if not alike or not self._can_be(type_, value, count) or _UNIT.match(text, more.end()):
                break
            yield *more.span("value"), type_
            stop = more.end()

    @staticmethod
    def _whole(text: str, end: int, type_: PhiType) -> int:
        """The end of the value with a last letter or digit, or a plate's letters, behind it."""
        behind = _LETTERS_BEHIND.match(text, end)
        if not behind:
            return end
        if behind["plate"]:
            fits = type_ is PhiType.VEHICLE or (text[end] == "-" and type_ is not PhiType.PHONE)
            return behind.end() if fits else end
        return end if type_ in (PhiType.PHONE, PhiType.FAX) else behind.end()

    @staticmethod
    def _can_be(type_: PhiType, value: str, digits: int, least: int = 4) -> bool:
        """Whether a value is long enough for its label, and no year."""
        if type_ in (PhiType.PHONE, PhiType.FAX):
            return 7 <= digits <= 15
        letters = any(char.isupper() for char in value)
        if digits == 2:
            return type_ is PhiType.VEHICLE and letters and len(value) > 4
        if digits == 3 and least > 3 and len(value) < 5:
            return type_ is PhiType.VEHICLE and letters
        if digits < least and type_ is PhiType.ID and not letters:
            return False
        if type_ is PhiType.DEVICE and value.isdigit() and digits < 5:
            return False
        year = len(value) == 4 and value[:2] in ("19", "20") and value.isdigit()
        return type_ is PhiType.MRN or not year
