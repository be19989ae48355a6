"""Multiple-choice questions: reading them, asking them, and scoring the first token.

A question is asked in exactly the layout that the training dialogues use. The answer is the letter
with the highest probability as the first token of the reply, with the spellings of a letter
("A", " A", "A.") added up; only when no letter is among the most probable tokens is a reply
generated and read. A reply that names no letter is *unscorable*: it is counted apart, and the
accuracy counts it as not right.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import Message

if TYPE_CHECKING:
    from medllm.eval.engines.engine import Engine

LETTERS = "ABCDEFGH"
REPLY_TOKENS = 16  # of the reply that is read when no letter is among them
_CLOSING = "Answer with one letter."
_CONTROL = ("<s>", "</s>")
_ALONE = re.compile(r"^\W*([A-H])(?=[.):,\n]|\s*$)")
_NAMED = re.compile(r"\banswer(?:\s+is|\s*:)\s*\W*([A-H])\b(?!\s+[a-z])", re.IGNORECASE)


class Question(BaseModel):
    """One item: a case, what is asked about it, and the answers to choose from."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    id: str = Field(min_length=1)
    question: str = Field(min_length=1, description="the case and what is asked")
    options: list[str] = Field(min_length=2, max_length=len(LETTERS))
    answer: str = Field(description="letter of the right option")
    family: str = Field("all", description="kind of question, scored apart in the report")
    condition: str | None = Field(None, description="items about one condition are dependent")
    phrasing: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Question:
        if self.answer not in tuple(self.letters):
            raise ValueError(f"answer {self.answer!r} is not one of {', '.join(self.letters)}")
        if len({option.strip() for option in self.options}) < len(self.options):
            raise ValueError("two options say the same")
        if not all(option.strip() for option in self.options):
            raise ValueError("an option is empty")
        for text in (self.question, *self.options):
            for control in (*_CONTROL, "\x00"):
                if control in text:  # Ollama reads control tokens wherever they stand
                    raise ValueError(f"the text holds the control token {control!r}")
        return self

    @property
    def letters(self) -> str:
        """The letters of its options, "ABCD" for four."""
        return LETTERS[: len(self.options)]

    def text(self) -> str:
        """The user message, byte for byte in the layout of the training dialogues."""
        options = (f"{letter}. {text}" for letter, text in zip(LETTERS, self.options, strict=False))
        return "\n".join([self.question, *options, _CLOSING])


class Answer(BaseModel):
    """What one model answered to one question, and how that was found out."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: str
    chosen: str | None = Field(description="None: unscorable")
    right: bool = Field(description="False for an unscorable answer too")
    how: Literal["first token", "reply", "unscorable"]
    probabilities: dict[str, float] = Field(description="letter -> probability as first token")
    coverage: float = Field(description="share of the letters among the tokens looked at")
    reply: str | None = Field(None, description="the generated text, where one was read")


def load_questions(path: Path, limit: int) -> list[Question]:
    """Read at most ``limit`` questions of a JSONL file, checking every line of it.

    Raises MedllmError naming the line that is not a valid question or repeats an id.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise MedllmError(
            f"There is no questions file {path}.", "Correct eval.questions in the config."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise MedllmError(
            f"{path} cannot be read as UTF-8 text: {error}.", "Correct eval.questions."
        ) from error
    questions: list[Question] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            question = Question.model_validate_json(line)
        except ValidationError as error:
            raise MedllmError(
                f"{path}, line {number}: {_explain(error)}.", "Correct that line."
            ) from None
        if question.id in seen:
            raise MedllmError(
                f"{path}, line {number}: id {question.id!r} was on line {seen[question.id]}.",
                "Give every question its own id.",
            )
        seen[question.id] = number
        questions.append(question)
    if not questions:
        raise MedllmError(f"{path} holds no questions.", "Add some, or leave eval.questions out.")
    return questions[:limit]


def answer(engine: Engine, question: Question, messages: Sequence[Message]) -> Answer:
    """Ask one question and score what the model says first.

    ``messages`` is the conversation that ends with the question's text.
    """
    first = engine.first_token_logprobs(messages, engine.alternatives)
    found = letter_probabilities(first, question.letters)
    coverage = len(found) / len(question.letters)
    chosen: str | None
    text: str | None = None
    how: Literal["first token", "reply", "unscorable"] = "first token"
    if found:
        chosen = max(found, key=lambda letter: found[letter])
    else:
        text = engine.reply(messages, REPLY_TOKENS).text
        chosen = parse_answer(text, question.options)
        how = "reply" if chosen else "unscorable"
    return Answer(
        id=question.id,
        chosen=chosen,
        right=chosen == question.answer,
        how=how,
        probabilities=found,
        coverage=coverage,
        reply=text,
    )


def letter_probabilities(logprobs: dict[str, float], letters: str) -> dict[str, float]:
    """Probability of each letter as the answer: its spellings as a token, added up.

    A spelling is the letter with white space or SentencePiece's ▁ before it and closing
    punctuation after it. Letters without any are left out.
    """
    found: dict[str, float] = {}
    for token, logprob in logprobs.items():
        bare = token.strip().lstrip("▁(*").rstrip(".):,*")
        if len(bare) == 1 and bare in letters:
            found[bare] = found.get(bare, 0.0) + math.exp(logprob)
    return found


def parse_answer(text: str, options: Sequence[str]) -> str | None:
    """The letter that a reply names: alone at its start, after "answer is", or by its option.

    "A doctor should see this" names none: its A is an article.
    """
    letters = LETTERS[: len(options)]
    for match in (_ALONE.search(text), _NAMED.search(text)):
        if match and match[1].upper() in letters:
            return match[1].upper()
    said = text.casefold()
    quoted = [
        letter
        for letter, option in zip(letters, options, strict=True)
        if option.strip().rstrip(".").casefold() in said
    ]
    return quoted[0] if len(quoted) == 1 else None


def _explain(error: ValidationError) -> str:
    problems = []
    for problem in error.errors():
        field = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        problems.append(f"{field}: {message}" if field else message)
    return "; ".join(problems)
