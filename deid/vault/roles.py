# SPDX-License-Identifier: Apache-2.0
"""Who may do what with a vault."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Each has a pass-phrase of its own.

    An auditor's opens the key of the audit alone: no original can be read with it, whatever program
    is used. A curator's and a re-identifier's open the key of the entries; that a curator's runs
    add entries and read none is a rule of this program.
    """

    CURATOR = "curator"
    REIDENTIFIER = "reidentifier"
    AUDITOR = "auditor"


HOLDS_ENTRIES = frozenset({Role.CURATOR, Role.REIDENTIFIER})
