# SPDX-License-Identifier: AGPL-3.0-or-later
"""De-identified copies of what Orthanc stores, sent to others by rule; the originals stay.

The dispatcher (``plugin.dispatch``) looks at what has become stable and asks ``deciding``, which
deliveries follow; one postman per rule (``sending``) de-identifies and sends, and notes in the
ledger which instance a rule has sent.
"""
