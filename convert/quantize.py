"""Stage ``quantize``: the merged GGUF to smaller ones, by llama.cpp's llama-quantize.

It runs as a process of its own, so that a crash in native code cannot take the pipeline down. Each
result is opened again: same metadata, same tensors and shapes, and block types that belong to the
quantization. Where rows do not fill K-quant blocks of 256 weights, llama.cpp falls back to a type
with smaller blocks; those tensors are named in the report.

The importance matrix of stage ``imatrix`` weighs the rounding of all types but Q8_0; every GGUF
says which matrix it was made with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from medllm.convert.imatrix import IMATRIX, Imatrix, counting, merged_gguf, read_imatrix
from medllm.convert.inspect_gguf import GgufFacts, GgufTensor, Value, check_gguf
from medllm.convert.llama_cpp import run_tool
from medllm.pipeline.config import QuantizeConfig, QuantType, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import Manifest, Work, read_manifest, stage

if TYPE_CHECKING:
    from pydantic import JsonValue

# The ggml types that llama.cpp mixes in a file of each kind (llama_tensor_get_type_impl in
# src/llama-quant.cpp, for models without experts), first the one that most matrices get. Vectors
# stay F32. Q4_K and Q5_K in Q2_K are attn_v of models with grouped queries.
_MIXES: Mapping[QuantType, tuple[str, ...]] = {
    "Q8_0": ("Q8_0",),
    "Q6_K": ("Q6_K",),
    "Q5_K_M": ("Q5_K", "Q6_K"),
    "Q5_K_S": ("Q5_K", "Q6_K"),
    "Q4_K_M": ("Q4_K", "Q5_K", "Q6_K"),
    "Q4_K_S": ("Q4_K", "Q5_K", "Q6_K"),
    "IQ4_XS": ("IQ4_XS", "Q5_K", "Q6_K"),
    "Q3_K_L": ("Q3_K", "Q5_K", "Q6_K"),
    "Q3_K_M": ("Q3_K", "Q4_K", "Q5_K", "Q6_K"),
    "Q2_K": ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"),
}
_BITS: Mapping[QuantType, float] = {  # a weight, rounded up, to ask for disk beforehand
    **{"Q8_0": 8.6, "Q6_K": 6.7, "Q5_K_M": 5.9, "Q5_K_S": 5.7, "Q4_K_M": 5.1, "Q4_K_S": 4.8},
    **{"IQ4_XS": 4.6, "Q3_K_L": 4.6, "Q3_K_M": 4.2, "Q2_K": 3.5},
}
_SMALL_MODEL = 20 * 10**6  # bytes of vocabulary and of embeddings that weigh more in small models
_CHANGED_KEYS = ("general.file_type", "general.quantization_version")
_MATRIX = "quantize.imatrix."  # llama-quantize's keys about the importance matrix
_LONGEST_VALUE = 127  # bytes of a string that llama-quantize keeps there
_TENSOR_LINE = re.compile(r"^\[\s*\d+/\s*\d+\]", re.MULTILINE)  # one a tensor
_AGAIN = "Run stage quantize again; if it stays, report it with the versions in the manifest."


def quantize(config: QuantizeConfig, paths: RunPaths) -> Manifest:
    """Write ``medllm-<type>.gguf`` for each of ``config.types`` to ``quantize/``.

    Raises MedllmError when llama-quantize fails, its file is not what was asked for, or the
    importance matrix belongs to another model.
    """

    def body(work: Work) -> None:
        source = check_gguf(merged_gguf(work.inputs["convert"]))
        matrix = None
        if config.imatrix:
            sha256 = read_manifest(paths.stage("convert")).outputs[source.path.name].sha256
            matrix = read_imatrix(work.inputs["imatrix"] / IMATRIX, source, sha256)
        for kind in config.types:
            target = work.dir / f"medllm-{kind.lower()}.gguf"
            work.report[target.name] = make_quant(source, target, kind, matrix)

    return stage("quantize", config, paths, body, disk_bytes=_disk_bytes(config, paths))


def make_quant(
    source: GgufFacts, target: Path, kind: QuantType, matrix: Imatrix | None
) -> dict[str, JsonValue]:
    """Quantize a GGUF to a file and check it; returns what the report says of it.

    ``matrix`` is left aside for a kind that takes none. Raises MedllmError as ``quantize`` does.
    """
    matrix = matrix if takes_imatrix(kind) else None
    _run(source, target, kind, matrix)
    return check_quantized(check_gguf(target), source, kind, matrix)


def takes_imatrix(kind: QuantType) -> bool:
    """Whether an importance matrix changes anything: ggml's code for Q8_0 reads no weights."""
    return kind != "Q8_0"


def quant_bytes(elements: int, kind: QuantType) -> int:
    """Room for a model of so many weights as a quant, rounded up."""
    return int(elements * _BITS[kind] / 8) + _SMALL_MODEL


def check_quantized(
    facts: GgufFacts, source: GgufFacts, kind: QuantType, matrix: Imatrix | None = None
) -> dict[str, JsonValue]:
    """Compare a quantized GGUF with its source; returns what the report says of it.

    Raises MedllmError when metadata, tensors or block types are not those of ``kind``, or when it
    names another importance matrix than ``matrix``.
    """
    from gguf import LlamaFileType

    kept, given = (
        {key: value for key, value in each.metadata.items() if key not in _CHANGED_KEYS}
        for each in (facts, source)
    )
    given |= _matrix_keys(matrix)
    if kept != given:
        key = min(k for k in kept.keys() | given.keys() if kept.get(k) != given.get(k))
        raise MedllmError(f"{facts.path}: {key} is not that of {source.path}.", _AGAIN)
    file_type = facts.metadata.get("general.file_type")
    if file_type != int(LlamaFileType[f"MOSTLY_{kind}"]):
        raise MedllmError(f"{facts.path} says general.file_type {file_type}, not {kind}.", _AGAIN)
    shapes, wanted = ({n: t.shape for n, t in f.tensors.items()} for f in (facts, source))
    if shapes != wanted:
        name = min(n for n in shapes.keys() | wanted.keys() if shapes.get(n) != wanted.get(n))
        raise MedllmError(
            f"{facts.path} has {name} of shape {shapes.get(name)}, not {wanted.get(name)}.", _AGAIN
        )
    counts: dict[str, int] = {}
    fallbacks: dict[str, str] = {}
    for name, tensor in facts.tensors.items():
        counts[tensor.type.name] = counts.get(tensor.type.name, 0) + 1
        if len(tensor.shape) > 1 and not _fills_blocks(tensor, kind):
            fallbacks[name] = f"{tensor.type.name}, rows of {tensor.shape[0]}"
        elif tensor.type.name not in (_MIXES[kind] if len(tensor.shape) > 1 else ("F32",)):
            raise MedllmError(f"{facts.path} stores {name} as {tensor.type.name}.", _AGAIN)
    if fallbacks:
        name, how = next(iter(fallbacks.items()))
        click.echo(
            f"quantize: {len(fallbacks)} tensors of {facts.path.name} are not {kind} "
            f"({name}: {how})",
            err=True,
        )
    return {
        "bytes": facts.nbytes,
        "imatrix": matrix is not None,
        "bits_per_weight": round(8 * facts.nbytes / facts.elements, 3),
        "tensor_types": {name: counts[name] for name in sorted(counts)},
        "fallbacks": {name: fallbacks[name] for name in sorted(fallbacks)},
    }


def _fills_blocks(tensor: GgufTensor, kind: QuantType) -> bool:
    """Whether the rows of a matrix are whole blocks of the quantization's main type."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    block, _ = GGML_QUANT_SIZES[GGMLQuantizationType[_MIXES[kind][0]]]
    return tensor.shape[0] % int(block) == 0


def _matrix_keys(matrix: Imatrix | None) -> dict[str, Value]:
    """What llama-quantize adds to the metadata for an importance matrix."""
    if matrix is None:
        return {}
    return {
        f"{_MATRIX}file": _kept(matrix.path.name),
        f"{_MATRIX}dataset": _kept(matrix.dataset),
        f"{_MATRIX}entries_count": len(matrix.entries),
        f"{_MATRIX}chunks_count": matrix.chunks,
    }


def _kept(text: str) -> str:
    return text.encode()[:_LONGEST_VALUE].decode(errors="ignore")


def _run(source: GgufFacts, target: Path, kind: QuantType, matrix: Imatrix | None) -> None:
    from tqdm import tqdm

    # Run beside the matrix: the tool writes its path into the GGUF, where no folder belongs.
    arguments = ["--imatrix", matrix.path.name] if matrix else []
    with tqdm(total=len(source.tensors), desc=target.name, unit="tensor", disable=None) as bar:
        run_tool(
            "llama-quantize",
            [*arguments, source.path.resolve(), target.resolve(), kind],
            on_output=counting(_TENSOR_LINE, bar.update),
            cwd=matrix.path.parent if matrix else None,
        )


def _disk_bytes(config: QuantizeConfig, paths: RunPaths) -> int:
    """Room for all types, from the number of weights; 0 before convert, which ``stage`` says."""
    try:
        elements = check_gguf(merged_gguf(paths.stage("convert"))).elements
    except MedllmError:
        return 0
    return sum(quant_bytes(elements, kind) for kind in config.types)
