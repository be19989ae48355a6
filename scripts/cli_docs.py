"""Write docs/cli.md from the commands' own --help, or with --check say whether it is current."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from medllm.pipeline.cli import cli

TARGET = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
INTRODUCTION = """\
# Commands

Written from `--help` by `make docs`; `make check` compares the two.
"""


def pages() -> Iterator[str]:
    """One Markdown section a command, the group first."""
    context = click.Context(cli, info_name="medllm", **cli.context_settings)
    yield f"## medllm\n\n```\n{cli.get_help(context)}\n```\n"
    for name, command in sorted(cli.commands.items()):
        inner = click.Context(command, info_name=name, parent=context)
        yield f"## medllm {name}\n\n```\n{command.get_help(inner)}\n```\n"


def main() -> None:
    """Write the page, or exit 1 when it differs from what it should be."""
    text = "\n".join([INTRODUCTION, *pages()])
    if sys.argv[1:] == ["--check"]:
        if not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != text:
            sys.exit("docs/cli.md is not what --help says: run `make docs`")
    else:
        TARGET.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
