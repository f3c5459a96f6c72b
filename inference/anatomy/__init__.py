# SPDX-License-Identifier: Apache-2.0
"""Which part of the body a scan shows, from the tags of its header.

:func:`recognize` answers in microseconds, with a confidence that was measured and a vote of every
attribute that said something. A :class:`Recognizer` is anything that answers so; the default is the
metadata model (:mod:`inference.anatomy.learned`), :class:`TagRecognizer` is the tables alone.
"""

from inference.anatomy.calibration import Calibration
from inference.anatomy.header import Header
from inference.anatomy.recognizer import Recognizer, TagRecognizer, recognize, warm_up
from inference.anatomy.regions import AnatomyTableError, format_regions, parse_regions

__all__ = [
    "AnatomyTableError",
    "Calibration",
    "Header",
    "Recognizer",
    "TagRecognizer",
    "format_regions",
    "parse_regions",
    "recognize",
    "warm_up",
]
