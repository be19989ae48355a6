"""What an evaluation says in words and columns."""

from pathlib import Path

import pytest

from medllm.eval.gate import Evidence, judge
from medllm.eval.records import (
    Card,
    Engine,
    Item,
    Measure,
    ModelRecord,
    Results,
    Role,
    Sample,
    TaskRecord,
    Unusable,
)
from medllm.eval.report.text import markdown, plot_scores, screen_table
from medllm.eval.scores import compare_all, task_run
from medllm.pipeline.config import GateConfig
from medllm.pipeline.prompts import Message

CARD = Card(title="T", measures="This.", does_not="That.", licence="own", source="own")
ASKED = (Message(role="user", content="What?"),)
QUESTIONS = TaskRecord(
    name="questions",
    kind="choice",
    card=CARD,
    measure=Measure(name="right", unit="share"),
    data="questions.jsonl",
    sha256="0" * 64,
    gating=True,
    floor=0.75,
    items=tuple(
        Item(id=f"q{n}", cluster=f"q{n}", group="ab"[n % 2], prompt=ASKED) for n in range(40)
    ),
    unusable=(Unusable(id="q99", reason="no answer"),),
)
LOSS = QUESTIONS.model_copy(
    update={
        "name": "loss",
        "kind": "loss",
        "floor": None,
        "measure": Measure(name="loss", unit="nats a token", better="lower"),
        "unusable": (),
    }
)


def model(name: str, role: Role, right: int, nats: float, unscored: int = 0) -> ModelRecord:
    answers = tuple(
        Sample(id=item.id, score=None, reason="no letter")
        if n >= 40 - unscored
        else Sample(id=item.id, score=float(n < right))
        for n, item in enumerate(QUESTIONS.items)
    )
    losses = tuple(
        Sample(id=item.id, score=nats + 0.01 * (n % 3), weight=10 + n % 3)
        for n, item in enumerate(LOSS.items)
    )
    return ModelRecord(
        name=name,
        role=role,
        file=f"convert/{name}.gguf",
        sha256="0" * 64,
        bytes=4_000_000,
        engine=Engine(program="llama.cpp"),
        runs=(task_run(QUESTIONS, answers, {}), task_run(LOSS, losses, {})),
    )


def results(*models: ModelRecord) -> Results:
    tasks = (QUESTIONS, LOSS)
    comparisons = compare_all(tasks, models, seed=0)
    config = GateConfig(claims=("questions",), safety={}, ends=0)
    return Results(
        seed=0,
        format="llama2",
        system="Be careful.",
        context=512,
        published=models[-1].name,
        tasks=tasks,
        models=models,
        comparisons=comparisons,
        gate=judge(Evidence(config, tasks, models, comparisons, [], True)),
    )


@pytest.fixture
def found() -> Results:
    return results(
        model("base F16", "base", 8, 3.0),
        model("medllm F16", "source", 36, 2.0),
        model("medllm Q4_K_M", "published", 36, 2.0, 2),
    )


def test_the_report_says_better_and_worse_and_cannot_tell(found: Results) -> None:
    text = markdown(found)
    line = next(line for line in text.splitlines() if "against base F16, questions" in line)
    assert "+73.7 points" in line
    assert "p < 0.0001" in line
    assert "2 of 40 items left out" in line
    assert "It is better on these items." in line
    assert "gate: passed" in text
    assert "q99: no answer" in text
    worse = markdown(
        results(model("base F16", "base", 36, 1.0), model("medllm Q4_K_M", "published", 8, 1.0))
    )
    assert "**It is worse on these items.**" in worse
    assert "NOT PASSED" in worse
    same = markdown(
        results(model("base F16", "base", 20, 1.0), model("medllm Q4_K_M", "published", 21, 1.0))
    )
    assert "do not tell the two apart" in same
    assert "one letter for every question gets 75.0%: not shown" in same


def test_columns_line_up_and_the_verdict_stands_last(found: Results) -> None:
    lines = screen_table(found).splitlines()
    assert len({len(line) for line in lines[:4]}) == 1
    assert lines[3].startswith("medllm Q4_K_M *")
    assert lines[5].startswith("gate: passed")
    shut = results(model("base F16", "base", 20, 1.0), model("medllm Q", "published", 21, 1.0))
    last = screen_table(shut).splitlines()[-1]
    assert last.startswith("  - better than base: medllm Q, questions: +2.5 points")


def test_the_plot_is_an_svg_that_does_not_change(found: Results, tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        plot_scores(found, tmp_path / name)
    assert (tmp_path / "a.svg").read_text().lstrip().startswith("<?xml")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
