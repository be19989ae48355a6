"""What depends on all rows together: mixing, duplicates across sources, evaluation overlap."""

import json
from pathlib import Path

import pytest

from medllm.pipeline.config import PrepareConfig
from medllm.pipeline.data.prepare import write_dialogues
from medllm.pipeline.data.reporting.report import PrepareReport
from medllm.pipeline.data.schema import Dialogue, read_dialogues
from medllm.pipeline.data.split import SPLITS, normalised

pytest_plugins = ("tests.small_model",)
ORGANS = ("ear", "knee", "eye", "back", "hand", "foot", "neck", "hip", "nose", "jaw")
SIGNS = ("burns", "itches", "swells", "aches", "bleeds", "tingles", "throbs", "clicks")
TIMES = ("since noon", "for two days", "at night", "after meals", "when I run", "in the cold")


def talk(number: int, advice: str = "Rest it, keep it cool and see your doctor") -> dict[str, str]:
    """A dialogue whose words differ from those of every other number below 480."""
    organ, sign = ORGANS[number % 10], SIGNS[number // 10 % 8]
    when = TIMES[number // 80 % 6]
    return {
        "instruction": "Answer the patient.",
        "input": f"My {organ} {sign} {when} and nothing that I tried by myself helped so far.",
        "output": f"{advice} if the {organ} still {sign} tomorrow; come at once if it spreads.",
    }


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def run(
    folder: Path, base: Path, sources: list[dict[str, object]], workers: int = 1, **settings: object
) -> tuple[PrepareReport, dict[str, list[Dialogue]]]:
    values = {
        "sources": [{"name": "healthcaremagic", **source} for source in sources],
        "validation_share": 0.15,
        "test_share": 0.15,
        "privacy": "off",
        "canaries": 0,
        "near_duplicates": 0.95,
        **settings,
    }
    folder.mkdir()
    config = PrepareConfig.model_validate(values)
    report = write_dialogues(config, "test", folder, base, workers)
    return report, {name: list(read_dialogues(folder / f"{name}.jsonl")) for name in SPLITS}


def test_one_and_two_workers_write_the_same_bytes(tmp_path: Path, tokenizer_folder: Path) -> None:
    rows = [talk(n) for n in range(480)] * 2 + [{"input": "broken"}]
    rows[7]["output"] += " &amp; <b>take care</b> of the wound"
    rows[300]["input"] += "   I  am at (206) 555-0101, my name is Joan Okafor."
    path = write(tmp_path / "rows.jsonl", rows)
    for workers in (1, 2):
        run(
            tmp_path / f"out{workers}",
            tokenizer_folder,
            [{"path": path}],
            workers,
            privacy="surrogates",
            system_share=0.5,
            system_prompt="Be careful.",
        )
    one, two = tmp_path / "out1", tmp_path / "out2"
    names = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(two) for p in two.rglob("*") if p.is_file())
    assert Path("train.jsonl") in names
    for name in names:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_weights_are_copies_in_train_and_nowhere_else(
    tmp_path: Path, tokenizer_folder: Path
) -> None:
    path = write(tmp_path / "rows.jsonl", [talk(n) for n in range(400)])
    plain, all_once = run(tmp_path / "plain", tokenizer_folder, [{"path": path}])
    assert plain.sources[0].rows_kept == 400
    _, twice = run(tmp_path / "twice", tokenizer_folder, [{"path": path, "weight": 2}])
    assert len(twice["train"]) == 2 * len(all_once["train"])
    assert {d.id for d in twice["train"]} == {d.id for d in all_once["train"]}
    assert twice["test"] == all_once["test"]
    report, few = run(tmp_path / "few", tokenizer_folder, [{"path": path, "weight": 0.25}])
    assert 60 <= report.sources[0].rows_kept <= 140  # 100 ± 4.6 standard deviations
    assert [(d.kind, d.reason) for d in report.sources[0].dropped] == [
        ("mix", "not drawn at weight 0.25")
    ]
    for name in SPLITS:  # a dialogue does not move because others were not drawn
        assert {d.id for d in few[name]} <= {d.id for d in all_once[name]}


def test_a_cap_draws_the_same_dialogues_in_any_order(
    tmp_path: Path, tokenizer_folder: Path
) -> None:
    rows = [talk(n) for n in range(200)]
    kept = []
    for name, order in (("a", rows), ("b", rows[::-1])):
        path = write(tmp_path / f"{name}.jsonl", order)
        report, splits = run(
            tmp_path / name, tokenizer_folder, [{"path": path, "cap": 50}, {"path": path}]
        )
        assert report.sources[0].rows_kept == 50
        assert report.sources[1].rows_kept == 0
        kept.append({d.id for split in splits.values() for d in split})
    assert kept[0] == kept[1]


def test_near_duplicates_go_and_similar_questions_share_a_split(
    tmp_path: Path, tokenizer_folder: Path
) -> None:
    rows = [talk(n) for n in range(300)]
    edited = [
        {
            **row,
            "input": row["input"].replace("nothing that I", "Nothing that I"),
            "output": row["output"] + " Please.",
        }
        for row in rows[:100]
    ]
    other_answers = [
        talk(n, "This needs no visit today, so wait and drink water") for n in range(300)
    ]
    path = write(tmp_path / "rows.jsonl", rows)
    more = write(tmp_path / "more.jsonl", edited + other_answers)
    report, splits = run(
        tmp_path / "out", tokenizer_folder, [{"path": path}, {"path": more}], near_duplicates=0.85
    )
    reasons = {d.reason: d.rows for d in report.sources[1].dropped}
    assert reasons == {"near duplicate of an earlier dialogue": 100}
    questions = {
        name: {normalised(d.question) for d in dialogues} for name, dialogues in splits.items()
    }
    assert sum(map(len, questions.values())) == 300  # each question is in one split only
    assert all(questions.values())


def test_a_source_may_have_a_format_of_its_own(tmp_path: Path, tokenizer_folder: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [talk(n) for n in range(60)])
    more = write(tmp_path / "more.jsonl", [talk(n) for n in range(60, 120)])
    report, splits = run(
        tmp_path / "out",
        tokenizer_folder,
        [{"path": path}, {"path": more, "format": "know_medical_v2"}],
    )
    assert [source.format for source in report.sources] == ["llama2", "know_medical_v2"]
    formats = {d.format for split in splits.values() for d in split}
    assert formats == {None, "know_medical_v2"}


def test_what_repeats_an_evaluation_item_is_left_out(
    tmp_path: Path, tokenizer_folder: Path
) -> None:
    rows = [talk(n) for n in range(100)]
    rows[5]["input"] = (
        "A gardener of forty years finds a painless lump under the left arm after a cat scratched "
        "her wrist; what explains it best?"
    )
    item = {"question": rows[5]["input"], "options": {"A": "yes", "B": "no"}, "answer_idx": "A"}
    item |= {"answer": "yes", "meta_info": "step1"}
    evaluation = tmp_path / "medqa.jsonl"
    evaluation.write_text(json.dumps(item) + "\n", encoding="utf-8")
    path = write(tmp_path / "rows.jsonl", rows)
    report, splits = run(
        tmp_path / "out", tokenizer_folder, [{"path": path}], evaluation_sets=[evaluation]
    )
    [drop] = report.sources[0].dropped
    assert (drop.kind, drop.rows, drop.first) == ("evaluation overlap", 1, "line 6")
    assert "medqa.jsonl" in drop.reason
    assert str(evaluation) in report.evaluation_sets
    found = {d.question for split in splits.values() for d in split}
    assert rows[5]["input"] not in found
    assert len(found) == 99


@pytest.mark.parametrize("mode", ["surrogates", "tags"])
def test_identifiers_are_gone_from_every_output(
    tmp_path: Path, tokenizer_folder: Path, mode: str
) -> None:
    rows = [talk(n) for n in range(100)]
    rows[3]["input"] = f"My name is Joan Okafor, born 03/14/1961. {rows[3]['input']}"
    rows[3]["output"] = f"Dear Ms Okafor, {rows[3]['output']} Call (206) 867-5309."
    path = write(tmp_path / "rows.jsonl", rows)
    report, _ = run(tmp_path / "out", tokenizer_folder, [{"path": path}], privacy=mode)
    assert report.privacy.mode == mode
    assert report.privacy.dialogues == 1
    assert sum(report.privacy.replaced.values()) >= 4
    for written in (tmp_path / "out").rglob("*"):
        if written.is_file() and written.parent.name != "review":
            text = written.read_text(encoding="utf-8", errors="replace")
            for identifier in ("Okafor", "03/14/1961", "867-5309"):
                assert identifier not in text, written
