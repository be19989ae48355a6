"""A dialogue that repeats an evaluation set is found; one that shares a phrase is not."""

import json
import pickle
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medllm.pipeline.data.contamination import GRAM, EvaluationIndex
from medllm.pipeline.data.evaluation_sets import Item, Passage, read_items
from medllm.pipeline.data.split import normalised
from medllm.pipeline.errors import MedllmError

WORDS = [f"w{n}" for n in range(30)]
CASE = " ".join(f"case{n}" for n in range(30))
STEM = " ".join(f"stem{n}" for n in range(14))
OPTIONS = "A. Rest\nB. Tea\nC. A long walk in the fresh air of the morning\nD. Sleep"


def index(*items: Item) -> EvaluationIndex:
    return EvaluationIndex([("bench/test.csv", items)])


def choice(question: str) -> Item:
    return Item((Passage(question, OPTIONS),), (question, f"{question}\n{OPTIONS}"))


def test_thirteen_words_are_found_and_twelve_are_not() -> None:
    words = CASE.split()
    found = index(Item((Passage(CASE),)))
    thirteen, twelve = " ".join(words[9:22]), " ".join(words[9:21])
    assert found.overlap(["hello", f"so {thirteen} then"]) == "13-gram of bench/test.csv"
    assert found.overlap(["hello", f"so {twelve} then"]) is None
    assert found.overlap(["hello", f"{twelve} then {words[21]}"]) is None


def test_layout_case_and_the_border_of_messages_play_no_part() -> None:
    words = CASE.upper().split()
    found = index(Item((Passage(CASE),)))
    assert found.overlap([", ".join(words[:7]) + "!", "\n".join(words[7:13])])


def test_a_short_question_matches_as_a_whole_only() -> None:
    found = index(choice("What helps?"), choice("What helps against a cold?"))
    question = "question of bench/test.csv"
    assert found.overlap(["what helps against a cold", "Tea."]) == question
    assert found.overlap([f"What helps against a cold?\n{OPTIONS}", "B"]) == question
    assert found.overlap(["Tell me what helps against a cold please", "Tea."]) is None
    assert found.overlap(["I cough.", "What helps against a cold?"]) is None
    assert found.overlap(["What helps?", "Tea."]) is None  # two words are no question


def test_options_count_only_behind_their_question() -> None:
    found = index(choice("What helps you most when you have a cold?"))
    assert found.overlap([f"Which is best? {OPTIONS}"]) is None
    assert found.overlap([f"Well. When you have a cold? {OPTIONS}"]) == "13-gram of bench/test.csv"


def test_a_gram_of_many_items_is_generic_but_of_two_is_not() -> None:
    def items(count: int) -> list[Item]:
        return [choice(f"{CASE.replace('case', f'c{n}x')} {STEM}") for n in range(count)]

    assert index(*items(2)).overlap([STEM])
    assert index(*items(3)).overlap([STEM]) is None
    assert index(*items(3)).overlap([f"{CASE.replace('case', 'c1x')}"])
    # The same item in several files is one item.
    same = EvaluationIndex([(name, [choice(STEM)]) for name in "abcde"])
    assert same.overlap([f"so {STEM}"]) == "13-gram of a"
    assert [(s.items, s.grams > 0) for s in same.sets] == [(1, True)] + [(1, False)] * 4


@given(st.lists(st.sampled_from(WORDS), max_size=60), st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_it_agrees_with_comparing_the_words(words: list[str], seed: int) -> None:
    draw = random.Random(seed)
    text = [draw.choice(WORDS) for _ in range(40)]
    if draw.random() < 0.5 and len(words) > 20:
        at = draw.randrange(len(words) - 20)
        words[at : at + draw.randint(11, 15)] = text[5 : 5 + draw.randint(11, 15)]

    def grams(of: list[str]) -> set[tuple[str, ...]]:
        return {tuple(of[i : i + GRAM]) for i in range(len(of) - GRAM + 1)}

    found = index(Item((Passage(" ".join(text)),))).overlap([" ".join(words)])
    assert (found is not None) == bool(grams(text) & grams(words))


def test_nothing_to_compare() -> None:
    assert EvaluationIndex([]).overlap(["What helps against a cold?"]) is None
    assert EvaluationIndex.read([]).sets == ()
    found = index(choice("What helps against a cold?"))
    assert found.overlap([]) is None
    assert found.overlap(["", "???"]) is None


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(MedllmError, match=r"x\.csv is no evaluation set"):
        EvaluationIndex.read([path])


@pytest.fixture(scope="module")
def real_files(shared_data: Path) -> list[Path]:
    names = ("mmlu/clinical_knowledge_test.csv", "mmlu/professional_medicine_test.csv")
    paths = [shared_data / name for name in names]
    paths += [shared_data / "mts-dialog/MTS-Dialog-ValidationSet.csv"]
    paths += [shared_data / "pubmedqa/ori_pqal.json"]
    if missing := [path for path in paths if not path.is_file()]:
        pytest.skip(f"{missing[0]} is not here")
    return paths


def test_every_real_item_is_found_in_its_own_set(real_files: list[Path]) -> None:
    found = pickle.loads(pickle.dumps(EvaluationIndex.read(real_files)))  # as workers get it
    missed = short = 0
    for path in real_files:
        for item in read_items(path):
            texts = [passage.text for passage in item.passages]
            long = any(len(normalised(text).split()) >= GRAM for text in texts)
            for asked in item.questions or ["hello"]:
                if found.overlap([asked, *texts[1:]]) or found.overlap(["hello", *texts]):
                    continue
                short, missed = short + (not long), missed + long
    assert missed == 0
    assert short <= 10  # dialogues of fewer than 13 words


def test_real_dialogues_of_another_source_are_left_alone(
    real_files: list[Path], shared_data: Path
) -> None:
    path = shared_data / "chatdoctor" / "chatdoctor5k.json"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    found = EvaluationIndex.read(real_files)
    rows = json.loads(path.read_bytes())
    hits = [found.overlap([row["input"], row["output"]]) for row in rows]
    assert sum(hit is not None for hit in hits) <= 0.001 * len(rows)
