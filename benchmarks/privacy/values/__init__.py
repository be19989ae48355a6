"""What a set draws from: one module a set, so that no name and no place stands in both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from benchmarks.privacy.people import Origin, Person


@dataclass(frozen=True)
class Values:
    """The lists and shapes of one set."""

    origins: Sequence[Origin]
    towns: Sequence[tuple[str, ...]]  # town, state, first three digits of a ZIP code, county
    house_styles: Sequence[str]  # dates: what a note's author uses throughout
    no_year: Sequence[str]  # and where the year goes without saying
    handle: Callable[[Random, Person], str]
    email: Callable[[Random, Person], str]
    slots: dict[str, tuple[str, Callable[[Random], str]]]  # slot: entity type, maker


def one_of(values: Sequence[str]) -> Callable[[Random], str]:
    """A maker that picks from a list."""
    return lambda rng: rng.choice(values)


def one_shape(*shapes: str) -> Callable[[Random], str]:
    """A maker that picks a shape and fills it, see ``numbers.shaped``."""
    from benchmarks.privacy.numbers import shaped

    return lambda rng: shaped(rng, rng.choice(shapes))
