"""Dates in the many ways people write them."""

from __future__ import annotations

from datetime import date
from random import Random

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
          "October", "November", "December")  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
         "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen",
         "eighteen", "nineteen")  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty",
         "ninety")  # fmt: skip
_ORDINALS = {1: "first", 2: "second", 3: "third", 5: "fifth", 8: "eighth", 9: "ninth",
             12: "twelfth", 20: "twentieth", 30: "thirtieth"}  # fmt: skip


def written(day: date, style: str) -> str:
    """``day`` in one of the styles; raises KeyError for another word."""
    d, m, y, name = day.day, day.month, day.year, MONTHS[day.month - 1]
    return {
        "us": f"{m:02d}/{d:02d}/{y}",
        "short": f"{m}/{d}/{y % 100:02d}",
        "iso": day.isoformat(),
        "long": f"{name} {d}, {y}",
        "dmy": f"{d} {name} {y}",
        "abbr": f"{name[:3]} {d}, {y}",
        "dash": f"{d:02d}-{name[:3]}-{y}",
        "dot": f"{d:02d}.{m:02d}.{y}",
        "usdash": f"{m:02d}-{d:02d}-{y}",
        "compact": f"{d:02d}{name[:3].upper()}{y % 100:02d}",
        "ord": f"{name} {ordinal_sign(d)}, {y}",
        "usu": f"{m}/{d}/{y}",
        "ymd": f"{y}/{m:02d}/{d:02d}",
        "dmyabbr": f"{d} {name[:3]} {y}",
        "shortdash": f"{m}-{d}-{y % 100:02d}",
        "abbrdot": f"{name[:3]}{'' if m == 5 else '.'} {d}, {y}",
        "DMY": f"{d:02d} {name[:3].upper()} {y}",
        "ordmy": f"{ordinal_sign(d)} {name} {y}",
        "ord2": f"{ordinal_sign(d)} of {name}, {y}",
        "myabbr": f"{name[:3]} {y}",
        "mdpad": f"{m:02d}/{d:02d}",
        "dmabbr": f"{d} {name[:3]}",
        "dm": f"{d} {name}",
        "md": f"{m}/{d}",
        "mdlong": f"{name} {d}",
        "mdord": f"{name} {ordinal_sign(d)}",
        "mdabbr": f"{name[:3]} {d}",
        "dmlong": f"{ordinal_sign(d)} of {name}",
        "my": f"{name} {y}",
        "mys": f"{m:02d}/{y}",
        "m": name,
        "spoken": f"{name} {ordinal_word(d)}, {year_words(y)}",
        "spokenmd": f"{name} {ordinal_word(d)}",
    }[style]


def ordinal_sign(number: int) -> str:
    """1 -> "1st"."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number in (11, 12, 13) else ending}"


def words(number: int) -> str:
    """0 to 119 in words."""
    if number >= 100:
        rest = f" and {words(number - 100)}" if number > 100 else ""
        return f"a hundred{rest}"
    if number < 20:
        return _ONES[number]
    return _TENS[number // 10] + (f"-{_ONES[number % 10]}" if number % 10 else "")


def ordinal_word(number: int) -> str:
    """1 to 31 as an ordinal in words."""
    if number in _ORDINALS:
        return _ORDINALS[number]
    if number > 20:
        return f"{_TENS[number // 10]}-{ordinal_word(number % 10)}"
    return f"{words(number)}th"


def year_words(year: int) -> str:
    """1952 -> "nineteen fifty-two", as a person who dictates says it."""
    if 2000 <= year < 2010:
        return "two thousand" + (f" {words(year - 2000)}" if year > 2000 else "")
    century, rest = divmod(year, 100)
    return f"{words(century)} {words(rest) if rest > 9 else 'oh ' + words(rest)}"


def random_day(rng: Random, first: int, last: int) -> date:
    """A day in the years ``first`` to ``last``."""
    return date(rng.randint(first, last), rng.randint(1, 12), rng.randint(1, 28))
