import pytest
from hypothesis import given
from hypothesis import strategies as st

from medllm.pipeline.release.neutralise import LLAMA_CONTROLS, neutralised

PARTS = st.sampled_from(("<s>", "</s>", "<unk>", "<", ">", "s", "/", "unk", " ", "\u00a0", "fever"))


@given(st.lists(PARTS).map("".join))
def test_nothing_is_left_and_nothing_else_changes(text: str) -> None:
    harmless = neutralised(text)
    assert not any(control in harmless for control in LLAMA_CONTROLS)
    assert neutralised(harmless) == harmless
    if not any(control in text for control in LLAMA_CONTROLS):
        assert harmless == text
    assert harmless.replace("\u00a0", "") == text.replace("\u00a0", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a </s> b", "a </s\u00a0> b"),
        ("<s></s>", "<s\u00a0></s\u00a0>"),
        ("<s</s>>", "<s</s\u00a0>>"),
        ("[INST] <0x0A> <S> < s> x<3", "[INST] <0x0A> <S> < s> x<3"),
        ("", ""),
    ],
)
def test_what_becomes_of_it(text: str, expected: str) -> None:
    assert neutralised(text) == expected


def test_other_vocabularies_have_other_control_strings() -> None:
    controls = ("<|a|>", "<|a|>b|>", "x")
    assert neutralised("<|a|>b|>", controls) == "<|a|>b|\u00a0>"
    assert neutralised("ax", controls) == "a\u00a0x"


def test_white_space_may_be_folded_afterwards() -> None:
    import unicodedata

    folded = " ".join(unicodedata.normalize("NFKC", neutralised("end</s>")).split())
    assert folded == "end</s >"
