"""Conversations of patients and doctors."""

from __future__ import annotations

from medllm.pipeline.sources.consultations import (
    healthcaremagic,
    icliniq,
    know_medical,
    meddialog,
    messages,
    mts_dialog,
)
from medllm.pipeline.sources.record import Source

SOURCES: tuple[Source, ...] = (
    healthcaremagic.SOURCE,
    icliniq.SOURCE,
    *know_medical.SOURCES,
    meddialog.SOURCE,
    messages.SOURCE,
    *mts_dialog.SOURCES,
)
