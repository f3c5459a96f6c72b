# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each door does with a delivery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial

from plugin.configuration.doors import DoorsSection
from plugin.doors import hl7_message, mllp, modality_worklist, webhook, workitem
from plugin.doors.destinations import HL7, WORKITEM, WORKLIST, webhook_door
from plugin.doors.escalated import Escalation
from plugin.doors.package import Package
from plugin.doors.posting import Receiver, post

Send = Callable[[Package], None]
"""Delivers, or raises a ``DeliveryError``."""

CONTROL_ID_LENGTH = 20
"""Characters in MSH-10 (HL7 2.5.1 section 2.15.9.10)."""


def senders(section: DoorsSection) -> Mapping[str, Send]:
    """By door, all that are configured."""
    found: dict[str, Send] = {}
    if section.hl7.host:
        found[HL7] = partial(_send_hl7, section)
    for url in section.webhooks.urls:
        found[webhook_door(url)] = partial(_send_webhook, section, url)
    if section.escalation.workitem_url:
        found[WORKITEM] = partial(_create_workitem, section)
    if section.escalation.worklist_folder:
        found[WORKLIST] = partial(_write_worklist_entry, section)
    return found


def _send_hl7(section: DoorsSection, package: Package) -> None:
    control_id = package.token[:CONTROL_ID_LENGTH]
    sent_at = datetime.now().astimezone().isoformat(timespec="seconds")
    message = hl7_message.oru_message(package.reports(), section.hl7, control_id, sent_at)
    mllp.send(section.hl7, message, control_id)


def _send_webhook(section: DoorsSection, url: str, package: Package) -> None:
    hooks = section.webhooks
    body = webhook.body(package.content())
    headers = webhook.headers(hooks.secret, package.delivery.event, package.token, body)
    receiver = Receiver(url, hooks.timeout_seconds, hooks.certificate_authority)
    post(receiver, body, headers)


def _create_workitem(section: DoorsSection, package: Package) -> None:
    workitem.create(section.escalation, _escalation(section, package))


def _write_worklist_entry(section: DoorsSection, package: Package) -> None:
    modality_worklist.write(section.escalation, _escalation(section, package))


def _escalation(section: DoorsSection, package: Package) -> Escalation:
    return Escalation.of(
        package.reports(),
        section.escalation.severity,
        package.token,
        datetime.fromtimestamp(package.delivery.noted, UTC).astimezone(),
    )
