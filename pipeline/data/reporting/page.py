"""report.md, and the picture of the lengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from medllm.pipeline.data.reporting.report import PrepareReport, PrivacyReport
from medllm.pipeline.data.split import SPLITS


def markdown(report: PrepareReport) -> str:
    """The report as a person reads it."""
    return "\n".join(_markdown(report)) + "\n"


def plot_lengths(folder: Path, tokens: Sequence[int]) -> None:
    """Draw lengths.png and lengths.svg: how many dialogues have how many tokens."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # No date and no random ids: the same dialogues draw the same bytes.
    with mpl.rc_context({"svg.hashsalt": "medllm"}):
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        width = max(tokens) // 50 + 1  # whole tokens: other widths count unequal numbers of them
        axes.hist(tokens, bins=range(0, max(tokens) + width + 1, width), color="#2a6f97")
        axes.set(xlabel="tokens of the rendered dialogue", ylabel="dialogues")
        axes.set_xlim(left=0)
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(folder / "lengths.png", dpi=150)
        figure.savefig(folder / "lengths.svg", metadata={"Date": None})


def _markdown(report: PrepareReport) -> Iterator[str]:
    yield f"# Prepared dialogues\n\nSeed {report.seed}, prompt format {report.format}.\n"
    yield "## Rows\n\n| source | place | weight | read | kept | dropped |"
    yield "|---|---|---:|---:|---:|---:|"
    for source in report.sources:
        dropped = source.rows_read - source.rows_kept
        yield (
            f"| {source.name} | {source.place} | {source.weight:g} | {source.rows_read:,} "
            f"| {source.rows_kept:,} | {dropped:,} |"
        )
    if any(source.dropped for source in report.sources):
        yield "\n## Dropped rows\n\n| place | kind | reason | rows | first at |"
        yield "|---|---|---|---:|---|"
        for source in report.sources:
            for drop in source.dropped:
                yield (
                    f"| {source.place} | {drop.kind} | {drop.reason} | {drop.rows:,} "
                    f"| {drop.first} |"
                )
    if any(source.changes for source in report.sources):
        yield "\n## Changes to kept dialogues\n\n| place | change | times |\n|---|---|---:|"
        for source in report.sources:
            for change, count in source.changes.items():
                yield f"| {source.place} | {change} | {count:,} |"
    yield from _privacy(report.privacy)
    duplicates = report.duplicates
    yield (
        f"\n## Duplicates\n\nA dialogue was dropped from a Jaccard similarity of "
        f"{duplicates.threshold:g} (word trigrams) to an earlier one. Linked dialogues share a "
        f"split: {duplicates.groups:,} groups, {duplicates.largest_group:,} dialogues in the "
        f"largest; at most {duplicates.uncompared:,} pairs were not compared."
    )
    if report.evaluation_sets:
        yield "\n## Kept apart from evaluation\n\n| set | sha256 |\n|---|---|"
        for path, digest in report.evaluation_sets.items():
            yield f"| {path} | {digest} |"
    yield f"\n## Terms\n\nA public push needs: {report.strictest}.\n"
    yield "| source | licence | what binds | a public push |\n|---|---|---|---|"
    for name, terms in {source.name: source.terms for source in report.sources}.items():
        yield f"| {name} | {terms.licence} | {terms.clause} ({terms.url}) | {terms.publish} |"
    yield "\n## Splits\n\n| split | dialogues | by source | turns | with system message |"
    yield "|---|---:|---|---:|---:|"
    for name in SPLITS:
        split = report.splits[name]
        by_source = ", ".join(f"{source} {n:,}" for source, n in split.by_source.items())
        yield (
            f"| {name} | {split.dialogues:,} | {by_source} | {split.turns:,} "
            f"| {split.with_system:,} |"
        )
    yield "\n## Lengths of a dialogue\n\n| split | in | median | p90 | p99 | max |"
    yield "|---|---|---:|---:|---:|---:|"
    for name in SPLITS:
        split = report.splits[name]
        for unit, found in (("characters", split.characters), ("tokens", split.tokens)):
            yield (
                f"| {name} | {unit} | {found.median:,} | {found.p90:,} | {found.p99:,} "
                f"| {found.max:,} |"
            )
    yield "\n![tokens of the rendered dialogue](lengths.svg)"


def _privacy(privacy: PrivacyReport) -> Iterator[str]:
    yield f"\n## Identifiers\n\nMode {privacy.mode}."
    if privacy.replaced:
        yield (
            f" Replaced in {privacy.dialogues:,} dialogues; nobody can promise that none is left."
            "\n\n| type | replaced |\n|---|---:|"
        )
        for kind, count in privacy.replaced.items():
            yield f"| {kind} | {count:,} |"
    if privacy.residual:
        yield "\nA second scan of other make finds:\n\n| what | times | first at |\n|---|---:|---|"
        for kind, count in privacy.residual.items():
            yield f"| {kind} | {count:,} | {privacy.residual_first[kind]} |"
