# SPDX-License-Identifier: Apache-2.0
"""Words that a site knows better than the package: a file beside its policy.

A whitelisted word may stay in descriptions although no list of the package has it. A graylisted
one is a word and a name: where only listed words stay it goes, and where texts are read its
surroundings decide.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from deid.descriptions import cleaned
from deid.errors import SiteVocabularyError
from deid.vocabulary import folded

if TYPE_CHECKING:
    from deid.context import HeaderContext

FORMAT = 1


class SiteWords(NamedTuple):
    """Folded words of a site.

    Attributes
    ----------
    whitelist:
        May stay in descriptions.
    graylist:
        Are names too.
    """

    whitelist: frozenset[str] = frozenset()
    graylist: frozenset[str] = frozenset()


class SiteVocabulary:
    """The words of one file, read again when it has changed; a missing file has none.

    Parameters
    ----------
    path:
        JSON as ``write_vocabulary`` writes it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[tuple[int, ...], SiteWords] = ((), SiteWords())

    def words(self) -> SiteWords:
        """The words as they are now.

        Raises
        ------
        SiteVocabularyError
            If the file can't be used: nothing is cleaned then by half of a list.
        """
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return SiteWords()
        except OSError as error:
            raise _unusable(error.strerror or "no access") from None
        state = (status.st_mtime_ns, status.st_size, status.st_ino)
        if self._read[0] != state:
            self._read = (state, self._load())
        return self._read[1]

    def _load(self) -> SiteWords:
        try:
            content: Any = json.loads(self._path.read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise _unusable("it is of another version")
            return SiteWords(*(_folded(content[name]) for name in SiteWords._fields))
        except OSError as error:
            raise _unusable(error.strerror or "no access") from None
        except (ValueError, KeyError, TypeError):
            raise _unusable("it is no vocabulary") from None


def _folded(words: Any) -> frozenset[str]:
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise TypeError("a list is no list of words")
    return frozenset(map(folded, words))


def _unusable(why: str) -> SiteVocabularyError:
    return SiteVocabularyError(f"the site's vocabulary can't be used, {why}: mend or remove it")


def write_vocabulary(path: Path, words: SiteWords) -> None:
    """Put a vocabulary in the place of the one before, all of it or nothing.

    Raises
    ------
    OSError
        If it can't be written; the one before is still there.
    """
    content = {"format": FORMAT, **{name: sorted(part) for name, part in words._asdict().items()}}
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(content, stream, ensure_ascii=False, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)


class ListedText:
    """Cleans free text by the lists of the package and of the site."""

    def __init__(self, vocabulary: SiteVocabulary) -> None:
        self._vocabulary = vocabulary

    def clean(self, text: str, context: HeaderContext) -> str:
        """The listed words of the text that are no names in its header or on the graylist."""
        words = self._vocabulary.words()
        return cleaned(text, context.denied | words.graylist, words.whitelist)
