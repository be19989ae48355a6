"""The data card: what a model was trained on, for whoever uses it, publishes it or asks.

Sections after Gebru et al., "Datasheets for Datasets", arXiv 1803.09010, as far as a program knows
them. The same facts give the same bytes: no dates, no machine, no order of a set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from medllm.pipeline.data.reporting.card_page import page
from medllm.pipeline.data.reporting.report import PrepareReport
from medllm.pipeline.data.schema import Dialogue
from medllm.pipeline.data.split import SPLITS
from medllm.pipeline.files import write_atomically
from medllm.pipeline.markdown import plain, table
from medllm.pipeline.sources.record import Publish

PUBLISHING: dict[Publish, str] = {
    "allowed": "May be published with the attribution that the terms ask for.",
    "acknowledge": "May be published once the maintainer has acknowledged the terms in the config.",
    "review": "Must not be published before somebody has reviewed the rights and recorded it.",
    "forbidden": "Must never be published.",
}
USE = (
    "Made to fine-tune a language model on how patients ask and doctors answer, for research and "
    "for evaluation under the eyes of clinicians.",
    "Not made for diagnosis, triage, dosing or any decision about a patient without a clinician "
    "who answers for it.",
)
LIMITS = (
    "Nobody has checked the answers medically. Some are wrong, outdated or valid in one country "
    "only, and a model learns them like the others.",
    "Who writes to such services is no sample of those who fall ill: ages, countries, languages "
    "and conditions are represented as they happened to be.",
    "Cleaning removes sentences by rules, and rules err: the counts above say how often each did "
    "something.",
    "Near duplicates and overlap with evaluation sets are found by their words. A paraphrase is "
    "not found.",
)
_SCRUBBED = (
    "Identifiers were replaced by programs. Programs miss some: treat the data as if it still held "
    "a few."
)
_NOT_SCRUBBED = (
    "Identifiers were left in: these dialogues may name patients, and no example is shown here."
)
_PLANTED = (
    "{lines} lines of train are canaries: invented record numbers of invented people, planted to "
    "measure whether the model memorises."
)
_SHOWN = 1200  # characters of a message in an example


class CardFacts(BaseModel):
    """All that the card says, so that it can be written again without the data."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    run: str = Field(min_length=1, description="name of the run")
    config_digest: str = Field(pattern=r"^[0-9a-f]{64}$", description="sha256 of the config")
    report: PrepareReport
    tokens: tuple[int, ...] = Field(description="length of every dialogue, over all splits")
    specialties: dict[str, int] = Field({}, description="as sources state them -> dialogues")
    examples: tuple[Dialogue, ...] = Field((), description="of the train split, as written there")

    @property
    def shown(self) -> tuple[Dialogue, ...]:
        """The examples that may be seen: none where identifiers were left in."""
        return () if self.report.privacy.mode == "off" else self.examples

    @property
    def limits(self) -> tuple[str, ...]:
        """What a user of the data must know, in sentences."""
        off = self.report.privacy.mode == "off"
        planted = self.report.splits["train"].by_source.get("canary")
        return (
            _NOT_SCRUBBED if off else _SCRUBBED,
            *LIMITS,
            *((_PLANTED.format(lines=planted),) if planted else ()),
        )


def write_card(folder: Path, facts: CardFacts) -> None:
    """Write card.md and card.html into an existing folder."""
    write_atomically(folder / "card.md", "\n".join(_markdown(facts)).rstrip() + "\n")
    write_atomically(
        folder / "card.html",
        page(
            facts,
            publishing=PUBLISHING,
            use=USE,
            limits=facts.limits,
            examples=[_messages(dialogue) for dialogue in facts.shown],
        ),
    )


def _markdown(facts: CardFacts) -> Iterator[str]:
    report = facts.report
    dialogues = sum(split.dialogues for split in report.splits.values())
    yield f"# Data card of {plain(facts.run)}\n"
    yield (
        f"{dialogues:,} dialogues from {len(report.sources)} sources; prompt format "
        f"{report.format}, seed {report.seed}, config `{facts.config_digest[:12]}`.\n"
    )
    yield f"**Publishing.** {PUBLISHING[report.strictest]} (The strictest of the sources' terms.)\n"
    yield "## Intended use\n"
    yield from (f"- {sentence}" for sentence in USE)
    yield "\n## Sources and terms\n"
    yield from table(
        ("source", "licence", "what binds", "publishing", "cite"),
        [
            (
                s.title,
                s.terms.licence,
                f"{s.terms.clause} {s.terms.url}",
                s.terms.publish,
                s.citation,
            )
            for s in report.sources
        ],
    )
    yield "\n## Rows\n"
    yield from table(
        ("source", "place", "weight", "read", "kept", "dropped"),
        [
            (s.name, s.place, f"{s.weight:g}", f"{s.rows_read:,}", f"{s.rows_kept:,}",
             f"{s.rows_read - s.rows_kept:,}")
            for s in report.sources
        ],
    )  # fmt: skip
    drops = [(s.name, d.kind, d.reason, f"{d.rows:,}") for s in report.sources for d in s.dropped]
    if drops:
        yield "\n### Dropped, by rule\n"
        yield from table(("source", "kind", "rule", "rows"), drops)
    changes = [(s.name, rule, f"{n:,}") for s in report.sources for rule, n in s.changes.items()]
    if changes:
        yield "\n### Changed, by rule\n"
        yield from table(("source", "rule", "times"), changes)
    yield "\n## Splits\n"
    yield from table(
        ("split", "dialogues", "turns", "median tokens", "longest"),
        [
            (name, f"{split.dialogues:,}", f"{split.turns:,}", f"{split.tokens.median:,}",
             f"{split.tokens.max:,}")
            for name in SPLITS
            for split in (report.splits[name],)
        ],
    )  # fmt: skip
    yield "\n## Lengths\n"
    yield from table(("tokens", "dialogues"), histogram(facts.tokens))
    if facts.specialties:
        yield "\n## Specialties, as the sources state them\n"
        yield from table(
            ("specialty", "dialogues"),
            [(k, f"{n:,}") for k, n in sorted(facts.specialties.items())],
        )
    yield from _protection(facts)
    yield "\n## Limits\n"
    yield from (f"- {sentence}" for sentence in facts.limits)
    if facts.shown:
        yield "\n## Examples from train\n\nAfter identifiers were replaced; not medical advice.\n"
        for dialogue in facts.shown:
            for role, text in _messages(dialogue):
                yield f"> **{role}:** {plain(text)}\n>"
            yield ""


def _protection(facts: CardFacts) -> Iterator[str]:
    privacy, duplicates = facts.report.privacy, facts.report.duplicates
    yield f"\n## Identifiers\n\nMode: {privacy.mode}. "
    if privacy.replaced:
        yield f"Replaced in {privacy.dialogues:,} dialogues:\n"
        yield from table(("type", "replaced"), [(k, f"{n:,}") for k, n in privacy.replaced.items()])
    if privacy.residual:
        yield "\nAn independent scan of the finished files still finds:\n"
        yield from table(("what", "times"), [(k, f"{n:,}") for k, n in privacy.residual.items()])
    elif privacy.mode != "off":
        yield "\nAn independent scan of the finished files finds nothing it knows."
    yield (
        f"\n## Duplicates and evaluation\n\nNear duplicates (Jaccard similarity of word trigrams "
        f"from {duplicates.threshold:g}) are dropped or share a split: {duplicates.groups:,} "
        f"groups, {duplicates.largest_group:,} dialogues in the largest. At most "
        f"{duplicates.uncompared:,} pairs were not compared.\n"
    )
    if facts.report.evaluation_sets:
        yield "No training dialogue repeats a question of:\n"
        yield from table(
            ("evaluation set", "sha256"),
            [(path, digest[:16]) for path, digest in facts.report.evaluation_sets.items()],
        )
    else:
        yield "The dialogues were compared with no evaluation set."


def histogram(tokens: Sequence[int], bins: int = 12) -> list[tuple[str, str]]:
    """At most ``bins`` ranges of whole tokens with the number of dialogues in each."""
    if not tokens:
        return []
    width = max(tokens) // bins + 1
    counts = [0] * (max(tokens) // width + 1)
    for count in tokens:
        counts[count // width] += 1
    return [(f"{i * width:,} to {(i + 1) * width - 1:,}", f"{n:,}") for i, n in enumerate(counts)]


def _messages(dialogue: Dialogue) -> list[tuple[str, str]]:
    names = {"user": "Patient", "assistant": "Doctor", "system": "System"}
    return [
        (names[m.role], m.content if len(m.content) <= _SHOWN else m.content[:_SHOWN] + " […]")
        for m in dialogue.messages
    ]
