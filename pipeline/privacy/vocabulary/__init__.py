"""Words: names, towns, eponyms and plain words that look like them."""


def word_set(text: str) -> frozenset[str]:
    """The words of a list that is written as text."""
    return frozenset(text.split())
