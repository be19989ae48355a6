"""What surrogates are made of: invented people and towns, and ranges that nobody owns.

The residual scan reads the same ranges, so that it does not report what we wrote ourselves.

Sources: telephone numbers 555-0100 to 555-0199 (North American Numbering Plan, for fiction);
example.org (RFC 2606); 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24 (RFC 5737) and
2001:db8::/32 (RFC 3849); social security numbers of area 000, never issued (SSA); ZIP codes 000 to
004, in no use (USPS). Every other number begins with two zeros.
"""

from __future__ import annotations

from medllm.pipeline.privacy.vocabulary import word_set

MEN = tuple(
    sorted(
        word_set(
            """
            Alaric Balthasar Barnaby Caradoc Caspian Corwin Cuthbert Eadric Emrys Evander Fenwick
            Florizel Gawain Godric Hadrian Isidore Jolyon Kenelm Lambert Leofric Lysander Meredith
            Merrick Nehemiah Orlando Osric Peregrine Quentin Ranulf Roderic Septimus Tancred
            Thaddeus Torquil Ulric Wilfred Wystan Zebedee
            """
        )
    )
)
WOMEN = tuple(
    sorted(
        word_set(
            """
            Araminta Aveline Briseis Calantha Cordelia Delphine Demelza Drusilla Eldrida Elowen
            Ermintrude Eudora Ginevra Guinevere Hermia Hesper Ianthe Isolde Jessamy Kerensa
            Lavinia Linnet Lucasta Marigold Melisande Morwenna Nerissa Ottilie Perdita Philippa
            Rosamund Rowena Sidony Tamsin Thomasina Ursula Verity Winifred Ysolde Zenobia
            """
        )
    )
)
_FAMILY_STARTS = (
    "Ashen", "Bracken", "Cawder", "Dunwith", "Elver", "Farns", "Gorse", "Hather", "Inkber",
    "Jessel", "Kestle", "Larken", "Mossing", "Nether", "Osker", "Pember", "Quille", "Raven",
    "Sorrel", "Thistle", "Under", "Vanter", "Wether", "Yarrow",
)  # fmt: skip
_FAMILY_ENDS = (
    "bourne", "combe", "dell", "field", "garth", "hurst", "lowe", "mere", "more", "shaw", "stead",
    "ton", "well", "worth",
)  # fmt: skip
FAMILIES = tuple(start + end for start in _FAMILY_STARTS for end in _FAMILY_ENDS)
_TOWN_STARTS = (
    "Brindle", "Cold", "Dray", "Fern", "Hollin", "Lark", "Marr", "Mistle", "Pell", "Rook", "Stone",
    "Tarn", "Wych", "Zeal",
)  # fmt: skip
_TOWN_ENDS = ("haven", "hollow", "holt", "marsh", "minster", "moor", "thorpe", "wick")
TOWNS = tuple(start + end for start in _TOWN_STARTS for end in _TOWN_ENDS)
MAIL_DOMAIN = "example.org"
IPV4_NETWORKS = ("192.0.2.", "198.51.100.", "203.0.113.")
IPV6_NETWORK = "2001:db8::"
OLD = "90 or older"

RESERVED_NAMES = frozenset(name.casefold() for name in (*MEN, *WOMEN, *FAMILIES, *TOWNS))
