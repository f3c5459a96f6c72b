# SPDX-License-Identifier: Apache-2.0
"""``sidelight deid run``: files, folders and archives, in several processes, resumable."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from deid.batch.journal import Journal, started
from deid.batch.outcome import Outcome, Summary
from deid.batch.run import jobs_for, run
from deid.batch.settings import Settings
from deid.batch.worker import Task
from deid.errors import DeidentificationError, OutputError, VaultError
from deid.key import IN_ENVIRONMENT, DeidentificationKey
from deid.options import Option
from deid.policy import Documents, Faces, Models, PixelText, ScannedPages
from deid.profile_files import load
from deid.source_files import SourceFile, sources
from deid.vault import Role, Vault
from deid.vault.passphrases import passphrase_of

if TYPE_CHECKING:
    from deid.batch.reports import CleanReports

OptionName = StrEnum(  # type: ignore[misc]  # the members are those of Option
    "OptionName", {option.name: option.name.lower().replace("_", "-") for option in Option}
)


def deidentify(  # noqa: PLR0913 - one parameter per option of the command line
    source: Annotated[
        Path, typer.Argument(metavar="IN", exists=True, help="A file, folder, DICOMDIR or ZIP.")
    ],
    target: Annotated[
        Path | None,
        typer.Argument(metavar="[OUT]", file_okay=False, help="Folder, made if missing."),
    ] = None,
    *,
    out: Annotated[Path | None, typer.Option(file_okay=False, help="The same as OUT.")] = None,
    key_file: Annotated[
        Path,
        typer.Option(
            envvar="SIDELIGHT_DEID_KEY_FILE", help="The site's key, made if missing; or env:NAME."
        ),
    ],
    option: Annotated[
        list[OptionName] | None,
        typer.Option(help="Option of the profile, repeatable; none means strict Basic Profile."),
    ] = None,
    profile: Annotated[
        str, typer.Option(help="basic, research, or the path of a profile in TOML.")
    ] = "basic",
    allow_burned_in: Annotated[
        bool, typer.Option(help="Let pass what says that text is burned into its pixels.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write what was done to each element as JSON.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes; by default up to one per core.")
    ] = None,
    redo: Annotated[
        bool, typer.Option(help="Do again what an earlier run into OUT has finished.")
    ] = False,
    pixel_text: Annotated[
        PixelText | None,
        typer.Option(help="Text in pixels; as the profile says, which masks if it says nothing."),
    ] = None,
    faces: Annotated[
        Faces | None, typer.Option(help="Faces in CT and MR; by default as the profile says.")
    ] = None,
    set_aside: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            help="Folder for heads whose faces can't be masked, and documents for review.",
        ),
    ] = None,
    secondary_captures: Annotated[
        Documents | None, typer.Option(help="Screenshots; by default as the profile says.")
    ] = None,
    scanned_forms: Annotated[
        Documents | None, typer.Option(help="Scanned paper; by default as the profile says.")
    ] = None,
    encapsulated_documents: Annotated[
        Documents | None, typer.Option(help="PDF and CDA in DICOM; as the profile says.")
    ] = None,
    reports: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Folder of reports (HL7, FHIR, PDF, RTF, HTML, DOCX, text) of these studies, "
            "for OUT/reports.",
        ),
    ] = None,
    scanned_pages: Annotated[
        ScannedPages | None, typer.Option(help="Scanned pages of a PDF; as the profile says.")
    ] = None,
    models: Annotated[
        Models | None, typer.Option(help="3D models; by default as the profile says.")
    ] = None,
    videos: Annotated[
        Documents | None, typer.Option(help="MPEG-2, H.264, HEVC; by default as the profile says.")
    ] = None,
    vault: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Keep the originals there.")
    ] = None,
) -> None:
    """De-identify IN by PS3.15 Annex E into OUT/study/series/instance.dcm, named by new UIDs.

    A run that was stopped goes on where it was when the same command is given again. Ends with
    status 1 if a DICOM file was refused or waits for review, 3 if it could not be carried through.
    """
    folder = out or target
    if folder is None:
        raise typer.BadParameter("say where to write: --out FOLDER")
    if source.is_dir() and folder.resolve() == source.resolve():
        raise typer.BadParameter("OUT must be another folder than IN")
    _refuse_inside(
        folder, {"what is set aside": set_aside, "the key": key_file, "the vault": vault}
    )
    if report and (report.is_dir() or not _is_writable(report)):
        raise typer.BadParameter("the report can't be written there")
    console = Console(stderr=True)
    with ExitStack() as stack:
        try:
            asked = {
                "pixel_text": pixel_text,
                "faces": faces,
                "secondary_captures": secondary_captures,
                "scanned_forms": scanned_forms,
                "encapsulated_documents": encapsulated_documents,
                "scanned_pages": scanned_pages,
                "models": models,
                "videos": videos,
            }
            settings = _settings(key_file, option or (), profile, (allow_burned_in, asked))
            # Made for the first run: results of another key would not belong to those there are.
            DeidentificationKey.from_file(key_file, create=not started(folder))
            settings.deidentifier()
            keeper = stack.enter_context(_opened(vault)) if vault else None
            journal = stack.enter_context(Journal(folder))
        except DeidentificationError as error:
            raise typer.BadParameter(str(error)) from error
        files = _inputs(source, folder)
        told = _reports(settings, files, reports, folder, console) if reports else None
        finished = {} if redo else journal.finished
        identifier = keeper.identifier if keeper else ""
        task = Task(
            settings,
            folder,
            report is not None,
            identifier,
            finished,
            set_aside,
            told.revealed if told else None,
        )
        outcomes = run(files, task, journal, jobs or jobs_for(len(files)), keeper)
        summary = _counted(outcomes, len(files), console)
    _tell(summary, console)
    if report is not None:
        _write(report, summary, console)
    if summary.refused or summary.for_review or (told and told.refused):
        raise typer.Exit(1)


def _refuse_inside(out: Path, kept: Mapping[str, Path | None]) -> None:
    """Refuse to put beside the results what whoever gets these must not have."""
    for what, path in kept.items():
        named = path is not None and not str(path).startswith(IN_ENVIRONMENT)
        if path and named and path.resolve().is_relative_to(out.resolve()):
            raise typer.BadParameter(f"{what} must lie outside of OUT")


def _reports(
    settings: Settings, files: list[SourceFile], folder: Path, out: Path, console: Console
) -> CleanReports:
    """Clean the reports, before the images that they tell of."""
    # Looked up here: who has none loads no detectors of free text.
    from deid.batch.reports import clean_reports  # noqa: PLC0415

    made = clean_reports(settings, files, folder)
    try:
        made.write(out)
    except OutputError as error:
        console.print(f"stopped before the images: {error}")
        raise typer.Exit(3) from error
    console.print(
        f"{len(made.files)} reports written, {made.refused.total()} refused, "
        f"{made.unlinked} belong to none of the studies, {made.passed_over} other files passed over"
    )
    for reason, count in made.refused.most_common():
        console.print(f"  {count} x {reason}")
    return made


def _inputs(source: Path, out: Path) -> list[SourceFile]:
    """The files to read; results of an earlier run are none, where OUT lies inside IN."""
    base, results = (source if source.is_dir() else source.parent).resolve(), out.resolve()
    if results == base or not results.is_relative_to(base):
        return list(sources(source))
    return [file for file in sources(source) if not file.path.resolve().is_relative_to(results)]


def _settings(
    key_file: Path,
    option: Iterable[OptionName],
    profile: str,
    asked: tuple[bool, Mapping[str, Any]],
) -> Settings:
    """The profile, with what the command line says instead."""
    chosen = load(profile)
    allow_burned_in, others = asked
    allowed = allow_burned_in or chosen.policy.allow_burned_in_annotation
    return Settings(
        key_file,
        chosen.options.union(Option[name.name] for name in option),
        replace(
            chosen.policy,
            allow_burned_in_annotation=allowed,
            **{name: value for name, value in others.items() if value is not None},
        ),
    )


def _opened(vault: Path) -> Vault:
    return Vault.open(vault, Role.CURATOR, passphrase_of(Role.CURATOR))


def _counted(outcomes: Iterable[Outcome], files: int, console: Console) -> Summary:
    summary = Summary()
    progress = Progress(
        TextColumn("De-identifying"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=files < 2,
    )
    try:
        with progress:
            for outcome in progress.track(outcomes, total=files):
                summary.add(outcome)
    except (OutputError, VaultError) as error:
        console.print(f"stopped after {summary.written} files: {error}")
        raise typer.Exit(3) from error
    return summary


def _is_writable(file: Path) -> bool:
    return os.access(file if file.exists() else file.parent, os.W_OK)


def _write(report: Path, summary: Summary, console: Console) -> None:
    try:
        report.write_text(summary.to_json(), encoding="utf-8")
    except OSError as error:
        console.print(f"the report can't be written: {error.strerror}; run again, files are done")
        raise typer.Exit(3) from error


def _tell(summary: Summary, console: Console) -> None:
    console.print(
        f"{summary.written} written, {summary.refused.total()} refused, "
        f"{summary.not_dicom} not DICOM"
    )
    if summary.resumed:
        console.print(f"  {summary.resumed} of those written were there from an earlier run")
    if summary.same_instance:
        console.print(
            f"  {summary.same_instance} have the SOP Instance UID of another: one file each is left"
        )
    for what, kinds in (("dropped", summary.dropped), ("for review", summary.for_review)):
        for kind, count in kinds.most_common():
            console.print(f"  {count} {what}: {kind}")
    for reason, count in summary.refused.most_common():
        console.print(f"  {count} x {reason}")
