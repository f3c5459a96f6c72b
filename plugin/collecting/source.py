# SPDX-License-Identifier: AGPL-3.0-or-later
"""The source of headers named ``orthanc``, for ``sidelight train anatomy --orthanc``."""

from __future__ import annotations

import base64
import ipaddress
import logging
import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit
from warnings import catch_warnings

from deid import DeidentificationError, Deidentifier, KeyFileError
from deid.errors import SiteVocabularyError
from deid.policy import Faces, PixelText, Policy
from deid.site_vocabulary import SiteVocabulary
from inference.header_source import (
    AnatomyWitnesses,
    HeaderRequest,
    HeadersCollected,
    HeaderSourceError,
)
from inference.volume_source import VolumeRequest
from plugin.archive import Archive, ArchiveError
from plugin.collecting.collector import Collector
from plugin.collecting.notebook import Notebook, NotebookError
from plugin.collecting.orthanc_load import OrthancLoad
from plugin.collecting.pace import Pace, QuietHours
from plugin.configuration.deidentification import DeidentificationSection
from plugin.deidentification import options_of, policy_of
from plugin.gate import AnatomyGate
from plugin.handover import VOCABULARY
from plugin.site_key import SiteKey

LOGGER = logging.getLogger(__name__)

PASSWORD = "SIDELIGHT_PASSWORD"  # noqa: S105 - the name of a variable
_WHICH_KEY = (
    "--key-file names the site's key: deidentification.key in Sidelight's DataDirectory, or the "
    "file of Deidentification.KeyFile"
)
_KEPT_OUT = ("Orthanc answers 401", "Orthanc answers 403")


def collect_headers(request: HeaderRequest, witnesses: AnatomyWitnesses) -> HeadersCollected:
    """Collect headers of an Orthanc on this machine; goes on where the last run ended.

    Raises:
        HeaderSourceError: Orthanc, the key or the folder can't be used, or the run ended before
            there was a header.
    """
    archive = Archive(on_loopback(request.url), authorization(request.user))
    try:
        notebook = Notebook(Path(request.folder))
        collector = _collector(request, witnesses, archive, notebook)
        with catch_warnings(action="ignore"):  # those of DICOM libraries quote values
            reason = collector.run()
        table, labels = notebook.write_table()
    except (ArchiveError, DeidentificationError, KeyFileError, NotebookError, OSError) as error:
        raise HeaderSourceError(in_words(error)) from None
    if reason and not labels.total():
        raise HeaderSourceError(f"no header was collected: {reason}")
    return HeadersCollected(
        table=str(table),
        series=labels.total(),
        labels=dict(labels),
        finished=not reason,
        reason=reason,
    )


def _collector(
    request: HeaderRequest, witnesses: AnatomyWitnesses, archive: Archive, notebook: Notebook
) -> Collector:
    section = DeidentificationSection()
    key = SiteKey.of(request.key_file, Path(request.key_file).parent).existing()
    options, policy = options_of(section), policy_with_words(section, request)
    header_only = replace(
        policy, allow_burned_in_annotation=True, pixel_text=PixelText.LEAVE, faces=Faces.LEAVE
    )
    hours = QuietHours(request.from_hour, request.until_hour)
    return Collector(
        shelf=archive,
        pace=Pace(hours, request.queries, OrthancLoad(archive)),
        deidentifier=Deidentifier(key, options=options, policy=policy),
        header_deidentifier=Deidentifier(key, options=options, policy=header_only),
        gate=AnatomyGate(witnesses),
        notebook=notebook,
        doubt_below=request.doubt_below,
        pixel_teacher=request.pixel_teacher,
    )


def policy_with_words(
    section: DeidentificationSection, request: HeaderRequest | VolumeRequest
) -> Policy:
    """The policy, with the words that reviewers of the site have confirmed.

    Raises:
        HeaderSourceError: the data directory that was named is none, or its words can't be read.
    """
    folder = Path(request.data or Path(request.key_file).parent)
    if request.data and not folder.is_dir():
        raise HeaderSourceError("there is no such data directory: give the one of the queue")
    words = folder / VOCABULARY
    if not words.is_file():
        LOGGER.warning(
            "no %s in %s: words that only this site uses are taken out of descriptions, and are "
            "not learned; name the data directory with --data, and confirm the words before",
            VOCABULARY,
            "the data directory" if request.data else "the folder of the key",
        )
    try:
        SiteVocabulary(words).words()
    except SiteVocabularyError as error:
        raise HeaderSourceError(f"{error}; it is {VOCABULARY} in the data directory") from None
    return replace(policy_of(section, leaving=False), vocabulary=str(words))


def on_loopback(url: str) -> str:
    """The address, if it is this machine's: headers with identity cross no network here."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        near = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        near = False
    if parts.scheme not in ("http", "https") or not near or parts.username:
        raise HeaderSourceError(
            "give Orthanc as http://127.0.0.1:8042, on its own machine or through a tunnel, "
            f"and its user with --user and {PASSWORD}"
        )
    return url


def authorization(user: str) -> str:
    """Of HTTP Basic (RFC 7617), with the password that the environment holds; empty: nobody."""
    if not user:
        return ""
    pair = f"{user}:{os.environ.get(PASSWORD, '')}".encode()
    return "Basic " + base64.b64encode(pair).decode()


def in_words(error: Exception) -> str:
    """What is wrong, and what to give where Orthanc refuses or the key can't be used."""
    if isinstance(error, KeyFileError):
        return f"{error}; {_WHICH_KEY}"
    if isinstance(error, ArchiveError) and str(error).startswith(_KEPT_OUT):
        return f"{error}; give its user with --user, and the password in {PASSWORD}"
    return str(error)
