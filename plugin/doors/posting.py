# SPDX-License-Identifier: AGPL-3.0-or-later
"""POST to a receiver, and what its status means for the delivery."""

from __future__ import annotations

import ssl
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import httpx

from plugin.chunks import Chunks
from plugin.doors.errors import RefusedError, UnreachableError

_LATER = (408, 425, 429)
"""Statuses that ask to try again (RFC 9110, RFC 8470, RFC 6585)."""


@dataclass(frozen=True)
class Receiver:
    """Where to, and how its certificate is checked."""

    url: str
    timeout_seconds: float
    certificate_authority: str = ""


def post(
    receiver: Receiver,
    body: bytes | Iterable[bytes],
    headers: Mapping[str, str],
    *,
    done: Collection[int] = (),
) -> bytes:
    """Send, and return what the receiver answers when it has it: status 2xx, or one of ``done``.

    Redirects are not followed: what was signed for one address goes to no other.

    Raises:
        UnreachableError: no connection, no answer in time, or a status that asks for another try.
        RefusedError: any other status.
    """
    if isinstance(body, bytes):
        body = Chunks([body])
    if isinstance(body, Chunks):
        headers = {**headers, **body.headers}
    try:
        with httpx.Client(
            verify=_verification(receiver), timeout=receiver.timeout_seconds, trust_env=False
        ) as client:
            answer = client.post(receiver.url, content=body, headers=dict(headers))
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise UnreachableError(f"the certificate authority can't be read ({why})") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # Its message may quote the address, which may hold a password.
        why = _distrust(error) or f"can't be reached ({type(error).__name__})"
        raise UnreachableError(f"the receiver {why}") from None
    status = answer.status_code
    if 200 <= status < 300 or status in done:
        return answer.content
    if status >= 500 or status in _LATER:
        raise UnreachableError(f"the receiver answers {status}")
    raise RefusedError(f"the receiver answers {status}")


def _distrust(error: BaseException | None) -> str:
    """That its certificate is not trusted and why, where this is what an error comes from."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"shows a certificate that is not trusted ({error.verify_message})"
        error = error.__cause__ or error.__context__
    return ""


def _verification(receiver: Receiver) -> ssl.SSLContext | bool:
    if not receiver.certificate_authority:
        return True
    return ssl.create_default_context(cafile=receiver.certificate_authority)
