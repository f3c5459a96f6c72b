# SPDX-License-Identifier: Apache-2.0
"""Words of forms and sentences that name nobody, whatever stands beside them.

Closed classes only: labels, titles, professions, and the little words of English. What is a family
name as often (Price, Read) is in none of them.
"""

from __future__ import annotations

LABELS = frozenset(
    str.split(
        "name names surname forename firstname lastname record number no nr date birth born dob "
        "sex gender age accession referring physician patient id mrn medical hospital ward exam "
        "examination study procedure order requested requesting reported reporting dictated "
        "transcribed electronically signed verified approved indication history clinical "
        "comparison technique findings impression conclusion result results specimen reference "
        "range unit units phone fax email address policy insurance department page report final "
        "preliminary addendum correct corrected ref test flag value "
        "geburtsdatum befund patient patientin untersuchung nachname vorname datum "
        "nom prenom compte rendu medecin traitant naissance paciente medico solicitante fecha "
    )
)
"""Labels of fields; they count with a colon behind them or behind the last of several."""
TITLES = frozenset(
    str.split(
        "mr mrs ms miss dr prof md rn rdms phd frcr bsc radiologist neurologist cardiologist "
        "surgeon consultant professor sonographer radiographer physician technologist nurse "
        "operator registrar oncologist pathologist urologist "
    )
)
"""Titles and professions."""
FUNCTION_WORDS = frozenset(
    str.split(
        "of and the is are was were be been being has have had a an at on in to by with without "
        "for from into onto under over after before between within during about as or but nor "
        "than then that this these those there here he she it they we his her its their our who "
        "whom which whose when where while if not no both each all any some such only also very "
        "please shows showed shown seen"
    )
)
TAILS = frozenset(
    str.split(
        "street st road rd avenue ave drive lane court place square terrace close crescent way "
        "boulevard blvd highway parkway gardens grove hill park row mews hospital clinic center "
        "centre infirmary institute practice surgery house building suite apartment apt floor"
    )
)
"""Last words of addresses and institutions; they go where what stands before them does."""
