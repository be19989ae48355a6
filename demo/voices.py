"""Who speaks: ages, kinship and the small words that agree with them."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from demo.conditions import Condition

#: kin -> (sex, youngest, oldest): the ages at which a relation sounds natural.
KIN = {
    "husband": ("male", 28, 85),
    "wife": ("female", 28, 85),
    "father": ("male", 46, 85),
    "mother": ("female", 46, 85),
    "brother": ("male", 18, 70),
    "sister": ("female", 18, 70),
    "son": ("male", 18, 40),
    "daughter": ("female", 18, 40),
}


@dataclass(frozen=True)
class Person:
    """A patient, and the kin word a relative would use for them."""

    age: int
    sex: str
    kin: str

    @property
    def noun(self) -> str:
        """``man`` or ``woman``; every patient of the demo is an adult."""
        return "man" if self.sex == "male" else "woman"

    @property
    def he(self) -> str:
        """Subject pronoun."""
        return "he" if self.sex == "male" else "she"

    @property
    def aged(self) -> str:
        """``a 45-year-old`` with the article that is spoken before the number."""
        return f"{article(self.age)} {self.age}-year-old"

    def fill(self, text: str) -> str:
        """Put this person into a relative's sentence."""
        male = self.sex == "male"
        return text.format(
            Who=f"My {self.kin}",
            who=f"my {self.kin}",
            he=self.he,
            He=self.he.capitalize(),
            his="his" if male else "her",
            him="him" if male else "her",
        )


def neutral(text: str) -> str:
    """A relative's sentence without anyone in particular: "the person"."""
    person = "the person"
    return text.format(
        Who=capital(person),
        who=person,
        he=person,
        He=capital(person),
        his="the person's",
        him=person,
    )


def person_for(condition: Condition, rng: Random) -> Person:
    """Draw an adult of an age and sex that fit the condition."""
    age = rng.randint(*condition.ages)
    sex = rng.choice(("male", "female")) if condition.sex == "any" else condition.sex
    kin = [word for word, (of, low, high) in KIN.items() if of == sex and low <= age <= high]
    return Person(age, sex, rng.choice(kin))


def article(number: int) -> str:
    """``an`` before 8, 11, 18 and the eighties, else ``a``."""
    return "an" if number in (8, 11, 18) or 80 <= number <= 89 else "a"


def capital(text: str) -> str:
    """First letter upper case, the rest untouched."""
    return text[:1].upper() + text[1:]
