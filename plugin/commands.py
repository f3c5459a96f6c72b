# SPDX-License-Identifier: AGPL-3.0-or-later
"""The console script ``sidelight``: every package brings its own commands.

They are found as entry points of the group ``sidelight.commands``, so that no package has to import
another one for the sake of a command line.
"""

from __future__ import annotations

import sys
from importlib import metadata

import typer

from deid.quiet import quiet_libraries

GROUP = "sidelight.commands"
SUMMARIES = {
    "anatomy": "Recognize the anatomy of scans from their headers.",
    "applications": "The table of applications.",
    "arrivals": "Refused arrivals that an archive keeps encrypted.",
    "copies": "The table of de-identified copies.",
    "deid": "Remove identities from DICOM files.",
    "deidentify": "Remove identities from DICOM files.",
    "demo": "Show the whole line on this machine, with sample scans.",
    "evaluate": "Measure models.",
    "heatmaps": "Heat maps as pictures and regions, offline.",
    "key": "The site's key, and the one that a node began with.",
    "models": "Import, check, sign, set up and promote model bundles.",
    "phantom": "Make phantom scans with known findings.",
    "retraining": "Headers to train the anatomy models with.",
    "reviews": "Reviews by readers, and who looked at originals.",
    "standardize": "Standard headers: what they change, and the way back.",
    "tables": "The tables that an admin edits.",
    "train": "Train models.",
}
"""The commands' own words, for a list of them that loads none; others are loaded to be listed."""


def main() -> None:
    """Run the command line; the packages behind a command are loaded only when it is called.

    No command shows a DICOM library's warnings: they quote values, which may be of a patient.
    """
    quiet_libraries()
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
    if asked in found:
        application.add_typer(found[asked].load(), name=asked)
    else:
        for name in sorted(found):
            application.add_typer(_listed(found[name]), name=name)

    @application.callback()
    def options() -> None:
        """DICOM-native AI beside Orthanc: de-identify, recognize, analyse, report."""

    application()


def _listed(point: metadata.EntryPoint) -> typer.Typer:
    """A command for the list of commands alone."""
    summary = SUMMARIES.get(point.name)
    if summary is None:
        own: typer.Typer = point.load()
        return own
    listed = typer.Typer(help=summary)
    # A group without a callback counts as empty, and is left out.
    listed.callback()(lambda: None)
    return listed
