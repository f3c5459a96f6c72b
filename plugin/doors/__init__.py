# SPDX-License-Identifier: AGPL-3.0-or-later
"""The doors through which a result leaves for other systems, all written from the stored SR.

``report_reader`` turns a stored structured report into one frozen ``Result``. REST, FHIR, HL7,
webhooks, workitems and worklist entries are written from it and from nothing else, so that no two
of them can say different numbers.

What is sent unasked goes through ``outbox``: a worker notes it when the result is stored, and a
process of its own (``python -m plugin.doors``) delivers it. Analysis waits for no receiver.
"""
