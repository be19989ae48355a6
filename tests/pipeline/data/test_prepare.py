"""The stage: every row accounted for, no question in two splits, the same bytes each time."""

import json
import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from medllm.pipeline.config import PrepareConfig, RunPaths, Section
from medllm.pipeline.data.prepare import prepare
from medllm.pipeline.data.reporting.report import PrepareReport
from medllm.pipeline.data.schema import Dialogue, read_dialogues
from medllm.pipeline.data.split import SPLITS, Split, normalised
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import Manifest, Work, stage
from medllm.pipeline.prompts import FORMATS

WORDS = "My ear knee hurts since two days what can I do about it Take one tablet Rest and drink"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    """A run whose base stage holds a small tokenizer."""
    paths = RunPaths(tmp_path_factory.mktemp("run"))

    def body(work: Work) -> None:
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers
        from transformers import PreTrainedTokenizerFast

        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
        tokenizer.train_from_iterator(
            [WORDS],
            trainers.BpeTrainer(
                vocab_size=400,
                special_tokens=["<s>", "</s>"],
                initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            ),
        )
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>"
        ).save_pretrained(work.dir)

    stage("base", Section(seed=0), paths, body)
    return paths


def rows(count: int) -> list[dict[str, object]]:
    return [
        {"instruction": "Answer.", "input": f"Is {n} mg too much?", "output": f"{n} mg: yes."}
        for n in range(count)
    ]


def write(path: Path, table: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in table))
    return path


def config(path: Path, name: str = "healthcaremagic", /, **settings_: object) -> PrepareConfig:
    values = {
        "sources": [{"name": name, "path": path}],
        "validation_share": 0.2,
        "test_share": 0.2,
        "privacy": "off",
        "canaries": 0,
        "clean": {"min_answer_characters": 0, "languages": [], "max_other_share": 1},
        **settings_,
    }
    return PrepareConfig.model_validate(values)


def splits(run: RunPaths) -> dict[Split, list[Dialogue]]:
    return {n: list(read_dialogues(run.stage("prepare") / f"{n}.jsonl")) for n in SPLITS}


def report(run: RunPaths) -> PrepareReport:
    return PrepareReport.model_validate_json((run.stage("prepare") / "report.json").read_bytes())


def test_the_real_file(run: RunPaths, shared_data: Path) -> None:
    path = shared_data / "chatdoctor" / "chatdoctor5k.json"
    manifest = prepare(config(path, validation_share=0.05, test_share=0.05), run)
    found = splits(run)
    assert sum(len(dialogues) for dialogues in found.values()) == 5452
    assert manifest.report["train"] == len(found["train"])
    assert len({d.id for dialogues in found.values() for d in dialogues}) == 5452
    questions = {name: {normalised(d.question) for d in ds} for name, ds in found.items()}
    assert not questions["train"] & questions["test"]
    assert not questions["train"] & questions["validation"]
    assert not questions["validation"] & questions["test"]
    for held_out in (found["validation"], found["test"]):
        assert len(held_out) == pytest.approx(5452 * 0.05, rel=0.2)
    assert sorted(manifest.outputs) == [
        *("card.html", "card.md", "lengths.png", "lengths.svg"),
        *("memorisation.json", "report.json", "report.md", "review/1-healthcaremagic.md"),
        *("test.jsonl", "train.jsonl", "validation.jsonl"),
    ]


def test_the_same_input_gives_the_same_bytes_and_another_seed_others(
    run: RunPaths, tmp_path: Path
) -> None:
    path = write(tmp_path / "d", rows(60))
    system = {"system_share": 0.5, "system_prompt": "Be kind."}

    def made(seed: int) -> Manifest:
        import shutil

        shutil.rmtree(run.stage("prepare"), ignore_errors=True)
        return prepare(config(path, seed=seed, **system), run)

    assert made(1).outputs == made(1).outputs
    assert made(1).outputs["train.jsonl"] != made(2).outputs["train.jsonl"]


def test_more_rows_in_another_order_move_no_dialogue(run: RunPaths, tmp_path: Path) -> None:
    table = rows(80)
    prepare(config(write(tmp_path / "few", table[:50])), run)
    before = {d.id: name for name, dialogues in splits(run).items() for d in dialogues}
    random.Random(0).shuffle(table)
    prepare(config(write(tmp_path / "many", table)), run)
    after = {d.id: name for name, dialogues in splits(run).items() for d in dialogues}
    assert len(before) == 50
    assert len(after) == 80
    assert after.items() >= before.items()


def test_token_lengths_are_those_of_the_rendered_dialogue(run: RunPaths, tmp_path: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    prepare(
        config(write(tmp_path / "d", rows(40)), system_share=0.5, system_prompt=" Be kind.\n"), run
    )
    tokenizer = PreTrainedTokenizerFast.from_pretrained(run.stage("base"))
    for name, dialogues in splits(run).items():
        counts = [len(FORMATS["llama2"].encode(tokenizer, d.messages).input_ids) for d in dialogues]
        found = report(run).splits[name]
        assert found.tokens.max == max(counts)
        assert found.dialogues == len(counts)
        systems = [d.messages[0] for d in dialogues if d.messages[0].role == "system"]
        assert found.with_system == len(systems)
        assert {m.content for m in systems} <= {"Be kind."}
    total = sum(split.with_system for split in report(run).splits.values())
    assert 10 <= total <= 30


def test_duplicates_are_dropped_within_and_between_sources(run: RunPaths, tmp_path: Path) -> None:
    one = write(tmp_path / "one", [*rows(30), *rows(10)])
    two = write(
        tmp_path / "two",
        [
            {"utterances": [f"patient: Is {n} mg too much?", f"doctor: {n} mg: yes."]}
            for n in range(25, 40)
        ],
    )
    sources = [
        {"name": "healthcaremagic", "path": one},
        {"name": "meddialog", "path": two},
    ]
    manifest = prepare(config(one, sources=sources, max_bad_share=0), run)
    assert sum(len(dialogues) for dialogues in splits(run).values()) == 40
    assert manifest.report["rows_dropped"] == {"exact duplicate of an earlier dialogue": 15}
    firsts = [(source.dropped[0].rows, source.dropped[0].first) for source in report(run).sources]
    assert firsts == [(10, "line 31"), (5, "line 1")]


def test_broken_rows_are_counted_up_to_the_share(run: RunPaths, tmp_path: Path) -> None:
    table = rows(50)
    table[7] = {"input": "q"}
    table[9]["output"] = None
    path = write(tmp_path / "d", table)
    prepare(config(path, max_bad_share=0.04), run)
    [source] = report(run).sources
    assert (source.rows_read, source.rows_kept) == (50, 48)
    assert [(drop.reason, drop.rows, drop.first) for drop in source.dropped] == [
        ("no key instruction", 1, "line 8"),
        ("output is not text", 1, "line 10"),
    ]
    with pytest.raises(
        MedllmError,
        match=r"2 of 50 rows are broken, more than prepare\.max_bad_share 0\.039 allows: "
        r"no key instruction \(1, first: line 8\), output is not text \(1, first: line 10\)",
    ):
        prepare(config(path, max_bad_share=0.039), run)


def test_a_small_broken_source_does_not_hide_behind_a_large_one(
    run: RunPaths, tmp_path: Path
) -> None:
    sources = [
        {"name": "healthcaremagic", "path": write(tmp_path / "large", rows(500))},
        {"name": "meddialog", "path": write(tmp_path / "small", rows(3))},
    ]
    with pytest.raises(MedllmError, match="small: 3 of 3 rows are broken"):
        prepare(config(tmp_path, sources=sources), run)


def test_a_refusal_leaves_the_earlier_result(run: RunPaths, tmp_path: Path) -> None:
    prepare(config(write(tmp_path / "good", rows(40))), run)
    before = splits(run)
    with pytest.raises(MedllmError):
        prepare(config(write(tmp_path / "bad", [{}])), run)
    assert splits(run) == before


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "is empty"),
        ("[]", "holds no rows"),
        ("{}\n" * 9, "9 of 9 rows are broken"),
        ('{"instruction": "i", "input": "q", "output": "a"}\n', "is empty: there are 1 dialogues"),
        ("garbage", "1 of 1 rows are broken"),
    ],
)
def test_files_without_dialogues(run: RunPaths, tmp_path: Path, content: str, what: str) -> None:
    (tmp_path / "d").write_text(content)
    with pytest.raises(MedllmError, match=what):
        prepare(config(tmp_path / "d"), run)


def test_a_share_of_zero_asks_for_no_split(run: RunPaths, tmp_path: Path) -> None:
    prepare(config(write(tmp_path / "d", rows(3)), validation_share=0, test_share=0), run)
    assert [len(dialogues) for dialogues in splits(run).values()] == [3, 0, 0]


@pytest.mark.parametrize(
    ("settings_", "what"),
    [
        ({"system_share": 0.1}, "system_prompt is empty"),
        ({"system_share": 0.1, "system_prompt": " \n"}, "system_prompt is empty"),
        ({"system_prompt": "a\x00"}, "NUL"),
        ({"system_prompt": "a\ud800"}, "not valid UTF-8"),
        ({"validation_share": 0.5, "test_share": 0.5}, "leave nothing to train on"),
        ({"sources": [{"name": "nope", "path": "x"}]}, "no source nope"),
        ({"sources": [{"name": "meddialog", "path": "/nope"}]}, "There is no /nope"),
    ],
)
def test_configs_that_no_data_can_fulfil(
    run: RunPaths, tmp_path: Path, settings_: Mapping[str, object], what: str
) -> None:
    path = write(tmp_path / "d", rows(40))
    with pytest.raises(MedllmError, match=what):
        prepare(config(path, **settings_), run)


def test_a_base_without_tokenizer_json(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path / "run")
    stage("base", Section(seed=0), paths, lambda work: None)
    with pytest.raises(MedllmError, match=r"has no tokenizer\.json"):
        prepare(config(write(tmp_path / "d", rows(40))), paths)


LINES = "".join(json.dumps(row) + "\n" for row in rows(40))
RECORDS = "".join(
    f"id={n}\nhttp://x\n\nDescription\nd {n}\n\nDialogue\nPatient:\nq {n}\n\nDoctor:\na {n}\n\n"
    for n in range(40)
)
SEEDS = [
    ("healthcaremagic", LINES.encode()),
    ("healthcaremagic", json.dumps(rows(40), indent=1).encode()),
    ("meddialog", RECORDS.encode()),
    ("meddialog", json.dumps([{"utterances": ["patient: q", "doctor: a"]}] * 40).encode()),
]
PIECES = [b"", b"\x00", b"\xff", b'"', b"\\ud800", b"[" * 5000, b"}\n{", b"\n", b"id=1\n", b"null"]
PIECES += [b"Patient:\n", b"9" * 5000, b"\xef\xbb\xbf", "\u00a0".encode(), b"x" * 5_000_000]


@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    seed=st.sampled_from(SEEDS),
    cuts=st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 30), st.sampled_from(PIECES) | st.binary()),
        min_size=1,
        max_size=4,
    ),
)
def test_damage_is_counted_or_refused_and_never_a_traceback(
    run: RunPaths,
    tmp_path_factory: pytest.TempPathFactory,
    seed: tuple[str, bytes],
    cuts: list[tuple[float, int, bytes]],
) -> None:
    name, content = seed
    for where, removed, inserted in cuts:
        start = int(where * len(content))
        content = content[:start] + inserted + content[start + removed :]
    path = tmp_path_factory.mktemp("damaged") / "d"
    path.write_bytes(content)
    try:
        prepare(config(path, name, max_bad_share=0.9), run)
    except MedllmError:
        return
    [source] = report(run).sources
    kept = sum(len(dialogues) for dialogues in splits(run).values())
    assert source.rows_read == kept + sum(drop.rows for drop in source.dropped)
    assert kept == source.rows_kept > 0
    if content.lstrip(b"\xef\xbb\xbf \n")[:1] == b"{" and name == "healthcaremagic":
        assert source.rows_read == sum(bool(line.strip()) for line in content.split(b"\n"))
