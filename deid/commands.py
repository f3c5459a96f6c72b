# SPDX-License-Identifier: Apache-2.0
"""``sidelight deidentify``: de-identify files and folders."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from deid.deidentifier import Deidentifier
from deid.errors import DeidentificationError, NotDicomError
from deid.key import DeidentificationKey
from deid.options import Option
from deid.policy import Policy
from deid.scan import DeidentifiedScan

app = typer.Typer(help="Remove identities from DICOM files.")

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


@app.callback(
    invoke_without_command=True,
    no_args_is_help=True,
    context_settings={"allow_interspersed_args": True},
)
def deidentify(
    source: Annotated[Path, typer.Argument(metavar="IN", exists=True, help="A file or folder.")],
    target: Annotated[
        Path, typer.Argument(metavar="OUT", file_okay=False, help="Folder, made if missing.")
    ],
    key_file: Annotated[
        Path,
        typer.Option(envvar="SIDELIGHT_DEID_KEY_FILE", help="The site's key; made if missing."),
    ],
    option: Annotated[
        list[OptionName] | None,
        typer.Option(help="Option of the profile, repeatable; none means strict Basic Profile."),
    ] = None,
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
    try:
        deidentifier = Deidentifier(
            DeidentificationKey.from_file(key_file),
            [Option[name.name] for name in option or ()],
            Policy(allow_burned_in_annotation=allow_burned_in),
        )
    except DeidentificationError as error:
        raise typer.BadParameter(str(error)) from error
    files = list(_files(source))
    summary = _Summary()
    for file in track(files, "De-identifying", console=console, disable=len(files) < 2):
        _process(file, target, deidentifier, summary, report is not None)
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


def _files(source: Path) -> Iterator[Path]:
    if source.is_file():
        yield source
    else:
        yield from sorted(path for path in source.rglob("*") if path.is_file())


def _process(
    file: Path, target: Path, deidentifier: Deidentifier, summary: _Summary, detailed: bool
) -> None:
    try:
        scan = deidentifier.deidentify(file)
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
