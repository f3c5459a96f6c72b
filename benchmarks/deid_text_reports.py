# SPDX-License-Identifier: Apache-2.0
"""Reports, letters and header texts with identifiers at marked places, for the free-text benchmark.

``{…}`` marks an identifier; everything else is harmless and has to stay. None of the sentences
occurs in the generator that the token classifier is trained on.
"""

from __future__ import annotations

import json
from pathlib import Path

_TEMPLATES = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))

REPORTS: list[str] = _TEMPLATES["reports"]
HEADER_TEXTS: list[str] = _TEMPLATES["header_texts"]
