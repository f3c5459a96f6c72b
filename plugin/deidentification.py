# SPDX-License-Identifier: AGPL-3.0-or-later
"""The section Deidentification in the words of ``deid``."""

from __future__ import annotations

from deid import Option, Policy
from deid.policy import (
    Documents,
    Faces,
    FreeText,
    Models,
    PixelMarks,
    PixelSearch,
    PixelText,
    Recompression,
    ScannedPages,
)
from plugin.configuration.deidentification import DeidentificationSection

_OPTIONS = {
    "CleanDescriptors": Option.CLEAN_DESCRIPTORS,
    "ModifiedDates": Option.MODIFIED_DATES,
    "FullDates": Option.FULL_DATES,
    "PatientCharacteristics": Option.PATIENT_CHARACTERISTICS,
    "DeviceIdentity": Option.DEVICE,
    "InstitutionIdentity": Option.INSTITUTION,
    "SafePrivate": Option.SAFE_PRIVATE,
}


def options_of(section: DeidentificationSection) -> list[Option]:
    """The options of the profile that are in force."""
    return [_OPTIONS[name] for name in section.options]


def policy_of(section: DeidentificationSection, *, leaving: bool) -> Policy:
    """What the profile leaves to the site.

    Args:
        section: of the configuration.
        leaving: whether it is for what is stored at arrival or sent to others, and not only seen by
            the models of this machine.
    """
    pixel_text = section.pixel_text
    if pixel_text == "sent":
        pixel_text = "mask" if leaving else "leave"
    return Policy(
        allow_burned_in_annotation=section.burned_in_annotation == "allow",
        free_text=FreeText(section.free_text),
        pixel_text=PixelText(pixel_text),
        pixel_search=PixelSearch(section.pixel_search),
        pixel_terms=section.pixel_terms and pixel_text != "leave",
        pixel_marks=PixelMarks(section.pixel_marks),
        recompression=Recompression(section.recompression),
        faces=Faces(section.faces),
        secondary_captures=Documents(section.secondary_captures),
        scanned_forms=Documents(section.scanned_forms),
        encapsulated_documents=Documents(section.encapsulated_documents),
        models=Models(section.models),
        videos=Documents(section.videos),
        scanned_pages=ScannedPages(section.scanned_pages),
    )
