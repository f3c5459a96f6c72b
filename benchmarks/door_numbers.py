# SPDX-License-Identifier: Apache-2.0
"""The numbers of one report as each door tells them, each read by its own plain means.

None of these readers uses Sidelight's own: the SR is walked with pydicom, FHIR and REST are JSON,
HL7 is split at its delimiters. All give the same shape: a name for each number, with findings and
regions counted in the order in which the report has them.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from typing import Any

import pydicom
from pydicom.dataset import Dataset

Numbers = dict[str, Any]

SUMMARY, ANALYSES = "111017", "111065"
PRESENT = "52101004"


def of_report(dicom: bytes) -> Numbers:
    """From the SR: TID 1500, groups of TID 1410."""
    report = pydicom.dcmread(io.BytesIO(dicom))
    (measurements,) = _named(report, "126010")
    (evaluations,) = _named(report, "C0034375")
    said: Numbers = {
        "accession number": str(report.AccessionNumber),
        "study": str(report.StudyInstanceUID),
        "outcome": _code(_named(evaluations, SUMMARY)[0]),
        "analyses": _code(_named(evaluations, ANALYSES)[0]),
    }
    whole, *others = _named(measurements, "125007")
    thresholds = [
        round(100 * float(text.TextValue.rpartition("=")[2]), 4)
        for text in _named(whole, "111002")
        if text.TextValue.startswith("threshold ")
    ]
    for number, item in enumerate(_of_type(whole, "NUM"), start=1):
        code = _code(_named(item, "121071")[0])
        regions = [group for group in others if _code(_named(group, "121071")[0]) == code]
        said |= _finding(
            number,
            code,
            _percent(item),
            thresholds[number - 1],
            _code(_named(whole, code)[0]) == PRESENT,
        )
        said |= _regions(number, [_percent(_of_type(group, "NUM")[0]) for group in regions])
    return said


def of_json(result: dict[str, Any]) -> Numbers:
    """From one entry of ``results`` over REST or in a webhook."""
    said: Numbers = {
        "accession number": result["study"]["accession_number"],
        "study": result["study"]["study_instance_uid"],
        "outcome": result["summary"]["value"],
        "analyses": result["analyses"]["value"],
    }
    for number, finding in enumerate(result["findings"], start=1):
        said |= _finding(
            number,
            finding["code"]["value"],
            finding["probability_percent"],
            finding["threshold_percent"],
            finding["present"],
        )
        said |= _regions(number, [one["probability_percent"] for one in finding["regions"]])
    return said


def of_fhir(bundle: dict[str, Any]) -> Numbers:
    """From a Bundle with one DiagnosticReport."""
    by_url = {entry["fullUrl"]: entry["resource"] for entry in bundle["entry"]}
    (report,) = [r for r in by_url.values() if r["resourceType"] == "DiagnosticReport"]
    study = by_url[report["imagingStudy"][0]["reference"]]
    summary, analyses = (_coding(code)["code"] for code in report["conclusionCode"])
    order = report.get("basedOn", [{"identifier": {"value": ""}}])[0]
    said: Numbers = {
        "accession number": order["identifier"]["value"],
        "study": study["identifier"][0]["value"].removeprefix("urn:oid:"),
        "outcome": summary,
        "analyses": analyses,
    }
    observed = [by_url[reference["reference"]] for reference in report["result"]]
    if _coding(observed[0]["valueCodeableConcept"])["code"] != summary:
        said["outcome"] = "the Observation says another one"
    for number, observation in enumerate(observed[1:], start=1):
        percents: dict[str, list[float]] = {"probability": [], "threshold": []}
        for component in observation["component"]:
            if "valueQuantity" in component:
                kind = _coding(component["code"])["code"] == "T-threshold"
                name = "threshold" if kind else "probability"
                percents[name].append(component["valueQuantity"]["value"])
        probability, *regions = percents["probability"]
        said |= _finding(
            number,
            _coding(observation["code"])["code"],
            probability,
            percents["threshold"][0],
            _coding(observation["valueCodeableConcept"])["code"] == PRESENT,
        )
        said |= _regions(number, regions)
    return said


def of_hl7(message: bytes) -> Numbers:
    """From an ORU^R01 with one order."""
    segments = [line.split("|") for line in message.decode("utf-8").split("\r") if line]
    (order,) = [fields for fields in segments if fields[0] == "OBR"]
    observations = [fields for fields in segments if fields[0] == "OBX"]
    (study,) = [fields for fields in observations if fields[2] == "HD"]
    coded = {f[3].split("^")[0]: f[5].split("^")[0] for f in observations if f[2] == "CWE"}
    said: Numbers = {
        "accession number": order[18],
        "study": study[5].split("^")[1],
        "outcome": coded[SUMMARY],
        "analyses": coded[ANALYSES],
    }
    for number, group in _groups(observations):
        presence = next(f for f in group if f[2] == "CWE")
        probability = next(f for f in group if f[7])
        regions = [f for f in group if "." in f[4]]
        said |= _finding(
            number,
            presence[3].split("^")[0],
            float(probability[5]),
            float(probability[7].removeprefix("<")),
            presence[5].split("^")[0] == PRESENT,
        )
        said |= _regions(number, [float(f[5]) for f in regions])
    return said


def of_encapsulated_text(message: bytes) -> list[str]:
    """Every number with a percent sign in the encapsulated text of an ORU^R01, as written."""
    for line in message.decode("utf-8").split("\r"):
        fields = line.split("|")
        if fields[0] == "OBX" and fields[2] == "ED":
            text = base64.b64decode(fields[5].split("^")[4]).decode("utf-8")
            return re.findall(r"([0-9.]+) %", text)
    return []


def differing(one: Numbers, other: Numbers) -> list[str]:
    """Names of the numbers that two doors tell differently, or that only one of them tells."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _groups(observations: list[list[str]]) -> Iterator[tuple[int, list[list[str]]]]:
    numbers = sorted({int(f[4].partition(".")[0]) for f in observations if f[4]})
    for number in numbers:
        yield number, [f for f in observations if f[4].partition(".")[0] == str(number)]


def _finding(
    number: int, code: str, probability: float, threshold: float | None, present: bool
) -> Numbers:
    return {
        f"finding {number}": code,
        f"finding {number} probability": probability,
        f"finding {number} threshold": threshold,
        f"finding {number} present": present,
    }


def _regions(number: int, probabilities: list[float]) -> Numbers:
    return {
        f"finding {number} region {region}": probability
        for region, probability in enumerate(probabilities, start=1)
    }


def _coding(concept: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = concept["coding"][0]
    return first


def _named(item: Dataset, code: str) -> list[Dataset]:
    return [
        child
        for child in item.get("ContentSequence", [])
        if child.ConceptNameCodeSequence[0].CodeValue == code
    ]


def _of_type(item: Dataset, kind: str) -> list[Dataset]:
    return [child for child in item.ContentSequence if child.ValueType == kind]


def _code(item: Dataset) -> str:
    return str(item.ConceptCodeSequence[0].CodeValue)


def _percent(item: Dataset) -> float:
    return float(item.MeasuredValueSequence[0].NumericValue)
