"""English text as the scorers read it: sentences, clauses, phrases, and what is denied.

A rule sees one clause at a time, because a "not" reaches no further than its clause: "Do not drive,
call an ambulance" sends somebody, "There is no need to call an ambulance" does not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

GAP = 6  # words that "..." in a phrase may stand for
LONGEST = 1000  # characters of a sentence; a model that runs on is read in pieces of it
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "."})
_MARKUP = re.compile(
    r"(?m)[*`]+|(?<!\S)__(?=[^\W_])|(?<=[^\W_])__(?!\S)|^[ \t]*(?:#+|>|[-•](?=\s))[ \t]*"
)
# British spellings on the left, as pieces of words; phrases and answers go through the same fold.
_SPELLINGS = (
    *(
        ("haem", "hem"),
        ("aemia", "emia"),
        ("aemic", "emic"),
        ("anaes", "anes"),
        ("oesoph", "esoph"),
    ),
    *(("oedema", "edema"), ("paed", "ped"), ("diarrhoea", "diarrhea"), ("foet", "fet")),
    *(("oestr", "estr"), ("gynaec", "gynec"), ("apnoea", "apnea")),
    *(("tumour", "tumor"), ("labour", "labor"), ("licence", "license"), ("centre", "center")),
    *(("dyspnoea", "dyspnea"), ("naevus", "nevus"), ("toxaem", "toxem")),
)
_SPELLING = re.compile("|".join(british for british, _ in _SPELLINGS), re.IGNORECASE)
_ABBREVIATION = re.compile(r"\b(Dr|Mr|Mrs|Ms|e\.g|i\.e|a\.m|p\.m|vs|etc|approx)\.", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?;])[\"')\]]*\s+|\n+")
_CLAUSE = re.compile(
    r",\s+|:\s+|\s-+\s|\s*\(|\)\s*|\s(?=(?:but|however|although|though|yet|whereas|because)\b)"
    r"|\band then\b",
    re.IGNORECASE,
)
# "Do not wait", "don't hesitate to call", "this cannot wait": said the other way round, once.
_PROMPTLY = re.compile(
    r"\b(?:(?:do|does|did|should|would|must|can|could|may|need)(?: not|n't)(?: \w+){0,2}?|cannot"
    r"|please not|never|no need to|without|nor|no time to|not|rather than|instead of|not to)"
    r" (?:wait(?:ing)?|delay(?:ing|ed)?|hesitat(?:e|ing)|put (?:it|this) off|postpon(?:e|ing)"
    r"|los(?:e|ing) (?:any )?time|wast(?:e|ing) (?:any )?time)\b(?: to\b)?",
    re.IGNORECASE,
)
_WARNED = r"(?:ignor|dismiss|miss|overlook|forget|underestimat|mask|exclud|rul|trivialis|play down)"
# Negations that deny nothing about what follows them.
_HARMLESS = re.compile(
    rf"\b(?:not|n't|cannot|never|without)(?: \w+){{0,2}}? {_WARNED}\w*(?: out)?\b"
    r"|\bnot (?:only|just|merely|necessarily|yet)\b|\bno doubt\b|\bwhether or not\b"
    r"|\bwithout (?:\w+ ){0,2}pain\b|\bno longer\b|\bno matter\b"
    # "No urine and weak legs are signs of …": the verb ends what "no" reaches.
    r"|\b(?:no|without) (?!way|signs?|evidence|chance|reason|need|proof)(?:\w+ ){1,3}"
    r"(?:are|is|means?|suggests?|points?|can|could|may|might)\b",
    re.IGNORECASE,
)
_DENIAL = (
    r"(?:\b(?:not|no|nothing|never|without|nor|neither|cannot|unlikely|unnecessary|excludes?"
    r"|rules? out"
    r"|rather than|instead of|against|denies|absence of|nothing to do with)\b|n't\b)"
)
_BEFORE = re.compile(_DENIAL + r"(?:\W+[\w'/&]+){0,5}\W*$", re.IGNORECASE)
_AFTER = re.compile(
    r"^[\w' ]{0,30}?\b(?:(?:is|are|was|seems?|looks?|appears?|would be) (?:\w+ ){0,2}?"
    r"(?:not|unlikely|improbable|unnecessary|less likely|too late|excluded|ruled out|wrong|no)\b"
    r"|(?:can|could) (?:\w+ )?be (?:excluded|ruled out)|isn't|aren't|wasn't|can wait)",
    re.IGNORECASE,
)
_WORD = re.compile(r"[\w'&/]+")


class Clause(NamedTuple):
    """A clause in its sentence; ``question`` is true when the sentence asks."""

    text: str
    sentence: str
    before: str  # the clause before it in the same sentence, else ""
    after: str
    question: bool


def normalise(text: str) -> str:
    """Plain quotes and dashes, no Markdown marks, American spelling of medical words."""
    text = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    return american(_MARKUP.sub("", text.replace("\\n", "\n")))


def american(text: str) -> str:
    """A text in which British spellings of medical words are American ones."""
    table = dict(_SPELLINGS)
    return _SPELLING.sub(lambda found: table[found[0].lower()], text)


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text, normalised, with their closing marks."""
    guarded = _ABBREVIATION.sub(lambda found: found[0].replace(".", "\x00"), normalise(text))
    found = (part.replace("\x00", ".").strip() for part in _SENTENCE.split(guarded))
    pieces = (part[at : at + LONGEST] for part in found for at in range(0, len(part), LONGEST))
    return [piece for piece in pieces if _WORD.search(piece)]


def clauses(text: str) -> list[Clause]:
    """Every clause of a text, with "do not wait" and the like rewritten to "promptly"."""
    result = []
    for sentence in sentences(text):
        plain = _PROMPTLY.sub("promptly", sentence)
        parts = [part.strip() for part in _CLAUSE.split(plain) if part and _WORD.search(part)]
        for index, part in enumerate(parts):
            before = parts[index - 1] if index else ""
            after = parts[index + 1] if index + 1 < len(parts) else ""
            result.append(Clause(part, plain, before, after, plain.rstrip("\"')").endswith("?")))
    return result


def words(text: str) -> int:
    """How many words a text has."""
    return len(_WORD.findall(text))


def own_words(answer: str, asked: Iterable[str]) -> str:
    """The answer without sentences of five words and more that repeat the question."""
    repeated = {_key(sentence) for text in asked for sentence in sentences(text)}
    kept = (s for s in sentences(answer) if words(s) < 5 or _key(s) not in repeated)
    return "\n".join(kept)


@cache
def phrase(text: str) -> re.Pattern[str]:
    """The pattern of an accepted phrasing.

    Words stand for themselves in any case (one or two capitals, as in "ER", only as written); ``*``
    stands for any ending and ``...`` for up to six words of the same sentence. Raises ValueError
    when nothing but those is left.
    """
    tokens = normalise(text.replace("*", "\x01")).replace("\x01", "*").split()
    if not any(re.search(r"\w", token) for token in tokens):
        raise ValueError(f"the phrase {text!r} holds no word")
    pattern = ""
    for index, token in enumerate(tokens):
        if token in (".", "..."):
            pattern += rf"(?:\W+[\w'/-]+){{0,{GAP}}}?"
            continue
        literal = re.escape(token.rstrip("*")) + (r"[\w'-]*" if token.endswith("*") else "")
        exact = token.isupper() and token.isalpha() and len(token) <= 2
        joint = r"\W{1,3}" if index else ""
        pattern += joint + (literal if exact else f"(?i:{literal})")
    return re.compile(rf"(?<!\w){pattern}(?!\w)")


def find(phrases: Sequence[str], text: str) -> list[str]:
    """What of a text the phrases match, one match a phrase, denied or not."""
    matches = (phrase(each).search(text) for each in phrases)
    return [match[0] for match in matches if match]


def find_affirmed(phrases: Sequence[str], text: str) -> list[str]:
    """What the phrases match in clauses that do not deny it."""
    return [
        match[0]
        for clause in clauses(text)
        for each in phrases
        for match in phrase(each).finditer(clause.text)
        if not denied(clause.text, match.start(), match.end())
    ]


def denied(clause: str, start: int, end: int) -> bool:
    """Whether a clause negates what stands from ``start`` to ``end``."""
    before = _HARMLESS.sub(" ", clause[:start])
    return bool(_BEFORE.search(before) or _AFTER.match(clause[end:]))


def affirmed(pattern: re.Pattern[str], clause: str) -> str | None:
    """The first match of a pattern that its clause does not negate."""
    for match in pattern.finditer(clause):
        if not denied(clause, match.start(), match.end()):
            return match[0]
    return None


def _key(sentence: str) -> str:
    return " ".join(_WORD.findall(sentence.casefold()))
