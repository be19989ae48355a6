"""Stage eval: base, last release, fine-tune and every quant on the same items, and the verdict.

A model runs on the Ollama server where stage create made it there and it is still the same; else
llama.cpp runs it in this process. Loss is always measured in this process, on the same GGUF files,
because Ollama gives no log probabilities of a prompt. The stage can be killed at any moment: what
a model has said is in the journal, and nothing is asked twice.
"""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack, closing, nullcontext
from pathlib import Path
from statistics import median

import click

from medllm.eval.ask import number_of, sampling_of
from medllm.eval.engines.asking import Asking
from medllm.eval.engines.embedded import EmbeddedEngine
from medllm.eval.engines.journal import Journal
from medllm.eval.engines.speaker import EmbeddedSpeaker, OllamaSpeaker, Speaker, check_prompts
from medllm.eval.engines.subjects import Subject, previous_fact, subjects
from medllm.eval.gate import Evidence, judge
from medllm.eval.records import (
    ModelRecord,
    Results,
    Sample,
    SampleTime,
    Speed,
    Speeds,
    TaskRun,
)
from medllm.eval.report.write import write_report
from medllm.eval.scores import compare_all, task_run
from medllm.eval.tasks.build import Material, Tasks, build, task_files
from medllm.pipeline.config import EvalConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.machine import cpus
from medllm.pipeline.manifest import Manifest, Work, stage
from medllm.pipeline.prompts import FORMATS
from medllm.pipeline.release.finding import find_server, server_fact
from medllm.pipeline.release.server import Server
from medllm.pipeline.release.streaming import Hosts

CHECKED = 6  # prompts compared byte for byte with what the server renders
LOGS = "inspect"  # folder of inspect's own logs, for its viewer


def evaluate(config: EvalConfig, paths: RunPaths) -> Manifest:
    """Stage: score every model of the run; results, verdict, times, reports and inspect's logs."""

    def body(work: Work) -> None:
        results, speeds = evaluation(config, work)
        table = write_report(results, speeds, work.dir)
        work.report["engine"] = ", ".join(sorted({m.engine.program for m in results.models}))
        work.report["passed"] = results.gate.passed
        for model in results.models:
            work.report[model.name] = {
                run.task: run.score.model_dump(mode="json") if run.score else None
                for run in model.runs
            }
        click.echo(table)

    facts = {"engine": server_fact()} | previous_fact(config)
    return stage("eval", config, paths, body, files=task_files(config), facts=facts, resumable=True)


def evaluation(config: EvalConfig, work: Work) -> tuple[Results, Speeds]:
    """Ask every model everything, and judge."""
    server = find_server()
    with closing(server) if server else nullcontext():
        models = subjects(config, work.inputs, server)
        published = next(one for one in models if one.role == "published")
        with ExitStack() as stack:
            journal = stack.enter_context(Journal(work.checkpoints / "journal.jsonl"))
            if journal.found:
                click.echo(f"eval: goes on after {journal.found} replies", err=True)
            context = _context(config, models)
            asked_by = _judge(config, server, journal, published)
            material = Material(
                config, work.inputs["prepare"], work.inputs["base"], context, asked_by
            )
            tasks = build(material)
            asked = [
                _ask(one, tasks, config, context, server, journal, work.dir / LOGS)
                for one in models
            ]
    records, speeds = [record for record, _ in asked], [speed for _, speed in asked]
    comparisons = compare_all(tasks.records, records, config.seed)
    trained = published.modelfile.template == FORMATS[config.format].go_template
    gate = judge(Evidence(config.gate, tasks.records, records, comparisons, speeds, trained))
    results = Results(
        seed=config.seed,
        format=config.format,
        system=published.modelfile.system or None,
        context=context,
        published=published.name,
        tasks=tasks.records,
        models=tuple(records),
        comparisons=comparisons,
        gate=gate,
        notes=_notes(config, tasks),
    )
    return results, Speeds(machine=f"{cpus()} CPU cores", models=tuple(speeds))


def _context(config: EvalConfig, models: tuple[Subject, ...]) -> int:
    """Tokens: the Modelfile's, no more than the config's and than the model was trained for."""
    first = next(one for one in models if one.role == "published")
    wanted = min(config.context, int(number_of(first.modelfile, "num_ctx")))
    assert first.path is not None
    with closing(EmbeddedEngine(first.path, config.format, wanted)) as engine:
        return engine.context


def _ask(
    subject: Subject,
    tasks: Tasks,
    config: EvalConfig,
    context: int,
    server: Server | None,
    journal: Journal,
    logs: Path,
) -> tuple[ModelRecord, Speed]:
    """Everything one model says, summed up."""
    from medllm.eval.engines.inspect_run import run

    records = {task.record.name: task.record for task in tasks.asked}
    with ExitStack() as stack:
        engine = None
        if subject.path is not None:
            engine = EmbeddedEngine(subject.path, config.format, context)
            stack.enter_context(closing(engine))
        runs: dict[str, TaskRun] = {}
        if tasks.loss and engine:
            samples = _losses(subject, tasks, engine, journal)
            if samples:
                runs[tasks.loss.record.name] = task_run(tasks.loss.record, samples, {})
        speaker = _speaker(subject, config, context, server, engine)
        wanted = [t for t in tasks.asked if subject.whole or t.record.kind == "choice"]
        asking = asking_of(subject, speaker, config.seed, context, journal)
        if subject.served and subject.path is not None:
            prompts = [item.prompt for task in wanted for item in task.record.items[:2]]
            check_prompts(speaker, [asking.shown(one) for one in prompts[:CHECKED]], config.format)
        outcome, ran, load = run(asking, wanted, logs)
        for task in wanted:
            samples, _ = outcome[task.record.name]
            runs[task.record.name] = task_run(
                records[task.record.name], samples, task.measures(samples, engine)
            )
    record = ModelRecord(
        name=subject.name,
        role=subject.role,
        file=subject.file,
        sha256=subject.sha256,
        bytes=subject.nbytes,
        engine=ran,
        runs=tuple(runs[name] for name in tasks.order if name in runs),
    )
    return record, _speed(subject, context, load, {name: t for name, (_, t) in outcome.items()})


def asking_of(
    subject: Subject, speaker: Speaker, seed: int, context: int, journal: Journal
) -> Asking:
    """A model to be asked as its Modelfile says; the evaluation's seed where that has none."""
    sampling = sampling_of(subject.modelfile)
    if "seed" not in subject.modelfile.parameters:
        sampling = dataclasses.replace(sampling, seed=seed)
    limit = int(number_of(subject.modelfile, "num_predict"))
    return Asking(speaker, subject.modelfile, sampling, limit if limit > 0 else context, journal)


def _losses(
    subject: Subject, tasks: Tasks, engine: EmbeddedEngine, journal: Journal
) -> tuple[Sample, ...] | None:
    """The loss of every dialogue; None for a last release that reads other tokens."""
    assert tasks.loss
    try:
        return tasks.loss.samples(engine, subject.sha256, journal)
    except MedllmError:
        if subject.role == "previous":  # another tokenizer: its nats are of other tokens
            return None
        raise


def _speaker(
    subject: Subject,
    config: EvalConfig,
    context: int,
    server: Server | None,
    engine: EmbeddedEngine | None,
) -> Speaker:
    if subject.served and server:
        hosts = Hosts((server.host, *config.hosts), subject.served, config.parallel)
        return OllamaSpeaker(subject.name, hosts, context, subject.modelfile.messages)
    assert engine is not None
    return EmbeddedSpeaker(subject.name, engine, subject.sha256)


def _judge(
    config: EvalConfig, server: Server | None, journal: Journal, published: Subject
) -> Asking | None:
    if config.judge is None:
        return None
    if server is None:
        raise MedllmError(
            f"eval.judge {config.judge} needs an Ollama server.", "Start it, or leave it out."
        )
    hosts = Hosts((server.host,), config.judge, config.parallel)
    speaker = OllamaSpeaker(config.judge, hosts, config.context)
    plain = published.modelfile.model_copy(update={"system": "", "messages": ()})
    return Asking(speaker, plain, sampling_of(plain), 64, journal)


def _speed(
    subject: Subject, context: int, load: float, times: dict[str, tuple[SampleTime, ...]]
) -> Speed:
    from medllm.convert.fidelity.memory import expected_memory
    from medllm.convert.inspect_gguf import check_gguf

    everything = [time for task in times.values() for time in task]
    first = [time.first_token for time in everything if time.first_token is not None]
    rates = [time.tokens_per_second for time in everything if time.tokens_per_second]
    memory = expected_memory(check_gguf(subject.path), context).total if subject.path else None
    return Speed(
        model=subject.name,
        load_seconds=load,
        first_token=median(first) if first else None,
        tokens_per_second=median(rates) if rates else None,
        memory_bytes=memory,
        tasks=times,
    )


def _notes(config: EvalConfig, tasks: Tasks) -> tuple[str, ...]:
    notes = []
    if config.judge is None and any(t.kind == "rubric" and not t.gating for t in tasks.records):
        notes.append("No judge is named (eval.judge): criteria without a rule are unscored.")
    asked = {task.name for task in tasks.records}
    for task in config.tasks:
        if task.shown not in asked:
            notes.append(f"{task.shown} was not asked: this run has nothing to ask it with.")
    if config.judge:
        notes.append(f"{config.judge} judged where no rule does; its word gates nothing.")
    return tuple(notes)
