# SPDX-License-Identifier: AGPL-3.0-or-later
"""One time zone for all times of an object.

Timezone Offset From UTC (0008,0201) holds for every date and time of an object (PS3.3 C.12.1.1.8).
The original's goes over together with its Study Date and Time; when the result was made is then
said in that zone too, not in the one of this machine.
"""

from __future__ import annotations

from datetime import datetime

from pydicom.dataset import Dataset

_MADE = (
    ("InstanceCreationDate", "InstanceCreationTime"),
    ("ContentDate", "ContentTime"),
    ("PresentationCreationDate", "PresentationCreationTime"),
)


def say_in_zone_of_original(dataset: Dataset) -> None:
    """Convert the times of making from this machine's clock to the zone that the object states.

    Without a Timezone Offset From UTC nothing is changed: DICOM times without one are local.
    """
    offset = str(dataset.get("TimezoneOffsetFromUTC", "") or "")
    if not offset:
        return
    zone = datetime.strptime(offset, "%z").tzinfo
    for day, time in _MADE:
        if day not in dataset or time not in dataset:
            continue
        here = datetime.strptime(_plain(dataset, day, time), "%Y%m%d%H%M%S.%f").astimezone()
        there = here.astimezone(zone)
        setattr(dataset, day, there.strftime("%Y%m%d"))
        setattr(dataset, time, there.strftime("%H%M%S.%f"))


def _plain(dataset: Dataset, day: str, time: str) -> str:
    written = str(dataset[time].value).replace(":", "")
    whole, _, fraction = written.partition(".")
    date = str(dataset[day].value).replace("-", "")
    return f"{date}{whole.ljust(6, '0')}.{fraction.ljust(6, '0')}"
