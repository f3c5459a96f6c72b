# SPDX-License-Identifier: Apache-2.0
"""What can go wrong. No message ever holds a value of the header."""

from __future__ import annotations


class DeidentificationError(Exception):
    """The instance was not de-identified; nothing of it may leave the PHI zone."""


class UnreadableSourceError(DeidentificationError):
    """The source can't be opened or read at all."""


class NotDicomError(DeidentificationError):
    """The source is no DICOM file or data set."""


class TruncatedFileError(DeidentificationError):
    """The source ends before its last data element does."""


class MissingSopClassError(DeidentificationError):
    """Neither the data set nor the file meta information names a SOP Class."""


class UnsupportedObjectError(DeidentificationError):
    """An object that is no scan, such as a DICOMDIR."""


class UnsupportedTransferSyntaxError(DeidentificationError):
    """The transfer syntax is private, unknown, or contradicts the data."""


class NestingTooDeepError(DeidentificationError):
    """Sequences are nested deeper than any IOD nests them."""


class BurnedInAnnotationError(DeidentificationError):
    """The header says that identifying text is burned into the pixels (0028,0301)."""


class PixelsNotReadableError(DeidentificationError):
    """Pixels can't be decoded or masked, so text in them can't be taken out."""


class AmbiguousPixelDataError(DeidentificationError):
    """An object has pixels of more than one kind, and its IOD doesn't say which are the image."""


class TextLeftInPixelsError(DeidentificationError):
    """Text is still found in pixels that were masked: a person must look."""


class DocumentError(DeidentificationError):
    """The policy lets no document of this kind leave.

    Attributes
    ----------
    kind:
        Which kind, in words.
    """

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = str(kind)

    def __reduce__(self) -> tuple[type[DocumentError], tuple[str, str]]:
        return type(self), (str(self), self.kind)


class DocumentDroppedError(DocumentError):
    """A document that the policy leaves out for good."""


class DocumentForReviewError(DocumentError):
    """A document that a person must look at first."""


class FaceMaskError(DeidentificationError):
    """A face may be seen in a head scan and can't be masked with confidence."""


class EncryptedAttributesError(DeidentificationError):
    """Original values can't be encrypted for a recipient, or opened by one."""


class PixelDataNotReadError(DeidentificationError):
    """A scan made from the header alone has no pixel data to hand out."""


class KeyFileError(DeidentificationError):
    """The key file is missing, too short, or readable by others."""


class OptionConflictError(DeidentificationError, ValueError):
    """Two options of the profile contradict each other."""


class ForgedScanError(DeidentificationError, TypeError):
    """A ``DeidentifiedScan`` that no ``Deidentifier`` made."""


class CorrectionError(DeidentificationError, ValueError):
    """A person's correction of one instance can't be carried out."""


class SiteVocabularyError(DeidentificationError):
    """The site's own list of words can't be read."""


class OutputError(DeidentificationError):
    """The output folder can't be written, or is in use by another run."""


class VaultError(DeidentificationError):
    """The vault, or what is sealed in it, can't be used; the message says why."""


class VaultAccessError(VaultError):
    """The pass-phrase is wrong, or the role has no right to what was asked."""


class UnknownLinkError(DeidentificationError):
    """Nothing leads from a result back to its study."""
