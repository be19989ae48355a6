"""Stage prepare: dataset files to train, validation and test dialogues.

One pass over the rows: an adapter turns each into a dialogue or a reason, an exact duplicate is
left out, a hash decides split and system message, and the line is written. Memory holds a digest
and two lengths a dialogue, never the dialogues.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from medllm.pipeline.config import PrepareConfig, RunPaths, SourceConfig
from medllm.pipeline.data.report import (
    DUPLICATE,
    PrepareReport,
    SourceReport,
    SourceTally,
    SplitTally,
    plot_lengths,
)
from medllm.pipeline.data.schema import Dialogue, content_digest, fault, read_dialogues
from medllm.pipeline.data.split import SPLITS, Split, gets_system, split_of
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import Manifest, Work, stage
from medllm.pipeline.prompts import FORMATS
from medllm.pipeline.sources import adapter
from medllm.pipeline.sources.turns import Dropped

__all__ = ["Dialogue", "prepare", "read_dialogues"]

CountTokens = Callable[[Dialogue], int]


def prepare(config: PrepareConfig, paths: RunPaths) -> Manifest:
    """Write train.jsonl, validation.jsonl, test.jsonl and report.json, .md, lengths.png, .svg.

    The same files, config and base give the same bytes. Raises MedllmError for a source that is
    missing, empty or broken beyond ``max_bad_share``, and for a split without dialogues.
    """
    _check(config)
    files = {str(source.path): source.path for source in config.sources}
    size = sum(path.stat().st_size for path in files.values() if path.is_file())

    def body(work: Work) -> None:
        report = _write_splits(config, work.dir, _token_counter(config, work.inputs["base"]))
        (work.dir / "report.json").write_text(
            report.model_dump_json(indent=2) + "\n", encoding="utf-8"
        )
        (work.dir / "report.md").write_text(report.markdown(), encoding="utf-8")
        for name, split in report.splits.items():
            work.report[name] = split.dialogues
        work.report["rows_read"] = sum(source.rows_read for source in report.sources)
        dropped: Counter[str] = Counter()
        for source in report.sources:
            dropped.update({drop.reason: drop.rows for drop in source.dropped})
        work.report["rows_dropped"] = dict(dropped)
        work.report["longest_tokens"] = max(s.tokens.max for s in report.splits.values())

    return stage("prepare", config, paths, body, files=files, disk_bytes=3 * size)


def _check(config: PrepareConfig) -> None:
    """Refuse what no data can fulfil, before any is read."""
    for source in config.sources:
        adapter(source.name)
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


def _write_splits(config: PrepareConfig, folder: Path, count_tokens: CountTokens) -> PrepareReport:
    splits = {name: SplitTally() for name in SPLITS}
    seen: set[bytes] = set()
    with contextlib.ExitStack() as stack:
        outputs = {
            name: stack.enter_context(
                (folder / f"{name}.jsonl").open("w", encoding="utf-8", newline="\n")
            )
            for name in SPLITS
        }
        sources = tuple(
            _write_source(source, config, seen, splits, outputs, count_tokens)
            for source in config.sources
        )
    report = PrepareReport(
        seed=config.seed,
        format=config.format,
        sources=sources,
        splits={name: tally.report() for name, tally in splits.items()},
    )
    _refuse_empty_splits(config, report)
    plot_lengths(folder, [tokens for tally in splits.values() for tokens in tally.tokens])
    return report


def _write_source(
    source: SourceConfig,
    config: PrepareConfig,
    seen: set[bytes],
    splits: Mapping[Split, SplitTally],
    outputs: Mapping[Split, TextIO],
    count_tokens: CountTokens,
) -> SourceReport:
    from tqdm import tqdm

    tally = SourceTally(source.name, source.path)
    rows = adapter(source.name)(source.path)
    for row in tqdm(rows, desc=f"prepare {source.name}", unit=" rows", disable=None):
        tally.read += 1
        if isinstance(row, Dropped):
            tally.drop(row)
            continue
        digest = content_digest(row.dialogue.messages)[:16]
        if digest in seen:
            tally.drop(Dropped(row.where, DUPLICATE))
            continue
        seen.add(digest)
        tally.keep(row)
        dialogue = row.dialogue
        name = split_of(dialogue, config)
        if gets_system(dialogue, config):
            dialogue = dialogue.with_system(config.system_prompt.strip())
        outputs[name].write(dialogue.line())
        splits[name].add(dialogue, count_tokens(dialogue))
    report = tally.report()
    _refuse_bad(report, config.max_bad_share)
    return report


def _refuse_bad(source: SourceReport, max_bad_share: float) -> None:
    """Each source is held to the share by itself: a large one must not hide a broken small one."""
    if source.rows_read == 0:
        raise MedllmError(f"{source.path} holds no rows.", "Fetch the dataset again.")
    bad = sum(drop.rows for drop in source.bad)
    if bad > max_bad_share * source.rows_read:
        reasons = ", ".join(f"{d.reason} ({d.rows:,}, first: {d.first})" for d in source.bad[:5])
        raise MedllmError(
            f"{source.path}: {bad:,} of {source.rows_read:,} rows are broken, more than "
            f"prepare.max_bad_share {max_bad_share} allows: {reasons}.",
            f"Check that the file is one for adapter {source.name}, correct it, or allow more.",
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


def _token_counter(config: PrepareConfig, base: Path) -> CountTokens:
    """How many tokens training will see of a dialogue, before it cuts at ``max_length``."""
    from transformers import PreTrainedTokenizerFast

    if not (base / "tokenizer.json").is_file():
        raise MedllmError(
            f"{base} has no tokenizer.json.", "Run `medllm base` again; prepare counts tokens."
        )
    tokenizer = PreTrainedTokenizerFast.from_pretrained(base)
    prompt_format = FORMATS[config.format]
    return lambda dialogue: len(prompt_format.encode(tokenizer, dialogue.messages).input_ids)
