# SPDX-License-Identifier: Apache-2.0
"""What the other series of a study say, as a sixth slot beside the five of a header.

A sequence is often named by its settings alone: ``t2_tse_tra`` is a brain as well as a prostate.
The names of a whole examination together say which: nobody does MPRAGE, FLAIR and SWI of a knee.
So the names of the other series, and what the lexicon reads in their headers, are one more input.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from inference.anatomy.evidence import Evidence
from inference.anatomy.header import Header
from inference.anatomy.learned.slots import numbers_of_words, token_numbers

MOST_SIBLINGS: Final = 12
"""Other series that are heard of one study."""
_NAMES = ("SeriesDescription", "ProtocolName")


class Sibling(NamedTuple):
    """Another series of the study: how it is called, and what the lexicon reads in its header.

    ``readings`` are words such as ``sibling:study:head``: the source, then the region; a source
    that only hints has a question mark.
    """

    name: str = ""
    readings: tuple[str, ...] = ()

    @property
    def speaks(self) -> bool:
        """Whether there is anything to hear."""
        return bool(self.name or self.readings)


def sibling_of(header: Header, found: Sequence[Evidence]) -> Sibling:
    """A header as its siblings see it.

    :param found: what the lexicon reads in it, see :func:`inference.anatomy.evidence.evidence`.
    """
    words = set()
    for one in found:
        sort = "" if one.reading.named else "?"
        for region in one.reading.named or one.reading.hinted:
            words.add(f"sibling:{one.source}{sort}:{region}".replace(" ", "-"))
    return Sibling(next(filter(None, map(header.text, _NAMES)), ""), tuple(sorted(words)))


class Study:
    """The series of one study and modality.

    :param series: how each is seen by the others, by any name of it.
    """

    def __init__(self, series: Mapping[Hashable, Sibling]) -> None:
        self._series = series
        self._times = Counter(one for one in series.values() if one.speaks)
        # Those that name a region come first; one more than are heard, since nobody hears himself.
        named_first = sorted(self._times, key=lambda one: not one.readings)
        self._first = tuple(named_first[: MOST_SIBLINGS + 1])

    def heard_by(self, series: Hashable) -> tuple[Sibling, ...]:
        """What a series hears: each different one once, at most :data:`MOST_SIBLINGS`."""
        one = self._series[series]
        itself = one if self._times[one] == 1 else None
        return tuple(other for other in self._first if other != itself)[:MOST_SIBLINGS]


def sibling_numbers(siblings: Iterable[Sibling]) -> tuple[int, ...]:
    """Token numbers of the sixth slot, as ``slot_numbers`` gives those of the five."""
    numbers: list[int] = []
    for one in siblings:
        if one.name:
            numbers += token_numbers(one.name)
        numbers += numbers_of_words(one.readings)
    return tuple(numbers)
