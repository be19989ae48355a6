"""Prompt formats: the only place that knows how a conversation becomes text and token ids.

A format is one record. Its Jinja template renders training text (and is stored in the GGUF), its
Go template renders the same bytes in Ollama, and its stop strings end a reply. ``{% generation %}``
marks the assistant's words together with the end-of-sequence token: loss falls there and nowhere
else.

Source of the Llama-2 layout: Meta's reference implementation, ``llama/generation.py`` in
github.com/meta-llama/llama (``[INST]``, ``<<SYS>>``, one BOS and one EOS around each exchange).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from medllm.pipeline.errors import MedllmError

if TYPE_CHECKING:
    from jinja2 import Template
    from tokenizers import Encoding
    from transformers import PreTrainedTokenizerFast

# What BOS, EOS and the edges of the assistant's words look like while a template renders. NUL is
# refused in messages, so a patient who types "</s>" is never taken for the end of a sequence.
_BOS, _EOS, _LEARN, _END_LEARN = "\x00bos\x00", "\x00eos\x00", "\x00learn\x00", "\x00end\x00"
_MARKS = re.compile("(\x00[a-z]+\x00)")
_GENERATION = re.compile(r"\{%(-?)\s*(end)?generation\s*(-?)%\}")


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    role: Literal["system", "user", "assistant"]
    content: str


class Encoded(NamedTuple):
    """Token ids of a conversation, and which of them the assistant must learn to say.

    Both lists have one entry a token; ``assistant_mask`` is 1 on the assistant's words and on the
    EOS after them, 0 elsewhere.
    """

    input_ids: list[int]
    assistant_mask: list[int]


class Stretch(NamedTuple):
    """A control token, or text between two of them in which nothing is special.

    ``learnt`` holds the character ranges, start and end, that the assistant must learn to say.
    """

    control: Literal["bos", "eos"] | None
    text: str  # "" for a control token
    learnt: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class PromptFormat:
    """One way of writing a conversation down; the Jinja and Go templates render the same bytes."""

    name: str
    jinja: str
    go_template: str
    stop: tuple[str, ...]

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool = False) -> str:
        """The whole text with ``<s>`` and ``</s>`` written out, as training sees it.

        With ``add_generation_prompt`` the text ends where the assistant's reply begins.
        """
        text = self._render(messages, add_generation_prompt)
        for mark, written in ((_BOS, "<s>"), (_EOS, "</s>"), (_LEARN, ""), (_END_LEARN, "")):
            text = text.replace(mark, written)
        return text

    def prompt(self, messages: Sequence[Message]) -> str:
        """What a server shows the model before a reply: ``render`` without the first BOS.

        The tokenizer adds that BOS itself; a literal one would make two.
        """
        return self.render(messages, add_generation_prompt=True).removeprefix("<s>")

    def encode(
        self,
        tokenizer: PreTrainedTokenizerFast,
        messages: Sequence[Message],
        *,
        add_generation_prompt: bool = False,
    ) -> Encoded:
        """Token ids and assistant mask of a conversation.

        The text between two control tokens is encoded as one stretch in which nothing is special:
        control ids come from the template alone, and each stretch gets SentencePiece's leading
        space, as llama.cpp gives it after a control token.
        """
        ids: list[int] = []
        mask: list[int] = []
        for stretch in self.stretches(messages, add_generation_prompt=add_generation_prompt):
            if stretch.control:
                ids.append(getattr(tokenizer, f"{stretch.control}_token_id"))
                mask.append(int(bool(stretch.learnt)))
                continue
            encoding = _encode_plain(tokenizer, stretch.text)
            ids += encoding.ids
            # A token counts where its first character does: "▁word" starts at the space before.
            mask += [
                int(any(start <= first < end for start, end in stretch.learnt))
                for first, _ in encoding.offsets
            ]
        return Encoded(ids, mask)

    def count(self, tokens: Callable[[str], int], messages: Sequence[Message]) -> int:
        """How many tokens ``encode`` gives, when ``tokens`` counts those of a text.

        For many conversations: of those with the same roles one is rendered, with a mark for each
        content, and the marks are filled in.
        """
        _refuse_nul(messages)
        total = 0
        for pieces in _layout(self, tuple(message.role for message in messages)):
            text = "".join(p if isinstance(p, str) else messages[p].content for p in pieces)
            total += tokens(text) if pieces else 1
        return total

    def stretches(
        self, messages: Sequence[Message], *, add_generation_prompt: bool = False
    ) -> Iterator[Stretch]:
        """The control tokens of a conversation and the texts between them, in order."""
        text, learnt, learning = "", list[tuple[int, int]](), False
        learnt_from = 0
        for piece in _MARKS.split(self._render(messages, add_generation_prompt)):
            if piece in (_LEARN, _END_LEARN):
                if learning:
                    learnt.append((learnt_from, len(text)))
                learning, learnt_from = piece == _LEARN, len(text)
            elif piece in (_BOS, _EOS):
                if learning:
                    learnt.append((learnt_from, len(text)))
                if text:
                    yield Stretch(None, text, tuple(learnt))
                yield Stretch("bos" if piece == _BOS else "eos", "", ((0, 0),) if learning else ())
                text, learnt, learnt_from = "", [], 0
            else:
                text += piece
        if text:
            yield Stretch(None, text, tuple(learnt))

    @property
    def server_jinja(self) -> str:
        """The Jinja for servers: without ``{% generation %}``, which only training knows.

        A comment in place of each tag keeps its trimming of white space.
        """
        return _GENERATION.sub(lambda tag: f"{{#{tag[1]} {tag[3]}#}}", self.jinja)

    def _render(self, messages: Sequence[Message], add_generation_prompt: bool) -> str:
        _refuse_nul(messages)
        if not messages:
            raise MedllmError("A conversation has no messages.", "Give at least one user message.")
        return _compile(self.jinja).render(
            messages=[message.model_dump() for message in messages],
            add_generation_prompt=add_generation_prompt,
            bos_token=_BOS,
            eos_token=_EOS,
        )


def _refuse_nul(messages: Sequence[Message]) -> None:
    if any("\x00" in message.content for message in messages):
        raise MedllmError(
            "A message contains a NUL character.", "Remove it: no text holds one rightly."
        )


@lru_cache(maxsize=256)
def _layout(
    form: PromptFormat, roles: tuple[Literal["system", "user", "assistant"], ...]
) -> tuple[tuple[str | int, ...], ...]:
    """The stretches of a conversation whose contents are not empty: () for a control token, else
    its text, with the number of a message in place of its content.
    """
    marked = [Message(role=role, content=f"\x01{i}\x01") for i, role in enumerate(roles)]
    layout: list[tuple[str | int, ...]] = []
    for stretch in form.stretches(marked):
        pieces = enumerate(re.split("\x01(\\d+)\x01", stretch.text))
        found = [int(piece) if number % 2 else piece for number, piece in pieces if piece]
        layout.append(() if stretch.control else tuple(found))
    return tuple(layout)


def _encode_plain(tokenizer: PreTrainedTokenizerFast, text: str) -> Encoding:
    """Encode a stretch of text in which nothing is special, with character offsets."""
    backend = tokenizer.backend_tokenizer
    backend.encode_special_tokens = True
    try:
        encoding: Encoding = backend.encode(text, add_special_tokens=False)
        return encoding
    finally:
        backend.encode_special_tokens = False


@cache
def _compile(jinja: str) -> Template:
    """Compile a chat template the way transformers does, the generation tags turned into marks."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(reason: str) -> None:
        raise MedllmError(
            f"A conversation does not fit the prompt format: {reason}.",
            "Start with an optional system message, then let user and assistant take turns.",
        )

    def mark(tag: re.Match[str]) -> str:
        name = _END_LEARN if tag[2] else _LEARN
        return f"{{{{{tag[1]} {name!r} {tag[3]}}}}}"

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = refuse
    return environment.from_string(_GENERATION.sub(mark, jinja))


_LLAMA2_JINJA = """\
{%- set has_system = messages[0]['role'] == 'system' -%}
{%- set system = messages[0]['content'] if has_system else '' -%}
{%- for message in (messages[1:] if has_system else messages) -%}
{%- if message['role'] != ('user' if loop.index0 is even else 'assistant') -%}
{{- raise_exception('user and assistant must take turns, the user first') -}}
{%- elif message['role'] == 'user' -%}
{{- bos_token + '[INST] ' -}}
{{- ('<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n') if system and loop.first else '' -}}
{{- message['content'] + ' [/INST]' -}}
{%- else -%}
{%- generation -%}
{{- ' ' + message['content'] + ' ' + eos_token -}}
{%- endgeneration -%}
{%- endif -%}
{%- endfor -%}"""

# In Ollama's template data the system text is in .System and again in .Messages.
_LLAMA2_GO = """\
{{- $first := true -}}
{{- range .Messages -}}
{{- if eq .Role "user" -}}
{{ if not $first }}<s>{{ end }}[INST] {{ if and $first $.System }}<<SYS>>
{{ $.System }}
<</SYS>>

{{ end }}{{ .Content }} [/INST]
{{- $first = false -}}
{{- else if eq .Role "assistant" }} {{ .Content }} </s>
{{- end -}}
{{- end -}}"""

_KNOW_MEDICAL_V2_JINJA = """\
{%- set has_system = messages[0]['role'] == 'system' -%}
{%- set system = messages[0]['content'] if has_system else '' -%}
{%- for message in (messages[1:] if has_system else messages) -%}
{%- if message['role'] != ('user' if loop.index0 is even else 'assistant') -%}
{{- raise_exception('user and assistant must take turns, the user first') -}}
{%- elif message['role'] == 'user' -%}
{{- bos_token -}}
{{- ('### Instruction:\\n' + system + '\\n\\n') if system and loop.first else '' -}}
{{- '### Explaining medical conditions:\\n' + message['content'] + '\\n\\n' -}}
{{- '### Describe the treatment options:\\n' -}}
{%- else -%}
{%- generation -%}
{{- message['content'] + eos_token -}}
{%- endgeneration -%}
{%- endif -%}
{%- endfor -%}"""

_KNOW_MEDICAL_V2_GO = """\
{{- $first := true -}}
{{- range .Messages -}}
{{- if eq .Role "user" -}}
{{ if not $first }}<s>{{ end }}{{ if and $first $.System }}### Instruction:
{{ $.System }}

{{ end }}### Explaining medical conditions:
{{ .Content }}

### Describe the treatment options:
{{ $first = false -}}
{{- else if eq .Role "assistant" -}}
{{ .Content }}</s>
{{- end -}}
{{- end -}}"""

FORMATS: dict[str, PromptFormat] = {
    record.name: record
    for record in (
        PromptFormat("llama2", _LLAMA2_JINJA, _LLAMA2_GO, ("[INST]", "[/INST]", "<<SYS>>")),
        PromptFormat(
            "know_medical_v2",
            _KNOW_MEDICAL_V2_JINJA,
            _KNOW_MEDICAL_V2_GO,
            ("### Instruction:", "### Explaining medical conditions:"),
        ),
    )
}
