# SPDX-License-Identifier: AGPL-3.0-or-later
"""Section of de-identification."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from plugin.configuration.section import Section

DeidentificationOption = Literal[
    "CleanDescriptors",
    "ModifiedDates",
    "FullDates",
    "PatientCharacteristics",
    "DeviceIdentity",
    "InstitutionIdentity",
    "SafePrivate",
]

DocumentDecision = Literal["mask", "review", "drop", "as-others"]


class DeidentificationSection(Section):
    """How scans are de-identified before a model sees them (PS3.15 Annex E)."""

    key_file: str = Field(
        default="",
        description="32 secret bytes, made at first start, or env:NAME; empty: in DataDirectory",
    )
    options: tuple[DeidentificationOption, ...] = Field(
        default=("CleanDescriptors", "ModifiedDates"),
        strict=False,
        description="options of PS3.15 Annex E on top of the Basic Profile",
    )
    burned_in_annotation: Literal["refuse", "allow"] = Field(
        default="refuse", description="images that say they carry burned-in annotation"
    )
    free_text: Literal["listed", "detected"] = Field(
        default="listed",
        description="what stays of descriptions: listed words, or all but detected identifiers",
    )
    pixel_text: Literal["sent", "leave", "mask", "mask-identifying"] = Field(
        default="sent",
        description="text in pixels: masked in what is stored at arrival or sent to others, or "
        "nowhere, or for the models here, too; or there all but side, scale and depth",
    )
    pixel_search: Literal["quick", "thorough"] = Field(
        default="quick",
        description="text in pixels: looked for by a small network, or by a large one too",
    )
    pixel_terms: bool = Field(
        default=False,
        description="names and numbers that are read in masked pixels are searched for in headers",
    )
    pixel_marks: Literal["fill", "fiducials"] = Field(
        default="fill",
        description="masked text: black or padding, or values that tell its kind and are padding",
    )
    recompression: Literal["rle", "jpeg-ls", "jpeg-2000", "native", "jpeg"] = Field(
        default="rle",
        description="compressed pixels that were changed: how they are written; jpeg loses",
    )
    faces: Literal["leave", "obfuscate"] = Field(
        default="leave",
        description="faces in CT and MR of the head: left, or drawn anew or refused",
    )
    secondary_captures: DocumentDecision = Field(
        default="mask",
        description="screenshots and drawings: text masked, refused for review, dropped, or as "
        "any image",
    )
    scanned_forms: DocumentDecision = Field(
        default="review",
        description="scanned paper, told by header or pixels; masks don't find handwriting",
    )
    encapsulated_documents: DocumentDecision = Field(
        default="mask",
        description="PDF and CDA inside DICOM; masked: set anew from their cleaned text, or left "
        "empty",
    )
    videos: DocumentDecision = Field(
        default="review",
        description="MPEG-2, H.264, HEVC; masked: without sound and user data, and text in the "
        "pictures masked",
    )
    models: Literal["empty", "clean"] = Field(
        default="empty",
        description="3D models (STL, OBJ, MTL): left empty, or their geometry without texts",
    )
    scanned_pages: Literal["drop", "mask", "review"] = Field(
        default="mask",
        description="scanned pages of a PDF that is masked: blank, known clinical words alone, or "
        "refused for review",
    )

    @model_validator(mode="after")
    def _pixels_that_are_read_are_masked(self) -> Self:
        if self.pixel_terms and self.pixel_text == "leave":
            raise ValueError("PixelTerms reads text in pixels: set PixelText to mask")
        return self
