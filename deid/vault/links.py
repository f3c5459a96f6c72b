# SPDX-License-Identifier: Apache-2.0
"""The link of one study: what a result needs to find its patient again, also as a sealed file."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from deid.errors import VaultAccessError, VaultError
from deid.vault.sealing import USUAL, Cost, bound, cost_of, opened, seal, stretched

_FORMAT = "sidelight link 1"


@dataclass(frozen=True, repr=False)
class Links:
    """From a pseudonymous study back to the original.

    Attributes
    ----------
    study:
        Pseudonymous Study Instance UID.
    original:
        Patient's and study's attributes by keyword, as ``STUDY_ATTRIBUTES`` has them.
    uids:
        Original UIDs of study, series, instances and frames of reference by their stand-ins.
    """

    study: str
    original: Mapping[str, str]
    uids: Mapping[str, str]

    def save(self, path: Path, passphrase: str, cost: Cost = USUAL) -> None:
        """Write the link file: sealed under a pass-phrase of its own, bound to the study.

        It is for the place where results arrive and the vault isn't; it belongs inside the PHI
        zone, never beside the de-identified study.

        Raises
        ------
        VaultAccessError
            If the pass-phrase is too short.
        VaultError
            If there is a file already, or it can't be written.
        """
        salt = secrets.token_bytes(16)
        told = json.dumps({"original": dict(self.original), "uids": dict(self.uids)})
        sealed = seal(stretched(passphrase, salt, cost), told.encode(), _binding(self.study))
        content = {
            "format": _FORMAT,
            "study": self.study,
            "argon2id": cost._asdict(),
            "salt": base64.b64encode(salt).decode(),
            "sealed": base64.b64encode(sealed).decode(),
        }
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise VaultError(f"can't write the link file: {error.strerror}") from None
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as stream:
                json.dump(content, stream, indent=1)
        except OSError as error:
            # Half a link leads nowhere, and would be in the way of a whole one.
            path.unlink(missing_ok=True)
            raise VaultError(f"can't write the link file: {error.strerror}") from None

    @classmethod
    def load(cls, path: Path, passphrase: str) -> Self:
        """Read a link file.

        Raises
        ------
        VaultError
            If it is none.
        VaultAccessError
            If the pass-phrase is wrong or the file was changed.
        """
        try:
            read = json.loads(path.read_text("ascii"))
            if read["format"] != _FORMAT:
                raise VaultError("a link file of another version")
            salt, sealed = base64.b64decode(read["salt"]), base64.b64decode(read["sealed"])
            study, cost = str(read["study"]), _cost_in(read["argon2id"])
        except (OSError, ValueError, KeyError, TypeError):
            raise VaultError("this is no link file") from None
        try:
            told = json.loads(opened(stretched(passphrase, salt, cost), sealed, _binding(study)))
        except VaultAccessError:
            raise
        except VaultError:
            raise VaultAccessError(
                "not the pass-phrase of this link file, or the file was changed"
            ) from None
        return cls(study, told["original"], told["uids"])


def _cost_in(told: Mapping[str, int]) -> Cost:
    try:
        return cost_of(told["memory"], told["iterations"], told["lanes"])
    except VaultError:
        raise ValueError("a cost that no link file has") from None


def _binding(study: str) -> bytes:
    return bound(_FORMAT, study)
