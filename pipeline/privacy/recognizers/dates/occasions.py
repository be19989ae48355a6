"""Days that are told by a holiday, a quarter, or a day of the week with its number."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.recognizers.base import Found, SpanRecognizer
from medllm.pipeline.privacy.recognizers.clues import Clues
from medllm.pipeline.privacy.vocabulary import word_set

_QUARTER = re.compile(
    r"\bQ[1-4][ ,/-]{0,2}(?:of )?(?:(?:19|20)\d\d|['’]\d\d)\b|\b(?:(?:first|second|third|fourth|"
    r"last|"
    r"1st|2nd|3rd|4th) quarter|(?:first|second|latter) half|(?:beginning|end|middle)) of "
    r"(?:19|20)\d\d\b|\b(?:19|20)\d\d[ -]?Q[1-4]\b",
    re.IGNORECASE,
)
_QUARTER_WORDS = word_set("q quarter half beginning end middle")
_WEEKDAY_NTH = re.compile(
    r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day,?[ ]+(?:the[ ]+)?(?P<day>\d{1,2}(?:st|nd|"
    r"rd|th))\b"
    r"|\bthe[ ](?P<nth>\d{1,2}(?:st|nd|rd|th))[ ](?:of[ ](?:this|last|next|the)[ ]month)\b",
    re.IGNORECASE,
)
_WEEKDAYS = word_set("monday tuesday wednesday thursday friday saturday sunday month")
_HOLIDAY_NAMES = (
    r"(?:Christmas(?:[ ](?:Eve|Day))?|Xmas|Thanksgiving(?:[ ]Day)?|Easter(?:[ ](?:Sunday|"
    r"Monday))?|Halloween|"
    r"Diwali|New Year['’]?s?(?:[ ](?:Eve|Day))?|Labor Day|Memorial Day|Independence Day|"
    r"Valentine['’]?s(?:[ ]Day)?|(?:the[ ])?(?:4th|Fourth) of July|Mother['’]?s Day|"
    r"Father['’]?s Day|"
    r"Hanukkah|Passover|Good Friday|Boxing Day|Veterans Day|Columbus Day|Juneteenth|Eid|Holi)"
)
_HOLIDAY = re.compile(
    rf"\b{_HOLIDAY_NAMES}(?:[ ]+(?:of[ ]+|in[ ]+)?|,[ ]+|['’ ]+)(?:(?:19|20)\d\d|['’]\d\d)\b"
    rf"|\b(?:on|last|since|past|before|after|around|until|till|by|at|over|during|"
    rf"following)[ ](?:the[ ])?(?P<day>{_HOLIDAY_NAMES}(?:[ ]+(?:of[ ]+|in[ ]+)?(?:19|"
    rf"20)\d\d)?)\b(?!['’]|[ ](?:tree|dinner|party|"
    rf"present|gift|card))",
    re.IGNORECASE,
)
_HOLIDAY_WORDS = word_set(
    """
    christmas xmas thanksgiving easter halloween diwali eve memorial independence valentine
    valentines valentine's july hanukkah passover boxing veterans columbus juneteenth eid holi
    mother's father's year's years
    """
)


class OccasionRecognizer(SpanRecognizer):
    """Holidays, quarters and "Tuesday the 5th"; a weekday, "yesterday" and a season stay."""

    TYPES = (PhiType.DATE,)

    def spans(self, text: str, clues: Clues) -> Iterator[Found]:
        """Dates in ``text``."""
        if clues.longest > 1 and not _QUARTER_WORDS.isdisjoint(clues.words):
            for match in _QUARTER.finditer(text):
                yield match.start(), match.end(), PhiType.DATE
        if clues.numbers and not _WEEKDAYS.isdisjoint(clues.words):
            for match in _WEEKDAY_NTH.finditer(text):
                yield match.start(), match.end(), PhiType.DATE
        if not _HOLIDAY_WORDS.isdisjoint(clues.words):
            for match in _HOLIDAY.finditer(text):
                holiday: str | int = "day" if match["day"] else 0
                yield *match.span(holiday), PhiType.DATE
