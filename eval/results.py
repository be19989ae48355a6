"""The records of an evaluation, as results.json holds them, and the comparisons between models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from medllm.eval.records import Difference, Share
from medllm.eval.statistics import (
    Interval,
    PairedCounts,
    mcnemar,
    paired_bootstrap,
    paired_difference,
)
from medllm.eval.tasks.loss import DialogueLoss, mean_loss, perplexity
from medllm.eval.tasks.questions import Answer, Question

SCHEMA_VERSION = 1


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Ending(_Record):
    """Whether one greedy reply ended by itself."""

    id: str
    ended: bool
    tokens: int


class Loss(_Record):
    """Mean loss over the assistant's tokens of the held-out dialogues."""

    nats: float = Field(description="a token")
    perplexity: float
    tokens: int
    dialogues: int

    @classmethod
    def of(cls, losses: Sequence[DialogueLoss]) -> Loss:
        """Sum up dialogues."""
        return cls(
            nats=mean_loss(losses),
            perplexity=perplexity(losses),
            tokens=sum(loss.tokens for loss in losses),
            dialogues=len(losses),
        )


class Run(_Record):
    """Everything one model said: the raw material of its scores."""

    name: str = Field(description="base, F16, Q4_K_M …")
    file: str = Field(description="GGUF below the run's folder")
    sha256: str
    bytes: int
    engine: str = Field(description="what ran the questions")
    served_as: str | None = Field(description="model name in Ollama; None: embedded")
    answers: list[Answer]
    losses: list[DialogueLoss]
    endings: list[Ending]


class Score(_Record):
    """What one model's answers come to."""

    name: str
    accuracy: Share | None
    families: dict[str, Share]
    unscorable: int = Field(description="replies that name no letter; counted as not right")
    read_from_reply: int = Field(description="answers read from a generated reply")
    coverage: float | None = Field(description="mean share of letters among the top tokens")
    loss: Loss | None
    ends_by_itself: Share | None


class Comparison(_Record):
    """One model against another on the same items."""

    model: str
    against: str
    accuracy: Difference | None = Field(description="of shares right; Newcombe 1998, method 10")
    mcnemar_p: float | None = Field(description="exact, two-sided")
    only_model_right: int
    only_against_right: int
    clustered: Difference | None = Field(description="accuracy, bootstrap over conditions")
    loss: Difference | None = Field(description="nats a token; bootstrap over dialogues")


class Results(_Record):
    """One evaluation."""

    schema_version: int = SCHEMA_VERSION
    questions: str | None
    one_letter: Share | None = Field(description="right answers by one letter for every question")
    system: str | None = Field(description="the Modelfile's SYSTEM, given with every question")
    context: int = Field(description="tokens")
    dialogues_shortened: int
    dialogues_dropped: int
    scores: list[Score]
    comparisons: list[Comparison]
    runs: list[Run]


def one_letter(questions: Sequence[Question]) -> Share | None:
    """What the best single letter, said to every question, gets right: the floor to beat."""
    right = Counter(question.answer for question in questions)
    return Share.of(max(right.values()), len(questions)) if questions else None


def score(run: Run, questions: Sequence[Question]) -> Score:
    """Sum up one model's run."""
    families: dict[str, list[bool]] = {}
    for question, answer in zip(questions, run.answers, strict=True):
        families.setdefault(question.family, []).append(answer.right)
    answers, items = run.answers, len(run.answers)
    return Score(
        name=run.name,
        accuracy=Share.of(sum(a.right for a in answers), items) if items else None,
        families={name: Share.of(sum(rights), len(rights)) for name, rights in families.items()},
        unscorable=sum(a.how == "unscorable" for a in answers),
        read_from_reply=sum(a.how == "reply" for a in answers),
        coverage=sum(a.coverage for a in answers) / items if items else None,
        loss=Loss.of(run.losses) if run.losses else None,
        ends_by_itself=(
            Share.of(sum(e.ended for e in run.endings), len(run.endings)) if run.endings else None
        ),
    )


def compare(model: Run, against: Run, questions: Sequence[Question], seed: int) -> Comparison:
    """One model against another, item by item; both must have run on the same items."""
    accuracy = clustered = loss = p = None
    counts = PairedCounts.of(
        [answer.right for answer in model.answers], [answer.right for answer in against.answers]
    )
    if model.answers:
        value = (counts.first_only - counts.second_only) / len(model.answers)
        accuracy = _difference(value, paired_difference(counts))
        p = mcnemar(counts)
        conditions = [question.condition or question.id for question in questions]
        if len(set(conditions)) < len(conditions):
            steps = [
                float(one.right) - float(other.right)
                for one, other in zip(model.answers, against.answers, strict=True)
            ]
            weights = [1.0] * len(steps)
            interval = paired_bootstrap(steps, weights, seed=seed, clusters=conditions)
            clustered = _difference(value, interval)
    if model.losses:
        pairs = list(zip(model.losses, against.losses, strict=True))
        nats = [one.nats - other.nats for one, other in pairs]
        tokens = [float(one.tokens) for one, _ in pairs]
        loss = _difference(sum(nats) / sum(tokens), paired_bootstrap(nats, tokens, seed=seed))
    return Comparison(
        model=model.name,
        against=against.name,
        accuracy=accuracy,
        mcnemar_p=p,
        only_model_right=counts.first_only,
        only_against_right=counts.second_only,
        clustered=clustered,
        loss=loss,
    )


def _difference(value: float, interval: Interval) -> Difference:
    return Difference(value=value, low=interval.low, high=interval.high)
