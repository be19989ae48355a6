"""Multiple choice: scored by the probability of each letter as the first token of the reply.

The spellings of a letter ("A", " A", "A.") are added up, and the most probable letter is the
answer. Only when no letter is among the tokens that the engine tells of is a reply generated and
read; a reply that names no letter leaves the item unscored. Every question is asked a second time
with its options in another order: a model that follows the letter and not the option shows it.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from medllm.eval.engines.asking import Asking
from medllm.eval.engines.embedded import EmbeddedEngine
from medllm.eval.engines.engine import spelt_letter
from medllm.eval.records import Item, Sample, TaskRecord
from medllm.eval.tasks.choice_files import LETTERS, Question
from medllm.eval.tasks.task import mean, unscored
from medllm.pipeline.prompts import Message

REPLY_TOKENS = 16  # of the reply that is read when no letter is among the tokens told of
_ALONE = re.compile(r"^\W*([A-H])(?=[.):,\n]|\s*$)")
_NAMED = re.compile(r"\banswer(?:\s+is|\s*:)\s*\W*([A-H])\b(?!\s+[a-z])", re.IGNORECASE)


class Choice:
    """A set of multiple-choice questions."""

    def __init__(self, record: TaskRecord, questions: Sequence[Question], seed: int) -> None:
        """``record.items`` are made of the questions by ``choice_items``."""
        self.record = record
        self._questions = {question.id: question for question in questions}
        self._orders = {
            question.id: _other_order(len(question.options), f"{seed} {question.id}")
            for question in questions
        }

    async def answer(self, item: Item, asking: Asking) -> Sample:
        """Ask a question as it stands and once more in another order."""
        question = self._questions[item.id]
        asked = await _ask(item.prompt, question.options, asking)
        if asked.reason is not None:
            return unscored(item, asked.reason, asked.text)
        order = self._orders[item.id]
        turned = (Message(role="user", content=question.text(order)),)
        again = await _ask(turned, [question.options[place] for place in order], asking)
        chosen = asked.chosen or ""
        more = {f"p({letter})": round(p, 6) for letter, p in sorted(asked.probabilities.items())}
        more["coverage"] = asked.coverage
        checks = {}
        if again.chosen:
            meant = order[LETTERS.index(again.chosen)]
            checks["right in another order"] = LETTERS[meant] == question.answer
            checks["same option in another order"] = LETTERS[meant] == chosen
        return Sample(
            id=item.id,
            score=float(chosen == question.answer),
            answer=chosen if asked.text is None else f"{chosen}: {asked.text}",
            how=asked.how,
            tokens=1 if asked.text is None else None,
            more=more,
            checks=checks,
        )

    def measures(
        self, samples: Sequence[Sample], engine: EmbeddedEngine | None = None
    ) -> dict[str, float]:
        """Coverage, and how far a model goes by the letter instead of by the option."""
        scored = [sample for sample in samples if sample.score is not None]
        found = {
            "coverage": mean([sample.more["coverage"] for sample in scored]),
            "read from a reply": float(sum(sample.how == "reply" for sample in scored)),
        }
        for name in ("right in another order", "same option in another order"):
            turned = [sample.checks[name] for sample in scored if name in sample.checks]
            if turned:
                found[name] = mean([float(one) for one in turned])
        if scored:
            said = Counter((sample.answer or "")[:1] for sample in scored)
            right = Counter(question.answer for question in self._questions.values())
            items = sum(right.values())
            found["letter bias"] = max(
                abs(said[letter] / len(scored) - right[letter] / items) for letter in LETTERS
            )
        return found


class _Asked:
    """What came of asking once."""

    def __init__(self) -> None:
        self.chosen: str | None = None
        self.how = "first token"
        self.probabilities: dict[str, float] = {}
        self.coverage = 0.0
        self.text: str | None = None  # the reply that was read
        self.reason: str | None = None  # why there is no answer


async def _ask(turns: Sequence[Message], options: Sequence[str], asking: Asking) -> _Asked:
    letters, found = LETTERS[: len(options)], _Asked()
    first = await asking.first(turns, letters)
    if first.refused:
        found.reason = first.refused
        return found
    found.probabilities = letter_probabilities(first.first or {}, letters)
    found.coverage = len(found.probabilities) / len(letters)
    if found.probabilities:
        found.chosen = max(found.probabilities, key=lambda one: found.probabilities[one])
        return found
    reply = await asking.greedy(turns, REPLY_TOKENS)
    found.text, found.how = reply.text, "reply"
    found.chosen = parse_answer(reply.text, options)
    if found.chosen is None:
        untold = "" if first.first is not None else "the engine tells no log probabilities, and "
        found.reason = f"{untold}the reply names no letter"
    return found


def choice_items(questions: Sequence[Question]) -> tuple[Item, ...]:
    """The items of a set of questions."""
    return tuple(
        Item(
            id=question.id,
            cluster=question.condition or question.id,
            group=question.family,
            prompt=(Message(role="user", content=question.text()),),
            target=question.answer,
        )
        for question in questions
    )


def one_letter(questions: Sequence[Question]) -> float:
    """What the best single letter, said to every question, gets right: the floor to beat."""
    right = Counter(question.answer for question in questions)
    return max(right.values()) / len(questions)


def letter_probabilities(logprobs: Mapping[str, float], letters: str) -> dict[str, float]:
    """Probability of each letter as the answer: its spellings as a token, added up.

    Letters without any are left out.
    """
    found: dict[str, float] = {}
    for token, logprob in logprobs.items():
        letter = spelt_letter(token)
        if letter and letter in letters:
            found[letter] = found.get(letter, 0.0) + math.exp(logprob)
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
        if re.search(rf"(?<!\w){re.escape(option.strip().rstrip('.').casefold())}(?!\w)", said)
    ]
    return quoted[0] if len(quoted) == 1 else None


def _other_order(options: int, seed: str) -> list[int]:
    """The options turned round by a step that the seed draws: each gets another letter."""
    step = random.Random(seed).randrange(1, options)
    return [(place + step) % options for place in range(options)]
