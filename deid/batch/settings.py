# SPDX-License-Identifier: Apache-2.0
"""All that the result of a run depends on, in a form that reaches other processes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from deid.deidentifier import Deidentifier
from deid.key import DeidentificationKey
from deid.options import Option
from deid.policy import Policy
from deid.pseudonyms import Pseudonyms
from deid.revealed import Revealed
from deid.site_vocabulary import SiteVocabulary


@dataclass(frozen=True)
class Settings:
    """Key, options and policy of a run.

    Attributes
    ----------
    key_file:
        Where the key is: each process reads it there, the key itself is sent nowhere.
    options:
        Options of the profile.
    policy:
        What the site decides.
    """

    key_file: Path
    options: frozenset[Option] = frozenset()
    policy: Policy = field(default_factory=Policy)

    def key(self) -> DeidentificationKey:
        """Read the key, which must be there: were it made anew in one process, others had another.

        Raises
        ------
        KeyFileError
            If it is missing, can't be read, or others can read it.
        """
        return DeidentificationKey.from_file(self.key_file, create=False)

    def deidentifier(self, revealed: Revealed | None = None) -> Deidentifier:
        """The de-identifier that these settings describe.

        Parameters
        ----------
        revealed:
            What other texts say of the studies.

        Raises
        ------
        DeidentificationError
            If the key can't be read or two options contradict each other.
        """
        return Deidentifier(self.key(), self.options, self.policy, revealed=revealed)

    def pseudonyms(self) -> Pseudonyms:
        """The same stand-ins as the de-identifier's."""
        return Pseudonyms(self.key(), self.policy.date_shift_days)

    def digest(self) -> bytes:
        """32 bytes that differ where options, policy or the version of the rules differ."""
        options = ",".join(sorted(option.name for option in self.options))
        told = f"{_version()}\n{options}\n{self.policy!r}"
        if self.policy.vocabulary:
            words = SiteVocabulary(Path(self.policy.vocabulary)).words()
            told += "".join(f"\n{','.join(sorted(part))}" for part in words)
        return hashlib.sha256(told.encode()).digest()


def _version() -> str:
    try:
        return metadata.version("sidelight")
    except metadata.PackageNotFoundError:
        # Run from a source tree: nothing tells two states of it apart, and --redo is at hand.
        return "source"
