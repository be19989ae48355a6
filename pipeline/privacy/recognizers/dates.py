"""Dates finer than a year, and ages over 89 (45 CFR 164.514(b)(2)(i)(C))."""

from __future__ import annotations

import re
from collections.abc import Iterator

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.recognizers.base import Found, SpanRecognizer
from medllm.pipeline.privacy.recognizers.clues import Clues
from medllm.pipeline.privacy.vocabulary import word_set

MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_MONTH = re.compile(
    r"(?<![^\W\d_])(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)(?![^\W\d_])",
    re.IGNORECASE,
)
_WEEKDAY = (
    r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?[ ]+(?:the[ ]+)?)?"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_DAY_BEFORE = re.compile(
    rf"(?:(?<=^)|(?<![\w./-]))(?P<all>{_WEEKDAY}(?:the[ ]+)?(?P<day>{_DAY})(?P<nth>st|nd|rd|th)?"
    r"(?:[ ]+day)?(?:[ ]+of[ ]+|[ ]*[-/.,]?[ ]*))$",
    re.IGNORECASE,
)
_YEAR_BEFORE = re.compile(r"(?<![\w./-])(?P<all>(?:19|20)\d\d[-/ ])$")
_DAY_AFTER = re.compile(
    rf"\.?(?:[ ]+(?:the[ ]+)?|[ ]*[-/][ ]*|,[ ]+)(?P<day>{_DAY})(?P<nth>st|nd|rd|"
    rf"th)?\b(?![./:%]?\d|[ ]*%)"
    r"(?:(?:[ ]*,[ ]*|[ ]+(?:of[ ]+)?|[-/])(?P<year>(?:19|20)\d\d|['’]\d\d)\b)?",
    re.IGNORECASE,
)
_ORDINAL = (
    r"(?:twenty|thirty)?[- ]?(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|tenth|"
    r"eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|"
    r"nineteenth|twentieth|thirtieth"
)
_SPOKEN_AFTER = re.compile(
    rf",?[ ](?:the[ ])?(?:{_ORDINAL})\b(?:,?[ ](?:of[ ])?(?:two thousand|nineteen|twenty)\b"
    r"(?:[ ](?:and[ ])?[a-z]+teen|[ ](?:and[ ])?(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|"
    r"ninety|ten|eleven|twelve|one|two|three|four|five|six|seven|eight|nine)\b){0,3})?",
    re.IGNORECASE,
)
_SPOKEN_BEFORE = re.compile(rf"\b(?:the[ ])?(?:{_ORDINAL})[ ](?:of[ ])?$", re.IGNORECASE)
_YEAR_AFTER = re.compile(
    r"\.?(?:[ ]*,[ ]*|[ ]+(?:of[ ]+)?|[ ]*[-/][ ]*|(?=\d{4}))(?P<year>(?:19|20)\d\d|"
    r"['’]\d\d|(?<=-)\d\d)\b",
    re.IGNORECASE,
)
_QUANTITY = re.compile(
    r"[ ]*(?:mg|mcg|ml|g|units?|times?|hours?|hrs?|days?|weeks?|months?|years?|kg|lbs?|"
    r"pounds|cm|mm|%|tablets?|pills?|doses?|patients?|cases?|or|to)\b",
    re.I,
)
_NEAR = re.compile(
    r"(?:\b(?:in|since|last|next|during|until|till|by|from|of|early|late|mid|around|before|after|"
    r"through|between|and|to|past|month of|beginning of|end of|middle of|this)[ -]+)$",
    re.IGNORECASE,
)
_WEEKDAY_BEFORE = re.compile(r"(?:mon|tues|wednes|thurs|fri|satur|sun)day,?[ ]+$", re.IGNORECASE)
_NUMERIC = re.compile(
    r"(?<![\w./-])(?:"
    r"(?:19|20)\d\d(?P<s1>[-/.])(?:0?[1-9]|1[0-2])(?P=s1)(?:0?[1-9]|[12]\d|"
    r"3[01])(?:T\d\d:\d\d(?::\d\d)?Z?)?"
    r"|\d{1,2}(?P<s2>[-/.])\d{1,2}(?P=s2)(?:19|20)\d\d"
    r"|\d{1,2}(?P<s3>[-/])\d{1,2}(?P=s3)\d\d"
    r"|(?:0?[1-9]|1[0-2])[-/](?:19|20)\d\d"
    r")(?![\w%/]|[-.]\d)"
)
_SHORT = re.compile(
    r"\b(?:on|since|dated?|until|till|dob|d\.o\.b\.?|born|lmp|edd|due|seen|visit|admitted|"
    r"discharged)"
    r"(?:[ ]+(?:is|was|on|of|date))?[ :]+(?P<date>(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|"
    r"3[01])|(?:1[3-9]|2\d|3[01])/(?:0?[1-9]|1[0-2]))"
    r"(?![\w/%]|\.\d|[ ]*(?:tab|pill|dose|cup|of|hour|strength|pain|on the))",
    re.IGNORECASE,
)
_BIRTH = re.compile(
    r"\b(?:dob|d\.o\.b\.?|date of birth|born(?: on)?|birth ?date)[ ]*(?:is|:|-|"
    r"=)?[ ]*(?P<date>(?:19|20)\d{6}|\d{8}|\d{1,2}[ ]\d{1,2}[ ](?:19|20)?\d\d)\b",
    re.IGNORECASE,
)
_WEEKDAY_NTH = re.compile(
    r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day,?[ ]+(?:the[ ]+)?(?P<day>\d{1,2}(?:st|nd|"
    r"rd|th))\b"
    r"|\bthe[ ](?P<nth>\d{1,2}(?:st|nd|rd|th))[ ](?:of[ ](?:this|last|next|the)[ ]month)\b",
    re.IGNORECASE,
)
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
_MONTH_WORDS = frozenset(MONTH_NAMES) | word_set("jan feb mar apr jun jul aug sep sept oct nov dec")
_WEEKDAYS = word_set("monday tuesday wednesday thursday friday saturday sunday month")
_BEFORE_SHORT = word_set(
    "on since date dated until till dob born lmp edd due seen visit admitted discharged"
)
_BEFORE_BIRTH = word_set("dob birth born birthdate")
_MAY = re.compile(
    r"\bMay\b|\d(?:st|nd|rd|th)?(?: of)?[ /-]may\b|\bmay[ /-]\d|\b(?:in|since|last|next|"
    r"until|by|from|of|mid) may\b"
)

_UNITS = "one|two|three|four|five|six|seven|eight|nine"
_OLD = (
    rf"(?:9\d|1[01]\d|12[0-5]|ninety(?:[- ](?:{_UNITS}))?|(?:a |one )?hundred(?:(?: "
    rf"and)?[- ](?:{_UNITS}|ten))?)"
)
_AGE = re.compile(
    rf"(?<![\w./-])(?P<a>{_OLD}(?:[- ]*(?:years?|yrs?)\.?[- ]*(?:olds?\b|of age\b)|"
    rf"[- ]*y\.?/?o\b\.?|[- ]y/?o\b))"
    rf"|\b(?:aged|age|age is|age of|age:|turned|turning|"
    rf"turns)[ :=]*(?P<b>{_OLD})\b(?![ ]*(?:%|mg|kg|days|weeks|months)|[./]\d)"
    rf"|\b(?:i am|i['’]m|he is|she is|he['’]s|she['’]s|(?:mother|father|grandmother|"
    rf"grandfather|grandma|grandpa|mom|dad|aunt|uncle|husband|wife|patient) (?:is|was)(?: "
    rf"now| already| almost| nearly)?|who is|who['’]s)[ ]+(?P<c>{_OLD})(?=[ ]*(?:,|\.(?!\d)|"
    rf";|and\b|now\b|but\b|with\b|years\b(?!\s*old)|$))"
    rf"|(?<![\w./-])(?P<d>9\d|10\d)(?-i:(?=M\b| M\b with| F (?:with|w/) (?:h/o|hx|history|"
    rf"PMH|past)))",
    re.IGNORECASE,
)
_OLD_NUMBERS = frozenset(map(str, range(90, 126)))
_OLD_WORDS = frozenset(("ninety", "hundred"))


class DateRecognizer(SpanRecognizer):
    """Each month's name is looked at with what stands around it; numeric dates by their shape.

    A weekday, "yesterday", a season and a year alone stay.
    """

    TYPES = (PhiType.DATE,)

    def spans(self, text: str, clues: Clues) -> Iterator[Found]:
        """Dates in ``text``."""
        months = clues.words & _MONTH_WORDS
        if months and (months != {"may"} or _may_be_a_month(text)):
            for match in _MONTH.finditer(text):
                found = self._around(text, match)
                if found:
                    yield *found, PhiType.DATE
        if clues.most > 2:
            for match in _NUMERIC.finditer(text):
                if _possible(match[0]):
                    yield match.start(), match.end(), PhiType.DATE
        for words, pattern in ((_BEFORE_SHORT, _SHORT), (_BEFORE_BIRTH, _BIRTH)):
            if clues.most > 1 and not words.isdisjoint(clues.words):
                for match in pattern.finditer(text):
                    yield *match.span("date"), PhiType.DATE
        if clues.numbers and not _WEEKDAYS.isdisjoint(clues.words):
            for match in _WEEKDAY_NTH.finditer(text):
                yield match.start(), match.end(), PhiType.DATE
        if not _HOLIDAY_WORDS.isdisjoint(clues.words):
            for match in _HOLIDAY.finditer(text):
                group = "day" if match["day"] else 0
                yield *match.span(group), PhiType.DATE

    def _around(self, text: str, match: re.Match[str]) -> tuple[int, int] | None:
        """The date that a month's name is part of, or None when it is no date."""
        word = match[0]
        lowered = word.casefold()
        full = lowered in MONTH_NAMES and lowered not in ("may", "march")
        # "may", "march", "mar" and "dec" are also words, "OCT" a scan: they must show a capital or
        # stand in an unmistakable date.
        sure = full or word.istitle()
        start, end = match.span()
        before = _DAY_BEFORE.search(text, max(0, start - 30), start)
        year_before = _YEAR_BEFORE.search(text, max(0, start - 6), start)
        after = _DAY_AFTER.match(text, end)
        if after and not after["year"] and _QUANTITY.match(text, after.end()):
            after = None
        year = _YEAR_AFTER.match(text, end)
        if before and (sure or before["nth"] or year or before["all"].endswith(("-", "/"))):
            if lowered == "may" and word == "may" and not (before["nth"] or year):
                return None
            return before.start("all"), year.end() if year else end
        if year_before:
            return year_before.start("all"), after.end("day") if after else end
        if (
            after
            and not (year and year.end() > after.end())
            and (sure or after["nth"] or after["year"])
        ):
            weekday = _WEEKDAY_BEFORE.search(text, max(0, start - 12), start)
            return weekday.start() if weekday else start, after.end()
        if year:
            return start, year.end()
        spoken = _SPOKEN_AFTER.match(text, end) if sure else None
        spoken_before = _SPOKEN_BEFORE.search(text, max(0, start - 30), start) if sure else None
        if spoken or spoken_before:
            return (
                spoken_before.start() if spoken_before else start,
                spoken.end() if spoken else end,
            )
        if full and (word[0].isupper() or _NEAR.search(text, max(0, start - 14), start)):
            if lowered not in ("april", "june", "august") or _NEAR.search(
                text, max(0, start - 14), start
            ):
                return start, end
        elif lowered in ("may", "march") and _NEAR.search(text, max(0, start - 14), start):
            this = text[:start].rstrip().casefold().endswith(("this", "and", "to", "that", "it"))
            if word[0].isupper() or (
                not this and re.match(r"[.,;!?]|$", text[end : end + 1] or "")
            ):
                return start, end
        return None


class AgeRecognizer(SpanRecognizer):
    """Ages of 90 and more, in digits or words."""

    TYPES = (PhiType.AGE,)
    SCORE = 0.9

    def spans(self, text: str, clues: Clues) -> Iterator[Found]:
        """Ages over 89 in ``text``; never the words "90 or older"."""
        if _OLD_NUMBERS.isdisjoint(clues.numbers) and _OLD_WORDS.isdisjoint(clues.words):
            return
        for match in _AGE.finditer(text):
            group = match.lastgroup
            assert group
            if text[match.end(group) :].startswith(" or older"):
                continue
            yield match.start(group), match.end(group), PhiType.AGE


def _may_be_a_month(text: str) -> bool:
    """Whether "may", the only month's name in the text, stands where the month would."""
    return _MAY.search(text) is not None


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
