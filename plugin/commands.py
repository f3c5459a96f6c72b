# SPDX-License-Identifier: AGPL-3.0-or-later
"""The console script ``sidelight``: every package brings its own commands.

They are found as entry points of the group ``sidelight.commands``, so that no package has to import
another one for the sake of a command line.
"""

from __future__ import annotations

import sys
from importlib import metadata

import typer

GROUP = "sidelight.commands"


def main() -> None:
    """Run the command line; the packages behind a command are loaded only when it is called."""
    application = typer.Typer(
        name="sidelight",
        help="DICOM-native AI beside Orthanc: de-identify, recognize, analyse, report.",
        no_args_is_help=True,
        add_completion=False,
        # Variables of a failed command may hold a name; older versions of typer show them.
        pretty_exceptions_show_locals=False,
    )
    asked = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    found = {point.name: point for point in metadata.entry_points(group=GROUP)}
    for name in [asked] if asked in found else sorted(found):
        application.add_typer(found[name].load(), name=name)

    @application.callback()
    def options() -> None:
        """DICOM-native AI beside Orthanc: de-identify, recognize, analyse, report."""

    application()
