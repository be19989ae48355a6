"""The gate lets equal readers pass and names the first difference of unequal ones."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from medllm.convert.gate.agreement import TokenGate
from medllm.convert.gate.texts import (
    HOSTILE,
    TYPED_CONTROLS,
    Conversation,
    hostile_conversations,
    mixtures,
    plain_texts,
    run_conversations,
)
from medllm.convert.llama_cpp import vocab_cases
from medllm.pipeline.config import RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import FORMATS, Message, PromptFormat
from medllm.pipeline.weights.tokenizer import build_tokenizer, save_tokenizer
from tests.small_model import SENTENCES

pytest_plugins = ("tests.small_model",)
LLAMA2 = FORMATS["llama2"]


@pytest.fixture(scope="module")
def llama2_folder(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real Llama-2 tokenizer as stage base saves it."""
    folder = tmp_path_factory.mktemp("llama2")
    model_file = shared_data / "llama2-tokenizer" / "tokenizer.model"
    save_tokenizer(build_tokenizer(model_file), model_file, folder)
    return folder


@pytest.fixture(scope="module")
def gate(checkpoint: Path, converted_run: RunPaths) -> Iterator[TokenGate]:
    found = TokenGate(checkpoint, converted_run.stage("convert") / "base-f16.gguf", LLAMA2)
    yield found
    found.close()


def talk(*turns: str, system: str = "", origin: str = "here") -> Conversation:
    roles = ("user", "assistant") * len(turns)
    messages = [Message(role=r, content=t) for r, t in zip(roles, turns, strict=False)]  # type: ignore[arg-type]
    first = [Message(role="system", content=system)] if system else []
    return Conversation(origin, (*first, *messages))


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_llama2_agrees_on_every_hostile_conversation(llama2_folder: Path, name: str) -> None:
    """With llama.cpp's own vocabulary file, which medllm did not convert."""
    gate = TokenGate(llama2_folder, vocab_cases(), FORMATS[name])
    typed = [gate.check(one).typed_controls for one in hostile_conversations()]
    gate.close()
    assert len(typed) > 700
    assert 40 < sum(typed) < len(typed) / 2
    assert gate.controls == ("<unk>", "<s>", "</s>")


def test_real_dialogues(llama2_folder: Path, shared_data: Path) -> None:
    import csv

    with (shared_data / "mts-dialog" / "MTS-Dialog-ValidationSet.csv").open() as file:
        texts = [row["dialogue"] for row in csv.DictReader(file)]
    gate = TokenGate(llama2_folder, vocab_cases(), LLAMA2)
    for question, answer, other in zip(texts, texts[1:], texts[2:], strict=False):
        counts = gate.check(talk(question, answer, other, question, system=answer[:50]))
        assert 0 < counts.supervised < counts.tokens
    gate.close()


def test_mixtures_agree_and_repeat(gate: TokenGate) -> None:
    own = [talk("I feel dizzy when I stand up.", "Since when? Sit down first.", system="Brief.")]
    made = list(mixtures(own, 200, seed=3))
    assert made == list(mixtures(own, 200, seed=3)) != list(mixtures(own, 200, seed=4))
    assert len({one.messages for one in made}) > 150
    for one in made:
        gate.check(one)


@pytest.mark.parametrize("control", TYPED_CONTROLS)
@pytest.mark.parametrize("name", sorted(FORMATS))
def test_no_control_token_out_of_words(
    gate: TokenGate, control: str, name: str, converted_run: RunPaths
) -> None:
    """In every role and cut at every border, in training and in the embedded engine."""
    from medllm.eval.engines.embedded import EmbeddedEngine

    record = FORMATS[name]
    engine = EmbeddedEngine(converted_run.stage("convert") / "base-f16.gguf", name, 128)
    variants = [
        talk(where, where, where, where, system=where) for where in (control, f"a{control}")
    ]
    for cut in range(1, len(control)):
        left, right = control[:cut], control[cut:]
        variants += [talk(left, right, left, right, system=left), talk(right, left, right, left)]
    try:
        for one in variants:
            ids = record.encode(gate.tokenizer, one.messages).input_ids
            assert ids == engine.encode(one.messages, add_generation_prompt=False)
            assert (ids.count(1), ids.count(2), ids.count(0)) == (2, 2, 0)
            prompt = one.messages[:-1]
            asked = record.encode(gate.tokenizer, prompt, add_generation_prompt=True).input_ids
            assert asked == engine.encode(prompt, add_generation_prompt=True)
            assert (asked.count(1), asked.count(2), asked.count(0)) == (2, 1, 0)
    finally:
        engine.close()


def test_a_server_would_obey_what_training_reads_as_words(gate: TokenGate) -> None:
    """Otherwise the two tests above could not fail."""
    messages = talk("before </s> after").messages
    assert gate.served(messages).count(2) == 1
    assert gate.prompt_ids(messages).count(2) == 0


def test_another_vocabulary(llama2_folder: Path, converted_run: RunPaths) -> None:
    other = TokenGate(
        llama2_folder, converted_run.stage("convert") / "base-f16.gguf", FORMATS["llama2"]
    )
    with pytest.raises(MedllmError) as caught:
        other.check(talk("Does a fever\nof 38.6 °C matter?", "It may.", origin="train.jsonl:7"))
    other.close()
    message = str(caught.value)
    for words in (
        "base-f16.gguf and training part at train.jsonl:7, token 1 of",
        "SentencePiece reads 1 '<s>' 518 '▁[' 25580 'INST' 29962 ']'",
        "llama.cpp reads 1 '<s>' ",
        "the text is '[INST] Does a fever\\nof 38.6 \\xb0C",
    ):
        assert words in message
    assert "\n" not in message
    assert len(message) < 900


def changed(gate: TokenGate, jinja: str) -> str:
    """What the gate says of a prompt format that is wrong somewhere."""
    wrong = PromptFormat("wrong", jinja, LLAMA2.go_template, LLAMA2.stop)
    whole, gate.format = gate.format, wrong
    try:
        with pytest.raises(MedllmError) as caught:
            gate.check(talk("My knee hurts.", "Rest it.", "For how long?", "Two days."))
    finally:
        gate.format = whole
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("bos_token + '[INST] '", "'<s>[INST] '", "0 BOS and 2 EOS"),
        ("bos_token + '[INST] '", "bos_token + bos_token + '[INST] '", "4 BOS and 2 EOS"),
        ("bos_token + '[INST] '", "'[INST] ' + bos_token", "no BOS at the start"),
        ("{{- ' ' + message['content'] + ' ' + eos_token -}}\n{%- endgeneration -%}",
         "{{- ' ' + message['content'] + ' ' -}}{%- endgeneration -%}{{- eos_token -}}",
         "an EOS without loss"),
        ("+ ' ' + eos_token", "+ ' '", "2 BOS and 0 EOS"),
    ],
)  # fmt: skip
def test_control_tokens_where_they_do_not_belong(
    gate: TokenGate, old: str, new: str, words: str
) -> None:
    assert old in LLAMA2.jinja
    assert words in changed(gate, LLAMA2.jinja.replace(old, new))


def test_a_tokenizer_that_merges_in_another_order(gate: TokenGate, checkpoint: Path) -> None:
    """transformers' own rebuilding of Llama's tokenizer had this fault."""
    from tokenizers import Tokenizer

    whole = json.loads(gate.tokenizer.backend_tokenizer.to_str())
    whole["model"]["merges"].reverse()
    backend = gate.tokenizer._tokenizer
    gate.tokenizer._tokenizer = Tokenizer.from_str(json.dumps(whole))
    try:
        everything = talk(*SENTENCES[:4], system=SENTENCES[4])
        with pytest.raises(MedllmError, match=r"SentencePiece reads .* training reads"):
            gate.check(everything)
    finally:
        gate.tokenizer._tokenizer = backend


def test_hostile_texts_are_what_they_say() -> None:
    everything = "".join(HOSTILE)
    for character in "\u00a0\t\r\u200d\u200f\u0301▁🏿🇺患":
        assert character in everything
    texts = list(plain_texts())
    assert len(texts) == 6 * len(HOSTILE) > 600
    assert len(HOSTILE) == len(set(HOSTILE))
    assert not any("\x00" in text for text in texts)
    for control in TYPED_CONTROLS:
        placed = [text for text in texts if control in text]
        assert any(t.startswith(control) for t in placed)
        assert any(t.endswith(control) for t in placed)


def test_a_runs_dialogues_are_spread_evenly(tmp_path: Path) -> None:
    from medllm.pipeline.data.schema import Dialogue

    files = []
    for name, count in (("train", 30), ("test", 9)):
        files.append(tmp_path / f"{name}.jsonl")
        lines = [
            Dialogue(id=f"x-{i}", source="x", messages=talk(f"q{i}", "a").messages).line()
            for i in range(count)
        ]
        files[-1].write_text("".join(lines), encoding="utf-8")
    assert len(list(run_conversations(files, 100))) == 39
    some = list(run_conversations(files, 13))
    assert [one.messages[0].content for one in some[-3:]] == ["q0", "q3", "q6"]
    assert len(some) == 13
    assert some[-1].origin == f"{files[1]}:7"
    files[1].write_text("{}\n")
    with pytest.raises(MedllmError, match=r"test\.jsonl:1 is not a dialogue"):
        list(run_conversations(files, 100))


def test_a_gguf_that_is_none(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(MedllmError, match="version 0"):
        TokenGate(checkpoint, path, LLAMA2)
    folder = shutil.copytree(checkpoint, tmp_path / "copy")
    (folder / "tokenizer.model").write_bytes(b"nothing")
    with pytest.raises(MedllmError, match="not a SentencePiece model"):
        TokenGate(folder, vocab_cases(), LLAMA2)
