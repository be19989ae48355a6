"""Which language a text is in, decided so that a terse note in English is never lost.

Most texts are settled by a handful of English function words. The others go to py3langid (a naive
Bayes model over byte n-grams after Lui and Baldwin, "langid.py", ACL 2012), whose probability is
calibrated by length: a few drug names and abbreviations get a low one, and so the benefit of doubt.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from medllm.pipeline.errors import MedllmError

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

CLIP = 300  # characters of a text that are looked at
# On 14,606 real clinical texts in English (chatdoctor5k, MTS-Dialog, PubMedQA, presidio-research)
# no wrong answer but Latin reached this probability; Latin is no answer here.
SURE = 0.85
MIN_LETTERS = 20  # fewer say nothing about a language

# Distinct words of English that are no words of its neighbours.
_FUNCTION_WORDS = """
the and with you your my this that from what would should there they been when which she his because
since could does please have are but not can it if any has how our their than these
"""
_ENGLISH = frozenset(_FUNCTION_WORDS.split())
_ENOUGH = 3


def foreign(text: str, languages: Sequence[str]) -> str | None:
    """The ISO 639-1 code of a text's language when that is surely none of ``languages``."""
    clip = text[:CLIP]
    words = set(clip.lower().split())
    if "en" in languages and len(words & _ENGLISH) >= _ENOUGH:
        return None
    letters = [character for character in clip if character.isalpha()]
    if len(letters) < MIN_LETTERS and not _far(letters):
        return None
    language, probability = _detector().classify(clip)
    if language in languages:
        return None
    return str(language) if probability >= SURE or _far(letters) else None


def check(languages: Sequence[str]) -> None:
    """Raise MedllmError for a code that the detector does not know."""
    unknown = sorted(set(languages) - set(_detector().labels))
    if unknown:
        raise MedllmError(
            f"prepare.clean.languages: {', '.join(unknown)} is no language the detector knows.",
            "Give ISO 639-1 codes such as en, de or es.",
        )


def _far(letters: Sequence[str]) -> bool:
    """Whether most letters are of another script than Latin: then few letters are enough."""
    other = sum(letter > "\u024f" and "LATIN" not in _name(letter) for letter in letters)
    return other > len(letters) / 2 and other > 3


@cache
def _name(letter: str) -> str:
    return unicodedata.name(letter, "")


@cache
def _detector() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    detector = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    # Nobody consults in Latin, but diagnoses are in it.
    detector.set_languages([label for label in detector.labels if label not in ("la", "zxx")])
    return detector
