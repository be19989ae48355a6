"""Stage ``base``: the model that is fine-tuned, checked, its tokenizer as the server has it.

The folder looks the same whatever the source: config.json, generation_config.json,
model*.safetensors, tokenizer.model byte for byte, tokenizer.json and tokenizer_config.json rebuilt
from it, and the licence texts. Weights of a local folder or of the Hugging Face cache are linked,
not copied.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from medllm.pipeline.config import BaseConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import Manifest, Work, stage
from medllm.pipeline.weights.checks import (
    check_config_fits_tokenizer,
    check_generation_ids,
    check_tensors_fit_config,
    read_config,
)
from medllm.pipeline.weights.tiny import build_tiny
from medllm.pipeline.weights.tokenizer import (
    TOKENIZER_MODEL,
    build_tokenizer,
    read_proto,
    save_tokenizer,
)
from medllm.pipeline.weights.weight_files import INDEX, check_weights, read_object

_CONFIG, _GENERATION = "config.json", "generation_config.json"
_LICENCES = ("LICENSE*", "LICENCE*", "USE_POLICY*", "NOTICE*")  # whatever their case
_WANTED = (
    *(_CONFIG, _GENERATION, TOKENIZER_MODEL, INDEX, "model*.safetensors"),
    *("LICENSE*", "LICENCE*", "USE_POLICY*", "NOTICE*", "Notice*"),
)
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TINY_DISK = 500_000_000  # bytes, more than the largest tiny model takes


def base(config: BaseConfig, paths: RunPaths) -> Manifest:
    """Build, link or download the base model and check that its parts belong together.

    Raises MedllmError when the source does not exist, is not wholly there, is not a 16-bit Llama in
    safetensors with its tokenizer.model, or when config, weights and tokenizer disagree.
    """
    if config.tiny is not None:
        files = {"corpus": config.tiny.corpus}
        return stage(
            "base", config, paths, lambda w: _make(config, w), files=files, disk_bytes=_TINY_DISK
        )
    folder = Path(config.source).expanduser()
    if folder.is_dir():
        return stage("base", config, paths, lambda w: _take(folder, w), files=_small_files(folder))
    if not _HUB_ID.fullmatch(config.source):
        raise MedllmError(
            f"base.source {config.source} is no folder here and no hub id.",
            "Set it to 'tiny', to a checkpoint's folder, or to a hub id such as org/name.",
        )
    if config.revision is None or not _COMMIT.fullmatch(config.revision):
        raise MedllmError(
            f"base.revision of {config.source} is {config.revision}, not a commit.",
            "Set it to the 40 hex digits of a commit: a branch may change under the release.",
        )
    source, revision = config.source, config.revision
    return stage("base", config, paths, lambda w: _take(_download(source, revision), w))


def write_config(raw: Mapping[str, Any], dtype: str, folder: Path) -> None:
    """Write config.json as transformers does, with RoPE's base also under its old key.

    transformers 5 keeps ``rope_theta`` in ``rope_parameters`` only; other readers look for it at
    the top level and otherwise assume 10000. ``dtype`` is torch's name of the stored dtype. Raises
    MedllmError for values that transformers refuses.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import CONFIG_MAPPING

    fields = {key: value for key, value in raw.items() if key not in ("torch_dtype", "dtype")}
    try:
        config = CONFIG_MAPPING[raw["model_type"]].from_dict(fields | {"dtype": dtype})
        config.save_pretrained(str(folder))
        theta = float(config.rope_parameters["rope_theta"])
    except (ValueError, TypeError, KeyError, AttributeError, StrictDataclassError) as error:
        reason = " ".join(str(error).split())
        raise MedllmError(
            f"The base's config.json is refused: {reason}.", "Use the model's original file."
        ) from None
    path = folder / _CONFIG
    written = read_object(path) | {"rope_theta": theta}
    path.write_text(json.dumps(written, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _make(config: BaseConfig, work: Work) -> None:
    """Build the tiny model, then hold it to the same checks as a model from elsewhere."""
    assert config.tiny is not None
    work.report |= build_tiny(config.tiny, config.seed, work.dir)
    _check(work.dir)
    write_config(read_object(work.dir / _CONFIG), "float16", work.dir)
    _write_generation_config(work.dir)


def _take(folder: Path, work: Work) -> None:
    """Check a checkpoint's folder and make the stage's folder from it."""
    files, dtype, parameters = _check(folder)
    for name in files:
        (work.dir / name).symlink_to((folder / name).resolve())
    for name, path in _small_files(folder).items():
        if name != TOKENIZER_MODEL:
            shutil.copyfile(path, work.dir / name)
    save_tokenizer(build_tokenizer(folder / TOKENIZER_MODEL), folder / TOKENIZER_MODEL, work.dir)
    write_config(read_object(folder / _CONFIG), dtype, work.dir)
    if not (work.dir / _GENERATION).exists():
        _write_generation_config(work.dir)
    work.report |= {"weight_files": len(files), "parameters": parameters, "dtype": dtype}


def _check(folder: Path) -> tuple[list[str], str, int]:
    """Names of the weight files, torch's name of the dtype, number of parameters."""
    config = read_config(folder / _CONFIG)
    proto = read_proto(folder / TOKENIZER_MODEL)
    check_config_fits_tokenizer(folder / _CONFIG, config, proto)
    if (folder / _GENERATION).exists():
        check_generation_ids(folder / _GENERATION, proto)
    files, tensors = check_weights(folder)
    check_tensors_fit_config(folder, tensors, config)
    expected = config.expected_shapes()
    dtypes = sorted({tensors[name].dtype for name in expected})
    if len(dtypes) > 1:
        raise MedllmError(
            f"{folder} mixes {' and '.join(dtypes)} weights.",
            "Save the model in one dtype, float16 or bfloat16.",
        )
    names = {"F16": "float16", "BF16": "bfloat16", "F32": "float32"}
    return files, names[dtypes[0]], sum(tensors[name].elements for name in expected)


def _small_files(folder: Path) -> dict[str, Path]:
    """The files of a checkpoint that are copied rather than linked, those that are there."""
    patterns = (_CONFIG, _GENERATION, TOKENIZER_MODEL, INDEX)
    return {
        path.name: path
        for path in sorted(folder.iterdir())
        if path.is_file()
        and (path.name in patterns or any(fnmatch(path.name.upper(), p) for p in _LICENCES))
    }


def _write_generation_config(folder: Path) -> None:
    from transformers import GenerationConfig

    config = read_object(folder / _CONFIG)
    keys = ("bos_token_id", "eos_token_id", "pad_token_id")
    GenerationConfig(**{key: config.get(key) for key in keys}).save_pretrained(str(folder))


def _download(source: str, revision: str) -> Path:
    """The folder of a hub model at one commit, downloaded or already in the cache."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError

    try:
        return Path(snapshot_download(source, revision=revision, allow_patterns=list(_WANTED)))
    except GatedRepoError:
        raise MedllmError(
            f"{source} is given only to those who accepted its licence.",
            "Accept it on the model's page, then run `hf auth login`.",
        ) from None
    except Exception as error:  # of whatever HTTP library the hub's client is built on
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MedllmError(
            f"{source} at {revision} could not be downloaded: {reason:.300}",
            "Check id, revision and network, or set base.source to a folder with the model.",
        ) from error
