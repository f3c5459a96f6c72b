# SPDX-License-Identifier: Apache-2.0
"""What the kind of an image says of its anatomy: modality, SOP class, and Image Type.

Modalities: PS3.3 C.7.3.1.1.1; of these only such as image one region and no other. ``OCT`` is none:
it is optical coherence tomography of anything but the eye. Bone densitometry (``BMD``, ``BDUS``) is
of heel, forearm, hip or spine. SOP classes: PS3.4 B.5.
"""

from __future__ import annotations

from collections.abc import Sequence

from inference.anatomy.regions import NOWHERE, BodyPart, Regions, body_part

_HEAD: Regions = frozenset(("head",))
_BREAST: Regions = frozenset(("breast",))
_EYE_MODALITIES = (
    "OP", "OPT", "OPTENF", "OPTBSV", "OPM", "OPV", "OAM", "IOL", "KER", "LEN", "SRF", "AR", "VA",
)  # fmt: skip
_BY_MODALITY: dict[str, Regions] = {
    "MG": _BREAST,
    "PT": frozenset(("whole body",)),
    **dict.fromkeys((*_EYE_MODALITIES, "IO", "PX"), _HEAD),
}
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_BREAST_CLASSES = ("1.2", "1.2.1", "13.1.3", "13.1.4", "13.1.5")
"""Mammography, breast tomosynthesis, breast projection."""
_HEAD_CLASSES = (
    # Intra-oral and craniofacial.
    "1.3", "1.3.1", "13.1.2",
    # Ophthalmic photography, tomography, en face and B-scan; maps of thickness and of the cornea.
    "77.1.5.1", "77.1.5.2", "77.1.5.4", "77.1.5.5", "77.1.5.6", "77.1.5.7", "77.1.5.8",
    "81.1", "82.1",
)  # fmt: skip
_BY_SOP_CLASS: dict[str, Regions] = {
    **{_STORAGE + one: _BREAST for one in _BREAST_CLASSES},
    **{_STORAGE + one: _HEAD for one in _HEAD_CLASSES},
}
# Value 3 of Image Type in ultrasound (PS3.3 C.8.5.6.1.1) and the body part that it names. Left out
# are ENDOCAVITARY, FETAL_HEART, INTRAOPERATIVE, INTRAVASCULAR, MUSCULOSKELETAL, PEDIATRIC,
# SMALL_PARTS, US_BIOPSY and VASCULAR, which name none, or several.
_ULTRASOUND = {
    "ABDOMINAL": "ABDOMEN",
    "BREAST": "BREAST",
    "CHEST": "CHEST",
    "ENDORECTAL": "PELVIS",
    "ENDOVAGINAL": "PELVIS",
    "EPICARDIAL": "HEART",
    "GYNECOLOGY": "PELVIS",
    "INTRACARDIAC": "HEART",
    "NEONATAL_HEAD": "HEAD",
    "OBSTETRICAL": "PELVIS",
    "OPHTHALMIC": "EYE",
    "PELVIC": "PELVIS",
    "RETROPERITONEAL": "RETROPERITONEUM",
    "SCROTAL": "SCROTUM",
    "TEE": "HEART",
    "THYROID": "THYROID",
    "TRANSCRANIAL": "HEAD",
    "TTE": "HEART",
}
# The same in nuclear medicine (PS3.3 C.8.4.9.1.1), by how the camera was moved.
_NUCLEAR = {"WHOLE_BODY": "WHOLEBODY"}
_BY_IMAGE_TYPE = {"US": _ULTRASOUND, "NM": _NUCLEAR}
_WHICH_VALUE = 2


def shown_by_modality(modality: str) -> Regions:
    """Regions that a modality images; none where it images several."""
    return _BY_MODALITY.get(modality, NOWHERE)


def shown_by_sop_class(uid: str) -> Regions:
    """Regions that images of a SOP class show; none where they show several."""
    return _BY_SOP_CLASS.get(uid, NOWHERE)


def shown_by_image_type(modality: str, values: Sequence[str]) -> BodyPart | None:
    """Body part that value 3 of Image Type names, with spaces or underscores, or ``None``.

    :param values: of Image Type; or all in one text, as cells of tables have them.
    """
    meant = _BY_IMAGE_TYPE.get(modality)
    if meant is None:
        return None
    parts = values[0].split("\\") if len(values) == 1 else values
    if len(parts) <= _WHICH_VALUE:
        return None
    term = meant.get("_".join(parts[_WHICH_VALUE].upper().split()))
    return None if term is None else body_part(term)
