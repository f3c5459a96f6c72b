# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reviews: what readers say about a model's answer, and what follows from it.

The answer itself is never changed. A review makes a corrected version beside it: of the matrix, the
heat map and the DICOM objects; Orthanc holds both. Enough errors of one class open a remediation.
"""

from plugin.review.correction import corrected_image
from plugin.review.records import Review, ReviewLog, ReviewRequest

__all__ = ["Review", "ReviewLog", "ReviewRequest", "corrected_image"]
