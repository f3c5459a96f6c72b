# SPDX-License-Identifier: AGPL-3.0-or-later
"""Arrival mode: what arrives is de-identified before Orthanc stores it, or is not stored.

``received`` runs inside Orthanc and parses nothing; it hands each instance over a Unix socket to
the arrival process (``python -m plugin.arrival``) and stores what comes back.
"""
