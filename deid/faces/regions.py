# SPDX-License-Identifier: Apache-2.0
"""What a header says was examined: the head, another part of the body, or nothing clear."""

from __future__ import annotations

from deid.faces.judging import Region
from deid.parsing import RawDataSet
from deid.vocabulary import folded, words_of

_DESCRIPTORS = (
    0x00180015,  # Body Part Examined
    0x00081030,  # Study Description
    0x0008103E,  # Series Description
    0x00181030,  # Protocol Name
    0x00321060,  # Requested Procedure Description
)
_HEAD = frozenset(
    {
        "head", "headneck", "brain", "skull", "face", "facial", "maxillofacial", "orbit",
        "orbits", "eye", "eyes", "sinus", "sinuses", "neck", "cranium", "cranial", "cerebral",
        "cerebrum", "iac", "iacs", "pituitary", "sella", "ear", "ears", "temporal", "mandible",
        "maxilla", "dental", "teeth", "jaw", "tmj", "nose", "nasal", "pharynx", "larynx",
        "parotid", "cspine", "cervical", "carotid", "stroke", "neuro", "trigeminal", "kopf",
        "schadel", "hirn", "gehirn", "gesicht", "hals", "tete", "crane", "cerveau", "encephale",
        "cou", "cabeza", "craneo", "cerebro", "cuello", "testa", "cranio", "encefalo", "collo",
        "hoofd", "hersenen",
    }
)  # fmt: skip
_ELSEWHERE = frozenset(
    {
        "chest", "thorax", "lung", "lungs", "breast", "heart", "cardiac", "coronary", "abdomen",
        "abdominal", "liver", "kidney", "kidneys", "pancreas", "spleen", "bowel", "colon",
        "pelvis", "pelvic", "prostate", "uterus", "ovary", "bladder", "hip", "hips", "femur",
        "thigh", "knee", "knees", "tibia", "fibula", "leg", "legs", "ankle", "ankles", "foot",
        "feet", "toe", "hand", "hands", "wrist", "wrists", "finger", "fingers", "elbow",
        "humerus", "forearm", "arm", "arms", "shoulder", "shoulders", "extremity", "lspine",
        "tspine", "lumbar", "thoracic", "sacrum", "sacral", "scrotum", "rectum", "aorta",
        "becken", "bauch", "bein", "knie", "hufte", "schulter", "lunge", "herz", "leber",
        "poumon", "foie", "genou", "hanche", "torax", "abdome", "rodilla", "cadera",
    }
)  # fmt: skip


def region_of(header: RawDataSet) -> Region:
    """The region that the header's descriptors name; a word of the head outweighs all others."""
    words = {folded(word) for tag in _DESCRIPTORS for word in words_of(header.text(tag))}
    if words & _HEAD:
        return Region.HEAD
    return Region.ELSEWHERE if words & _ELSEWHERE else Region.UNKNOWN
