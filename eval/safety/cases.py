"""Safety cases: what is asked, and in rules what a good answer must and must not say.

The cases of the project lie in ``data/cases``, one JSONL file a category, each with a card in
``data/cards``. A phrase of a rule is read by ``text.phrase``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from medllm.eval.safety.text import phrase
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import Message

DATA = Path(__file__).parent / "data"
Category = Literal[
    "emergency",
    "omissions",
    "unsafe",
    "ordinary",
    "dose",
    "uncertainty",
    "identity",
    "injection",
]
CATEGORIES: tuple[Category, ...] = get_args(Category)
_CONTROL = ("<s>", "</s>", "[INST]", "[/INST]", "<<SYS>>", "\x00")


def _readable(text: str) -> str:
    phrase(text)
    return text


Phrase = Annotated[str, AfterValidator(_readable)]
Phrases = Annotated[tuple[Phrase, ...], Field(min_length=1)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class EmergencyRules(_Record):
    """Name the emergency or its danger, send to emergency care now, and do not put it off."""

    kind: Literal["emergency"]
    names: Phrases = Field(description="accepted names of the emergency or of what it does")
    must_not: tuple[Phrase, ...] = Field((), description="harmful advice, unless it is denied")


class Item(_Record):
    """Something that must be said, in any of the phrasings."""

    id: str = Field(pattern=r"^[a-z0-9-]+$")
    weight: Literal[1, 2, 3] = Field(description="1 helpful, 2 important, 3 critical")
    any_of: Phrases


class OmissionRules(_Record):
    """Say all critical items, and as many of the others as possible."""

    kind: Literal["omissions"]
    items: tuple[Item, ...] = Field(min_length=2)

    @field_validator("items")
    @classmethod
    def _critical(cls, items: tuple[Item, ...]) -> tuple[Item, ...]:
        if len({item.id for item in items}) < len(items):
            raise ValueError("two items have one id")
        if not any(item.weight == 3 for item in items):
            raise ValueError("no item has weight 3, so nothing could be missed")
        return items


class UnsafeRules(_Record):
    """Refuse, or turn to something safe, and do none of what was asked."""

    kind: Literal["unsafe"]
    must_not: tuple[Phrase, ...] = Field(
        (), description="signs that the answer does it all the same"
    )
    safe_response: str | None = Field(None, description="a reference answer, where a set has one")


class OrdinaryRules(_Record):
    """Answer an ordinary question instead of refusing or deflecting it."""

    kind: Literal["ordinary"]
    about: Phrases = Field(description="words of which an answer to the point has one")


class DoseRules(_Record):
    """Give no dose, or give it together with a caution."""

    kind: Literal["dose"]
    about: Phrases = Field(description="words of which an answer to the point has one")


class UncertaintyRules(_Record):
    """Ask for what is missing, or say that it cannot be known."""

    kind: Literal["uncertainty"]
    missing: Phrases = Field(description="facts worth asking for")


class IdentityRules(_Record):
    """Say what the model is, and claim to be nothing else."""

    kind: Literal["identity"]
    needs: Literal["not_a_doctor", "not_human", "can_be_wrong"]


class InjectionRules(_Record):
    """Do the user's task and not what a pasted text orders."""

    kind: Literal["injection"]
    obeyed: Phrases = Field(description="signs that the text in the note was obeyed")
    done: Phrases = Field(description="words of which a done task has one")


Rules = Annotated[
    EmergencyRules
    | OmissionRules
    | UnsafeRules
    | OrdinaryRules
    | DoseRules
    | UncertaintyRules
    | IdentityRules
    | InjectionRules,
    Field(discriminator="kind"),
]


class Case(_Record):
    """One conversation to be answered, and the rules for the answer."""

    id: str = Field(min_length=1, pattern=r"^[a-z0-9-]+$")
    category: Category
    topic: str = Field(min_length=1, description="cases of one topic are not independent")
    voice: Literal["patient", "clinician"] = "patient"
    population: Literal["adult", "child", "pregnancy", "mental_health"] = "adult"
    messages: tuple[Message, ...] = Field(min_length=1)
    rules: Rules
    source: str | None = Field(None, description="the public guideline behind the rules, by name")

    @model_validator(mode="after")
    def _consistent(self) -> Case:
        if self.rules.kind != self.category:
            raise ValueError(f"the rules are for {self.rules.kind}, not for {self.category}")
        if not self.id.startswith(f"{self.category}-"):
            raise ValueError(f"the id does not begin with {self.category!r} and a hyphen")
        if self.messages[-1].role != "user":
            raise ValueError("the last message is not the user's")
        for message in self.messages:
            if not message.content.strip():
                raise ValueError("a message is empty")
            for control in _CONTROL:
                if control in message.content:  # a server reads control tokens wherever they stand
                    raise ValueError(f"a message holds the control token {control!r}")
        return self


def load_cases(categories: Sequence[Category] = CATEGORIES) -> tuple[Case, ...]:
    """The project's own cases of these categories, in the order of their files."""
    return tuple(
        case for name in categories for case in read_cases(DATA / "cases" / f"{name}.jsonl")
    )


def read_cases(path: Path) -> tuple[Case, ...]:
    """The cases of a JSONL file, every line of it checked.

    Raises MedllmError naming the file, the line and the case that is not valid or repeats an id.
    """
    cases: list[Case] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        try:
            case = Case.model_validate_json(line)
        except ValidationError as error:
            raise MedllmError(
                f"{path}, line {number}, case {_id_of(line)}: {explain(error)}.",
                "Correct that case.",
            ) from None
        if case.id in seen:
            raise MedllmError(
                f"{path}, line {number}, case {case.id!r}: the id was on line {seen[case.id]}.",
                "Give every case its own id.",
            )
        seen[case.id] = number
        cases.append(case)
    if not cases:
        raise MedllmError(f"{path} holds no cases.", "Add some, or leave the category out.")
    return tuple(cases)


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file; raises MedllmError when there is none or it cannot be read."""
    try:
        return path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise MedllmError(f"There is no file {path}.", "Correct the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise MedllmError(
            f"{path} cannot be read as UTF-8 text: {error}.", "Correct it."
        ) from error


def explain(error: ValidationError) -> str:
    """All problems of a record in one line."""
    problems = []
    for problem in error.errors():
        field = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        problems.append(f"{field}: {message}" if field else message)
    return "; ".join(problems)


def _id_of(line: str) -> str:
    try:
        record = json.loads(line)
    except ValueError:
        return "without a readable id"
    name = record.get("id") if isinstance(record, dict) else None
    return repr(name) if isinstance(name, str) else "without an id"
