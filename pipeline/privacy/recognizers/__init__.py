"""Recognisers: Presidio's own and ours, and the one list of them."""

from __future__ import annotations

from functools import cache

from medllm.pipeline.privacy.recognizers.addresses import AddressRecognizer
from medllm.pipeline.privacy.recognizers.base import Found, SpanRecognizer
from medllm.pipeline.privacy.recognizers.dates import AgeRecognizer, DateRecognizer
from medllm.pipeline.privacy.recognizers.numbers import NumberRecognizer, UsernameRecognizer
from medllm.pipeline.privacy.recognizers.people import PersonRecognizer
from medllm.pipeline.privacy.recognizers.places import PlaceRecognizer
from medllm.pipeline.privacy.recognizers.signs import SignRecognizer
from medllm.pipeline.privacy.recognizers.strangers import StrangerRecognizer

__all__ = ["Found", "SpanRecognizer", "own_recognizers"]


@cache
def own_recognizers() -> tuple[SpanRecognizer, ...]:
    """Built once a process; where two find the same words, the earlier one names the type."""
    return (
        NumberRecognizer(),
        AgeRecognizer(),
        DateRecognizer(),
        PersonRecognizer(),
        SignRecognizer(),
        StrangerRecognizer(),
        PlaceRecognizer(),
        AddressRecognizer(),
        UsernameRecognizer(),
    )
