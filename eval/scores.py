"""From samples to scores, and from two models' scores to what may be said of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from medllm.eval.records import (
    Comparison,
    Difference,
    Estimate,
    Item,
    ModelRecord,
    Sample,
    TaskRecord,
    TaskRun,
)
from medllm.eval.statistics.clustered import clustered_mean, clustered_share, clustered_sign_flip
from medllm.eval.statistics.multiplicity import holm
from medllm.eval.statistics.paired import (
    PairedCounts,
    mcnemar,
    paired_bootstrap,
    paired_difference,
)
from medllm.eval.statistics.power import detectable_mean, detectable_paired_shares
from medllm.eval.statistics.proportions import wilson


def task_run(task: TaskRecord, samples: tuple[Sample, ...], measures: dict[str, float]) -> TaskRun:
    """Sum up what one model did on a task."""
    pairs = list(zip(task.items, samples, strict=True))
    groups: dict[str, list[tuple[Item, Sample]]] = {}
    for item, sample in pairs:
        groups.setdefault(item.group, []).append((item, sample))
    summed = {name: estimate(task, part) for name, part in groups.items()}
    return TaskRun(
        task=task.name,
        samples=samples,
        score=estimate(task, pairs),
        groups={name: one for name, one in summed.items() if one} if len(groups) > 1 else {},
        unscored=sum(sample.score is None for sample in samples),
        measures={name: round(value, 6) for name, value in measures.items()},
    )


def estimate(task: TaskRecord, pairs: Sequence[tuple[Item, Sample]]) -> Estimate | None:
    """The mean of the scored samples and its 95% interval; None when nothing was scored."""
    scored = [(item.cluster, s.score, s.weight) for item, s in pairs if s.score is not None]
    if not scored:
        return None
    clusters = [cluster for cluster, _, _ in scored]
    alone = len(set(clusters)) == len(clusters)
    if task.measure.binary:
        right = [score >= 1 for _, score, _ in scored]
        value = sum(right) / len(right)
        interval = wilson(sum(right), len(right)) if alone else clustered_share(right, clusters)
        method = "Wilson" if alone else "Wilson, clustered"
        return Estimate(
            value=value, low=interval.low, high=interval.high, items=len(right), method=method
        )
    weights = [weight for _, _, weight in scored]
    found = clustered_mean([score * w for _, score, w in scored], clusters, weights)
    if found.clusters < 2:
        return Estimate(
            value=found.value, low=found.value, high=found.value, items=len(scored), method="none"
        )
    low, high = found.interval()
    return Estimate(
        value=found.value,
        low=low,
        high=high,
        items=len(scored),
        method="Student's t" if alone else "Student's t, clustered",
    )


def compare(
    task: TaskRecord, model: ModelRecord, against: ModelRecord, seed: int
) -> Comparison | None:
    """Two models on the items that both have a score for; None when there are none."""
    ours, theirs = model.run(task.name), against.run(task.name)
    if ours is None or theirs is None:
        return None
    rows = [
        (item.cluster, one.score, other.score, one.weight)
        for item, one, other in zip(task.items, ours.samples, theirs.samples, strict=True)
        if one.score is not None and other.score is not None
    ]
    if not rows:
        return None
    clusters = [cluster for cluster, _, _, _ in rows]
    steps = [(one - other) * weight for _, one, other, weight in rows]
    weights = [weight for _, _, _, weight in rows]
    value = sum(steps) / sum(weights)
    alone = len(set(clusters)) == len(clusters)
    whole: dict[str, Any] = {
        "task": task.name,
        "model": model.name,
        "against": against.name,
        "items": len(rows),
        "left_out": len(task.items) - len(rows),
    }
    drawn = paired_bootstrap(steps, weights, seed=seed, clusters=clusters)
    by_cluster = Difference(value=value, low=drawn.low, high=drawn.high)
    if task.measure.binary:
        counts = PairedCounts.of([r[1] >= 1 for r in rows], [r[2] >= 1 for r in rows])
        interval = paired_difference(counts)
        return Comparison(
            **whole,
            difference=Difference(value=value, low=interval.low, high=interval.high),
            method="Newcombe 10",
            clustered=None if alone else by_cluster,
            p=mcnemar(counts) if alone else clustered_sign_flip(steps, clusters, seed=seed),
            only_model_right=counts.first_only,
            only_against_right=counts.second_only,
            detectable=detectable_paired_shares(len(rows), counts.first_only + counts.second_only),
        )
    error = clustered_mean(steps, clusters, weights).standard_error
    return Comparison(
        **whole,
        difference=by_cluster,
        method="paired bootstrap" if alone else "paired bootstrap over clusters",
        p=clustered_sign_flip(steps, clusters, seed=seed),
        detectable=detectable_mean(error) if math.isfinite(error) else None,
    )


def compare_all(
    tasks: Sequence[TaskRecord], models: Sequence[ModelRecord], seed: int
) -> tuple[Comparison, ...]:
    """Every model against the base, the last release and its own source, corrected together.

    The p values are adjusted over the tasks of one pair of models (Holm).
    """
    found: list[Comparison] = []
    for against in models:
        if against.role not in ("base", "previous", "source"):
            continue
        for model in models:
            if model is against or (against.role != "base" and model.role == "base"):
                continue
            if against.role == "source" and model.role not in ("published", "quant"):
                continue
            pairs = [compare(task, model, against, seed) for task in tasks]
            found += _adjusted([one for one in pairs if one])
    return tuple(found)


def _adjusted(comparisons: list[Comparison]) -> list[Comparison]:
    tested = [one.p for one in comparisons if one.p is not None]
    adjusted = iter(holm(tested))
    return [
        one if one.p is None else one.model_copy(update={"p_adjusted": next(adjusted)})
        for one in comparisons
    ]
