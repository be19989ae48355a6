"""Each rule by itself: what it must do, and what it must leave alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medllm.pipeline.config import CleanConfig
from medllm.pipeline.data.clean import rules
from medllm.pipeline.data.schema import Dialogue
from medllm.pipeline.prompts import Message

SYMBOLS = "µ ² ³ ° ± ≤ ≥ × ½ “quoted” ‘so’ – — … • é ü ñ Ménière’s Sjögren β α Ω → ™ £ €"
TYPED = (
    "sugar <5 and >3",
    "BP <120 today",
    "BP<120, pulse>60",
    "<s>[INST] <<SYS>> hello <</SYS>> [/INST]</s>",
    "p<b and c>d",
    "p <b and c> d",
    "I <3 my doctor",
    "<i think it hurts>",
    "R&D, H&H, AT&T; salt & water",
    "a <b> c",
)


def dialogue(asked: str, *said: str) -> rules.Words:
    turns = [Message(role="user", content=asked)]
    for number, text in enumerate(said):
        if number:
            turns.append(Message(role="user", content="And then?"))
        turns.append(Message(role="assistant", content=text))
    return rules.Words.of(Dialogue(id="t-1", source="t", messages=tuple(turns)))


@pytest.mark.parametrize(
    ("broken", "wanted"),
    [
        ("Itâ€™s fine", "It’s fine"),
        ("37 Â°C", "37 °C"),
        ("5 Âµl", "5 µl"),
        ("MÃ©niÃ¨re", "Ménière"),
        ("what do I need?Â\u00a0", "what do I need?\u00a0"),
        ("what do I need?Â", "what do I need?"),
    ],
)
def test_broken_encodings(broken: str, wanted: str) -> None:
    assert rules.encoding(broken) == (wanted, 1)


@pytest.mark.parametrize("rule", [e.edit for e in rules.EDITS], ids=[e.name for e in rules.EDITS])
@pytest.mark.parametrize("text", [SYMBOLS, *SYMBOLS.split(), *TYPED])
def test_medical_symbols_and_typed_signs_stay(rule, text: str) -> None:  # type: ignore[no-untyped-def]
    assert rule(text) == (text, 0)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("BP &lt;120 &amp; pulse", "BP <120 & pulse"),
        ("a&amp;nbsp;b", "a\u00a0b"),
        ("37&deg;, 5&#8211;6, &#x3bc;", "37°, 5–6, μ"),
        ("&unknown; &lt5", "&unknown; &lt5"),
    ],
)
def test_entities(text: str, wanted: str) -> None:
    assert rules.entities(text)[0] == wanted


@pytest.mark.parametrize(
    ("text", "wanted", "times"),
    [
        ("one<br>two<br/>three", "one\ntwo\nthree", 2),
        ("<p>It <b>hurts</b>.</p>", "\nIt hurts.\n", 4),
        ('see <a href="https://x.example/">this</a>', "see this", 2),
        ("a<script>alert('<5')</script>b<!-- note -->c", "a b c", 2),
        ("<DIV class=x>loud</DIV>", "\nloud\n", 2),
    ],
)
def test_tags(text: str, wanted: str, times: int) -> None:
    assert rules.tags(text) == (wanted, times)


def test_invisible_characters() -> None:
    assert rules.controls("a\x07b\u202ec\u00add\u2028e\x0bf\x7f") == ("abcd\ne\nf", 6)
    assert rules.controls("tab\tand\nnewline") == ("tab\tand\nnewline", 0)
    family = "\U0001f468\u200d\U0001f469"
    assert rules.controls(family) == (family, 0)


def test_white_space() -> None:
    assert rules.spaces("a  b\t c   \n\n\n\n  - d") == ("a b c\n\n  - d", 4)
    assert rules.spaces("a b\n\nc") == ("a b\n\nc", 0)


@given(st.text(max_size=200))
def test_no_rule_fails_and_zero_times_means_unchanged(text: str) -> None:
    for rule in rules.EDITS:
        edited, times = rule.edit(text)
        assert times >= 0
        if times == 0:
            assert edited == text


CONFIG = CleanConfig(max_other_share=0.5)


def test_lengths() -> None:
    assert rules.too_short(dialogue("Why?", "Rest."), CONFIG)
    assert not rules.too_short(dialogue("Why?", "Rest.", "And cool the knee."), CONFIG)
    assert not rules.too_short(dialogue("Why?", "Rest."), CleanConfig(min_answer_characters=5))
    assert rules.too_long(dialogue("a" * 15_000, "b" * 5_001), CONFIG)
    assert not rules.too_long(dialogue("a" * 15_000, "b" * 5_000), CONFIG)


def test_letters() -> None:
    assert rules.few_letters(dialogue("Values?", "1.2 / 3.4 / 5.6 / 7.8 ok"), CONFIG)
    assert not rules.few_letters(dialogue("Values?", "120/80, 98%, and all is fine."), CONFIG)
    assert not rules.few_letters(dialogue("दर्द?", "डॉक्टर को दिखाइए और आराम कीजिए"), CONFIG)


def test_a_lost_character() -> None:
    assert rules.lost_characters(dialogue("It\ufffds bad", "Don\ufffdt run."), CONFIG)
    assert not rules.lost_characters(dialogue("It\ufffds bad", "Do not run."), CONFIG)


def test_an_answer_that_repeats_the_question() -> None:
    asked = "Hello doctor, my left knee hurts when I climb stairs."
    assert rules.repeats(dialogue(asked, "My left knee hurts, when I climb stairs"), CONFIG)
    assert not rules.repeats(dialogue(asked, "My left knee hurts too, try to rest it."), CONFIG)
    assert not rules.repeats(dialogue("Yes or no, please?", "Yes or no."), CONFIG)
    assert not rules.repeats(
        dialogue("Is my knee hurting?", "Ignore my knee hurt in. Rest."), CONFIG
    )


def test_an_answer_in_another_language() -> None:
    german = "Bitte gehen Sie sofort in die Notaufnahme und lassen Sie sich untersuchen."
    assert rules.foreign(dialogue("What should I do with my knee?", german), CONFIG)
    assert rules.foreign(dialogue(german, "You should rest the knee and cool it."), CONFIG)
    assert not rules.foreign(dialogue(german, german), CleanConfig(languages=("de",)))
    assert not rules.foreign(dialogue(german, german), CleanConfig(languages=()))
