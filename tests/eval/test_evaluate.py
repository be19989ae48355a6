"""Stage eval on a whole small run: every model, every record, with and without Ollama."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from medllm.eval.evaluate import evaluate
from medllm.eval.records import Results, Speeds
from medllm.pipeline.config import CreateConfig, EvalConfig, GateConfig, RunPaths, TaskConfig
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.release.publish.gate import Verdict


def question(number: int, letter: str) -> dict[str, Any]:
    return {
        "id": f"q{number}",
        "family": "urgency" if number % 2 else "system",
        "condition": f"c{number // 2}",
        "question": f"My knee hurts {number} times.\nHow soon?",
        "options": ["Now", "Today", "Soon", "Not at all"],
        "answer": letter,
    }


QUESTIONS = [question(n, letter) for n, letter in enumerate("BBBBBBBBAACD")]
FILES = {"results.json", "speed.json", "verdict.json", "report.md", "report.txt", "accuracy.svg"}


def lines(records: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    path.write_text(lines(QUESTIONS), encoding="utf-8")
    return path


def config(questions: Path, *more: str, **change: Any) -> EvalConfig:
    tasks = [TaskConfig(name="questions", path=questions)]
    tasks += [TaskConfig(name=name) for name in ("loss", "dialogues", "ends", *more)]
    return EvalConfig(tasks=tuple(tasks), context=512, **change)


def results_of(paths: RunPaths) -> Results:
    return Results.model_validate_json((paths.stage("eval") / "results.json").read_bytes())


def test_every_model_answers_the_same_items(
    small_run: RunPaths, questions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = evaluate(config(questions), small_run)
    results = results_of(small_run)
    assert [(m.name, m.role) for m in results.models] == [
        ("base F16", "base"),
        ("medllm F16", "source"),
        ("medllm Q8_0", "published"),
    ]
    for model in results.models:
        run = model.run("questions")
        assert run
        assert [s.id for s in run.samples] == [q["id"] for q in QUESTIONS]
        loss = model.run("loss")
        assert loss
        assert [s.id for s in loss.samples] == ["d0", "d1", "d2", "d3"]
        assert model.engine.served_as is None
        assert model.engine.program.startswith("llama.cpp")
        assert (model.run("dialogues") is None) == (model.role == "source")
    counts = []
    for model in results.models:
        run = model.run("questions")
        assert run
        counts.append(sum(bool(s.right) for s in run.samples))
    assert counts == [2, 8, 8]
    published = results.model("medllm Q8_0")
    run = published.run("questions")
    assert run
    assert {name: round(one.value * one.items) for name, one in run.groups.items()} == {
        "urgency": 4,
        "system": 4,
    }
    ends = published.run("ends")
    assert ends
    assert ends.score
    assert ends.score.value == 0
    change = results.comparison("questions", "medllm Q8_0", "base F16")
    assert change
    assert change.difference.value == pytest.approx(0.5)
    assert (change.only_model_right, change.only_against_right) == (8, 2)
    assert change.clustered
    assert results.system == "You are a careful assistant."
    assert set(manifest.outputs) > FILES
    assert {name.rpartition(".")[2] for name in manifest.outputs if "inspect/" in name} == {"eval"}
    table = (small_run.stage("eval") / "report.txt").read_text(encoding="utf-8")
    assert "medllm Q8_0 *" in table
    assert "66.7%" in table
    assert "gate: NOT PASSED" in table
    assert table in capsys.readouterr().out
    verdict = Verdict.model_validate_json((small_run.stage("eval") / "verdict.json").read_bytes())
    assert not verdict.passed
    assert any("ends" in reason or "end" in reason for reason in verdict.reasons)
    assert verdict.artefacts == {"medllm-q8_0.gguf": published.sha256}
    speeds = Speeds.model_validate_json((small_run.stage("eval") / "speed.json").read_bytes())
    assert [one.model for one in speeds.models] == [m.name for m in results.models]
    assert all(one.tasks["questions"][0].seconds > 0 for one in speeds.models)


def test_the_same_seed_gives_the_same_bytes(small_run: RunPaths, questions: Path) -> None:
    evaluate(config(questions), small_run)
    folder = small_run.stage("eval")
    same = ("results.json", "report.md", "report.txt", "accuracy.svg", "verdict.json")
    first = {name: (folder / name).read_bytes() for name in same}
    (folder / "manifest.json").unlink()
    evaluate(config(questions), small_run)
    assert {name: (folder / name).read_bytes() for name in same} == first


def test_it_runs_once_and_again_when_a_question_changes(
    small_run: RunPaths, questions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = config(questions, max_dialogues=2)
    first = evaluate(wanted, small_run)
    assert evaluate(wanted, small_run) == first
    assert "eval: up to date" in capsys.readouterr().err
    questions.write_text(lines(QUESTIONS[:5]), encoding="utf-8")
    assert evaluate(wanted, small_run) != first
    run = results_of(small_run).models[0].run("questions")
    assert run
    assert len(run.samples) == 5


def test_the_last_release_is_asked_the_same(
    small_run: RunPaths, questions: Path, tmp_path: Path
) -> None:
    """The run itself as its own last release: nothing is worse, and the margin holds."""
    gate = GateConfig(claims=(), safety={}, ends=0, margin=0.5, quant_loss=100)
    evaluate(config(questions, previous=str(small_run.root), gate=gate), small_run)
    results = results_of(small_run)
    assert [m.name for m in results.models][:2] == ["base F16", "previous Q8_0"]
    same = results.comparison("questions", "medllm Q8_0", "previous Q8_0")
    assert same
    assert same.difference.value == 0
    checks = [check for check in results.gate.checks if check.name == "not worse than previous"]
    assert [check.task for check in checks] == ["questions", "loss", "dialogues", "ends"]
    assert all(check.passed and check.asked for check in checks)
    assert results.gate.passed


def test_what_does_not_fit_is_unscored_and_shuts_the_gate(
    small_run: RunPaths, questions: Path
) -> None:
    long = {**question(99, "A"), "question": "It clicks now and then. " * 90}
    questions.write_text(lines([*QUESTIONS, long]), encoding="utf-8")
    evaluate(config(questions), small_run)
    results = results_of(small_run)
    run = results.model("medllm Q8_0").run("questions")
    assert run
    assert run.unscored == 1
    assert run.score
    assert run.score.items == 12
    check = next(c for c in results.gate.checks if c.name == "items with a score")
    assert not check.passed
    assert "does not fit a context of 512 tokens" in check.reason


def test_nothing_to_ask_is_said(small_run: RunPaths) -> None:
    wanted = EvalConfig(
        tasks=(TaskConfig(name="loss"),), context=16, gate=GateConfig(claims=("loss",))
    )
    with pytest.raises(MedllmError, match="nothing to ask"):
        evaluate(wanted, small_run)


def test_a_task_with_a_typo_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValidationError, match="no such task, did you mean medmcqa"):
        TaskConfig(name="medmqa")
    with pytest.raises(ValidationError, match="task mmlu needs a path"):
        TaskConfig(name="mmlu")
    with pytest.raises(ValidationError, match="names no task of this section: los, did you mean"):
        EvalConfig(gate=GateConfig(claims=("los",)))
    with pytest.raises(ValidationError, match="is there twice"):
        EvalConfig(tasks=(TaskConfig(name="loss"), TaskConfig(name="loss")))


def test_results_refuse_unknown_fields(small_run: RunPaths, questions: Path) -> None:
    evaluate(config(questions), small_run)
    raw = json.loads((small_run.stage("eval") / "results.json").read_bytes())
    with pytest.raises(ValidationError):
        Results.model_validate(raw | {"more": 1})


def test_through_ollama_the_answers_are_the_same(
    small_run: RunPaths,
    questions: Path,
    ollama_server: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server is shown the same bytes and gives, to its rounding, the same probabilities."""
    from medllm.pipeline.release.create import create

    evaluate(config(questions), small_run)
    embedded = results_of(small_run)
    monkeypatch.setenv("OLLAMA_HOST", ollama_server)
    create(CreateConfig(name="evaluated"), small_run)
    evaluate(config(questions), small_run)
    served = results_of(small_run)
    assert [m.engine.served_as for m in served.models] == [
        "evaluated:base",
        "evaluated:f16",
        "evaluated:q8_0",
    ]
    for one, other in zip(embedded.models, served.models, strict=True):
        assert other.engine.program.startswith("Ollama ")
        assert other.engine.digest == other.engine.digest_after
        assert one.run("loss") == other.run("loss")
        ours, theirs = one.run("questions"), other.run("questions")
        assert ours
        assert theirs
        for mine, its in zip(ours.samples, theirs.samples, strict=True):
            if its.score is None:  # the server shows its top 20 tokens only
                continue
            assert its.answer == mine.answer
            shown = {k: v for k, v in its.more.items() if k.startswith("p(")}
            assert {k: mine.more[k] for k in shown} == pytest.approx(shown, abs=0.01)
