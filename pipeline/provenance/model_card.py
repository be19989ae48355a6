"""The model card: what a released model is, what it was made of, how it scores, what it is not.

Sections after Mitchell et al., "Model Cards for Model Reporting", arXiv 1810.03993. Every number
comes from a manifest or a report of the run; the same run gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

from medllm.eval.records import Difference
from medllm.eval.report.text import score_text
from medllm.pipeline.data.reporting.card import PUBLISHING
from medllm.pipeline.markdown import plain, table
from medllm.pipeline.provenance.facts import ReleaseFacts

MODEL_CARD = "MODEL_CARD.md"
USE = (
    "Research on, and supervised trials of, a language model that drafts text for clinicians: "
    "how such a model asks, explains and words things, checked by a clinician who answers for it.",
    "Made to run on the clinic's own computer, with no network.",
)
NOT_FOR = (
    "It is no medical device, and nobody has cleared it as one.",
    "Not for diagnosis, triage, dosing or any decision about a patient without a clinician who "
    "checks every word and answers for it.",
    "Not for patients on their own, and not for emergencies: call the emergency number.",
    "Not a source of facts: it can be wrong, outdated or inventive in perfect prose.",
)
LIMITS = (
    "What it was trained on was checked by programs, not by physicians.",
    "Programs that replace identifiers miss some, and a model can repeat what it was trained on.",
    "Questions with letters to choose from are not consultations. A good score is no clearance.",
    "It knows nothing newer than its base and its data, and nothing of local formularies.",
    "It was not measured how well it does for groups of patients that the data represent poorly.",
)


def model_card(facts: ReleaseFacts) -> str:
    """The card in Markdown."""
    return "\n".join(_lines(facts)).rstrip() + "\n"


def _lines(facts: ReleaseFacts) -> Iterator[str]:
    yield f"# Model card of {facts.name}\n"
    yield (
        f"A fine-tune of {plain(facts.base)} on medical dialogues, as a {facts.quant} GGUF of "
        f"{facts.file.bytes / 1e6:,.1f} MB for Ollama. "
        f"SHA-256 of the file: `{facts.file.sha256}`.\n"
    )
    yield "## Intended use\n"
    yield from (f"- {sentence}" for sentence in USE)
    yield "\n## What it is not\n"
    yield from (f"- {sentence}" for sentence in NOT_FOR)
    yield from _data(facts)
    yield from _training(facts)
    yield from _evaluation(facts)
    yield from _fidelity(facts)
    yield "\n## Memory\n"
    yield (
        f"About {facts.memory.total / 2**30:.1f} GiB while it answers, by calculation: "
        f"{facts.memory.weights / 2**20:,.0f} MiB of weights, {facts.memory.kv_cache / 2**20:,.0f} "
        f"MiB of KV cache for {facts.context:,} tokens, {facts.memory.compute / 2**20:,.0f} MiB of "
        "buffers; the operating system and its programs come on top.\n"
    )
    yield "## Limits\n"
    yield from (f"- {sentence}" for sentence in LIMITS)
    yield from _origin(facts)


def _data(facts: ReleaseFacts) -> Iterator[str]:
    data = facts.data
    total = sum(split.dialogues for split in data.splits.values())
    yield (
        f"\n## Data and terms\n\n{total:,} dialogues: "
        + ", ".join(f"{split.dialogues:,} {name}" for name, split in data.splits.items())
        + f". **{PUBLISHING[data.strictest]}** (The strictest of the sources' terms.)\n"
    )
    yield from table(
        ("source", "rows kept", "licence", "what binds", "cite"),
        [
            (
                source.title,
                f"{source.rows_kept:,} of {source.rows_read:,}",
                source.terms.licence,
                f"{source.terms.clause} {source.terms.url}",
                source.citation,
            )
            for source in data.sources
        ],
    )
    replaced, left = sum(data.privacy.replaced.values()), sum(data.privacy.residual.values())
    if data.privacy.mode == "off":
        yield "\nIdentifiers of persons were **left in** the training data."
    else:
        yield (
            f"\nIdentifiers of persons: {replaced:,} replaced ({data.privacy.mode}); a second, "
            f"independent scan still finds {left:,} places."
        )
    if data.evaluation_sets:
        yield (
            f"\nNo training dialogue repeats a question of {len(data.evaluation_sets)} evaluation "
            "sets (compared by words; a paraphrase is not found)."
        )


def _training(facts: ReleaseFacts) -> Iterator[str]:
    train = facts.manifests["train"]
    yield "\n## Training\n"
    yield (
        "QLoRA (arXiv 2305.14314): a LoRA adapter trained over the base in 4 bits, then merged "
        f"into the 16-bit base. Device: {plain(train.device)}.\n"
    )
    rows = [(key, _setting(value)) for key, value in sorted(train.config.items())]
    yield from table(("setting", "value"), rows)


def _setting(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _evaluation(facts: ReleaseFacts) -> Iterator[str]:
    results = facts.results
    yield "\n## Evaluation\n"
    gate = results.gate
    failed = [check.reason for check in gate.checks if not check.passed]
    if gate.passed:
        yield f"**Passed** all {len(gate.checks)} checks of its gate.\n"
    else:
        yield f"**Not passed**: {len(failed)} of {len(gate.checks)} checks of its gate failed.\n"
        yield from (f"- {plain(reason)}." for reason in failed)
        yield ""
    tasks = [task for task in results.tasks if task.items]
    rows = []
    for model in results.models:
        runs = [(task, model.run(task.name)) for task in tasks]
        name = f"{model.name} (this model)" if model.name == facts.published else model.name
        rows.append((name, *(score_text(task, run.score if run else None) for task, run in runs)))
    headings = [f"{task.name}: {task.measure.name} ({len(task.items)})" for task in tasks]
    yield from table(("model", *headings), rows)
    for one in facts.against_base():
        share = results.task(one.task).measure.unit == "share"
        yield (
            f"\n{plain(one.task)} against {plain(one.against)}, on the same {one.items} items: "
            f"{points_text(one.difference, share=share)}"
            + (f", by case {points_text(one.clustered, share=share)}" if one.clustered else "")
            + "."
        )
    for task in tasks:
        yield f"\n{plain(task.name)}: {task.card.measures} Not measured: {task.card.does_not}"
        if task.floor is not None:
            yield (
                f"\nOne letter said to every question gets {100 * task.floor:.1f}%: what does not "
                "clearly beat that, knows nothing of these questions."
            )
    yield "\nMethods and intervals: EVALUATION.md in the release."


def _fidelity(facts: ReleaseFacts) -> Iterator[str]:
    yield "\n## What quantising cost\n"
    if facts.fidelity is None:
        yield "Not measured for this run."
        return
    report = facts.fidelity
    rows = []
    for quant in report.quants:
        if quant.published:
            kld, same = quant.divergence.mean_kld, quant.divergence.same_top
            mark = " (this model)" if quant.type == facts.quant else ""
            rows.append(
                (
                    f"{quant.type}{mark}",
                    f"{kld.value:.4f} ({kld.low:.4f} to {kld.high:.4f})",
                    f"{100 * same.value:.2f}% ({100 * same.low:.2f} to {100 * same.high:.2f})",
                    f"{quant.ppl_ratio.value:.4f} "
                    f"({quant.ppl_ratio.low:.4f} to {quant.ppl_ratio.high:.4f})",
                )
            )
    yield (
        f"Against its own {report.source_type}, on {report.text.scored:,} held-out tokens; 95% "
        "intervals.\n"
    )
    yield from table(("type", "mean KLD, nats", "same top token", "perplexity ratio"), rows)


def _origin(facts: ReleaseFacts) -> Iterator[str]:
    yield "\n## Origin\n"
    rows = []
    for stage, manifest in facts.manifests.items():
        commit = "unknown"
        if manifest.git:
            commit = manifest.git.commit[:12] + (" + changes" if manifest.git.dirty else "")
        rows.append((stage, commit, str(manifest.seed), manifest.digest()[:16]))
    yield from table(("stage", "medllm's commit", "seed", "digest of its results"), rows)
    packages = facts.manifests["train"].packages
    yield "\nPackages: " + ", ".join(f"{plain(k)} {plain(v)}" for k, v in packages.items()) + "."


def points_text(difference: Difference, *, share: bool) -> str:
    """A difference with its interval, in percentage points or as it is."""
    value, low, high = difference.value, difference.low, difference.high
    if share:
        return f"{100 * value:+.1f} ({100 * low:+.1f} to {100 * high:+.1f}) percentage points"
    return f"{value:+.4f} ({low:+.4f} to {high:+.4f})"
