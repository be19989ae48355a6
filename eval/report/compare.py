"""Two releases side by side, item by item: ``medllm compare RUN RUN``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from pydantic import ValidationError

from medllm.eval.records import Item, ModelRecord, Results, Sample, TaskRecord
from medllm.eval.report.text import score_text
from medllm.eval.scores import compare
from medllm.pipeline.errors import MedllmError

_WORDS = 160  # characters of an answer that are shown


def show_comparison(first: Path, second: Path, *, items: int) -> None:
    """Write the comparison of two runs' published models to standard output."""
    for line in comparison(read_results(first), read_results(second), items):
        click.echo(line)


def read_results(run: Path) -> Results:
    """The evaluation of a run folder. Raises MedllmError when it has none."""
    path = run / "eval" / "results.json"
    try:
        return Results.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise MedllmError(
            f"{path} is not there.", "Name a run folder whose stage eval has completed."
        ) from None
    except (OSError, ValidationError):
        raise MedllmError(
            f"{path} is no evaluation of this version of medllm.", "Run stage eval of it again."
        ) from None


def comparison(first: Results, second: Results, items: int) -> Iterator[str]:
    """Task by task: both scores, the paired difference on what both were asked, what changed.

    Items are paired by their id and their prompt: one that was reworded is not the same item.
    Raises MedllmError when the two have no task in common.
    """
    one, other = first.model(first.published), second.model(second.published)
    names = [task.name for task in first.tasks if any(t.name == task.name for t in second.tasks)]
    if not names:
        raise MedllmError(
            "The two evaluations have no task in common.", "Evaluate both with the same eval.tasks."
        )
    yield f"1: {one.name} ({one.sha256[:12]})   2: {other.name} ({other.sha256[:12]})"
    for name in names:
        yield from _task(first, second, first.task(name), second.task(name), items)


def _task(
    first: Results, second: Results, task: TaskRecord, theirs: TaskRecord, items: int
) -> Iterator[str]:
    common, old, new = _paired(first, second, task, theirs)
    yield ""
    if not common.items:
        yield f"{task.name}: no item in common"
        return
    found = compare(common, new, old, second.seed)
    runs = old.runs[0], new.runs[0]
    left = len(task.items) + len(theirs.items) - 2 * len(common.items)
    alone = f", {left} items in one of the two only" if left else ""
    yield f"{task.name} ({task.measure.name}), {len(common.items)} items in common{alone}"
    for number, whole in ((1, first), (2, second)):
        run = whole.model(whole.published).run(task.name)
        yield f"  {number}: {score_text(task, run.score if run else None)}"
    if found is None:
        yield "  no item has a score in both"
        return
    p = f", p = {found.p:.4f}" if found.p is not None else ""
    yield (
        f"  2 - 1: {found.difference.value:+.4f} ({found.low:+.4f} to {found.high:+.4f}{p}; "
        f"{found.method})"
    )
    changed = [
        (item, a, b)
        for item, a, b in zip(common.items, runs[0].samples, runs[1].samples, strict=True)
        if a.score != b.score
    ]
    changed.sort(key=lambda row: -abs((row[1].score or 0) - (row[2].score or 0)))
    yield f"  {len(changed)} items scored otherwise" + (
        f", the {min(items, len(changed))} largest:" if changed and items else ""
    )
    for item, a, b in changed[:items]:
        yield from _item(item, a, b)


def _item(item: Item, a: Sample, b: Sample) -> Iterator[str]:
    yield f"  - {item.id}: {_score(a)} -> {_score(b)}"
    yield f"      asked: {_short(item.prompt[-1].content)}"
    for number, sample in ((1, a), (2, b)):
        said = sample.reason or sample.answer
        if said is not None:
            yield f"      {number}: {_short(said)}"


def _paired(
    first: Results, second: Results, task: TaskRecord, theirs: TaskRecord
) -> tuple[TaskRecord, ModelRecord, ModelRecord]:
    """The task cut to the items of both, and both models with these items alone."""
    one, other = first.model(first.published), second.model(second.published)
    ours, its = one.run(task.name), other.run(task.name)
    mine = {i.id: (i, s) for i, s in zip(task.items, ours.samples if ours else (), strict=False)}
    yours = {i.id: (i, s) for i, s in zip(theirs.items, its.samples if its else (), strict=False)}
    both = [
        name
        for name, (item, _) in mine.items()
        if name in yours and yours[name][0].prompt == item.prompt
    ]
    common = task.model_copy(update={"items": tuple(mine[name][0] for name in both)})

    def cut(model: ModelRecord, samples: dict[str, tuple[Item, Sample]]) -> ModelRecord:
        run = model.run(task.name)
        kept = tuple(samples[name][1] for name in both)
        runs = (run.model_copy(update={"samples": kept}),) if run else ()
        return model.model_copy(update={"runs": runs})

    return common, cut(one, mine), cut(other, yours)


def _score(sample: Sample) -> str:
    return "unscored" if sample.score is None else f"{sample.score:.4g}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WORDS else line[: _WORDS - 1] + "…"
