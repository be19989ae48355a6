"""Stage eval on a whole small run: every model, every record, with and without Ollama."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from medllm.eval.evaluate import evaluate
from medllm.eval.results import Results
from medllm.pipeline.config import CreateConfig, EvalConfig, RunPaths
from medllm.pipeline.errors import MedllmError


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


def lines(records: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    path.write_text(lines(QUESTIONS), encoding="utf-8")
    return path


def results_of(paths: RunPaths) -> Results:
    return Results.model_validate_json((paths.stage("eval") / "results.json").read_bytes())


def test_every_model_answers_the_same_items(
    small_run: RunPaths, questions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = EvalConfig(questions=questions, context=512)
    manifest = evaluate(config, small_run)
    results = results_of(small_run)
    assert [run.name for run in results.runs] == ["base F16", "medllm F16", "medllm Q8_0"]
    for run in results.runs:
        assert [a.id for a in run.answers] == [q["id"] for q in QUESTIONS]
        assert [loss.id for loss in run.losses] == ["d0", "d1", "d2", "d3"]
        assert run.served_as is None
        assert run.engine.startswith("llama.cpp")
    base, tuned, quant = results.scores
    assert [s.accuracy.count for s in (base, tuned, quant) if s.accuracy] == [2, 8, 8]
    assert [s.unscorable for s in (base, tuned, quant)] == [0, 0, 0]
    assert {name: share.count for name, share in quant.families.items()} == {
        "urgency": 4,
        "system": 4,
    }
    assert [s.ends_by_itself and s.ends_by_itself.count for s in results.scores] == [0, 4, 0]
    compared = {(c.model, c.against): c for c in results.comparisons}
    change = compared["medllm Q8_0", "base F16"]
    assert change.accuracy
    assert change.accuracy.value == pytest.approx(0.5)
    assert (change.only_model_right, change.only_against_right) == (8, 2)
    assert change.mcnemar_p == pytest.approx(2 * (1 + 10 + 45) / 1024)
    assert change.clustered
    assert change.loss
    assert compared["medllm Q8_0", "medllm F16"].mcnemar_p == 1
    assert results.system == "You are a careful assistant."
    assert set(manifest.outputs) == {"results.json", "report.md", "report.txt", "accuracy.svg"}
    table = (small_run.stage("eval") / "report.txt").read_text(encoding="utf-8")
    assert "medllm Q8_0 *" in table
    assert "66.7%" in table
    assert table in capsys.readouterr().out
    report = (small_run.stage("eval") / "report.md").read_text(encoding="utf-8")
    assert "+50.0 points right" in report
    assert "no clearance" in report


def test_it_runs_once_and_again_when_a_question_changes(
    small_run: RunPaths, questions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = EvalConfig(questions=questions, context=512, max_dialogues=2)
    first = evaluate(config, small_run)
    assert evaluate(config, small_run) == first
    assert "eval: up to date" in capsys.readouterr().err
    before = results_of(small_run)
    questions.write_text(lines(QUESTIONS[:5]), encoding="utf-8")
    assert evaluate(config, small_run) != first
    after = results_of(small_run)
    assert len(after.runs[0].answers) == 5
    assert after.runs[0].losses == before.runs[0].losses
    assert after.runs[0].answers == before.runs[0].answers[:5]


def test_without_questions_only_loss_is_reported(small_run: RunPaths) -> None:
    manifest = evaluate(EvalConfig(context=512), small_run)
    results = results_of(small_run)
    assert all(score.accuracy is None and score.loss for score in results.scores)
    assert all(c.accuracy is None and c.mcnemar_p is None for c in results.comparisons)
    assert "accuracy.svg" not in manifest.outputs
    assert "only loss is reported" in (small_run.stage("eval") / "report.md").read_text()


def test_a_question_that_does_not_fit_is_named(small_run: RunPaths, questions: Path) -> None:
    long = {**question(99, "A"), "question": "It clicks now and then. " * 60}
    questions.write_text(lines([*QUESTIONS, long]), encoding="utf-8")
    with pytest.raises(MedllmError, match="Question q99 does not fit a context of 256 tokens"):
        evaluate(EvalConfig(questions=questions, context=256), small_run)
    assert not (small_run.stage("eval") / "results.json").exists()


def test_nothing_to_score_is_said(small_run: RunPaths) -> None:
    with pytest.raises(MedllmError, match="nothing to score"):
        evaluate(EvalConfig(context=16), small_run)


def test_results_refuse_unknown_fields(small_run: RunPaths) -> None:
    evaluate(EvalConfig(context=512), small_run)
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

    config = EvalConfig(questions=questions, context=512)
    evaluate(config, small_run)
    embedded = results_of(small_run)
    monkeypatch.setenv("OLLAMA_HOST", ollama_server)
    create(CreateConfig(name="evaluated"), small_run)
    evaluate(config, small_run)
    served = results_of(small_run)
    assert [run.served_as for run in served.runs] == [
        "evaluated:base",
        "evaluated:f16",
        "evaluated:q8_0",
    ]
    for one, other in zip(embedded.runs, served.runs, strict=True):
        assert other.engine.startswith("Ollama ")
        assert one.losses == other.losses
        for ours, theirs in zip(one.answers, other.answers, strict=True):
            if theirs.chosen:  # the server shows its top 20 tokens only
                assert ours.chosen == theirs.chosen
            shown = {letter: ours.probabilities[letter] for letter in theirs.probabilities}
            assert shown == pytest.approx(theirs.probabilities, abs=0.01)
        assert [e.ended for e in one.endings] == [e.ended for e in other.endings]
    report = (small_run.stage("eval") / "report.md").read_text(encoding="utf-8")
    assert "evaluated:q8_0" in report
