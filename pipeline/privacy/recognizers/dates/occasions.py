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
_FEASTS = (
    r"Christmas (?:Eve|Day)|Thanksgiving Day|Easter (?:Sunday|Monday)|New Year['’]?s (?:Eve|Day)|"
    r"Labou?r Day|Memorial Day|Independence Day|Valentine['’]?s Day|(?:4th|Fourth) of July|"
    r"Mother['’]?s Day|Father['’]?s Day|Good Friday|Boxing Day|Veterans['’]? Day|Columbus Day|"
    r"Juneteenth|(?:Martin Luther King|MLK)(?: Jr\.?)? Day|Presidents['’]? Day|Canada Day|"
    r"Australia Day|ANZAC Day|St\.? Patrick['’]?s Day|Groundhog Day|Flag Day|Cinco de Mayo|"
    r"Ash Wednesday|Mardi Gras|Yom Kippur|Rosh Hashanah|Ramadan|Purim|Sukkot|Kwanzaa|Navratri|"
    r"Dussehra|Onam|Pongal|(?:Chinese|Lunar) New Year|Bonfire Night|Guy Fawkes Night|"
    r"(?:August|May|Spring|Summer) bank holiday"
)
_FEAST = re.compile(
    rf"\b(?:{_FEASTS})(?: weekend)?(?:,? (?:of |in )?(?:19|20)\d\d\b)?", re.IGNORECASE
)
_SEASON = re.compile(
    r"\b(?:spring|summer|fall|autumn|winter)(?:,? (?:of )?)(?:(?:19|20)\d\d|['’]\d\d)\b",
    re.IGNORECASE,
)
_SEASON_WORDS = word_set("spring summer fall autumn winter")
_NTH = re.compile(
    r"\b(?:on|by|since|until|till|before|after|from|to|through|thru|and|of|due|dated|for)[ ]the[ ]"
    r"(?P<day>(?:[12]?\d|3[01])(?:st|nd|rd|th))(?=[,.;:)!?]|[ ](?:at|and|with|to|in the (?:morning|"
    r"afternoon|evening)|but|because|so|instead|if|works|was|is|for (?:my|his|her|a|the)|she|he|"
    r"we|I)"
    r"\b|\s*$)",
    re.IGNORECASE | re.MULTILINE,
)
_NTH_WORDS = word_set("st nd rd th")
_HOLIDAY_WORDS = word_set(
    """
    thanksgiving day labour presidents president's patrick's groundhog cinco ash mardi yom rosh
    ramadan purim sukkot kwanzaa navratri dussehra onam pongal chinese lunar bonfire fawkes bank
    christmas xmas thanksgiving easter halloween diwali eve memorial independence valentine
    valentines valentine's july hanukkah passover boxing veterans columbus juneteenth eid holi
    mother's father's year's years
    """
)


class OccasionRecognizer(SpanRecognizer):
    """Holidays, quarters and "Tuesday the 5th"; a weekday, "yesterday" and "in spring" stay."""

    TYPES = (PhiType.DATE,)

    def spans(self, text: str, clues: Clues) -> Iterator[Found]:
        """Dates in ``text``."""
        if clues.longest > 1 and not _QUARTER_WORDS.isdisjoint(clues.words):
            for match in _QUARTER.finditer(text):
                yield match.start(), match.end(), PhiType.DATE
        if clues.numbers and not _WEEKDAYS.isdisjoint(clues.words):
            for match in _WEEKDAY_NTH.finditer(text):
                yield match.start(), match.end(), PhiType.DATE
        if clues.numbers and not _SEASON_WORDS.isdisjoint(clues.words):
            for match in _SEASON.finditer(text):
                yield match.start(), match.end(), PhiType.DATE
        if not _NTH_WORDS.isdisjoint(clues.words) and "the" in clues.words and clues.numbers:
            for match in _NTH.finditer(text):
                yield *match.span("day"), PhiType.DATE
        if not _HOLIDAY_WORDS.isdisjoint(clues.words):
            for match in _HOLIDAY.finditer(text):
                holiday: str | int = "day" if match["day"] else 0
                yield *match.span(holiday), PhiType.DATE
            for match in _FEAST.finditer(text):
                yield match.start(), match.end(), PhiType.DATE
