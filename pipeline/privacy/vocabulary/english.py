"""Words of English, from pyspellchecker's dictionary: what stands there and on no list of names."""

from __future__ import annotations

import re
from functools import cache

from medllm.pipeline.privacy.vocabulary import word_set

ABBREVIATIONS = word_set(
    """
    addr acct tel telef disch adm admit appt dept ext ave blvd hwy pkwy apt ste rm ins grp auth
    ref req est approx prev asst msg pharm meds allg vit vitals pmhx fhx shx pls thx plz tmax
    dx rx hx tx fx sx px hgb hct plt temp resp abd neuro cardio gastro derm onc endo psych
    ortho ophtho peds obgyn gyn uro neph pulm rheum tues wed thur thurs feb aug sept oct nov
    dec creat bili phos trop echo afib vfib timi killip heent perrla ncat nkda rrr ctab nstemi
    stemi copd icu micu sicu nicu mychart epic dob mrn ssn npi dea subj obj assess plan consult
    sched pcp lpn fnp crna dpm mbbs facp facs sig qty disp refills prn bid tid qid mcg covid
    sars mrsa vre cdiff ebv cmv rsv hsv vzv hpv hba1c spo nebs chemo rehab telehealth instagram
    insta linkedin uber lyft costco walmart walgreens walgreen cvs kroger safeway rite aid zoom
    skype google gmail yahoo outlook iphone fitbit medicaid medicare aetna cigna humana
    bluecross tricare anthem januvia victoza ozempic wegovy mounjaro trulicity jardiance
    farxiga eliquis xarelto pradaxa plavix brilinta coumadin lantus humalog novolog levemir
    tresiba zosyn rocephin bactrim cipro levaquin augmentin keflex zithromax norco percocet
    vicodin dilaudid oxycontin suboxone narcan zoloft prozac paxil lexapro celexa effexor
    cymbalta wellbutrin abilify seroquel zyprexa risperdal haldol depakote lamictal keppra
    dilantin neurontin topamax adderall ritalin concerta vyvanse strattera ambien lunesta
    synthroid cytomel crestor zocor pravachol zetia repatha praluent norvasc diovan cozaar
    hyzaar benicar lasix bumex aldactone coreg lopressor toprol entresto singulair advair
    symbicort spiriva breo flovent pulmicort proventil ventolin flonase nasonex claritin
    allegra zofran reglan phenergan humira enbrel remicade stelara cosentyx dupixent otezla
    xeljanz rinvoq prolia fosamax boniva actonel flomax avodart proscar detrol vesicare
    myrbetriq imitrex maxalt aimovig emgality botox shingrix gardasil prevnar pneumovax
    paxlovid remdesivir keytruda opdivo herceptin rituxan gleevec zileuton chantix nicorette
    aricept namenda exelon sinemet mirapex requip azilect
    """
)
"""Short forms and firms that stand where names stand."""
SHORT_SURNAMES = word_set("""
    xu ng wu li lu ma hu yu do le ho vo ko bo ha ye su du fu gu qi tu vu ly ba yi uy dy ek lo
    """)
"""Family names of two letters: "Ng", "Xu"."""


_SELDOM = 150  # names of families are seldom counted more often in the dictionary
_ENDINGS = ("s", "es", "ed", "d", "er", "ers", "ing", "ly", "y", "est", "ness", "able", "al", "r")
_SCIENTIFIC = re.compile(
    r"(?:ine|ide|ate|itis|osis|emia|oma|ium|ic|ics|ous|tion|ment|ism|ist|logist|ase|one|ia|ity|ive|"
    r"less|ful|ology|graphy|pathy)$"
)


@cache
def _counted() -> dict[str, int]:
    from spellchecker import SpellChecker

    return dict(SpellChecker(language="en", distance=1).word_frequency.dictionary)


@cache
def english() -> frozenset[str]:
    """Words of English in lower case, inflected forms too; read once a process (0.4 s).

    The dictionary also holds names; those are among its rarest words, which are left out unless
    an English ending shows what they are.
    """
    counted = _counted()

    def inflected(word: str) -> bool:
        for ending in _ENDINGS:
            if word.endswith(ending) and not word.endswith("ss"):
                stem = word[: -len(ending)]
                if max(counted.get(form, 0) for form in (stem, stem + "e", stem[:-1])) > _SELDOM:
                    return True
        return False

    return frozenset(
        word
        for word, count in counted.items()
        if count > _SELDOM or _SCIENTIFIC.search(word) or inflected(word)
    )


def counted(word: str) -> int:
    """How often ``word`` (lower case) was counted for the dictionary; 0 when it is not there."""
    return _counted().get(word, 0)


@cache
def seldom_english() -> frozenset[str]:
    """The rarest words of the dictionary, names among them."""
    return frozenset(_counted()) - english()


def is_english(word: str) -> bool:
    """Whether ``word`` (lower case) or the word without its last "s" is in the dictionary."""
    words = english()
    return word in words or (word.endswith("s") and word[:-1] in words)


def dictionary_words() -> frozenset[str]:
    """Words of Webster's second edition that are written small: no names of people or places.

    pyspellchecker counts words in films without their capitals, so "Lucille" is a word there.
    """
    from english_words import get_english_words_set

    return frozenset(word for word in get_english_words_set(["web2"]) if word.islower())


def in_dictionary(word: str, words: frozenset[str]) -> bool:
    """Whether a word (lower case) or what an English ending hangs on is in ``words``."""
    if word in words:
        return True
    return any(
        word.endswith(ending) and {word[: -len(ending)], word[: -len(ending)] + "e"} & words
        for ending in ("s", "es", "ed", "ing", "er", "ers", "d")
    )
