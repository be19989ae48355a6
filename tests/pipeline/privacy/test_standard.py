"""Presidio's recognisers work without a network, and ours work inside Presidio."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine

from medllm.pipeline.privacy.recognizers import own_recognizers
from medllm.pipeline.privacy.recognizers.standard import standard_recognizers, suffixes

# urllib3, which tldextract imports, binds a loopback socket once to see whether IPv6 is there. So
# connections and look-ups are refused from the start, sockets from the first text on.
OFFLINE = """
import socket
def refuse(*args, **kwargs):
    raise SystemExit("the network was asked for")
class Refusing(socket.socket):
    connect = connect_ex = sendto = refuse
socket.socket = Refusing
socket.create_connection = socket.getaddrinfo = socket.gethostbyname = refuse
from medllm.pipeline.privacy.scrub import Scrubber
scrubber = Scrubber("surrogates", 1)
Refusing.__init__ = refuse
result = scrubber.scrub(
    ["Mr. Ottway, jane.doe@gmail.com, www.foo.co.uk, (415) 867-5309, IBAN DE89370400440532013000"]
)
assert len(result.replaced[0]) == 5, result
"""


def test_a_fresh_process_asks_no_network(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", OFFLINE],
        capture_output=True,
        text=True,
        timeout=120,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert list(tmp_path.iterdir()) == []  # no suffix list cached in the home folder


def test_suffixes_come_from_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", None)
    assert suffixes()("clinic.co.uk").fqdn == "clinic.co.uk"


def test_every_guard_lets_its_recogniser_s_own_example_through() -> None:
    examples = {
        "OfflineEmailRecognizer": "a@b.org",
        "UrlRecognizer": "https://foo.org",
        "IpRecognizer": "10.0.0.1",
        "UsSsnRecognizer": "536-22-1134",
        "DateRecognizer": "03/12/2019",
        "CreditCardRecognizer": "4532276644577020",
        "IbanRecognizer": "DE89370400440532013000",
        "PositionalMbiRecognizer": "1EG4-TE5-MK73",
        "UsNpiRecognizer": "1234567893",
        "MedicalLicenseRecognizer": "AB1234563",
        "UsPassportRecognizer": "514019033",
        "UsLicenseRecognizer": "D1234567",
        "PhoneRecognizer": "020 7946 0296",
    }
    for standard in standard_recognizers():
        value = examples.pop(type(standard.recognizer).__name__)
        assert standard.near.search(value)
        assert standard.recognizer.analyze(value, [], None)
    assert not examples


class NoNlp(NlpEngine):  # type: ignore[misc]
    """An engine that does nothing: our recognisers need none."""

    def load(self) -> None: ...

    def is_loaded(self) -> bool:
        return True

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        return NlpArtifacts([], [], [], [], self, language)

    def process_batch(self, texts, language, **kwargs):  # type: ignore[no-untyped-def]
        for text in texts:
            yield text, self.process_text(text, language)

    def is_stopword(self, word: str, language: str) -> bool:
        return False

    def is_punct(self, word: str, language: str) -> bool:
        return False

    def get_supported_entities(self) -> list[str]:
        return []

    def get_supported_languages(self) -> list[str]:
        return ["en"]


def test_our_recognisers_serve_presidio_s_engine() -> None:
    registry = RecognizerRegistry(recognizers=list(own_recognizers()))
    engine = AnalyzerEngine(registry=registry, nlp_engine=NoNlp(), supported_languages=["en"])
    text = "Mr. Ottway lives in Wichita, MRN 8837465."
    results = engine.analyze(text, language="en")
    assert {(r.entity_type, text[r.start : r.end]) for r in results} == {
        ("NAME", "Ottway"),
        ("CITY", "Wichita"),
        ("MRN", "8837465"),
    }
