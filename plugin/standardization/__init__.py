# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a header should say: kept beside the scan, or in a modified copy. Originals stay."""

from plugin.standardization.copies import modified_copy
from plugin.standardization.entries import StandardEntry, StandardHeader, standard_header
from plugin.standardization.standardizer import Standardizer

__all__ = ["StandardEntry", "StandardHeader", "Standardizer", "modified_copy", "standard_header"]
