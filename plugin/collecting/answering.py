# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which models answer now, so that a label counts no longer than the model that gave it.

A model that was rolled back would go on teaching through the rows that it labelled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from plugin.anatomy.lessons import MODEL, SOURCE

_TAGS, _PIXELS = "tags", "pixels"


class Answering:
    """The models of one run.

    Args:
        named: name and version (``anatomy-metadata 0.1.0``) by name, where the inference service
            was asked; else they are known as soon as they have answered.
    """

    def __init__(self, named: Mapping[str, str] | None = None) -> None:
        self._now = dict(named or {})

    @property
    def now(self) -> Mapping[str, str]:
        """Name and version of those that are known, by name."""
        return self._now

    def hear(self, model: str) -> bool:
        """Take note of who answered; whether that is news."""
        name = _name_of(model)
        if not name or self._now.get(name) == model:
            return False
        self._now[name] = model
        return True

    def stands_by(self, row: Mapping[str, str], *, pixels_are_asked: bool) -> bool:
        """Whether a kept row need not be looked at again for the sake of who labelled it.

        As long as no model of a run is known, tags are read again: their answer tells. Pixels are
        fetched again only where another model is known to answer.
        """
        source, model = row.get(SOURCE), row.get(MODEL, "")
        if source == _TAGS:
            return model in self._now.values()
        if source == _PIXELS and pixels_are_asked:
            return bool(model) and self._now.get(_name_of(model), model) == model
        return True


def counts(row: Mapping[str, str], answering: Collection[str]) -> bool:
    """Whether the label of a row may teach: a person's may, a model's while that model answers."""
    return row.get(SOURCE) not in {_TAGS, _PIXELS} or row.get(MODEL) in answering


def _name_of(model: str) -> str:
    return model.partition(" ")[0]
