"""An evaluation in words, in columns and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from medllm.eval.records import (
    Comparison,
    Estimate,
    Gate,
    ModelRecord,
    Results,
    TaskRecord,
)

_METHODS = """\
## How sure the figures are

- Intervals are 95%: Wilson's for a share (with the effective number of items where several are
  about one case), Student's t with cluster-robust errors for a mean, Newcombe's method 10 for a
  difference of shares on the same items, a paired bootstrap for other differences. p is McNemar's
  exact test, or a sign-flip test over cases; it is corrected over the tasks of one pair of models
  (Holm).
- What has no score (a reply that names no letter, a prompt that does not fit) is *unscored*: it is
  counted apart, and is neither right nor wrong. Two models are compared on what both have a score
  for.
- Nothing here measures whether a clinician would agree: a good score is no clearance for use.
"""


def screen_table(results: Results) -> str:
    """The scores in columns, a model a line (* is what the Modelfile names), and the verdict."""
    return "\n".join([_columns(list(_rows(results))), "", *verdict_lines(results.gate)])


def verdict_lines(gate: Gate) -> list[str]:
    """The verdict, and every reason when it is no."""
    asked = [check for check in gate.checks if check.asked]
    failed = [check for check in gate.checks if not check.passed]
    if gate.passed:
        return [f"gate: passed ({len(asked)} checks)"]
    head = f"gate: NOT PASSED, {len(failed)} of {len(gate.checks)} checks; this is not published:"
    return [head, *(f"  - {check.name}: {check.reason}" for check in failed)]


def markdown(results: Results) -> str:
    """The whole report."""
    gate = results.gate
    lines = ["# Evaluation", "", f"**{verdict_lines(gate)[0]}**", ""]
    lines += [f"- {check.name}: {check.reason}." for check in gate.checks if not check.passed]
    lines += ["", *_table(list(_rows(results)))]
    lines += ["", f"\\* what the Modelfile publishes: {results.published}."]
    lines += ["", "## In words", ""]
    lines += [f"- {_sentence(results, one)}" for one in results.comparisons if _told(results, one)]
    lines += list(_floors(results))
    lines += list(_groups(results))
    lines += ["", "## Every check of the gate", ""]
    lines += _table(
        [
            ("check", "model", "task", "wanted", "found", "held"),
            *(
                (c.name, c.model, c.task or "", c.threshold, c.value, _held(c.passed, c.asked))
                for c in gate.checks
            ),
        ]
    )
    lines += ["", *_how(results), "", _METHODS]
    return "\n".join(lines)


def plot_scores(results: Results, path: Path) -> None:
    """Write every share and score with its interval as an SVG of the same bytes always."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    tasks = [t for t in results.tasks if t.measure.unit != "nats a token" and t.items]
    rows = max(1, len(tasks))
    figure = Figure(figsize=(7, 0.6 + rows * (0.35 + 0.22 * len(results.models))))
    figure.set_layout_engine("constrained")
    panels = figure.subplots(rows, 1, squeeze=False)[:, 0]
    for axes, task in zip(panels, tasks, strict=False):
        shown = [(m.name, r.score) for m in results.models if (r := m.run(task.name)) and r.score]
        for place, (_, score) in enumerate(shown):
            low, high = max(score.low, -1.0), min(score.high, 1.0)
            around = [[100 * (score.value - low)], [100 * (high - score.value)]]
            axes.errorbar(
                100 * score.value, place, xerr=around, fmt="o", color="#1f4e79", capsize=3
            )
        axes.set_yticks(range(len(shown)), [name for name, _ in shown])
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.set_xlim(min(0, *(100 * max(s.low, -1.0) for _, s in shown), 0), 100)
        axes.set_title(
            f"{task.name}: {task.measure.name}, % (95% interval)", fontsize=9, loc="left"
        )
        axes.grid(axis="x", alpha=0.3)
    if not tasks:
        panels[0].set_axis_off()
    with rc_context({"svg.hashsalt": "medllm"}):
        figure.savefig(path, format="svg", metadata={"Date": None})


def score_text(task: TaskRecord, score: Estimate | None) -> str:
    """A score with its interval in the task's own unit; – without one."""
    if score is None:
        return "–"
    if task.measure.unit == "share":
        return f"{100 * score.value:.1f}% ({100 * score.low:.1f}–{100 * score.high:.1f})"
    if task.measure.unit == "nats a token":
        return f"{score.value:.4f}"
    return f"{score.value:.3f}"


def _rows(results: Results) -> Iterator[tuple[str, ...]]:
    tasks = [task for task in results.tasks if task.items]
    against = [t for t in tasks if t.kind == "choice"]
    yield (
        "model",
        "MB",
        *(task.name for task in tasks),
        *(f"{task.name} vs base" for task in against),
        "unscored",
    )
    base = results.models[0].name
    for model in results.models:
        compared = [results.comparison(task.name, model.name, base) for task in against]
        yield (
            model.name + (" *" if model.name == results.published else ""),
            f"{model.bytes / 1e6:.1f}",
            *(_cell(task, model) for task in tasks),
            *(_points(one) for one in compared),
            str(sum(run.unscored for run in model.runs)),
        )


def _cell(task: TaskRecord, model: ModelRecord) -> str:
    run = model.run(task.name)
    return score_text(task, run.score) if run else "–"


def _points(compared: Comparison | None) -> str:
    if compared is None:
        return "–"
    return f"{100 * compared.difference.value:+.1f} {_span(compared, 100)}"


def _span(compared: Comparison, times: float = 1) -> str:
    digits = 1 if times == 100 else 4
    return f"({times * compared.low:+.{digits}f} to {times * compared.high:+.{digits}f})"


def _told(results: Results, compared: Comparison) -> bool:
    """The report's sentences are about the published model; results.json has the others."""
    return compared.model == results.published


def _sentence(results: Results, compared: Comparison) -> str:
    task = results.task(compared.task)
    share = task.measure.unit == "share"
    value, unit = compared.difference.value, " points" if share else ""
    shown = f"{100 * value:+.1f}" if share else f"{value:+.4f}"
    p = f"; p {_p(compared.p_adjusted)}" if compared.p_adjusted is not None else ""
    text = (
        f"**{compared.model}** against {compared.against}, {task.name} ({task.measure.name}): "
        f"{shown}{unit} {_span(compared, 100 if share else 1)}{p}"
    )
    if compared.left_out:
        text += f"; {compared.left_out} of {len(task.items)} items left out"
    better = _better(task, compared.low, compared.high)
    return f"{text}. {better}"


def _better(task: TaskRecord, low: float, high: float) -> str:
    if low <= 0 <= high:
        return "These items do not tell the two apart."
    up = low > 0
    good = up == (task.measure.better == "higher")
    return "It is better on these items." if good else "**It is worse on these items.**"


def _floors(results: Results) -> Iterator[str]:
    """Which models are not shown to beat one letter said to every question."""
    for task in results.tasks:
        if task.floor is None:
            continue
        low = [
            model.name
            for model in results.models
            if (run := model.run(task.name)) and run.score and run.score.low <= task.floor
        ]
        if low:
            yield (
                f"- **{task.name}: one letter for every question gets {task.floor:.1%}: not shown "
                f"to do better than that: {', '.join(low)}.**"
            )


def _groups(results: Results) -> Iterator[str]:
    """Scores by kind of item, where a task has several kinds."""
    for task in results.tasks:
        runs = [(m, run) for m in results.models if (run := m.run(task.name)) and run.groups]
        names = list(dict.fromkeys(name for _, run in runs for name in run.groups))
        if len(names) < 2 or len(names) > 24:
            continue
        yield from ("", f"## {task.name}, by kind", "")
        rows = [("kind", "items", *(model.name for model, _ in runs))]
        for name in names:
            counts = [run.groups[name].items for _, run in runs if name in run.groups]
            scores = (score_text(task, run.groups.get(name)) for _, run in runs)
            rows.append((name, str(max(counts)), *scores))
        yield from _table(rows)


def _how(results: Results) -> list[str]:
    lines = ["## What was asked", ""]
    for task in results.tasks:
        unusable = f"; {len(task.unusable)} rows cannot be used" if task.unusable else ""
        lines += [
            f"- **{task.name}** ({task.card.title}): {len(task.items)} items of {task.data}"
            f"{unusable}. {task.card.measures} *Not measured:* {task.card.does_not} "
            f"Licence: {task.card.licence}."
        ]
        lines += [f"  - {one.id}: {one.reason}" for one in task.unusable[:10]]
    lines += ["", "## Who was asked", ""]
    for model in results.models:
        served = f", as {model.engine.served_as}" if model.engine.served_as else ""
        digest = f", digest {model.engine.digest[:12]}" if model.engine.digest else ""
        lines += [
            f"- **{model.name}**: {model.file} (sha256 {model.sha256[:12]}) on "
            f"{model.engine.program}{served}{digest}."
        ]
    system = " ".join((results.system or "none").split())
    lines += [f"- System message before every item, the Modelfile's: {system}"]
    lines += [f"- Context: {results.context} tokens; seed {results.seed}."]
    return lines + [f"- {note}" for note in results.notes]


def _held(passed: bool, asked: bool) -> str:
    if not asked and passed:
        return "not asked"
    return "yes" if passed else "**no**"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows]
    return [lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]


def _columns(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        name, *numbers = (
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join([name, *numbers]))
    return "\n".join(lines)


def _p(p: float) -> str:
    return "< 0.0001" if p < 1e-4 else f"= {p:.4f}"
