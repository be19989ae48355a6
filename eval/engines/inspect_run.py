"""Tasks run by inspect_ai, on a model of ours: its queue, its log and its viewer.

inspect's own path from a solver to a model costs several milliseconds a sample (events, spans and
copies of the conversation; measured in docs/benchmarks/eval.md), more than a small model needs for
its answer. So the solver asks the model's engine directly, and the log is written once, at the end
of a task; what a killed evaluation had heard is in the journal.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from medllm.eval.engines.asking import Asking
from medllm.eval.engines.speaker import Request, Said
from medllm.eval.records import Engine, Item, Sample, SampleTime
from medllm.eval.tasks.task import Task
from medllm.pipeline.errors import MedllmError

_MOST = 16  # samples under way at once; how many of them a server works on is the queue's matter
Outcome = dict[str, tuple[tuple[Sample, ...], tuple[SampleTime, ...]]]


class _Listening(Asking):
    """An ``Asking`` that adds up the time of one sample's replies."""

    def __init__(self, asking: Asking) -> None:
        super().__init__(
            asking.speaker, asking.modelfile, asking.sampling, asking.limit, asking.journal
        )
        self._running = asking._running
        self.heard: list[Said] = []

    async def _say(self, request: Request) -> Said:
        said = await super()._say(request)
        self.heard.append(said)
        return said


def run(asking: Asking, tasks: Sequence[Task], logs: Path) -> tuple[Outcome, Engine, float]:
    """Put every item of the tasks to a model, and write inspect's logs into ``logs``.

    Returns samples and times by task, in the order of its items; what ran, with the digest at the
    end; and the seconds that loading took. Raises MedllmError when the model cannot be asked any
    more; what it said until then stays in the journal.
    """
    return asyncio.run(_run(asking, tasks, logs))


async def _run(asking: Asking, tasks: Sequence[Task], logs: Path) -> tuple[Outcome, Engine, float]:
    from inspect_ai import eval_async
    from inspect_ai.model import get_model
    from inspect_ai.util._display import init_display_type
    from tqdm import tqdm

    from medllm.eval.engines import provider  # noqa: F401  (registers the model API)
    from medllm.eval.engines.inspect_task import inspect_task

    found: dict[str, dict[str, tuple[Sample, SampleTime]]] = {t.record.name: {} for t in tasks}
    problems: list[BaseException] = []
    load = [0.0]
    speaker = asking.speaker
    model = get_model(f"medllm/{speaker.name.replace(' ', '-')}", memoize=False, speaker=speaker)
    total = sum(len(task.record.items) for task in tasks)
    with tqdm(total=total, desc=speaker.name, unit=" items", disable=None, leave=False) as bar:

        async def one(task: Task, item: Item) -> Sample:
            try:
                sample, spent = await _one(task, item, asking, load)
            except BaseException as error:
                problems.append(error)
                raise
            found[task.record.name][item.id] = sample, spent
            bar.update()
            return sample

        asked = [inspect_task(task, one) for task in tasks if task.record.items]
        init_display_type("none")
        written = await eval_async(
            asked,
            model=model,
            log_dir=str(logs),
            log_level="error",
            log_realtime=False,
            log_buffer=100_000,
            log_model_api=False,
            max_samples=speaker.at_once or _MOST,
            max_tasks=1,
            fail_on_error=True,
            ctl_server=False,
            acp_server=False,
        )
    if problems:
        raise problems[0]
    for log in written:
        if log.status != "success":
            why = log.error.message if log.error else log.status
            raise MedllmError(f"inspect_ai stopped task {log.eval.task}: {why}.", "Run it again.")
    engine = await speaker.close()
    outcome: Outcome = {}
    for task in tasks:
        pairs = [found[task.record.name][item.id] for item in task.record.items]
        outcome[task.record.name] = tuple(s for s, _ in pairs), tuple(t for _, t in pairs)
    return outcome, engine, load[0]


async def _one(
    task: Task, item: Item, asking: Asking, load: list[float]
) -> tuple[Sample, SampleTime]:
    listening = _Listening(asking)
    began = time.perf_counter()
    sample = await task.answer(item, listening)
    heard = listening.heard
    load[0] = max([load[0], *(said.load for said in heard)])
    spoken = [said for said in heard if said.first_token is not None]
    return sample, SampleTime(
        id=item.id,
        seconds=sum(said.seconds for said in heard) or time.perf_counter() - began,
        first_token=spoken[0].first_token if spoken else None,
        tokens_per_second=spoken[-1].tokens_per_second if spoken else None,
    )
