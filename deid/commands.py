# SPDX-License-Identifier: Apache-2.0
"""``sidelight deid``: de-identify files, folders and ZIP archives; check and explain results."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from deid import checking
from deid.anonymity import QUASI_IDENTIFIERS
from deid.anonymity import anonymity as compared
from deid.commands_run import deidentify
from deid.commands_vault import give_back, vault
from deid.deidentifier import Deidentifier
from deid.encrypted_attributes import original_attributes
from deid.errors import DeidentificationError, NotDicomError
from deid.key import DeidentificationKey
from deid.profile_files import load
from deid.quiet import quiet_libraries
from deid.source_files import sources


class _DefaultsToRun(TyperGroup):
    """``deid PATH …`` is ``deid run PATH …``: the common use needs no command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_DefaultsToRun, help="Remove identities from DICOM files.")


@app.callback(no_args_is_help=True)
def _deid() -> None:
    """Remove identities from DICOM files."""
    quiet_libraries()


app.command("run")(deidentify)
app.command("return")(give_back)
app.add_typer(vault, name="vault")


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(exists=True, help="De-identified files.")],
    terms: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="File of identifiers to search for, one a line."
        ),
    ] = None,
    originals: Annotated[
        Path | None,
        typer.Option(
            exists=True, help="What the files were made of: its identifiers are searched for."
        ),
    ] = None,
    texts: Annotated[bool, typer.Option(help="Read free texts with the detectors, too.")] = False,
    pixels: Annotated[bool, typer.Option(help="Look for text in the pixels, too.")] = False,
) -> None:
    """Look for what should not be in de-identified files; status 1 if anything is found."""
    # Looked up here: networks are for whoever asks for them.
    from deid.checking_contents import PixelCheck, identifiers_of, texts_of  # noqa: PLC0415
    from deid.checking_originals import OriginalIdentifiers  # noqa: PLC0415

    console = Console(stderr=True)
    searched = _terms(terms) if terms else []
    words = identifiers_of(sources(originals)) if originals else []
    named = OriginalIdentifiers(sources(originals)) if originals else None
    writing = PixelCheck() if pixels else None
    found: Counter[checking.Finding] = Counter()
    files = 0
    for content in sources(folder):
        try:
            read = content.read()
            found.update(checking.check(read, searched, words))
            found.update(set(named.of(read)) if named else ())
            found.update(texts_of(read) if texts else ())
            found.update(writing.of(read) if writing else ())
        except NotDicomError:
            continue
        except DeidentificationError as error:
            found[checking.Finding("file", type(error).__name__)] += 1
        files += 1
    for finding, count in sorted(found.items()):
        console.print(f"{finding.place}  {finding.what}: {count} files")
    console.print(f"{files} files checked, {found.total()} findings")
    if found:
        raise typer.Exit(1)


def _terms(file: Path) -> list[str]:
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeError):
        # The cause is left out: it may quote a term.
        raise typer.BadParameter("the file of terms can't be read: it must be UTF-8") from None
    return [line.strip() for line in lines if line.strip()]


@app.command()
def explain(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    profile: Annotated[str, typer.Option(help="As for run.")] = "basic",
) -> None:
    """Say which rule holds for each element of FILE; no key is needed and no value shown."""
    try:
        chosen = load(profile)
        policy = chosen.policy.without_pixels()
        deidentifier = Deidentifier(DeidentificationKey.generate(), chosen.options, policy)
        records = deidentifier.deidentify(file).report.elements
    except DeidentificationError as error:
        raise typer.BadParameter(str(error)) from error
    for record in records:
        typer.echo(f"{record.path}\t{record.action}\t{record.rule}")


@app.command()
def originals(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    certificate: Annotated[Path, typer.Option(exists=True, help="Of the recipient, PEM.")],
    key: Annotated[Path, typer.Option(exists=True, help="Its private key, PEM.")],
) -> None:
    """Show the original values that FILE holds encrypted for a recipient (`encrypt_for`).

    The key's password comes from SIDELIGHT_RECIPIENT_PASSWORD, if it has one.
    """
    password = os.environ.get("SIDELIGHT_RECIPIENT_PASSWORD", "").encode() or None
    try:
        found = original_attributes(file, certificate.read_bytes(), key.read_bytes(), password)
    except DeidentificationError as error:
        raise typer.BadParameter(str(error)) from error
    for element in found:
        typer.echo(f"{element.tag}\t{element.keyword}\t{element.value}")


@app.command()
def anonymity(
    folder: Annotated[Path, typer.Argument(exists=True, help="De-identified files.")],
    k: Annotated[int, typer.Option(min=2, help="Patients that must be alike.")] = 5,
    attribute: Annotated[
        list[str] | None,
        typer.Option(help="Keyword of what others may know of a patient, repeatable."),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write it as JSON.")] = None,
) -> None:
    """Count how many patients share sex, age, size, ...; status 1 if fewer than K do."""
    console = Console(stderr=True)
    try:
        found = compared(sources(folder), k, attribute or QUASI_IDENTIFIERS)
    except DeidentificationError as error:
        raise typer.BadParameter(str(error)) from error
    if report is not None:
        try:
            told = json.dumps({"wanted": k, **found._asdict()}, indent=1)
            report.write_text(told, encoding="utf-8")
        except OSError as error:
            raise typer.BadParameter(f"can't write the report: {error.strerror}") from None
    console.print(f"{found.patients} patients by {', '.join(found.attributes)}: k = {found.k}")
    for size, classes in found.classes.items():
        console.print(f"  {classes} classes of {size}")
    for keyword, patients in found.alone.items():
        console.print(f"  alone by {keyword}: {patients}")
    console.print(f"{len(found.rare)} patients in classes of fewer than {k}")
    if found.rare:
        raise typer.Exit(1)
