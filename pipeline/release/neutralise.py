"""Control strings in people's words, made harmless for a server that would obey them.

Training and medllm's own engine take control tokens from the prompt format alone. Ollama's engine
tokenizes the whole prompt as one text and reads ``</s>`` as the end of the conversation whoever
typed it. What talks to such a server passes every message through ``neutralised`` first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# Pieces of type CONTROL and UNKNOWN in Llama's vocabulary. "[INST]" and "<0x0A>" are not among
# them: they are text to every reader.
LLAMA_CONTROLS = ("<s>", "</s>", "<unk>")
# One token of its own in Llama's vocabulary, so that all others stay as they were; a reader sees a
# space, and what folds it to one (NFKC) does not put the control string together again.
_NO_BREAK_SPACE = "\u00a0"


def neutralised(text: str, controls: Sequence[str] = LLAMA_CONTROLS) -> str:
    """A text in which no control string is left; any other text comes back as it is.

    A no-break space goes before the last character of each one: ``</s>`` becomes ``</s\\u00a0>``.
    ``controls`` are the pieces that the server's vocabulary parses, none of them empty.
    """
    pattern = re.compile("|".join(map(re.escape, sorted(controls, key=len, reverse=True))))
    return pattern.sub(lambda found: found[0][:-1] + _NO_BREAK_SPACE + found[0][-1], text)
