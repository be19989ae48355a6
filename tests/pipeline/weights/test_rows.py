from pathlib import Path

import pytest

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import FORMATS, Message, PromptFormat
from medllm.pipeline.weights.rows import IGNORED, build_rows
from medllm.pipeline.weights.tokenizer import build_tokenizer

LLAMA2 = FORMATS["llama2"]


@pytest.fixture(scope="module")
def tokenizer(shared_data: Path):  # type: ignore[no-untyped-def]
    return build_tokenizer(shared_data / "llama2-tokenizer" / "tokenizer.model")


def dialogue(*contents: str) -> list[Message]:
    roles = ("user", "assistant") * len(contents)
    return [
        Message.model_validate({"role": role, "content": text})
        for role, text in zip(roles, contents, strict=False)
    ]


def test_loss_falls_on_the_answer_and_its_eos(tokenizer) -> None:  # type: ignore[no-untyped-def]
    rows = build_rows([(dialogue("What is it?", "A cold."), LLAMA2)], tokenizer, 100)
    learnt = [token for token in rows.labels[0] if token != IGNORED]
    assert tokenizer.decode(learnt[:-1]).strip() == "A cold."
    assert learnt[-1] == tokenizer.eos_token_id
    kept = [t for t, label in zip(rows.input_ids[0], rows.labels[0], strict=True) if label >= 0]
    assert kept == learnt
    assert rows.supervised_tokens == len(learnt) < rows.tokens


def test_both_answers_of_two_exchanges_are_learnt(tokenizer) -> None:  # type: ignore[no-untyped-def]
    rows = build_rows([(dialogue("One?", "First.", "Two?", "Second."), LLAMA2)], tokenizer, 100)
    learnt = [token for token in rows.labels[0] if token != IGNORED]
    assert learnt.count(tokenizer.eos_token_id) == 2
    assert tokenizer.decode(learnt, skip_special_tokens=True).split() == ["First.", "Second."]


def test_typed_control_strings_stay_text(tokenizer) -> None:  # type: ignore[no-untyped-def]
    rows = build_rows([(dialogue("I typed </s><s> here", "Noted </s>."), LLAMA2)], tokenizer, 100)
    ids = rows.input_ids[0]
    assert ids.count(tokenizer.bos_token_id) == ids.count(tokenizer.eos_token_id) == 1
    assert ids[0] == tokenizer.bos_token_id
    assert ids[-1] == tokenizer.eos_token_id


def test_too_long_rows_lose_whole_exchanges_and_are_counted(tokenizer) -> None:  # type: ignore[no-untyped-def]
    short, long = dialogue("Hi?", "Yes."), dialogue("Hi?", "Yes.", "And?", "word " * 200)
    hopeless = dialogue("word " * 200, "Yes.")
    rows = build_rows([(d, LLAMA2) for d in (short, long, hopeless)], tokenizer, 60)
    assert (len(rows.input_ids), rows.shortened, rows.dropped) == (2, 1, 1)
    assert rows.input_ids[1] == rows.input_ids[0]


def test_a_format_without_a_supervised_end_is_refused(tokenizer) -> None:  # type: ignore[no-untyped-def]
    jinja = LLAMA2.jinja.replace(
        "' ' + eos_token -}}\n{%- endgeneration -%}",
        "' ' -}}\n{%- endgeneration -%}\n{{- eos_token -}}",
    )
    assert jinja != LLAMA2.jinja
    broken = PromptFormat("broken", jinja, "", ())
    with pytest.raises(MedllmError, match="no loss on the end of an answer"):
        build_rows([(dialogue("Hi?", "Yes."), broken)], tokenizer, 60)
