"""A public push needs what the terms of every source ask for."""

from pathlib import Path

import pytest

from medllm.pipeline.config import PushConfig
from medllm.pipeline.data.reporting.report import (
    DuplicateReport,
    PrepareReport,
    PrivacyReport,
    SourceReport,
)
from medllm.pipeline.data.reporting.tally import SplitTally
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.release.licences import read_report, require_publishable
from medllm.pipeline.sources import SOURCES


def trained_on(*names: str) -> PrepareReport:
    return PrepareReport(
        seed=0,
        format="llama2",
        sources=tuple(
            SourceReport(
                name=name,
                title=SOURCES[name].title,
                place="x",
                terms=SOURCES[name].terms,
                citation="",
                weight=1,
                format="llama2",
                rows_read=1,
                rows_kept=1,
                dropped=(),
                changes={},
            )
            for name in names
        ),
        splits={name: SplitTally().report() for name in ("train", "validation", "test")},
        privacy=PrivacyReport(
            mode="tags", replaced={}, dialogues=0, residual={}, residual_first={}
        ),
        duplicates=DuplicateReport(threshold=0.8, groups=1, largest_group=1, uncompared=0),
        evaluation_sets={},
    )


EVERYTHING = PushConfig(
    acknowledged=("pmc_patients", "know_medical_v2", "chexpert"),
    reviewed={"meddialog": "A. Maintainer, 2026-11-01: rights of both sites are cleared"},
)


def test_free_data_needs_no_words() -> None:
    require_publishable(trained_on("mts_dialog", "pubmedqa", "messages"), PushConfig())


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("ehr_ds_qa", "must not be published"),
        ("meddialog", r"push\.reviewed\.meddialog"),
        ("healthcaremagic", r"push\.reviewed\.healthcaremagic"),
        ("icliniq", r"push\.reviewed\.icliniq"),
        ("pmc_patients", r"pmc_patients under push\.acknowledged"),
        ("chexpert", r"chexpert under push\.acknowledged"),
        ("know_medical_v2", r"know_medical_v2 under push\.acknowledged"),
    ],
)
def test_without_the_words_the_source_and_its_clause_are_named(name: str, what: str) -> None:
    with pytest.raises(MedllmError, match=what) as refusal:
        require_publishable(trained_on("mts_dialog", name), PushConfig())
    assert name in str(refusal.value)
    assert SOURCES[name].terms.clause.rstrip(".") in str(refusal.value)


def test_the_words_open_the_gate() -> None:
    report = trained_on("pmc_patients", "know_medical_v2", "chexpert", "meddialog", "pubmedqa")
    require_publishable(report, EVERYTHING)
    assert report.strictest == "review"


def test_no_word_opens_it_for_a_forbidden_source() -> None:
    config = PushConfig(acknowledged=("ehr_ds_qa",), reviewed={"ehr_ds_qa": "looked at it"})
    report = trained_on("ehr_ds_qa", "pubmedqa")
    assert report.strictest == "forbidden"
    with pytest.raises(MedllmError, match="must not be published"):
        require_publishable(report, config)


def test_an_acknowledgement_is_no_review_and_an_empty_review_is_none() -> None:
    for config in (
        PushConfig(acknowledged=("meddialog",)),
        PushConfig(reviewed={"meddialog": " "}),
    ):
        with pytest.raises(MedllmError, match=r"push\.reviewed\.meddialog"):
            require_publishable(trained_on("meddialog"), config)


def test_a_slip_in_a_name_is_no_consent() -> None:
    for config in (
        PushConfig(acknowledged=("pmc_patient",)),
        PushConfig(reviewed={"pmc_patient": "x"}),
    ):
        with pytest.raises(MedllmError, match="pmc_patient, which the model was not trained on"):
            require_publishable(trained_on("pmc_patients"), config)


def test_the_report_of_a_run_is_read_back(tmp_path: Path) -> None:
    report = trained_on("meddialog")
    (tmp_path / "report.json").write_text(report.model_dump_json())
    assert read_report(tmp_path) == report
    (tmp_path / "report.json").write_text('{"sources": []}')
    with pytest.raises(MedllmError, match="does not say which data"):
        read_report(tmp_path)
    with pytest.raises(MedllmError, match="does not say which data"):
        read_report(tmp_path / "nowhere")


def test_every_source_states_its_terms() -> None:
    for source in SOURCES.values():
        assert source.terms.licence
        assert source.terms.clause
        assert source.terms.url or source.name == "messages"
