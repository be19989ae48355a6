"""Recognisers: Presidio's own and ours, and the one list of them."""

from __future__ import annotations

from functools import cache

from medllm.pipeline.privacy.recognizers.addresses import AddressRecognizer, UsernameRecognizer
from medllm.pipeline.privacy.recognizers.ages import AgeRecognizer
from medllm.pipeline.privacy.recognizers.base import Found, SpanRecognizer
from medllm.pipeline.privacy.recognizers.dates.months import MonthRecognizer
from medllm.pipeline.privacy.recognizers.dates.numeric import NumericDateRecognizer
from medllm.pipeline.privacy.recognizers.dates.occasions import OccasionRecognizer
from medllm.pipeline.privacy.recognizers.houses import HouseRecognizer
from medllm.pipeline.privacy.recognizers.institutions import InstitutionRecognizer
from medllm.pipeline.privacy.recognizers.names.people import PersonRecognizer
from medllm.pipeline.privacy.recognizers.names.runs import RunRecognizer
from medllm.pipeline.privacy.recognizers.names.signs import SignRecognizer
from medllm.pipeline.privacy.recognizers.names.strangers import StrangerRecognizer
from medllm.pipeline.privacy.recognizers.numbers.phones import PhoneRecognizer
from medllm.pipeline.privacy.recognizers.numbers.things import ThingRecognizer
from medllm.pipeline.privacy.recognizers.numbers.values import NumberRecognizer
from medllm.pipeline.privacy.recognizers.places import PlaceRecognizer

__all__ = ["Found", "SpanRecognizer", "own_recognizers"]


@cache
def own_recognizers() -> tuple[SpanRecognizer, ...]:
    """Built once a process; where two find the same words, the earlier one names the type."""
    return (
        NumberRecognizer(),
        PhoneRecognizer(),
        ThingRecognizer(),
        AgeRecognizer(),
        MonthRecognizer(),
        NumericDateRecognizer(),
        OccasionRecognizer(),
        PersonRecognizer(),
        SignRecognizer(),
        StrangerRecognizer(),
        RunRecognizer(),
        PlaceRecognizer(),
        InstitutionRecognizer(),
        HouseRecognizer(),
        AddressRecognizer(),
        UsernameRecognizer(),
    )
