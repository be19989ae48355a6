"""The command line: what a person types, handed on. No logic lives here."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from medllm import __version__
from medllm.pipeline.errors import MedllmError

# command -> where its stage function lives, and its one line of help
_STAGES = {
    "base": ("pipeline.weights.base:base", "Fetch or build the base model and check it."),
    "prepare": ("pipeline.data.prepare:prepare", "Turn datasets into train, validation and test."),
    "train": ("pipeline.weights.train:train", "Fine-tune the base with QLoRA."),
    "merge": (
        "pipeline.weights.merge:merge",
        "Write the merged model as safetensors; convert does not need it.",
    ),
    "convert": ("convert.gguf:convert", "Write base and fine-tune as GGUF."),
    "imatrix": (
        "convert.imatrix:imatrix",
        "Measure which weights matter, on the run's training dialogues.",
    ),
    "quantize": ("convert.quantize:quantize", "Make the smaller GGUFs."),
    "fidelity": (
        "convert.fidelity.stage:fidelity",
        "Compare each quant with its full-precision GGUF on held-out dialogues.",
    ),
    "modelfile": ("pipeline.release.modelfile:modelfile", "Fill in the Modelfile."),
    "create": ("pipeline.release.create:create", "Create the model in the local Ollama server."),
    "eval": (
        "eval.evaluate:evaluate",
        "Score base, last release and quants, and judge.",
    ),
    "bundle": ("pipeline.bundle.bundle:bundle", "Make the signed bundle for an offline clinic."),
    "vectors": (
        "chat.domain.vectors:vectors",
        "Train the word vectors by which the chat knows a medical question.",
    ),
}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="medllm")
def cli() -> None:
    """Medical dialogues in, a model a doctor runs with `ollama run medllm` out.

    Each stage reads and writes build/<name of the config>/; `make release CONFIG=…` runs them all
    in order.
    """


def _run_options(command: Callable[..., None]) -> Callable[..., None]:
    """The two options that every command about a run takes."""
    command = click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="SECTION.KEY=VALUE",
        help="Change one value of the config; may be repeated.",
    )(command)
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        default=Path("configs/demo.yaml"),
        show_default=True,
        help="The run's YAML file.",
    )(command)


def _load(config: Path, overrides: tuple[str, ...]) -> tuple[Any, Any]:
    from medllm.pipeline.config import RunPaths, load_config

    return load_config(config, overrides), RunPaths.of(config)


def _stage_command(name: str, target: str, help_line: str) -> click.Command:
    @_run_options
    def command(config: Path, overrides: tuple[str, ...]) -> None:
        from medllm.pipeline.status import require_fresh_inputs

        run, paths = _load(config, overrides)
        require_fresh_inputs(name, run, paths)
        module, _, function = target.partition(":")
        getattr(importlib.import_module(f"medllm.{module}"), function)(getattr(run, name), paths)

    return click.command(name, help=help_line)(command)


for _name, (_target, _help) in _STAGES.items():
    cli.add_command(_stage_command(_name, _target, _help))


@cli.command()
@_run_options
def status(config: Path, overrides: tuple[str, ...]) -> None:
    """Say which stages are done, stale (and why) or missing."""
    from medllm.pipeline.status import show_status

    show_status(*_load(config, overrides))


@cli.command()
@_run_options
def slices(config: Path, overrides: tuple[str, ...]) -> None:
    """Write each stage's part of the config where Make watches it."""
    from medllm.pipeline.status import write_slices

    write_slices(*_load(config, overrides))


@cli.command()
def doctor() -> None:
    """Say what this machine has and, for each lack, the one thing to do."""
    from medllm.pipeline.doctor import examine

    sys.exit(examine())


@cli.command()
def sources() -> None:
    """List the datasets that prepare can read, with access, licence and an example."""
    from medllm.pipeline.sources import sources_table

    click.echo(sources_table(), nl=False)


@cli.command()
@_run_options
@click.option("--texts", default=10_000, show_default=True, help="Conversations to compare.")
@click.option("--ollama", is_flag=True, help="Compare the prompts of the Ollama server too.")
def verify(texts: int, ollama: bool, config: Path, overrides: tuple[str, ...]) -> None:
    """Prove that training and llama.cpp read the same token ids in the run's own texts."""
    from medllm.convert.gate.verify_run import verify as check

    check(*_load(config, overrides), texts=texts, ollama=ollama)


@cli.command()
@_run_options
def push(config: Path, overrides: tuple[str, ...]) -> None:
    """Publish the run at a registry, once every gate is passed, and verify it there."""
    from medllm.pipeline.release.publish.gate import require_complete
    from medllm.pipeline.release.publish.push import push as publish

    run, paths = _load(config, overrides)
    require_complete(run, paths)
    publish(run.push, paths)


@cli.command()
@_run_options
@click.argument("version")
def rollback(version: str, config: Path, overrides: tuple[str, ...]) -> None:
    """Move the moving tags back to a version that is verified at the registry."""
    from medllm.pipeline.release.publish.rollback import rollback as move_back

    run, paths = _load(config, overrides)
    move_back(run.push, paths, version)


@cli.command()
@_run_options
@click.argument("target", type=click.Path(path_type=Path))
def copy_bundle(target: Path, config: Path, overrides: tuple[str, ...]) -> None:
    """Copy the finished bundle to a stick, or to a .zip, and check the copy."""
    from medllm.pipeline.bundle.copy import copy_run

    copy_run(_load(config, overrides)[1], target)


_KEY = click.option(
    "--key", type=click.Path(path_type=Path), help="The maintainer's public key, had elsewhere."
)


@cli.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@_KEY
def verify_bundle(bundle: Path, key: Path | None) -> None:
    """Check every byte of a clinic bundle, and who signed it."""
    from medllm.pipeline.bundle.verify import show_verified

    show_verified(bundle, key)


@cli.command()
@click.argument("name")
@click.option(
    "--bundle", type=click.Path(path_type=Path), required=True, help="The signed release."
)
@_KEY
def verify_installed(name: str, bundle: Path, key: Path | None) -> None:
    """Compare a model of the local Ollama store with the signed release."""
    from medllm.pipeline.bundle.installed import show_installed

    show_installed(name, bundle, key)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
def new_key(file: Path) -> None:
    """Make a key pair to sign bundles with; the private half stays outside every checkout."""
    from medllm.pipeline.provenance.signing import make_key

    make_key(file)


@cli.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--items", default=5, show_default=True, help="Changed items to show a task.")
def compare(first: Path, second: Path, items: int) -> None:
    """Compare the evaluations of two run folders (build/…), item by item."""
    from medllm.eval.report.compare import show_comparison

    show_comparison(first, second, items=items)


@cli.group()
def privacy() -> None:
    """Measure de-identification."""


@privacy.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object instead of tables for reading."
)
def score(file: Path, as_json: bool) -> None:
    """Recall and precision by type on texts whose identifiers are annotated."""
    from medllm.pipeline.privacy.score import show_score

    show_score(file, as_json=as_json)


@cli.command()
@click.argument("question")
@click.option(
    "--engine",
    type=click.Choice(["auto", "ollama", "embedded"]),
    default="auto",
    show_default=True,
    help="Answer through the Ollama server, or with llama.cpp in this process.",
)
@_run_options
def ask(question: str, engine: str, config: Path, overrides: tuple[str, ...]) -> None:
    """Ask the finished model one question."""
    from medllm.eval.ask import ask as answer

    answer(question, *_load(config, overrides), engine=engine)


@cli.command()
@click.option("--graph", is_flag=True, help="Draw the flow of a question and end.")
@_run_options
def chat(graph: bool, config: Path, overrides: tuple[str, ...]) -> None:
    """Talk to the finished model on a page of this machine."""
    from medllm.chat.flow import draw_flow

    if not graph:
        raise MedllmError("The page is not in this version.", "Use `medllm ask`.")
    click.echo(draw_flow())


def main() -> None:
    """Entry point: a person's mistake ends in one line and exit code 2, never in a traceback."""
    # OpenMP's threads spin while they wait for each other; spinning for long makes a small model
    # ten times slower as soon as another program wants a core. Read when torch loads, so set here.
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    try:
        cli.main(standalone_mode=False)
    except MedllmError as error:
        click.echo(f"error: {' '.join(str(error).split())}", err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        sys.exit(130)
