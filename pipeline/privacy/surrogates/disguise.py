"""The surrogates of one dialogue: a function of the seed and the dialogue's own text alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from random import Random

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.surrogates.dates import Shift
from medllm.pipeline.privacy.surrogates.people import People, in_case_of
from medllm.pipeline.privacy.surrogates.pools import (
    IPV4_NETWORKS,
    IPV6_NETWORK,
    MAIL_DOMAIN,
    OLD,
    TOWNS,
)

_STREET_TYPE = re.compile(
    r"\b(street|st|avenue|ave|road|rd|lane|ln|drive|dr|court|ct|boulevard|blvd|way|place|pl|terrace|"
    r"circle|highway|parkway|square|trail|close|crescent|row|gardens|grove)\b(\.?)",
    re.IGNORECASE,
)
_UNIT = re.compile(r"\b(?:apt|apartment|suite|ste|unit|flat|floor|room|rm|box)\b|#", re.IGNORECASE)
_CARE = re.compile(
    r"\b(?:(?:medical|health|surgery|surgical|cancer|care|nursing|rehabilitation) "
    r"(?:cent(?:er|re)|college|home|system|services|group)|hospitals?|clinics?|infirmary|hospice|"
    r"pharmacy|laborator(?:y|ies)|diagnostics|dispensary|healthcare)\b",
    re.IGNORECASE,
)
_EXTENSION = re.compile(r",?[ ]?(?:x|ext\.?|extension)[ ]?\d{1,6}$", re.IGNORECASE)
_TRIES = 100


class Disguise:
    """Gives each original one replacement, never the original itself nor another original."""

    def __init__(
        self,
        seed: int,
        texts: Sequence[str],
        found: Sequence[tuple[PhiType, str]],
        flags: Mapping[str, int],
    ) -> None:
        """``found``: type and original of every span of ``texts``, in order of occurrence."""
        self._rng = Random(_digest(seed, texts))
        self._originals = {original.casefold() for _, original in found}
        taken = {word for text in texts for word in re.findall(r"[^\W\d_]+", text.casefold())}
        self._taken = taken
        self._people = People([o for t, o in found if t is PhiType.NAME], flags, taken, self._rng)
        self._dates = self._shift([o for t, o in found if t is PhiType.DATE])
        self._given: dict[tuple[PhiType, str], str] = {}
        self._used: set[str] = set()
        self._makers: dict[PhiType, Callable[[str], str]] = {
            PhiType.HOSPITAL: self._hospital,
            PhiType.STREET: self._street,
            PhiType.CITY: self._city,
            PhiType.ZIP: self._zip,
            PhiType.PHONE: self._phone,
            PhiType.FAX: self._phone,
            PhiType.EMAIL: self._email,
            PhiType.SSN: self._ssn,
            PhiType.URL: self._url,
            PhiType.IP: self._ip,
            PhiType.USERNAME: self._user,
        }

    def _shift(self, dates: Sequence[str]) -> Shift:
        """An offset that moves no date of the dialogue onto another of its dates."""
        for _ in range(_TRIES):
            shift = Shift(dates, self._rng)
            if self._originals.isdisjoint(shift.move(date).casefold() for date in dates):
                break
        return shift

    def replacement(self, type_: PhiType, original: str) -> str:
        """What stands in for ``original``; the same each time."""
        if type_ is PhiType.NAME:
            return self._people.substitute(original)
        if type_ is PhiType.DATE:
            return self._dates.move(original)
        if type_ is PhiType.AGE:
            return OLD
        key = type_, original.casefold()
        if key not in self._given:
            make = self._makers.get(type_, self._number)
            for _ in range(_TRIES):
                value = make(original)
                folded = value.casefold()
                if folded not in self._originals and folded not in self._used:
                    break
            self._used.add(value.casefold())
            self._given[key] = value
        return self._given[key]

    # ---- one maker a type ----------------------------------------------------------------------

    def _number(self, original: str) -> str:
        """The same shape; the first two digits are zeros, which real numbers do not begin with."""
        digits = 0

        def other(match: re.Match[str]) -> str:
            nonlocal digits
            char = match[0]
            if char.isdigit():
                digits += 1
                return "0" if digits < 3 else str(self._rng.randrange(10))
            return in_case_of(char, self._rng.choice("ABCDEFGHJKMNPRTUVWXY"))

        return re.sub(r"\d|[^\W\d_]", other, original)

    def _digits_into(self, shape: str, digits: str) -> str:
        """``shape`` with its digits replaced, in order."""
        values = iter(digits)
        return re.sub(r"\d", lambda match: next(values), shape)

    def _phone(self, original: str) -> str:
        extension = _EXTENSION.search(original)
        number = original[: extension.start()] if extension else original
        tail = self._digits_any(extension[0]) if extension else ""
        line = f"55501{self._rng.randrange(100):02d}"
        area = f"{self._rng.randrange(2, 9)}{self._rng.randrange(10)}{self._rng.randrange(2, 9)}"
        count = sum(char.isdigit() for char in number)
        # Only shapes of the North American plan hold the fictional range as it is read there.
        if count == 7 and re.search(r"\d{3}\D?\d{4}$", number):
            return self._digits_into(number, line) + tail
        if count == 10 and re.search(r"\d{3}\D{0,3}\d{3}\D?\d{4}$", number):
            return self._digits_into(number, area + line) + tail
        if count == 11 and re.search(r"1\D{0,2}\d{3}\D{0,3}\d{3}\D?\d{4}$", number):
            return self._digits_into(number, "1" + area + line) + tail
        return f"{area}-{line[:3]}-{line[3:]}{tail}"

    def _digits_any(self, text: str) -> str:
        return re.sub(r"\d", lambda match: str(self._rng.randrange(10)), text)

    def _ssn(self, original: str) -> str:
        count = sum(char.isdigit() for char in original)
        if count < 9:
            return self._number(original)
        rest = f"{self._rng.randrange(1, 100):02d}{self._rng.randrange(1, 10_000):04d}"
        return self._digits_into(original, "000" + rest + "0" * (count - 9))

    def _zip(self, original: str) -> str:
        count = sum(char.isdigit() for char in original)
        if count < 5:
            return self._number(original)
        digits = f"00{self._rng.randrange(5)}{self._rng.randrange(10 ** (count - 3)):0{count - 3}d}"
        return self._digits_into(original, digits)

    def _email(self, original: str) -> str:
        words = [self._people.known(w) for w in re.findall(r"[^\W\d_]+", original.split("@")[0])]
        known = [word for word in words if word]
        name = ".".join(known or self._people.invented()).lower()
        if f"{name}@{MAIL_DOMAIN}" in self._used:
            name += f"{self._rng.randrange(1000)}"
        return f"{name}@{MAIL_DOMAIN}"

    def _url(self, original: str) -> str:
        page = "".join(self._rng.choice("bcdfghjklmnprstvw") for _ in range(6))
        start = re.match(r"(?:https?://)?(?:www\.)?", original, re.IGNORECASE)
        return f"{start[0].lower() if start else ''}{MAIL_DOMAIN}/{page}"

    def _ip(self, original: str) -> str:
        if ":" in original:
            return f"{IPV6_NETWORK}{self._rng.randrange(1, 65536):x}"
        return f"{self._rng.choice(IPV4_NETWORKS)}{self._rng.randrange(1, 255)}"

    def _user(self, original: str) -> str:
        return f"{'@' if original.startswith('@') else ''}user00{self._rng.randrange(10_000):04d}"

    def _town(self) -> str:
        free = [town for town in TOWNS if town.casefold() not in self._taken | self._used]
        return self._rng.choice(free or TOWNS)

    def _city(self, original: str) -> str:
        return in_case_of(original, self._town())

    def _hospital(self, original: str) -> str:
        kind = _CARE.search(original)
        return f"{in_case_of(original, self._town())} {kind[0] if kind else 'Hospital'}"

    def _street(self, original: str) -> str:
        kind = _STREET_TYPE.search(original)
        unit = _UNIT.search(original, kind.end() if kind else 0)
        if not kind and unit:
            return original[: unit.end()] + self._number(original[unit.end() :])
        number = re.match(r"\d[\w-]*", original)
        house = f"{self._digits_any(number[0]).lstrip('0') or 7} " if number else ""
        last = original[kind.start() : kind.end()] if kind else "Road"
        behind = ""
        if kind and unit:
            behind = original[kind.end() : unit.end()] + self._number(original[unit.end() :])
        name = in_case_of(original.lstrip("0123456789-, ") or "A", self._town())
        return f"{house}{name} {last}{behind}"


def _digest(seed: int, texts: Sequence[str]) -> int:
    hasher = hashlib.blake2b(digest_size=16)
    for part in (str(seed), *texts):
        data = part.encode("utf-8", "surrogatepass")
        hasher.update(len(data).to_bytes(8, "big") + data)
    return int.from_bytes(hasher.digest(), "big")
