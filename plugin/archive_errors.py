# SPDX-License-Identifier: AGPL-3.0-or-later
"""What may go wrong between a child process and Orthanc."""

from __future__ import annotations

import httpx


class ArchiveError(RuntimeError):
    """Orthanc answered with an error; ``answer`` is its body, which is not for logs."""

    answer = b""


class NotFoundError(ArchiveError):
    """Orthanc has no such resource (any more)."""


class ArchiveUnavailableError(ArchiveError):
    """Orthanc can't be reached or did not answer in time; worth another try."""


class StoreError(ArchiveError):
    """Orthanc did not keep an object that was sent to it."""


def unreachable(error: httpx.HTTPError) -> ArchiveUnavailableError:
    """The error of a connection, without what was said over it."""
    return ArchiveUnavailableError(f"Orthanc can't be reached ({type(error).__name__})")


def require_success(response: httpx.Response, path: str) -> None:
    """Take an answer of Orthanc that is none of its errors.

    Args:
        response: its content may still be unread.
        path: what was asked for.

    Raises:
        ArchiveError: it is one; ``NotFoundError`` and ``ArchiveUnavailableError`` where it says so.
    """
    if response.status_code == 404:
        raise NotFoundError("Orthanc has no such resource")
    if response.status_code in (502, 503, 504):
        raise ArchiveUnavailableError(f"Orthanc answers {response.status_code}")
    if response.status_code >= 400:
        place = f"{response.request.method} /{path.split('/')[1]}/…"
        refusal = ArchiveError(f"Orthanc answers {response.status_code} to {place}")
        refusal.answer = response.read()
        raise refusal
