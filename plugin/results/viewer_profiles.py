# SPDX-License-Identifier: AGPL-3.0-or-later
"""What viewers need beyond the standard, each accommodation with the viewer that forces it.

An object can be legal and still show nothing, or crash the viewer. All deviations from the plain
reading of the templates are here and nowhere else, so that a profile can be switched or a viewer's
fix be followed by deleting a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydicom.sr.coding import Code
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

ProfileName = Literal["stone+ohif", "ihe-air", "weasis"]

_PLAIN_SOURCE = Code("260753009", "SCT", "Source")


@dataclass(frozen=True)
class ViewerProfile:
    """One set of accommodations.

    Attributes:
        sr_sop_class_uid: Stone Web viewer reads geometry from Comprehensive SR only. IHE AIR asks
            for Comprehensive 3D SR (AI Results, section 6.5.3).
        source_image_name: concept name of the IMAGE that an SCOORD is selected from. PS3.16
            TID 1410 (since 2022) wants (260753009, SCT, Source); Stone Web viewer draws nothing
            unless it is (111040, DCM, Original Source).
        outline_tracking_prefix: OHIF 3.11 - 3.13 (cornerstone adapters 2.19 - 5.14) turns a group
            into a measurement only when its tracking identifier begins with one of its tools.
            The freehand tool takes a polyline as it is; the rectangle tool takes the first four
            points of one, and since adapters 5 refuses others than 4 or 5.
        rectangle_tracking_prefix: the same for an upright rectangle.
        measurement_repeats_region: the same adapters take the geometry from the SCOORD below the
            NUM, Stone from the one beside it: both are written.
        whole_image_region: OHIF 3.12 and 3.13 show a black viewport for a group that has a NUM or
            an image reference but no coordinates, so what holds for the image as a whole hangs
            on an outline of the image. Else it is a TID 1501 group that refers to the image.
        groups_have_words: OHIF 3.12 and 3.13 (cornerstone adapters 4.15.29 and 5.6.8) name a
            measurement by the TEXT (121106, DCM, Comment) in its group, and have no other words
            for a group without a NUM.
        plane_groups_for_projections: OHIF 3.12 and 3.13 fail on the SEG of a projection image that
            has no Pixel Measures, Plane Orientation and Plane Position functional groups.
        most_segmentation_frames: Weasis up to 4.6 shows nothing of a SEG with more than 400
            frames: there it is written in several. None: no limit is known.
    """

    sr_sop_class_uid: str
    source_image_name: Code
    outline_tracking_prefix: str
    rectangle_tracking_prefix: str
    measurement_repeats_region: bool
    whole_image_region: bool
    groups_have_words: bool
    plane_groups_for_projections: bool
    most_segmentation_frames: int | None = None


PROFILES: dict[ProfileName, ViewerProfile] = {
    "stone+ohif": ViewerProfile(
        sr_sop_class_uid=str(ComprehensiveSRStorage),
        source_image_name=Code("111040", "DCM", "Original Source"),
        outline_tracking_prefix="Cornerstone3DTools@^0.1.0:PlanarFreehandROI:",
        rectangle_tracking_prefix="Cornerstone3DTools@^0.1.0:RectangleROI:",
        measurement_repeats_region=True,
        whole_image_region=True,
        groups_have_words=True,
        plane_groups_for_projections=True,
    ),
    # No viewer's accommodation: the plain reading of TID 1500, for those that read by the profile.
    "ihe-air": ViewerProfile(
        sr_sop_class_uid=str(Comprehensive3DSRStorage),
        source_image_name=_PLAIN_SOURCE,
        outline_tracking_prefix="",
        rectangle_tracking_prefix="",
        measurement_repeats_region=False,
        whole_image_region=False,
        groups_have_words=False,
        plane_groups_for_projections=False,
    ),
    # Weasis shows the SR as text, where tool names and outlines of the image are noise, and draws
    # from PR, SEG and KO.
    "weasis": ViewerProfile(
        sr_sop_class_uid=str(ComprehensiveSRStorage),
        source_image_name=_PLAIN_SOURCE,
        outline_tracking_prefix="",
        rectangle_tracking_prefix="",
        measurement_repeats_region=False,
        whole_image_region=False,
        groups_have_words=False,
        plane_groups_for_projections=False,
        most_segmentation_frames=400,
    ),
}
