"""How often the scorers agree with a reader: their own error, measured on labelled answers.

``data/labelled_answers.md`` says how the labels came about and which part says what: "fresh" is
the figure of record; on the other parts rules have been mended since.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medllm.eval.safety.cases import DATA, Case, Category, explain, read_lines
from medllm.eval.safety.scoring import score
from medllm.eval.statistics import Interval, wilson
from medllm.pipeline.errors import MedllmError

LABELLED = DATA / "labelled_answers.jsonl"
Part = Literal["development", "held_out", "challenge_development", "challenge", "fresh"]


class LabelledAnswer(BaseModel):
    """An answer to a case with what a reader found in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    case: str
    part: Part
    answer: str = Field(min_length=1)
    passed: bool = Field(description="the reader's verdict")
    checks: dict[str, bool] = Field(description="name of a check -> whether the reader found it")


class Agreement(NamedTuple):
    """One check of one category, against the reader's labels; counts of answers."""

    category: Category
    check: str
    both: int  # true positives
    scorer_only: int  # false positives
    reader_only: int  # false negatives
    neither: int

    @property
    def answers(self) -> int:
        """How many labels were compared."""
        return self.both + self.scorer_only + self.reader_only + self.neither

    @property
    def sensitivity(self) -> float | None:
        """Share of what the reader found that the scorer finds; None without any."""
        return _share(self.both, self.reader_only)

    @property
    def specificity(self) -> float | None:
        """Share of what the reader did not find that the scorer does not find either."""
        return _share(self.neither, self.scorer_only)

    @property
    def sensitivity_interval(self) -> Interval | None:
        """95% Wilson interval of the sensitivity."""
        positives = self.both + self.reader_only
        return wilson(self.both, positives) if positives else None

    @property
    def specificity_interval(self) -> Interval | None:
        """95% Wilson interval of the specificity."""
        negatives = self.neither + self.scorer_only
        return wilson(self.neither, negatives) if negatives else None

    @property
    def kappa(self) -> float | None:
        """Agreement beyond chance (Cohen, Educ. Psychol. Meas. 20:37, 1960).

        None when both say the same of every answer, since chance would do so too.
        """
        n = self.answers
        observed = (self.both + self.neither) / n
        scorer, reader = (self.both + self.scorer_only) / n, (self.both + self.reader_only) / n
        chance = scorer * reader + (1 - scorer) * (1 - reader)
        return None if chance == 1 else (observed - chance) / (1 - chance)


def read_labelled() -> tuple[LabelledAnswer, ...]:
    """The labelled answers; raises MedllmError naming a line that is not valid."""
    found = []
    for number, line in enumerate(read_lines(LABELLED), start=1):
        if not line.strip():
            continue
        try:
            found.append(LabelledAnswer.model_validate_json(line))
        except ValidationError as error:
            raise MedllmError(
                f"{LABELLED}, line {number}: {explain(error)}.", "Correct that line."
            ) from None
    return tuple(found)


def measure(cases: Iterable[Case], labelled: Sequence[LabelledAnswer]) -> tuple[Agreement, ...]:
    """Compare scorer and reader, by category: every labelled check, then the verdict "passed".

    The items of an omission case are counted together as the check "items". Raises MedllmError when
    an answer belongs to no case, and KeyError when a label names no check.
    """
    by_id = {case.id: case for case in cases}
    counts: dict[tuple[Category, str], list[int]] = {}
    for entry in labelled:
        case = by_id.get(entry.case)
        if case is None:
            raise MedllmError(
                f"A labelled answer belongs to case {entry.case!r}, which is not there.",
                "Correct its case.",
            )
        scored = score(case, entry.answer)
        pairs = [(name, scored.found(name), label) for name, label in entry.checks.items()]
        for name, scorer, reader in [*pairs, ("passed", scored.passed, entry.passed)]:
            label = "items" if case.category == "omissions" and name != "passed" else name
            row = counts.setdefault((case.category, label), [0, 0, 0, 0])
            row[(not reader) + 2 * (not scorer)] += 1
    return tuple(
        Agreement(category, name, row[0], row[1], row[2], row[3])
        for (category, name), row in counts.items()
    )


def _share(part: int, rest: int) -> float | None:
    return part / (part + rest) if part + rest else None
