# SPDX-License-Identifier: Apache-2.0
"""What the profile leaves to the site."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from deid.errors import OptionConflictError
from deid.outliers import OutlierRule
from deid.private import SiteRule


class FreeText(StrEnum):
    """How free text is cleaned.

    ``LISTED`` can't leak, whatever is written, and loses every word that no list has. ``DETECTED``
    keeps sentences whole, and is as good as its detectors.
    """

    LISTED = "listed"
    DETECTED = "detected"


class PixelText(StrEnum):
    """What becomes of text in the pixels.

    ``LEAVE`` looks at no pixel, and refuses an image whose header says that text is in it. ``MASK``
    masks all text, ``MASK_IDENTIFYING`` all but laterality, projection, scale and depth.
    """

    LEAVE = "leave"
    MASK = "mask"
    MASK_IDENTIFYING = "mask-identifying"


class PixelSearch(StrEnum):
    """How text in the pixels is looked for.

    ``QUICK`` asks a small network, and reads what that one doubts. ``THOROUGH`` asks a large one
    too, and masks what either finds; it takes several times as long.
    """

    QUICK = "quick"
    THOROUGH = "thorough"


class PixelMarks(StrEnum):
    """What stands where text was masked.

    ``FILL`` is black as displayed, or padding. ``FIDUCIALS`` has a value of its own for each kind
    of text, which the header declares as padding, in grey images that have such values to spare.
    """

    FILL = "fill"
    FIDUCIALS = "fiducials"


class Recompression(StrEnum):
    """How compressed pixels are written after some were changed; all but ``JPEG`` lose nothing.

    ``JPEG`` is JPEG Baseline for images of 8 bits, marked as lossy; deeper ones become RLE.
    """

    RLE = "rle"
    JPEG_LS = "jpeg-ls"
    JPEG_2000 = "jpeg-2000"
    NATIVE = "native"
    JPEG = "jpeg"


class Faces(StrEnum):
    """What becomes of faces in CT and MR scans of the head.

    ``LEAVE`` looks for none. ``FLAG`` says of each series whether it may show one, and changes no
    pixel. ``OBFUSCATE`` draws them anew and refuses a series of which it can't be told with
    confidence where face and skull are. The latter two need whole series.
    """

    LEAVE = "leave"
    FLAG = "flag"
    OBFUSCATE = "obfuscate"


class Documents(StrEnum):
    """What becomes of a kind of document: an image that is no image of a body.

    ``AS_OTHERS`` treats it as any image. ``MASK`` masks the text in its pixels, whatever
    ``pixel_text`` says; of an Encapsulated PDF the cleaned text leaves, set anew, else an empty
    document. ``REVIEW`` refuses it for a person to look at, ``DROP`` leaves it out for good. Masks
    don't find handwriting.
    """

    AS_OTHERS = "as-others"
    MASK = "mask"
    REVIEW = "review"
    DROP = "drop"


class ScannedPages(StrEnum):
    """What becomes of the scanned pages of a PDF, where documents are masked.

    ``DROP`` leaves a blank page. ``MASK`` keeps the words that are sure to be read, known, and no
    identifiers, at their place; nothing else of the page leaves, handwriting and stamps neither.
    ``REVIEW`` refuses the document for a person to look at.
    """

    DROP = "drop"
    MASK = "mask"
    REVIEW = "review"


class Models(StrEnum):
    """What becomes of 3D models (STL, OBJ, MTL).

    ``EMPTY`` leaves an empty document. ``CLEAN`` keeps the geometry, in which a face may be seen,
    and no text.
    """

    EMPTY = "empty"
    CLEAN = "clean"


@dataclass(frozen=True)
class Policy:
    """Decisions that PS3.15 leaves to whoever de-identifies.

    By default no pixel is looked at, and no video leaves. Profile files, the command line and
    Orthanc's configuration have defaults of their own, which mask secondary captures and keep
    scanned forms back.

    Attributes
    ----------
    allow_burned_in_annotation:
        Let an instance pass whose header says that identifying text is burned into its pixels.
        The flag (0028,0301) then stays YES: nothing is claimed that was not done.
    record_digests:
        Put a keyed digest of every original value into the report.
    private_elements:
        What the site itself knows of private elements, before any list or claim of a file.
    outliers:
        Bounds for values that an option lets pass and that are rare enough to name somebody.
    date_shift_days:
        First and last day of the range from which a patient's shift is drawn, in whole days;
        0 is never drawn. The default lies in the past, so that no date lies in the future.
    encrypt_for:
        Certificates (X.509, RSA, PEM) of those who may read the original values, which travel
        encrypted in each file (PS3.15 section E.1.1). Files are no longer equal byte by byte then.
    free_text:
        What stays of the free texts that an option lets stay: listed words, or all that the
        detectors don't take for an identifier.
    pixel_text:
        What becomes of text in the pixels.
    secondary_captures:
        What becomes of screenshots, drawings and what else was captured and not acquired.
    scanned_forms:
        What becomes of paper that was scanned.
    encapsulated_documents:
        What becomes of PDF and CDA inside DICOM.
    scanned_pages:
        What becomes of scanned pages in them.
    models:
        What becomes of 3D models.
    videos:
        What becomes of MPEG-2, H.264 and HEVC streams, in which user data, sound and text hide;
        ``AS_OTHERS`` masks text in their pictures where ``pixel_text`` does.
    pixel_search:
        How it is looked for.
    pixel_terms:
        Read the text in the pixels first: names and numbers in it are searched for in the header.
        Asks for ``pixel_text`` other than ``LEAVE``.
    pixel_marks:
        What stands where text was masked.
    recompression:
        How compressed pixels are written after some were changed.
    faces:
        What becomes of faces in CT and MR.
    vocabulary:
        File of the site's own words (:mod:`deid.site_vocabulary`); empty: none.
    kept_regions:
        Balls that stay as they are when a face is drawn anew, such as a finding on the skin: x, y
        and z of the middle in patient coordinates and the radius, in mm.
    """

    allow_burned_in_annotation: bool = False
    date_shift_days: tuple[int, int] = (-3650, -1)
    record_digests: bool = False
    private_elements: tuple[SiteRule, ...] = ()
    outliers: tuple[OutlierRule, ...] = ()
    encrypt_for: tuple[bytes, ...] = ()
    free_text: FreeText = FreeText.LISTED
    pixel_text: PixelText = PixelText.LEAVE
    secondary_captures: Documents = Documents.AS_OTHERS
    scanned_forms: Documents = Documents.AS_OTHERS
    encapsulated_documents: Documents = Documents.AS_OTHERS
    scanned_pages: ScannedPages = ScannedPages.DROP
    models: Models = Models.EMPTY
    videos: Documents = Documents.REVIEW
    pixel_search: PixelSearch = PixelSearch.QUICK
    pixel_terms: bool = False
    pixel_marks: PixelMarks = PixelMarks.FILL
    recompression: Recompression = Recompression.RLE
    faces: Faces = Faces.LEAVE
    # Not shown: words that are added don't make what was de-identified before another thing.
    vocabulary: str = field(default="", repr=False)
    kept_regions: tuple[tuple[float, float, float, float], ...] = ()

    def __post_init__(self) -> None:
        first, last = self.date_shift_days
        if first > last or first == last == 0:
            raise OptionConflictError(
                "date_shift_days must be (first, last) with first <= last and a day other than 0"
            )

        if self.pixel_terms and self.pixel_text is PixelText.LEAVE:
            raise OptionConflictError(
                "pixel_terms reads text in the pixels: set pixel_text to mask or mask-identifying"
            )

    def without_pixels(self) -> Policy:
        """The same for a header alone: nothing is decided by pixels, and none leave."""
        return replace(
            self,
            allow_burned_in_annotation=True,
            pixel_text=PixelText.LEAVE,
            pixel_terms=False,
            faces=Faces.LEAVE,
            secondary_captures=Documents.AS_OTHERS,
            scanned_forms=Documents.AS_OTHERS,
            encapsulated_documents=Documents.AS_OTHERS,
            videos=Documents.AS_OTHERS,
        )
