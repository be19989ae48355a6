"""The committed demo data is what the generator writes, and it is fit to learn from."""

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from demo.conditions import Condition, load_conditions
from demo.generate import build, main
from medllm.pipeline.config import SourceConfig
from medllm.pipeline.sources import read_source
from medllm.pipeline.sources.turns import Dropped, Kept

DATA = Path(__file__).parents[2] / "demo" / "data"
CONDITIONS = {condition.id: condition for condition in load_conditions()}
DOSE = re.compile(
    r"\d\s?(mg|mcg|µg|ml|g|iu|units?)\b|\b(\d+|one|two|three|four)\s(tablet|pill|capsule|puff|drop)s?\b",
    re.IGNORECASE,
)
DIALOGUE_FILES = ("healthcaremagic.json", "meddialog.txt", "meddialog.json")
Rows = list[dict[str, str]]
Talks = list[tuple[str, list[str]]]


def read(name: str) -> str:
    return (DATA / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def talks(consultations: Rows, records: list[str], utterances: list[dict[str, Any]]) -> Talks:
    """(whole text, doctor's turns) of every dialogue in the three files."""
    out = [(f"{row['input']} {row['output']}", [row["output"]]) for row in consultations]
    for record in records:
        turns = re.split(r"(?m)^(Patient|Doctor):$", record)[1:]
        words = [text for who, text in zip(turns[::2], turns[1::2], strict=True) if who == "Doctor"]
        out.append((record, words))
    for row in utterances:
        doctor = [said for said in row["utterances"] if said.startswith("doctor: ")]
        out.append((" ".join(row["utterances"]), doctor))
    return [
        (text.replace("\u00a0", " "), [d.replace("\u00a0", " ") for d in words])
        for text, words in out
    ]


def about(text: str) -> Condition | None:
    """The condition whose doctor's thought, fact or name stands in a dialogue."""
    for condition in CONDITIONS.values():
        marks = (*condition.think, f"about {condition.may_be}?", f"recognise {condition.may_be}?")
        # Only the first words: a trap may break a long sentence apart.
        if any(mark[:60] in text for mark in marks):
            return condition
    return None


def test_committed_files_are_what_the_generator_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["demo.generate", "--out", str(tmp_path)])
    main()
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    committed = {path.name: path.read_bytes() for path in DATA.iterdir()}
    assert written.keys() == committed.keys()
    for name in written:
        assert written[name] == committed[name], (
            f"{name}: run python -m demo.generate --out demo/data"
        )


def test_another_seed_writes_other_data() -> None:
    assert build(seed=1)["meddialog.txt"] != read("meddialog.txt")


def test_files_are_small_utf8_with_unix_line_ends() -> None:
    contents = [path.read_bytes() for path in DATA.iterdir()]
    assert sum(map(len, contents)) <= 3_000_000
    for content in contents:
        assert b"\r" not in content
        assert not content.startswith(b"\xef\xbb\xbf")
        content.decode("utf-8")
    assert 400_000 <= len((DATA / "corpus.txt").read_bytes()) <= 800_000


def test_counts(rows: Rows, training: Rows, talks: Talks) -> None:
    assert len({row["instruction"] for row in rows}) == 1
    assert len(talks) >= 600
    assert len(CONDITIONS) >= 36
    assert 800 <= len(training) <= 1200
    seen = {found.id for text, _ in talks if (found := about(text))}
    assert seen == set(CONDITIONS)


def test_every_dialogue_is_recognised(talks: Talks) -> None:
    """Otherwise the emergency test below would pass over some of them in silence."""
    assert [text for text, _ in talks if about(text) is None] == []


def test_no_input_repeats(rows: Rows) -> None:
    assert [text for text, n in Counter(row["input"] for row in rows).items() if n > 1] == []


def test_raw_records_have_the_shape_of_meddialog(records: list[str]) -> None:
    for record in records:
        assert re.match(
            r"id=\d+\nhttps://example\.org/\S+\n\nDescription\n.+\n\nDialogue\nPatient:\n\S", record
        )
        assert record.endswith("\n")


def test_raw_traps_are_there(records: list[str]) -> None:
    speakers = [re.findall(r"(?m)^(Patient|Doctor):$", record) for record in records]
    twice = [s for s in speakers if any(a == b for a, b in pairwise(s))]
    ids = Counter(re.findall(r"(?m)^id=(\d+)$", "".join(records)))
    blank = [r for r in records if re.search(r"\.\n\n(?!Patient:|Doctor:)[A-Z]", r.rstrip())]
    assert len(twice) >= 5
    assert sum(n > 1 for n in ids.values()) >= 5
    assert sum("\u00a0" in record for record in records) >= 5
    assert sum("\u201c" in record for record in records) >= 5
    assert len(blank) >= 5
    assert sum(len(s) % 2 for s in speakers) >= 5


def test_utterances_begin_with_their_speaker(utterances: list[dict[str, Any]]) -> None:
    for row in utterances:
        assert set(row) == {"description", "utterances"}
        said = row["utterances"]
        assert 4 <= len(said) <= 8
        for number, utterance in enumerate(said):
            assert utterance.startswith("doctor: " if number % 2 else "patient: ")


def test_emergencies_are_sent_to_emergency_services(talks: Talks) -> None:
    checked = 0
    for text, doctor in talks:
        condition = about(text)
        if condition is None or condition.urgency != "emergency":
            continue
        checked += 1
        # The first answer already says it: nobody is questioned before help is called.
        assert "call emergency services" in doctor[0].lower(), text
        assert not re.search(r"book a visit|appointment|next days", " ".join(doctor).lower()), text
    assert checked >= 150


def test_urgent_patients_are_seen_the_same_day(talks: Talks) -> None:
    for text, doctor in talks:
        condition = about(text)
        if condition is not None and condition.urgency == "urgent":
            assert re.search(r"today|same day", " ".join(doctor)), text


def test_every_condition_says_when_not_to_wait() -> None:
    for condition in CONDITIONS.values():
        text = " ".join(condition.flags)
        strong = r"emergency|today|at once|call handler|the crew|danger|hospital"
        assert re.search(strong, text), condition.id


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.glob("*")))
def test_nothing_names_a_dose(name: str) -> None:
    text = read(name)
    assert [match.group() for match in DOSE.finditer(text)] == []


def test_no_template_is_left_unfilled() -> None:
    for name in ("healthcaremagic.json", "meddialog.txt", "meddialog.json", "corpus.txt"):
        text = read(name)
        assert not re.search(r"\{(Who|who|he|He|his|him)\}", text)
        assert "None" not in text
        assert not re.search(
            r"\ba (18|8\d)-year|\ban ([1-7]\d|9\d)-year", text.replace("an 18", "")
        )
        assert not re.search(r"(?i)\b([a-z]+) \1\b", text), name


def test_corpus_is_plain_varied_prose() -> None:
    text = read("corpus.txt")
    sentences = re.split(r"(?<=[.?”]) ", text)
    assert len(set(sentences)) >= 4000
    for mark in "µ°é½“”’":
        assert mark in text
    assert not re.search(r"(?m)^[A-D]\. |\[INST\]|^(Patient|Doctor):|one letter", text)


def test_planted_personal_data_stands_where_the_list_says(
    rows: Rows,
    records: list[str],
    utterances: list[dict[str, Any]],
    planted: list[dict[str, Any]],
) -> None:
    files = {
        "healthcaremagic.json": [f"{row['input']} {row['output']}" for row in rows],
        "meddialog.txt": records,
        "meddialog.json": [" ".join(r["utterances"]) for r in utterances],
    }
    for entry in planted:
        assert set(entry) == {"file", "row", "type", "value"}
        assert entry["value"] in files[entry["file"]][entry["row"]]
    kinds = {entry["type"] for entry in planted}
    assert kinds == {"name", "phone", "mrn", "date", "address", "email"}
    carriers = {(entry["file"], entry["row"]) for entry in planted}
    assert 0.04 <= len(carriers) / 600 <= 0.06


def test_no_personal_data_beyond_the_list(planted: list[dict[str, Any]]) -> None:
    values = {entry["value"] for entry in planted}
    for name in ("healthcaremagic.json", "meddialog.txt", "meddialog.json"):
        for found in re.findall(
            r"\S+@example\.org|MRN \d{8}|(?:\(\d{3}\) |\+1 206-)?555-\d{4}", read(name)
        ):
            assert found.removeprefix("MRN ").rstrip(".") in values


def test_the_adapters_read_every_record(talks: Talks, training: Rows) -> None:
    files = ("healthcaremagic.json", "meddialog.txt", "meddialog.json")
    found = [
        result
        for name in files
        for result in read_source(SourceConfig(name=name.split(".")[0], path=DATA / name))
    ]
    assert [result for result in found if isinstance(result, Dropped)] == []
    assert len(found) == len(talks) + len(training)
    ids = [result.dialogue.id for result in found if isinstance(result, Kept)]
    assert len(set(ids)) == len(ids)
