"""Invented persons, each put together by chance and meant for nobody, and ways to write a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

Origin = tuple[str, str, str]  # women's given names, men's given names, surnames


@dataclass(frozen=True)
class Person:
    """One invented person."""

    first: str
    last: str
    middle: str  # an initial
    woman: bool

    def written(self, style: str) -> str:
        """The name in one of the styles below; raises KeyError for another word."""
        return {
            "full": f"{self.first} {self.last}",
            "mid": f"{self.first} {self.middle}. {self.last}",
            "init": f"{self.first[0]}. {self.last}",
            "lf": f"{self.last}, {self.first}",
            "lfm": f"{self.last}, {self.first} {self.middle}",
            "LF": f"{self.last}, {self.first} {self.middle}".upper(),
            "first": self.first,
            "last": self.last,
            "initials": f"{self.first[0]}{self.middle}{self.last[0].upper()}",
            "ll": f"{self.first} {self.last[0].upper()}",  # "Kiki T", as people sign on forums
            "lldot": f"{self.first} {self.last[0].upper()}.",
            "ii": f"{self.first[0]}.{self.middle}. {self.last}",
            "li": f"{self.last} {self.first[0]}",
            "lidot": f"{self.last}, {self.first[0]}.",
            "Lf": f"{self.last.upper()}, {self.first}",
            "Lfirst": f"{self.last.upper()} {self.first}",
            "dots": f"{self.first[0]}.{self.last[0].upper()}.",
        }[style]


def draw(
    rng: Random, origins: Sequence[Origin], woman: bool | None = None, family: Person | None = None
) -> Person:
    """A person; with ``family``, more often than not one of the same surname."""
    woman = rng.random() < 0.5 if woman is None else woman
    women, men, lasts = rng.choice(origins)
    first = rng.choice((women if woman else men).split())
    last = rng.choice(lasts.split())
    if rng.random() < 0.25:  # families are mixed
        last = rng.choice(rng.choice(origins)[2].split())
    if family and rng.random() < 0.6:
        last = family.last
    spaced = last.replace("_", " ")
    return Person(first.replace("_", " "), spaced, rng.choice("ABCDEFGHJKLMNPRSTVW"), woman)
