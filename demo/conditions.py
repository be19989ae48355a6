"""The conditions the demo data speaks of, read from ``demo/conditions/*.yaml``.

Each condition carries its whole text: what a patient says, what a clinician asks and advises, and
when care must not wait. The text is invented; nothing in it names a dose.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

HERE = Path(__file__).parent

#: Order is the order of the answer letters A to D.
URGENCIES = ("emergency", "urgent", "routine", "self_care")
SYSTEMS = ("chest", "head", "belly", "frame")
STEPS = ("emergency", "test", "exam", "home")


@dataclass(frozen=True)
class Exchange:
    """One question and its answer."""

    question: str
    answer: str


@dataclass(frozen=True)
class Condition:
    """One illness or injury with every sentence the generator may use for it.

    ``signs`` are noun phrases that fit after "has had"; ``when`` fits after them; ``says`` are
    whole sentences of the patient, or of a relative when ``voice`` is "relative", in which case
    {Who}, {who}, {he}, {He}, {his} and {him} are filled in.
    """

    id: str
    name: str
    may_be: str
    plain: tuple[str, ...]
    urgency: str
    system: str
    step: str
    sex: str
    voice: str
    ages: tuple[int, int]
    when: tuple[str, ...]
    signs: tuple[str, ...]
    says: tuple[str, ...]
    asks: tuple[Exchange, ...]
    follow: Exchange
    think: tuple[str, ...]
    advice: tuple[str, ...]
    flags: tuple[str, ...]
    system_why: str
    step_why: str
    facts: tuple[str, ...]


def load_yaml(path: Path) -> object:
    """Read one UTF-8 YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def load_conditions() -> tuple[Condition, ...]:
    """All conditions, ordered by urgency and then as their files list them.

    Raises ValueError when an entry uses an unknown group, and KeyError when a field is missing.
    """
    facts: dict[str, list[str]] = {}
    for path in sorted((HERE / "lexicon").glob("facts_*.yaml")):
        part = load_yaml(path)
        assert isinstance(part, dict)
        facts.update(part)
    conditions = []
    for urgency in URGENCIES:
        for half in ("chest_head", "belly_frame"):
            entries = load_yaml(HERE / "conditions" / f"{urgency}_{half}.yaml")
            assert isinstance(entries, list)
            conditions += [_condition(entry, urgency, facts[entry["id"]]) for entry in entries]
    return tuple(conditions)


def _condition(entry: dict[str, object], urgency: str, facts: list[str]) -> Condition:
    """Turn one YAML mapping into a record; every list becomes a tuple."""
    values = {key: _frozen(value) for key, value in entry.items()}
    values["asks"] = tuple(Exchange(*pair) for pair in values["asks"])  # type: ignore[attr-defined]
    values["follow"] = Exchange(*values["follow"])  # type: ignore[misc]
    values.setdefault("sex", "any")
    values.setdefault("voice", "self")
    condition = Condition(urgency=urgency, facts=tuple(facts), **values)  # type: ignore[arg-type]
    if condition.system not in SYSTEMS or condition.step not in STEPS:
        raise ValueError(f"{condition.id}: unknown system or step")
    return condition


def _frozen(value: object) -> object:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
