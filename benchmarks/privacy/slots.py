"""What a slot of a template stands for: one invented case, drawn before its note is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from benchmarks.privacy import dates, numbers, people
from benchmarks.privacy.values import Values

_PERSONS = {
    "pt": "PATIENT", "pt2": "PATIENT",
    "rel": "RELATIVE", "rel2": "RELATIVE", "kin": "RELATIVE", "kin2": "RELATIVE",
    "doc": "CLINICIAN", "doc2": "CLINICIAN", "nur": "CLINICIAN", "kindoc": "CLINICIAN",
}  # fmt: skip
_DATES = {"dob", "d0", "d1", "d2", "d3", "p0", "p1", "p2"}
_RELATIONS = {True: ("wife", "daughter", "sister", "niece"), False: ("husband", "son", "brother")}
_MEN = {"he": "he", "his": "his", "him": "him", "He": "He", "His": "His", "Him": "Him",
        "man": "man", "male": "male", "M": "M", "Mr": "Mr."}  # fmt: skip
_WOMEN = {"he": "she", "his": "her", "him": "her", "He": "She", "His": "Her", "Him": "Her",
          "man": "woman", "male": "female", "M": "F", "Mr": "Ms."}  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """Some characters of a note: personal data if ``type`` is set."""

    text: str
    type: str = ""
    negative: bool = False


@dataclass
class Case:
    """A patient with family, clinicians, a home and a timeline; values stay once drawn."""

    rng: Random
    values: Values
    people: dict[str, people.Person]
    days: dict[str, date]
    age: int
    towns: tuple[tuple[str, ...], tuple[str, ...]]
    house_style: str
    no_year: str
    drawn: dict[str, str] = field(default_factory=dict)

    @classmethod
    def draw(cls, rng: Random, options: dict[str, str], values: Values) -> Case:
        """A case that obeys the options of a template."""
        who: dict[str, people.Person] = {}
        for slot in _PERSONS:
            asked = options.get("sex" if slot == "pt" else slot)
            family = who.get("pt") if slot in ("rel", "kin") else None
            person = people.draw(
                rng, values.origins, {"f": True, "m": False, None: None}[asked], family
            )
            while person.first in {other.first for other in who.values()}:
                person = people.draw(rng, values.origins, person.woman, family)
            who[slot] = person
        low, high = (int(edge) for edge in options.get("age", "20-90").split("-"))
        age = rng.randint(low, high)
        if high >= 95 and rng.random() < 0.25:
            age = rng.randint(90, high)
        d0 = dates.random_day(rng, 2012, 2025)
        days = {"d0": d0, "dob": d0 - timedelta(round(age * 365.25) + rng.randint(5, 350))}
        for slot, low, high in (("d1", 1, 6), ("d2", 10, 60), ("d3", 70, 200), ("p0", -8, -1),
                                ("p1", -300, -20), ("p2", -3000, -800)):  # fmt: skip
            days[slot] = d0 + timedelta(rng.randint(low, high))
        home, away = rng.sample(values.towns, 2)
        styles = rng.choice(values.house_styles), rng.choice(values.no_year)
        return cls(rng, values, who, days, age, (home, away), *styles)

    def word(self, mark: str) -> str:
        """The pronoun or relation for an ``@`` mark."""
        if mark in ("rel", "kin"):
            key = f"@{mark}"
            if key not in self.drawn:
                self.drawn[key] = self.rng.choice(_RELATIONS[self.people[mark].woman])
            return self.drawn[key]
        if mark == "a":
            return "an" if dates.words(self.age).startswith(("eight", "eleven")) else "a"
        return (_WOMEN if self.people["pt"].woman else _MEN)[mark]

    def pieces(self, slot: str, style: str) -> list[Piece]:
        """The text of a slot; raises KeyError for a slot or style that does not exist."""
        style, _, case = (
            style.rpartition(".") if style.endswith((".low", ".up")) else (style, "", "")
        )
        if style in ("low", "up"):
            style, case = "", style
        pieces = self._plain(slot, style)
        if case:
            change = str.lower if case == "low" else str.upper
            pieces = [Piece(change(p.text), p.type, p.negative) for p in pieces]
        return pieces

    def _plain(self, slot: str, style: str) -> list[Piece]:
        if slot in _PERSONS:
            return [Piece(self._name(slot, style), _PERSONS[slot])]
        if slot in _DATES:
            return self._date(slot, style)
        if slot in ("age", "agew"):
            words = dates.words(self.age) if style == "w" or slot == "agew" else str(self.age)
            return [Piece(words, "AGE" if self.age >= 90 else "", self.age < 90)]
        if slot == "sex1":
            return [Piece(self.word("M"))]
        if slot in ("city", "st", "zip", "zip4", "county", "city2", "st2", "zip2"):
            return [self._place(slot)]
        if slot in ("email", "email2", "user"):
            return [self._online(slot, style)]
        if slot == "habbr":
            return [
                Piece(
                    _abbreviation(self._once("center", self.values.slots["center"][1])), "HOSPITAL"
                )
            ]
        kind, make = self.values.slots[slot]
        if style == "ext":
            return [Piece(self._once("ext", lambda rng: f"x{numbers.digits(rng, 4)}"), kind)]
        if style:
            raise KeyError(f"{slot}.{style}")
        return [Piece(self._once(slot, make), kind)]

    def _once(self, key: str, make: Callable[[Random], str]) -> str:
        if key not in self.drawn:
            self.drawn[key] = make(self.rng)
        return self.drawn[key]

    def _name(self, slot: str, style: str) -> str:
        person = self.people[slot]
        if style in ("lowfirst", "lowlast"):
            return person.written(style[3:]).lower()
        if style == "nick":
            return person.first[:3]
        if style == "spelled":
            return "-".join(c for c in person.last.upper() if c.isalpha())
        if not style:
            style = self._once(f"{slot}:style", lambda rng: rng.choice(("full", "full", "mid")))
        return person.written(style)

    def _date(self, slot: str, style: str) -> list[Piece]:
        day = self.days[slot]
        if style == "y90":
            return [Piece(str(day.year), "DATE" if self.age >= 90 else "", self.age < 90)]
        if style == "range":
            return self._range()
        if style in ("wd", "wdnd"):
            spelled = dates.written(day, "long" if style == "wd" else self.no_year)
            return [
                Piece(dates.WEEKDAYS[day.weekday()], "WEEKDAY"),
                Piece(", "),
                Piece(spelled, "DATE"),
            ]
        low = style.startswith("low")
        style = {"lowmd": "mdabbr", "lowm": "m", "lowlong": "long", "": self.house_style,
                 "nd": self.no_year}.get(style, style)  # fmt: skip
        text = dates.written(day, style)
        return [Piece(text.lower() if low else text, "DATE")]

    def _range(self) -> list[Piece]:
        first, last = self.days["d0"], self.days["d1"]
        joint = self.rng.choice(("-", " – ", " to ", " through "))
        if first.month == last.month and self.rng.random() < 0.4:
            text = f"{dates.written(first, 'mdlong')}-{last.day}, {last.year}"
            return [Piece(text, "DATE")]
        style = self.rng.choice(("md", "us", self.house_style))
        return [
            Piece(dates.written(first, style), "DATE"),
            Piece(joint),
            Piece(dates.written(last, style), "DATE"),
        ]

    def _place(self, slot: str) -> Piece:
        town, state, prefix, county = self.towns[slot.endswith("2")]
        slot = slot.rstrip("2")
        if slot.startswith("zip"):
            code = self._once(f"zip:{town}", lambda rng: f"{prefix}{rng.randint(1, 99):02d}")
            return Piece(f"{code}-{numbers.digits(self.rng, 4)}" if slot == "zip4" else code, "ZIP")
        if slot == "county":
            return Piece(county, "COUNTY")
        return Piece(town, "CITY") if slot == "city" else Piece(state)

    def _online(self, slot: str, style: str) -> Piece:
        person = self.people["doc" if slot == "email2" else "pt"]
        if slot == "user":
            return Piece(self._once(slot, lambda rng: self.values.handle(rng, person)), "USERNAME")
        address = self._once(slot, lambda rng: self.values.email(rng, person))
        if style == "spoken":
            address = (
                address.replace(".", " dot ").replace("@", " at ").replace("_", " underscore ")
            )
        return Piece(address, "EMAIL")


def _abbreviation(name: str) -> str:
    """The first letters: "KCMC" for Kettle Creek Medical Center."""
    return "".join(word[0] for word in name.split() if word[0].isupper())
