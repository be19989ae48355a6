"""A GGUF's own tokenizer in the shape that a prompt format asks for."""

from __future__ import annotations

from typing import Any, NamedTuple


class Stretch(NamedTuple):
    """The tokens of a stretch of plain text."""

    ids: list[int]
    offsets: list[tuple[int, int]]


class GgufTokenizer:
    """What ``PromptFormat.encode`` asks of a tokenizer, answered by the GGUF's own.

    llama.cpp gives no character offsets, so masks made with it mean nothing.
    """

    def __init__(self, llama: Any) -> None:
        """``llama`` is a loaded ``llama_cpp.Llama``."""
        self.bos_token_id: int = llama.token_bos()
        self.eos_token_id: int = llama.token_eos()
        self.backend_tokenizer = self
        self.encode_special_tokens = True
        self._tokenize = llama.tokenize

    def encode(self, text: str, *, add_special_tokens: bool) -> Stretch:
        """Token ids of a stretch of plain text."""
        ids = self._tokenize(text.encode(), add_bos=add_special_tokens, special=False)
        return Stretch(ids, [(0, 0)] * len(ids))
