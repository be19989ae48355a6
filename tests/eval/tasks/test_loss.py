"""Loss on held-out dialogues against Hugging Face's cross entropy on training's own labels."""

import json
import math
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from medllm.eval.engines.embedded import EmbeddedEngine
from medllm.eval.tasks.loss import (
    dialogue_loss,
    held_out,
    sample_dialogues,
)
from medllm.pipeline.data.schema import Dialogue
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import FORMATS, Message
from medllm.pipeline.weights.rows import build_rows


def dialogue(name: str, *turns: str, system: str | None = None) -> Dialogue:
    roles = ("user", "assistant")
    messages = [
        Message.model_validate({"role": roles[i % 2], "content": text})
        for i, text in enumerate(turns)
    ]
    if system:
        messages.insert(0, Message(role="system", content=system))
    return Dialogue(id=name, source="test", messages=tuple(messages))


DIALOGUES = [
    dialogue("one", "My knee hurts.", "Rest, and see your doctor if it does not get better."),
    dialogue(
        "two", "I feel sick.", "Since when?", "Two days, </s>.", "Drink water.", system="Care."
    ),
]


def test_loss_equals_the_cross_entropy_of_training(gguf_file: Path, checkpoint: Path) -> None:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(checkpoint)
    rows = build_rows([(d.messages, FORMATS["llama2"]) for d in DIALOGUES], tokenizer, 512)
    model = LlamaForCausalLM.from_pretrained(checkpoint, dtype="float32").eval()
    with torch.no_grad():
        wanted = [
            model(torch.tensor([ids]), labels=torch.tensor([labels])).loss.item()
            for ids, labels in zip(rows.input_ids, rows.labels, strict=True)
        ]
    items = held_out(DIALOGUES, checkpoint, "llama2", 512).items
    with closing(EmbeddedEngine(gguf_file, "llama2", 512)) as engine:
        losses = [dialogue_loss(engine, item) for item in items]
    assert [nats / tokens for nats, tokens in losses] == pytest.approx(wanted, abs=2e-3)
    assert sum(tokens for _, tokens in losses) == rows.supervised_tokens


def test_a_model_that_knows_the_reply_loses_nothing(
    favour: Callable[[dict[str, float]], Path], checkpoint: Path
) -> None:
    """Ten times "doctor", a space and EOS, three equally likely tokens: ln 3 a token."""
    item = held_out([dialogue("x", "Who?", "doctor " * 9 + "doctor")], checkpoint, "llama2", 512)
    path = favour({"▁doctor": 9.0, "</s>": 9.0, "▁": 9.0})
    with closing(EmbeddedEngine(path, "llama2", 512)) as engine:
        loss = dialogue_loss(engine, item.items[0])
    assert loss[0] / loss[1] == pytest.approx(math.log(3), abs=0.05)


def test_long_dialogues_lose_whole_exchanges_and_are_counted(
    checkpoint: Path, gguf_file: Path
) -> None:
    long = dialogue("long", "My knee hurts.", "Rest.", "It clicks." * 30, "Drink water.")
    hopeless = dialogue("hopeless", "It clicks." * 60, "Rest.")
    found = held_out([long, hopeless, DIALOGUES[0]], checkpoint, "llama2", 96)
    assert [item.id for item in found.items] == ["long", "one"]
    assert (found.shortened, found.dropped) == (1, 1)
    assert len(found.items[0].input_ids) < 96
    with closing(EmbeddedEngine(gguf_file, "llama2", 96)) as engine:
        assert dialogue_loss(engine, found.items[0])[1] == sum(found.items[0].assistant_mask)


def test_other_tokens_than_in_training_are_refused(checkpoint: Path, gguf_file: Path) -> None:
    (item,) = held_out(DIALOGUES[:1], checkpoint, "know_medical_v2", 512).items
    with (
        closing(EmbeddedEngine(gguf_file, "llama2", 512)) as engine,
        pytest.raises(MedllmError, match="tokenises dialogue one otherwise"),
    ):
        dialogue_loss(engine, item)


def test_a_sample_follows_its_seed_and_keeps_the_order(tmp_path: Path) -> None:
    path = tmp_path / "test.jsonl"
    lines = [dialogue(f"d{n:02}", "Who?", f"Doctor {n}.").model_dump_json() for n in range(50)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    first = [d.id for d in sample_dialogues(path, 10, seed=1)]
    assert first == sorted(first) == [d.id for d in sample_dialogues(path, 10, seed=1)]
    assert first != [d.id for d in sample_dialogues(path, 10, seed=2)]
    assert len(sample_dialogues(path, 99, seed=1)) == 50
    assert json.loads(lines[0])["id"] == "d00"
