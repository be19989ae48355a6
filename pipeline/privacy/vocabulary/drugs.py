"""Words of drugs' names, from drug-named-entity-recognition: DrugBank, MeSH and the NHS."""

from __future__ import annotations

import bz2
import re

from medllm.pipeline.privacy.vocabulary import file_of

_WORD = re.compile(rb"[a-z]{4,}")


def drug_words() -> frozenset[str]:
    """Words of four letters and more, in lower case, of 107,000 names of 20,000 drugs.

    The package keeps them as a pickle. Its strings are read out of the bytes and nothing is
    unpickled: importing the package takes 340 MB, and would execute what the file says.
    """
    file = file_of("drug_named_entity_recognition", "drug_ner_dictionary.pkl.bz2")
    data = bz2.decompress(file.read_bytes())
    names = data[: data.find(b"drug_canonical_to_data")]
    return frozenset(word.decode("ascii") for word in _WORD.findall(names))
