"""Dates moved by whole weeks, all of a dialogue alike, in the form they were written in."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from random import Random

from medllm.pipeline.privacy.surrogates.people import in_case_of

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_SMALL_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth",
    "eighteenth", "nineteenth", "twentieth",
)  # fmt: skip
_ORDINALS = (
    *_SMALL_ORDINALS,
    *(f"twenty {word}" for word in _SMALL_ORDINALS[:9]),
    "thirtieth",
    "thirty first",
)
_HOLIDAYS = {
    "christmas eve": (12, 24), "christmas": (12, 25), "xmas": (12, 25), "boxing": (12, 26),
    "eve": (12, 31), "new year": (1, 1), "valentine": (2, 14), "juneteenth": (6, 19),
    "independence": (7, 4), "halloween": (10, 31), "veterans": (11, 11), "thanksgiving": (11, 26),
    "columbus": (10, 12), "labor": (9, 4), "memorial": (5, 29), "mother": (5, 12),
    "father": (6, 16), "easter": (4, 12), "friday": (4, 10), "passover": (4, 10),
    "labour": (9, 4), "luther": (1, 18), "mlk": (1, 18), "president": (2, 16), "canada": (7, 1),
    "australia": (1, 26), "anzac": (4, 25), "patrick": (3, 17), "groundhog": (2, 2),
    "flag": (6, 14), "cinco": (5, 5), "wednesday": (3, 1), "mardi": (2, 17), "kippur": (9, 28),
    "hashanah": (9, 18), "ramadan": (4, 1), "purim": (3, 10), "sukkot": (10, 1),
    "kwanzaa": (12, 26), "navratri": (10, 5), "dussehra": (10, 12), "onam": (8, 30),
    "pongal": (1, 14), "bonfire": (11, 5), "fawkes": (11, 5), "bank": (8, 28),
    "spring": (4, 15), "summer": (7, 15), "fall": (10, 15), "autumn": (10, 15),
    "winter": (1, 15), "diwali": (11, 1), "hanukkah": (12, 15), "holi": (3, 20), "eid": (4, 21),
}  # fmt: skip
_MONTH = re.compile(
    r"(?<![^\W\d_])(?:" + "|".join(f"{m[:3]}(?:{m[3:]})?" for m in _MONTHS) + r"|sept)(?![^\W\d_])",
    re.IGNORECASE,
)
_SPOKEN = re.compile(
    r"\b(?:" + "|".join(reversed([o.replace(" ", "[- ]") for o in _ORDINALS])) + r")\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+")
_LEAST_WEEKS, _MOST_WEEKS = 6, 26
_NO_YEAR = 2001


class Shift:
    """One offset for all dates of a dialogue, so that intervals and weekdays stay.

    The offset is 6 to 26 weeks either way and no multiple of four weeks: so a month's name and the
    day of a month always change. Without a year, day and month move through the year 2001.
    """

    def __init__(self, dates: Iterable[str], rng: Random) -> None:
        """``dates``: all of the dialogue; they tell whether the day or the month stands first."""
        weeks = rng.choice([n for n in range(_LEAST_WEEKS, _MOST_WEEKS + 1) if n % 4])
        self.days = 7 * weeks * rng.choice((-1, 1))
        self._day_first = any(_shows_day_first(date) for date in dates)
        self._rng = rng

    def move(self, text: str) -> str:
        """The date ``text``, moved. What is no possible date gets other digits."""
        date, tail = (
            (text[: text.index("T")], text[text.index("T") :]) if _iso(text) else (text, "")
        )
        moved = self._spoken(date) if _MONTH.search(date) else self._numeric(date)
        return (moved or self._holiday(date) or self._scrambled(date)) + tail

    # ---- by form -----------------------------------------------------------------------------

    def _spoken(self, text: str) -> str | None:
        """With the month's name: "March 3rd, 2021", "3 Mar '21", "December fifth", "June"."""
        month = _MONTH.search(text)
        assert month
        spoken = _SPOKEN.search(text)
        numbers = list(_NUMBER.finditer(text))
        year = next((n for n in numbers if len(n[0]) == 4 or text[n.start() - 1] in "'’"), None)
        day = next((n for n in numbers if len(n[0]) < 3 and n is not year), None)
        if year is None and len(numbers) == 2:
            day, year = numbers
        if day is None and spoken:
            day = spoken
        number = _ordinal(day[0]) if day is spoken and day else int(day[0]) if day else 15
        moved = self._moved(_full_year(year[0]) if year else None, _month_of(month[0]), number)
        if moved is None:
            return None
        edits = [(month.span(), _month_like(month[0], moved.month))]
        if day is not None:
            edits.append((day.span(), _day_like(day[0], moved.day)))
        if year is not None:
            edits.append((year.span(), f"{moved.year:04d}"[-len(year[0]) :]))
        new = text
        for (start, end), value in sorted(edits, reverse=True):
            new = new[:start] + value + new[end:]
        return _right_endings(new)

    def _numeric(self, text: str) -> str | None:
        """ "12/03/2019", "2020-04-01", "03/2008", "3/15", "19850412", "the 5th"."""
        found = list(_NUMBER.finditer(text))
        values = [match[0] for match in found]
        if len(values) == 1 and len(values[0]) == 8:
            return self._eight(values[0])
        if len(values) == 1 and len(values[0]) < 3 and _HOLIDAY_WORD.search(text) is None:
            day = (int(values[0]) - 1 + self.days) % 28 + 1
            return _right_endings(text[: found[0].start()] + str(day) + text[found[0].end() :])
        order = self._order(text, values)
        if order is None:
            return None
        parts = dict(zip(order, values, strict=True))
        year = _full_year(parts["y"]) if "y" in parts else None
        moved = self._moved(year, int(parts["m"]), int(parts.get("d", 15)))
        if moved is None:
            return None
        numbers = {"y": moved.year, "m": moved.month, "d": moved.day}
        two_digits = all(len(value) > 1 for value in values)
        new = text
        for match, part in reversed(list(zip(found, order, strict=True))):
            if part == "y":
                value = f"{numbers[part]:04d}"[-len(match[0]) :]
            else:
                value = f"{numbers[part]:02d}" if two_digits else str(numbers[part])
            new = new[: match.start()] + value + new[match.end() :]
        return new

    def _order(self, text: str, values: list[str]) -> str | None:
        if len(values) == 3 and len(values[0]) == 4:
            return "ymd"
        if len(values) == 2 and len(values[1]) == 4:
            return "my"
        if len(values) not in (2, 3):
            return None
        first, second = int(values[0]), int(values[1])
        day_first = first > 12 or (second <= 12 and (self._day_first or "." in text))
        return ("dm" if day_first else "md") + "y" * (len(values) - 2)

    def _eight(self, digits: str) -> str | None:
        year_first = digits[:2] in ("19", "20")
        year, rest = (digits[:4], digits[4:]) if year_first else (digits[4:], digits[:4])
        moved = self._moved(int(year), int(rest[:2]), int(rest[2:]))
        if moved is None:
            return None
        day = f"{moved.month:02d}{moved.day:02d}"
        return f"{moved.year:04d}{day}" if year_first else f"{day}{moved.year:04d}"

    def _holiday(self, text: str) -> str | None:
        lowered = text.casefold()
        for word, (month, day) in _HOLIDAYS.items():
            if word in lowered:
                year = _NUMBER.search(text.removeprefix("4th"))
                moved = self._moved(_full_year(year[0]) if year else None, month, day)
                assert moved
                written = f"{_MONTHS[moved.month - 1]} {moved.day}"
                return f"{written}, {moved.year}" if year else written
        return None

    def _moved(self, year: int | None, month: int, day: int) -> datetime.date | None:
        leap = month == 2 and day == 29 and year is None
        try:
            date = datetime.date(year or (2004 if leap else _NO_YEAR), month, day)
            return date + datetime.timedelta(days=self.days)
        except (ValueError, OverflowError):
            return None

    def _scrambled(self, text: str) -> str:
        """Other digits, never the same."""
        return _NUMBER.sub(
            lambda m: "".join(self._rng.choice([d for d in "123456789" if d != c]) for c in m[0]),
            text,
        )


_HOLIDAY_WORD = re.compile("|".join(_HOLIDAYS), re.IGNORECASE)
_ENDING = re.compile(r"(\d+)(st|nd|rd|th)\b", re.IGNORECASE)


def _iso(text: str) -> bool:
    return re.match(r"\d{4}-\d\d?-\d\d?T\d", text) is not None


def _shows_day_first(date: str) -> bool:
    values = _NUMBER.findall(date)
    if len(values) < 2 or len(values[0]) > 2 or len(values[1]) > 2 or _MONTH.search(date):
        return False
    return int(values[0]) > 12 >= int(values[1])


def _full_year(digits: str) -> int:
    """Four digits; two belong to the hundred years up to 2029."""
    number = int(digits)
    return number if len(digits) == 4 else number + (2000 if number < 30 else 1900)


def _month_of(word: str) -> int:
    return [month[:3].casefold() for month in _MONTHS].index(word[:3].casefold()) + 1


def _month_like(word: str, month: int) -> str:
    name = _MONTHS[month - 1]
    whole = len(word) > 4 or word.casefold() in ("may", "june", "july")
    return in_case_of(word, name if whole else name[:3])


def _ordinal(words: str) -> int:
    return _ORDINALS.index(words.casefold().replace("-", " ")) + 1


def _day_like(word: str, day: int) -> str:
    if not word.isdigit():
        return in_case_of(word, _ORDINALS[day - 1])
    return f"{day:02d}" if word.startswith("0") else str(day)


def _right_endings(text: str) -> str:
    """1st, 2nd, 3rd, 4th, 11th."""

    def ending(match: re.Match[str]) -> str:
        number = int(match[1])
        teens = number % 100 in (11, 12, 13)
        return match[1] + ("th" if teens else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th"))

    return _ENDING.sub(ending, text)
