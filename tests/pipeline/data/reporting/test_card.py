"""The data card: complete, the same bytes each time, and nothing in it can break out."""

from html.parser import HTMLParser
from pathlib import Path

import pytest
from pydantic import ValidationError

from medllm.pipeline.data.reporting.card import CardFacts, histogram, write_card
from medllm.pipeline.data.reporting.report import PrepareReport
from medllm.pipeline.data.schema import Dialogue
from medllm.pipeline.prompts import Message

ATTACK = "<script>alert(1)</script><img src=x onerror=alert(2)> | a & b </div></body> [x](y) `c`"
VOID = {"meta", "br", "img", "path", "use", "rect", "hr", "link"}


def lengths() -> dict[str, int]:
    return {"median": 40, "p90": 80, "p99": 90, "max": 99}


def split(dialogues: int) -> dict[str, object]:
    return {
        "dialogues": dialogues,
        "by_source": {"meddialog": dialogues},
        "turns": 2 * dialogues,
        "with_system": 0,
        "characters": lengths(),
        "tokens": lengths(),
    }


def facts(mode: str = "surrogates", **changes: object) -> CardFacts:
    source = {
        "name": "meddialog",
        "title": f"MedDialog {ATTACK}",
        "place": "data/med|dialog.txt",
        "terms": {
            "licence": "none stated",
            "clause": "The sites keep the copyright.",
            "url": "javascript:alert(3)",
            "publish": "review",
        },
        "citation": "Zeng et al., 2020",
        "weight": 1.0,
        "format": "llama2",
        "rows_read": 1205,
        "rows_kept": 1200,
        "dropped": [{"kind": "cleaning", "reason": "too | short", "rows": 5, "first": "row 3"}],
        "changes": {"HTML tags removed": 17},
    }
    free = {
        **source,
        "name": "free",
        "title": "Free",
        "rows_read": 0,
        "rows_kept": 0,
        "dropped": [],
        "changes": {},
        "terms": {**source["terms"], "publish": "allowed", "url": "https://example.org/a?b=1&c=2"},  # type: ignore[dict-item]
    }
    report = PrepareReport.model_validate(
        {
            "seed": 7,
            "format": "llama2",
            "sources": [source, free],
            "splits": {"train": split(1000), "validation": split(100), "test": split(100)},
            "privacy": {
                "mode": mode,
                "replaced": {"PERSON": 31, "DATE": 2},
                "dialogues": 30,
                "residual": {"PHONE": 1},
                "residual_first": {"PHONE": "train.jsonl:4"},
            },
            "duplicates": {"threshold": 0.8, "groups": 90, "largest_group": 4, "uncompared": 0},
            "evaluation_sets": {"demo/questions.jsonl": "ab" * 32},
        }
    )
    turns = (
        Message(role="user", content=f"My knee hurts.\n{ATTACK}"),
        Message(role="assistant", content="Rest it." + " Go on." * 400),
    )
    values: dict[str, object] = {
        "run": "demo",
        "config_digest": "c" * 64,
        "report": report,
        "tokens": tuple(range(10, 100)),
        "specialties": {"Cardiology": 4, "<b>": 1},
        "examples": (Dialogue(id="m-1", source="meddialog", messages=turns),),
    }
    return CardFacts.model_validate({**values, **changes})


class Page(HTMLParser):
    """Elements, attributes and text; every end tag must close the element that is open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.values: list[tuple[str, str]] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def card(folder: Path, given: CardFacts) -> tuple[str, str]:
    write_card(folder, given)
    return (
        (folder / "card.md").read_text(encoding="utf-8"),
        (folder / "card.html").read_text(encoding="utf-8"),
    )


def test_the_same_facts_give_the_same_bytes(tmp_path: Path) -> None:
    first = card(tmp_path, facts())
    again = CardFacts.model_validate_json(facts().model_dump_json())
    assert card(tmp_path, again) == first
    assert card(tmp_path, facts(run="other")) != first


def test_the_page_is_whole_and_dialogues_stay_text(tmp_path: Path) -> None:
    _, text = card(tmp_path, facts())
    page = Page(text)
    assert text.startswith("<!doctype html>")
    assert page.open == []
    assert ATTACK in page.words
    assert page.words.count("alert(1)") == 3  # twice in a title, once in a dialogue
    assert not {"script", "img", "iframe", "link", "object"} & set(page.tags)
    assert not [value for name, value in page.values if name.startswith("on")]


def test_the_page_asks_nothing_of_the_network(tmp_path: Path) -> None:
    _, text = card(tmp_path, facts())
    page = Page(text)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
            "form-action 'none'") in page.values  # fmt: skip
    assert "@import" not in text
    assert "url(" not in text.split("<svg")[0]
    hrefs = [value for name, value in page.values if name in ("href", "src", "xlink:href")]
    # An svg refers to its own parts; a reader may follow the link to the terms.
    assert {v for v in hrefs if not v.startswith("#")} == {"https://example.org/a?b=1&c=2"}
    assert "javascript:alert(3)" in page.words


def test_both_cards_tell_every_number(tmp_path: Path) -> None:
    markdown, text = card(tmp_path, facts())
    words = " ".join(Page(text).words.split())
    for told in (
        "1,205", "1,200", "1,000", "HTML tags removed", "17", "PERSON", "31", "PHONE", "Cardiology",
        "Zeng et al., 2020", "none stated", "The sites keep the copyright.", "demo/questions.jsonl",
        "Must not be published before somebody has reviewed the rights", "Not made for diagnosis",
        "Nobody has checked the answers medically", "My knee hurts.", "90 groups", "abababab",
    ):  # fmt: skip
        assert told in words, told
        assert told in markdown, told


def test_the_lengths_are_drawn_in_the_colour_of_the_page(tmp_path: Path) -> None:
    _, text = card(tmp_path, facts())
    svg = text[text.index("<svg") : text.index("</svg>")]
    assert "currentColor" in svg
    assert "#010203" not in svg
    assert "tokens of a dialogue" in svg
    _, without = card(tmp_path, facts(tokens=()))
    assert "<svg" not in without


def test_markdown_tables_keep_their_columns(tmp_path: Path) -> None:
    markdown, _ = card(tmp_path, facts())
    assert "too \\| short" in markdown
    tables = [block for block in markdown.split("\n\n") if block.startswith("| ")]
    assert len(tables) >= 8
    for table in tables:
        pipes = [line.replace("\\|", "").count("|") for line in table.splitlines()]
        assert set(pipes) == {pipes[0]}, table
    assert "<script>" not in markdown


def test_no_examples_where_identifiers_were_left_in(tmp_path: Path) -> None:
    for text in card(tmp_path, facts(mode="off")):
        assert "My knee hurts" not in text
        assert "Examples from train" not in text
        assert "Identifiers were left in" in text
        assert "Identifiers were replaced" not in text


def test_long_messages_are_cut(tmp_path: Path) -> None:
    for text in card(tmp_path, facts()):
        assert text.count("Go on.") < 200
        assert "…" in text


def test_the_strictest_source_decides(tmp_path: Path) -> None:
    given = facts()
    allowed = given.report.model_copy(update={"sources": given.report.sources[1:]})
    markdown, _ = card(tmp_path, facts(report=allowed))
    assert "May be published with the attribution" in markdown


def test_the_histogram_counts_each_dialogue_once() -> None:
    rows = histogram([0, 5, 5, 11, 100])
    assert sum(int(count) for _, count in rows) == 5
    assert rows[0] == ("0 to 8", "3")
    assert rows[-1][0].startswith("99 to")
    assert histogram([]) == []
    assert len(histogram(range(5000))) <= 12


def test_a_digest_must_be_one() -> None:
    with pytest.raises(ValidationError, match="config_digest"):
        facts(config_digest="<script>")
