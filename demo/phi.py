"""Invented personal data, planted so that a privacy stage has something to find.

Nobody is meant: the names are made up, telephone numbers lie in 555-0100 to 555-0199, e-mail
addresses at example.org, and the ZIP codes begin with 00.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from demo.consultations import Dialogue

FIRST = ("Robin", "Jordan", "Morgan", "Alexis", "Taylor", "Jamie", "Casey", "Rowan", "Sasha",
         "Noor", "Remy", "Quinn")  # fmt: skip
LAST = ("Farnsworthy", "Quillmore", "Brackenridge", "Tolliver", "Ashdowne", "Pemberlow",
        "Vandermeer", "Okonjowa", "Lindqvister", "Marchbankes", "Delacroy",
        "Hartwhistle")  # fmt: skip
STREETS = ("Larkspur Lane", "Quarry Road", "Juniper Street", "Old Mill Way", "Heron Court")
TOWNS = ("Fernhollow", "Brindlewick", "Tarnby", "Stonemarsh")
MONTHS = ("January", "February", "March", "April", "June", "August", "September", "November")


@dataclass(frozen=True)
class Planted:
    """One planted value and its type."""

    type: str
    value: str


def plant(dialogue: Dialogue, number: int, rng: Random) -> tuple[Dialogue, list[Planted]]:
    """Add one or two sentences with personal data; ``number`` picks which.

    Most stand at the end of the patient's first message; every fourth dialogue also names the
    patient and the doctor in the doctor's last words.
    """
    first, last = rng.choice(FIRST), rng.choice(LAST)
    name = Planted("name", f"{first} {last}")
    phone = Planted("phone", _phone(rng))
    record = Planted("mrn", f"{rng.randrange(10_000_000):08d}")
    seen = Planted("date", _date(rng))
    house = (
        f"{rng.randint(2, 98)} {rng.choice(STREETS)}, {rng.choice(TOWNS)} 00{rng.randint(100, 999)}"
    )
    address = Planted("address", house)
    mail = Planted("email", f"{first.lower()}.{last.lower()}@example.org")
    shapes = (
        (f"My name is {name.value} and my number is {phone.value}.", [name, phone]),
        (f"You can write to me at {mail.value}.", [mail]),
        (
            f"My hospital number is MRN {record.value}; I was last there on {seen.value}.",
            [record, seen],
        ),
        (f"I live at {address.value}.", [address]),
        (
            f"My name is {name.value}. Please call {phone.value} or write to {mail.value}.",
            [name, phone, mail],
        ),
        (f"My last check was on {seen.value}. Regards, {name.value}", [seen, name]),
    )
    sentence, planted = shapes[number % len(shapes)]
    dialogue = dialogue.with_turn(0, f"{dialogue.turns[0].text} {sentence}")
    if number % 4 == 0:
        doctor = Planted("name", f"{rng.choice(FIRST)} {rng.choice(LAST)}")
        end = len(dialogue.turns) - 1
        text = f"{dialogue.turns[end].text} Regards, Dr. {doctor.value}"
        dialogue, planted = dialogue.with_turn(end, text), [*planted, doctor]
    return dialogue, planted


def _phone(rng: Random) -> str:
    line = f"555-01{rng.randrange(100):02d}"
    return rng.choice((line, f"(312) {line}", f"+1 206-{line}"))


def _date(rng: Random) -> str:
    day, month, year = rng.randint(1, 28), rng.randrange(len(MONTHS)), rng.randint(2016, 2024)
    return rng.choice(
        (
            f"{day} {MONTHS[month]} {year}",
            f"{MONTHS[month]} {day}, {year}",
            f"{month + 1:02d}/{day:02d}/{year}",
        )
    )
