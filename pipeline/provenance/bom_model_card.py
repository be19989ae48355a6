"""CycloneDX's modelCard object, from the same facts and sentences as the Markdown card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from medllm.pipeline.provenance.facts import ReleaseFacts
from medllm.pipeline.provenance.model_card import LIMITS, NOT_FOR, USE


def model_card_object(facts: ReleaseFacts, data_refs: Sequence[str]) -> dict[str, Any]:
    """The object; ``data_refs`` are the bom-refs of the datasets."""
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": "text generation, dialogue",
            "architectureFamily": "transformer network",
            "modelArchitecture": facts.gguf.architecture,
            "datasets": [{"ref": ref} for ref in data_refs],
            "inputs": [{"format": "text"}],
            "outputs": [{"format": "text"}],
        },
        "quantitativeAnalysis": {"performanceMetrics": list(_metrics(facts))},
        "considerations": {
            "users": ["clinicians and researchers; never a patient alone"],
            "useCases": list(USE),
            "technicalLimitations": [*NOT_FOR, *LIMITS],
        },
        "properties": [
            {"name": f"medllm:train:{key}", "value": str(value)}
            for key, value in sorted(facts.manifests["train"].config.items())
        ],
    }


def _metrics(facts: ReleaseFacts) -> Iterator[dict[str, Any]]:
    tasks = {task.name: task for task in facts.results.tasks}
    for model in facts.results.models:
        for run in model.runs:
            if run.score:
                kind = f"{run.task}: {tasks[run.task].measure.name}"
                yield _metric(kind, model.name, run.score.value, run.score.low, run.score.high)
    for quant in facts.fidelity.quants if facts.fidelity else ():
        if quant.published:
            for name, found in (
                ("mean KL divergence from full precision, nats", quant.divergence.mean_kld),
                ("same top token as full precision", quant.divergence.same_top),
            ):
                yield _metric(name, quant.type, found.value, found.low, found.high)


def _metric(
    kind: str, model: str, value: float, low: float | None = None, high: float | None = None
) -> dict[str, Any]:
    metric: dict[str, Any] = {"type": kind, "slice": model, "value": f"{value:.6g}"}
    if low is not None and high is not None:
        metric["confidenceInterval"] = {"lowerBound": f"{low:.6g}", "upperBound": f"{high:.6g}"}
    return metric
