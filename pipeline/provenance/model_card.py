"""The model card: what a released model is, what it was made of, how it scores, what it is not.

Sections after Mitchell et al., "Model Cards for Model Reporting", arXiv 1810.03993. Every number
comes from a manifest or a report of the run; the same run gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

from medllm.eval.records import Difference, Share
from medllm.eval.results import Score
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
    results, against = facts.results, facts.against_base()
    yield "\n## Evaluation\n"
    rows = [
        (
            f"{one.name} (this model)" if one.name == facts.published else one.name,
            share_text(one.accuracy),
            _loss(one),
            f"{one.ends_by_itself.count} of {one.ends_by_itself.items}"
            if one.ends_by_itself
            else "not measured",
        )
        for one in results.scores
    ]
    yield from table(
        ("model", "right (95% interval)", "loss, nats a token", "ends by itself"), rows
    )
    if against and against.accuracy:
        yield (
            f"\nAgainst {plain(against.against)}, on the same questions: "
            f"{_points(against.accuracy)} percentage points"
            + (f", by condition {_points(against.clustered)}" if against.clustered else "")
            + "."
        )
    if results.one_letter:
        yield (
            f"\nOne letter said to every question gets {100 * results.one_letter.value:.1f}%: "
            "what does not clearly beat that, knows nothing of these questions."
        )
    questions = plain(results.questions) if results.questions else "none were configured"
    yield f"\nQuestions: {questions}. Methods and intervals: EVALUATION.md in the release."


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


def share_text(share: Share | None) -> str:
    """A share in percent with its interval."""
    if share is None:
        return "not measured"
    return (
        f"{100 * share.value:.1f}% ({100 * share.low:.1f} to {100 * share.high:.1f}; "
        f"{share.items} questions)"
    )


def _loss(score: Score) -> str:
    return f"{score.loss.nats:.4f}" if score.loss else "not measured"


def _points(difference: Difference) -> str:
    return (
        f"{100 * difference.value:+.1f} ({100 * difference.low:+.1f} to "
        f"{100 * difference.high:+.1f})"
    )
