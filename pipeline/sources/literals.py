"""Lists and objects that a table holds as text."""

from __future__ import annotations

import ast
import json
import warnings

MAX_LITERAL = 2**18  # characters; Python's parser needs some hundred bytes for each


def literal(text: str) -> object:
    """The value of a text that is JSON, or else a Python literal; nothing in it is ever run.

    Raises ValueError for anything else, and for more than MAX_LITERAL characters.
    """
    if len(text) > MAX_LITERAL:
        raise ValueError(f"longer than {MAX_LITERAL:,} characters")
    try:
        value: object = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # "\d": of no concern, and may quote the text
                value = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            raise ValueError("neither JSON nor a Python literal") from None
    return value
