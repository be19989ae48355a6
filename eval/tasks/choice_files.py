"""Multiple-choice questions, read from files in this project's layout and in four public ones.

The content decides what a file is: MedQA (Jin et al., arXiv 2009.13081), MedMCQA (Pal et al., arXiv
2203.14371), PubMedQA's pqa-l (Jin et al., arXiv 1909.06146), MMLU (Hendrycks et al., arXiv
2009.03300) and questions of one's own. A row that is not a sound question is named with its reason
and asked of no model; it is never counted as wrong.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from medllm.eval.records import Unusable
from medllm.eval.safety.cases import explain
from medllm.pipeline.data.evaluation_sets import read_rows
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.turns import Dropped

LETTERS = "ABCDEFGH"
CLOSING = "Answer with one letter."
_CONTROL = ("<s>", "</s>", "\x00")
_MMLU = 3  # fields of a row of MMLU: question, options, answer
_DECISIONS = ("yes", "no", "maybe")
_TEST_IDS = "test_ground_truth.json"  # of PubMedQA: the 500 of its 1,000 that are the test split


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
            for control in _CONTROL:
                if control in text:  # Ollama reads control tokens wherever they stand
                    raise ValueError(f"the text holds the control token {control!r}")
        return self

    @property
    def letters(self) -> str:
        """The letters of its options, "ABCD" for four."""
        return LETTERS[: len(self.options)]

    def text(self, order: Sequence[int] | None = None) -> str:
        """The user message, byte for byte in the layout of the training dialogues.

        ``order`` says which option stands at each letter; as in the file without it.
        """
        options = self.options if order is None else [self.options[place] for place in order]
        lines = (f"{letter}. {text}" for letter, text in zip(LETTERS, options, strict=False))
        return "\n".join([self.question, *lines, CLOSING])


class QuestionSet(NamedTuple):
    """The questions of a file, and the rows that are none."""

    questions: list[Question]
    unusable: list[Unusable]


class _NoQuestionError(Exception):
    """Why a row is not a sound question."""


def read_questions(path: Path) -> QuestionSet:
    """All questions of a file, in its order.

    Raises MedllmError when it cannot be read, is in none of the layouts, or holds no question.
    """
    rows: list[tuple[str, Mapping[str, object]]] = []
    unusable: list[Unusable] = []
    if not path.is_file():
        raise MedllmError(f"There is no questions file {path}.", "Correct it in eval.tasks.")
    for row in read_rows(DataFile(path)):
        if isinstance(row, Dropped):
            unusable.append(Unusable(id=row.where, reason=row.reason))
        else:
            rows.append((row.where, row.value))
    parse = _layout(path, rows)
    questions: list[Question] = []
    seen: dict[str, str] = {}
    for where, value in rows:
        try:
            question = parse(where, value)
        except ValidationError as error:
            unusable.append(Unusable(id=_name(where, value), reason=explain(error)))
            continue
        except _NoQuestionError as error:
            unusable.append(Unusable(id=_name(where, value), reason=str(error)))
            continue
        if question.id in seen:
            reason = f"{where}: its id was already in {seen[question.id]}"
            unusable.append(Unusable(id=question.id, reason=reason))
            continue
        seen[question.id] = where
        questions.append(question)
    questions, odd = _of_one_size(questions)
    if not questions:
        why = f": {unusable[0].id}: {unusable[0].reason}" if unusable else ""
        raise MedllmError(f"{path} holds no questions{why}.", "Give a file that has some.")
    return QuestionSet(questions, unusable + odd)


def _of_one_size(questions: list[Question]) -> tuple[list[Question], list[Unusable]]:
    """Set aside the questions with another number of options than the file's usual one.

    Guessing gets another share of them right, so they do not belong into one score.
    """
    counts = Counter(len(question.options) for question in questions)
    usual = counts.most_common(1)[0][0] if counts else 0
    odd = [
        Unusable(id=q.id, reason=f"{len(q.options)} options where the file has {usual}")
        for q in questions
        if len(q.options) != usual
    ]
    return [q for q in questions if len(q.options) == usual], odd


# ---- layouts ---------------------------------------------------------------------------------

_Row = Mapping[str, object]
_Parse = Callable[[str, _Row], Question]


def _layout(path: Path, rows: Sequence[tuple[str, _Row]]) -> _Parse:
    """How the rows of a file are read: by the fields that most of them have."""
    votes: Counter[str] = Counter()
    for _, value in rows:
        # a row that lacks its answer still shows its layout
        named = next((name for name, keys in _KEYS.items() if keys <= value.keys()), None)
        if named == "own" and isinstance(value["options"], dict):
            named = "medqa"
        if named:
            votes[named] += 1
    if not votes:
        raise MedllmError(
            f"{path} holds no multiple-choice questions in a layout that is known.",
            "Give a file of MedQA, MedMCQA, PubMedQA, MMLU or like demo/data/questions.jsonl.",
        )
    name = votes.most_common(1)[0][0]
    if name == "medmcqa":
        return _medmcqa(path, rows)
    if name == "pubmedqa":
        return _pubmedqa(path)
    return _medqa if name == "medqa" else _own


_KEYS = {
    "medmcqa": frozenset({"question", "opa", "opb", "opc", "opd"}),
    "pubmedqa": frozenset({"QUESTION", "CONTEXTS"}),
    "own": frozenset({"question", "options"}),
}


def _own(where: str, row: _Row) -> Question:
    return Question.model_validate(row if len(row) > _MMLU else {"id": where, **row})


def _medqa(where: str, row: _Row) -> Question:
    options = row["options"]
    if not isinstance(options, dict) or list(options) != list(LETTERS[: len(options)]):
        raise _NoQuestionError("options are not lettered A, B, C …")
    return Question.model_validate(
        {
            "id": str(row.get("id") or where),
            "question": row["question"],
            "options": list(options.values()),
            "answer": _given(row, "answer_idx"),
            "family": str(row.get("meta_info") or "all"),
        }
    )


def _medmcqa(path: Path, rows: Sequence[tuple[str, _Row]]) -> _Parse:
    """``cop`` counts from 1 in the raw files and from 0 on the hub: the file must show which."""
    given = [row.get("cop") for _, row in rows]
    first = 0 if 0 in given else 1
    if first == 1 and 4 not in given and any(cop in (1, 2, 3) for cop in given):
        raise MedllmError(
            f"{path} does not show whether cop counts from 0 or from 1: neither 0 nor 4 occurs.",
            "Give the whole file as it was published.",
        )

    def parse(where: str, row: _Row) -> Question:
        cop = row.get("cop")
        if not isinstance(cop, int) or cop == -1:
            raise _NoQuestionError("no answer (cop)")
        place = cop - first
        if not 0 <= place < 4:
            raise _NoQuestionError(f"answer {cop} is outside the options")
        return Question.model_validate(
            {
                "id": str(row.get("id") or where),
                "question": row["question"],
                "options": [row[key] for key in ("opa", "opb", "opc", "opd")],
                "answer": LETTERS[place],
                "family": str(row.get("subject_name") or "all"),
            }
        )

    return parse


def _pubmedqa(path: Path) -> _Parse:
    """The test split where the list of it lies beside the file, else everything."""
    beside, test = path.parent / _TEST_IDS, None
    if beside.is_file():
        test = set(json.loads(beside.read_text(encoding="utf-8")))

    def parse(where: str, row: _Row) -> Question:
        pmid, contexts = where.removeprefix("entry "), row["CONTEXTS"]
        if test is not None and pmid not in test:
            raise _NoQuestionError("not of the test split")
        decision = _given(row, "final_decision").strip().lower()
        if decision not in _DECISIONS:
            raise _NoQuestionError(f"answer {decision!r} is not yes, no or maybe")
        if not isinstance(contexts, list) or not all(isinstance(text, str) for text in contexts):
            raise _NoQuestionError("CONTEXTS is not a list of texts")
        return Question.model_validate(
            {
                "id": pmid,
                "question": "\n".join([*contexts, str(row["QUESTION"])]),
                "options": list(_DECISIONS),
                "answer": LETTERS[_DECISIONS.index(decision)],
            }
        )

    return parse


def _given(row: _Row, key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        raise _NoQuestionError(f"no answer ({key})")
    return value


def _name(where: str, row: _Row) -> str:
    """What to call a row that is no question: its own id, and where it stands."""
    name = row.get("id")
    return f"{name} ({where})" if isinstance(name, str) and name else where
