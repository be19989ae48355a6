"""The name by which llama.cpp knows how a byte-level BPE tokenizer cuts text into words.

llama.cpp's converter recognises a tokenizer by a hash over the ids of one text, so that another
vocabulary under the same rules is a stranger to it. The cut itself stands in tokenizer.json; where
the hash is unknown, a cut that is known word for word is named by that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from medllm.pipeline.errors import MedllmError

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_WORDS = r"|[^\r\n\p{L}\p{N}]?\p{L}+"
# Llama 3 cuts numbers into three digits at most, Qwen2 into single ones. The flag says whether a
# word that is a token itself is left whole, whatever the merges (llama.cpp ties it to the name).
_KNOWN: Mapping[tuple[str, bool], str] = {
    (_CONTRACTIONS + _WORDS + r"|\p{N}{1,3}" + _REST, True): "llama-bpe",
    (_CONTRACTIONS + _WORDS + r"|\p{N}" + _REST, False): "qwen2",
}


def pretokenizer(folder: Path, by_hash: Callable[[Any], str], tokenizer: Any) -> str:
    """``tokenizer.ggml.pre`` of a folder's tokenizer, by the converter's hash or by its cut.

    Raises MedllmError when llama.cpp knows neither.
    """
    try:
        return by_hash(tokenizer)
    except NotImplementedError:
        settings = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    cut = settings.get("pre_tokenizer") or {}
    steps = cut.get("pretokenizers") or [cut]
    patterns = [step["pattern"].get("Regex") for step in steps if step.get("type") == "Split"]
    whole_words = bool(settings["model"].get("ignore_merges"))
    name = _KNOWN.get((patterns[0], whole_words)) if len(patterns) == 1 else None
    if name is None or steps[-1].get("type") != "ByteLevel" or steps[-1].get("use_regex", True):
        raise MedllmError(
            f"{folder / 'tokenizer.json'} cuts text in a way that llama.cpp's converter does not "
            "know.",
            "Use a tokenizer of Llama 2, Llama 3, Mistral or Qwen2.",
        )
    return name
