"""The records of an evaluation: what every task, comparison, check and page is built on.

``Results`` is ``eval/results.json``. It is read from the top down:

- ``tasks``: what was asked. A ``TaskRecord`` has a card, the ``Item``s that every model got in one
  order, and the rows of its data that could not be asked (``unusable``: counted, never as wrong).
- ``models``: who was asked. A ``ModelRecord`` says which file, which engine, which digest before
  and after, and holds one ``TaskRun`` a task; its ``samples`` stand in the order of the task's
  items. A ``Sample`` with a ``reason`` is unscored: its ``score`` is None and it counts nowhere
  as wrong. Otherwise ``score`` is what ``TaskRecord.measure`` says (1 or 0 for right or wrong).
- ``comparisons``: two models on the items that both have a score for.
- ``gate``: the verdict, each ``Check`` with its threshold and the value it was held against.

Times are not in here: ``Speeds`` (``eval/speed.json``) has them, so that the same seed, digests and
engine give the same bytes. Whoever adds a measure puts it into ``TaskRun.measures``; a further
number of one sample goes into ``Sample.more``; neither needs a new field.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from medllm.eval.statistics import wilson
from medllm.pipeline.prompts import Message

SCHEMA_VERSION = 2

Kind = Literal[
    "choice", "open", "rubric", "safety", "summary", "memorisation", "loss", "ends by itself"
]
Role = Literal["base", "previous", "source", "published", "quant"]


class Record(BaseModel):
    """Frozen, and strict about its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Share(Record):
    """So many of so many, with its 95% Wilson interval."""

    count: int
    items: int
    low: float
    high: float

    @classmethod
    def of(cls, count: int, items: int) -> Share:
        """The share and its interval; ``items`` must not be 0."""
        low, high = wilson(count, items)
        return cls(count=count, items=items, low=low, high=high)

    @property
    def value(self) -> float:
        """The share itself, 0 to 1."""
        return self.count / self.items


class Difference(Record):
    """A difference (first − second) and its 95% interval."""

    value: float
    low: float
    high: float


class Card(Record):
    """What a task is, for whoever reads its numbers."""

    title: str
    measures: str = Field(description="what it measures, in a sentence or two")
    does_not: str = Field(description="what it does not measure")
    licence: str = Field(description="of the data")
    source: str = Field(description="who made the data; a citation where there is one")


class Measure(Record):
    """How a task's ``score`` is read."""

    name: str = Field(description="for example: right")
    unit: Literal["share", "nats a token", "points", "tokens"]
    better: Literal["higher", "lower"] = "higher"

    @property
    def binary(self) -> bool:
        """Whether a score is 1 or 0, so that shares and McNemar's test apply."""
        return self.unit == "share"


class Item(Record):
    """One thing that every model was given."""

    id: str
    cluster: str = Field(description="items of one cluster (case, patient, topic) are dependent")
    group: str = Field("all", description="kind of item, scored apart")
    prompt: tuple[Message, ...] = Field(
        description="as typed; each model is shown its Modelfile's SYSTEM (Results.system) first"
    )
    target: str | None = Field(None, description="the right answer, where there is one")


class Unusable(Record):
    """A row of a data set that could not be asked: unscored, never wrong."""

    id: str = Field(description="its id, or file and line where it has none")
    reason: str


class TaskRecord(Record):
    """One task: its card, its data and its items."""

    name: str = Field(description="as the config calls it")
    kind: Kind
    card: Card
    measure: Measure
    data: str = Field(description="the file, or: built in")
    sha256: str = Field(description="of the data")
    gating: bool = Field(description="whether the gate looks at it")
    floor: float | None = Field(None, description="what knowing nothing gets: one letter for all")
    items: tuple[Item, ...]
    unusable: tuple[Unusable, ...] = ()


class Sample(Record):
    """What one model did with one item."""

    id: str
    score: float | None = Field(description="as the task's measure says; None: unscored")
    weight: float = Field(1.0, description="of the score in a mean: its tokens, for a loss")
    reason: str | None = Field(None, description="why it is unscored")
    answer: str | None = Field(None, description="what the model said, where it said something")
    how: str | None = Field(None, description="how the score came about: first token, reply …")
    tokens: int | None = Field(None, description="generated")
    more: dict[str, float] = Field({}, description="further numbers: probability of A, chrF …")
    checks: dict[str, bool] = Field({}, description="what a rule looked for and found")

    @property
    def right(self) -> bool | None:
        """Of a share: right or wrong; None when unscored."""
        return None if self.score is None else self.score >= 1.0


class Estimate(Record):
    """A number with its 95% interval."""

    value: float
    low: float
    high: float
    items: int = Field(description="scored items behind it")
    method: str = Field(description="of the interval: Wilson, clustered bootstrap …")


class TaskRun(Record):
    """One model on one task."""

    task: str
    samples: tuple[Sample, ...] = Field(description="in the order of the task's items")
    score: Estimate | None = Field(description="of the task's measure; None: nothing was scored")
    groups: dict[str, Estimate] = Field({}, description="the same, by kind of item")
    unscored: int = Field(0, description="samples without a score")
    measures: dict[str, float] = Field({}, description="coverage, exposure, position bias, chrF …")


class Engine(Record):
    """What ran a model."""

    program: str = Field(description="with its version")
    served_as: str | None = Field(None, description="its name in Ollama; None: in this process")
    digest: str | None = Field(None, description="of the model on the server, before")
    digest_after: str | None = Field(None, description="and at the end; they must be equal")


class ModelRecord(Record):
    """One model that was asked."""

    name: str = Field(description="base F16, previous Q4_K_M, medllm Q4_K_M …")
    role: Role
    file: str = Field(description="GGUF below the run's folder")
    sha256: str
    bytes: int
    engine: Engine
    runs: tuple[TaskRun, ...]

    def run(self, task: str) -> TaskRun | None:
        """What it did on a task, if that was asked of it."""
        return next((one for one in self.runs if one.task == task), None)


class Comparison(Record):
    """One model against another on the items of a task that both have a score for."""

    task: str
    model: str
    against: str
    items: int = Field(description="compared")
    left_out: int = Field(description="items that one of the two has no score for")
    difference: Difference = Field(description="of the task's measure, model − against")
    method: str = Field(description="of the interval: Newcombe 10, paired bootstrap …")
    clustered: Difference | None = Field(None, description="bootstrap over clusters")
    p: float | None = Field(None, description="McNemar's exact test, two-sided")
    p_adjusted: float | None = Field(None, description="after correction for many tasks")
    only_model_right: int | None = None
    only_against_right: int | None = None
    detectable: float | None = Field(
        None, description="smallest difference that this set would show with 80% power"
    )

    @property
    def low(self) -> float:
        """The lower end, of whichever interval reaches lower."""
        return min(
            self.difference.low, self.clustered.low if self.clustered else self.difference.low
        )

    @property
    def high(self) -> float:
        """The upper end, of whichever interval reaches higher."""
        return max(one.high for one in (self.difference, self.clustered) if one)


class Check(Record):
    """One thing that the gate asked."""

    name: str = Field(description="not worse than previous, better than base, safety floor …")
    task: str | None
    model: str
    threshold: str = Field(description="in words and numbers")
    value: str = Field(description="what it was held against")
    passed: bool
    asked: bool = Field(True, description="False: it could not be asked, and why is in the reason")
    reason: str = Field(description="one sentence that names model, task, value and threshold")


class Gate(Record):
    """The verdict on the files in ``artefacts``."""

    passed: bool
    checks: tuple[Check, ...]
    artefacts: dict[str, str] = Field(description="GGUF's file name -> sha256 of what was scored")


class Results(Record):
    """One evaluation, without its times."""

    schema_version: int = SCHEMA_VERSION
    seed: int
    format: str
    system: str | None = Field(description="the Modelfile's SYSTEM, shown before every item")
    context: int = Field(description="tokens")
    published: str = Field(description="name of the model that the Modelfile publishes")
    tasks: tuple[TaskRecord, ...]
    models: tuple[ModelRecord, ...]
    comparisons: tuple[Comparison, ...]
    gate: Gate
    notes: tuple[str, ...] = Field((), description="what a reader must know: extras left out …")

    def task(self, name: str) -> TaskRecord:
        """A task by its name; KeyError for one that there is not."""
        for task in self.tasks:
            if task.name == name:
                return task
        raise KeyError(name)

    def model(self, name: str) -> ModelRecord:
        """A model by its name; KeyError for one that there is not."""
        for model in self.models:
            if model.name == name:
                return model
        raise KeyError(name)

    def comparison(self, task: str, model: str, against: str) -> Comparison | None:
        """The comparison of two models on a task, where there is one."""
        for one in self.comparisons:
            if (one.task, one.model, one.against) == (task, model, against):
                return one
        return None


class SampleTime(Record):
    """How long one sample took, in seconds."""

    id: str
    seconds: float = Field(description="from the request to the end of the answer")
    first_token: float | None = Field(None, description="until the first token; None: none came")
    tokens_per_second: float | None = Field(None, description="while generating")


class Speed(Record):
    """How fast one model was here, and what it needs."""

    model: str
    load_seconds: float
    first_token: float | None = Field(description="median of the replies, seconds")
    tokens_per_second: float | None = Field(description="median of the replies")
    memory_bytes: int | None = Field(description="expected while it answers, by calculation")
    tasks: dict[str, tuple[SampleTime, ...]] = Field(description="task -> samples in their order")


class Speeds(Record):
    """``eval/speed.json``."""

    machine: str
    models: tuple[Speed, ...]
