"""Text that is JSON or a Python literal becomes its value, and nothing in it is ever run."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medllm.pipeline.sources.literals import MAX_LITERAL, literal

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=8,
)


@given(VALUES)
def test_any_literal_comes_back(value: object) -> None:
    found = literal(repr([value]))
    assert found == [value]


def test_json_comes_first() -> None:
    assert literal('{"a": [true, null, "\\u00e9\\n"]}') == {"a": [True, None, "é\n"]}
    assert literal(" {'a': [True, None]}\n") == {"a": [True, None]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a word",
        "[1, 2",
        "{1: }",
        "[" * 100_000,
        "-" * 100_000 + "1",
        "9" * 10_000,
        "'\x00'",
        "'\ud800",
        "f(1)",
        "[].append",
        "1 if True else 2",
        "{[]: 1}",
        " [1]\n [2]",
        "[" + "1," * MAX_LITERAL + "]",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"neither JSON nor a Python literal|longer than"):
        literal(text)


def test_nothing_is_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither JSON"):
        literal(f"__import__('pathlib').Path({str(tmp_path / 'x')!r}).touch()")
    assert not (tmp_path / "x").exists()
