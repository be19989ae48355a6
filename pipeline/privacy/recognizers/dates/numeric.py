"""Dates in digits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.recognizers.base import Found, SpanRecognizer
from medllm.pipeline.privacy.recognizers.clues import Clues
from medllm.pipeline.privacy.vocabulary import word_set

_NUMERIC = re.compile(
    r"(?<![\w./-])(?:"
    r"(?:19|20)\d\d(?P<s1>[-/.])(?:0?[1-9]|1[0-2])(?P=s1)(?:0?[1-9]|[12]\d|"
    r"3[01])(?:T\d\d:\d\d(?::\d\d)?Z?)?"
    r"|\d{1,2}(?P<s2>[-/.])\d{1,2}(?P=s2)(?:19|20)\d\d"
    r"|\d{1,2}(?P<s3>[-/])\d{1,2}(?P=s3)\d\d"
    r"|(?:0?[1-9]|1[0-2])[-/](?:19|20)\d\d"
    r")(?![\w%/]|[-.]\d)"
)
_MONTH_DAY = (
    r"(?:(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01])|(?:1[3-9]|2\d|3[01])/(?:0?[1-9]|1[0-2]))"
)
_NO_FRACTION = (
    r"(?![\w/%]|\.\d|[ ]*(?:tab|pill|dose|cup|of (?!this|last|next)|hour|strength|pain|"
    r"on (?:the|a)\b|bilateral|through|in (?:the|all|both)|throughout|teaspoon|tsp|murmur|power|"
    r"systolic|positive|points?|criteria|nodes|sites|lung|score))"
)
_SLASHED = re.compile(r"\d/\d")
_SHORT = re.compile(
    r"(?:\b(?:on|since|dated?|until|till|til|dob|d\.o\.b\.?|born|lmp|edd|edc|due|seen|visits?|"
    r"admitted|discharged|by|before|after|attempt|adm|disch?|d/c|dos|phone|starting|starts?|"
    r"started|stay|effective|as of|appt|appointment|here|last|next|surgery|sx|scheduled|f/u|"
    r"follow-?up|returns?|rtc|on \S{7,20}(?: x\d+)?|faxed|received|collected|drawn|done|signed|"
    r"called|filled|refill|"
    r"thru|through|week of|night of|morning of|evening of|mon|tues?|wed|thurs?|fri|sat|sun|"
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b\.?(?:[ ]+(?:is|was|on|of|date|day))?[ :,(]+|"
    rf"^[-*• ]*(?=\S+[ :]+\D)|(?<=, )(?=\S+/\d\d?/|\S+$))(?P<date>{_MONTH_DAY}){_NO_FRACTION}",
    re.IGNORECASE | re.MULTILINE,
)
_SHORT_RANGE = re.compile(
    rf"\b(?P<verb>from|between|dates?)[ :]+(?P<first>{_MONTH_DAY})[ ]*(?:-|–|to|and|until|thru)[ ]*"
    rf"(?P<date>{_MONTH_DAY}){_NO_FRACTION}|"
    rf"(?P<one>{_MONTH_DAY})[ ]*[-–][ ]*(?P<two>{_MONTH_DAY}){_NO_FRACTION}"
    rf"|(?<![\w/.])(?P<left>{_MONTH_DAY})[ ]to[ ](?P<right>{_MONTH_DAY}){_NO_FRACTION}",
    re.IGNORECASE,
)
_AND_SHORT = re.compile(
    rf"(?:,|[ ]*(?:&|and|or|to|-|–)|, and)[ ]*(?P<date>{_MONTH_DAY}){_NO_FRACTION}"
)
_BIRTH = re.compile(
    r"\b(?:dob|d\.o\.b\.?|date of birth|born(?: on)?|birth ?date)[ ]*(?:is|:|-|"
    r"=)?[ ]*(?P<date>(?:19|20)\d{6}|\d{8}|\d{1,2}[ ]\d{1,2}[ ](?:19|20)?\d\d)\b",
    re.IGNORECASE,
)
_BIRTH_YEAR = re.compile(
    r"\b(?:born|birth(?:[ ]?year)?|b\.|yob|dob|née?)(?:[ ]*(?:[:=|]|on|in|of|is|was|about|around|"
    r"circa|ca?\.|back|year|the))*[ ]*(?P<year>18\d\d|19[0-2]\d|193[0-6])\b(?![-/.]\d)",
    re.IGNORECASE,
)
"""Who was born before 1937 is over 89 in 2026: such a year tells the age."""
_BEFORE_BIRTH = word_set("dob birth born birthdate birthyear b yob nee née")


class NumericDateRecognizer(SpanRecognizer):
    """By their shape; month and day without a year by the words around them. A year alone stays."""

    TYPES = (PhiType.DATE,)

    def spans(self, text: str, clues: Clues) -> Iterator[Found]:
        """Dates in ``text``."""
        if clues.most > 2:
            for match in _NUMERIC.finditer(text):
                if _possible(match[0]):
                    yield match.start(), match.end(), PhiType.DATE
        if clues.most > 1:
            if "/" in text and _SLASHED.search(text):
                yield from self._short(text)
            if not _BEFORE_BIRTH.isdisjoint(clues.words):
                for pattern, group in ((_BIRTH, "date"), (_BIRTH_YEAR, "year")):
                    for match in pattern.finditer(text):
                        yield *match.span(group), PhiType.DATE

    @staticmethod
    def _short(text: str) -> Iterator[Found]:
        """Month and day without a year, behind a word that asks for a date, and what joins it."""
        for match in _SHORT.finditer(text):
            start, end = match.span("date")
            yield start, end, PhiType.DATE
            while more := _AND_SHORT.match(text, end):
                yield *more.span("date"), PhiType.DATE
                end = more.end()
        for match in _SHORT_RANGE.finditer(text):
            dates = [group for group, value in match.groupdict().items() if value]
            spans = [match.span(group) for group in dates if group != "verb"]
            (_, first), (_, second) = [text[a:b].split("/") for a, b in spans]
            if first != second or first not in ("4", "5", "6", "10", "12", "20"):
                for start, end in spans:
                    yield start, end, PhiType.DATE


def _possible(date: str) -> bool:
    """Whether the numbers can be a day and a month, in either order."""
    numbers = [int(number) for number in re.findall(r"\d+", date.split("T")[0])]
    if len(numbers) == 2:
        return True
    small = [number for number in numbers if number < 1000]
    if len(small) == 3:  # two-digit year last
        small = small[:2]
    low, high = sorted(small)
    return 1 <= low <= 12 and 1 <= high <= 31
