"""Is a message about someone's health?

Its similarity is the mean of its two words that are nearest to medicine: the cosine of a word's
vector with the domain's, and 1 for a word that is medical by itself, vector or not, typos mended.
Up to ``LOW`` a message is none, from ``HIGH`` on it is one; between them the model is asked, and
what it does not decide counts as medical: a doctor's question must not be turned away. The limits
were chosen by ``benchmarks/chat_flow.py calibrate``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from medllm.chat.domain.greeting import is_greeting
from medllm.chat.domain.vectors import WordVectors, words_of
from medllm.chat.domain.words import MEDICAL, STUDIES, is_medical_word
from medllm.chat.flow import GREETING, IDK, Conversation, Verdict
from medllm.chat.redflags.spelling import corrected
from medllm.pipeline.prompts import Message

LOW, HIGH = 0.24, 0.50
_TURNS = 3  # earlier exchanges that make a follow-up medical
_SHORT = 12  # words of a follow-up that may ask by itself
_STRANGE, _SELDOM = 9, 20  # letters of a word hardly counted anywhere: a term, most likely
_ASKED = (
    "Is this message about someone's health, the body, medicine or care? Answer yes or no.\n\n"
    "Message: {text}"
)
# Counted so often in general English, a word says nothing of a subject.
_COMMON = 200_000
_MARGIN = math.log(3)  # the model decides when one answer is three times as probable

FirstToken = Callable[[Sequence[Message], int], dict[str, float]]


class MedicalCheck:
    """Decides for the flow; ``vectors`` None leaves the word list alone to decide."""

    def __init__(self, vectors: WordVectors | None, ask: FirstToken | None) -> None:
        """``ask`` gives log probabilities of a reply's first token, None asks nobody."""
        self._vectors, self._ask = vectors, ask

    def __call__(self, conversation: Conversation) -> Verdict:
        """Whether the last message is medical, by itself or by what was said before."""
        text = conversation[-1].content
        score = self.similarity(text)
        if score >= HIGH:
            return Verdict(True, f"similarity {score:.2f}")
        if is_greeting(conversation).yes:
            return Verdict(False, "nothing but a greeting")
        if self._follows(conversation):
            return Verdict(True, "what was said before")
        if score > LOW:
            return self._by_model(text, score)
        return Verdict(False, f"similarity {score:.2f}")

    def similarity(self, text: str) -> float:
        """Between -1 and 1: how near to medicine a message is by its words."""
        nearest = sorted((self._word(word) for word in _unique(text)), reverse=True)[:2]
        return sum(nearest) / 2 if nearest else 0.0

    def _word(self, word: str) -> float:
        if is_medical_word(word):
            return 1.0
        if len(word) >= _STRANGE and _is_strange(word):
            return 0.7
        study = 0.5 if word in STUDIES else 0.0
        if self._vectors is None or _is_common(word):
            return study
        return max(self._vectors.similarity(word) or 0.0, study)

    def _follows(self, conversation: Conversation) -> bool:
        earlier = [
            m.content
            for m in conversation[:-1]
            if m.role != "system" and m.content not in (GREETING, IDK)
        ]
        if not any(self.similarity(text) >= HIGH for text in earlier[-2 * _TURNS :]):
            return False
        before, text = conversation[-2].content.rstrip(), conversation[-1].content
        return before.endswith("?") or "?" not in text or len(words_of(text)) <= _SHORT

    def _by_model(self, text: str, score: float) -> Verdict:
        unsure = f"similarity {score:.2f}, unsure"
        if self._ask is None:
            return Verdict(True, unsure)
        asked = Message(role="user", content=_ASKED.format(text=text))
        likely = self._ask((asked,), 20)
        yes, no = (_mass(likely, answer) for answer in ("yes", "no"))
        if no > 0 and math.log(no) - math.log(max(yes, 1e-12)) > _MARGIN:
            return Verdict(False, f"{unsure}; the model says no")
        return Verdict(True, f"{unsure}; the model does not say no")


def _mass(likely: dict[str, float], answer: str) -> float:
    return sum(math.exp(p) for text, p in likely.items() if text.strip().lower() == answer)


def _unique(text: str) -> list[str]:
    return list(dict.fromkeys(words_of(corrected(text, MEDICAL))))


def _is_common(word: str) -> bool:
    from medllm.pipeline.privacy.vocabulary.english import counted

    return counted(word) > _COMMON


def _is_strange(word: str) -> bool:
    from medllm.pipeline.privacy.vocabulary.english import counted

    return word.isalpha() and counted(word) < _SELDOM
