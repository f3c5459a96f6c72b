# SPDX-License-Identifier: Apache-2.0
"""``sidelight deid``: de-identify files, folders and ZIP archives; check and explain results."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from typer.core import TyperGroup

from deid import checking
from deid.deidentifier import Deidentifier
from deid.errors import DeidentificationError, NotDicomError
from deid.key import DeidentificationKey
from deid.options import Option
from deid.profile_files import load
from deid.scan import DeidentifiedScan
from deid.source_files import SourceFile, sources


class _DefaultsToRun(TyperGroup):
    """``deid PATH …`` is ``deid run PATH …``: the common use needs no command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_DefaultsToRun, help="Remove identities from DICOM files.")

OptionName = StrEnum(  # type: ignore[misc]  # the members are those of Option
    "OptionName", {option.name: option.name.lower().replace("_", "-") for option in Option}
)


@dataclass
class _Summary:
    """What became of the files; holds no name of any of them."""

    written: int = 0
    not_dicom: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    methods: tuple[str, ...] = ()
    instances: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(
            {
                "written": self.written,
                "not_dicom": self.not_dicom,
                "refused": self.refused,
                "methods": self.methods,
                "actions": self.actions,
                "instances": self.instances,
            },
            indent=1,
        )


@app.callback(no_args_is_help=True)
def _deid() -> None:
    """Remove identities from DICOM files."""


@app.command("run")
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
        typer.Option(envvar="SIDELIGHT_DEID_KEY_FILE", help="The site's key; made if missing."),
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
) -> None:
    """De-identify IN by PS3.15 Annex E into OUT/study/series/instance.dcm, named by new UIDs.

    Ends with status 1 if a DICOM file was refused.
    """
    console = Console(stderr=True)
    folder = out or target
    if folder is None:
        raise typer.BadParameter("say where to write: --out FOLDER")
    try:
        chosen = load(profile)
        deidentifier = Deidentifier(
            DeidentificationKey.from_file(key_file),
            [*chosen.options, *(Option[name.name] for name in option or ())],
            replace(
                chosen.policy,
                allow_burned_in_annotation=allow_burned_in
                or chosen.policy.allow_burned_in_annotation,
            ),
        )
    except DeidentificationError as error:
        raise typer.BadParameter(str(error)) from error
    files = list(sources(source))
    summary = _Summary()
    for file in track(files, "De-identifying", console=console, disable=len(files) < 2):
        _process(file, folder, deidentifier, summary, report is not None)
    if report is not None:
        report.write_text(summary.to_json(), encoding="utf-8")
    console.print(
        f"{summary.written} written, {summary.refused.total()} refused, "
        f"{summary.not_dicom} not DICOM"
    )
    for reason, count in summary.refused.most_common():
        console.print(f"  {count} x {reason}")
    if summary.refused:
        raise typer.Exit(1)


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(exists=True, help="De-identified files.")],
    terms: Annotated[
        Path | None, typer.Option(help="File of identifiers to search for, one a line.")
    ] = None,
) -> None:
    """Look for what should not be in de-identified files; status 1 if anything is found."""
    console = Console(stderr=True)
    lines = terms.read_text("utf-8").splitlines() if terms else []
    searched = [line.strip() for line in lines if line.strip()]
    found: Counter[checking.Finding] = Counter()
    files = 0
    for content in sources(folder):
        try:
            found.update(checking.check(content.read(), searched))
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


@app.command()
def explain(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    profile: Annotated[str, typer.Option(help="As for run.")] = "basic",
) -> None:
    """Say which rule holds for each element of FILE; no key is needed and no value shown."""
    try:
        chosen = load(profile)
        policy = replace(chosen.policy, allow_burned_in_annotation=True)
        deidentifier = Deidentifier(DeidentificationKey.generate(), chosen.options, policy)
        records = deidentifier.deidentify(file).report.elements
    except DeidentificationError as error:
        raise typer.BadParameter(str(error)) from error
    for record in records:
        typer.echo(f"{record.path}\t{record.action}\t{record.rule}")


def _process(
    file: SourceFile, target: Path, deidentifier: Deidentifier, summary: _Summary, detailed: bool
) -> None:
    try:
        scan = deidentifier.deidentify(file.read())
    except NotDicomError:
        summary.not_dicom += 1
        return
    except DeidentificationError as error:
        summary.refused[f"{type(error).__name__}: {error}"] += 1
        return
    _write(scan, target)
    summary.written += 1
    summary.methods = scan.report.methods
    summary.actions.update({str(action): n for action, n in scan.report.counts.items()})
    if detailed:
        summary.instances[scan.sop_instance_uid] = [
            (record.path, record.rule, str(record.action)) for record in scan.report.elements
        ]


def _write(scan: DeidentifiedScan, target: Path) -> None:
    folder = target / scan.study_instance_uid / scan.series_instance_uid
    folder.mkdir(parents=True, exist_ok=True)
    # Under its name a file is complete, also after a crash in between.
    temporary = folder / f".{scan.sop_instance_uid}.part"
    temporary.write_bytes(scan.to_bytes())
    temporary.replace(folder / f"{scan.sop_instance_uid}.dcm")
