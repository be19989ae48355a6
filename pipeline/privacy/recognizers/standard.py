"""Presidio's own recognisers, each behind a pattern that must match before it is called.

Presidio validates e-mail addresses with tldextract, which fetches the public suffix list on first
use. Here it reads the list that its package carries, and fetches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from presidio_analyzer import EntityRecognizer, Pattern
from presidio_analyzer.predefined_recognizers import (
    CreditCardRecognizer,
    DateRecognizer,
    EmailRecognizer,
    IbanRecognizer,
    IpRecognizer,
    MedicalLicenseRecognizer,
    PhoneRecognizer,
    UrlRecognizer,
    UsLicenseRecognizer,
    UsMbiRecognizer,
    UsNpiRecognizer,
    UsPassportRecognizer,
    UsSsnRecognizer,
)

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.recognizers.clues import Clues
from medllm.pipeline.privacy.vocabulary import word_set

if TYPE_CHECKING:
    from tldextract import TLDExtract


@dataclass(frozen=True)
class Standard:
    """A recogniser of Presidio and when its word counts.

    It is called when ``needed`` says so and ``near`` matches somewhere; with ``window`` it sees
    only the words, as far as white space, around each such match. ``context``: weak patterns (a
    bare run of nine digits) count only where this matches in the 40 characters before.
    ``least``: lowest score taken.
    """

    recognizer: EntityRecognizer
    type: PhiType
    needed: Callable[[str, Clues], bool]
    near: re.Pattern[str]
    window: bool = False
    context: re.Pattern[str] | None = None
    least: float = 0.4


@cache
def suffixes() -> TLDExtract:
    """The public suffix list of the installed package: no fetch, no cache on the disk."""
    from tldextract import TLDExtract

    return TLDExtract(cache_dir=None, suffix_list_urls=(), fallback_to_snapshot=True)


class OfflineEmailRecognizer(EmailRecognizer):
    """Presidio's, with the bundled suffix list; an unknown suffix lowers the score only."""

    def validate_result(self, pattern_text: str) -> bool | None:
        """True for a registered suffix; else undecided ("name@clinic.local" identifies as well)."""
        return True if suffixes()(pattern_text).fqdn else None


class PositionalMbiRecognizer(UsMbiRecognizer):
    """Presidio's, with CMS's first position (1 to 9, never 0) and separators of either kind.

    Source: CMS, "Understanding the Medicare Beneficiary Identifier (MBI) Format".
    """

    _LETTER = "[AC-HJKMNP-RT-Y]"
    _EITHER = "[0-9AC-HJKMNP-RT-Y]"

    def __init__(self) -> None:
        """With one pattern of CMS's in place of Presidio's two."""
        letter, either = self._LETTER, self._EITHER
        parts = (
            rf"[1-9]{letter}{either}\d",
            rf"{letter}{either}\d",
            rf"{letter}{letter}\d\d",
        )
        super().__init__(patterns=[Pattern("MBI", r"\b" + "[- ]?".join(parts) + r"\b", 0.8)])


_LINK_WORDS = word_set("www http https com org net edu gov info io co health clinic hospital")
_LINK = re.compile(
    r"://|\bwww\d?\.|(?<=[\w-])\.(?:com|org|net|edu|gov|info|io|co\.\w\w|health|clinic|hospital)\b",
    re.IGNORECASE,
)
_LINK_SURE = re.compile(
    r"^https?://|^www\d?\.|\.(?:com|org|net|edu|gov|info|io|co\.\w\w|health|clinic|"
    r"hospital)(?:/|$)",
    re.IGNORECASE,
)


def standard_recognizers() -> tuple[Standard, ...]:
    """Built once a process: patterns compile at the first match."""

    def digits(least: int) -> Callable[[str, Clues], bool]:
        return lambda text, clues: clues.most >= least

    def has_label(*words: str) -> Callable[[str, Clues], bool]:
        labels = frozenset(words)
        return lambda text, clues: clues.most > 3 and not labels.isdisjoint(clues.words)

    return (
        Standard(
            OfflineEmailRecognizer(),
            PhiType.EMAIL,
            lambda text, clues: "@" in text,
            re.compile("@"),
            window=True,
        ),
        Standard(
            UrlRecognizer(),
            PhiType.URL,
            lambda text, clues: "://" in text or not _LINK_WORDS.isdisjoint(clues.words),
            _LINK,
            window=True,
        ),
        Standard(
            IpRecognizer(),
            PhiType.IP,
            lambda text, clues: clues.most > 3 or "::" in text,
            re.compile(r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d|[\da-fA-F]:[\da-fA-F]{0,4}:[\da-fA-F:]"),
        ),
        Standard(
            UsSsnRecognizer(),
            PhiType.SSN,
            digits(9),
            re.compile(r"\d{3}[- .]\d\d[- .]\d{4}"),
        ),
        Standard(
            DateRecognizer(),
            PhiType.DATE,
            lambda text, clues: clues.most > 2,
            re.compile(r"\d[-/.]\d{1,2}[-/.]\d|\d-[A-Za-z]{3}\b|[A-Za-z]{3}-\d"),
            least=0.6,
        ),
        Standard(
            CreditCardRecognizer(),
            PhiType.ACCOUNT,
            digits(12),
            re.compile(r"\d{4}[- ]?\d{4}[- ]?\d{4}|\d{4}[- ]\d{6}[- ]\d"),
        ),
        Standard(
            IbanRecognizer(),
            PhiType.ACCOUNT,
            lambda text, clues: clues.mixed,
            re.compile(r"[A-Z]{2}\d{2}[ ]?[A-Z0-9]{4}"),
        ),
        Standard(
            PositionalMbiRecognizer(),
            PhiType.HEALTH_PLAN,
            lambda text, clues: clues.mixed,
            re.compile(r"\b[1-9][A-Za-z][A-Za-z0-9]\d[- ]?[A-Za-z]"),
        ),
        Standard(
            UsNpiRecognizer(),
            PhiType.LICENSE,
            digits(10),
            re.compile(r"\b[12]\d{3}[- ]?\d{3}[- ]?\d{3}\b"),
        ),
        Standard(
            MedicalLicenseRecognizer(),
            PhiType.LICENSE,
            lambda text, clues: clues.mixed and clues.longest > 6,
            re.compile(r"[A-Za-z][A-Za-z9]\d{7}"),
        ),
        Standard(
            UsPassportRecognizer(),
            PhiType.LICENSE,
            has_label("passport", "travel"),
            re.compile(r"\d{8}"),
            context=re.compile("passport|travel document", re.IGNORECASE),
            least=0.05,
        ),
        Standard(
            UsLicenseRecognizer(),
            PhiType.LICENSE,
            has_label("license", "licence", "driver", "driver's", "drivers", "driving", "dl"),
            re.compile(r"\d{4}"),
            context=re.compile(r"driver|driving|licen[sc]e|\bdl\b", re.IGNORECASE),
            least=0.01,
        ),
        Standard(
            PhoneRecognizer(),
            PhiType.PHONE,
            digits(8),
            re.compile(r"(?<![\w./-])\(?0\d{1,4}(?:[-. ()/]{1,2}\d{2,6}){1,5}(?![\w/%])"),
            window=True,
        ),
    )


def link_is_sure(link: str) -> bool:
    """Whether a match of Presidio's URL pattern is a link and not a sentence without a space."""
    return bool(_LINK_SURE.search(link))
