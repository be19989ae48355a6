"""Stage ``imatrix``: which inputs of each matrix matter, from the run's own training dialogues.

llama.cpp's llama-imatrix runs the full-precision GGUF over training text and sums the squares of
what enters each matrix; quantizing then rounds most carefully where that sum is large. The text is
the train split alone, so that no held-out dialogue shapes the file that it will judge.

Control tokens: llama-imatrix reads them from text only with ``--parse-special``, and then takes a
``</s>`` that a patient typed for the real one. So every dialogue's written text is tokenized here
that way first and compared with the ids of training; one that differs is left out and counted.
What llama-imatrix sees is then, id by id, what training saw. Only the first token of each piece
is replaced by BOS, as llama.cpp does it in all its measurements.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from medllm.convert.fidelity.dialogues import Drawn, Vocabulary, chunk_tokens, draw, threads_for
from medllm.convert.inspect_gguf import GgufFacts, check_gguf
from medllm.convert.llama_cpp import run_tool
from medllm.pipeline.config import ImatrixConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import Manifest, Work, read_manifest, stage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IMATRIX = "imatrix.gguf"
_SUMS, _COUNTS = ".in_sum2", ".counts"
_MODEL_KEY = "medllm.imatrix.model_sha256"
_CHUNK_DONE = re.compile(r"\[\d+\][\d-]")
_LONGEST_NAME = 127  # bytes that llama-quantize keeps of a string
_AGAIN = "Run stage imatrix again; if it stays, report it with the versions in the manifest."


@dataclass(frozen=True)
class Imatrix:
    """A checked importance matrix."""

    path: Path
    dataset: str  # what it was computed from, as the quantized GGUFs say it
    chunks: int
    entries: Mapping[str, NDArray[np.float32]]  # matrix -> sums of squares, one a column


def imatrix(config: ImatrixConfig, paths: RunPaths) -> Manifest:
    """Write ``imatrix.gguf`` to ``imatrix/``, for the merged model in ``convert/``.

    Raises MedllmError when there is too little training text for two pieces, when llama-imatrix
    fails, and when its result does not cover every matrix of the model.
    """

    def body(work: Work) -> None:
        model = check_gguf(merged_gguf(work.inputs["convert"]))
        chunk = chunk_tokens(model)
        with Vocabulary(model.path, config.format) as vocabulary:
            drawn = draw(
                work.inputs["prepare"] / "train.jsonl",
                vocabulary,
                config.chunks * chunk,
                config.seed,
                vocabulary.survives_writing,
            )
            text = "".join(vocabulary.write(each.messages) for each in drawn.dialogues)
        chunks = _chunks(drawn, config.chunks, chunk)
        work.checkpoints.mkdir()
        raw = _run(model, text, chunks, chunk, work.checkpoints)
        digest = hashlib.sha256(text.encode()).hexdigest()
        dataset = _dataset(drawn, config.format, digest)
        sums = _read_raw(raw, model, chunks * chunk)
        sha256 = read_manifest(paths.stage("convert")).outputs[model.path.name].sha256
        _write(work.dir / IMATRIX, model, sums, chunks, chunk, dataset, sha256)
        read_imatrix(work.dir / IMATRIX, model, sha256)
        work.report |= {
            "dataset": dataset,
            "text_sha256": digest,
            "sources": dict(drawn.sources),
            "dialogues": len(drawn.dialogues),
            "dialogues_available": drawn.available,
            "dialogues_left_out": drawn.left_out,
            "chunks": chunks,
            "chunk_tokens": chunk,
        }

    return stage("imatrix", config, paths, body, disk_bytes=_disk_bytes(config, paths))


def read_imatrix(path: Path, model: GgufFacts, model_sha256: str) -> Imatrix:
    """Open an importance matrix for a model whose file has the given sha256.

    Raises MedllmError when it belongs to another model, lacks one of its matrices, has one too
    many, or holds a number that is not finite.
    """
    import numpy as np

    facts = check_gguf(path)
    if facts.metadata.get(_MODEL_KEY) != model_sha256:
        raise MedllmError(
            f"{path} was computed for another model than {model.path}.", "Run stage imatrix again."
        )
    raw = np.memmap(path, np.uint8, "r")
    arrays = {
        name: raw[tensor.offset : tensor.offset + tensor.nbytes].view("<f4")
        for name, tensor in facts.tensors.items()
    }
    datasets, chunks = (facts.metadata.get(f"imatrix.{k}") for k in ("datasets", "chunk_count"))
    size = facts.metadata.get("imatrix.chunk_size")
    if not (isinstance(datasets, tuple) and isinstance(chunks, int) and isinstance(size, int)):
        raise MedllmError(f"{path} does not say what it was computed from.", _AGAIN)
    entries = _entries(path, arrays, model, chunks * size)
    return Imatrix(path, str(datasets[0]), chunks, entries)


def merged_gguf(folder: Path) -> Path:
    """The one full-precision GGUF of the merged model. Raises MedllmError otherwise."""
    found = sorted(folder.glob("medllm-*.gguf"))
    if len(found) != 1:
        raise MedllmError(
            f"{folder} holds {len(found)} files medllm-*.gguf, not one.", "Run stage convert again."
        )
    return found[0]


def counting(pattern: re.Pattern[str], update: Callable[[int], Any]) -> Callable[[str], None]:
    """Call ``update`` with the number of new matches in output that comes in pieces."""
    seen, counted = "", 0

    def count(text: str) -> None:
        nonlocal seen, counted
        seen += text
        found = len(pattern.findall(seen))
        update(found - counted)
        counted = found

    return count


def _chunks(drawn: Drawn, wanted: int, chunk: int) -> int:
    """Whole pieces of text; says so plainly when there are fewer than wanted."""
    chunks = min(wanted, drawn.tokens // chunk)
    if chunks < 2:
        raise MedllmError(
            f"The training dialogues hold {drawn.tokens} tokens; an importance matrix takes at "
            f"least {2 * chunk}.",
            "Give prepare more data.",
        )
    if chunks < wanted:
        click.echo(
            f"imatrix: the training dialogues fill {chunks} of {wanted} pieces of {chunk} tokens; "
            "all of them are used",
            err=True,
        )
    return chunks


def _run(model: GgufFacts, text: str, chunks: int, chunk: int, scratch: Path) -> Path:
    from tqdm import tqdm

    corpus, raw = scratch / "train.txt", scratch / "raw.gguf"
    # llama.cpp puts a BOS before the text by itself.
    corpus.write_bytes(text.removeprefix("<s>").encode())
    with tqdm(total=chunks, desc=IMATRIX, unit="chunk", disable=None) as bar:
        arguments: list[str | Path] = ["-m", model.path, "-f", corpus, "-o", raw, "--parse-special"]
        for option, value in (("-c", chunk), ("-b", chunk), ("-ub", chunk), ("--chunks", chunks)):
            arguments += [option, str(value)]
        arguments += ["-t", str(threads_for(model))]
        run_tool("llama-imatrix", arguments, on_output=counting(_CHUNK_DONE, bar.update))
    if not raw.is_file():
        raise MedllmError("llama-imatrix wrote no file.", _AGAIN)
    return raw


def _read_raw(path: Path, model: GgufFacts, tokens: int) -> Mapping[str, NDArray[np.float32]]:
    """What llama-imatrix wrote: a GGUF of its own kind, which names no architecture."""
    from gguf import GGUFReader

    arrays = {tensor.name: tensor.data.ravel() for tensor in GGUFReader(path).tensors}
    return _entries(path, arrays, model, tokens)


def _entries(
    path: Path, arrays: Mapping[str, NDArray[np.float32]], model: GgufFacts, tokens: int
) -> Mapping[str, NDArray[np.float32]]:
    """One sum of squares a column for every matrix of the model's blocks, over ``tokens`` each."""
    import numpy as np

    wanted = _columns(model)
    names = {name + end for name in wanted for end in (_SUMS, _COUNTS)}
    if arrays.keys() != names:
        odd = min(arrays.keys() ^ names)
        how = "lacks" if odd in names else "holds"
        raise MedllmError(f"{path} {how} {odd}: it is not for {model.path}.", _AGAIN)
    for name, columns in wanted.items():
        sums, counts = arrays[name + _SUMS], arrays[name + _COUNTS]
        if sums.shape != (columns,):
            raise MedllmError(
                f"{path} has {sums.size} sums for {name}, which has {columns} columns.", _AGAIN
            )
        if not np.isfinite(sums).all() or (sums < 0).any() or not sums.any():
            raise MedllmError(f"{path} holds sums for {name} that cannot be.", _AGAIN)
        if counts.tolist() != [tokens]:
            raise MedllmError(
                f"{path} counts {counts.tolist()} tokens for {name}, not {tokens}.", _AGAIN
            )
    return {name: arrays[name + _SUMS] for name in wanted}


def _columns(model: GgufFacts) -> Mapping[str, int]:
    """Every matrix of the model's blocks and how many columns, or inputs, it has."""
    return {
        name: tensor.shape[0]
        for name, tensor in model.tensors.items()
        if name.startswith("blk.") and len(tensor.shape) > 1
    }


def _disk_bytes(config: ImatrixConfig, paths: RunPaths) -> int:
    """Room for the text, llama.cpp's matrix and ours; 0 before convert, which ``stage`` says.

    A dialogue holds a few bytes a token, and may reach over the last piece.
    """
    try:
        model = check_gguf(merged_gguf(paths.stage("convert")))
    except MedllmError:
        return 0
    text = config.chunks * chunk_tokens(model) * 8
    return text + 2 * 4 * sum(_columns(model).values()) + 2**20


def _dataset(drawn: Drawn, format_name: str, digest: str) -> str:
    """What the quantized GGUFs say that the matrix comes from, within llama-quantize's limit."""
    names = list(drawn.sources)
    end = f", train split, {format_name} prompts, sha256 {digest[:12]}"
    said = "+".join(names) + end
    if len(said.encode()) > _LONGEST_NAME:
        said = f"{len(names)} sources{end}"
    return said


def _write(
    path: Path,
    model: GgufFacts,
    sums: Mapping[str, NDArray[np.float32]],
    chunks: int,
    chunk: int,
    dataset: str,
    model_sha256: str,
) -> None:
    """Write the matrix as llama-quantize reads it, with a name of the text in place of a path."""
    import numpy as np
    from gguf import GGUFWriter

    writer = GGUFWriter(path, model.architecture)
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", [dataset])
    writer.add_uint32("imatrix.chunk_count", chunks)
    writer.add_uint32("imatrix.chunk_size", chunk)
    writer.add_string(_MODEL_KEY, model_sha256)
    for name in sorted(sums):
        writer.add_tensor(name + _SUMS, np.ascontiguousarray(sums[name])[None])
        writer.add_tensor(name + _COUNTS, np.array([[chunks * chunk]], np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
