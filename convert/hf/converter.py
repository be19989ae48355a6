"""llama.cpp's own converter, fed with merged tensors: a program that ``handover`` runs.

The converter's model class reads config and tokenizer from a folder of small files. Its table of
tensors is filled with lazy ones that are merged while the GGUF is written, a block of rows at a
time. Only a tensor whose rows the class moves (the heads of Llama's RoPE) is held whole, in the
type of the GGUF.

Each tensor's expected bytes are hashed here from the checkpoint's side, with a layout of our own
reckoning, so that the finished file can be compared with what should have been written.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf  # the one that matches the converter, by PYTHONPATH
import torch
import xxhash

from medllm.convert.checkpoint import MergedCheckpoint, is_finite
from medllm.convert.hf.handover import Answer, Handed, Request
from medllm.convert.hf.pretokenizers import pretokenizer
from medllm.convert.metadata import add_own
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.weights.weight_files import read_object

if TYPE_CHECKING:
    import numpy as np

conversion: Any = importlib.import_module("conversion")  # llama.cpp's, by PYTHONPATH

# Graphs of llama.cpp that compute what transformers does, tested family by family.
_GRAPHS = ("llama", "qwen2")
_BUFFERS = (".rotary_emb.inv_freq",)  # of early checkpoints; llama.cpp computes them
_FILE_TYPES = {"F32": "ALL_F32", "F16": "MOSTLY_F16", "BF16": "MOSTLY_BF16"}
_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


class _Lazy(conversion.LazyTorchTensor):
    """A tensor that is made when it is written: by blocks, unless the converter reshapes it."""

    _tensor_type = torch.Tensor
    blocks: list[Callable[[], np.ndarray[Any, Any]]] | None = None

    def numpy(self) -> Any:
        if self.blocks is None:
            return super().numpy()
        dtype = {torch.float16: "float16", torch.float32: "float32"}[self.dtype]
        return gguf.LazyChunkedTensor(self.blocks, tuple(self.shape), dtype)


class _Source:
    """One tensor of the checkpoint on its way into the GGUF."""

    def __init__(
        self, checkpoint: MergedCheckpoint, name: str, kind: str, heads: int | None
    ) -> None:
        self.name, self.info = name, checkpoint.tensors[name]
        self.rounded = 0
        self._checkpoint, self._heads = checkpoint, heads
        self._stored = _DTYPES[kind if len(self.info.shape) > 1 else "F32"]
        self._type = kind
        self._hash = xxhash.xxh3_128()
        self._elements = 0

    def lazy(self) -> _Lazy:
        # llama.cpp's numpy code makes bfloat16 from float32; float16 is made here, by torch.
        given = torch.float16 if self._stored == torch.float16 else torch.float32
        meta = _Lazy.meta_with_dtype_and_shape(given, self.info.shape)
        lazy = _Lazy(meta=meta, args=(given,), func=self._whole)
        if self._heads is None:
            lazy.blocks = [
                partial(self._block, start, stop, given)
                for start, stop in self._checkpoint.blocks(self.name)
            ]
        return lazy

    def handed(self) -> Handed:
        if self._elements != self.info.elements:
            raise RuntimeError(f"{self.name} was not written once")
        return Handed(
            source=self.name,
            shape=self.info.shape,
            digest=self._hash.hexdigest(),
            rounded=self.rounded,
        )

    def _block(self, start: int, stop: int, given: torch.dtype) -> np.ndarray[Any, Any]:
        rows = self._checkpoint.rows(self.name, start, stop)
        stored = self._convert(rows)
        self._expect(stored)
        return stored.to(given).numpy()

    def _whole(self, given: torch.dtype) -> torch.Tensor:
        whole = torch.empty(self.info.shape, dtype=self._stored)
        for start, stop in self._checkpoint.blocks(self.name):
            whole[start:stop] = self._convert(self._checkpoint.rows(self.name, start, stop))
        assert self._heads is not None
        self._expect(_interleave(whole, self._heads))
        return whole.to(given)

    def _convert(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows in the type of the file; what that rounds is counted."""
        if rows.dtype == self._stored:
            return rows
        stored = rows.to(self._stored)
        if not is_finite(stored):
            raise MedllmError(
                f"{self._checkpoint.folder}: {self.name} holds a number too large for "
                f"{self._type}.",
                "Set convert.type to BF16 or F32.",
            )
        if stored.dtype != torch.float32:
            bits = torch.int32 if rows.dtype == torch.float32 else torch.int16
            again = stored.to(rows.dtype)
            self.rounded += int(again.view(bits).ne(rows.view(bits)).count_nonzero())
        return stored

    def _expect(self, stored: torch.Tensor) -> None:
        self._hash.update(stored.contiguous().view(torch.uint8).numpy().data)
        self._elements += stored.numel()


def _interleave(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Put a head's rows in the order that ggml's RoPE pairs them: (0, d/2), (1, d/2 + 1), …

    Hugging Face's Llama rotates row i of a head with row i + d/2, llama.cpp's with row i + 1.
    """
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1)
    return halves.transpose(1, 2).reshape(weight.shape)


def convert(request: Request) -> Answer:
    """Write the GGUF. Raises MedllmError for a model or a tensor that cannot be converted."""
    checkpoint = MergedCheckpoint(request.base, request.adapter)
    model = _model(request)
    sources = _sources(checkpoint, model, request.type)
    model.model_tensors = {source.name: source.lazy for source in sources.values()}
    own_name = model.get_vocab_base_pre
    model.get_vocab_base_pre = partial(pretokenizer, request.small_files, own_name)
    add_own(model.gguf_writer, request.own)
    model.write()
    return Answer(
        architecture=gguf.MODEL_ARCH_NAMES[model.model_arch],
        tensors={name: source.handed() for name, source in sources.items()},
    )


def _model(request: Request) -> Any:
    """The converter's object for the model's architecture, by its own table."""
    hparams = read_object(request.small_files / "config.json")
    # It would ask transformers' AutoConfig, whose import costs 85 MB, and take this if that fails.
    conversion.ModelBase.load_hparams = staticmethod(lambda *_, **__: dict(hparams))
    try:
        architecture = conversion.get_model_architecture(hparams, conversion.ModelType.TEXT)
        model_class = conversion.get_model_class(architecture)
    except (NotImplementedError, ValueError) as error:
        raise MedllmError(
            f"llama.cpp's converter does not know {request.base / 'config.json'}: {error}",
            "Use a model of the Llama family.",
        ) from None
    graph = gguf.MODEL_ARCH_NAMES[model_class.model_arch]
    if graph not in _GRAPHS:
        raise MedllmError(
            f"{request.base / 'config.json'}: architectures is [{architecture!r}], which llama.cpp "
            f"runs as {graph}; medllm checks {' and '.join(_GRAPHS)} only.",
            "Use a Llama, Mistral or Qwen2 model.",
        )
    kind = gguf.LlamaFileType[_FILE_TYPES[request.type]]
    return model_class(
        request.small_files,
        kind,
        request.outfile,
        model_name=request.name,
        metadata_override=request.override,
    )


def _sources(checkpoint: MergedCheckpoint, model: Any, kind: str) -> Mapping[str, _Source]:
    """GGUF tensor -> what goes into it, by llama.cpp's table of names."""
    sources: dict[str, _Source] = {}
    heads = {
        "attn_q": model.find_hparam(["num_attention_heads"]),
        "attn_k": model.find_hparam(["num_key_value_heads", "num_attention_heads"]),
    }
    for name in checkpoint.tensors:
        if name.endswith(_BUFFERS):
            continue
        target = model.tensor_map.get_name(name, try_suffixes=(".weight", ".bias"))
        if target is None:
            raise MedllmError(
                f"{checkpoint.folder} holds {name}, which no {model.hf_arch} has.",
                "Use a checkpoint of one model, without parts of others.",
            )
        moved = heads.get(target.split(".")[-2]) if getattr(model, "undo_permute", False) else None
        sources[target] = _Source(checkpoint, name, kind, moved)
    return sources


def main() -> None:
    """Read a request, convert, and write the answer; a refusal is an answer too."""
    logging.basicConfig(level=logging.ERROR)
    request = Request.model_validate_json(Path(sys.argv[1]).read_bytes())
    try:
        with torch.inference_mode():
            answer = convert(request)
    except MedllmError as error:
        answer = Answer(refused=(error.what, error.fix))
    request.answer.write_text(answer.model_dump_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
