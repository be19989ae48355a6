"""Which messages count as medical, by words, by context, and by the model when unsure."""

import json
import math
from pathlib import Path

import pytest

from medllm.chat.domain.medical import MedicalCheck
from medllm.chat.domain.vectors import VECTORS, VOCABULARY, load_vectors, vectors
from medllm.chat.flow import GREETING, IDK
from medllm.pipeline.config import PrepareConfig, RunPaths, SourceConfig, VectorsConfig
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import Work, stage
from medllm.pipeline.prompts import Message
from medllm.pipeline.stages import INPUTS

TALK = ("the doctor asked about fever and cough", "my chest pain and fever came with a cough")


def said(*texts: str) -> tuple[Message, ...]:
    roles = ("user", "assistant")
    return tuple(
        Message(role=roles[n % 2], content=text)  # type: ignore[arg-type]
        for n, text in enumerate(texts)
    )


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunPaths:
    run = RunPaths(tmp_path)
    lines = [json.dumps({"messages": [{"role": "user", "content": t}]}) for t in TALK * 10]

    def body(work: Work) -> None:
        (work.dir / "train.jsonl").write_text("\n".join(lines), "utf-8")

    config = PrepareConfig(sources=(SourceConfig(name="messages", path=Path("mine.jsonl")),))
    with monkeypatch.context() as patch:
        patch.setitem(INPUTS, "prepare", {})  # type: ignore[arg-type]
        stage("prepare", config, run, body)
    return run


def test_the_stage_gives_the_same_vectors_again_and_no_pickle(paths: RunPaths) -> None:
    config = VectorsConfig(size=8, epochs=2)
    first = vectors(config, paths)
    (paths.stage("vectors") / "manifest.json").unlink()
    assert vectors(config, paths).outputs == first.outputs
    assert set(first.outputs) == {VECTORS, VOCABULARY}
    loaded = load_vectors(paths.stage("vectors"))
    assert loaded.similarity("fever") is not None
    assert loaded.similarity("bicycle") is None


def test_too_little_data_is_said(paths: RunPaths) -> None:
    with pytest.raises(MedllmError, match="min_count"):
        vectors(VectorsConfig(min_count=1000), paths)


def test_vectors_and_words_that_do_not_fit_are_refused(paths: RunPaths) -> None:
    vectors(VectorsConfig(size=8, epochs=1), paths)
    (paths.stage("vectors") / VOCABULARY).write_text("fever\n")
    with pytest.raises(MedllmError, match="do not fit"):
        load_vectors(paths.stage("vectors"))


@pytest.mark.parametrize(
    ("conversation", "medical"),
    [
        (said("I have a headache"), True),
        (said("my stomche hurts"), True),
        (said("Is dexlansoprazolum better?"), True),
        (said("Which film won the prize?"), False),
        (said("Hello!"), False),
        (said("I have a headache", "Since when?", "Tuesday or so"), True),
        (said("I have a headache", "Drink.", "and for how long?"), True),
        (said("I have a headache", "Drink.", "Thanks, bye"), False),
        (said("Hi", GREETING, "Which film won the prize?"), False),
        (said("Who won?", IDK, "And which film won the prize?"), False),
    ],
)
def test_words_and_context_decide(conversation: tuple[Message, ...], medical: bool) -> None:
    assert MedicalCheck(None, None)(conversation).yes is medical


@pytest.mark.parametrize(
    ("likely", "medical"),
    [
        ({"No": math.log(0.9), "Yes": math.log(0.05)}, False),
        ({"Yes": math.log(0.9), "No": math.log(0.05)}, True),
        ({" no": math.log(0.5), "yes": math.log(0.4)}, True),
        ({"The": math.log(0.9)}, True),
        ({}, True),
    ],
)
def test_when_unsure_the_model_must_say_no_clearly(likely: dict[str, float], medical: bool) -> None:
    asked: list[Message] = []

    def ask(messages, top: int) -> dict[str, float]:  # type: ignore[no-untyped-def]
        asked.extend(messages)
        return likely

    assert MedicalCheck(None, ask)(said("an effective strategy")[:1]).yes is medical or not asked
    check = MedicalCheck(None, ask)
    assert check(said("Which strategy is best?")).yes is medical
    assert "Which strategy" in asked[-1].content
