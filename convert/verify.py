"""A finished GGUF against the checkpoint that it was made from: header, shapes and every weight."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medllm.convert.hf.architecture import Architecture
from medllm.convert.hf.handover import Answer, GgufType
from medllm.convert.inspect_gguf import GgufFacts, GgufTensor
from medllm.pipeline.errors import MedllmError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_CONVERT_AGAIN = (
    "Run stage convert again; if it stays, report it with the versions in the manifest."
)
_FREQUENCIES = "rope_freqs.weight"
_PIECE = 4 * 2**20  # bytes read at a time


def check_header(
    facts: GgufFacts, architecture: Architecture, handed: Answer, kind: GgufType
) -> None:
    """Compare a converted GGUF's hyperparameters, tensors, shapes and types with its checkpoint.

    ``kind`` is the ggml type of the matrices; vectors stay F32. Raises MedllmError on a difference.
    """
    expected = architecture.expected_header(handed.architecture, kind)
    found: dict[str, Any] = {key: facts.metadata.get(key) for key in expected}
    for key, value in expected.items():
        stored = found[key]
        if isinstance(value, float) and isinstance(stored, float):  # float32 in the file
            found[key] = value if math.isclose(stored, value, rel_tol=1e-6) else stored
    for name, tensor in handed.tensors.items():
        matrix = len(tensor.shape) > 1
        expected[name] = (tuple(reversed(tensor.shape)), kind if matrix else "F32")
    if (factors := architecture.rope_factors()) is not None:
        expected[_FREQUENCIES] = ((len(factors),), "F32")
    found |= {name: (tensor.shape, tensor.type.name) for name, tensor in facts.tensors.items()}
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            raise MedllmError(
                f"{facts.path} has {key} = {found.get(key)}, the checkpoint says "
                f"{expected.get(key)}.",
                _CONVERT_AGAIN,
            )


def check_weights(facts: GgufFacts, architecture: Architecture, handed: Answer) -> int:
    """Compare every weight of a converted GGUF with what was handed over, bit for bit.

    One read of the file: the bytes of each tensor are hashed and compared with the digest of the
    checkpoint's tensor in the file's type and layout. Returns how many weights that type could not
    hold exactly (0 for a float16 checkpoint as F16); each of them is the nearest number of it.
    Raises MedllmError on a difference.
    """
    import xxhash
    from tqdm import tqdm

    total = sum(tensor.nbytes for tensor in facts.tensors.values())
    with tqdm(
        total=total, unit="B", unit_scale=True, desc=f"verify {facts.path.name}", disable=None
    ) as bar:
        for name, tensor in facts.tensors.items():
            if name == _FREQUENCIES:
                _check_frequencies(facts, tensor, architecture.rope_factors() or [])
                continue
            digest = xxhash.xxh3_128()
            for piece in _pieces(facts.path, tensor):
                digest.update(piece)
                bar.update(len(piece))
            if digest.hexdigest() != handed.tensors[name].digest:
                raise MedllmError(
                    f"{facts.path}: {name} differs from {handed.tensors[name].source} of the "
                    "checkpoint.",
                    _CONVERT_AGAIN,
                )
    return sum(tensor.rounded for tensor in handed.tensors.values())


def check_plain_tokens(gguf: Path, tokenizer: Tokenizer) -> int:
    """Tokenise a few hundred invented texts with a checkpoint's tokenizer and with llama.cpp.

    llama.cpp normalises nothing, so the texts are compared as the tokenizer normalises them (Qwen2
    composes accents). Returns how many were compared. Raises MedllmError at the first difference.
    """
    from llama_cpp import Llama

    from medllm.convert.gate.vocabulary import sample_texts
    from medllm.convert.llama_cpp import silence_native_logs
    from medllm.pipeline.weights.tokenizer import plain_ids

    said = silence_native_logs()
    try:
        model = Llama(str(gguf), vocab_only=True, verbose=False)
    except ValueError:
        last = " / ".join(line.strip() for line in list(said)[-3:])
        raise MedllmError(f"llama.cpp does not load {gguf}: {last}.", _CONVERT_AGAIN) from None
    texts = list(sample_texts())
    try:
        for text, ours in zip(texts, plain_ids(tokenizer, texts), strict=True):
            served = model.tokenize(_composed(tokenizer, text).encode(), add_bos=False)
            if ours != served:
                raise MedllmError(
                    f"{gguf}: llama.cpp reads {text!r} as {served}, the checkpoint's tokenizer as "
                    f"{ours}.",
                    "Use a checkpoint whose tokenizer llama.cpp knows.",
                )
    finally:
        model.close()
    return len(texts)


def _composed(tokenizer: Tokenizer, text: str) -> str:
    """A text in the Unicode form that a tokenizer asks for; other normalisers are the vocabulary's
    own (SentencePiece), which llama.cpp has too."""
    import unicodedata

    form = type(tokenizer.normalizer).__name__
    return unicodedata.normalize("NFC", text) if form == "NFC" else text


def _check_frequencies(facts: GgufFacts, tensor: GgufTensor, factors: list[float]) -> None:
    raw = b"".join(bytes(piece) for piece in _pieces(facts.path, tensor))
    stored = struct.unpack(f"<{len(factors)}f", raw)
    for index, (found, right) in enumerate(zip(stored, factors, strict=True)):
        if not math.isclose(found, right, rel_tol=1e-4):
            raise MedllmError(
                f"{facts.path}: {_FREQUENCIES}[{index}] is {found:g}, Llama 3's rule gives "
                f"{right:g}.",
                _CONVERT_AGAIN,
            )


def _pieces(path: Path, tensor: GgufTensor) -> Iterator[memoryview]:
    """A tensor's bytes; each piece is valid until the next."""
    buffer = memoryview(bytearray(min(_PIECE, tensor.nbytes)))
    left = tensor.nbytes
    with path.open("rb") as file:
        file.seek(tensor.offset)
        while left:
            count = file.readinto(buffer[: min(left, len(buffer))])
            if not count:
                raise MedllmError(f"{path} ended while it was read.", _CONVERT_AGAIN)
            yield buffer[:count]
            left -= count
