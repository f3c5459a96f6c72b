# SPDX-License-Identifier: AGPL-3.0-or-later
"""An Orthanc and a queue in memory, filled with scans by the few words that a test needs."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pydicom
from PIL import Image

from inference.contract import (
    AnalysisAnswer,
    AnatomyAnswer,
    AnatomyVote,
    ClassProbability,
    CodedConcept,
    FindingClass,
    ImageAnalysis,
    MapExtent,
    ModelDescription,
    Outcome,
    ProbabilityMap,
    ScanCategory,
)
from plugin.archive import ArchiveUnavailableError, NotFoundError
from plugin.states import (
    Attachment,
    Findings,
    GlobalProbability,
    Metadata,
    ScanState,
    Status,
    StoredObject,
)

DISCLAIMER = "Trained on phantoms, not for clinical use."
LEVELS = (64, 32, 16)

SOP_CLASSES = {
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "PR": "1.2.840.10008.5.1.4.1.1.11.1",
    "SEG": "1.2.840.10008.5.1.4.1.1.66.4",
    "SR": "1.2.840.10008.5.1.4.1.1.88.33",
}


def orthanc_id(name: str) -> str:
    """An identifier of the form that Orthanc gives."""
    digest = hashlib.sha1(name.encode()).hexdigest()  # noqa: S324
    return "-".join(digest[i : i + 8] for i in range(0, 40, 8))


def finding_class(key: str, name: str, severity: int, threshold: float) -> FindingClass:
    return FindingClass(
        key=key,
        name=name,
        code=CodedConcept(value=f"T-{key}"[:16], scheme="99TEST", meaning=name),
        threshold=threshold,
        patch_threshold=0.5,
        severity=severity,
    )


CHEST_MODEL = ModelDescription(
    name="phantom-chest",
    version="1.0.0",
    title="Findings in frontal chest radiographs",
    disclaimer=DISCLAIMER,
    digest="5f" * 32,
    works_on="instance",
    categories=(ScanCategory(modalities=("CR", "DX"), regions=("chest",), views=("PA", "AP")),),
    classes=(
        finding_class("pneumothorax", "Pneumothorax", 3, 0.45),
        finding_class("pleural-effusion", "Pleural effusion", 2, 0.5),
        finding_class("consolidation", "Consolidation", 2, 0.5),
        finding_class("nodule", "Pulmonary nodule", 2, 0.4),
        finding_class("cardiomegaly", "Cardiomegaly", 1, 0.55),
    ),
    levels=LEVELS,
)

CHEST = AnatomyAnswer(
    modality="CR",
    regions=("chest",),
    codes=(CodedConcept(value="51185008", scheme="SCT", meaning="Chest"),),
    body_part_examined="CHEST",
    view="PA",
    confidence=0.97,
    votes=(
        AnatomyVote(attribute="BodyPartExamined", regions=("chest",), weight=0.9),
        AnatomyVote(attribute="StudyDescription", regions=("chest",), weight=0.6),
        AnatomyVote(attribute="ViewPosition", regions=("chest",), weight=0.3),
    ),
)
HEAD = AnatomyAnswer(
    modality="CT",
    regions=("head",),
    codes=(CodedConcept(value="69536005", scheme="SCT", meaning="Head"),),
    body_part_examined="HEAD",
    confidence=0.9,
    votes=(AnatomyVote(attribute="BodyPartExamined", regions=("head",), weight=0.9),),
)

Spots = Mapping[str, tuple[float, float, float, float]]
"""By finding: centre across and down the image, radius (fractions of it), peak probability."""


def letterbox(rows: int, columns: int) -> MapExtent:
    """A square map around the whole image."""
    side = max(rows, columns)
    left, top = (columns - side) / 2, (rows - side) / 2
    return MapExtent(left=left, top=top, right=left + side, bottom=top + side)


def spot_map(
    level: int, rows: int, columns: int, spot: tuple[float, float, float, float]
) -> np.ndarray:
    """Probabilities that fall off around one place of the image."""
    across, down, radius, peak = spot
    extent = letterbox(rows, columns)
    step = (extent.right - extent.left) / level
    x = (extent.left + (np.arange(level) + 0.5) * step) / columns - across
    y = (extent.top + (np.arange(level) + 0.5) * step) / rows - down
    distance = x[None, :] ** 2 + y[:, None] ** 2
    floor = 0.02 + 0.02 * np.cos(9 * (x[None, :] + 2 * y[:, None])) ** 2
    return np.clip(peak * np.exp(-distance / radius**2) + floor, 0, 1).astype(np.float32)


@dataclass
class FakeArchive:
    """``plugin.archive.Archive`` in memory."""

    studies: dict[str, dict[str, Any]] = field(default_factory=dict)
    serieses: dict[str, dict[str, Any]] = field(default_factory=dict)
    instances: dict[str, dict[str, Any]] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)
    metadatas: dict[tuple[str, str, int], str] = field(default_factory=dict)
    attachments: dict[tuple[str, str, int], bytes] = field(default_factory=dict)
    tags: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    pixels: dict[str, np.ndarray] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)
    down: bool = False
    queries: list[Mapping[str, str]] = field(default_factory=list)
    searches_metadata: bool = False
    database_server: bool = False
    bulk_requests: int = 0
    changed: list[dict[str, Any]] = field(default_factory=list)
    """Orthanc's list of changes."""

    def _look_up(self, table: dict[str, dict[str, Any]], identifier: str) -> dict[str, Any]:
        if self.down:
            raise ArchiveUnavailableError("down")
        try:
            return table[identifier]
        except KeyError:
            raise NotFoundError("no such resource") from None

    def study(self, study_id: str) -> dict[str, Any]:
        return self._look_up(self.studies, study_id)

    def series(self, series_id: str) -> dict[str, Any]:
        return self._look_up(self.serieses, series_id)

    def instance(self, instance_id: str) -> dict[str, Any]:
        return self._look_up(self.instances, instance_id)

    def sop_class(self, instance_id: str) -> str:
        series = self.serieses[self._look_up(self.instances, instance_id)["ParentSeries"]]
        return SOP_CLASSES[series["MainDicomTags"]["Modality"]]

    def file(self, instance_id: str) -> bytes:
        self._look_up(self.instances, instance_id)
        if instance_id not in self.files:
            raise NotFoundError("no such file")
        return self.files[instance_id]

    def rendered(self, instance_id: str) -> bytes:
        self._look_up(self.instances, instance_id)
        return self.pictures[instance_id]

    def metadata(self, level: str, resource: str, name: Metadata) -> str | None:
        return self.metadatas.get((level, resource, int(name)))

    def put_metadata(self, level: str, resource: str, name: Metadata, value: str) -> None:
        self.metadatas[(level, resource, int(name))] = value

    def delete_metadata(self, level: str, resource: str, name: Metadata) -> None:
        self.metadatas.pop((level, resource, int(name)), None)

    def finds_by_metadata(self) -> bool:
        return self.searches_metadata

    def has_database_server(self) -> bool:
        return self.database_server

    def find_by_metadata(
        self, level: str, query: Mapping[str, str], name: Metadata, value: str
    ) -> list[str]:
        assert self.searches_metadata, "this Orthanc finds what the tags alone say"
        found = self.find(level, query)
        return [one["ID"] for one in found if self.metadata("series", one["ID"], name) == value]

    def metadata_of(
        self, resources: Iterable[str], level: str, names: Iterable[Metadata]
    ) -> list[tuple[dict[str, Any], dict[Metadata, str]]]:
        self.bulk_requests += 1
        ids = [
            series
            for one in resources
            for series in (self.studies[one]["Series"] if one in self.studies else [one])
        ]
        table = self.serieses
        if level == "instance":
            inside = [self.serieses.get(one, {}).get("Instances", [one]) for one in ids]
            ids = [instance for instances in inside for instance in instances]
            table = self.instances
        return [
            (
                table[one],
                {n: t for n in names if (t := self.metadata(level, one, n)) is not None},
            )
            for one in ids
            if one in table
        ]

    def attachment(self, level: str, resource: str, name: Attachment) -> bytes | None:
        return self.attachments.get((level, resource, int(name)))

    def simplified_tags(self, instance_id: str) -> dict[str, Any]:
        if instance_id in self.tags:
            return self.tags[instance_id]
        return {
            "StudyInstanceUID": "2.25.1",
            "SeriesInstanceUID": f"2.25.{int(instance_id[:8], 16)}",
            "SOPClassUID": self.sop_class(instance_id),
        }

    def store(self, dicom: bytes) -> str:
        identifier = orthanc_id(hashlib.sha256(dicom).hexdigest())
        self.stored[identifier] = dicom
        stored = pydicom.dcmread(io.BytesIO(dicom), stop_before_pixels=True)
        uids = ("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID")
        self.tags[identifier] = {name: str(stored[name].value) for name in uids}
        return identifier

    def put_attachment(self, level: str, resource: str, name: Attachment, content: bytes) -> None:
        self.attachments[(level, resource, int(name))] = content

    def find(
        self, level: str, query: Mapping[str, str], *, expand: bool = True
    ) -> list[dict[str, Any]]:
        if self.down:
            raise ArchiveUnavailableError("down")
        self.queries.append(dict(query))
        table = {"Study": self.studies, "Series": self.serieses, "Instance": self.instances}[level]
        found = [item for item in table.values() if self._matches(item, query)]
        return found if expand else [item["ID"] for item in found]

    @staticmethod
    def _matches(item: dict[str, Any], query: Mapping[str, str]) -> bool:
        tags = {**item.get("PatientMainDicomTags", {}), **item["MainDicomTags"]}
        # Without case, as Orthanc compares.
        return all(tags.get(k, "").lower() in v.lower().split("\\") for k, v in query.items())

    def changes(self, since: int, limit: int = 1000) -> dict[str, Any]:
        page = self.changed[since : since + limit]
        last = since + len(page)
        return {"Changes": page, "Done": last == len(self.changed), "Last": last}

    def last_change(self) -> int:
        return len(self.changed)

    # -- filling it -------------------------------------------------------------------------------

    def add_study(self, name: str, patient: str = "Doe^Jane", **tags: str) -> str:
        study_id = orthanc_id(f"study {name}")
        self.studies[study_id] = {
            "ID": study_id,
            "Type": "Study",
            "MainDicomTags": {
                "StudyInstanceUID": f"2.25.{len(self.studies) + 1}",
                "AccessionNumber": f"ACC-{name}",
                "StudyDate": "20261103",
                "StudyDescription": "Chest PA",
                **tags,
            },
            "PatientMainDicomTags": {"PatientID": f"PID-{name}", "PatientName": patient},
            "Series": [],
        }
        return study_id

    def add_series(self, study_id: str, modality: str, **tags: str) -> str:
        study = self.studies[study_id]
        series_id = orthanc_id(f"series {study_id} {len(study['Series'])}")
        study["Series"].append(series_id)
        self.serieses[series_id] = {
            "ID": series_id,
            "Type": "Series",
            "ParentStudy": study_id,
            "Instances": [],
            "LastUpdate": f"20261103T{100000 + len(self.serieses)}",
            "MainDicomTags": {
                "Modality": modality,
                "SeriesInstanceUID": f"2.25.7{len(self.serieses)}",
                **tags,
            },
        }
        self.change("NewSeries", series_id)
        return series_id

    def change(self, kind: str, series_id: str) -> None:
        self.changed.append({"ChangeType": kind, "ResourceType": "Series", "ID": series_id})

    def delete_series(self, series_id: str) -> None:
        series = self.serieses.pop(series_id)
        self.studies[series["ParentStudy"]]["Series"].remove(series_id)

    def add_instance(self, series_id: str, picture: Image.Image | None = None) -> str:
        series = self.serieses[series_id]
        instance_id = orthanc_id(f"instance {series_id} {len(series['Instances'])}")
        series["Instances"].append(instance_id)
        self.instances[instance_id] = {
            "ID": instance_id,
            "Type": "Instance",
            "ParentSeries": series_id,
            "MainDicomTags": {"InstanceNumber": str(len(series["Instances"]))},
        }
        if picture is not None:
            buffer = io.BytesIO()
            picture.save(buffer, "PNG", compress_level=1)
            self.pictures[instance_id] = buffer.getvalue()
        return instance_id

    def set_state(self, state: ScanState) -> None:
        self.metadatas[(state.level, state.resource, int(Metadata.STATE))] = state.model_dump_json()

    def set_anatomy(self, series_id: str, anatomy: AnatomyAnswer) -> None:
        key = ("series", series_id, int(Metadata.ANATOMY))
        self.metadatas[key] = anatomy.model_dump_json()

    def set_findings(self, level: str, resource: str, findings: Findings) -> None:
        key = (level, resource, int(Attachment.FINDINGS))
        self.attachments[key] = findings.model_dump_json().encode()

    def add_report(self, study_id: str, kind: str = "SR") -> StoredObject:
        """An object of Sidelight's own in the study."""
        series_id = self.add_series(study_id, kind, Manufacturer="Sidelight")
        instance_id = self.add_instance(series_id)
        number = int(instance_id[:8], 16)
        return StoredObject(kind=kind, instance=instance_id, sop_instance_uid=f"2.25.{number}")


def analysis_of(
    images: Mapping[str, tuple[int, int]], spots: Spots, model: ModelDescription = CHEST_MODEL
) -> Findings:
    """Findings of images of ``(rows, columns)`` by Orthanc identifier."""
    uids = {f"2.25.9{number}": instance for number, instance in enumerate(images)}
    analysed = tuple(
        ImageAnalysis(
            sop_instance_uid=uid,
            rows=images[instance][0],
            columns=images[instance][1],
            extent=letterbox(*images[instance]),
            classes=tuple(
                _class(item, spots.get(item.key, (0.5, 0.5, 0.3, 0.05)), images[instance])
                for item in model.classes
            ),
        )
        for uid, instance in uids.items()
    )
    present = any(item.present for image in analysed for item in image.classes)
    return Findings(
        model=model,
        analysis=AnalysisAnswer(
            model=model.name,
            version=model.version,
            digest=model.digest,
            outcome=Outcome.FINDINGS if present else Outcome.NO_FINDINGS,
            images=analysed,
        ),
        images=uids,
    )


def _class(
    item: FindingClass, spot: tuple[float, float, float, float], size: tuple[int, int]
) -> ClassProbability:
    return ClassProbability(
        key=item.key,
        probability=round(spot[3], 4),
        present=spot[3] >= item.threshold,
        maps={level: ProbabilityMap.of(spot_map(level, *size, spot)) for level in LEVELS},
    )


def state_of(findings: Findings, level: str, resource: str, **more: Any) -> ScanState:
    """The state that goes with findings."""
    classes = {item.key: item for item in findings.model.classes}
    best: dict[str, float] = {}
    for image in findings.analysis.images:
        for item in image.classes:
            best[item.key] = max(item.probability, best.get(item.key, 0.0))
    probabilities = tuple(
        GlobalProbability(
            key=key,
            name=classes[key].name,
            probability=value,
            threshold=classes[key].threshold,
            present=value >= classes[key].threshold,
            severity=classes[key].severity,
        )
        for key, value in sorted(best.items(), key=lambda pair: -pair[1])
    )
    return ScanState(
        level=level,
        resource=resource,
        status=Status(findings.analysis.outcome.value),
        model=findings.model.name,
        model_version=findings.model.version,
        probabilities=probabilities,
        priority=max((p.severity for p in probabilities if p.present), default=0),
        milliseconds={"fetch": 41.0, "deidentify": 63.0, "forward": 212.0, "results": 148.0},
        finished_at=more.pop("finished_at", "2026-11-03T10:15:04Z"),
        **more,
    )


@dataclass
class FakeQueue:
    """``plugin.queue.JobQueue`` in memory."""

    pending: set[str] = field(default_factory=set)
    enqueued: list[str] = field(default_factory=list)
    noted: list[tuple[str, float]] = field(default_factory=list)

    def pending_for(self, resources: Iterable[str]) -> int:
        return len(self.pending & set(resources))

    def studies_to_note(self, limit: int) -> list[tuple[str, float]]:
        return self.noted[:limit]

    def enqueue_analysis(self, study_id: str) -> int:
        self.enqueued.append(study_id)
        return 1
