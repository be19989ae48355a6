"""What makes a GGUF the model it is, whatever the order in which a file holds it.

Ollama's create may lay a GGUF out anew (seen on 0.33: tensors sorted by name, the keys
general.file_type and general.quantization_version moved or added) and so give the same model
another sha256. These digests stay the same.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from tqdm import tqdm

from medllm.convert.inspect_gguf import GgufFacts, check_gguf

_CHUNK = 2**20
_HEX = r"^[0-9a-f]{64}$"


class GgufIdentity(BaseModel):
    """Digests over weights and settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    tensors: str = Field(pattern=_HEX, description="names, types, shapes and data of all tensors")
    metadata: str = Field(pattern=_HEX, description="what the engine reads: tokenizer, shape, rope")


def gguf_identity(path: Path) -> GgufIdentity:
    """Digest a GGUF, tensor by tensor in the order of their names.

    Tensors: sha256 over one JSON line ``[name, type, shape, bytes]`` and the data of each.
    Metadata: sha256 over one JSON line ``[key, value]`` for each key, sorted; of the keys
    ``general.*`` only ``general.architecture`` counts, the others describe and are rewritten.

    Raises MedllmError for a file that is not a sound GGUF.
    """
    facts = check_gguf(path)
    return GgufIdentity(tensors=_tensors(facts), metadata=_metadata(facts))


def _tensors(facts: GgufFacts) -> str:
    digest = hashlib.sha256()
    with (
        facts.path.open("rb") as file,
        tqdm(
            total=sum(tensor.nbytes for tensor in facts.tensors.values()),
            desc="weights",
            unit="B",
            unit_scale=True,
            leave=False,
            disable=None,
        ) as bar,
    ):
        for name, tensor in sorted(facts.tensors.items()):
            digest.update(_line([name, tensor.type.name, list(tensor.shape), tensor.nbytes]))
            file.seek(tensor.offset)
            left = tensor.nbytes
            while left and (chunk := file.read(min(left, _CHUNK))):
                digest.update(chunk)
                left -= len(chunk)
                bar.update(len(chunk))
    return digest.hexdigest()


def _metadata(facts: GgufFacts) -> str:
    digest = hashlib.sha256()
    for key, value in sorted(facts.metadata.items()):
        if key == "general.architecture" or not key.startswith("general."):
            digest.update(_line([key, value]))
    return digest.hexdigest()


def _line(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"
