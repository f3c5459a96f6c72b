# SPDX-License-Identifier: AGPL-3.0-or-later
"""``sidelight arrivals``: refused arrivals of an archive without originals."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from deid import DeidentificationError
from plugin.archive import Archive, ArchiveError
from plugin.arrival.held import FOLDER, HeldArrivals, HeldError
from plugin.site_key import SiteKey

app = typer.Typer(help="Refused arrivals that an archive keeps encrypted.", no_args_is_help=True)

DataOption = Annotated[
    Path, typer.Option("--data", exists=True, file_okay=False, help="Sidelight's DataDirectory.")
]
KeyOption = Annotated[
    Path | None,
    typer.Option("--key-file", help="The archive's key; by default the one in DataDirectory."),
]
NameArgument = Annotated[str, typer.Argument(help="As the list has it.")]


@app.callback()
def arrivals() -> None:
    """Refused arrivals that an archive keeps encrypted."""


@app.command("list")
def listed(data: DataOption, key_file: KeyOption = None) -> None:
    """Say what is kept, the oldest first: name, when, size and why it was refused."""
    with _said():
        for one in _held(data, key_file).entries():
            typer.echo(f"{one.name}\t{one.refused_at}\t{one.size}\t{one.reason}")


@app.command()
def release(
    name: NameArgument,
    data: DataOption,
    key_file: KeyOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the original there, for you alone, to be repaired.")
    ] = None,
    url: Annotated[
        str, typer.Option(help="Orthanc's address: send it once more through the arrival mode.")
    ] = "",
) -> None:
    """Hand out an original for repair, or send it again; what was stored is kept no longer.

    The value of the Authorization header for Orthanc comes from SIDELIGHT_ORTHANC_AUTHORIZATION.
    """
    if (out is None) == (not url):
        raise typer.BadParameter("give exactly one of --out and --url")
    with _said():
        held = _held(data, key_file)
        original = held.released(name)
        if out is not None:
            _write(out, original)
            return
        _send(url, original)
        held.discard(name)


@app.command()
def discard(name: NameArgument, data: DataOption, key_file: KeyOption = None) -> None:
    """Remove a kept arrival for good."""
    with _said():
        _held(data, key_file).discard(name)


def _held(data: Path, key_file: Path | None) -> HeldArrivals:
    key = SiteKey.of(str(key_file or data / "deidentification.key"), data)
    if not key.fingerprint.exists():
        raise HeldError("there is no archive in arrival mode in this data directory")
    return HeldArrivals(data / FOLDER, key.read())


def _send(url: str, original: bytes) -> None:
    if (urlsplit(url).hostname or "") not in ("127.0.0.1", "::1", "localhost"):
        # An original travels: to the arrival mode on this machine, and nowhere else.
        raise HeldError("--url: only an Orthanc on this machine, http://127.0.0.1:PORT")
    archive = Archive(url, os.environ.get("SIDELIGHT_ORTHANC_AUTHORIZATION", ""))
    try:
        archive.post_instance(original)
    except ArchiveError as error:
        raise HeldError(f"it was not stored and is kept: {error}") from None


def _write(out: Path, original: bytes) -> None:
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(original)
    except OSError as error:
        raise HeldError(f"can't write there: {error.strerror}") from None


@contextmanager
def _said() -> Iterator[None]:
    try:
        yield
    except (HeldError, DeidentificationError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app()
