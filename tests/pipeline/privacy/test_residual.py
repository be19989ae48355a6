"""The second scan finds what the first was told to skip, and not what we wrote ourselves."""

import pytest

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.residual import residual
from medllm.pipeline.privacy.scrub import Scrubber

CORPUS = [
    "the pain is sharp and my doctor said to rest",
    "patients with fever should drink water please",
]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("digits", "reference 83746251"),
        ("digits", "call 415-867-5309 today"),
        ("digits", "card 4532 2766 4457 7020"),
        ("mail", "write to jane@gmail.com"),
        ("link", "see https://foo.net/x"),
        ("link", "see www.foo.net"),
        ("address", "from 10.20.30.40"),
        ("title", "I saw Mr. Ottway"),
        ("title", "I saw Dr. Ottway"),
        ("title", "my name is Ottoline"),
        ("name", "then met Ottoline Ottway there"),
        ("age", "she is 94 years old"),
        ("postcode", "in Springfield, IL 62704"),
    ],
)
def test_leftovers_are_seen(kind: str, text: str) -> None:
    report = residual([*CORPUS, text], "surrogates")
    assert [(residue.kind, residue.lines) for residue in report.residues] == [(kind, (3,))]
    assert report.total == report.residues[0].count == 1
    assert report.texts == 3


def test_dates_are_looked_for_where_there_should_be_none() -> None:
    assert [r.kind for r in residual(["on 03/12/2019"], "tags").residues] == ["date"]
    assert residual(["on 03/12/2019"], "surrogates").total == 0


@pytest.mark.parametrize(
    "text",
    [
        "BP 120/80, 2500000 copies, 1000000 units, 10-20 mg, 1990-1995, 98.6 F",
        "Hello Doctor Please help. Thanks Dr. and the pain is sharp",
        "the Patients With Fever said",
        "call 212-555-0123 or (212) 555-0123, SSN 000-12-3456, MRN 0012345",
        "write to a.b@example.org, https://example.org/x, www.example.org/y, 192.0.2.7",
        "90 or older",
    ],
)
def test_measurements_and_reserved_ranges_are_none(text: str) -> None:
    assert residual([*CORPUS, text], "surrogates").total == 0


def test_what_recognisers_skip_is_seen_and_what_they_replace_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = [
        "I am Dolores Ybarra and then met Ingrid Halvorsen there.",
        "MRN 8837465 and call 415-867-5309.",
        "Write to d.ybarra@gmail.com from 10.20.30.40, https://foo.net/a now.",
        "Mr. Whitfield, 12 Larkspur Lane, Fernhollow, IL 62704.",
    ]
    scrubber = Scrubber("surrogates", 3)
    clean = [scrubber.scrub([text]).texts[0] for text in texts]
    assert residual([*CORPUS, *clean], "surrogates").total == 0

    full = scrubber._find
    for skipped, kind in (
        ({PhiType.NAME}, "name"),
        ({PhiType.NAME}, "title"),
        ({PhiType.MRN, PhiType.PHONE}, "digits"),
        ({PhiType.EMAIL}, "mail"),
        ({PhiType.IP}, "address"),
        ({PhiType.URL}, "link"),
        ({PhiType.ZIP}, "postcode"),
    ):
        monkeypatch.setattr(
            scrubber,
            "_find",
            lambda text, skipped=skipped: [s for s in full(text) if s.type not in skipped],
        )
        left = [scrubber.scrub([text]).texts[0] for text in texts]
        monkeypatch.setattr(scrubber, "_find", full)
        assert kind in {r.kind for r in residual([*CORPUS, *left], "surrogates").residues}, skipped


def test_the_report_quotes_nothing() -> None:
    report = residual(["then met Ottoline Ottway there"], "surrogates")
    assert "Otto" not in repr(report)
