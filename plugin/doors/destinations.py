# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which events go to which doors, by the configuration."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from urllib.parse import urlsplit

from plugin.configuration.doors import DoorsSection
from plugin.doors.outbox import Event

HL7 = "hl7"
WORKITEM = "workitem"
WORKLIST = "worklist"


@dataclass(frozen=True)
class Destination:
    """One event that one door is told of.

    ``door`` names the receiver in the outbox; that of a webhook is a digest of its address, which
    may hold a password. ``target`` is for people: host and port.
    """

    event: Event
    door: str
    target: str


def destinations(section: DoorsSection) -> tuple[Destination, ...]:
    """All of them; empty where nothing is to be sent."""
    found: list[Destination] = []
    if section.hl7.host:
        found.append(Destination("result", HL7, f"{section.hl7.host}:{section.hl7.port}"))
    hooks = section.webhooks
    urls: dict[Event, tuple[str, ...]] = {
        "result": hooks.result_urls,
        "escalation": hooks.escalation_urls,
        "failed": hooks.failed_urls,
    }
    for event, addresses in urls.items():
        found += [Destination(event, webhook_door(url), _host(url)) for url in addresses]
    if section.escalation.workitem_url:
        url = section.escalation.workitem_url
        found.append(Destination("escalation", WORKITEM, _host(url)))
    if section.escalation.worklist_folder:
        found.append(Destination("escalation", WORKLIST, "worklist folder"))
    return tuple(dict.fromkeys(found))


def webhook_door(url: str) -> str:
    """Name of a webhook's receiver in the outbox."""
    return f"webhook-{hashlib.sha256(url.encode()).hexdigest()[:12]}"


def _host(url: str) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{host}:{parts.port}" if parts.port else host
