# SPDX-License-Identifier: Apache-2.0
"""Free text without identities: reports, comments, descriptors, text read from pixels.

>>> from deid.text import Kind, KnownTerms, TextDeidentifier
>>> known = KnownTerms.of([("Fenwick^Marigold", Kind.PATIENT_NAME)])
>>> deidentifier = TextDeidentifier(known, date_shift=-30)
>>> deidentifier.clean("Mrs. Fenwick, seen 03/15/2024: clear lungs.").text
'Mrs. %PATIENT NAME%, seen 02/14/2024: clear lungs.'
"""

from deid.text.deidentifier import CleanText, Hasher, TextDeidentifier
from deid.text.header_terms import header_terms
from deid.text.kinds import Kind, Span
from deid.text.known_terms import KnownTerm, KnownTerms
from deid.text.lexicon import Lexicon

__all__ = [
    "CleanText",
    "Hasher",
    "Kind",
    "KnownTerm",
    "KnownTerms",
    "Lexicon",
    "Span",
    "TextDeidentifier",
    "header_terms",
]
