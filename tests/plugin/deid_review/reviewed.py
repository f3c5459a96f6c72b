# SPDX-License-Identifier: AGPL-3.0-or-later
"""Images that wait for a reviewer, and a desk over them, in memory and one folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset

from deid import DeidentificationKey, Deidentifier
from plugin.archive import NotFoundError
from plugin.configuration.deidentification import DeidentificationSection
from plugin.deid_review.accesses import AccessAudit
from plugin.deid_review.desk import ReviewDesk
from plugin.deid_review.door import Held, Place, ReviewDoor
from plugin.deid_review.ledger import ReviewLedger
from plugin.deid_review.records import Draft, Item, Opened, PixelBox, Reason, Subject
from plugin.deid_review.terms import TermBook
from plugin.deid_review.workshop import Workshop, content_of, settings_of
from plugin.deidentification import options_of, policy_of
from tests.deid.made_scans import ct, file_of
from tests.plugin.web.fake_archive import orthanc_id

PLACE = Place(orthanc_id("series"), orthanc_id("study"))
NAME, BIRTH = "FENWICK^MARIGOLD", "1950"


def named_image(number: int = 0, **attributes: Any) -> Dataset:
    """An image of 240 x 400 pixels with a name in them, whose header says so."""
    picture = Image.new("L", (400, 240), 12)
    draw = ImageDraw.Draw(picture)
    draw.ellipse((120, 50, 320, 220), fill=90 + number % 50)
    draw.text((16, 14), f"{NAME} {BIRTH}", fill=240, font=ImageFont.load_default(18))
    draw.text((300, 205), "L CC", fill=240, font=ImageFont.load_default(18))
    dataset = ct(BurnedInAnnotation="YES", **attributes)
    dataset.PatientName, dataset.PatientID = "Fenwick^Marigold", f"PID-{number:05d}"
    dataset.SOPInstanceUID = f"2.25.9{number:07d}"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 240, 400, 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelRepresentation, dataset.PhotometricInterpretation = 0, "MONOCHROME2"
    dataset.WindowCenter, dataset.WindowWidth = 128, 256
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
    dataset.PixelData = np.asarray(picture).tobytes()
    return dataset


@dataclass
class Files:
    """Orthanc as far as reviews need it."""

    files: dict[str, bytes] = field(default_factory=dict)
    serieses: dict[str, list[str]] = field(default_factory=dict)

    def file(self, instance: str, /) -> bytes:
        try:
            return self.files[instance]
        except KeyError:
            raise NotFoundError("no such file") from None

    def series(self, identifier: str, /) -> dict[str, Any]:
        try:
            return {"Instances": self.serieses[identifier]}
        except KeyError:
            raise NotFoundError("no such series") from None


@dataclass
class Queue:
    """Remembers what is queued; ``busy`` is being worked on."""

    queued: list[str] = field(default_factory=list)
    busy: set[str] = field(default_factory=set)

    def pending_for(self, resources: Iterable[str], /) -> int:
        return len(self.busy & set(resources))

    def analyse_again(self, instance: str, /) -> None:
        self.queued.append(instance)


class Reviewed:
    """A node: a door at which images are refused and a desk where they are looked at."""

    def __init__(self, folder: Path, **section: Any) -> None:
        self.folder = folder
        self.section = DeidentificationSection.model_validate(section)
        self.files, self.queue = Files(), Queue()
        key = DeidentificationKey.from_file(folder / "key", create=True)
        options, policy = options_of(self.section), policy_of(self.section, leaving=False)
        self.workshop = Workshop(key, options, policy, settings_of(self.section))
        self.plain = Deidentifier(key, options=options, policy=policy)
        self.ledger = ReviewLedger(folder / "deid-review.sqlite")
        self.vocabulary = folder / "vocabulary.json"
        self.desk = ReviewDesk(
            ledger=self.ledger,
            terms=TermBook(self.ledger, self.vocabulary),
            workshop=self.workshop,
            files=self.files,
            queue=self.queue,
            reviewers=("anna", "ben"),
            accesses=AccessAudit(folder / "deid-review-audit.sqlite", key),
            auditors=("cora",),
        )

    def door(self, **how: Any) -> ReviewDoor:
        return ReviewDoor(self.ledger, self.workshop, self.plain, **how)

    def add(self, number: int = 0, **attributes: Any) -> str:
        """Store an image; its Orthanc identifier."""
        instance = orthanc_id(f"image {number}")
        self.files.files[instance] = file_of(named_image(number, **attributes))
        return instance

    def waiting(self, number: int = 0, **attributes: Any) -> Item:
        """An image that was refused, without the seconds that looking for its text takes."""
        instance = self.add(number, **attributes)
        content = content_of([self.files.file(instance)])
        subject = Subject(
            scope="image", resource=instance, series=PLACE.series, study=PLACE.study,
            content=content,
        )  # fmt: skip
        boxes = (
            PixelBox(left=12, top=10, width=240, height=28),
            PixelBox(left=296, top=200, width=50, height=28),
        )
        opened = Opened(
            reason=Reason.BURNED_IN, settings=self.workshop.settings, holds=True,
            draft=Draft(boxes=boxes), detections=boxes,
        )  # fmt: skip
        return self.ledger.open(subject, opened)


__all__ = ["BIRTH", "NAME", "PLACE", "Held", "Reviewed", "named_image"]
