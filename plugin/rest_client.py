# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sidelight's REST behind an Orthanc, for the commands of the command line."""

from __future__ import annotations

import os
from typing import Any

import httpx
import typer

PASSWORD = "SIDELIGHT_PASSWORD"  # noqa: S105 - the name of a variable
URL_OPTION = typer.Option(help="Orthanc")
USER_OPTION = typer.Option(help=f"Orthanc's user; the password is read from {PASSWORD}")


class RestClient:
    """One Orthanc.

    Raises:
        typer.Exit: Orthanc can't be reached or refuses; says why.
    """

    def __init__(self, url: str, user: str) -> None:
        auth = (user, os.environ.get(PASSWORD, "")) if user else None
        self._client = httpx.Client(base_url=url, auth=auth, timeout=60.0, trust_env=False)

    def get(self, path: str) -> Any:
        """JSON of an address."""
        return self._answer("GET", path).json()

    def post(self, path: str, content: Any = None) -> Any:
        """JSON of what an order is answered with."""
        return self._answer("POST", path, json={} if content is None else content).json()

    def file(self, instance: str) -> bytes:
        """A DICOM file as Orthanc has it."""
        return self._answer("GET", f"/instances/{instance}/file").content

    def _answer(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise stop(f"Orthanc can't be reached ({type(error).__name__})") from None
        if answer.status_code == 401:
            raise stop(f"Orthanc wants --user and its password in {PASSWORD}")
        if answer.status_code not in (200, 202):
            raise stop(f"Orthanc answers {answer.status_code}{_said(answer)}")
        return answer


def stop(message: str) -> typer.Exit:
    """Say what is wrong, and end with code 1."""
    typer.echo(message, err=True)
    return typer.Exit(1)


def _said(answer: httpx.Response) -> str:
    """What Sidelight says of it; Orthanc's own errors may quote what was asked for."""
    try:
        return f": {answer.json()['message']}" if answer.status_code < 500 else ""
    except (ValueError, KeyError, TypeError):
        return ""
