# SPDX-License-Identifier: Apache-2.0
"""Clinical Document Architecture (HL7 CDA release 2) inside DICOM."""

from deid.documents.cda.late import LateCdaStage

__all__ = ["LateCdaStage"]
