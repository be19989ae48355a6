"""Stage eval: base, fine-tune and every quantised file on the same questions and dialogues.

Questions go to the Ollama server when stage create made the models there and it still answers;
else llama.cpp runs them in this process. Loss is always measured in this process, on the same
GGUF files, because Ollama gives no log probabilities of a prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import NamedTuple, TypeVar

import click

from medllm.eval.engines.embedded import EmbeddedEngine
from medllm.eval.engines.engine import Engine, OllamaEngine, check_prompts
from medllm.eval.report.text import markdown, plot_accuracy, screen_table
from medllm.eval.results import Ending, Results, Run, compare, one_letter, score
from medllm.eval.tasks.loss import HeldOut, dialogue_loss, held_out, sample_dialogues
from medllm.eval.tasks.questions import Question, answer, load_questions
from medllm.pipeline.config import EvalConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import Manifest, Work, read_manifest, stage
from medllm.pipeline.prompts import Message
from medllm.pipeline.release.create import read_receipt
from medllm.pipeline.release.finding import find_server, server_fact
from medllm.pipeline.release.modelfile_syntax import Modelfile, read_modelfile
from medllm.pipeline.release.server import Server

ENDINGS = 20  # dialogues whose first question is answered at length
ENDING_TOKENS = 256
CHECKED = 3  # of each kind, compared byte for byte with what the server renders
_T = TypeVar("_T")


def evaluate(config: EvalConfig, paths: RunPaths) -> Manifest:
    """Stage: score every model of the run; results.json, report.md, report.txt, accuracy.svg."""

    def body(work: Work) -> None:
        results, published = _evaluate(config, work)
        table = screen_table(results, published)
        for name, text in (
            ("results.json", results.model_dump_json(indent=1) + "\n"),
            ("report.md", markdown(results, published)),
            ("report.txt", table + "\n"),
        ):
            (work.dir / name).write_text(text, encoding="utf-8")
        if results.questions:
            plot_accuracy(results, work.dir / "accuracy.svg")
        work.report["engine"] = ", ".join(sorted({run.engine for run in results.runs}))
        for one in results.scores:
            work.report[one.name] = one.model_dump(mode="json", exclude={"name", "families"})
        click.echo(table)

    files = {str(config.questions): config.questions} if config.questions else {}
    return stage("eval", config, paths, body, files=files, facts={"engine": server_fact()})


def _evaluate(config: EvalConfig, work: Work) -> tuple[Results, str]:
    """Every model's scores, and the name of the one that the Modelfile publishes."""
    modelfile = read_modelfile(work.inputs["modelfile"] / "Modelfile")
    questions = load_questions(config.questions, config.max_questions) if config.questions else []
    test = work.inputs["prepare"] / "test.jsonl"
    dialogues = sample_dialogues(test, config.max_dialogues, config.seed)
    models = _models(work)
    with closing(EmbeddedEngine(models[0][1], config.format, config.context)) as engine:
        context = engine.context
    items = held_out(dialogues, work.inputs["base"], config.format, context)
    if not questions and not items.items:
        raise MedllmError(
            f"There is nothing to score: {test} holds no dialogue that fits {context} tokens.",
            "Raise prepare.test_share or eval.context, or give eval.questions.",
        )
    server = find_server()
    with closing(server) if server else nullcontext():
        served = _served(work.inputs["create"], server)
        runs = [
            _run(name, path, config, modelfile, questions, items.items, served.get(path.name))
            for name, path in models
        ]
    base, tuned, *quants = runs
    pairs = [(run, base) for run in runs[1:]] + [(run, tuned) for run in quants]
    results = Results(
        questions=str(config.questions) if config.questions else None,
        one_letter=one_letter(questions),
        system=modelfile.system or None,
        context=context,
        dialogues_shortened=items.shortened,
        dialogues_dropped=items.dropped,
        scores=[score(run, questions) for run in runs],
        comparisons=[compare(one, other, questions, config.seed) for one, other in pairs],
        runs=runs,
    )
    return results, _name(Path(modelfile.source))


class _Served(NamedTuple):
    """A model where stage create put it."""

    server: Server
    name: str


def _served(create: Path, server: Server | None) -> dict[str, _Served]:
    """File name -> the model that stage create made of it, where the server still has it."""
    found: dict[str, _Served] = {}
    if server is not None:
        for name, record in read_receipt(create).models.items():
            if not name.endswith(":latest") and server.digest(name) == record.digest:
                found[Path(record.file).name] = _Served(server, name)
    return found


def _models(work: Work) -> list[tuple[str, Path]]:
    """Base, fine-tune and quants, largest first, each with its name."""
    found = []
    for stage_name, pattern in (
        ("convert", "base-*.gguf"),
        ("convert", "medllm-*.gguf"),
        ("quantize", "medllm-*.gguf"),
    ):
        paths = sorted(work.inputs[stage_name].glob(pattern), key=lambda p: -p.stat().st_size)
        if not paths:
            raise MedllmError(
                f"{work.inputs[stage_name]} holds no {pattern}.", f"Run stage {stage_name} again."
            )
        found += [(_name(path), path) for path in paths]
    return found


def _name(path: Path) -> str:
    """``medllm-q4_k_m.gguf`` -> ``medllm Q4_K_M``."""
    kind, _, type_ = path.stem.partition("-")
    return f"{kind} {type_.upper()}"


def _run(
    name: str,
    path: Path,
    config: EvalConfig,
    modelfile: Modelfile,
    questions: Sequence[Question],
    items: Sequence[HeldOut],
    served: _Served | None,
) -> Run:
    """Everything one model says; ``served`` is where Ollama has it."""
    with closing(EmbeddedEngine(path, config.format, config.context)) as embedded:
        losses = [dialogue_loss(embedded, item) for item in _progress(items, f"{name}: loss")]
        engine: Engine = embedded
        if served:
            engine = OllamaEngine(*served, embedded.context, modelfile.messages)
        asked = [_conversation(modelfile, question.text()) for question in questions]
        for question, messages in zip(questions, asked, strict=True):
            if embedded.room(messages) < 1:  # Ollama would cut it without a word
                raise MedllmError(
                    f"Question {question.id} does not fit a context of {embedded.context} tokens.",
                    "Raise eval.context, or leave the question out.",
                )
        openings = [
            (item.id, opening, room)
            for item in items
            if (room := embedded.room(opening := _conversation(modelfile, item.dialogue.question)))
            > 0
        ][:ENDINGS]
        shown = [*asked[:CHECKED], *(opening for _, opening, _ in openings[:CHECKED])]
        check_prompts(engine, shown, config.format)
        answers = [
            answer(engine, question, messages)
            for question, messages in _progress(
                list(zip(questions, asked, strict=True)), f"{name}: questions"
            )
        ]
        endings = []
        for id_, opening, room in _progress(openings, f"{name}: replies"):
            reply = engine.reply(opening, min(ENDING_TOKENS, room))
            endings.append(Ending(id=id_, ended=reply.ended_by_itself, tokens=reply.tokens))
        description = engine.description
    return Run(
        name=name,
        file=f"{path.parent.name}/{path.name}",
        sha256=read_manifest(path.parent).outputs[path.name].sha256,
        bytes=path.stat().st_size,
        engine=description,
        served_as=served.name if served else None,
        answers=answers,
        losses=losses,
        endings=endings,
    )


def _conversation(modelfile: Modelfile, question: str) -> tuple[Message, ...]:
    """What the doctor's model is shown when this is typed: SYSTEM and MESSAGE lines first."""
    return modelfile.conversation((Message(role="user", content=question),))


def _progress(items: Sequence[_T], what: str) -> Iterable[_T]:
    from tqdm import tqdm

    shown: Iterable[_T] = tqdm(items, desc=what, disable=None, leave=False)
    return shown
