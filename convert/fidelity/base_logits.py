"""The F16's own next-token probabilities, in the file that llama-perplexity compares quants with.

llama-perplexity would make that file from text, but it never parses control tokens: ``</s>`` would
reach the model as four characters that it has not seen in training, at every end of an answer. It
does read the token ids of a measurement from the file. So the file is written here, from ids with
their control tokens, in llama-perplexity's format (tools/perplexity/perplexity.cpp):

``_logits_``, int32 tokens a piece C, int32 vocabulary V, int32 pieces N, N·C int32 token ids; then
for each of the last C − 1 − C/2 predictions of a piece one row of uint16: float32 scale, float32
lowest log probability, V steps of the scale above it, padded to an even number. Log probabilities
more than 16 below the row's highest are raised to that floor, here as there.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from medllm.convert.fidelity.dialogues import load, threads_for
from medllm.convert.inspect_gguf import GgufFacts

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

_FLOOR = 16.0  # nats below the highest logit of a row
_STEPS = 65535


@dataclass(frozen=True)
class BaseLogits:
    """A written file and what it holds."""

    path: Path
    chunks: int
    chunk_tokens: int
    nats: float  # mean −ln p of the tokens that came, of the model itself, before any rounding
    floored: int  # tokens that came although their probability lies below the file's floor

    @property
    def scored(self) -> int:
        """Predictions that are compared."""
        return self.chunks * scored_tokens(self.chunk_tokens)


def scored_tokens(chunk: int) -> int:
    """Predictions of a piece that count: those of its second half, the last excepted."""
    return chunk - 1 - chunk // 2


def base_bytes(chunks: int, chunk: int, vocabulary: int) -> int:
    """Size of the file, exactly."""
    return 20 + chunks * (chunk * 4 + scored_tokens(chunk) * _row_width(vocabulary) * 2)


def write_base(model: GgufFacts, ids: Sequence[int], chunk: int, path: Path) -> BaseLogits:
    """Run a model over whole pieces of ``chunk`` ids and write its predictions.

    The first id of each piece is replaced by BOS while it is decoded, as llama-perplexity does.
    Raises MedllmError when llama.cpp does not load the model.
    """
    import numpy as np
    from tqdm import tqdm

    chunks = len(ids) // chunk
    tokens = np.array(ids[: chunks * chunk], "<i4").reshape(chunks, chunk)
    decoder = _Decoder(model, chunk)
    nats, floored = 0.0, 0
    try:
        with path.open("wb") as file:
            header = struct.pack("<8s3i", b"_logits_", chunk, decoder.vocabulary, chunks)
            file.write(header + tokens.tobytes())
            for piece in tqdm(tokens, desc=model.path.name, unit="chunk", disable=None):
                logits = decoder.logits(piece)
                cost, below = _write_rows(file, logits, piece[chunk // 2 + 1 :])
                nats, floored = nats + cost, floored + below
    finally:
        decoder.close()
    return BaseLogits(path, chunks, chunk, nats / (chunks * scored_tokens(chunk)), floored)


def _row_width(vocabulary: int) -> int:
    return 2 * ((vocabulary + 1) // 2) + 4


def _write_rows(
    file: BinaryIO, logits: NDArray[np.float32], came: NDArray[np.int32]
) -> tuple[float, int]:
    """Write rows (predictions, vocabulary); returns Σ −ln p of the ids that came, and floored."""
    import numpy as np

    rows, vocabulary = logits.shape
    highest = logits.max(axis=1)
    lowest = np.maximum(logits.min(axis=1), highest - np.float32(_FLOOR))
    total = np.exp(logits - highest[:, None]).sum(axis=1, dtype=np.float64)
    log_total = np.log(total).astype(np.float32)
    scale = (highest - lowest) / np.float32(_STEPS)
    step = np.where(scale > 0, scale, np.float32(1))[:, None]
    packed = np.zeros((rows, _row_width(vocabulary)), "<u2")
    heads = np.stack([scale, lowest - highest - log_total], axis=1).astype("<f4")
    packed[:, :4] = heads.view("<u2")
    packed[:, 4 : 4 + vocabulary] = np.rint(np.clip(logits - lowest[:, None], 0, None) / step)
    file.write(packed.tobytes())
    given = logits[np.arange(rows), came]
    cost = highest + np.log(total) - given
    return float(cost.sum()), int((given < lowest).sum())


class _Decoder:
    """A model that decodes one piece at a time."""

    def __init__(self, model: GgufFacts, chunk: int) -> None:
        self._llama = load(model.path, context=chunk, threads=threads_for(model))
        import llama_cpp

        self._lib: Any = llama_cpp
        self._batch = llama_cpp.llama_batch_init(chunk, 0, 1)
        self.vocabulary = int(self._llama.n_vocab())

    def logits(self, piece: NDArray[np.int32]) -> NDArray[np.float32]:
        """Logits after each token of the second half but the last: llama.cpp's own memory."""
        import numpy as np

        lib, batch, context = self._lib, self._batch, self._llama.ctx
        lib.llama_memory_clear(lib.llama_get_memory(context), True)
        chunk = batch.n_tokens = len(piece)
        first = chunk // 2
        for place, token in enumerate(piece.tolist()):
            batch.token[place] = token if place else self._llama.token_bos()
            batch.pos[place] = place
            batch.n_seq_id[place] = 1
            batch.seq_id[place][0] = 0
            batch.logits[place] = first <= place < chunk - 1
        if status := lib.llama_decode(context, batch):
            raise RuntimeError(f"llama_decode returned {status}")
        size = scored_tokens(chunk) * self.vocabulary
        flat = np.ctypeslib.as_array(lib.llama_get_logits(context), shape=(size,))
        return flat.reshape(-1, self.vocabulary)

    def close(self) -> None:
        self._lib.llama_batch_free(self._batch)
        self._llama.close()
