"""Ollama's Modelfile syntax: a strict reader, a record, and a writer that round-trips.

The syntax is that of Ollama's own parser (``parser/parser.go`` and ``api.FormatParams`` in
github.com/ollama/ollama), which is lenient: it drops characters it cannot print, lets the last of
two templates win and lets an unclosed quotation swallow the lines after it. What it would change
without a word is refused here; what is accepted here, it reads in the same way.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, JsonValue

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.prompts import Message
from medllm.pipeline.release.wire import NUMBERS

Value = bool | int | float | tuple[str, ...]

PARAMETERS = (*NUMBERS, "use_mmap", "stop")

_KNOWN = ("FROM", "PARAMETER", "TEMPLATE", "SYSTEM", "LICENSE", "MESSAGE", "REQUIRES")
_REPEATABLE = ("PARAMETER", "LICENSE", "MESSAGE")
_REFUSED = {
    "ADAPTER": "Ollama refuses it since 0.34, and medllm ships the adapter merged",
    "DRAFT": "the draft model would not have been evaluated",
    "RENDERER": "it would replace TEMPLATE",
    "PARSER": "it would replace TEMPLATE",
}


class Modelfile(BaseModel):
    """A parsed Modelfile; ``source`` is FROM, and an absent SYSTEM is the empty string."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    source: str
    template: str
    system: str = ""
    parameters: dict[str, Value] = {}
    licenses: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()
    requires: str | None = None

    def conversation(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        """What Ollama makes of a request: SYSTEM unless the request has its own, then MESSAGE.

        An empty system message at the start of a request switches SYSTEM off.
        """
        if messages[:1] and messages[0].role == "system":
            return messages[:1] + self.messages + messages[1:]
        system = (Message(role="system", content=self.system),) if self.system else ()
        return system + self.messages + messages

    def text(self) -> str:
        """The Modelfile in Ollama's syntax; reading it gives this record again."""
        lines = [f"FROM {self.source}"]
        if self.requires:
            lines.append(f"REQUIRES {self.requires}")
        lines.append(f"TEMPLATE {_quoted(self.template)}")
        if self.system:
            lines.append(f"SYSTEM {_quoted(self.system)}")
        for name, value in self.parameters.items():
            for one in value if isinstance(value, tuple) else (value,):
                written = _quoted(one) if isinstance(one, str) else str(one).lower()
                lines.append(f"PARAMETER {name} {written}")
        lines += [f"MESSAGE {message.role} {_quoted(message.content)}" for message in self.messages]
        lines += [f"LICENSE {_quoted(text)}" for text in self.licenses]
        return "\n".join(lines) + "\n"

    def api_parameters(self) -> dict[str, JsonValue]:
        """``parameters`` for POST /api/create; stops as a list, or every chat would fail."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in self.parameters.items()
        }


class Parts(NamedTuple):
    """The instructions of a file; ``lines`` says where each first stands."""

    single: dict[str, str]
    parameters: dict[str, Value]
    licenses: list[str]
    messages: list[Message]
    lines: dict[str, int]


class _Instruction(NamedTuple):
    line: int
    name: str  # upper case
    key: str  # the parameter or the role; empty for the others
    value: str


def read_modelfile(path: Path) -> Modelfile:
    """Parse a Modelfile file. Raises MedllmError naming file and line."""
    return parse(read_text(path), str(path))


def read_text(path: Path) -> str:
    """The text of a Modelfile file. Raises MedllmError when it cannot be read or is not UTF-8."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise MedllmError(f"{path} cannot be read: {error.strerror}.", "Check the path.") from None
    except UnicodeDecodeError as error:
        raise MedllmError(f"{path} is not UTF-8 at byte {error.start}.", "Save it so.") from None


def parse(text: str, name: str = "Modelfile") -> Modelfile:
    """Parse the text of a Modelfile; ``name`` stands in error messages.

    Refused beyond Ollama's rules: a second FROM, TEMPLATE, SYSTEM or single-valued parameter; a
    ``"…"`` over several lines; text after a closing triple quote; carriage returns; characters
    that Ollama would drop; and a Modelfile without TEMPLATE, for which Ollama would guess one.
    """
    parts = read_parts(text, name)
    for instruction in ("FROM", "TEMPLATE"):
        if instruction not in parts.single:
            raise MedllmError(f"{name} has no {instruction}.", f"Add a line {instruction} ….")
    return Modelfile(
        source=parts.single["FROM"],
        template=parts.single["TEMPLATE"],
        system=parts.single.get("SYSTEM", ""),
        parameters=parts.parameters,
        licenses=tuple(parts.licenses),
        messages=tuple(parts.messages),
        requires=parts.single.get("REQUIRES"),
    )


def read_parts(text: str, name: str, allowed: Collection[str] = _KNOWN) -> Parts:
    """Parse any number of instructions, none of them required.

    Raises MedllmError as ``parse`` does, and for an instruction that is not ``allowed``.
    """
    parts = Parts({}, {}, [], [], {})
    for line, instruction, key, value in _instructions(text, name):
        where = f"{name} line {line}"
        if instruction not in allowed:
            raise MedllmError(
                f"{where}: {instruction} does not belong here.", f"Use {', '.join(allowed)} only."
            )
        if instruction == "PARAMETER":
            _add_parameter(parts.parameters, key, value, where)
        elif instruction == "LICENSE":
            parts.licenses.append(value)
        elif instruction == "MESSAGE":
            parts.messages.append(Message.model_validate({"role": key, "content": value}))
        elif instruction in parts.single:
            raise MedllmError(
                f"{where} is a second {instruction}; the first is in line "
                f"{parts.lines[instruction]}.",
                "Keep one of the two.",
            )
        elif instruction == "REQUIRES" and not re.fullmatch(r"\d+\.\d+\.\d+", value, re.ASCII):
            raise MedllmError(f"{where}: REQUIRES {value} is no version.", "Write it like 0.20.3.")
        else:
            parts.single[instruction] = value
        parts.lines.setdefault(instruction, line)
    return parts


def dropped_by_ollama(character: str) -> bool:
    """Whether Ollama's parser silently leaves this character out (Go's strconv.IsPrint)."""
    return not (character.isprintable() or character in "\n\t")


def _instructions(text: str, name: str) -> Iterator[_Instruction]:
    if "\r" in text:
        first = text.count("\n", 0, text.index("\r")) + 1
        raise MedllmError(
            f"{name} line {first} has a carriage return.", "Save it with Unix line ends (LF)."
        )
    lines = iter(enumerate(text.split("\n"), start=1))
    for number, line in lines:
        if not line.strip(" \t") or line.lstrip(" \t").startswith("#"):
            continue
        where = f"{name} line {number}"
        word, rest = _first_word(line.lstrip(" \t"))
        instruction, key = _instruction(word, where), ""
        if instruction in ("PARAMETER", "MESSAGE"):
            key, rest = _key(instruction, rest, where)
        value = rest.lstrip(" \t")
        while value.startswith('"""') and not _closed(value):
            following = next(lines, None)
            if following is None:
                raise MedllmError(
                    f'{where}: the """ that opens {instruction} is never closed.',
                    'Close it with """ at the end of a line.',
                )
            value += "\n" + following[1]
        value = _unquoted(value.rstrip(" \t"), instruction, where)
        for character in filter(dropped_by_ollama, value):
            label = unicodedata.name(character, "a control character")
            raise MedllmError(
                f"{where}: {instruction} holds U+{ord(character):04X} ({label}), which Ollama "
                "would drop without a word.",
                "Replace it with a character that prints.",
            )
        yield _Instruction(number, instruction, key, value)


def _first_word(text: str) -> tuple[str, str]:
    """A line up to its first blank, and what follows that one blank."""
    word = re.split(r"[ \t]", text, maxsplit=1)
    return word[0], word[1] if len(word) == 2 else ""


def _instruction(word: str, where: str) -> str:
    name = word.upper()
    if name in _REFUSED:
        raise MedllmError(f"{where}: {name} is refused: {_REFUSED[name]}.", "Delete the line.")
    if name not in _KNOWN:
        close = get_close_matches(name, _KNOWN, n=1)
        raise MedllmError(
            f"{where}: {word} is not an instruction.",
            f"Did you mean {close[0]}?" if close else f"Use one of {', '.join(_KNOWN)}.",
        )
    return name


def _key(instruction: str, rest: str, where: str) -> tuple[str, str]:
    """The parameter or role, and what follows it."""
    key, value = _first_word(rest)
    if not key:  # Ollama takes the empty string between two blanks for the name
        raise MedllmError(
            f"{where}: {instruction} is not followed by exactly one blank and a name.",
            f"Write {instruction}, one blank, the name, a blank and the value.",
        )
    known = PARAMETERS if instruction == "PARAMETER" else ("system", "user", "assistant")
    if key not in known:
        close = get_close_matches(key, known, n=1)
        raise MedllmError(
            f"{where}: {key} is not a {'parameter' if known is PARAMETERS else 'role'} of Ollama.",
            f"Did you mean {close[0]}?" if close else f"Use one of {', '.join(known)}.",
        )
    return key, value


def _closed(value: str) -> bool:
    value = value.rstrip(" \t\n")
    return len(value) >= 6 and value.endswith('"""')


def _unquoted(value: str, instruction: str, where: str) -> str:
    if value.startswith('"""'):
        value = value[3:-3]
        if '"""' in value:
            raise MedllmError(
                f'{where}: {instruction} goes on after a closing """, or is not closed.',
                'Close it with """ and end the line there.',
            )
    elif value.startswith('"'):
        if len(value) < 2 or not value.endswith('"'):
            raise MedllmError(
                f'{where}: the " that opens {instruction} is not closed at the end of its line.',
                'Close it there, or write several lines between """ and """.',
            )
        value = value[1:-1]
    if not value.strip():
        raise MedllmError(f"{where}: {instruction} has no value.", "Give one or delete the line.")
    return value


def _quoted(text: str) -> str:
    if '"""' in text:
        raise MedllmError('A text for the Modelfile holds """.', "Ollama cannot quote that.")
    return f'"""{text}"""' if "\n" in text or '"' in text else f'"{text}"'


def _add_parameter(parameters: dict[str, Value], key: str, text: str, where: str) -> None:
    if key == "stop":
        before = parameters.get("stop", ())
        assert isinstance(before, tuple)
        parameters["stop"] = (*before, text)
        return
    if key in parameters:
        raise MedllmError(f"{where} is a second {key}.", "Keep one of the two.")
    if key == "use_mmap":
        if text not in ("true", "false"):
            raise MedllmError(f"{where}: use_mmap is {text}.", "Write true or false.")
        parameters[key] = text == "true"
        return
    type_, least, greatest = NUMBERS[key]
    pattern = r"[+-]?[0-9]+" if type_ is int else r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)"
    number = type_(text) if re.fullmatch(pattern, text) else None
    if number is None or not least <= number <= greatest:
        kind = "a whole number" if type_ is int else "a number"
        raise MedllmError(
            f"{where}: {key} is {text}.", f"Write {kind} from {least:g} to {greatest:g}."
        )
    parameters[key] = number
