"""What an evaluation says in words and columns, and the records behind it."""

from pathlib import Path

import pytest

from medllm.eval.report.text import markdown, plot_accuracy, screen_table
from medllm.eval.results import Ending, Results, Run, compare, one_letter, score
from medllm.eval.tasks.loss import DialogueLoss
from medllm.eval.tasks.questions import Answer, Question

QUESTIONS = [
    Question.model_validate(
        {
            "id": f"q{n}",
            "question": "What?",
            "options": ["a", "b"],
            "answer": "AAAB"[n % 4],
            "family": "one" if n % 2 else "two",
            "condition": f"c{n // 4}",
        }
    )
    for n in range(40)
]


def run(name: str, right: int, nats: float, unscorable: int = 0) -> Run:
    answers = [
        Answer(
            id=question.id,
            chosen=question.answer if n < right else None if n >= 40 - unscorable else "B",
            right=n < right,
            how="unscorable" if n >= 40 - unscorable else "first token",
            probabilities={"A": 0.6},
            coverage=0.5,
        )
        for n, question in enumerate(QUESTIONS)
    ]
    losses = [DialogueLoss(id=f"d{n}", nats=nats * (10 + n % 3), tokens=10) for n in range(20)]
    return Run(
        name=name,
        file=f"convert/{name}.gguf",
        sha256="0" * 64,
        bytes=4_000_000,
        engine="llama.cpp",
        served_as=None,
        answers=answers,
        losses=losses,
        endings=[Ending(id="d0", ended=True, tokens=3), Ending(id="d1", ended=False, tokens=9)],
    )


def results(*runs: Run) -> Results:
    return Results(
        questions="questions.jsonl",
        one_letter=one_letter(QUESTIONS),
        system="Be careful.",
        context=512,
        dialogues_shortened=1,
        dialogues_dropped=2,
        scores=[score(one, QUESTIONS) for one in runs],
        comparisons=[compare(one, runs[0], QUESTIONS, seed=0) for one in runs[1:]],
        runs=list(runs),
    )


@pytest.fixture
def found() -> Results:
    return results(
        run("base F16", 8, 3.0), run("medllm F16", 36, 2.0), run("medllm Q4_K_M", 4, 2.5, 6)
    )


def test_scores_are_summed_up(found: Results) -> None:
    base, tuned, quant = found.scores
    assert base.accuracy
    assert (base.accuracy.count, base.accuracy.items) == (8, 40)
    assert {name: share.items for name, share in base.families.items()} == {"one": 20, "two": 20}
    assert (quant.unscorable, base.unscorable) == (6, 0)
    assert base.coverage == 0.5
    assert tuned.loss
    assert tuned.loss.nats == pytest.approx(2.0 * sum(10 + n % 3 for n in range(20)) / 200)
    assert tuned.ends_by_itself
    assert (tuned.ends_by_itself.count, tuned.ends_by_itself.items) == (1, 2)


def test_differences_have_the_sign_of_model_minus_base(found: Results) -> None:
    tuned, quant = found.comparisons
    assert tuned.accuracy
    assert tuned.loss
    assert tuned.accuracy.value == pytest.approx(28 / 40)
    assert tuned.accuracy.low > 0
    assert tuned.loss.high < 0
    assert tuned.mcnemar_p == pytest.approx(2 / 2**28)
    assert quant.accuracy
    assert quant.accuracy.value == pytest.approx(-0.1)


def test_the_report_says_better_worse_and_cannot_tell(found: Results) -> None:
    text = markdown(found, "medllm Q4_K_M")
    tuned = next(line for line in text.splitlines() if line.startswith("- **medllm F16** against"))
    assert "+70.0 points" in tuned
    assert "; p < 0.0001)" in tuned
    assert "It is better on these questions." in tuned
    assert "medllm Q4_K_M *" in text
    assert "what the Modelfile publishes: medllm Q4_K_M" in text
    assert "nats a token lower" in text
    assert "2 left out" in text
    worse = markdown(results(run("base F16", 36, 1.0), run("medllm F16", 8, 1.0)), "")
    assert "**It is worse on these questions.**" in worse
    same = markdown(results(run("base F16", 20, 1.0), run("medllm F16", 21, 1.0)), "")
    assert "do not tell the two apart" in same


def test_what_one_letter_gets_is_the_floor(found: Results) -> None:
    assert found.one_letter
    assert found.one_letter.value == 0.75
    text = markdown(found, "")
    assert "gets 75.0%: not shown to do better than that: base F16, medllm Q4_K_M.**" in text
    assert "One letter" not in markdown(results(run("base F16", 39, 1.0)), "")


def test_columns_line_up(found: Results) -> None:
    lines = screen_table(found, "medllm Q4_K_M").splitlines()
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1
    assert lines[3].startswith("medllm Q4_K_M *")


def test_the_plot_is_an_svg_that_does_not_change(found: Results, tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        plot_accuracy(found, tmp_path / name)
    assert (tmp_path / "a.svg").read_text().lstrip().startswith("<?xml")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
