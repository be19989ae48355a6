"""Stage ``convert``: base and fine-tune to GGUF in one pass, by llama.cpp's own converter.

The fine-tune is merged while it is written (``checkpoint``): no merged copy touches the disk. What
comes out is compared with what went in, weight by weight and piece by piece, before the stage is
done. The chat template of the run's prompt format goes into the file, so that a server that reads
it (llama.cpp) shows the model what training showed it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medllm.convert.checkpoint import MergedCheckpoint
from medllm.convert.gate.vocabulary import check_token_ids, check_tokenizer, check_vocabulary
from medllm.convert.hf.architecture import Architecture
from medllm.convert.hf.handover import Answer, GgufType, Request, run_converter
from medllm.convert.inspect_gguf import GgufFacts, Value, check_gguf
from medllm.convert.metadata import (
    check_metadata,
    converter_override,
    metadata,
    model_facts,
    own_entries,
)
from medllm.convert.verify import check_header, check_plain_tokens, check_weights
from medllm.pipeline.config import ConvertConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import Manifest, Work, stage
from medllm.pipeline.prompts import FORMATS, Message, PromptFormat
from medllm.pipeline.weights.tokenizer import TOKENIZER_MODEL, build_tokenizer, read_proto

if TYPE_CHECKING:
    from pydantic import JsonValue

_WIDTHS = {"F16": 2, "BF16": 2, "F32": 4}  # bytes a weight
_HEADER_BYTES = 16 * 10**6  # room for the vocabulary, generously
_TOKENIZER_CONFIG = "tokenizer_config.json"
_SMALL_FILES = (
    *("config.json", "generation_config.json", TOKENIZER_MODEL, "tokenizer.json"),
    *(_TOKENIZER_CONFIG, "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"),
)


def convert(config: ConvertConfig, paths: RunPaths) -> Manifest:
    """Write ``base-<type>.gguf`` and ``medllm-<type>.gguf`` to ``convert/``.

    Raises MedllmError for a checkpoint that llama.cpp would run in another way than transformers,
    for an adapter that does not fit it, and when a finished file does not hold exactly the merged
    weights and the vocabulary.
    """

    def body(work: Work) -> None:
        base = work.inputs["base"]
        entries = metadata(model_facts(base, work.inputs["prepare"], "medllm", config.format))
        for name, adapter, says in (
            ("base", None, {}),
            ("medllm", work.inputs["train"] / "adapter", entries),
        ):
            outfile = work.dir / f"{name}-{config.type.lower()}.gguf"
            work.report[outfile.name] = convert_checkpoint(base, outfile, config, adapter, says)

    needed = 2 * _expected_bytes(paths.stage("base"), config.type)
    return stage("convert", config, paths, body, disk_bytes=needed)


def convert_checkpoint(
    folder: Path,
    outfile: Path,
    config: ConvertConfig,
    adapter: Path | None = None,
    entries: Mapping[str, Value] | None = None,
) -> dict[str, JsonValue]:
    """Convert a model with the Llama-2 vocabulary for a prompt format of medllm's.

    ``adapter`` is merged into it on the way; ``entries`` is what the GGUF says of
    itself. Returns what a report says: ``rounded_weights`` counts the weights that the GGUF's type
    cannot hold exactly. Raises MedllmError as ``convert`` does.
    """
    architecture = Architecture(folder)
    check_tokenizer(folder, _with_ids(architecture))
    template = server_template(FORMATS[config.format])
    facts, report = _convert(
        architecture,
        outfile,
        config.type,
        adapter,
        _llama2_tokenizer_config(folder, template),
        entries or {},
    )
    check_metadata(facts, entries or {})
    check_vocabulary(facts, folder, architecture.fields, template)
    compared = check_token_ids(outfile, folder, FORMATS[config.format])
    return report | {"texts_with_equal_ids": compared}


def convert_model(
    folder: Path, outfile: Path, kind: GgufType = "F16", adapter: Path | None = None
) -> dict[str, JsonValue]:
    """Convert any model of the Llama family (Llama 2 and 3, Mistral, Qwen2), tokenizer as it is.

    Weights and header are checked as ``convert_checkpoint`` does it, token ids on plain texts;
    the chat template is the checkpoint's own, unchecked. Returns and raises as there.
    """
    from tokenizers import Tokenizer

    facts, report = _convert(Architecture(folder), outfile, kind, adapter, None, {})
    if (folder / TOKENIZER_MODEL).is_file():
        tokenizer = build_tokenizer(folder / TOKENIZER_MODEL).backend_tokenizer
    else:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return report | {"texts_with_equal_ids": check_plain_tokens(facts.path, tokenizer)}


def server_template(prompt_format: PromptFormat) -> str:
    """A format's Jinja for servers.

    Raises MedllmError when it does not render what training reads.
    """
    jinja = prompt_format.server_jinja
    _check_rendering(jinja, prompt_format)
    return jinja


def _convert(
    architecture: Architecture,
    outfile: Path,
    kind: GgufType,
    adapter: Path | None,
    tokenizer_config: dict[str, Any] | None,
    entries: Mapping[str, Value],
) -> tuple[GgufFacts, dict[str, JsonValue]]:
    """Write a GGUF and check header and weights; the tokenizer is the caller's to check."""
    folder = architecture.path.parent
    architecture.check()
    architecture.check_tying(MergedCheckpoint(folder))
    with tempfile.TemporaryDirectory(prefix=".staging-", dir=outfile.parent) as temporary:
        # llama.cpp derives metadata from the folder's name: one name, or no two runs are alike.
        name = outfile.name.partition("-")[0]
        request = Request(
            base=folder.resolve(),
            adapter=adapter and adapter.resolve(),
            small_files=Path(temporary).resolve() / name,
            outfile=outfile.resolve(),
            type=kind,
            name=name,
            answer=Path(temporary).resolve() / "answer.json",
            override=Path(temporary).resolve() / "metadata.json" if entries else None,
            own=own_entries(entries),
        )
        if request.override:
            override = json.dumps(converter_override(entries))
            request.override.write_text(override, encoding="utf-8")
        _stage_files(request, tokenizer_config)
        handed = _run(request)
    facts = check_gguf(outfile)
    check_header(facts, architecture, handed, kind)
    return facts, {
        "bytes": facts.nbytes,
        "tensors": len(facts.tensors),
        "rounded_weights": check_weights(facts, architecture, handed),
    }


def _stage_files(request: Request, tokenizer_config: dict[str, Any] | None) -> None:
    """Lay out what the converter reads besides the weights: links, or a tokenizer_config given."""
    request.small_files.mkdir()
    for name in _SMALL_FILES:
        if (request.base / name).is_file():
            (request.small_files / name).symlink_to(request.base / name)
    if tokenizer_config is not None:
        for name in (_TOKENIZER_CONFIG, "special_tokens_map.json", "added_tokens.json"):
            (request.small_files / name).unlink(missing_ok=True)
        (request.small_files / "chat_template.jinja").unlink(missing_ok=True)
        path = request.small_files / _TOKENIZER_CONFIG
        path.write_text(json.dumps(tokenizer_config), encoding="utf-8")


def _llama2_tokenizer_config(folder: Path, template: str) -> dict[str, Any]:
    """What llama.cpp must know of a Llama-2 tokenizer, from tokenizer.model alone."""
    proto = read_proto(folder / TOKENIZER_MODEL)
    spec = proto.trainer_spec
    return {
        "add_bos_token": True,
        "add_eos_token": False,
        "add_prefix_space": proto.normalizer_spec.add_dummy_prefix,
        "bos_token": spec.bos_piece,
        "eos_token": spec.eos_piece,
        "unk_token": spec.unk_piece,
        "chat_template": template,
    }


def _run(request: Request) -> Answer:
    from tqdm import tqdm

    total, name = _expected_bytes(request.base, request.type), request.outfile.name
    with tqdm(total=total, unit="B", unit_scale=True, desc=name, disable=None) as bar:

        def measure() -> None:
            if request.outfile.is_file():
                bar.update(request.outfile.stat().st_size - bar.n)

        return run_converter(request, measure)


def _with_ids(architecture: Architecture) -> Mapping[str, Any]:
    """The fields of a config whose BOS and EOS are one id each. Raises MedllmError otherwise."""
    for field in ("bos_token_id", "eos_token_id"):
        if type(architecture.fields.get(field)) is not int:
            raise MedllmError(
                f"{architecture.path}: {field} is {architecture.fields.get(field)!r}, not an "
                "integer.",
                "Fetch the base again, or convert another family with convert_model.",
            )
    return architecture.fields


def _expected_bytes(folder: Path, kind: str) -> int:
    """About the size of a checkpoint as GGUF; 0 when there is none, which ``stage`` then says."""
    try:
        tensors = MergedCheckpoint(folder).tensors.values()
    except MedllmError:
        return 0
    return sum(info.elements for info in tensors) * _WIDTHS[kind] + _HEADER_BYTES


def _check_rendering(jinja: str, prompt_format: PromptFormat) -> None:
    """Render conversations as a server does and compare with the text of training."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(jinja)
    system, user, reply = (
        Message(role=role, content=f" {role}\n{{{{ {role} }}}} ")
        for role in ("system", "user", "assistant")
    )
    for turns in ([user], [user, reply], [user, reply, user], [user, reply, user, reply]):
        for messages in (turns, [system, *turns]):
            asking = messages[-1] is user
            served = template.render(
                messages=[message.model_dump() for message in messages],
                add_generation_prompt=asking,
                bos_token="<s>",
                eos_token="</s>",
            )
            trained = prompt_format.render(messages, add_generation_prompt=asking)
            if served != trained:
                raise MedllmError(
                    f"The chat template of {prompt_format.name} for servers renders {served!r}, "
                    f"training reads {trained!r}.",
                    "Correct the format in pipeline/prompts.py.",
                )
