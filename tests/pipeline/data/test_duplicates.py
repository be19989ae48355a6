"""Near duplicates are found, are near duplicates, and hold a split together in any order."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.duplicates import crowd, ours, planted, score
from medllm.pipeline.data.duplicates import (
    QUESTION_WORDS,
    SIGNATURE,
    Groups,
    groups,
    jaccard,
    linked,
    near_duplicates,
    shingles,
    signature,
    signatures,
)

BASE = [f"word{n}" for n in range(40)]


@st.composite
def edited(draw: st.DrawFn) -> str:
    """One of three base texts with up to four words changed: 1.0 to 0.5 similar to another."""
    offset = draw(st.sampled_from([0, 0, 13, 26]))
    words = [f"{offset}{word}" for word in BASE]
    for at in draw(st.lists(st.integers(0, 39), max_size=4)):
        words[at] = draw(st.sampled_from(["fever", "cough"]))
    return " ".join(words)


SHORT = st.sampled_from(
    ["Fever!", "fever", "What should I do?", "???", "…", "I have a cough", "a b"]
)
ROWS = st.lists(st.tuples(st.one_of(edited(), SHORT), edited()), max_size=24)


def grouped(rows: list[tuple[str, str]], threshold: float = 0.8) -> Groups:
    dialogues = [f"{question}\n{answer}" for question, answer in rows]
    questions = [question for question, _ in rows]
    made = signatures(map(signature, questions))
    return groups(
        linked(signatures(map(signature, dialogues)), dialogues.__getitem__, threshold),
        linked(made, questions.__getitem__, threshold, shortest=QUESTION_WORDS),
        made,
    )


@given(ROWS, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_groups_do_not_depend_on_the_order_of_the_rows(
    rows: list[tuple[str, str]], draw: object
) -> None:
    order = list(range(len(rows)))
    draw.shuffle(order)  # type: ignore[attr-defined]
    plain, shuffled = grouped(rows), grouped([rows[i] for i in order])
    assert shuffled.representative.tolist() == plain.representative[order].tolist()
    assert (shuffled.count, shuffled.largest) == (plain.count, plain.largest)


@given(ROWS)
@settings(max_examples=60, deadline=None)
def test_equal_and_similar_questions_stay_together(rows: list[tuple[str, str]]) -> None:
    representative = grouped(rows).representative
    for i, (one, _) in enumerate(rows):
        for j, (other, _) in enumerate(rows[:i]):
            long = min(len(one.split()), len(other.split())) >= QUESTION_WORDS
            if one == other or (long and jaccard(shingles(one), shingles(other)) >= 0.9):
                assert representative[i] == representative[j]


@given(st.lists(st.one_of(edited(), SHORT), max_size=30), st.sampled_from([0.8, 0.9, 1.0]))
@settings(max_examples=60, deadline=None)
def test_a_dropped_row_is_like_an_earlier_kept_one(texts: list[str], threshold: float) -> None:
    found = ours(texts, threshold)
    for row, other in enumerate(found.of.tolist()):
        if other >= 0:
            assert other < row
            assert found.of[other] == -1
            assert jaccard(shingles(texts[row]), shingles(texts[other])) >= threshold
            assert found.links.component[row] == found.links.component[other]
    # Equal texts are at similarity 1: of each only the first is kept.
    kept = [texts[row] for row in np.flatnonzero(found.of == -1)]
    assert len(kept) == len(set(kept))


@given(st.lists(edited(), max_size=16), st.sampled_from([0.8, 0.9]))
@settings(max_examples=60, deadline=None)
def test_links_are_chains_of_near_duplicates(texts: list[str], threshold: float) -> None:
    found = linked(signatures(map(signature, texts)), texts.__getitem__, threshold).component
    for row in range(len(texts)):
        reached, ahead = {row}, [row]
        while ahead:
            one = shingles(texts[ahead.pop()])
            near = {
                other
                for other in range(len(texts))
                if jaccard(one, shingles(texts[other])) >= threshold
            }
            ahead += near - reached
            reached |= near
        assert set(np.flatnonzero(found == found[row]).tolist()) <= reached


def test_a_row_is_compared_with_kept_rows_only() -> None:
    one, two = ([*BASE[:at], "changed", *BASE[at + 1 :]] for at in (10, 30))
    texts = [" ".join(words) for words in (one, BASE, two, one)]
    found = ours(texts, 0.8)
    assert found.of.tolist() == [-1, 0, -1, 0]  # the third is like the second, which is gone
    assert len(set(found.links.component.tolist())) == 1


@given(st.text(max_size=300))
def test_a_signature_has_a_fixed_size_for_every_text(text: str) -> None:
    made = signature(text)
    assert len(made) == SIGNATURE.itemsize == 76
    assert made == signature(text)


def test_a_signature_is_the_same_in_every_process() -> None:
    code = (
        "from medllm.pipeline.data.duplicates import signature;"
        "print(signature('I have had a mild fever since this morning.').hex())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert outputs == {signature("I have had a mild fever since this morning.").hex()}


def test_planted_copies_are_found_and_nothing_else() -> None:
    pairs = planted(600, seed=1)
    texts = [pair.original for pair in pairs] + [pair.copy for pair in pairs]
    result = score(pairs, ours(texts))
    assert result.similar > 200
    assert result.dissimilar > 200
    assert result.found >= 0.95 * result.similar
    assert result.false == 0


def test_bands_meet_as_often_as_the_formula_says() -> None:
    pairs = planted(1500, seed=2)
    bands = [
        [signatures([signature(text)])["bands"][0] for text in (pair.original, pair.copy)]
        for pair in pairs
    ]
    equal = np.array([(one == other).sum() for one, other in bands])
    expected = sum(16 * pair.similarity**6 for pair in pairs)
    assert equal.sum() == pytest.approx(expected, rel=0.05)


def test_short_texts_are_equal_or_nothing() -> None:
    texts = ["Fever!", "fever", "a fever", "A  fever.", "???", "???", "…", ""]
    found = ours(texts, 0.8)
    assert found.of.tolist() == [-1, 0, -1, 2, -1, 4, -1, -1]


def test_a_short_question_joins_equal_ones_and_chains_nothing() -> None:
    long = " ".join(BASE)
    rows = [("fever", long), ("Fever?", "Rest."), ("a high fever", long), ("cough", "Drink tea.")]
    found = grouped(rows)
    assert found.representative[0] == found.representative[1]
    assert len(set(found.representative.tolist())) == 3
    assert (found.count, found.largest) == (3, 2)


def test_similar_short_questions_are_not_linked() -> None:
    rows = [("a b c d e f", "Rest."), ("a b c d e f g", "Drink tea.")]
    assert jaccard(*(shingles(question) for question, _ in rows)) >= 0.8
    assert grouped(rows).count == 2
    longer = [(f"x1 x2 x3 x4 x5 {question}", answer) for question, answer in rows]
    assert grouped(longer).count == 1


def test_similar_dialogues_with_long_questions_are_one_group() -> None:
    knee = "since yesterday my left knee hurts on the stairs"
    sleep = "for two weeks now i sleep badly and wake early"
    answer = " ".join(f"word{n}" for n in range(400))
    found = grouped([(knee, answer), (sleep, answer), ("a third question about nothing", answer)])
    assert found.representative[0] == found.representative[1] != found.representative[2]
    assert grouped([(knee, answer), (sleep, "Something else.")]).count == 2


def test_the_representative_is_the_smallest_digest_of_the_groups_questions() -> None:
    rows = [(" ".join(BASE), "a"), (" ".join(BASE[:-1]), "b"), ("something quite different", "c")]
    digests = signatures(signature(question) for question, _ in rows)["digest"].tolist()
    smallest = min(digests[:2])
    assert grouped(rows).representative.tolist() == [smallest, smallest, digests[2]]


def test_near_copies_of_one_text_cost_linear_time() -> None:
    def seconds(rows: list[str]) -> float:
        made = signatures(map(signature, rows))
        start = time.process_time()
        found = near_duplicates(made, rows.__getitem__, rows.__getitem__, 0.9)
        elapsed = time.process_time() - start
        assert (found.of >= 0).sum() == len(rows) - 1
        assert found.links.uncompared == 0
        return elapsed

    rows = crowd(4000, seed=3)
    assert seconds(rows) < 12 * seconds(rows[:500]) + 1  # eight times the rows; 64 if quadratic


def test_a_crowd_of_dissimilar_texts_is_bounded_and_says_so() -> None:
    shared = [f"shared{n}" for n in range(60)]
    rows = [" ".join(shared + [f"own{row}x{n}" for n in range(25)]) for row in range(800)]
    fetched = 0

    def text(row: int) -> str:
        nonlocal fetched
        fetched += 1
        return rows[row]

    found = near_duplicates(signatures(map(signature, rows)), text, text, 0.8)
    assert (found.of == -1).all()
    assert found.links.uncompared > 0
    assert fetched <= 17 * len(rows)  # once a band and row, not once a pair


def test_no_rows_and_a_low_threshold() -> None:
    nothing = signatures([])
    links = linked(nothing, str, 0.8)
    none = groups(links, links, nothing)
    assert (none.representative.shape, none.count, none.largest) == ((0,), 0, 0)
    assert near_duplicates(nothing, str, str, 0.8).of.shape == (0,)
    for threshold in (0.79, 1.01):
        with pytest.raises(ValueError, match="not between"):
            linked(nothing, str, threshold)


def test_real_rows_are_hardly_ever_near_duplicates(shared_data: Path) -> None:
    path = shared_data / "chatdoctor" / "chatdoctor5k.json"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    rows = [(row["input"], row["output"]) for row in json.loads(path.read_bytes())]
    texts = [f"{question}\n{answer}" for question, answer in rows]
    found = ours(texts, 0.8)
    assert (found.of >= 0).sum() <= 10
    assert grouped(rows).largest <= 10


def test_two_questions_on_one_passage_are_no_repetition() -> None:
    passage = " ".join(f"word{n}" for n in range(100))
    answers = ["the left lung", "twelve days later", "the left lung"]
    texts = [f"{passage} What is asked? {answer}" for answer in answers]
    texts[2] += " indeed"
    answers[2] += " indeed"
    made = signatures(map(signature, texts))
    found = near_duplicates(made, texts.__getitem__, answers.__getitem__, 0.8)
    assert found.of.tolist() == [-1, -1, -1]
    assert len(set(found.links.component.tolist())) == 1
    found = near_duplicates(made, texts.__getitem__, ["the same"].__mul__(3).__getitem__, 0.8)
    assert found.of.tolist() == [-1, 0, 0]
