# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who sends a request, as far as Orthanc or a proxy before it has made sure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass

LONGEST_ACCOUNT = 64
_LOST = "?"
_OUTER_SPACE = re.compile(r"^ +| +$")


@dataclass(frozen=True)
class Caller:
    """Finds the user of a request.

    Args:
        authenticated: whether Orthanc itself checks user and password of every request; a name
            that nobody has checked is no name.
        user_header: request header in which a trusted proxy names the user; empty for none.
    """

    authenticated: bool
    user_header: str = ""

    def of(self, headers: Mapping[str, str]) -> str:
        """The user's name in printable ASCII, or nothing.

        What goes lost on the way becomes a question mark, which no account has that the
        configuration names: nobody is taken for somebody else.

        Args:
            headers: of the request, by lower-case name.
        """
        named = headers.get(self.user_header.lower(), "") if self.user_header else ""
        if not named and self.authenticated:
            named = _basic_user(headers.get("authorization", ""))
        # It goes on as a header: percent-encoding would be one more thing to get wrong.
        plain = named.encode("ascii", "replace").decode("ascii")
        plain = "".join(mark if mark.isprintable() else _LOST for mark in plain)
        if len(plain) > LONGEST_ACCOUNT:
            plain = plain[: LONGEST_ACCOUNT - 1] + _LOST
        if plain != plain.strip():
            # As a header it would lose them, and be another account.
            plain = _OUTER_SPACE.sub(_LOST, plain)
        return plain


def authenticates(whole: Mapping[str, object]) -> bool:
    """Whether Orthanc's configuration makes it check users (Orthanc Book, "Security")."""
    enabled = whole.get("AuthenticationEnabled")
    return bool(whole.get("RemoteAccessAllowed", False) if enabled is None else enabled)


def _basic_user(authorization: str) -> str:
    """User of HTTP Basic authentication (RFC 7617)."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(credentials, validate=True).decode("utf-8").partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""
