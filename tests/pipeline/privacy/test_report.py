"""Counts and samples are the same in any order and from any number of workers."""

from medllm.pipeline.privacy.identifiers import PhiType
from medllm.pipeline.privacy.report import PrivacyReport, PrivacyTally
from medllm.pipeline.privacy.scrub import Scrubber

SCRUBBER = Scrubber("tags", 1)
DIALOGUES = {
    f"d-{n}": (f"I am Dolores Ybarra, MRN 88374{n:02d}.", "Rest well.", "Dr. Ottway said so.")
    for n in range(20)
} | {"plain": ("I have a cold.",)}


def tally(ids: list[str], samples: int) -> PrivacyTally:
    result = PrivacyTally(samples)
    for name in ids:
        result.add(name, DIALOGUES[name], SCRUBBER.scrub(DIALOGUES[name]))
    return result


def report(samples: int) -> PrivacyReport:
    return tally(list(DIALOGUES), samples).report()


def test_everything_is_counted() -> None:
    result = report(3)
    assert (result.dialogues, result.changed) == (21, 20)
    assert result.counts == {PhiType.NAME: 40, PhiType.MRN: 20}


def test_samples_show_before_and_after() -> None:
    result = report(3)
    assert [sample.type for sample in result.samples] == [PhiType.NAME] * 3 + [PhiType.MRN] * 3
    sample = result.samples[-1]
    assert sample.before.startswith("I am Dolores Ybarra, MRN 88374")
    assert sample.after == "I am Dolores Ybarra, MRN [MRN]."
    assert report(0).samples == ()


def test_order_and_workers_change_nothing() -> None:
    ids = list(DIALOGUES)
    expected = report(5)
    assert tally(ids[::-1], 5).report() == expected
    one, other = tally(ids[::2], 5), tally(ids[1::2], 5)
    one.merge(other)
    assert one.report() == expected
