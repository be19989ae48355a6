"""Which texts go with the weights, and which are missing. The licences here are skeletons."""

from collections.abc import Callable
from pathlib import Path

import pytest

from medllm.pipeline.config import RunPaths, Section
from medllm.pipeline.manifest import Work, stage
from medllm.pipeline.release.licence_texts import (
    LLAMA2_NOTICE,
    base_licences,
    data_attribution,
    missing_licence_texts,
    printable,
)
from medllm.pipeline.sources import SOURCES
from tests.pipeline.release.test_licences import trained_on

AGREEMENT = b"LLAMA 2 COMMUNITY LICENSE AGREEMENT\n1. License Rights and Redistribution. \n"
AGREEMENT += b"See the Acceptable Use Policy.\n7. Governing Law and Jurisdiction.\n"
POLICY = b"# Llama 2 Acceptable Use Policy\n## Prohibited Uses\n"

Base = Callable[[str, dict[str, bytes]], Path]


class Source(Section):
    """As much of the base section as matters here."""

    source: str


@pytest.fixture
def base(tmp_path: Path) -> Base:
    """Complete stage base with these files, taken from ``source``."""

    def make(source: str, files: dict[str, bytes]) -> Path:
        def body(work: Work) -> None:
            for name, content in files.items():
                (work.dir / name).write_bytes(content)

        paths = RunPaths(tmp_path / "run")
        stage("base", Source(source=source), paths, body)
        return paths.stage("base")

    return make


@pytest.mark.parametrize(
    ("source", "files", "missing"),
    [
        ("tiny", {}, []),
        ("models/mine", {}, ["licence of the base model"]),
        ("models/mine", {"LICENSE": b"Apache License"}, []),
        ("models/mine", {"LICENSE": b" \n"}, ["licence of the base model"]),
        ("models/mine", {"Licence.txt": b"MIT"}, []),
        ("meta-llama/Llama-2-7b-hf", {}, ["licence of the base model", "Acceptable Use Policy"]),
        (
            "models/llama2",
            {"LICENSE.txt": b"MIT", "USE_POLICY.md": POLICY},
            ["whole Llama 2 Community"],
        ),
        ("models/mine", {"LICENSE.txt": AGREEMENT}, ["Acceptable Use Policy"]),
        (
            "models/mine",
            {"LICENSE.txt": AGREEMENT, "USE_POLICY.md": b"<html>"},
            ["Acceptable Use Policy"],
        ),
        (
            "models/mine",
            {"LICENSE.txt": AGREEMENT[:60], "USE_POLICY.md": POLICY},
            ["whole Llama 2 Community"],
        ),
        ("models/llama-2-70b", {"license.TXT": AGREEMENT, "Use_Policy.md": POLICY}, []),
    ],
)
def test_what_a_public_push_would_lack(
    base: Base, source: str, files: dict[str, bytes], missing: list[str]
) -> None:
    found = missing_licence_texts(base(source, files))
    assert len(found) == len(missing), found
    for text, expected in zip(found, missing, strict=True):
        assert expected in text


def test_the_order_is_licence_policy_notice(base: Base) -> None:
    files = {"NOTICE": b"Some notice.", "USE_POLICY.md": POLICY, "LICENSE.txt": AGREEMENT}
    texts = base_licences(base("models/llama-2", {**files, "config.json": b"{}"}))
    assert [text.partition("\n")[0] for text in texts] == [
        "LLAMA 2 COMMUNITY LICENSE AGREEMENT",
        "# Llama 2 Acceptable Use Policy",
        "Some notice.",
        LLAMA2_NOTICE,
    ]


def test_sources_are_attributed_with_their_terms() -> None:
    names = ("pmc_patients", "know_medical_v2", "mts_dialog")
    text = data_attribution(trained_on(*names, "messages"))
    for name in names:
        source = SOURCES[name]
        line = f"- {source.title} ({source.terms.licence}): {source.terms.clause} "
        assert printable(line + source.terms.url) in text
    assert len([line for line in text.splitlines() if line.startswith("- ")]) == 3
    report = trained_on("pmc_patients")
    cited = report.sources[0].__class__.model_validate(
        report.sources[0].model_dump() | {"citation": "A. Author, 2023"}
    )
    assert "\n  Cite: A. Author, 2023" in data_attribution(
        report.model_copy(update={"sources": (cited,)})
    )


def test_a_source_that_gave_nothing_and_ones_own_are_not_attributed() -> None:
    report = trained_on("pmc_patients")
    none = report.sources[0].model_copy(update={"rows_kept": 0, "rows_read": 0})
    assert data_attribution(report.model_copy(update={"sources": (none,)})) == ""
    assert data_attribution(trained_on("messages")) == ""
