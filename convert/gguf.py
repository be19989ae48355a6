"""Stage ``convert``: base and merged checkpoint to GGUF, by llama.cpp's own converter.

What comes out is compared with what went in, weight by weight and piece by piece, before the stage
is done. The chat template of the run's prompt format goes into the file, so that a server that
reads it (llama.cpp) shows the model what training showed it.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from medllm.convert.checkpoint import INDEX, MergedCheckpoint
from medllm.convert.inspect_gguf import check_gguf
from medllm.convert.llama_cpp import convert_hf
from medllm.convert.tokens import check_token_ids, check_tokenizer, check_vocabulary
from medllm.convert.verify import check_convertible, check_header, check_weights
from medllm.pipeline.config import ConvertConfig, RunPaths
from medllm.pipeline.errors import MedllmError
from medllm.pipeline.manifest import Manifest, Work, stage
from medllm.pipeline.prompts import FORMATS, Message, PromptFormat
from medllm.pipeline.weights.tokenizer import TOKENIZER_MODEL, read_proto

if TYPE_CHECKING:
    from pydantic import JsonValue

_WIDTHS = {"F16": 2, "BF16": 2, "F32": 4}  # bytes a weight
_HEADER_BYTES = 16 * 10**6  # room for the vocabulary, generously
_GENERATION = re.compile(r"\{%(-?)\s*(?:end)?generation\s*(-?)%\}")


def convert(config: ConvertConfig, paths: RunPaths) -> Manifest:
    """Write ``base-<type>.gguf`` and ``medllm-<type>.gguf`` to ``convert/``.

    Raises MedllmError for a checkpoint that llama.cpp would run in another way than transformers,
    and when a finished file does not hold exactly the checkpoint's weights and vocabulary.
    """

    def body(work: Work) -> None:
        for upstream, name in (("base", "base"), ("merge", "medllm")):
            outfile = work.dir / f"{name}-{config.type.lower()}.gguf"
            work.report[outfile.name] = convert_checkpoint(work.inputs[upstream], outfile, config)

    needed = 2 * _expected_bytes(paths.stage("base"), config.type)
    return stage("convert", config, paths, body, disk_bytes=needed)


def convert_checkpoint(folder: Path, outfile: Path, config: ConvertConfig) -> dict[str, JsonValue]:
    """Convert one checkpoint folder and check the GGUF against it; returns what a report says.

    ``rounded_weights`` counts the weights that the GGUF's type cannot hold exactly. Raises
    MedllmError as ``convert`` does.
    """
    checkpoint = MergedCheckpoint(folder)
    check_convertible(checkpoint)
    check_tokenizer(folder, checkpoint.config)
    template = server_template(FORMATS[config.format])
    with tempfile.TemporaryDirectory(prefix=".staging-", dir=outfile.parent) as temporary:
        # llama.cpp derives metadata from the folder's name: one name, or no two runs are alike.
        staging = Path(temporary) / outfile.name.partition("-")[0]
        _stage_files(checkpoint, staging, template)
        _run_converter(staging, outfile, config.type)
    facts = check_gguf(outfile)
    check_header(facts, checkpoint, config.type)
    check_vocabulary(facts, folder, checkpoint.config, template)
    return {
        "bytes": facts.nbytes,
        "tensors": len(facts.tensors),
        "rounded_weights": check_weights(facts, checkpoint),
        "texts_with_equal_ids": check_token_ids(outfile, folder, FORMATS[config.format]),
    }


def server_template(prompt_format: PromptFormat) -> str:
    """A format's Jinja for servers: without ``{% generation %}``, which only training knows.

    Each mark becomes a comment, which trims the space around it in the same way. Raises
    MedllmError when the result does not render what training reads.
    """
    jinja = _GENERATION.sub(lambda tag: f"{{#{tag[1]} {tag[2]}#}}", prompt_format.jinja)
    _check_rendering(jinja, prompt_format)
    return jinja


def _stage_files(checkpoint: MergedCheckpoint, staging: Path, template: str) -> None:
    """Lay out what the converter reads: links to the checkpoint and a tokenizer_config of ours."""
    folder = checkpoint.folder.resolve()
    staging.mkdir()
    shards = (path.name for path in folder.glob("model*.safetensors"))
    for name in (*shards, INDEX, "config.json", TOKENIZER_MODEL, "tokenizer.json"):
        if (folder / name).is_file():
            (staging / name).symlink_to(folder / name)
    proto = read_proto(folder / TOKENIZER_MODEL)
    spec = proto.trainer_spec
    tokenizer_config = {
        "add_bos_token": True,
        "add_eos_token": False,
        "add_prefix_space": proto.normalizer_spec.add_dummy_prefix,
        "bos_token": spec.bos_piece,
        "eos_token": spec.eos_piece,
        "unk_token": spec.unk_piece,
        "chat_template": template,
    }
    (staging / "tokenizer_config.json").write_text(json.dumps(tokenizer_config), encoding="utf-8")


def _run_converter(staging: Path, outfile: Path, kind: str) -> None:
    from tqdm import tqdm

    outtypes: dict[str, Literal["f16", "bf16", "f32"]] = {
        "F16": "f16",
        "BF16": "bf16",
        "F32": "f32",
    }
    total = _expected_bytes(staging, kind)
    with tqdm(total=total, unit="B", unit_scale=True, desc=outfile.name, disable=None) as bar:

        def measure(_text: str) -> None:
            if outfile.is_file():
                bar.update(outfile.stat().st_size - bar.n)

        convert_hf(staging, outfile, outtypes[kind], name=staging.name, on_output=measure)
        measure("")


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
