from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import FORMATS, Message, PromptFormat
from medllm.pipeline.weights.tokenizer import load_sentencepiece

pytest_plugins = ("tests.small_model",)

LLAMA2, KNOW = FORMATS["llama2"], FORMATS["know_medical_v2"]


def talk(*contents: str, system: str | None = None) -> list[Message]:
    """User and assistant in turns, after an optional system message."""
    messages = [] if system is None else [Message(role="system", content=system)]
    for index, content in enumerate(contents):
        messages.append(Message(role="assistant" if index % 2 else "user", content=content))
    return messages


SINGLE = talk("My arm itches.", "Since when?")
MULTI = talk("My arm itches.", "Since when?", "Two days.", "Keep it cool.")


@pytest.fixture(scope="module")
def tokenizer(tokenizer_folder: Path) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast.from_pretrained(tokenizer_folder)


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        (SINGLE, "<s>[INST] My arm itches. [/INST] Since when? </s>"),
        (
            [Message(role="system", content="Be careful."), *SINGLE],
            "<s>[INST] <<SYS>>\nBe careful.\n<</SYS>>\n\nMy arm itches. [/INST] Since when? </s>",
        ),
        (
            MULTI,
            "<s>[INST] My arm itches. [/INST] Since when? </s>"
            "<s>[INST] Two days. [/INST] Keep it cool. </s>",
        ),
        (
            [Message(role="system", content="Be careful."), *MULTI],
            "<s>[INST] <<SYS>>\nBe careful.\n<</SYS>>\n\nMy arm itches. [/INST] Since when? </s>"
            "<s>[INST] Two days. [/INST] Keep it cool. </s>",
        ),
        (talk(" a ", " b\n", system=""), "<s>[INST]  a  [/INST]  b\n </s>"),
    ],
)
def test_llama2_text(messages: list[Message], text: str) -> None:
    assert LLAMA2.render(messages) == text


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        (
            SINGLE,
            "<s>### Explaining medical conditions:\nMy arm itches.\n\n"
            "### Describe the treatment options:\nSince when?</s>",
        ),
        (
            [Message(role="system", content="Be careful."), *MULTI],
            "<s>### Instruction:\nBe careful.\n\n"
            "### Explaining medical conditions:\nMy arm itches.\n\n"
            "### Describe the treatment options:\nSince when?</s>"
            "<s>### Explaining medical conditions:\nTwo days.\n\n"
            "### Describe the treatment options:\nKeep it cool.</s>",
        ),
    ],
)
def test_know_medical_v2_text(messages: list[Message], text: str) -> None:
    assert KNOW.render(messages) == text


def test_a_prompt_has_no_first_bos_and_ends_where_the_reply_begins() -> None:
    messages = talk("My arm itches.", "Since when?", "Two days.", system="Be careful.")
    assert LLAMA2.prompt(messages) == (
        "[INST] <<SYS>>\nBe careful.\n<</SYS>>\n\nMy arm itches. [/INST] Since when? </s>"
        "<s>[INST] Two days. [/INST]"
    )
    assert KNOW.prompt(messages[-1:]) == (
        "### Explaining medical conditions:\nTwo days.\n\n### Describe the treatment options:\n"
    )


@pytest.mark.parametrize("record", FORMATS.values(), ids=FORMATS.keys())
@pytest.mark.parametrize("messages", [SINGLE, MULTI, [Message(role="system", content="S"), *MULTI]])
def test_the_whole_text_begins_with_its_prompt(
    record: PromptFormat, messages: list[Message]
) -> None:
    whole = record.render(messages)
    assert whole.startswith("<s>" + record.prompt(messages[:-1]))
    assert whole.count("<s>") == whole.count("</s>") == (len(messages) // 2)


@pytest.mark.parametrize("record", FORMATS.values(), ids=FORMATS.keys())
@pytest.mark.parametrize("generate", [False, True])
@pytest.mark.parametrize("system", [None, "", "Be careful."])
@pytest.mark.parametrize("turns", [1, 2, 3, 4])
def test_transformers_renders_the_same_text(
    tokenizer: PreTrainedTokenizerFast,
    record: PromptFormat,
    turns: int,
    system: str | None,
    generate: bool,
) -> None:
    messages = talk(*["My arm\nitches. ", " Since when?", "{{ 7 }}", "Ok"][:turns], system=system)
    theirs = tokenizer.apply_chat_template(
        [message.model_dump() for message in messages],
        chat_template=record.jinja,
        tokenize=False,
        add_generation_prompt=generate,
    )
    assert record.render(messages, add_generation_prompt=generate) == theirs


@pytest.mark.parametrize("record", FORMATS.values(), ids=FORMATS.keys())
def test_transformers_finds_the_same_assistant_words(
    tokenizer: PreTrainedTokenizerFast, record: PromptFormat
) -> None:
    """Its ids agree too where nobody types a control token."""
    messages = [Message(role="system", content="Be careful."), *MULTI]
    theirs = tokenizer.apply_chat_template(
        [message.model_dump() for message in messages],
        chat_template=record.jinja,
        tokenize=True,
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    ours = record.encode(tokenizer, messages)
    assert ours.input_ids == theirs["input_ids"]
    assert ours.assistant_mask == theirs["assistant_masks"]


def learnt(
    tokenizer: PreTrainedTokenizerFast, record: PromptFormat, messages: list[Message]
) -> str:
    """The learnt tokens as text, control tokens written out, without the first space."""
    encoded = record.encode(tokenizer, messages)
    return tokenizer.decode([i for i, m in zip(*encoded, strict=True) if m])


def test_loss_falls_on_the_answers_and_their_eos(tokenizer: PreTrainedTokenizerFast) -> None:
    assert learnt(tokenizer, LLAMA2, SINGLE) == "Since when? </s>"
    assert learnt(tokenizer, LLAMA2, MULTI) == "Since when? </s> Keep it cool. </s>"
    assert learnt(tokenizer, KNOW, MULTI) == "Since when?</s>Keep it cool.</s>"
    assert learnt(tokenizer, LLAMA2, MULTI[:3]) == "Since when? </s>"
    assert learnt(tokenizer, LLAMA2, MULTI[:1]) == ""


@pytest.mark.parametrize("record", FORMATS.values(), ids=FORMATS.keys())
def test_a_reply_is_tokenised_as_after_its_prompt(
    tokenizer: PreTrainedTokenizerFast, record: PromptFormat
) -> None:
    """What a server feeds the model before a reply is a prefix of what it was trained on."""
    whole = record.encode(tokenizer, MULTI)
    for end in (1, 3):
        prompt = record.encode(tokenizer, MULTI[:end], add_generation_prompt=True).input_ids
        assert whole.input_ids[: len(prompt)] == prompt
        assert whole.assistant_mask[len(prompt) - 1 : len(prompt) + 1] == [0, 1]


TYPED = st.one_of(
    st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    st.lists(
        st.sampled_from(["</s>", "<s>", "[INST]", "[/INST]", "<unk>", " ", "\n", "a", "<<SYS>>"])
    ).map("".join),
)


@settings(max_examples=300, deadline=None)
@given(contents=st.lists(TYPED, min_size=1, max_size=4), system=st.none() | TYPED)
@pytest.mark.parametrize("name", sorted(FORMATS))
def test_whatever_is_typed(
    tokenizer: PreTrainedTokenizerFast,
    tokenizer_folder: Path,
    name: str,
    contents: list[str],
    system: str | None,
) -> None:
    """Control ids come from the template alone, and the rest is SentencePiece's reading of it."""
    messages, record = talk(*contents, system=system), FORMATS[name]
    ids, mask = record.encode(tokenizer, messages)
    exchanges, answers = (len(contents) + 1) // 2, len(contents) // 2
    assert (ids.count(1), ids.count(2)) == (exchanges, answers)
    assert ids[0] == 1
    assert sum(m for i, m in zip(ids, mask, strict=True) if i == 2) == answers
    assert not any(m for i, m in zip(ids, mask, strict=True) if i == 1)
    if name == "llama2":
        reference = load_sentencepiece(tokenizer_folder / "tokenizer.model")
        expected: list[int] = []
        for index in range(exchanges):
            user, *answer = contents[2 * index : 2 * index + 2]
            head = f"<<SYS>>\n{system}\n<</SYS>>\n\n" if system and index == 0 else ""
            text = f"[INST] {head}{user} [/INST]" + "".join(f" {words} " for words in answer)
            expected += [1, *reference.encode(text), *([2] if answer else [])]
        assert ids == expected


@settings(max_examples=300, deadline=None)
@given(user=TYPED, answer=TYPED)
@pytest.mark.parametrize("name", sorted(FORMATS))
def test_exactly_the_answer_is_learnt(
    tokenizer: PreTrainedTokenizerFast, name: str, user: str, answer: str
) -> None:
    written = f" {answer} " if name == "llama2" else answer
    expected = written.replace("▁", " ").removeprefix(" ") + "</s>"
    assert learnt(tokenizer, FORMATS[name], talk(user, answer)) == expected


@pytest.mark.parametrize("record", FORMATS.values(), ids=FORMATS.keys())
@pytest.mark.parametrize(
    "roles",
    [
        ("assistant",),
        ("user", "user"),
        ("system", "assistant"),
        ("user", "assistant", "assistant"),
        ("system", "system", "user"),
        ("user", "system", "user"),
    ],
)
def test_roles_must_take_turns(record: PromptFormat, roles: tuple[str, ...]) -> None:
    messages = [Message.model_validate({"role": role, "content": "x"}) for role in roles]
    with pytest.raises(MedllmError, match="must take turns, the user first"):
        record.render(messages)


@pytest.mark.parametrize("record", FORMATS.values(), ids=FORMATS.keys())
def test_conversations_that_are_none(record: PromptFormat) -> None:
    with pytest.raises(MedllmError, match="NUL"):
        record.render(talk("a\x00eos\x00b"))
    with pytest.raises(MedllmError, match="no messages"):
        record.render([])


def test_encoding_leaves_the_tokenizer_as_it_was(tokenizer: PreTrainedTokenizerFast) -> None:
    LLAMA2.encode(tokenizer, SINGLE)
    assert tokenizer.encode("a</s>")[-1] == 2
