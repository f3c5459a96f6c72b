# SPDX-License-Identifier: AGPL-3.0-or-later
"""People look at de-identified images: what was refused, and samples of what was not.

The worker opens items and obeys decisions (``door``); the web process shows original and result and
takes decisions (``desk``). Both share one file beside the queue (``ledger``), which holds Orthanc
identifiers, places and decisions, and no value of any header.
"""
