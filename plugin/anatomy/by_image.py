# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each image of a series shows, where every image is a scan of its own, and their union.

Images of one series mostly show the same, so those with the same answer stand together. An image
is named by the first digits of its Orthanc identifier, which is a hash.
"""

from __future__ import annotations

from collections.abc import Collection

from pydantic import BaseModel, ConfigDict, Field

from inference.contract import AnatomyAnswer, Probability, RegionName
from plugin.anatomy.regions import body_part_of, codes_of, in_table_order

MOST_IMAGES = 400
"""Images that are told apart; those beyond stay in the union for good."""
_DIGITS = 17
"""Two of the five blocks of an identifier, 64 bits."""


class ImagesAnatomy(BaseModel):
    """Images of a series that show the same."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    regions: tuple[RegionName, ...]
    confidence: Probability
    images: tuple[str, ...] = Field(default=(), description="first digits of Orthanc identifiers")
    more: bool = Field(default=False, description="whether others, not named, show it too")


Images = tuple[ImagesAnatomy, ...]


def named(instance: str) -> str:
    """The name of an image, by its Orthanc identifier."""
    return instance[:_DIGITS]


def is_known(images: Images, instance: str) -> bool:
    """Whether an image was looked at before."""
    return any(named(instance) in one.images for one in images)


def stands_for_all(images: Images, instance: str) -> bool:
    """Whether an image is the one at which its series is checked, once for all its images."""
    return min((name for one in images for name in one.images), default="") == named(instance)


def with_image(images: Images, instance: str, answer: AnatomyAnswer) -> Images:
    """The same after a look at one image; an earlier answer of that image gives way."""
    name = named(instance)
    says = (answer.regions, answer.confidence)
    if any(name in one.images and (one.regions, one.confidence) == says for one in images):
        return images
    others = _only(images, {n for one in images for n in one.images if n != name})
    full = sum(len(one.images) for one in others) >= MOST_IMAGES
    new = () if full else (name,)
    for number, one in enumerate(others):
        if (one.regions, one.confidence) == says:
            joined = {"images": (*one.images, *new), "more": one.more or full}
            return (*others[:number], one.model_copy(update=joined), *others[number + 1 :])
    regions, confidence = says
    added = ImagesAnatomy(regions=regions, confidence=confidence, images=new, more=full)
    return (*others, added)


def still_there(images: Images, instances: Collection[str]) -> Images:
    """The same without images that are gone.

    Args:
        instances: Orthanc identifiers of all that the series has.
    """
    return _only(images, {named(one) for one in instances})


def _only(images: Images, names: Collection[str]) -> Images:
    kept = [
        one.model_copy(update={"images": tuple(name for name in one.images if name in names)})
        for one in images
    ]
    return tuple(one for one in kept if one.images or one.more)


def united(answer: AnatomyAnswer, images: Images) -> AnatomyAnswer:
    """The answer of a series: the regions of all its images, with the rest of the last one's.

    Its confidence is that of the least sure image among those that name a region: an image that
    can't tell makes no other one less sure.
    """
    if not images:
        return answer
    telling = [one for one in images if one.regions]
    regions = in_table_order([region for one in telling for region in one.regions])
    least = min((one.confidence for one in telling), default=0.0)
    if set(regions) == set(answer.regions):
        return answer.model_copy(update={"confidence": least} if telling else {})
    changed = {
        "regions": regions,
        "codes": codes_of(regions),
        "body_part_examined": body_part_of(regions),
        "confidence": least,
    }
    return answer.model_copy(update=changed)
