# SPDX-License-Identifier: AGPL-3.0-or-later
"""From what happens in Orthanc to deliveries in the outbox, for every table that asks for some.

A table decides (``plugin.routing.deciding``, ``plugin.copies.deciding``); the ``dispatcher``
follows Orthanc and asks it; the ``ledger`` knows how far that is, and what was done once.
``outward`` holds what all ways out of Orthanc have in common, ``said`` what the plan says of
deliveries, and ``threads`` runs it all.
"""
