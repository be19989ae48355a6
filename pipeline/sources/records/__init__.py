"""Adapters of datasets made from patients' records: notes, reports and labels."""

from __future__ import annotations

from medllm.pipeline.sources.record import Source
from medllm.pipeline.sources.records import chexpert, chexpert_plus, ehr_ds_qa

SOURCES: tuple[Source, ...] = (chexpert.SOURCE, chexpert_plus.SOURCE, ehr_ds_qa.SOURCE)
