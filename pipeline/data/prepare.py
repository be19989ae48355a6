"""Stage prepare: datasets to train, validation and test dialogues.

Two passes. The first takes each row by itself, in several processes: an adapter turns it into a
dialogue, the dialogue is cleaned, held against the evaluation sets and de-identified
(``candidates``). The second looks at all of them: duplicates go, linked dialogues are kept
together, caps and weights are drawn, and the lines are written (``select``). Memory holds about
200 bytes a dialogue, never the dialogues.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from medllm.pipeline.config import PrepareConfig, RunPaths
from medllm.pipeline.data import candidates
from medllm.pipeline.data.canaries import FILE as SECRETS
from medllm.pipeline.data.canaries import (
    SOURCE,
    Canary,
    Secrets,
    SurrogateSample,
    make_canaries,
)
from medllm.pipeline.data.clean import Examples
from medllm.pipeline.data.pool import Pool
from medllm.pipeline.data.reporting.card import CardFacts, write_card
from medllm.pipeline.data.reporting.page import markdown, plot_lengths
from medllm.pipeline.data.reporting.report import PrepareReport, PrivacyReport
from medllm.pipeline.data.reporting.tally import SourceTally, SplitTally
from medllm.pipeline.data.schema import Dialogue, fault
from medllm.pipeline.data.second_look import second_look
from medllm.pipeline.data.select import Left, Selection, select
from medllm.pipeline.data.split import SPLITS, Split
from medllm.pipeline.data.store import CandidateStore
from medllm.pipeline.data.tokens import token_counter
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file
from medllm.pipeline.machine import cpus
from medllm.pipeline.manifest import Manifest, Work, stage
from medllm.pipeline.prompts import FORMATS
from medllm.pipeline.sources import read_source, source
from medllm.pipeline.sources.files import data_files

_MOST_WORKERS = 8  # each holds about 200 MB of word lists
_WORTH_A_WORKER = 8 * 2**20  # bytes of datasets; a process takes two seconds to start


def prepare(config: PrepareConfig, paths: RunPaths) -> Manifest:
    """Write train.jsonl, validation.jsonl, test.jsonl, a report, a data card and review.md.

    The same files, config and base give the same bytes, with any number of processes. Raises
    MedllmError for a source that is missing, empty or broken beyond ``max_bad_share``, and for a
    split without dialogues.
    """
    _check(config)
    files = _inputs(config)
    size = sum(path.stat().st_size for path in files.values())
    workers = min(cpus(), _MOST_WORKERS, 1 + size // _WORTH_A_WORKER)

    def body(work: Work) -> None:
        report = write_dialogues(config, paths.root.name, work.dir, work.inputs["base"], workers)
        work.report |= {name: split.dialogues for name, split in report.splits.items()}
        work.report["rows_read"] = sum(source.rows_read for source in report.sources)
        dropped: Counter[str] = Counter()
        for one in report.sources:
            dropped.update({drop.reason: drop.rows for drop in one.dropped})
        work.report["rows_dropped"] = dict(dropped)
        work.report["longest_tokens"] = max(s.tokens.max for s in report.splits.values())
        work.report["terms"] = {one.name: one.terms.publish for one in report.sources}
        work.report["push_needs"] = report.strictest

    return stage("prepare", config, paths, body, files=files, disk_bytes=4 * size)


def write_dialogues(
    config: PrepareConfig, run: str, folder: Path, base: Path, workers: int
) -> PrepareReport:
    """The whole stage into a folder; ``run`` names it on the card, ``base`` is stage base's."""
    tallies = tuple(
        SourceTally(source(item.name), item, item.format or config.format)
        for item in config.sources
    )
    with Pool(workers, candidates.load, config, base) as pool:
        with CandidateStore(folder / ".candidates.jsonl") as store:
            _collect(store, tallies, config, folder, pool)
            selection = select(store, config)
            written = _write(store, selection, config, folder, tallies)
        canaries = _plant(written, config, folder, base)
        left = second_look(config.privacy, folder, pool)
    report = PrepareReport(
        seed=config.seed,
        format=config.format,
        sources=tuple(tally.report() for tally in tallies),
        splits={name: tally.report() for name, tally in written.splits.items()},
        privacy=PrivacyReport(
            mode=config.privacy,
            replaced=dict(sorted(written.replaced.items())),
            dialogues=written.touched,
            residual={kind: count for kind, (count, _) in left.items()},
            residual_first={kind: first for kind, (_, first) in left.items()},
        ),
        duplicates=selection.duplicates,
        evaluation_sets={path.as_posix(): sha256_file(path) for path in config.evaluation_sets},
    )
    _refuse_empty_splits(config, report)
    secrets = Secrets(
        privacy=config.privacy, canaries=canaries, surrogates=written.surrogates.surrogates()
    )
    (folder / SECRETS).write_text(secrets.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (folder / "report.json").write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (folder / "report.md").write_text(markdown(report), encoding="utf-8")
    tokens = tuple(tokens for tally in written.splits.values() for tokens in tally.tokens)
    plot_lengths(folder, tokens)
    digest = hashlib.sha256(config.model_dump_json().encode()).hexdigest()
    examples = tuple(written.examples.values())
    write_card(
        folder,
        CardFacts(run=run, config_digest=digest, report=report, tokens=tokens, examples=examples),
    )
    return report


def _collect(
    store: CandidateStore,
    tallies: Sequence[SourceTally],
    config: PrepareConfig,
    folder: Path,
    pool: Pool,
) -> None:
    """Pass one: candidates into the store, examples of what was done to them into review/."""
    examples = [Examples() for _ in tallies]
    for batch in pool.map(candidates.work, candidates.batches(_rows(tallies))):
        for result in batch.results:
            if isinstance(result, candidates.Gone):
                tallies[result.source].drop(result.kind, result.reason, result.where)
            else:
                store.add(result)
        for number, new in batch.examples.items():
            examples[number].merge(new)
    for tally in tallies:
        _refuse_bad(tally, config.max_bad_share)
    (folder / "review").mkdir()
    for number, (tally, found) in enumerate(zip(tallies, examples, strict=True), start=1):
        found.write(folder / "review" / f"{number}-{tally.source.name}.md")


def _rows(tallies: Sequence[SourceTally]) -> Iterator[candidates.Row]:
    for number, tally in enumerate(tallies):
        rows = read_source(tally.config)
        for result in tqdm(rows, desc=f"prepare {tally.source.name}", unit=" rows", disable=None):
            tally.read += 1
            yield candidates.Row(number, result)


@dataclass
class _Written:
    """What pass two put into the splits."""

    surrogates: SurrogateSample
    splits: dict[Split, SplitTally] = field(
        default_factory=lambda: {n: SplitTally() for n in SPLITS}
    )
    replaced: Counter[str] = field(default_factory=Counter)
    touched: int = 0  # dialogues in which something was replaced
    examples: dict[str, Dialogue] = field(default_factory=dict)  # the first in train of a source


def _write(
    store: CandidateStore,
    selection: Selection,
    config: PrepareConfig,
    folder: Path,
    tallies: Sequence[SourceTally],
) -> _Written:
    """Pass two: the lines of each split."""
    written = _Written(SurrogateSample(config.seed))
    with contextlib.ExitStack() as stack:
        outputs = {
            name: stack.enter_context((folder / f"{name}.jsonl").open("wb")) for name in SPLITS
        }
        for decision in selection.decisions(store, config):
            stored, line = store[decision.row]
            tally = tallies[store.source(decision.row)]
            if isinstance(decision, Left):
                tally.drop(decision.kind, decision.reason, stored.where)
                continue
            tally.keep(stored.changes)
            written.replaced.update(stored.replaced)
            written.touched += bool(stored.replaced)
            name = tally.source.name
            if decision.split == "train":
                written.surrogates.add(line, stored.surrogates, decision.copies)
                if name not in written.examples:
                    written.examples[name] = Dialogue.model_validate_json(line)
            for _ in range(decision.copies):
                outputs[decision.split].write(line)
                written.splits[decision.split].add(name, stored)
    return written


def _plant(
    written: _Written, config: PrepareConfig, folder: Path, base: Path
) -> tuple[Canary, ...]:
    """Append the canaries to train; held-out ones are made and stand in no file but the record."""
    train = written.splits["train"]
    canaries = make_canaries(config.canaries, sum(train.by_source.values()), config.seed)
    if not canaries:
        return ()
    tokens = token_counter(base)
    with (folder / "train.jsonl").open("ab") as file:
        for canary in canaries:
            stored = canary.stored(tokens, FORMATS[config.format])
            line = canary.dialogue().line().encode()
            for _ in range(canary.repetitions):
                file.write(line)
                train.add(SOURCE, stored)
    return canaries


def _check(config: PrepareConfig) -> None:
    """Refuse what no data can fulfil, before any is read."""
    for item in config.sources:
        source(item.name)
    if config.validation_share + config.test_share >= 1:
        raise MedllmError(
            f"prepare.validation_share {config.validation_share} and prepare.test_share "
            f"{config.test_share} leave nothing to train on.",
            "Make them smaller.",
        )
    if config.system_share > 0 and not config.system_prompt.strip():
        raise MedllmError(
            f"prepare.system_share is {config.system_share}, but prepare.system_prompt is empty.",
            "Write the system prompt, or set system_share to 0.",
        )
    if wrong := fault(config.system_prompt):
        raise MedllmError(f"prepare.system_prompt cannot be used: {wrong}.", "Correct it.")


def _inputs(config: PrepareConfig) -> dict[str, Path]:
    """Every file on this machine that the result depends on; a hub's are pinned by the commit."""
    paths = [file.path for item in config.sources if item.path for file in data_files(item.path)]
    paths += [item.notes for item in config.sources if item.notes]
    paths += config.evaluation_sets
    return {str(path): path for path in paths}


def _refuse_bad(tally: SourceTally, max_bad_share: float) -> None:
    """Each source is held to the share by itself: a large one must not hide a broken small one."""
    place = tally.config.place
    if tally.read == 0:
        raise MedllmError(f"{place} holds no rows.", "Fetch the dataset again.")
    bad = [(reason, n) for (kind, reason), n in tally.dropped.most_common() if kind == "broken"]
    count = sum(n for _, n in bad)
    if count > max_bad_share * tally.read:
        reasons = ", ".join(
            f"{reason} ({n:,}, first: {tally.first['broken', reason]})" for reason, n in bad[:5]
        )
        raise MedllmError(
            f"{place}: {count:,} of {tally.read:,} rows are broken, more than "
            f"prepare.max_bad_share {max_bad_share} allows: {reasons}.",
            f"Check that this is {tally.source.title}, correct it, or allow more.",
        )


def _refuse_empty_splits(config: PrepareConfig, report: PrepareReport) -> None:
    wanted = {"train": 1.0, "validation": config.validation_share, "test": config.test_share}
    total = sum(split.dialogues for split in report.splits.values())
    for name, split in report.splits.items():
        if wanted[name] > 0 and split.dialogues == 0:
            counts = ", ".join(f"{n} {s.dialogues}" for n, s in report.splits.items())
            raise MedllmError(
                f"Split {name} is empty: there are {total} dialogues ({counts}).",
                "Give more dialogues or a larger share; a share of 0 asks for no such split.",
            )
