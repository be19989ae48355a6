"""The rules of cleaning: one small pure function each, in two tables that run in their order."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from medllm.pipeline.config import CleanConfig
from medllm.pipeline.data.clean import boilerplate, language
from medllm.pipeline.data.schema import Dialogue
from medllm.pipeline.data.split import normalised

Role = Literal["user", "assistant"]


@dataclass(frozen=True)
class Edit:
    """A rule that changes the text of a turn, and whose turns it looks at."""

    name: str  # as in the report
    edit: Callable[[str], tuple[str, int]]
    roles: tuple[Role, ...] = ("user", "assistant")


def encoding(text: str) -> tuple[str, int]:
    """UTF-8 that was read as another encoding, read rightly; genuine µ, ², “” and – stay (ftfy)."""
    if text.isascii():
        return text, 0
    import ftfy
    from ftfy.badness import is_bad

    fixed = ftfy.fix_encoding(text, explain=False) if is_bad(text) else text
    fixed = _HALF_SPACE.sub("", fixed)
    return fixed, int(fixed != text)


def entities(text: str) -> tuple[str, int]:
    """``&lt;`` as <; twice, since scraped pages are often escaped twice."""
    if "&" not in text:
        return text, 0
    text, once = _ENTITY.subn(_character, text)
    text, again = _ENTITY.subn(_character, text) if once else (text, 0)
    return text, once + again


def tags(text: str) -> tuple[str, int]:
    """Without HTML. "<5 mg/dl", "BP <120", "<s>" and "p <b and" are none.

    A tag is one only by its name, and further by attributes, a slash or a partner in the text.
    """
    if "<" not in text:
        return text, 0
    text, blocks = _HIDDEN.subn(" ", text)
    lowered, count = text.lower(), 0

    def replace(match: re.Match[str]) -> str:
        nonlocal count
        name = match["name"].lower()
        sure = match["close"] or match["attributes"] or match["empty"] or name in _VOID
        if not sure and f"</{name}>" not in lowered:
            return match.group()
        count += 1
        return "\n" if _BREAKS.fullmatch(name) else ""

    return _TAG.sub(replace, text), blocks + count


def controls(text: str) -> tuple[str, int]:
    """Without characters that no reader sees and a tokenizer does; odd line ends as newlines."""
    if text.isascii() and text.isprintable():
        return text, 0
    text, ends = _LINE_END.subn("\n", text)
    text, invisible = _CONTROL.subn("", text)
    return text, ends + invisible


def spaces(text: str) -> tuple[str, int]:
    """One space where a line has several or a tab, none at its end, one empty line at most.

    Space before a line's first word stays: it may show what belongs to what in a list.
    """
    hard = text.count("\u00a0")
    text = text.replace("\u00a0", " ") if hard else text
    text, inside = _RUN.subn(" ", text) if "  " in text or "\t" in text else (text, 0)
    text, ends = _LINE_TAIL.subn("", text) if "\n" in text else (text, 0)
    text, empty = _EMPTY_LINES.subn("\n\n", text) if "\n\n\n" in text else (text, 0)
    return text, hard + inside + ends + empty


_DOCTOR: tuple[Role, ...] = ("assistant",)
EDITS = (
    Edit("broken encodings repaired", encoding),
    Edit("HTML entities decoded", entities),
    Edit("HTML tags removed", tags),
    Edit("invisible characters removed", controls),
    Edit("repeated white space reduced", spaces),
    Edit("labels of a site's form removed", boilerplate.labels),
    Edit("links to a site and its paid advice removed", boilerplate.promotion, _DOCTOR),
    Edit("greetings and sign-offs of a site removed", boilerplate.formulas, _DOCTOR),
    Edit("lost names in a patient's salutation mended", boilerplate.salutations, ("user",)),
    Edit("sentences torn by a lost name removed", boilerplate.torn),
)

_HALF_SPACE = re.compile(r"(?<![^\W\d_])Â(?=\s|$)")  # of a no-break space, its second byte lost
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][\da-fA-F]{1,6}|[A-Za-z][A-Za-z\d]{1,31});")
_BREAKS = re.compile(r"br|p|div|li|[uo]l|tr|table|h[1-6]|hr|blockquote")
_VOID = frozenset(("br", "hr", "img"))
_NAMES = (
    "a|b|big|blockquote|body|br|center|code|div|em|font|h[1-6]|head|hr|html|i|img|ins|li|ol|p|pre"
    "|small|span|strike|strong|sub|sup|table|tbody|td|th|thead|title|tr|tt|u|ul"
)
_TAG = re.compile(
    rf"<(?P<close>/)?(?P<name>{_NAMES})"
    r"(?P<attributes>(?:\s+[a-zA-Z-]+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s\"'<>]+))*)"
    r"\s*(?P<empty>/)?>",
    re.I,
)
_HIDDEN = re.compile(r"<(script|style)\b[^<>]*>.*?</\1\s*>|<!--.*?-->", re.I | re.S)
_LINE_END = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
# C0 and C1 controls, soft hyphen, bidirectional overrides, interlinear and tag characters. Joiners
# (U+200C, U+200D) are spelling in some scripts and stay.
_CONTROL = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    "\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
_RUN = re.compile(r"(?<=\S)(?:  +| *\t[ \t]*)(?=\S)")
_LINE_TAIL = re.compile(r"[ \t]+(?=\n)")
_LETTERS = re.compile(r"[^\W\d_]+|\s+")
_EMPTY_LINES = re.compile(r"\n{3,}")


def _character(match: re.Match[str]) -> str:
    return html.unescape(match.group())


@dataclass(frozen=True)
class Words:
    """What a dialogue's patient and doctor say in all, each turn on a line of its own."""

    asked: str
    said: str

    @classmethod
    def of(cls, dialogue: Dialogue) -> Words:
        """The words of both."""
        asked, said = (
            "\n".join(m.content for m in dialogue.messages if m.role == role)
            for role in ("user", "assistant")
        )
        return cls(asked, said)


def still_torn(words: Words, config: CleanConfig) -> bool:
    """A name is missing where too little would be left without its sentence."""
    return boilerplate.has_placeholder(words.asked) or boilerplate.has_placeholder(words.said)


def lost_characters(words: Words, config: CleanConfig) -> bool:
    """The doctor's words hold U+FFFD: what stood there is lost."""
    return "\ufffd" in words.said


def too_short(words: Words, config: CleanConfig) -> bool:
    """The doctor says next to nothing."""
    return len(words.said) < config.min_answer_characters


def too_long(words: Words, config: CleanConfig) -> bool:
    """Longer than any consultation, so several in one, or a page with its menus."""
    return len(words.asked) + len(words.said) > config.max_characters


def few_letters(words: Words, config: CleanConfig) -> bool:
    """More numbers and signs than words; a combining mark is part of a letter."""
    others = _LETTERS.sub("", words.said)
    marks = 0 if words.said.isascii() else sum(unicodedata.category(c)[0] == "M" for c in others)
    return len(others) - marks > config.max_other_share * len(words.said)


def repeats(words: Words, config: CleanConfig) -> bool:
    """Five words or more of the doctor that are all a stretch of the patient's own words."""
    if len(words.said) > 2 * len(words.asked):
        return False
    said = normalised(words.said)
    return said.count(" ") >= 4 and f" {said} " in f" {normalised(words.asked)} "


def foreign(words: Words, config: CleanConfig) -> bool:
    """Patient or doctor surely speak another language."""
    return bool(config.languages) and any(
        language.foreign(text, config.languages) for text in (words.said, words.asked)
    )


DROPS: Mapping[str, Callable[[Words, CleanConfig], bool]] = {
    "too much lost where the source cut out names": still_torn,
    "lost characters in the doctor's words": lost_characters,
    "doctor's words shorter than min_answer_characters": too_short,
    "dialogue longer than max_characters": too_long,
    "doctor's words hardly any letters": few_letters,
    "doctor repeats the patient's words": repeats,
    "language other than the configured": foreign,
}
