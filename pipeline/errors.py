"""The one exception a user of medllm may see."""

from __future__ import annotations


class MedllmError(Exception):
    """Something a person can put right: what happened, and what to do next.

    The command line prints it as one line and ends with exit code 2; any other exception is a
    fault of medllm itself and keeps its traceback.
    """

    def __init__(self, what: str, fix: str) -> None:
        """``what`` names the file or field and its value; ``fix`` is one sentence to act on."""
        super().__init__(f"{what} {fix}")
        self.what = what
        self.fix = fix

    def __reduce__(self) -> tuple[type[MedllmError], tuple[str, str]]:
        """Pickle both parts: a worker process hands its errors on that way."""
        return type(self), (self.what, self.fix)
