# SPDX-License-Identifier: Apache-2.0
"""De-identifies instances: the one way from a scan with identifiers to one without."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from deid.context import TextCleaner
from deid.documents import DocumentCheck, DocumentStage, LateCleanPixelStage
from deid.documents.cda import LateCdaStage
from deid.documents.pdf import EncapsulatedPdfStage
from deid.elements import Element, Encoding
from deid.extensions import Extensions
from deid.free_text import DetectedText
from deid.header import HeaderCleaner
from deid.key import DeidentificationKey
from deid.marks import mark
from deid.options import Option, checked
from deid.pixel_data import PixelDataStage
from deid.policy import Documents, Faces, FreeText, Models, PixelText, Policy
from deid.pseudonyms import Pseudonyms
from deid.reading import Original, Source, read
from deid.report import DeidentificationReport
from deid.revealed import Revealed
from deid.scan import TEXTS, DeidentifiedScan, Outgoing, sealed
from deid.seals import Seals
from deid.site_vocabulary import ListedText, SiteVocabulary
from deid.stages import BurnedInAnnotationCheck, HeaderStage, Instance, Stage
from deid.videos.late import LateVideoStage
from deid.writing import encoded_header, part_10

if TYPE_CHECKING:
    from deid.text import KnownTerms

_STUDY = 0x0020000D


class SeriesStage(Protocol):
    """A step that needs all instances of a series at once."""

    def apply(self, instances: Sequence[Instance]) -> None:
        """Do its part, or raise a ``DeidentificationError``: then none of them may leave."""


class Deidentifier:
    """Carries out the Basic Application Level Confidentiality Profile (PS3.15 Annex E).

    Results depend on key, options and policy alone: any number of processes and machines that share
    them agree on every pseudonym, in whatever order instances come.

    Parameters
    ----------
    key:
        The site's secret.
    options:
        Options of the profile; none means the strict Basic Profile.
    policy:
        What the profile leaves to the site.
    extensions:
        Cleaning of text and pixels beside the header's.
    once:
        Seal what is de-identified, and let pass unchanged what bears a seal of this key, these
        options and this policy.
    revealed:
        What other texts, such as reports, say of the studies.

    Raises
    ------
    OptionConflictError
        If two options contradict each other.
    """

    def __init__(
        self,
        key: DeidentificationKey,
        options: Iterable[Option] = (),
        policy: Policy | None = None,
        extensions: Extensions | None = None,
        *,
        once: bool = False,
        revealed: Revealed | None = None,
    ) -> None:
        more = extensions or Extensions()
        self._policy = policy or Policy()
        pixels = tuple(more.pixels) or pixel_stages(self._policy)
        text = more.text
        if text is None:
            text = _text_cleaner(self._policy)
        self._options = checked(options)
        self._pseudonyms = Pseudonyms(key, self._policy.date_shift_days)
        self._seals = Seals(key, _settings(self._options, self._policy, more)) if once else None
        burned_in = None if pixels else BurnedInAnnotationCheck(self._policy)
        cleaner = HeaderCleaner(self._pseudonyms, self._options, self._policy, text)
        self._stages: tuple[Stage, ...] = (
            DocumentCheck(self._policy, burned_in),
            *more.before,
            HeaderStage(cleaner),
            PixelDataStage(),
            DocumentStage(
                self._policy, burned_in, None if pixels else LateCleanPixelStage(self._policy)
            ),
            *_report_stages(self._policy, cleaner),
            *_model_stages(self._policy, cleaner),
            LateVideoStage(self._policy),
            *pixels,
            *more.after,
            *_encrypting_stages(self._policy),
        )
        self._revealed = revealed or Revealed({})
        self._pixel_terms = _pixel_terms(self._policy)
        self._series_stages = _series_stages(self._policy, self._pseudonyms)

    @property
    def options(self) -> frozenset[Option]:
        """The options in force."""
        return self._options

    def deidentify(self, source: Source) -> DeidentifiedScan:
        """De-identify one instance.

        Where the policy cleans faces, a slice of CT or MR can't be judged alone and most often is
        refused: ``deidentify_series`` is for those.

        Parameters
        ----------
        source:
            A Part 10 file as bytes or by its path, or a pydicom data set.

        Raises
        ------
        DeidentificationError
            Where no de-identified scan can be made; the subclass and message say why.
        """
        return self.deidentify_series([source])[0]

    def deidentify_series(self, sources: Iterable[Source]) -> list[DeidentifiedScan]:
        """De-identify all instances of one series, in the order given: all of them or none.

        Parameters
        ----------
        sources:
            As for ``deidentify``. What the policy does to faces needs the whole series.

        Raises
        ------
        DeidentificationError
            Where no de-identified scan can be made of one of them.
        """
        instances = [self._through_stages(read(source)) for source in sources]
        new = [instance for instance in instances if not instance.admitted]
        for stage in self._series_stages if new else ():
            stage.apply(new)
        return [self._finished(instance) for instance in instances]

    def needs_series(self, sop_class: str) -> bool:
        """Whether objects of this SOP class are to be handed over as whole series."""
        if self._policy.faces is Faces.LEAVE:
            return False
        from deid.faces import shows_slices  # noqa: PLC0415

        return shows_slices(sop_class)

    def deidentify_header(self, source: Source) -> DeidentifiedScan:
        """De-identify one instance without its pixel data; ``to_bytes`` of the scan raises.

        Raises
        ------
        DeidentificationError
            As ``deidentify``.
        """
        return self._finished(self._through_stages(read(source, pixels=False)))

    def uid(self, original: str) -> str:
        """The UID that stands for an original one in every de-identified scan.

        It is one-way; whoever needs the way back keeps the pair, inside the PHI zone.
        """
        if Option.RETAIN_UIDS in self._options:
            return original.strip(" \0")
        return self._pseudonyms.uid(original)

    def _through_stages(self, original: Original) -> Instance:
        syntax = original.transfer_syntax
        encoding = Encoding(
            implicit=syntax == ImplicitVRLittleEndian, little_endian=syntax != ExplicitVRBigEndian
        )
        instance = Instance(original, encoding, syntax)
        if self._seals is not None and self._seals.admit(instance):
            instance.admitted = True
            return instance
        instance.original = replace(original, revealed=self._told_elsewhere(original))
        for stage in self._stages:
            stage.apply(instance)
        return instance

    def _told_elsewhere(self, original: Original) -> KnownTerms | None:
        """What other texts than the header say of the study's people."""
        reports = self._revealed.terms(original.header.text(_STUDY))
        pixels = self._pixel_terms(original) if self._pixel_terms and original.pixels else None
        return reports | pixels if reports and pixels else reports or pixels

    def _finished(self, instance: Instance) -> DeidentifiedScan:
        if instance.admitted:
            return sealed(_outgoing(instance))
        mark(instance, self._options, self._pseudonyms)
        if self._seals is not None and instance.original.has_pixels:
            self._seals.put(instance)
        return sealed(_outgoing(instance))


def _settings(options: frozenset[Option], policy: Policy, more: Extensions) -> str:
    stages = [type(stage).__qualname__ for stage in (*more.before, *more.pixels, *more.after)]
    return repr((sorted(options), policy, type(more.text).__qualname__, stages))


def _vocabulary(policy: Policy) -> SiteVocabulary | None:
    return SiteVocabulary(Path(policy.vocabulary)) if policy.vocabulary else None


def _report_stages(policy: Policy, cleaner: HeaderCleaner) -> tuple[Stage, ...]:
    if policy.encapsulated_documents is not Documents.MASK:
        return ()
    vocabulary = _vocabulary(policy)
    pdf = EncapsulatedPdfStage(cleaner, vocabulary)
    return pdf, LateCdaStage(cleaner, vocabulary, pdf)


def _model_stages(policy: Policy, cleaner: HeaderCleaner) -> tuple[Stage, ...]:
    if policy.models is Models.EMPTY:
        return ()
    # Looked up here: few sites have any.
    from deid.documents.models import ModelStage  # noqa: PLC0415

    return (ModelStage(cleaner),)


def _text_cleaner(policy: Policy) -> TextCleaner | None:
    words = _vocabulary(policy)
    if policy.free_text is FreeText.DETECTED:
        return DetectedText(words)
    return ListedText(words) if words else None


def pixel_stages(policy: Policy) -> tuple[Stage, ...]:
    """What a policy does to text in pixels; none where it leaves them alone."""
    if policy.pixel_text is PixelText.LEAVE:
        return ()
    # Looked up here: who leaves pixels alone needs no detector.
    from deid.pixels import clean_pixel_stage  # noqa: PLC0415

    return (clean_pixel_stage(policy),)


def _pixel_terms(policy: Policy) -> Callable[[Original], KnownTerms] | None:
    if not policy.pixel_terms:
        return None
    # As above.
    from deid.pixels.terms import PixelTerms  # noqa: PLC0415

    return PixelTerms()


def _encrypting_stages(policy: Policy) -> tuple[Stage, ...]:
    if not policy.encrypt_for:
        return ()
    # As above.
    from deid.encrypted_attributes import EncryptedAttributesStage  # noqa: PLC0415

    return (EncryptedAttributesStage(policy.encrypt_for),)


def _series_stages(policy: Policy, pseudonyms: Pseudonyms) -> tuple[SeriesStage, ...]:
    if policy.faces is Faces.LEAVE:
        return ()
    # As above.
    from deid.faces import CleanFacesStage, KeptRegion  # noqa: PLC0415

    kept = [KeptRegion((x, y, z), radius) for x, y, z, radius in policy.kept_regions]
    redraw = policy.faces is Faces.OBFUSCATE
    return (CleanFacesStage(pseudonyms, kept, redraw=redraw, recompression=policy.recompression),)


def _outgoing(instance: Instance) -> Outgoing:
    syntax, elements = instance.transfer_syntax, instance.elements
    header = encoded_header(elements, instance.encoding)
    plain = ExplicitVRLittleEndian if syntax == DeflatedExplicitVRLittleEndian else syntax
    file, told = None, part_10(elements, [header], plain)
    if instance.original.has_pixels:
        pixels = instance.encoding.encode(instance.pixels)
        if plain == syntax:
            file = b"".join([told, *pixels])
        else:
            file = part_10(elements, [header, *pixels], syntax)
    return Outgoing(
        header=told,
        file=file,
        texts={tag: _text(elements.get(tag)) for tag in TEXTS},
        transfer_syntax=syntax,
        report=DeidentificationReport(tuple(instance.records), tuple(instance.methods)),
    )


def _text(element: Element | None) -> str:
    return "" if element is None else bytes(element.value).decode("latin-1").strip(" \0")
