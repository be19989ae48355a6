"""The rules together: order, counts, what is put together again, and the reviewer's examples."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from medllm.pipeline.config import CleanConfig
from medllm.pipeline.data.clean import Cleaner, Examples
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources.turns import Dropped, Kept, Turn, assemble


def row(*turns: str, where: str = "row 1") -> Kept:
    roles = ("user", "assistant")
    spoken: list[Turn] = [(roles[i % 2], text) for i, text in enumerate(turns)]  # type: ignore[misc]
    kept = assemble("t", where, spoken)
    assert isinstance(kept, Kept)
    return kept


def contents(result: Kept | Dropped) -> list[str]:
    assert isinstance(result, Kept), result
    return [message.content for message in result.dialogue.messages]


ASKED = "My left knee hurts when I climb stairs. What could it be?"
SAID = "A worn cartilage may cause this pain. Rest it and see a doctor if it swells."


def test_an_untouched_row_is_the_same_object() -> None:
    given = row(ASKED, SAID)
    assert Cleaner(CleanConfig()).clean(given) is given


def test_edits_run_in_order_and_are_counted() -> None:
    given = row(
        "Hello,&nbsp;&nbsp;my knee hurts.<br>What is it?",
        f"Hi, Welcome to Chat Doctor. It&amp;rsquo;s common.  {SAID} Hope this helps. Regards",
    )
    cleaned = Cleaner(CleanConfig()).clean(given)
    assert contents(cleaned) == [
        "Hello, my knee hurts.\nWhat is it?",
        f"It’s common. {SAID}",
    ]
    assert isinstance(cleaned, Kept)
    assert cleaned.changes == {
        "HTML entities decoded": 4,
        "HTML tags removed": 1,
        "repeated white space reduced": 4,
        "greetings and sign-offs of a site removed": 3,
    }
    assert cleaned.dialogue.id != given.dialogue.id


def test_the_changes_of_the_adapter_are_kept() -> None:
    given = Kept("row 1", row(ASKED, SAID + "  Rest.").dialogue, {"turns joined": 2})
    cleaned = Cleaner(CleanConfig()).clean(given)
    assert isinstance(cleaned, Kept)
    assert cleaned.changes == {"turns joined": 2, "repeated white space reduced": 1}


def test_turns_that_become_empty_go_by_the_adapters_rules() -> None:
    given = row(ASKED, SAID, "Thank you, doctor.", "Thanks for using Chat Doctor. Take care.")
    cleaned = Cleaner(CleanConfig()).clean(given)
    assert contents(cleaned) == [ASKED, SAID]
    assert isinstance(cleaned, Kept)
    assert cleaned.changes["empty turns left out"] == 1
    assert cleaned.changes["last words of a patient without an answer left out"] == 1


def test_an_answer_of_nothing_but_formulas_is_dropped_and_is_not_broken() -> None:
    result = Cleaner(CleanConfig()).clean(row(ASKED, "Thanks for your query. Take care."))
    assert result == Dropped("row 1", "after cleaning: no answer of the doctor", broken=False)


def test_a_row_torn_too_much_is_dropped() -> None:
    result = Cleaner(CleanConfig()).clean(row(ASKED, "It may be due to hy Chat Doctor. Rest."))
    assert isinstance(result, Dropped)
    assert result.reason == "too much lost where the source cut out names"
    assert not result.broken


def test_a_system_message_stays() -> None:
    given = row(ASKED, SAID + "  Rest.")
    under = Kept("row 1", given.dialogue.with_system("Be kind."))
    assert contents(Cleaner(CleanConfig()).clean(under))[0] == "Be kind."


def test_cleaning_twice_changes_nothing_more() -> None:
    cleaner = Cleaner(CleanConfig())
    once = cleaner.clean(row(ASKED, f"Hi, Welcome to Chat Doctor. {SAID}  Hope this helps."))
    assert isinstance(once, Kept)
    assert cleaner.clean(once) is once


def test_config() -> None:
    with pytest.raises(ValidationError, match="extra"):
        CleanConfig.model_validate({"language": "en"})
    with pytest.raises(MedllmError, match="languages: xx"):
        Cleaner(CleanConfig(languages=("xx",)))
    Cleaner(CleanConfig(languages=()))


ROWS = [row(ASKED, f"{SAID}  No {number}.", where=f"row {number}") for number in range(1, 9)]


def test_examples_are_the_first_by_row_order_however_work_is_shared(tmp_path: Path) -> None:
    alone = Cleaner(CleanConfig())
    for given in ROWS:
        alone.clean(given)
    workers = [Cleaner(CleanConfig()), Cleaner(CleanConfig())]
    merged = Examples()
    for number, given in enumerate(ROWS):
        worker = workers[number in (0, 3, 4)]
        worker.clean(given)
        merged.merge(worker.examples.take())
    assert merged.found == alone.examples.found
    [shown] = merged.found.values()
    assert [example.where for example in shown] == ["row 1", "row 2", "row 3"]
    assert "swells.  No 1." in shown[0].before
    assert "swells. No 1." in shown[0].after


def test_the_examples_file_warns_and_quotes(tmp_path: Path) -> None:
    cleaner = Cleaner(CleanConfig())
    cleaner.clean(row(ASKED, "Rest.\n# not a heading"))
    cleaner.clean(row("x" * 30_000, SAID))
    path = tmp_path / "examples.md"
    cleaner.examples.write(path)
    text = path.read_text(encoding="utf-8")
    assert "do not publish" in text
    assert "    - assistant: Rest." not in text  # long enough to be kept
    assert "## dialogue longer than max_characters" in text
    assert max(map(len, text.splitlines())) < 300
    assert all(line.startswith(("#", "    ", "row ", "This", "rules")) or not line
               for line in text.splitlines())  # fmt: skip
