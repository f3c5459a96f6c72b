# SPDX-License-Identifier: AGPL-3.0-or-later
"""Section of the doors: where results are sent by themselves. Nothing is sent unless named here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from plugin.configuration.addresses import parts_of
from plugin.configuration.section import Section

_URL = r"^https?://[^\s]+$"
_AE_TITLE = r"^[!-\[\]-~]{1,16}$"
_SECRET_LENGTH = 16


class Hl7Section(Section):
    """HL7 v2 messages (ORU^R01, version 2.5.1) over MLLP to one listener."""

    host: str = Field(default="", description="listener of RIS or interface engine; empty: off")
    port: int = Field(default=2575, ge=1, le=65535, description="its port")
    tls: bool = Field(default=False, description="MLLP over TLS; the listener's name is checked")
    certificate_authority: str = Field(
        default="", description="PEM file that vouches for the listener; empty: the system's"
    )
    client_certificate: str = Field(
        default="", description="PEM file with certificate and key, where the listener wants one"
    )
    timeout_seconds: float = Field(
        default=30.0, gt=0, le=600, description="for the connection, and for the acknowledgement"
    )
    sending_application: str = Field(default="SIDELIGHT", description="MSH-3")
    sending_facility: str = Field(default="", description="MSH-4")
    receiving_application: str = Field(default="", description="MSH-5")
    receiving_facility: str = Field(default="", description="MSH-6")
    character_set: Literal["UNICODE UTF-8", "8859/1", "ASCII"] = Field(
        default="UNICODE UTF-8", description="MSH-18, and how the message is encoded"
    )
    text: Literal["ED", "FT", "BOTH", "NONE"] = Field(
        default="ED",
        description="the result in words: ED encapsulated, FT formatted text, both or none",
    )


class WebhooksSection(Section):
    """JSON by POST, signed, to addresses of your own."""

    result_urls: tuple[str, ...] = Field(
        default=(), strict=False, description="told of every result, whatever its outcome"
    )
    escalation_urls: tuple[str, ...] = Field(
        default=(), strict=False, description="told of results with a time-critical finding"
    )
    failed_urls: tuple[str, ...] = Field(
        default=(), strict=False, description="told of scans whose analysis failed"
    )
    secret: str = Field(
        default="", repr=False, description="key of the signature, 16 characters or more"
    )
    certificate_authority: str = Field(
        default="", description="PEM file that vouches for the receivers; empty: the usual ones"
    )
    timeout_seconds: float = Field(default=10.0, gt=0, le=600, description="for one POST")

    @field_validator("result_urls", "escalation_urls", "failed_urls")
    @classmethod
    def _are_urls(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for number, url in enumerate(urls, start=1):
            if not url.startswith(("http://", "https://")) or any(c.isspace() for c in url):
                # An address may hold a password; so it is counted, not quoted.
                raise ValueError(f"address {number} must begin with https:// or http://")
            try:
                parts_of(url)
            except ValueError as error:
                raise ValueError(f"address {number}: {error}") from None
        return urls

    @model_validator(mode="after")
    def _is_signed(self) -> WebhooksSection:
        if self.urls and len(self.secret) < _SECRET_LENGTH:
            raise ValueError(f"webhooks need a Secret of {_SECRET_LENGTH} characters or more")
        return self

    @property
    def urls(self) -> tuple[str, ...]:
        """All addresses."""
        return (*self.result_urls, *self.escalation_urls, *self.failed_urls)


class EscalationSection(Section):
    """What is done at once about a time-critical finding."""

    severity: int = Field(
        default=3,
        ge=1,
        le=3,
        description="priority of a scan from which it escalates: its highest severity",
    )
    workitem_url: str = Field(
        default="",
        pattern=rf"^$|{_URL}",
        description="DICOMweb server that gets a UPS-RS workitem: the address before /workitems",
    )
    workitem_authorization: str = Field(
        default="", repr=False, description="value of the Authorization header sent there"
    )
    workitem_retrieve_aet: str = Field(
        default="ORTHANC",
        pattern=_AE_TITLE,
        description="AE title that the workitem names to retrieve the images from",
    )
    certificate_authority: str = Field(
        default="", description="PEM file that vouches for that server; empty: the usual ones"
    )
    worklist_folder: str = Field(
        default="", description="folder of Orthanc's worklists plugin that gets a .wl entry"
    )
    worklist_station: str = Field(
        default="SIDELIGHT",
        pattern=_AE_TITLE,
        description="Scheduled Station AE Title of the entry",
    )
    worklist_hours: float = Field(
        default=48.0, gt=0, le=8760, description="after this an entry of ours is removed"
    )

    @field_validator("workitem_url")
    @classmethod
    def _is_url(cls, url: str) -> str:
        parts_of(url)
        return url


class DoorsSection(Section):
    """Results that are sent by themselves, and how long that is tried."""

    hl7: Hl7Section = Hl7Section()
    webhooks: WebhooksSection = WebhooksSection()
    escalation: EscalationSection = EscalationSection()
    maximum_refusals: int = Field(
        default=5, ge=1, le=100, description="of one delivery by its receiver; then a dead letter"
    )
    backoff_seconds: float = Field(
        default=2.0, ge=0, le=3600, description="before the second attempt; doubles, up to 5 min"
    )
    keep_trying_hours: float = Field(
        default=72.0, gt=0, le=8760, description="to reach a receiver; then a dead letter"
    )
