# SPDX-License-Identifier: Apache-2.0
"""The stages that carry out what the policy says of documents."""

from __future__ import annotations

from deid.documents.kinds import Kind, decision_for, kind_of
from deid.documents.page import looks_like_page
from deid.elements import Element
from deid.errors import (
    BurnedInAnnotationError,
    DocumentDroppedError,
    DocumentForReviewError,
)
from deid.policy import Documents, Policy
from deid.reading import PIXELS
from deid.report import Action, ElementRecord
from deid.stages import Instance, Stage

_BURNED_IN = 0x00280301
_ENCAPSULATED_DOCUMENT = 0x00420011


class LateCleanPixelStage:
    """Masks all text; loads its detector with the first image that needs it.

    Parameters
    ----------
    policy:
        Says how masks are made.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._made: Stage | None = None

    def apply(self, instance: Instance) -> None:
        """Clean the pixels, as ``deid.pixels.CleanPixelStage``."""
        if self._made is None:
            from deid.pixels import clean_pixel_stage  # noqa: PLC0415

            self._made = clean_pixel_stage(self._policy)
        self._made.apply(instance)


class DocumentCheck:
    """Refuses documents that the policy drops, or keeps for a person, as their header tells.

    Parameters
    ----------
    policy:
        What the site decides.
    burned_in:
        Refuses what says that text is in its pixels and is not masked; ``None`` where all is.
    """

    def __init__(self, policy: Policy, burned_in: Stage | None) -> None:
        self._policy = policy
        self._burned_in = burned_in

    def apply(self, instance: Instance) -> None:
        """Raise where the instance must not leave.

        Raises
        ------
        DocumentDroppedError, DocumentForReviewError
            As the policy says of its kind.
        BurnedInAnnotationError
            If it says that text is in its pixels and nothing masks it.
        """
        kind = kind_of(instance.original)
        if kind is not None and _told_by_pixels(self._policy, kind, instance):
            return  # ``DocumentStage`` looks at it
        decision = Documents.AS_OTHERS if kind is None else decision_for(self._policy, kind)
        if kind is not None:
            _rule(decision, kind)
        if decision is Documents.AS_OTHERS and self._burned_in is not None:
            _unmasked(self._policy, self._burned_in, kind, instance)


class DocumentStage:
    """Tells scanned forms from other secondary captures, and masks what the policy has masked.

    Parameters
    ----------
    policy:
        What the site decides.
    burned_in:
        As of ``DocumentCheck``.
    masking:
        Masks the text in the pixels; ``None`` where every image is masked anyway.
    """

    def __init__(self, policy: Policy, burned_in: Stage | None, masking: Stage | None) -> None:
        self._policy = policy
        self._burned_in = burned_in
        self._masking = masking

    def apply(self, instance: Instance) -> None:
        """Refuse or mask it, and record which kind of document it was taken for.

        Raises
        ------
        DocumentDroppedError, DocumentForReviewError, BurnedInAnnotationError
            As the policy says of its kind.
        PixelsNotReadableError, TextLeftInPixelsError
            If it can't be seen or masked.
        """
        kind = kind_of(instance.original)
        if kind is None:
            return
        if _told_by_pixels(self._policy, kind, instance):
            kind = _seen(instance)
        decision = decision_for(self._policy, kind)
        _rule(decision, kind)
        if decision is Documents.AS_OTHERS:
            if self._burned_in is not None:
                _unmasked(self._policy, self._burned_in, kind, instance)
            return
        if kind is Kind.VIDEO:
            return  # ``VideoStage`` masks its pictures
        image = instance.image
        if image is not None and self._masking is not None:
            self._masking.apply(instance)
        tag = _ENCAPSULATED_DOCUMENT if image is None else image.tag
        instance.records.append(ElementRecord(f"{tag:08X}", f"policy: {kind}", Action.CLEANED))


class FlaggingStage:
    """Says that text is in the pixels (0028,0301), of copies that wait for a person."""

    def apply(self, instance: Instance) -> None:
        """Set the flag."""
        instance.elements[_BURNED_IN] = Element(_BURNED_IN, "CS", b"YES ")
        instance.records.append(ElementRecord(f"{_BURNED_IN:08X}", "for review", Action.ADDED))


def _told_by_pixels(policy: Policy, kind: Kind, instance: Instance) -> bool:
    """Whether only the pixels tell which of two decisions holds."""
    return (
        kind is Kind.SECONDARY_CAPTURE
        and policy.secondary_captures is not policy.scanned_forms
        and any(element.tag in PIXELS for element in instance.original.pixels)
    )


def _rule(decision: Documents, kind: Kind) -> None:
    """Refuse what the policy lets nowhere."""
    if decision is Documents.DROP:
        raise DocumentDroppedError(f"a {kind} is dropped by policy", kind)
    if decision is Documents.REVIEW:
        raise DocumentForReviewError(f"a {kind} waits for a person to look at it, by policy", kind)


def _unmasked(policy: Policy, burned_in: Stage, kind: Kind | None, instance: Instance) -> None:
    """Refuse what says that text is in its pixels, in whichever way, where nothing masks it."""
    burned_in.apply(instance)
    if kind is Kind.SLIDE_LABEL and not policy.allow_burned_in_annotation:
        raise BurnedInAnnotationError(
            "the image shows the label of a slide and its text is not removed: choose what becomes "
            "of scanned forms, or allow such instances by policy where their pixels may be seen"
        )


def _seen(instance: Instance) -> Kind:
    # Looked up here: who handles no secondary captures needs no decoder.
    from deid.pixels.frames import decoded  # noqa: PLC0415

    picture = decoded(instance)
    is_page = looks_like_page(picture.visible, picture.photometric)
    return Kind.SCANNED_FORM if is_page else Kind.SECONDARY_CAPTURE
