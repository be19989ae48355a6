"""A task of ours as inspect_ai's: its samples, a solver that asks, a scorer that hands on."""

from collections.abc import Awaitable, Callable

from inspect_ai import Task as InspectTask
from inspect_ai.dataset import MemoryDataset
from inspect_ai.dataset import Sample as InspectSample
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    ModelOutput,
)
from inspect_ai.scorer import (
    Metric,
    SampleScore,
    Score,
    Scorer,
    Target,
    metric,
    scorer,
)
from inspect_ai.solver import Generate, Solver, TaskState, solver

from medllm.eval.records import Item, Sample
from medllm.eval.tasks.task import Task

Answering = Callable[[Task, Item], Awaitable[Sample]]
_NOT_SCORED = float("nan")
_MESSAGES = {
    "system": ChatMessageSystem,
    "user": ChatMessageUser,
    "assistant": ChatMessageAssistant,
}


def inspect_task(task: Task, answer: Answering) -> InspectTask:
    """The task for ``inspect_ai.eval``; ``answer`` asks an item and scores it."""
    items = {item.id: item for item in task.record.items}
    scored: dict[str, Sample] = {}

    @solver(name="medllm_answer")
    def answering() -> Solver:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            item = items[str(state.sample_id)]
            scored[item.id] = sample = await answer(task, item)
            state.output = ModelOutput.from_content(str(state.model), sample.answer or "")
            return state

        return solve

    @scorer(name=task.record.measure.name.replace(" ", "_"), metrics=[mean_of_scored()])
    def scoring() -> Scorer:
        async def score(state: TaskState, target: Target) -> Score:
            sample = scored[str(state.sample_id)]
            return Score(
                value=_NOT_SCORED if sample.score is None else sample.score,
                answer=sample.answer,
                explanation=sample.reason or sample.how,
                metadata={**sample.more, **sample.checks},
            )

        return score

    samples = [
        InspectSample(
            input=_typed(item),
            target=item.target or "",
            id=item.id,
            metadata={"group": item.group, "cluster": item.cluster},
        )
        for item in task.record.items
    ]
    dataset = MemoryDataset(samples, name=task.record.name, location=task.record.data)
    return InspectTask(name=task.record.name, dataset=dataset, solver=answering(), scorer=scoring())


@metric(name="mean_of_scored")
def mean_of_scored() -> Metric:
    """The mean of what has a score: not gradable is not wrong."""

    def compute(scores: list[SampleScore]) -> float:
        values = [one.score.as_float() for one in scores]
        known = [value for value in values if value == value]
        return sum(known) / len(known) if known else _NOT_SCORED

    return compute


def _typed(item: Item) -> str | list[ChatMessage]:
    if len(item.prompt) == 1:
        return item.prompt[0].content
    return [_MESSAGES[message.role](content=message.content) for message in item.prompt]
