"""Tokens counted word by word are as many as the tokenizer gives for the whole."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from medllm.pipeline.data import tokens
from medllm.pipeline.data.tokens import splits_at_spaces, token_counter
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import FORMATS, Message, PromptFormat

pytest_plugins = ("tests.small_model",)

TEXTS = st.lists(
    st.sampled_from(
        ["My ear hurts.", " ", "  ", "\n", "\u2581", "5 mg/dl", "é", "头痛", "</s>", "[INST]", "a"]
    ),
    max_size=12,
).map("".join) | st.text(max_size=30)


@pytest.fixture(scope="module")
def whole(tokenizer_folder: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    tokenizer.encode_special_tokens = True
    return tokenizer


def test_the_project_s_tokenizers_split_at_spaces(tokenizer_folder: Path) -> None:
    assert splits_at_spaces(json.loads((tokenizer_folder / "tokenizer.json").read_text()))


@given(text=TEXTS.filter(lambda text: "\x00" not in text))
def test_words_give_the_tokens_of_the_text(
    tokenizer_folder: Path, whole: Tokenizer, text: str
) -> None:
    expected = len(whole.encode(text, add_special_tokens=False))
    assert token_counter(tokenizer_folder)(text) == expected


def test_a_full_memory_is_emptied(
    tokenizer_folder: Path, whole: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "_REMEMBERED", 3)
    count = token_counter(tokenizer_folder)
    for text in ("one two three four ", "five six seven ", "one six "):
        assert count(text) == len(whole.encode(text, add_special_tokens=False))


@pytest.mark.parametrize(
    "change",
    [
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"normalizer": None},
        {"normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}},
        {"model": {"ignore_merges": True}},
        {"model": {"dropout": 0.1}},
        {"model": {"fuse_unk": True}},
        {"model": {"type": "Unigram"}},
        {"model": {"vocab": {"\u2581": 0, "of\u2581the": 1}}},
        {"model": {"vocab": {"a": 0}}},
        {"added_tokens": [{"content": "patient", "special": False}]},
    ],
)
def test_other_tokenizers_are_asked_for_the_whole_text(
    tokenizer_folder: Path, tmp_path: Path, change: dict[str, dict[str, object]]
) -> None:
    described = json.loads((tokenizer_folder / "tokenizer.json").read_text())
    [(part, value)] = change.items()
    described[part] = {**described[part], **value} if part == "model" else value
    assert not splits_at_spaces(described)


def test_a_word_level_token_is_counted_as_the_tokenizer_does(
    tokenizer_folder: Path, tmp_path: Path
) -> None:
    described = json.loads((tokenizer_folder / "tokenizer.json").read_text())
    described["normalizer"] = described["normalizer"]["normalizers"][1]
    (tmp_path / "tokenizer.json").write_text(json.dumps(described))
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    text = "My ear hurts since yesterday"
    assert token_counter(tmp_path)(text) == len(tokenizer.encode(text, add_special_tokens=False))


def test_without_a_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(MedllmError, match=r"no tokenizer\.json"):
        token_counter(tmp_path)


@settings(max_examples=200)
@given(contents=st.lists(TEXTS, min_size=2, max_size=6), system=st.none() | TEXTS)
@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_a_conversation_has_as_many_tokens_as_training_sees(
    tokenizer_folder: Path, form: PromptFormat, contents: list[str], system: str | None
) -> None:
    full = [text.replace("\x00", "") or "x" for text in contents]
    messages = [
        Message(role="assistant" if i % 2 else "user", content=text) for i, text in enumerate(full)
    ]
    if system := (system or "").replace("\x00", ""):
        messages.insert(0, Message(role="system", content=system))
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tokenizer_folder)
    expected = len(form.encode(tokenizer, messages).input_ids)
    assert form.count(token_counter(tokenizer_folder), messages) == expected
