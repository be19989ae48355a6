"""The registry, and reading a source from wherever it is."""

import re
import zipfile
from pathlib import Path

import pytest
import yaml

from medllm.pipeline.config import SourceConfig
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources import SOURCES, read_source, source, sources_table
from tests.pipeline.sources.samples import json_lines

TALK = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}


def test_each_source_is_found_by_its_name() -> None:
    assert {name: source(name) for name in SOURCES} == SOURCES
    assert {name: entry.name for name, entry in SOURCES.items()} == {n: n for n in SOURCES}


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("healthcare_magic", "Did you mean healthcaremagic?"),
        ("x", f"Known are {', '.join(sorted(SOURCES))}."),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones(name: str, fix: str) -> None:
    with pytest.raises(MedllmError, match=f"no source {name}") as error:
        source(name)
    assert error.value.fix == fix
    with pytest.raises(MedllmError, match=f"no source {name}"):
        read_source(SourceConfig(name=name, path=Path("any")))  # before a row is asked for


@pytest.mark.parametrize("entry", SOURCES.values(), ids=SOURCES)
def test_what_is_said_of_a_source(entry: object) -> None:
    from medllm.pipeline.sources.record import Source

    assert isinstance(entry, Source)
    assert entry.title
    assert entry.size
    assert entry.access
    assert entry.terms.licence
    assert entry.terms.clause.endswith(".")
    assert entry.name == "messages" or entry.terms.url.startswith("https://")
    if entry.terms.licence == "none stated":
        assert entry.terms.publish in ("review", "forbidden")
    assert entry.hub is None or re.fullmatch(r"[\w.-]+/[\w.-]+", entry.hub)
    config = SourceConfig.model_validate(yaml.safe_load(entry.example))
    assert config.name == entry.name


def test_the_table_names_everything_in_a_hundred_columns() -> None:
    table = sources_table()
    assert max(map(len, table.splitlines())) <= 100
    flat = " ".join(table.split())
    for entry in SOURCES.values():
        for fact in (entry.name, entry.title, entry.terms.licence, entry.terms.url, entry.example):
            assert " ".join(fact.split()) in flat


def places(config: SourceConfig) -> list[str]:
    return [result.where for result in read_source(config)]


def test_one_file_a_folder_and_a_zip(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a/b.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(json_lines(TALK, {}))
    assert places(SourceConfig(name="messages", path=tmp_path / "b.jsonl")) == ["line 1", "line 2"]
    assert places(SourceConfig(name="messages", path=tmp_path)) == [
        *("a/b.jsonl: line 1", "a/b.jsonl: line 2", "b.jsonl: line 1", "b.jsonl: line 2")
    ]
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("x.json", json_lines(TALK))
        archive.writestr("y.json", json_lines(TALK))
    assert places(SourceConfig(name="messages", path=tmp_path / "z.zip")) == [
        *("z.zip:x.json: line 1", "z.zip:y.json: line 1")
    ]


def test_a_path_without_data_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(MedllmError, match="There is no"):
        read_source(SourceConfig(name="messages", path=tmp_path / "none"))
    with pytest.raises(MedllmError, match="holds no data file"):
        read_source(SourceConfig(name="messages", path=tmp_path))
