"""Stage vectors: Word2Vec on the run's own prepared dialogues, and reading what it wrote.

Skip-gram with negative sampling (Mikolov et al., arXiv 1310.4546) by gensim, one thread and a fixed
seed, so that a run gives the same vectors again. They are kept as safetensors, the vocabulary as
text beside them: no pickle.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from medllm.chat.domain.words import is_medical_word
from medllm.pipeline.config import RunPaths, VectorsConfig
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import Manifest, Work, stage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

VECTORS, VOCABULARY = "vectors.safetensors", "vocabulary.txt"
_WORD = re.compile(r"[^\W\d_][\w'-]*")


def words_of(text: str) -> list[str]:
    """The words of a text in lower case."""
    return _WORD.findall(text.lower().replace("’", "'"))


class WordVectors(NamedTuple):
    """Unit vectors, float32 (words, size), their words' rows, and the direction of medicine.

    ``domain`` (size,) is the mean of the vectors of medical words, of length one.
    """

    rows: dict[str, int]
    unit: NDArray[np.float32]
    domain: NDArray[np.float32]

    def similarity(self, word: str) -> float | None:
        """Cosine of a word (lower case) and the domain, None for a word without a vector."""
        row = self.rows.get(word)
        return None if row is None else float(self.unit[row] @ self.domain)


def vectors(config: VectorsConfig, paths: RunPaths) -> Manifest:
    """Train the vectors. Raises MedllmError when the data holds too few words for any."""

    def body(work: Work) -> None:
        import numpy as np
        from gensim.models import Word2Vec
        from safetensors.numpy import save_file

        sentences = []
        for line in (work.inputs["prepare"] / "train.jsonl").read_text("utf-8").splitlines():
            turns = json.loads(line)["messages"]
            sentences += [words_of(turn["content"]) for turn in turns if turn["role"] != "system"]
        try:
            model = Word2Vec(
                sentences,
                vector_size=config.size,
                window=config.window,
                min_count=config.min_count,
                sg=1,
                epochs=config.epochs,
                seed=config.seed + 1,  # 0 would be gensim's "any"
                workers=1,  # more threads race, and no run would be like another
                hashfxn=_stable_hash,
            )
        except RuntimeError as error:
            raise MedllmError(
                f"The prepared dialogues hold no word {config.min_count} times.",
                "Prepare more data, or set vectors.min_count lower.",
            ) from error
        save_file(
            {"vectors": np.ascontiguousarray(model.wv.vectors, dtype=np.float32)},
            work.dir / VECTORS,
        )
        (work.dir / VOCABULARY).write_text("\n".join(model.wv.index_to_key) + "\n", "utf-8")
        work.report["words"] = len(model.wv)

    return stage("vectors", config, paths, body)


def load_vectors(folder: Path) -> WordVectors:
    """The vectors of a finished stage. Raises MedllmError when the two files do not fit."""
    import numpy as np
    from safetensors.numpy import load_file

    found = load_file(folder / VECTORS)["vectors"]
    words = (folder / VOCABULARY).read_text("utf-8").splitlines()
    if found.ndim != 2 or len(found) != len(words):
        raise MedllmError(
            f"{folder} holds vectors and words that do not fit.", "Run `medllm vectors` again."
        )
    unit = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
    medical = [row for row, word in enumerate(words) if is_medical_word(word)]
    domain = unit[medical].mean(axis=0) if medical else np.zeros(found.shape[1], np.float32)
    domain = domain / max(float(np.linalg.norm(domain)), 1e-9)
    rows = {word: row for row, word in enumerate(words)}
    return WordVectors(rows, unit, domain.astype(np.float32))


def _stable_hash(word: str) -> int:
    """Python's own hash differs from process to process."""
    import zlib

    return zlib.crc32(word.encode())
