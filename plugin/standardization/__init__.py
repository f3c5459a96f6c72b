# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a header should say: kept beside the scan, in a modified copy, or said before it is stored.

What Orthanc has stored never changes.
"""

from plugin.standardization.copies import modified_copy
from plugin.standardization.entries import StandardEntry, StandardHeader, standard_header
from plugin.standardization.standardizer import Standardizer

__all__ = ["StandardEntry", "StandardHeader", "Standardizer", "modified_copy", "standard_header"]
