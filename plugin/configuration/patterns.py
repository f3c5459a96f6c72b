# SPDX-License-Identifier: AGPL-3.0-or-later
"""Patterns of the keys, in an admin's words: for messages and for the documentation."""

from __future__ import annotations

IN_WORDS = {
    r"^$|^/.+": "absolute path, or empty",
    r"^$|^unix:/.+|^https?://.+": "unix:/path, https://…, http:// on loopback, or empty",
    r"^$|^https?://[^\s]+$": "https://… or http://…, or empty",
    r"^(auto|cpu|cuda(:\d+)?)$": "auto, cpu, cuda, or cuda: and a number",
    r"^[A-Za-z0-9+/]{43}=$": "44 characters of base64",
    r"^$|^([01]?\d|2[0-3])-([01]?\d|2[0-3])$": "two full hours from 0 to 23 as 22-5, or empty",
    r"^[A-Za-z0-9_-]{0,40}$": "up to 40 letters, digits, - and _",
    r"^[!-\[\]-~]{1,16}$": "1 to 16 characters without blanks and backslashes",
    r"^$|^[A-Za-z0-9-]+$": "letters, digits and -, or empty",
}
