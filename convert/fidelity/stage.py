"""Stage ``fidelity``: each quant, with and without importance matrix, against its own F16.

What stage quantize did not make (the quant without the matrix, or with it) is made in a scratch
folder, measured and deleted. Quants that miss the thresholds of the config are not offered.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import click

from medllm.convert.fidelity.base_logits import BaseLogits, base_bytes, scored_tokens, write_base
from medllm.convert.fidelity.dialogues import Drawn, Vocabulary, chunk_tokens, draw
from medllm.convert.fidelity.memory import expected_memory
from medllm.convert.fidelity.perplexity import LEAST_SCORED, Divergence, Estimate, measure
from medllm.convert.fidelity.report import markdown, plot, screen_table
from medllm.convert.fidelity.results import (
    CONTEXTS,
    Fidelity,
    Quant,
    Text,
    Thresholds,
    Weighed,
    missed,
    offered,
)
from medllm.convert.fidelity.speed import measure_speed
from medllm.convert.imatrix import IMATRIX, Imatrix, merged_gguf, read_imatrix
from medllm.convert.inspect_gguf import GgufFacts, check_gguf
from medllm.convert.llama_cpp import build_info
from medllm.convert.quantize import make_quant, quant_bytes, takes_imatrix
from medllm.pipeline.config import FidelityConfig, QuantType, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import write_atomically
from medllm.pipeline.manifest import Manifest, Work, read_manifest, stage

_TEST = "test.jsonl"
_NOISE = 1e-3  # nats: what the F16 against itself may show before something else is wrong


@dataclass(frozen=True)
class _Candidate:
    facts: GgufFacts
    type: QuantType
    imatrix: bool
    published: bool


def fidelity(config: FidelityConfig, paths: RunPaths) -> Manifest:
    """Write ``fidelity.json``, ``.md``, ``.txt``, ``.png`` and ``.svg`` to ``fidelity/``.

    Raises MedllmError when there is too little held-out text, when one of llama.cpp's tools fails
    or reports something that is not understood, and when the full-precision model does not agree
    with itself.
    """

    def body(work: Work) -> None:
        source = check_gguf(merged_gguf(work.inputs["convert"]))
        sha256 = read_manifest(paths.stage("convert")).outputs[source.path.name].sha256
        matrix = read_imatrix(work.inputs["imatrix"] / IMATRIX, source, sha256)
        work.checkpoints.mkdir()
        base, text = _write_base(config, source, work)
        reference = _weigh(source, measure(source, base), timed=True)
        _check_noise(reference.divergence, base, source)
        quants = [
            _quant(candidate, reference, base, config)
            for candidate in _candidates(work, source, matrix)
        ]
        build = build_info()
        report = Fidelity(
            model=str(source.metadata.get("general.name", "medllm")),
            source_type=_file_type(source),
            source=reference,
            text=text,
            imatrix=matrix.dataset,
            thresholds=Thresholds(
                max_mean_kld=config.max_mean_kld,
                min_same_top=config.min_same_top,
                max_ppl_ratio=config.max_ppl_ratio,
            ),
            quants=tuple(quants),
            llama_cpp=f"llama.cpp {build.commit} in llama-cpp-python {build.llama_cpp_python}",
        )
        write_atomically(work.dir / "fidelity.json", report.model_dump_json(indent=2) + "\n")
        write_atomically(work.dir / "fidelity.md", markdown(report))
        table = screen_table(report)
        write_atomically(work.dir / "fidelity.txt", table + "\n")
        plot(report, work.dir)
        work.report |= {"offered": list(offered(report)), "scored_tokens": text.scored}
        click.echo(table)

    return stage("fidelity", config, paths, body, disk_bytes=_disk_bytes(config, paths))


def _write_base(config: FidelityConfig, source: GgufFacts, work: Work) -> tuple[BaseLogits, Text]:
    """Run the full-precision model over held-out dialogues."""
    chunk = chunk_tokens(source)
    path = work.inputs["prepare"] / _TEST
    with Vocabulary(source.path, config.format) as vocabulary:
        drawn = draw(path, vocabulary, config.chunks * chunk, config.seed)
    chunks = _chunks(path, drawn, config.chunks, chunk)
    ids = [token for dialogue in drawn.ids for token in dialogue][: chunks * chunk]
    base = write_base(source, ids, chunk, work.checkpoints / "base.kld")
    text = Text(
        split="test",
        sources=drawn.sources,
        dialogues=len(drawn.dialogues),
        available=drawn.available,
        chunks=chunks,
        chunk_tokens=chunk,
        scored=base.scored,
        floored=base.floored,
    )
    return base, text


def _chunks(path: Path, drawn: Drawn, wanted: int, chunk: int) -> int:
    chunks = min(wanted, drawn.tokens // chunk)
    least = max(1, math.ceil(LEAST_SCORED / scored_tokens(chunk)))
    if chunks < least:
        raise MedllmError(
            f"{path} holds {drawn.tokens} tokens; fidelity compares pieces of {chunk} and needs "
            f"at least {least}.",
            "Give prepare more data, or a larger test_share.",
        )
    return chunks


def _check_noise(itself: Divergence, base: BaseLogits, source: GgufFacts) -> None:
    """The full-precision model, measured as the quants are, must agree with its own predictions."""
    kld, nats = itself.mean_kld.value, math.log(itself.perplexity.value)
    if abs(kld) > _NOISE or abs(nats - base.nats) > _NOISE:
        raise MedllmError(
            f"{source.path} against its own predictions: mean KLD {kld:.6f} and {nats:.5f} nats a "
            f"token, where {base.nats:.5f} were written.",
            "Figures of quants would be wrong too: report it with the output of `medllm doctor`.",
        )


def _candidates(work: Work, source: GgufFacts, matrix: Imatrix) -> Iterator[_Candidate]:
    """Every quant of stage quantize and, after it, its like with or without the matrix."""
    for path in sorted(
        work.inputs["quantize"].glob("medllm-*.gguf"), key=lambda each: -each.stat().st_size
    ):
        facts = check_gguf(path)
        kind = _quant_type(facts)
        imatrix = "quantize.imatrix.chunks_count" in facts.metadata
        yield _Candidate(facts, kind, imatrix, published=True)
        if takes_imatrix(kind):
            other = work.checkpoints / path.name
            make_quant(source, other, kind, None if imatrix else matrix)
            try:
                yield _Candidate(check_gguf(other), kind, not imatrix, published=False)
            finally:
                other.unlink(missing_ok=True)


def _quant(
    candidate: _Candidate, reference: Weighed, base: BaseLogits, config: FidelityConfig
) -> Quant:
    divergence = measure(candidate.facts, base)
    weighed = _weigh(candidate.facts, divergence, timed=candidate.published)
    ratio = divergence.perplexity.value / reference.divergence.perplexity.value
    ppl_ratio = Estimate(value=ratio, error=ratio * divergence.log_ratio_error)
    return Quant(
        **dict(weighed),
        type=candidate.type,
        imatrix=candidate.imatrix,
        published=candidate.published,
        ppl_ratio=ppl_ratio,
        missed=missed(divergence, ppl_ratio, config),
    )


def _weigh(facts: GgufFacts, divergence: Divergence, *, timed: bool) -> Weighed:
    return Weighed(
        file_bytes=facts.nbytes,
        bits_per_weight=8 * facts.nbytes / facts.elements,
        memory={context: expected_memory(facts, context).total for context in CONTEXTS},
        speed=measure_speed(facts) if timed else None,
        divergence=divergence,
    )


def _file_type(facts: GgufFacts) -> str:
    from gguf import LlamaFileType

    value = facts.metadata.get("general.file_type")
    try:
        name: str = LlamaFileType(value).name
        return name.removeprefix("MOSTLY_").removeprefix("ALL_")
    except ValueError:
        raise MedllmError(
            f"{facts.path} says general.file_type {value}.", "Run stage quantize again."
        ) from None


def _quant_type(facts: GgufFacts) -> QuantType:
    name = _file_type(facts)
    for kind in get_args(QuantType):
        if kind == name:
            return kind  # type: ignore[no-any-return]
    raise MedllmError(f"{facts.path} is {name}, no quant.", "Run stage quantize again.")


def _disk_bytes(config: FidelityConfig, paths: RunPaths) -> int:
    """Room for the file of predictions and for one quant; 0 before convert, which ``stage`` says.

    A byte of the split's file is at most one token, so a small split asks for little.
    """
    try:
        source = check_gguf(merged_gguf(paths.stage("convert")))
        split = (paths.stage("prepare") / _TEST).stat().st_size
    except (MedllmError, OSError):
        return 0
    chunk = chunk_tokens(source)
    tokens = source.metadata.get("tokenizer.ggml.tokens")
    vocabulary = len(tokens) if isinstance(tokens, tuple) else 0
    predictions = base_bytes(min(config.chunks, split // chunk), chunk, vocabulary)
    return predictions + quant_bytes(source.elements, "Q8_0")
