# SPDX-License-Identifier: AGPL-3.0-or-later
"""All tables that the configuration names, checked before anything starts."""

from __future__ import annotations

from plugin.configuration.anatomy_rules import read_anatomy_rules
from plugin.configuration.application_table import check_secrets, read_applications
from plugin.configuration.copy_table import check_copies, read_copies
from plugin.configuration.hanging_table import read_hangings
from plugin.configuration.priority_table import read_priorities
from plugin.configuration.standard_entries import read_standard_entries
from plugin.configuration.whole import Configuration


def check_tables(configuration: Configuration) -> None:
    """Read every table once.

    Raises:
        TableError: a table can't be used; says which, and what is wrong in it.
    """
    check_secrets(read_applications(configuration.applications.table))
    check_copies(read_copies(configuration.copies.table))
    read_hangings(configuration.hanging.table)
    read_anatomy_rules(configuration.anatomy.rules)
    read_priorities(configuration.worklist.priority_table)
    read_standard_entries(configuration.standardization.table)
