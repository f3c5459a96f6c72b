# SPDX-License-Identifier: AGPL-3.0-or-later
"""De-identified copies of what Orthanc stores, sent to others by rule; the originals stay.

``dispatcher`` looks at what has become stable and notes deliveries in the outbox; one postman per
rule (``sending``) de-identifies and sends. ``ledger`` knows which instance a rule has sent.
"""
