"""Dates finer than a year (45 CFR 164.514(b)(2)(i)(C))."""

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
_SMALL = "one|two|three|four|five|six|seven|eight|nine"
_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_TEENS = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
_YEAR_SPOKEN = (
    rf"(?:two thousand|nineteen|twenty|eighteen)(?:[ ](?:hundred[ ])?(?:and[ ])?(?:oh[- ])?"
    rf"(?:(?:{_TENS})(?:[- ](?:{_SMALL}))?|{_TEENS}|{_SMALL}))?"
)
_CARDINAL = rf"(?:(?:twenty|thirty)[- ](?:{_SMALL})|{_TEENS}|twenty|thirty|{_SMALL})"
_SPOKEN_AFTER = re.compile(
    rf",?[ ](?:the[ ])?(?:{_ORDINAL}|{_CARDINAL})\b(?:,?[ ](?:of[ ])?{_YEAR_SPOKEN}\b|"
    r",?[ ](?:19|20)\d\d\b)?(?!-)",
    re.IGNORECASE,
)
_MONTH_YEAR_SPOKEN = re.compile(
    rf",?[ ](?:of[ ])?(?:two thousand|nineteen|twenty)[ ](?:hundred[ ])?(?:and[ ])?(?:oh[- ])?"
    rf"(?:(?:{_TENS})(?:[- ](?:{_SMALL}))?|{_TEENS}|{_SMALL})\b",
    re.IGNORECASE,
)
_SPOKEN_BEFORE = re.compile(rf"\b(?:the[ ])?(?:{_ORDINAL})[ ](?:of[ ])?$", re.IGNORECASE)
_RANGE = re.compile(
    rf"[ ]*(?:-|–|—|to|thru|through|until|&|and|/)[ ]*(?:the[ ])?{_DAY}(?:st|nd|rd|th)?\b"
    r"(?![./:%-]?\d|[ ]*(?:%|[a-z]+[ ]of\b|mg|ml|times|years?|days?|weeks?|hours?|months?|am|pm))"
    r"(?:,?[ ](?:of[ ])?(?:19|20)\d\d\b)?",
    re.IGNORECASE,
)
_RANGE_BEFORE = re.compile(
    rf"(?<![\w./-]){_DAY}(?:st|nd|rd|th)?[ ]*(?:-|–|—|to|thru|through|&|and)[ ]*$", re.IGNORECASE
)
_COMPACT = re.compile(
    r"(?<![^\W_])(?:0?[1-9]|[12]\d|3[01])(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    r"(?:(?:19|20)?\d\d)?(?![^\W_])",
    re.IGNORECASE,
)
_QUARTER = re.compile(
    r"\bQ[1-4][ ,/-]{0,2}(?:of )?(?:(?:19|20)\d\d|['’]\d\d)\b|\b(?:(?:first|second|third|fourth|"
    r"last|"
    r"1st|2nd|3rd|4th) quarter|(?:first|second|latter) half|(?:beginning|end|middle)) of "
    r"(?:19|20)\d\d\b|\b(?:19|20)\d\d[ -]?Q[1-4]\b",
    re.IGNORECASE,
)
_QUARTER_WORDS = word_set("q quarter half beginning end middle")
_BIRTH_YEAR = re.compile(
    r"\b(?:born|birth(?:[ ]?year)?|b\.|yob|dob|née?)(?:[ ]*(?:[:=|]|on|in|of|is|was|about|around|"
    r"circa|ca?\.|back|year|the))*[ ]*(?P<year>18\d\d|19[0-2]\d|193[0-6])\b(?![-/.]\d)",
    re.IGNORECASE,
)
"""Who was born before 1937 is over 89 in 2026: such a year tells the age."""
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
    r"through|between|and|to|past|month of|beginning of|end of|middle of|this|on|done|starts?|"
    r"for|due|as of|\d:)[ -]+)$",
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
_PLAIN_SHORT = word_set("jan feb apr jun jul aug sept sep oct nov dec") | frozenset(
    set(MONTH_NAMES) - {"may", "march"}
)
_WEEKDAYS = word_set("monday tuesday wednesday thursday friday saturday sunday month")
_BEFORE_BIRTH = word_set("dob birth born birthdate birthyear b yob nee née")
_MAY = re.compile(
    r"\bMay\b|\d(?:st|nd|rd|th)?(?: of)?[ /-]may\b|\bmay[ /-]\d|\b(?:in|since|last|next|"
    r"until|by|from|of|mid) may\b"
)


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
        if clues.most > 1:
            if "/" in text and _SLASHED.search(text):
                yield from self._short(text)
            if not _BEFORE_BIRTH.isdisjoint(clues.words):
                for pattern, group in ((_BIRTH, "date"), (_BIRTH_YEAR, "year")):
                    for match in pattern.finditer(text):
                        yield *match.span(group), PhiType.DATE
        if clues.mixed or (clues.numbers and "_" in text):
            for match in _COMPACT.finditer(text):
                yield match.start(), match.end(), PhiType.DATE
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
            first = _RANGE_BEFORE.search(
                text, max(0, before.start("all") - 12), before.start("all")
            )
            start = first.start() if first else before.start("all")
            if lowered in ("may", "march") and "." in text[start : match.start()] and not year:
                return None
            return start, year.end() if year else end
        if year_before:
            return year_before.start("all"), after.end("day") if after else end
        if (
            after
            and not (year and year.end() > after.end())
            and (
                sure
                or after["nth"]
                or after["year"]
                or lowered in _PLAIN_SHORT
                or (word.isupper() and text.isupper())
                or _NEAR.search(text, max(0, start - 14), start)
            )
        ):
            weekday = _WEEKDAY_BEFORE.search(text, max(0, start - 12), start)
            end = after.end()
            more = _RANGE.match(text, end) if not after["year"] else None
            return weekday.start() if weekday else start, more.end() if more else end
        if year:
            return start, year.end()
        listed = full or (word.islower() and lowered in _PLAIN_SHORT)
        spoken = None
        if sure or listed:
            spoken = _MONTH_YEAR_SPOKEN.match(text, end) or _SPOKEN_AFTER.match(text, end)
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
