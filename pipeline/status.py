"""Which stages of a run are done, stale or missing, judged by content, and the files Make watches.

A stage is stale when its config slice, an upstream stage's outputs or an external file differ from
what its manifest recorded. Modification times play no part.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click

from medllm.pipeline.config import RunConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file, write_atomically
from medllm.pipeline.manifest import MANIFEST, Manifest, read_manifest
from medllm.pipeline.stages import INPUTS, RELEASE, STAGES, upstream_of


@dataclass(frozen=True)
class StageState:
    """Where one stage stands."""

    name: str
    state: Literal["done", "stale", "missing"]
    reason: str = ""


def states(config: RunConfig, paths: RunPaths) -> list[StageState]:
    """The state of every stage, in release order. Raises MedllmError for a foreign manifest."""
    found: dict[str, StageState] = {}
    for name in STAGES:
        reason = _why_stale(name, config, paths, found)
        if not (paths.stage(name) / MANIFEST).exists():
            found[name] = StageState(name, "missing", "" if name in RELEASE else "optional")
        else:
            found[name] = StageState(name, "stale" if reason else "done", reason)
    return list(found.values())


def show_status(config: RunConfig, paths: RunPaths) -> None:
    """Print one line a stage."""
    click.echo(f"run {paths.root}")
    for state in states(config, paths):
        click.echo(f"  {state.name:<10} {state.state:<8} {state.reason}".rstrip())


def require_fresh_inputs(name: str, config: RunConfig, paths: RunPaths) -> None:
    """Refuse to run a stage on upstream results that this config would not give.

    Raises MedllmError naming the first upstream stage that is missing or stale.
    """
    upstream = upstream_of(name)
    for state in states(config, paths):
        if state.name in upstream and state.state != "done":
            why = f": {state.reason}" if state.reason else ""
            raise MedllmError(
                f"Stage {name} needs stage {state.name}, which is {state.state}{why}.",
                f"Run `medllm {state.name}` first, or let `make` run them in order.",
            )


def write_slices(config: RunConfig, paths: RunPaths) -> None:
    """Write ``config/<stage>.json`` for Make: touched only when what the stage depends on changed.

    A slice holds the stage's section and the size and time of each external file it names, so that
    a comment in the YAML re-runs nothing and a new dataset re-runs what reads it.
    """
    folder = paths.root / "config"
    folder.mkdir(parents=True, exist_ok=True)
    for name in STAGES:
        section = getattr(config, name)
        seen = {str(path): _stat(path) for path in _paths_in(section.model_dump())}
        slice_: dict[str, Any] = {"config": section.model_dump(mode="json"), "files": seen}
        if name in ("create", "eval"):
            from medllm.pipeline.release.finding import server_fact

            slice_["server"] = server_fact()
        text = json.dumps(slice_, indent=2, sort_keys=True) + "\n"
        path = folder / f"{name}.json"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_atomically(path, text)


def _why_stale(
    name: str, config: RunConfig, paths: RunPaths, upstream: dict[str, StageState]
) -> str:
    folder = paths.stage(name)
    if not (folder / MANIFEST).exists():
        return ""
    manifest = read_manifest(folder)
    changed = _changed_keys(manifest.config, getattr(config, name).model_dump(mode="json"))
    if changed:
        return "config: " + ", ".join(changed)
    for source, patterns in INPUTS[name].items():
        if upstream[source].state != "done":
            return f"{source} is {upstream[source].state}"
        if manifest.inputs[source] != read_manifest(paths.stage(source)).digest(patterns):
            return f"{source} has new results"
    return _changed_file(manifest)


def _changed_keys(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    changed = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            changed += _changed_keys(before, after, f"{prefix}{key}.")
        elif before != after:
            changed.append(f"{prefix}{key} {before} → {after}")
    return changed


def _changed_file(manifest: Manifest) -> str:
    """External files are recorded under their path; other facts are not files."""
    for key, value in manifest.inputs.items():
        path = Path(key)
        if key not in INPUTS and path.is_file() and sha256_file(path) != value:
            return f"{key} has changed"
    return ""


def _paths_in(value: Any) -> list[Path]:
    if isinstance(value, Path):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [p for item in value for p in _paths_in(item)] if isinstance(value, list | tuple) else []


def _stat(path: Path) -> list[int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return [stat.st_size, stat.st_mtime_ns]
