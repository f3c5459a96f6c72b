# SPDX-License-Identifier: AGPL-3.0-or-later
"""Defined terms of Modality (0008,0060): PS3.3 C.7.3.1.1.1, with those that are retired.

They are no closed list: a site may have terms of its own, so others are told of and not refused.
"""

from __future__ import annotations

from collections.abc import Iterable

_DEFINED = """
ANN AR ASMT AU BDUS BI BMD CFM CR CT CTPROTOCOL DG DMS DOC DX ECG EEG EMG EOG EPS ES FID GM HC
HD IO IOL IVOCT IVUS KER KO LEN LS M3D MG MR NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA
PLAN POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT
RWV SEG SM SMR SR SRF STAIN TEXTUREMAP TG US VA XA XAPROTOCOL XC
"""
_RETIRED = "AS CD CF CP CS DD DF DM DS EC FA FS LP MA MS OPR ST VF"
_KNOWN = frozenset(f"{_DEFINED} {_RETIRED}".split())


def undefined(modalities: Iterable[str]) -> list[str]:
    """Those that DICOM does not define, in their order."""
    return [one for one in modalities if one not in _KNOWN]
