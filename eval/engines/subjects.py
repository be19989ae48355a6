"""Who is asked: base, last release, fine-tune and quants, each with its file and its Modelfile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from medllm.eval.records import Role
from medllm.pipeline.config import EvalConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.files import sha256_file
from medllm.pipeline.manifest import MANIFEST, read_manifest
from medllm.pipeline.release.create import read_receipt
from medllm.pipeline.release.modelfile_syntax import Modelfile, Value, read_modelfile
from medllm.pipeline.release.server import Server

_WHOLE: frozenset[Role] = frozenset({"base", "previous", "published"})


@dataclass(frozen=True)
class Subject:
    """One model that is evaluated."""

    name: str
    role: Role
    path: Path | None  # its GGUF; None: only a server has it
    file: str  # as the report names it
    sha256: str
    modelfile: Modelfile
    served: str | None  # name:tag on the server; None: it runs in this process

    @property
    def whole(self) -> bool:
        """Whether it gets every task; the others get loss and multiple choice."""
        return self.role in _WHOLE

    @property
    def nbytes(self) -> int:
        """Size of the GGUF; 0 where only a server has it."""
        return self.path.stat().st_size if self.path else 0


def subjects(
    config: EvalConfig, inputs: Mapping[str, Path], server: Server | None
) -> tuple[Subject, ...]:
    """Base first, then the last release where one is named, fine-tune and quants by size.

    Raises MedllmError for a stage without its GGUF, and for a last release that is not there.
    """
    modelfile = read_modelfile(inputs["modelfile"] / "Modelfile")
    published = Path(modelfile.source).name
    served = _served(inputs["create"], server)
    found: list[Subject] = []
    for stage_name, pattern, role in _PATTERNS:
        folder = inputs[stage_name]
        paths = sorted(folder.glob(pattern), key=lambda path: -path.stat().st_size)
        if not paths:
            raise MedllmError(f"{folder} holds no {pattern}.", f"Run stage {stage_name} again.")
        for path in paths:
            found.append(
                Subject(
                    name=_name(path),
                    role="published" if path.name == published else role,
                    path=path,
                    file=f"{folder.name}/{path.name}",
                    sha256=read_manifest(folder).outputs[path.name].sha256,
                    modelfile=modelfile,
                    served=served.get(path.name),
                )
            )
    if not any(one.role == "published" for one in found):
        raise MedllmError(
            f"FROM {modelfile.source} in the Modelfile is none of the GGUFs of this run.",
            "Run stage modelfile again.",
        )
    if config.previous is not None:
        found.insert(1, _previous(config.previous, server))
    return tuple(found)


def previous_fact(config: EvalConfig) -> dict[str, str]:
    """What the last release is, for the manifest: the digest of its GGUF, or its name."""
    if config.previous is None:
        return {}
    paths = RunPaths(Path(config.previous))
    if paths.stage("modelfile").is_dir():
        modelfile = read_modelfile(paths.stage("modelfile") / "Modelfile")
        manifest = read_manifest(paths.stage("quantize"))
        record = manifest.outputs.get(Path(modelfile.source).name)
        return {"previous": record.sha256 if record else "none"}
    return {"previous": config.previous}


_PATTERNS: tuple[tuple[str, str, Role], ...] = (
    ("convert", "base-*.gguf", "base"),
    ("convert", "medllm-*.gguf", "source"),
    ("quantize", "medllm-*.gguf", "quant"),
)


def _previous(wanted: str, server: Server | None) -> Subject:
    folder = RunPaths(Path(wanted))
    if folder.root.is_dir():
        modelfile = read_modelfile(folder.stage("modelfile") / "Modelfile")
        path = folder.stage("quantize") / Path(modelfile.source).name
        record = read_manifest(path.parent).outputs.get(path.name)
        if record is None or not path.is_file() or sha256_file(path) != record.sha256:
            raise MedllmError(
                f"eval.previous: {path} is not the file that its run wrote.",
                "Name a run folder that is whole.",
            )
        served = _served(folder.stage("create"), server)
        return Subject(
            name=f"previous {_name(path).partition(' ')[2]}",
            role="previous",
            path=path,
            file=path.as_posix(),
            sha256=record.sha256,
            modelfile=modelfile,
            served=served.get(path.name),
        )
    name = wanted if ":" in wanted else f"{wanted}:latest"
    digest = server.digest(name) if server else None
    if server is None or digest is None:
        raise MedllmError(
            f"eval.previous: {wanted} is no run folder, and no Ollama server has a model {name}.",
            "Name the folder of the last release's run, or start the server that has it.",
        )
    shown = server.show(name)
    # The server puts SYSTEM and MESSAGE of its own model before what is sent.
    own = Modelfile(
        source=name, template=shown.template, parameters=_numbers(shown.parameter_set())
    )
    return Subject(
        name=f"previous {name}",
        role="previous",
        path=None,
        file=name,
        sha256=digest,
        modelfile=own,
        served=name,
    )


def _numbers(
    pairs: set[tuple[str, str | float | bool]],
) -> dict[str, int | float | tuple[str, ...]]:
    stops = tuple(sorted(str(value) for name, value in pairs if name == "stop"))
    found: dict[str, Value] = {
        name: value
        for name, value in pairs
        if name != "stop" and isinstance(value, int | float) and not isinstance(value, bool)
    }
    return found | ({"stop": stops} if stops else {})


def _served(create: Path, server: Server | None) -> dict[str, str]:
    """File name -> the model that stage create made of it, where the server still has it."""
    found: dict[str, str] = {}
    if server is not None and (create / MANIFEST).is_file():
        for name, record in read_receipt(create).models.items():
            if not name.endswith(":latest") and server.digest(name) == record.digest:
                found[Path(record.file).name] = name
    return found


def _name(path: Path) -> str:
    """``medllm-q4_k_m.gguf`` -> ``medllm Q4_K_M``."""
    kind, _, type_ = path.stem.partition("-")
    return f"{kind} {type_.upper()}"
