"""The tasks of a config, made ready: data read, items drawn, cards attached."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from medllm.eval.engines.asking import Asking
from medllm.eval.memorisation.task import MEASURE
from medllm.eval.memorisation.task import items as memorisation_items
from medllm.eval.records import Card, Item, Kind, Measure, TaskRecord, Unusable
from medllm.eval.safety.cases import DATA as SAFETY_DATA
from medllm.eval.safety.cases import Case, load_cases
from medllm.eval.safety.medsafety import read_medsafety
from medllm.eval.tasks.answers import Answers, Ends
from medllm.eval.tasks.cards import CARDS
from medllm.eval.tasks.choice import Choice, choice_items, one_letter
from medllm.eval.tasks.choice_files import Question, read_questions
from medllm.eval.tasks.loss import Losses, held_out, sample_dialogues
from medllm.eval.tasks.rubrics import Rubric, Rubrics, read_rubrics
from medllm.eval.tasks.safety import Safety, safety_items
from medllm.eval.tasks.secrets import Extraction
from medllm.eval.tasks.task import Task
from medllm.pipeline.config import EvalConfig, SourceConfig, TaskConfig
from medllm.pipeline.data.canaries import FILE, read_secrets
from medllm.pipeline.data.schema import Dialogue
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file
from medllm.pipeline.sources.consultations.mts_dialog import read_notes
from medllm.pipeline.sources.files import DataFile
from medllm.pipeline.sources.turns import Dropped

BUILT_IN = "built in"
DATA = Path(__file__).parent / "data"
_RIGHT = Measure(name="right", unit="share")
_PASSED = Measure(name="passed", unit="share")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Material:
    """What the tasks of a run are made of."""

    config: EvalConfig
    prepare: Path  # folder with test.jsonl
    base: Path  # folder with the tokenizer
    context: int  # tokens
    judge: Asking | None = None


@dataclass(frozen=True)
class Tasks:
    """All tasks of an evaluation, in the order of the config."""

    asked: tuple[Task, ...]
    loss: Losses | None
    order: tuple[str, ...]

    @property
    def records(self) -> tuple[TaskRecord, ...]:
        """Their records, in the order of the config."""
        found = {task.record.name: task.record for task in self.asked}
        if self.loss:
            found[self.loss.record.name] = self.loss.record
        return tuple(found[name] for name in self.order)


class _Files(NamedTuple):
    """The data of a task: the files of its path, and one digest over them."""

    paths: tuple[Path, ...]
    shown: str
    sha256: str


def build(material: Material) -> Tasks:
    """Read and check everything that will be asked, before anything is.

    Raises MedllmError naming a file that cannot be used; single rows that cannot are kept apart.
    """
    asked: list[Task] = []
    loss: Losses | None = None
    order = []
    for each in material.config.tasks:
        limits = [limit for limit in (each.limit, material.config.limit) if limit]
        task = each.model_copy(update={"limit": min(limits, default=None)})
        made = _BUILDERS[task.name](task, material)
        if made is None:
            continue
        order.append(task.shown)
        if isinstance(made, Losses):
            loss = made
        else:
            asked.append(made)
    if not any(task.record.items for task in asked) and not (loss and loss.record.items):
        raise MedllmError(
            "There is nothing to ask: no task has an item.",
            "Raise prepare.test_share or eval.context, or give eval.tasks data.",
        )
    return Tasks(tuple(asked), loss, tuple(order))


def task_files(config: EvalConfig) -> dict[str, Path]:
    """Every file that a task reads besides the run's own, by the name it is recorded under."""
    found: dict[str, Path] = {}
    for task in config.tasks:
        if task.path is not None:
            found |= {str(path): path for path in _files(task.path, "").paths}
    return found


def _files(path: Path, suffix: str) -> _Files:
    if path.is_dir():
        paths = tuple(sorted(p for p in path.iterdir() if p.is_file() and p.name.endswith(suffix)))
    else:
        paths = (path,)
    for one in paths:
        if not one.is_file():
            raise MedllmError(f"There is no file {one}.", "Correct it in eval.tasks.")
    if not paths:
        raise MedllmError(f"{path} holds no file {suffix}.", "Correct it in eval.tasks.")
    digests = [sha256_file(one) for one in paths]

    whole = (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )
    return _Files(paths, path.as_posix(), whole)


def _record(
    task: TaskConfig,
    kind: Kind,
    measure: Measure,
    data: _Files,
    items: Sequence[Item],
    unusable: Sequence[Unusable] = (),
    *,
    gating: bool = True,
    floor: float | None = None,
    card: Card | None = None,
) -> TaskRecord:
    return TaskRecord(
        name=task.shown,
        kind=kind,
        card=card or CARDS[task.name],
        measure=measure,
        data=data.shown,
        sha256=data.sha256,
        gating=gating,
        floor=floor,
        items=tuple(items),
        unusable=tuple(unusable),
    )


def _drawn(items: Sequence[_T], limit: int | None, seed: int) -> list[_T]:
    """At most ``limit`` of them, drawn without replacement, in their order."""
    if limit is None or len(items) <= limit:
        return list(items)
    chosen = sorted(random.Random(seed).sample(range(len(items)), limit))
    return [items[index] for index in chosen]


# ---- one function a kind of task -------------------------------------------------------------


def _choice(task: TaskConfig, material: Material) -> Choice:
    assert task.path is not None
    suffix = {"mmlu": "_test.csv", "pubmedqa": "pqal.json"}.get(task.name, "")
    files = _files(task.path, suffix)
    questions: list[Question] = []
    unusable: list[Unusable] = []
    for path in files.paths:
        found = read_questions(path)
        several = len(files.paths) > 1
        mark = f"{path.stem}: " if several else ""
        family = {"family": path.stem.removesuffix("_test")} if several else {}
        questions += [
            q.model_copy(update={"id": f"{mark}{q.id}", **family}) for q in found.questions
        ]
        unusable += [one.model_copy(update={"id": f"{mark}{one.id}"}) for one in found.unusable]
    seed = material.config.seed
    questions = _drawn(questions, task.limit, seed)
    record = _record(
        task,
        "choice",
        _RIGHT,
        files,
        choice_items(questions),
        [one for one in unusable if one.reason != "not of the test split"],
        floor=one_letter(questions),
    )
    return Choice(record, questions, seed)


def _dialogues(material: Material) -> tuple[list[Dialogue], _Files]:
    path = material.prepare / "test.jsonl"
    config = material.config
    files = _Files((path,), f"{path.parent.name}/{path.name}", sha256_file(path))
    return sample_dialogues(path, config.max_dialogues, config.seed), files


def _openings(task: TaskConfig, material: Material) -> tuple[list[Item], _Files]:
    """The first words of every dialogue, with the doctor's first answer as target."""
    dialogues, files = _dialogues(material)
    items = []
    for dialogue in _drawn(dialogues, task.limit, material.config.seed):
        turns = [message for message in dialogue.messages if message.role != "system"]
        items.append(
            Item(
                id=dialogue.id,
                cluster=dialogue.id,
                group=dialogue.source,
                prompt=(turns[0],),
                target=turns[1].content,
            )
        )
    return items, files


def _answers(task: TaskConfig, material: Material) -> Answers:
    items, files = _openings(task, material)
    measure = Measure(name="ROUGE-L", unit="points")
    return Answers(_record(task, "open", measure, files, items))


def _ends(task: TaskConfig, material: Material) -> Ends:
    items, files = _openings(task, material)
    measure = Measure(name="ends", unit="share")
    bare = [item.model_copy(update={"target": None}) for item in items]
    return Ends(_record(task, "ends by itself", measure, files, bare))


def _loss(task: TaskConfig, material: Material) -> Losses:
    dialogues, files = _dialogues(material)
    dialogues = _drawn(dialogues, task.limit, material.config.seed)
    found = held_out(dialogues, material.base, material.config.format, material.context)
    items = [
        Item(
            id=one.id,
            cluster=one.id,
            group=one.dialogue.source,
            prompt=one.dialogue.messages,
        )
        for one in found.items
    ]
    kept = {one.id for one in found.items}
    unusable = [
        Unusable(id=one.id, reason=f"it is longer than {material.context} tokens")
        for one in dialogues
        if one.id not in kept
    ]
    measure = Measure(name="loss", unit="nats a token", better="lower")
    return Losses(_record(task, "loss", measure, files, items, unusable), found.items)


def _rubrics(task: TaskConfig, material: Material) -> Rubrics:
    path = task.path or DATA / "rubrics.jsonl"
    files = _files(path, ".jsonl")
    found: dict[str, Rubric] = {}
    unusable: list[Unusable] = []
    for one in files.paths:
        rubrics, bad = read_rubrics(one)
        found |= rubrics
        unusable += bad
    names = _drawn(list(found), task.limit, material.config.seed)
    items = [Item(id=name, cluster=name, prompt=found[name].prompt) for name in names]
    ruled = all(one.any_of for rubric in found.values() for one in rubric.rubrics)
    if task.path is None:
        files = files._replace(shown=BUILT_IN)
    measure = Measure(name="rubric points", unit="points")
    record = _record(task, "rubric", measure, files, items, unusable, gating=ruled)
    return Rubrics(record, found, material.judge)


def _summaries(task: TaskConfig, material: Material) -> Answers:
    files = _files(task.path or DATA / "summaries.csv", ".csv")
    items: list[Item] = []
    unusable: list[Unusable] = []
    for path in files.paths:
        for row in read_notes(DataFile(path), SourceConfig(name="mts_dialog_notes", path=path)):
            if isinstance(row, Dropped):
                unusable.append(Unusable(id=f"{path.name}, {row.where}", reason=row.reason))
                continue
            question, text = row.dialogue.messages[0], row.dialogue.messages[1]
            name = row.dialogue.id
            items.append(Item(id=name, cluster=name, prompt=(question,), target=text.content))
    unique = list({item.id: item for item in items}.values())
    if task.path is None:
        files = files._replace(shown=BUILT_IN)
    measure = Measure(name="ROUGE-L", unit="points")
    drawn = _drawn(unique, task.limit, material.config.seed)
    return Answers(_record(task, "summary", measure, files, drawn, unusable))


def _safety(task: TaskConfig, material: Material) -> Safety:
    if task.path is not None:
        from medllm.eval.safety.cases import read_cases

        files = _files(task.path, ".jsonl")
        cases = tuple(case for path in files.paths for case in read_cases(path))
    else:
        files = _files(SAFETY_DATA / "cases", ".jsonl")._replace(shown=BUILT_IN)
        cases = load_cases()
    return _cases(task, material, files, cases)


def _medsafety(task: TaskConfig, material: Material) -> Safety:
    assert task.path is not None
    files = _files(task.path, ".csv")
    cases = tuple(case for path in files.paths for case in read_medsafety(path))
    return _cases(task, material, files, cases)


def _cases(task: TaskConfig, material: Material, files: _Files, cases: Sequence[Case]) -> Safety:
    drawn = _drawn(cases, task.limit, material.config.seed)
    return Safety(_record(task, "safety", _PASSED, files, safety_items(drawn)), drawn)


def _memorisation(task: TaskConfig, material: Material) -> Extraction | None:
    """None for a run whose stage prepare recorded no secrets."""
    path = material.prepare / FILE
    if not path.is_file():
        return None
    secrets, seed = read_secrets(material.prepare), material.config.seed
    found = memorisation_items(secrets, seed)
    if not found:
        return None
    files = _Files((path,), f"{path.parent.name}/{path.name}", sha256_file(path))
    return Extraction(_record(task, "memorisation", MEASURE, files, found), secrets, seed)


_BUILDERS: dict[str, Callable[[TaskConfig, Material], Task | Losses | None]] = {
    **dict.fromkeys(("questions", "medqa", "medmcqa", "pubmedqa", "mmlu"), _choice),
    "loss": _loss,
    "dialogues": _answers,
    "ends": _ends,
    "rubrics": _rubrics,
    "summaries": _summaries,
    "safety": _safety,
    "medsafety": _medsafety,
    "memorisation": _memorisation,
}
