# SPDX-License-Identifier: AGPL-3.0-or-later
"""``sidelight reviews``: what readers have corrected, and who has looked at originals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.console import Console
from rich.table import Table

from plugin.rest_client import URL_OPTION, USER_OPTION, RestClient, stop

app = typer.Typer(help="Reviews by readers, and who looked at originals.", no_args_is_help=True)

_KEY_FILE = "deidentification.key"
_PAGE = 1000
_LOOK = ("number", "at", "by", "kind", "item", "resource", "frame", "reason")


@app.command("list")
def list_remediations(
    url: Annotated[str, URL_OPTION] = "http://127.0.0.1:8042",
    user: Annotated[str, USER_OPTION] = "",
) -> None:
    """How each reviewed class of each model does, and whether a remediation is open."""
    table = Table("model", "version", "finding", "wrong", "reviewed", "remediation")
    for one in RestClient(url, user).get("/sidelight/remediations")["remediations"]:
        row = [one["model"], one["version"], one["finding"], one["wrong"], one["reviewed"]]
        table.add_row(*(str(part) for part in row), one["state"])
    Console().print(table)


@app.command("export")
def export_reviews(
    out: Annotated[Path, typer.Option(help="folder to make; must not hold an export already")],
    key_file: Annotated[
        Path, typer.Option(help="the site's de-identification key (DataDirectory)", exists=True)
    ],
    url: Annotated[str, URL_OPTION] = "http://127.0.0.1:8042",
    user: Annotated[str, USER_OPTION] = "",
    form: Annotated[str, typer.Option(help="dicom or png")] = "dicom",
) -> None:
    """De-identified images with labels.csv and boxes.csv, for ``train heatmap --from-reviews``."""
    # Looked up here: the other commands answer without loading pydicom.
    from deid import DeidentificationError, Deidentifier, Policy  # noqa: PLC0415
    from deid.policy import PixelText  # noqa: PLC0415
    from plugin.review.export import Form, export  # noqa: PLC0415
    from plugin.site_key import SiteKey  # noqa: PLC0415

    if form not in ("dicom", "png"):
        raise typer.BadParameter("--form is dicom or png")
    try:
        deidentifier = Deidentifier(
            SiteKey.of(str(key_file), key_file.parent).existing(),
            policy=Policy(pixel_text=PixelText.MASK),
        )
    except DeidentificationError as error:
        raise stop(str(error)) from None
    try:
        result = export(RestClient(url, user), deidentifier, out, cast("Form", form))
    except FileExistsError:
        raise stop(f"{out} holds an export already; give another folder") from None
    typer.echo(f"{result.written} images, {result.unlabelled} without a judged class")
    for reason, count in sorted(result.refused.items()):
        typer.echo(f"{count} refused: {reason}")


@app.command("looks")
def list_looks(
    url: Annotated[str, URL_OPTION] = "http://127.0.0.1:8042",
    user: Annotated[str, USER_OPTION] = "",
    data: Annotated[
        Path | None,
        typer.Option(help="Sidelight's DataDirectory: check every record of its file instead"),
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="the site's de-identification key, with --data")
    ] = None,
) -> None:
    """Who looked at which original while de-identified images were reviewed, and when.

    Over REST for accounts of DeidentificationReview.Auditors; from the file for who has the key.
    """
    table = Table("number", "at", "by", "what", "item", "image or series", "frame", "reason")
    looks = _looks(RestClient(url, user)) if data is None else _kept_looks(data, key_file)
    for one in looks:
        table.add_row(*(str(one[name]) for name in _LOOK))
    Console().print(table)


def _looks(client: RestClient) -> Iterator[dict[str, Any]]:
    last = 0
    while page := client.get(f"/sidelight/deid/audit?after={last}&limit={_PAGE}")["records"]:
        yield from page
        last = page[-1]["number"]


def _kept_looks(data: Path, key_file: Path | None) -> list[dict[str, Any]]:
    # Looked up here, as above.
    from deid import DeidentificationError, DeidentificationKey  # noqa: PLC0415
    from plugin.deid_review.accesses import FILE_NAME, AccessAudit  # noqa: PLC0415
    from plugin.web.deid_audit import shown  # noqa: PLC0415

    if not (data / FILE_NAME).is_file():
        raise stop(f"there is no {FILE_NAME} in this folder: nobody has looked")
    try:
        key = DeidentificationKey.from_file(key_file or data / _KEY_FILE, create=False)
        return [shown(one) for one in AccessAudit(data / FILE_NAME, key).after(0)]
    except (OSError, DeidentificationError) as error:
        raise stop(str(error)) from None
