"""Which split a dialogue belongs to, and whether it gets the system message.

Both follow from a keyed hash of the dialogue alone: no random generator, no order, no total. A
dialogue therefore never moves when others are added, removed or shuffled.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache
from typing import Literal, get_args

from medllm.pipeline.config import PrepareConfig
from medllm.pipeline.data.schema import Dialogue

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
_WORDS = re.compile(r"\w+")
_GAPS = {code: " " for code in range(128) if not _WORDS.match(chr(code))}


def split_of(representative: str, config: PrepareConfig) -> Split:
    """The split of all dialogues that are represented by one text: none of them is in two."""
    share = draw(config.seed, "split", representative)
    if share < config.test_share:
        return "test"
    return "validation" if share < config.test_share + config.validation_share else "train"


def gets_system(dialogue: Dialogue, config: PrepareConfig) -> bool:
    """Whether this dialogue is among the ``system_share`` that get the system message."""
    return draw(config.seed, "system", dialogue.id) < config.system_share


def copies(digest: str, weight: float, seed: int) -> int:
    """How often a dialogue stands in train: ``weight`` times on average over dialogues."""
    whole = int(weight)
    return whole + (draw(seed, "weight", digest) < weight - whole)


@lru_cache(maxsize=64)  # the rules that look at a row's words come one after the other
def words(text: str) -> tuple[str, ...]:
    """A text's words without case, punctuation, layout and Unicode's compatibility forms."""
    if text.isascii():  # the same, several times as fast
        return tuple(text.lower().translate(_GAPS).split())
    return tuple(_WORDS.findall(unicodedata.normalize("NFKC", text).casefold()))


def normalised(text: str) -> str:
    """The ``words`` of a text with a space between them."""
    return " ".join(words(text))


def draw(seed: int, purpose: str, text: str) -> float:
    """A number in [0, 1) that looks uniform over texts and is the same on every machine."""
    digest = hashlib.sha256(f"{seed}\n{purpose}\n{text}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48
