"""Adapters of datasets made from the medical literature."""

from __future__ import annotations

from medllm.pipeline.sources.literature import (
    biomrc,
    bioread,
    clicr,
    healthqa,
    pmc_patients,
    pubmedqa,
)
from medllm.pipeline.sources.record import Source

SOURCES: tuple[Source, ...] = (
    biomrc.SOURCE,
    bioread.SOURCE,
    clicr.SOURCE,
    healthqa.SOURCE,
    pmc_patients.SOURCE,
    pubmedqa.SOURCE,
)
