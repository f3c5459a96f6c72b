# SPDX-License-Identifier: Apache-2.0
"""The stage that carries out the Clean Recognizable Visual Features Option (PS3.15 section E.3.2).

Unlike the others it sees a whole series: one slice shows neither a skull nor a face.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deid.context import encodings_of
from deid.elements import Element
from deid.errors import FaceMaskError
from deid.faces.captures import may_show_a_face
from deid.faces.grid import Volume
from deid.faces.judging import Head, Region, Verdict, head_in, lying_header
from deid.faces.loose import any_ring
from deid.faces.redraw import KeptRegion, redrawn
from deid.faces.regions import region_of
from deid.faces.series import Frame, Stack, frames_of, stacks_of
from deid.identifiers import patient_of
from deid.pixels.frames import Picture, dataset_of, decoded, replaced
from deid.policy import Recompression
from deid.pseudonyms import Pseudonyms
from deid.reading import PIXEL_DATA
from deid.report import Action, ElementRecord
from deid.stages import Instance

CODE, MEANING = "113102", "Clean Recognizable Visual Features Option"
_RECOGNIZABLE, _MODALITY = 0x00280302, 0x00080060
_CHARACTER_SET, _SERIES = 0x00080005, 0x0020000E
_SLICES = {
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.2.1": "CT",
    "1.2.840.10008.5.1.4.1.1.2.2": "CT",
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.4.1": "MR",
    "1.2.840.10008.5.1.4.1.1.4.4": "MR",
}
"""SOP classes of CT and MR images, the enhanced ones included (PS3.4 annex B)."""
_RULE = "faces in pixels"


def shows_slices(sop_class: str) -> bool:
    """Whether faces are looked for in objects of this class, so that whole series are needed."""
    return sop_class in _SLICES


class _Change(NamedTuple):
    """The new stored values of one instance, ``(frames, rows, columns)`` both."""

    changed: NDArray[np.bool_]
    values: NDArray[Any]


class _Looked(NamedTuple):
    """What was seen: the frames of each instance, the volumes they make up, their heads."""

    pictures: Sequence[Picture]
    stacks: Sequence[Stack]
    heads: Sequence[Head | Verdict]


class CleanFacesStage:
    """Draws the faces in CT and MR series of the head anew.

    Parameters
    ----------
    pseudonyms:
        Give each patient a face.
    kept:
        What must stay as it is.
    redraw:
        Else nothing is drawn, and Recognizable Visual Features (0028,0302) says YES wherever a
        face is or may be seen.
    recompression:
        How compressed pixels are written.
    """

    def __init__(
        self,
        pseudonyms: Pseudonyms,
        kept: Iterable[KeptRegion] = (),
        *,
        redraw: bool = True,
        recompression: Recompression = Recompression.RLE,
    ) -> None:
        self._pseudonyms = pseudonyms
        self._kept = tuple(kept)
        self._redraws = redraw
        self._recompression = recompression

    def apply(self, instances: Sequence[Instance]) -> None:
        """Clean the instances of one series, and say in their headers what was done.

        Raises
        ------
        FaceMaskError
            If a face may be seen and it can't be told where; nothing is changed then.
        PixelsNotReadableError
            If pixels can't be decoded or changed.
        """
        slices = [one for one in instances if _modality(one) and _has_pixels(one)]
        if not self._redraws:
            self._flag(slices)
            for instance in instances:
                if may_show_a_face(instance):
                    instance.elements[_RECOGNIZABLE] = Element(_RECOGNIZABLE, "CS", b"YES")
            return
        for instance in instances:
            _check(instance)
        looked = _look(slices)
        seen = looked is not None and any(isinstance(head, Head) for head in looked.heads)
        if not seen and any(_said_to_show(one) for one in slices):
            raise FaceMaskError(
                "Recognizable Visual Features (0028,0302) is YES and no head is found: look at "
                "the series"
            )
        if looked is None:
            return
        changes = [_unchanged(picture) for picture in looked.pictures]
        for stack, head in zip(looked.stacks, looked.heads, strict=True):
            if isinstance(head, Head):
                self._redraw(stack, head, slices, (looked, changes))
        for instance, change, picture in zip(slices, changes, looked.pictures, strict=True):
            _write(instance, change, picture, self._recompression)

    @staticmethod
    def _flag(slices: Sequence[Instance]) -> None:
        try:
            looked = _look(slices)
        except FaceMaskError:
            seen = True
        else:
            if looked is None:
                return
            seen = any(isinstance(head, Head) for head in looked.heads)
        for instance in slices:
            value = b"YES" if seen else b"NO"
            instance.elements[_RECOGNIZABLE] = Element(_RECOGNIZABLE, "CS", value)

    def _redraw(
        self,
        stack: Stack,
        head: Head,
        slices: Sequence[Instance],
        told: tuple[_Looked, Sequence[_Change]],
    ) -> None:
        looked, changes = told
        header = slices[stack.frames[0].instance].original.header
        patient = patient_of(header, encodings_of(header.text(_CHARACTER_SET)))
        seeds = self._pseudonyms.face_seeds(patient, header.text(_SERIES))
        made = redrawn(_volume(stack, looked.pictures), head, seeds, self._kept)
        for at, frame in enumerate(stack.frames):
            change = changes[frame.instance]
            change.changed[frame.number] = made.changed[at]
            change.values[frame.number] = _stored(
                made.values[at], frame, slices[frame.instance], change.values.dtype
            )


def _check(instance: Instance) -> None:
    if _said_to_show(instance) and not _modality(instance):
        raise FaceMaskError(
            "Recognizable Visual Features (0028,0302) is YES and faces are masked in CT and MR "
            "alone: look at the image"
        )
    if may_show_a_face(instance):
        raise FaceMaskError(
            "the secondary capture may show the face of a head that was scanned, and none can be "
            "masked there: look at the image"
        )


def _said_to_show(instance: Instance) -> bool:
    return instance.original.header.text(_RECOGNIZABLE).strip().upper() == "YES"


def _look(slices: Sequence[Instance]) -> _Looked | None:
    """Look for heads; ``None`` where nothing can be said of a series that shows something else."""
    if not slices:
        return None
    region = _region(slices)
    if any(one.image is not None and one.image.tag != PIXEL_DATA for one in slices):
        if region is Region.ELSEWHERE:
            return None
        raise FaceMaskError("faces can't be looked for in float pixels: leave them out")
    try:
        return _looked(slices, region)
    except _NotLookedAtError as error:
        if region is not Region.ELSEWHERE:
            raise FaceMaskError(str(error)) from None
        if any_ring(slices, _modality(slices[0])):
            raise lying_header() from None
        return None


class _NotLookedAtError(Exception):
    """The series makes up no volume of grey values; the message is that of the error to be."""


def _looked(slices: Sequence[Instance], region: Region) -> _Looked | None:
    try:
        stacks = _stacks(slices)
    except FaceMaskError as error:
        raise _NotLookedAtError(str(error)) from None
    pictures = [decoded(one) for one in slices]
    if any(picture.shown.ndim != 3 for picture in pictures):
        raise _NotLookedAtError("faces can't be looked for in images in colour: leave them out")
    heads = [
        head_in(_volume(stack, pictures), _modality(slices[stack.frames[0].instance]), region)
        for stack in stacks
    ]
    if Verdict.NOT_TOLD not in heads:
        return _Looked(pictures, stacks, heads)
    if any(isinstance(head, Head) for head in heads):
        # What lies beside a head, such as its localizer, shows the head too.
        raise lying_header()
    return None


def _volume(stack: Stack, pictures: Sequence[Picture]) -> Volume:
    return stack.volume([picture.shown for picture in pictures])


def _unchanged(picture: Picture) -> _Change:
    return _Change(np.zeros(picture.shown.shape, np.bool_), picture.shown.copy())


def _modality(instance: Instance) -> str:
    return _SLICES.get(instance.original.sop_class, "")


def _has_pixels(instance: Instance) -> bool:
    return instance.image is not None


def _region(slices: Sequence[Instance]) -> Region:
    """The head, where one slice says so; elsewhere, where all do."""
    found = {region_of(one.original.header) for one in slices}
    if Region.HEAD in found or len(found) == 1:
        return Region.HEAD if Region.HEAD in found else found.pop()
    return Region.UNKNOWN


def _stacks(slices: Sequence[Instance]) -> list[Stack]:
    """Volumes: of each enhanced instance, and of the single slices in one direction and size."""
    groups: dict[tuple[object, ...], list[Frame]] = defaultdict(list)
    for at, instance in enumerate(slices):
        dataset = dataset_of(instance)
        frames = frames_of(dataset, at)
        whole = at if len(frames) > 1 else -1
        for frame in frames:
            direction = tuple(np.round(frame.orientation, 2).ravel() + 0.0)
            size = (dataset.get("Rows"), dataset.get("Columns"))
            groups[whole, direction, size].append(frame)
    return [stack for frames in groups.values() for stack in stacks_of(frames)]


def _stored(
    values: NDArray[np.float32], frame: Frame, instance: Instance, dtype: np.dtype[Any]
) -> NDArray[Any]:
    slope, intercept = frame.rescale
    order = "little" if instance.encoding.little_endian else "big"
    element = instance.elements.get(0x00280101)
    bits = dtype.itemsize * 8
    if element is not None and len(element.value) == 2:
        bits = min(bits, int.from_bytes(element.value, order))  # type: ignore[arg-type]
    low, high = (
        (-(1 << bits - 1), (1 << bits - 1) - 1) if dtype.kind == "i" else (0, (1 << bits) - 1)
    )
    stored = np.rint((values.astype(np.float64) - intercept) / (slope or 1.0))
    return np.clip(stored, low, high).astype(dtype)


def _write(
    instance: Instance, change: _Change, picture: Picture, recompression: Recompression
) -> None:
    touched = bool(change.changed.any())
    if touched:
        replaced(instance, change.changed, change.values, picture, recompression)
    instance.elements[_RECOGNIZABLE] = Element(_RECOGNIZABLE, "CS", b"NO")
    instance.methods[CODE] = MEANING
    action = Action.CLEANED if touched else Action.KEPT
    instance.records.append(ElementRecord(f"{PIXEL_DATA:08X}", _RULE, action))
