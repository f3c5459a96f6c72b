# SPDX-License-Identifier: AGPL-3.0-or-later
"""Identifiers planted in clinical documents and in streams of video, as bytes of the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pydicom.dataset import Dataset

from deid.videos.elementary import gathered
from deid.videos.syntaxes import Codec
from deid.videos.transport import clean_transport
from tests.deid.made_scans import ct, file_of
from tests.deid.videos.made_videos import STREAMS, stream, user_data, video

Word = Callable[[str], str]

_HEADER = """<typeId root="2.16.840.1.113883.1.3" extension="{}"/>
<templateId root="2.16.840.1.113883.10.20.6" extension="{}"/><id root="1.2.3.4" extension="{}"/>
<code code="18748-4" codeSystem="2.16.840.1.113883.6.1" codeSystemName="{}" displayName="{}"/>
<title>Report on {}</title><effectiveTime value="20240315"/><setId root="1.2.3" extension="{}"/>
<recordTarget><patientRole><id root="1.2.3" extension="{}"/><addr><city>{}</city>{}</addr>
<telecom value="tel:{}"/><patient><name><given>{}</given><family>{}</family></name>
<raceCode code="{}"/><birthplace><place><name>{}</name></place></birthplace>
<guardian><guardianPerson><name>{}</name></guardianPerson></guardian></patient>
<providerOrganization><name>{}</name></providerOrganization></patientRole></recordTarget>
<author><time value="{}"/><assignedAuthor><id extension="{}" root="1.2"/>
<assignedPerson><name>{}</name></assignedPerson></assignedAuthor></author>
<custodian><assignedCustodian><representedCustodianOrganization><name>{}</name>
</representedCustodianOrganization></assignedCustodian></custodian>
<inFulfillmentOf><order><id root="1.2" extension="{}"/></order></inFulfillmentOf>
<participant typeCode="REF"><associatedEntity classCode="PROV"><associatedPerson><name>{}</name>
</associatedPerson></associatedEntity></participant>"""
_BODY = """<component><structuredBody><component><section ID="{}">
<code code="{}" codeSystem="1.2.276.0.76.1" displayName="{}"/><title>History of {}</title>
<text mediaType="{}"><paragraph styleCode="{}">Mr. {} was seen by Dr. {}.</paragraph>
<list><caption>{}</caption><item ID="{}">told <content>{}</content> by phone</item></list>
<table summary="{}"><tbody><tr><td>Name: {}</td></tr></tbody></table>
<renderMultiMedia referencedObject="{}"/></text>
<entry><observation classCode="OBS" moodCode="{}"><id root="1.2" extension="{}"/>
<value xsi:type="ST">Mrs. {}</value><text>{}</text></observation></entry>
<entry><observationMedia classCode="OBS" moodCode="EVN"><value mediaType="image/png">{}</value>
</observationMedia></entry></section></component></structuredBody></component>"""
_NAMES = ("h264.mp4", "hevc.mp4", "h264.ts")


def canary_documents() -> Iterator[tuple[str, Callable[[Word], bytes]]]:
    """What is planted, and the maker of the file."""
    yield "clinical document", _clinical
    for name in _NAMES:
        yield f"container of {name}", lambda word, name=name: _container(word, name)
    for name in ("h264.h264", "hevc.hevc", "mpeg2.ts"):
        yield f"user data in {name}", lambda word, name=name: _user_data(word, name)


def _clinical(word: Word) -> bytes:
    template = f"<!-- {{}} -->{_HEADER}{_BODY}<unknown>{{}}</unknown>"
    places = template.count("{}")
    inside = template.format(*(word(f"place {number}") for number in range(places)))
    spaces = 'xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    content = f"<ClinicalDocument {spaces}>{inside}</ClinicalDocument>".encode()
    return file_of(_encapsulated(content))


def _encapsulated(content: bytes) -> Dataset:
    return ct(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.104.2", Modality="DOC",
        MIMETypeOfEncapsulatedDocument="text/XML", EncapsulatedDocumentLength=len(content),
        EncapsulatedDocument=content + b" " * (len(content) % 2),
    )  # fmt: skip


def _container(word: Word, name: str) -> bytes:
    """Every name in the container: of title, handler, service."""
    content = stream(name)
    for at, planted in enumerate((b"Fenwick", b"Oduya s", b"Ward QX")):
        if planted in content:
            content = content.replace(planted, word(f"name {at}").encode().ljust(len(planted)))
    return video(content, STREAMS[name])


def _user_data(word: Word, name: str) -> bytes:
    codec = STREAMS[name]
    content = bytearray(stream(name))
    if name.endswith(".ts"):
        content = gathered(content, clean_transport(content, codec))
    starts = [at for at in range(len(content) - 4) if content[at : at + 3] == b"\0\0\1"]
    places = [starts[len(starts) // 3], starts[-1]] if codec is not Codec.MPEG_2 else [
        at for at in starts if content[at + 3] == 0
    ][:2]  # fmt: skip
    for number, at in enumerate(sorted(places, reverse=True)):
        content[at:at] = user_data(codec, word(f"user data {number}").encode())
    return video(bytes(content), codec)
