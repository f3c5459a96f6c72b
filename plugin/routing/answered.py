# SPDX-License-Identifier: AGPL-3.0-or-later
"""The anatomy of a series that is not here, by what another archive's answer says of it.

An answer has identity as every header has: it is made a header, de-identified, and passes the gate.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from deid import DeidentificationError, DeidentifiedScan
from inference.contract import AnatomyAnswer
from plugin.gate import InferenceRefusedError

LOGGER = logging.getLogger(__name__)

_WORDS = ("Modality", "StudyDescription", "SeriesDescription", "BodyPartExamined", "ProtocolName")
_SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
_SOP_CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "PT": "1.2.840.10008.5.1.4.1.1.128",
    "NM": "1.2.840.10008.5.1.4.1.1.20",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "MG": "1.2.840.10008.5.1.4.1.1.1.2",
    "XA": "1.2.840.10008.5.1.4.1.1.12.1",
    "RF": "1.2.840.10008.5.1.4.1.1.12.2",
}
"""Storage SOP classes (PS3.4 B.5) of which the modality names one; answers do not say theirs."""
_REMEMBERED = 10_000


@dataclass
class AnswerReader:
    """Recognizes the anatomy that answers name; equal answers are asked about once.

    Args:
        deidentify: makes a header that may pass the gate, of a DICOM file without pixels.
        recognize: asks inference; see ``plugin.gate.Gate``.
    """

    deidentify: Callable[[bytes], DeidentifiedScan]
    recognize: Callable[[DeidentifiedScan], AnatomyAnswer]
    _known: dict[tuple[str, ...], AnatomyAnswer] = field(default_factory=dict)

    def anatomy(self, told: Mapping[str, str]) -> AnatomyAnswer | None:
        """The anatomy of a series.

        Args:
            told: values of the answer by keyword, those of its study among them.

        Returns:
            None where it can't be told: the words make no header, or inference refuses it.

        Raises:
            plugin.gate.InferenceUnavailableError: inference can't answer now.
        """
        words = tuple(told.get(name, "") for name in _WORDS)
        if words in self._known:
            return self._known[words]
        try:
            answer = self.recognize(self.deidentify(_header(words)))
        except (InferenceRefusedError, DeidentificationError) as error:
            LOGGER.warning("the anatomy of a series of another archive: %s", type(error).__name__)
            return None
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[words] = answer
        return answer


def _header(words: tuple[str, ...]) -> bytes:
    header = Dataset()
    for name, value in zip(_WORDS, words, strict=True):
        if value:
            tag = tag_for_keyword(name) or 0
            # As the archive says it: whether that is valid is not for us to say.
            header.add(DataElement(tag, dictionary_VR(tag), value, validation_mode=IGNORE))
    header.SOPClassUID = _SOP_CLASSES.get(words[0], _SECONDARY)
    for name in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        setattr(header, name, generate_uid())
    header.SpecificCharacterSet = "ISO_IR 192"
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    header.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
