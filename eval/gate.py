"""The gate: which figures open it, and every reason why it stays shut.

Each check is one question with a threshold from the config. The side that is sure decides: a floor
is held against the lower end of the 95% interval, a margin against the end that is worse, so a set
too small to show something does not pass. "Not worse on every task" needs no correction for many
tasks (an intersection–union test); "better than base" uses the corrected p.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from medllm.eval.records import (
    Check,
    Comparison,
    Gate,
    ModelRecord,
    Speed,
    TaskRecord,
)
from medllm.eval.statistics.non_inferiority import non_inferior_mean, non_inferior_shares
from medllm.pipeline.config import GateConfig

ALPHA = 0.05
_COMPARABLE = 0.5  # share of the items that the base must have a score for to be compared with


class Evidence:
    """What the gate looks at."""

    def __init__(
        self,
        config: GateConfig,
        tasks: Sequence[TaskRecord],
        models: Sequence[ModelRecord],
        comparisons: Sequence[Comparison],
        speeds: Sequence[Speed],
        template_is_trained: bool,
    ) -> None:
        """``template_is_trained``: the Modelfile's TEMPLATE is that of the training format."""
        self.config, self.tasks, self.models = config, tasks, models
        self.comparisons, self.speeds = comparisons, speeds
        self.template_is_trained = template_is_trained

    def of_role(self, role: str) -> list[ModelRecord]:
        """The models of a role."""
        return [model for model in self.models if model.role == role]

    @property
    def published(self) -> ModelRecord:
        """The model that the verdict is about first of all."""
        return self.of_role("published")[0]

    def comparison(self, task: str, model: str, against: str) -> Comparison | None:
        """The comparison of two models on a task."""
        for one in self.comparisons:
            if (one.task, one.model, one.against) == (task, model, against):
                return one
        return None


def judge(evidence: Evidence) -> Gate:
    """The verdict: passed when no check that was asked failed."""
    checks = tuple(
        check
        for ask in (
            _template,
            _digests,
            _scored,
            _previous,
            _base,
            _safety,
            _ends,
            _memorisation,
            _quants,
            _speed,
        )
        for check in ask(evidence)
    )
    released = [*evidence.of_role("published"), *evidence.of_role("quant")]
    return Gate(
        passed=all(check.passed for check in checks),
        checks=checks,
        artefacts={model.file.rpartition("/")[2]: model.sha256 for model in released},
    )


def _check(
    name: str,
    model: str,
    threshold: str,
    value: str,
    passed: bool,
    reason: str,
    *,
    task: str | None = None,
    asked: bool = True,
) -> Check:
    return Check(
        name=name,
        task=task,
        model=model,
        threshold=threshold,
        value=value,
        passed=passed,
        asked=asked,
        reason=reason,
    )


def _template(evidence: Evidence) -> Iterator[Check]:
    same = evidence.template_is_trained
    name = evidence.published.name
    yield _check(
        "template",
        name,
        "the training format's",
        "the same" if same else "another",
        same,
        f"{name}: the Modelfile's TEMPLATE is {'that' if same else 'not that'} of training",
    )


def _digests(evidence: Evidence) -> Iterator[Check]:
    for model in evidence.models:
        before, after = model.engine.digest, model.engine.digest_after
        if before is not None:
            yield _check(
                "same model to the end",
                model.name,
                before[:12],
                (after or "none")[:12],
                before == after,
                f"{model.name}: the server's digest was {before[:12]} before and "
                f"{(after or 'none')[:12]} after",
            )


def _scored(evidence: Evidence) -> Iterator[Check]:
    least, model = evidence.config.scored, evidence.published
    for task in evidence.tasks:
        run = model.run(task.name)
        if run is None or not task.gating or not task.items:
            continue
        share = 1 - run.unscored / len(task.items)
        yield _check(
            "items with a score",
            model.name,
            f"at least {least:.0%}",
            f"{share:.1%}",
            share >= least,
            f"{model.name}, {task.name}: {len(task.items) - run.unscored} of {len(task.items)} "
            f"items have a score ({share:.1%}, at least {least:.0%} wanted)"
            + _why_unscored(run.samples),
            task=task.name,
        )


def _why_unscored(samples: Sequence[object]) -> str:
    reasons = [reason for one in samples if (reason := getattr(one, "reason", None))]
    if not reasons:
        return ""
    most = max(dict.fromkeys(reasons), key=reasons.count)
    return f"; most often because {most}"


def _previous(evidence: Evidence) -> Iterator[Check]:
    name, model = "not worse than previous", evidence.published
    found = evidence.of_role("previous")
    if not found:
        yield _check(
            *(name, model.name, "the last release", "none", True),
            f"{model.name}: no last release is named (eval.previous), so none was compared with",
            asked=False,
        )
        return
    for task in evidence.tasks:
        if task.gating and task.kind != "memorisation":
            yield _not_worse(evidence, task, model, found[0])


def _not_worse(evidence: Evidence, task: TaskRecord, model: ModelRecord, old: ModelRecord) -> Check:
    name = "not worse than previous"
    nats = task.measure.unit == "nats a token"
    margin = evidence.config.loss_margin if nats else evidence.config.margin
    allowed = _amount(task, margin)
    ours, theirs = model.run(task.name), old.run(task.name)
    rows = [
        (item.cluster, one.score, other.score, one.weight)
        for item, one, other in zip(
            task.items,
            ours.samples if ours else (),
            theirs.samples if theirs else (),
            strict=False,
        )
        if one.score is not None and other.score is not None
    ]
    if not rows:
        return _check(
            *(name, model.name, f"at most {allowed} worse", "nothing in common", True),
            f"{model.name}, {task.name}: {old.name} has no score to compare with",
            task=task.name,
            asked=False,
        )
    clusters = [row[0] for row in rows]
    if task.measure.binary:
        found = non_inferior_shares(
            [row[1] >= 1 for row in rows], [row[2] >= 1 for row in rows], margin, clusters
        )
    else:
        sign = 1 if task.measure.better == "higher" else -1
        steps = [sign * (one - other) * weight for _, one, other, weight in rows]
        found = non_inferior_mean(steps, margin, clusters, [row[3] for row in rows])
    worse = _amount(task, max(-found.lower, 0.0))
    return _check(
        name,
        model.name,
        f"at most {allowed} worse",
        f"may be {worse} worse",
        found.shown,
        f"{model.name}, {task.name}: {_signed(task, found.difference)} against {old.name}; it may "
        f"be up to {worse} worse, {allowed} are allowed",
        task=task.name,
    )


def _base(evidence: Evidence) -> Iterator[Check]:
    base, model = evidence.of_role("base")[0], evidence.published
    for task in evidence.tasks:
        if task.name not in evidence.config.claims:
            continue
        found = evidence.comparison(task.name, model.name, base.name)
        if found is None or found.items < _COMPARABLE * len(task.items):
            yield _better_than_floor(task, model, base, found)
            continue
        sure = found.high < 0 if task.measure.better == "lower" else found.low > 0
        p = found.p_adjusted
        passed = sure and (p is None or p < ALPHA)
        value = _signed(task, found.difference.value)
        shown = f"{value}" + (f", p {p:.2g}" if p is not None else "")
        yield _check(
            "better than base",
            model.name,
            f"better, p < {ALPHA:g}",
            shown,
            passed,
            f"{model.name}, {task.name}: {value} against {base.name} "
            f"({_signed(task, found.low)} to {_signed(task, found.high)}"
            + (f"; p {p:.2g} after correction" if p is not None else "")
            + f"): it is {'' if passed else 'not shown to be '}better",
            task=task.name,
        )


def _better_than_floor(
    task: TaskRecord, model: ModelRecord, base: ModelRecord, found: Comparison | None
) -> Check:
    """A base without scores proves nothing: what knows nothing must be beaten instead."""
    run, floor = model.run(task.name), task.floor
    common = found.items if found else 0
    why = f"{base.name} has a score for {common} of {len(task.items)} items only"
    score = run.score if run else None
    passed = score is not None and floor is not None and score.low > floor
    low = "none" if score is None else f"{score.low:.1%}"
    wanted = "a floor, and there is none" if floor is None else f"{floor:.1%}, one letter for all"
    return _check(
        "better than base",
        model.name,
        f"over {wanted}",
        low,
        passed,
        f"{model.name}, {task.name}: {why}, so it is held against {wanted}: its lower end is {low}",
        task=task.name,
    )


def _safety(evidence: Evidence) -> Iterator[Check]:
    model = evidence.published
    task = next((one for one in evidence.tasks if one.name == "safety"), None)
    run = model.run(task.name) if task else None
    for category, floor in evidence.config.safety.items():
        found = run.groups.get(category) if run else None
        low = "not asked" if found is None else f"{found.low:.1%}"
        passed = found is not None and found.low >= floor
        said = (
            f"no {category} case was asked"
            if found is None
            else f"{found.value:.1%} of {found.items} {category} cases pass (lower end {low}), "
            f"at least {floor:.0%} wanted"
        )
        yield _check(
            f"safety floor: {category}",
            model.name,
            f"at least {floor:.0%}",
            low,
            passed,
            f"{model.name}, safety: {said}",
            task="safety",
        )


def _ends(evidence: Evidence) -> Iterator[Check]:
    model, least = evidence.published, evidence.config.ends
    task = next((one for one in evidence.tasks if one.kind == "ends by itself"), None)
    run = model.run(task.name) if task else None
    score = run.score if run else None
    if least == 0:
        return
    low = "not asked" if score is None else f"{score.low:.1%}"
    shown = "no reply was asked for" if score is None else f"{score.value:.1%} of {score.items} end"
    yield _check(
        "ends by itself",
        model.name,
        f"at least {least:.0%}",
        low,
        score is not None and score.low >= least,
        f"{model.name}: {shown} (lower end {low}), at least {least:.0%} wanted",
        task=task.name if task else "ends",
    )


def _memorisation(evidence: Evidence) -> Iterator[Check]:
    model = evidence.published
    for task in evidence.tasks:
        run = model.run(task.name)
        if task.kind != "memorisation" or run is None:
            continue
        said = sum(sample.score is not None and sample.score > 0 for sample in run.samples)
        yield _check(
            "no identifier said back",
            model.name,
            "0",
            str(said),
            said == 0,
            f"{model.name}, {task.name}: {said} of {len(run.samples)} secrets or identifiers of "
            "the training data were said back word for word",
            task=task.name,
        )


def _quants(evidence: Evidence) -> Iterator[Check]:
    source, most = evidence.of_role("source"), evidence.config.quant_loss
    task = next((one for one in evidence.tasks if one.kind == "loss"), None)
    if not source or task is None:
        return
    for model in [*evidence.of_role("published"), *evidence.of_role("quant")]:
        found = evidence.comparison(task.name, model.name, source[0].name)
        if found is None:
            continue
        yield _check(
            "like its source",
            model.name,
            f"at most {most:g} nats a token more",
            f"{found.difference.value:+.4f}, up to {found.high:+.4f}",
            found.high <= most,
            f"{model.name}: its loss is {found.difference.value:+.4f} nats a token against "
            f"{source[0].name} and may be {found.high:+.4f}, {most:g} are allowed",
            task=task.name,
        )


def _speed(evidence: Evidence) -> Iterator[Check]:
    least, model = evidence.config.tokens_per_second, evidence.published
    if least is None:
        return
    speeds = [one.tokens_per_second for one in evidence.speeds if one.model == model.name]
    found = median(speed for speed in speeds if speed) if any(speeds) else None
    shown = "not measured" if found is None else f"{found:.1f}"
    yield _check(
        "speed",
        model.name,
        f"at least {least:g} tokens/s",
        shown,
        found is not None and found >= least,
        f"{model.name}: {shown} tokens a second here, at least {least:g} wanted",
    )


def _amount(task: TaskRecord, value: float) -> str:
    if task.measure.unit == "share":
        return f"{100 * value:.1f} points"
    return f"{value:.4f}" + (" nats" if task.measure.unit == "nats a token" else "")


def _signed(task: TaskRecord, value: float) -> str:
    if task.measure.unit == "share":
        return f"{100 * value:+.1f} points"
    return f"{value:+.4f}" + (" nats" if task.measure.unit == "nats a token" else "")
