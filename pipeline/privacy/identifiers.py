"""What is looked for, and the records that say where it was found and what took its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

Mode = Literal["surrogates", "tags"]


class PhiType(StrEnum):
    """A kind of identifier; its value is also the word in a tag, as in ``[NAME]``."""

    NAME = "NAME"
    HOSPITAL = "HOSPITAL"
    STREET = "STREET"
    CITY = "CITY"
    ZIP = "ZIP"
    DATE = "DATE"
    AGE = "AGE"
    PHONE = "PHONE"
    FAX = "FAX"
    EMAIL = "EMAIL"
    SSN = "SSN"
    MRN = "MRN"
    HEALTH_PLAN = "HEALTH_PLAN"
    ACCOUNT = "ACCOUNT"
    LICENSE = "LICENSE"
    VEHICLE = "VEHICLE"
    DEVICE = "DEVICE"
    URL = "URL"
    IP = "IP"
    USERNAME = "USERNAME"
    ID = "ID"

    @property
    def safe_harbor(self) -> str:
        """The letter of 45 CFR 164.514(b)(2)(i) that names this kind."""
        return SAFE_HARBOR[self]


SAFE_HARBOR: Final[Mapping[PhiType, str]] = MappingProxyType(
    {
        PhiType.NAME: "A",
        PhiType.HOSPITAL: "B",
        PhiType.STREET: "B",
        PhiType.CITY: "B",
        PhiType.ZIP: "B",
        PhiType.DATE: "C",
        PhiType.AGE: "C",
        PhiType.PHONE: "D",
        PhiType.FAX: "E",
        PhiType.EMAIL: "F",
        PhiType.SSN: "G",
        PhiType.MRN: "H",
        PhiType.HEALTH_PLAN: "I",
        PhiType.ACCOUNT: "J",
        PhiType.LICENSE: "K",
        PhiType.VEHICLE: "L",
        PhiType.DEVICE: "M",
        PhiType.URL: "N",
        PhiType.IP: "O",
        PhiType.USERNAME: "R",
        PhiType.ID: "R",
    }
)
"""Category of each type. P (biometrics) and Q (full-face photographs) do not occur in text. A
state, a country, a year and an age below 90 are no identifiers there and stay as they are."""


@dataclass(frozen=True, order=True)
class Span:
    """``text[start:end]`` is an identifier."""

    start: int
    end: int
    type: PhiType


@dataclass(frozen=True)
class Replacement:
    """What stood at ``start:end`` of the text before, and what stands there now."""

    start: int
    end: int
    type: PhiType
    original: str
    replacement: str


@dataclass(frozen=True)
class Scrubbed:
    """The texts of one dialogue after replacement, and what was replaced in each."""

    texts: tuple[str, ...]
    replaced: tuple[tuple[Replacement, ...], ...]
