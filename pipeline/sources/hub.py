"""Datasets of the Hugging Face hub, always at one commit."""

from __future__ import annotations

from pathlib import Path

from medllm.pipeline.errors import MedllmError
from medllm.pipeline.sources.files import SUFFIXES

_PATTERNS = [f"*{suffix}{packed}" for suffix in sorted(SUFFIXES) for packed in ("", ".gz", ".zip")]
_PATTERNS.append("*.zip")


def download(hub: str, revision: str) -> Path:
    """The folder with a hub dataset's data files, downloaded or already in the hub's cache.

    ``revision`` is a commit. Raises MedllmError when the hub does not answer or refuses.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError

    try:
        return Path(
            snapshot_download(hub, repo_type="dataset", revision=revision, allow_patterns=_PATTERNS)
        )
    except GatedRepoError:
        raise MedllmError(
            f"The dataset {hub} is given only to those who accepted its terms.",
            "Accept them on its page and run `hf auth login`, or download its files and set path.",
        ) from None
    except Exception as error:  # of whatever HTTP library the hub's client is built on
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MedllmError(
            f"The dataset {hub} at {revision} could not be downloaded: {reason:.300}",
            "Check id, revision and network, or download its files and set path instead of hub.",
        ) from error
