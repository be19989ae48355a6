"""What the gate reads: a run's own dialogues, texts that tokenizers trip over, and mixtures.

Everything is generated from a seed, so that two runs of the gate read the same conversations.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import chain, islice, product
from pathlib import Path
from typing import NamedTuple

from medllm.pipeline.data.schema import read_dialogues
from medllm.pipeline.prompts import Message

# What a control token looks like when a person types it. Only the first three are pieces of type
# CONTROL or UNKNOWN in Llama's vocabulary; the others are text that looks the part.
TYPED_CONTROLS = ("<s>", "</s>", "<unk>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>", "<0x0A>")
_LOOK_ALIKES = (
    *("<S>", "< s>", "</s", "s>", "<s><s>", "<</s>/s>", "<s</s>>", "&lt;s&gt;", "＜s＞", "<pad>"),
    *(
        "<|im_end|>",
        "<|eot_id|>",
        "[img-0]",
        "<__media__>",
        "{{ .System }}",
        "{% raw %}",
        "▁",
        "▁▁",
    ),
    *("▁<s>", "<0xFF>", "<0x00>"),
)
_SCRIPTS = (
    *("患者说头痛", "발열이 있어요", "頭が痛い", "Пациент кашляет", "طفل عنده حمى", "חום גבוה"),
    *("बच्चे को बुखार", "ผู้ป่วยไอ", "የታመመ", "naïve café", "Ångström", "ﬁbrillation", "ⅷ", "𝛼-blocker"),
)
_EMOJI = ("🤒", "👩🏽‍⚕️", "👨‍👩‍👧‍👦", "🇺🇸🇩🇪", "❤️‍🩹", "☝🏿", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿")
_MARKS = (
    *("e\u0301", "a\u0308\u0323", "Z\u0351\u036b\u0343", "\u0301", "\u200d", "\u200b", "\ufeff"),
    *("\u200f", "\u202e\u202c", "\u2066x\u2069", "\u00ad", "\ufffd", "\ue000", "\U0010ffff"),
)
_SPACES = (
    *(" ", "  ", "   ", " " * 17, "\u00a0", "\u202f", "\u3000", "\u2028", "\x85", "\t", "\t\t"),
    *("\n", "\n\n\n", "\r\n", "\r", " \n ", "\v", "\f"),
)
_CONTROL_CHARACTERS = tuple(map(chr, (*range(1, 9), 14, 27, 31, 127, 128, 159)))
_CLINICAL = (
    *("BP 142/91 mmHg", "SpO₂ 94%", "38.6 °C", "10⁹/L", "½", "5–10 µg", "eGFR<60", "don't", "“so”"),
    *("1234567890" * 6, "3.14159e-10", "٣٨٫٦", "pneumonoultramicroscopicsilicovolcanoconiosis"),
    *("a" * 700, "<" * 40, "https://example.org/a?b=<s>#c", "\\n\\t\\0", "…", "ß" * 30),
)
HOSTILE = (
    *(*TYPED_CONTROLS, *_LOOK_ALIKES, *_SCRIPTS, *_EMOJI),
    *(*_MARKS, *_SPACES, *_CONTROL_CHARACTERS, *_CLINICAL),
)
_ARRANGEMENTS = ("{0}", "{0} is what I have", "I have {0}", "my {0} hurts", "fe{0}ver", "{0}{0}")
_SYSTEM = "You answer as a careful assistant."


class Conversation(NamedTuple):
    """Messages, and where they come from (for an error message)."""

    origin: str
    messages: tuple[Message, ...]


def plain_texts() -> Iterator[str]:
    """Every hostile piece in every arrangement, once."""
    return (where.format(piece) for piece, where in product(HOSTILE, _ARRANGEMENTS))


def hostile_conversations() -> Iterator[Conversation]:
    """Every hostile piece in every arrangement, in each role, single and multi turn.

    Control strings also come cut in two, the halves on both sides of each border of messages.
    """
    for number, text in enumerate(plain_texts()):
        system = text if number % 3 == 0 else _SYSTEM if number % 3 == 1 else ""
        first = _turns(text, "Yes." if number % 2 else text)
        turns = first if number % 4 < 2 else (*_turns("And now?", text), *first)
        yield Conversation("a generated text", (*_system(system), *turns))
    for control in TYPED_CONTROLS:
        for cut in range(1, len(control)):
            left, right = control[:cut], control[cut:]
            split = (*_turns(right + " " + left, right + " " + left),) * 2
            origin = f"{control!r} cut in two"
            yield Conversation(origin, (*_system(left), *split))
            yield Conversation(origin, split)


def run_conversations(files: Sequence[Path], number: int) -> Iterator[Conversation]:
    """Up to ``number`` dialogues of a run, all of them or evenly spread over its files.

    Raises MedllmError for a line that is no dialogue.
    """
    total = sum(_lines(path) for path in files)
    step = max(1, -(-total // number)) if number else total + 1
    everything = chain.from_iterable(
        ((path, line, dialogue) for line, dialogue in enumerate(read_dialogues(path), 1))
        for path in files
    )
    for path, line, dialogue in islice(everything, 0, None, step):
        yield Conversation(f"{path}:{line}", dialogue.messages)


def mixtures(own: Sequence[Conversation], number: int, seed: int) -> Iterator[Conversation]:
    """``number`` conversations made of a run's own and of hostile pieces, by a seed."""
    drawn = random.Random(seed)
    for _ in range(number):
        picked = drawn.sample(own, min(len(own), drawn.choice((1, 1, 2, 3))))
        turns = [m for one in picked for m in one.messages if m.role != "system"]
        own_system = next((m.content for m in picked[0].messages if m.role == "system"), "")
        system = drawn.choice(("", own_system, _SYSTEM, drawn.choice(HOSTILE)))
        messages = (*_system(system), *turns)
        yield Conversation(
            f"a mixture of {', '.join(one.origin for one in picked)}",
            tuple(
                Message(role=message.role, content=_disturbed(message.content, drawn))
                for message in messages
            ),
        )


def _disturbed(text: str, drawn: random.Random) -> str:
    """A text with up to three changes of the kinds that tokenizers trip over."""
    for _ in range(drawn.randint(0, 3)):
        at = drawn.randint(0, len(text))
        kind = drawn.randrange(8)
        if kind < 3:
            text = text[:at] + drawn.choice(HOSTILE) + text[at:]
        elif kind == 3:
            text = text.replace(" ", drawn.choice(("  ", "\u00a0", "\t", "\r\n", "▁")), 5)
        elif kind == 4:
            text = drawn.choice(_SPACES) + text + drawn.choice(_SPACES)
        elif kind == 5:
            text = text[:at] + _character(drawn) * drawn.randint(1, 9) + text[at:]
        elif kind == 6:
            text = text[:at].upper() + text[at:].replace(" ", "")[:400]
        else:
            text = text[:at] + "\n- ".join(drawn.sample(HOSTILE, 3)) + text[at:]
    return text


def _character(drawn: random.Random) -> str:
    """Any character but NUL and half a surrogate pair, which no text holds."""
    first, last = drawn.choice(((1, 0x2FF), (1, 0xD7FF), (0xE000, 0x10FFFF)))
    return chr(drawn.randint(first, last))


def _turns(question: str, answer: str) -> tuple[Message, Message]:
    return Message(role="user", content=question), Message(role="assistant", content=answer)


def _system(text: str) -> tuple[Message, ...]:
    return (Message(role="system", content=text),) if text else ()


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)
