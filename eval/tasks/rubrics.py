"""HealthBench-format rubrics: an answer earns and loses the points of criteria that it meets.

score = Σ points of the criteria met / Σ positive points (Arora et al., arXiv 2505.08775); it can be
negative. Whether a criterion is met says a rule where the file gives one (``any_of``, our own
addition: phrases as the safety cases have them), else a judge model. Judges inform and never gate,
so a file whose criteria have no rules never gates either.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medllm.eval.engines.asking import Asking
from medllm.eval.engines.embedded import EmbeddedEngine
from medllm.eval.records import Item, Sample, TaskRecord, Unusable
from medllm.eval.safety.cases import Phrase, explain, read_lines
from medllm.eval.safety.text import find_affirmed, own_words
from medllm.eval.tasks.answers import REPLY_TOKENS
from medllm.eval.tasks.task import mean, unscored
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import Message

NEEDS_JUDGE = "its criteria need a judge (eval.judge)"


class Criterion(BaseModel):
    """Something that an answer may do, and what that is worth."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    criterion: str = Field(min_length=1)
    points: float
    any_of: tuple[Phrase, ...] = ()


class Rubric(BaseModel):
    """A conversation and the criteria for the answer to it."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    prompt_id: str | None = None
    prompt: tuple[Message, ...] = Field(min_length=1)
    rubrics: tuple[Criterion, ...] = Field(min_length=1)
    example_tags: tuple[str, ...] = ()


class Rubrics:
    """A set of rubrics."""

    def __init__(
        self, record: TaskRecord, rubrics: dict[str, Rubric], judge: Asking | None
    ) -> None:
        """``judge`` decides what no rule decides, where there is one."""
        self.record, self._rubrics, self._judge = record, rubrics, judge

    async def answer(self, item: Item, asking: Asking) -> Sample:
        """Ask, and add up the points."""
        rubric = self._rubrics[item.id]
        if self._judge is None and not all(one.any_of for one in rubric.rubrics):
            return unscored(item, NEEDS_JUDGE)
        said = await asking.reply(item.prompt, REPLY_TOKENS)
        if said.refused:
            return unscored(item, said.refused)
        met = {}
        for one in rubric.rubrics:
            decided = (
                _said_any(one, item, said.text)
                if one.any_of
                else await _judged(self._judge, item, said.text, one)
            )
            if decided is None:
                return unscored(item, "the judge gave no yes or no", said.text)
            met[one.criterion] = decided
        gained = sum(one.points for one in rubric.rubrics if met[one.criterion])
        most = sum(one.points for one in rubric.rubrics if one.points > 0)
        return Sample(
            id=item.id,
            score=gained / most,
            answer=said.text,
            how="rules" if all(one.any_of for one in rubric.rubrics) else "judge",
            tokens=said.tokens,
            checks=met,
        )

    def measures(
        self, samples: Sequence[Sample], engine: EmbeddedEngine | None = None
    ) -> dict[str, float]:
        """The mean, cut to 0–1 as HealthBench reports it."""
        scores = [sample.score for sample in samples if sample.score is not None]
        return {"HealthBench score": min(max(mean(scores), 0.0), 1.0)} if scores else {}


def read_rubrics(path: Path) -> tuple[dict[str, Rubric], list[Unusable]]:
    """The rubrics of a JSONL file by id, and the lines that are none.

    Raises MedllmError when there is no file or nothing in it can be used.
    """
    found: dict[str, Rubric] = {}
    unusable = []
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        where = f"line {number}"
        try:
            raw: Any = json.loads(line)
            rubric = Rubric.model_validate(raw)
        except ValidationError as error:
            unusable.append(Unusable(id=where, reason=explain(error)))
            continue
        except ValueError:
            unusable.append(Unusable(id=where, reason="it is not JSON"))
            continue
        name = rubric.prompt_id or where
        if name in found:
            unusable.append(Unusable(id=name, reason=f"{where}: its id was there before"))
        elif not any(one.points > 0 for one in rubric.rubrics):
            unusable.append(Unusable(id=name, reason="no criterion gives points"))
        elif rubric.prompt[-1].role != "user":
            unusable.append(Unusable(id=name, reason="the last message is not the user's"))
        else:
            found[name] = rubric
    if not found:
        why = f": {unusable[0].id}: {unusable[0].reason}" if unusable else ""
        raise MedllmError(f"{path} holds no rubrics{why}.", "Give a file in HealthBench's format.")
    return found, unusable


def _said_any(criterion: Criterion, item: Item, text: str) -> bool:
    asked = [message.content for message in item.prompt]
    return bool(find_affirmed(criterion.any_of, own_words(text, asked)))


async def _judged(judge: Asking | None, item: Item, text: str, criterion: Criterion) -> bool | None:
    """What the judge says of one criterion; None when that is neither yes nor no."""
    assert judge is not None
    asked = "\n\n".join(f"{message.role}: {message.content}" for message in item.prompt)
    question = (
        f"Conversation:\n{asked}\n\nAnswer:\n{text}\n\nCriterion: {criterion.criterion}\n\n"
        "Does the answer meet the criterion? Say only yes or no."
    )
    said = await judge.greedy((Message(role="user", content=question),), 8)
    first = said.text.strip().casefold()
    return True if first.startswith("yes") else False if first.startswith("no") else None
