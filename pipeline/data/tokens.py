"""How many tokens a text has, counted a word at a time where that is sure to be the same.

Byte-pair merges of a SentencePiece vocabulary never join what stands before a "▁" (a space) to it,
unless a token says otherwise. So a text's tokens are those of its words, and the words of a corpus
are few: each is encoded once. On texts of 1,000 characters that is some ten times as fast.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medllm.pipeline.errors import MedllmError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_SPACE = "\u2581"  # how the vocabulary writes a space
_WORD = re.compile(r" *[^ ]+| +")  # spaces go with the word behind them: "▁▁" may be one token
_REMEMBERED = 2**16  # words; about 8 MB
_LAST_SPACE = {"": 1}  # a space with nothing behind it is a token; encoding "" would give none


def token_counter(base: Path) -> Callable[[str], int]:
    """Counts tokens as the tokenizer in stage base's folder does; nothing in a text is special."""
    from tokenizers import Tokenizer

    path = base / "tokenizer.json"
    if not path.is_file():
        raise MedllmError(
            f"{base} has no tokenizer.json.", "Run `medllm base` again; prepare counts tokens."
        )
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True
    if splits_at_spaces(json.loads(path.read_text(encoding="utf-8"))):
        return _Words(tokenizer)
    return lambda text: _length(tokenizer, text)


def splits_at_spaces(tokenizer: dict[str, Any]) -> bool:
    """Whether a tokenizer.json gives a text the tokens of its words, one after the other.

    So it is for BPE without pre-tokenizer, over text with "▁" in front and for every space, when no
    token has a "▁" behind another character and "▁" is one. Anything else is not looked into.
    """
    model, added = tokenizer["model"], tokenizer["added_tokens"]
    return (
        model["type"] == "BPE"
        and not model.get("dropout")
        and not model.get("ignore_merges")
        and not model.get("fuse_unk")
        and tokenizer["pre_tokenizer"] is None
        and tokenizer["normalizer"] == _NORMALIZER
        and all(token["special"] for token in added)
        and _SPACE in model["vocab"]
        and not any(_SPACE in token.lstrip(_SPACE) for token in model["vocab"])
    )


_NORMALIZER = {
    "type": "Sequence",
    "normalizers": [
        {"type": "Prepend", "prepend": _SPACE},
        {"type": "Replace", "pattern": {"String": " "}, "content": _SPACE},
    ],
}


def _length(tokenizer: Tokenizer, text: str) -> int:
    return len(tokenizer.encode(text, add_special_tokens=False))


class _Words:
    """The sum over a text's words, each with the space in front that the tokenizer puts there."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known = dict(_LAST_SPACE)

    def __call__(self, text: str) -> int:
        words = self._split(text)
        try:
            return sum(map(self._known.__getitem__, words))
        except KeyError:
            self._learn(set(words))
            return sum(map(self._known.__getitem__, words))

    def _learn(self, words: set[str]) -> None:
        if len(self._known) > _REMEMBERED:
            self._known = dict(_LAST_SPACE)
        for word in words:
            if word not in self._known:
                self._known[word] = _length(self._tokenizer, word)

    @staticmethod
    def _split(text: str) -> list[str]:
        if not text:
            return []
        if "  " not in text and text[0] != " ":
            return text.split(" ")
        # The first space of a run is the one that the tokenizer writes in front of each word.
        return [word[1:] for word in _WORD.findall(" " + text)]
