# SPDX-License-Identifier: AGPL-3.0-or-later
"""The ``Sidelight`` section of Orthanc's configuration, validated.

Keys are written as Orthanc writes its own (``PascalCase``). Every key has a default; a key that
does not exist, or a value of the wrong type or out of range, is an error that names the key, the
value and what is allowed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_pascal

DeidentificationOption = Literal[
    "CleanDescriptors",
    "ModifiedDates",
    "FullDates",
    "PatientCharacteristics",
    "DeviceIdentity",
    "InstitutionIdentity",
    "SafePrivate",
]
Validator = Literal["dciodvfy", "dsrdump", "dcmpschk"]


class ConfigurationError(ValueError):
    """The section can't be used; the message has one line per wrong key."""


class Section(BaseModel):
    """Base of all sections: immutable, unknown keys are errors, types are not coerced."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, alias_generator=to_pascal, populate_by_name=True
    )


class WorkerSection(Section):
    """The processes that work off the queue."""

    count: int = Field(default=1, ge=1, le=64, description="worker processes")
    nice: int = Field(
        default=15, ge=0, le=19, description="niceness of workers and models: Orthanc goes first"
    )
    scheduling: Literal["idle", "normal"] = Field(
        default="idle", description="idle: they run only when nothing else wants the processor"
    )


class QueueSection(Section):
    """Leases, retries and dead letters."""

    lease_seconds: float = Field(
        default=120.0, ge=5, le=86400, description="after this a silent worker's job is given away"
    )
    maximum_attempts: int = Field(default=5, ge=1, le=100, description="then it is a dead letter")
    backoff_seconds: float = Field(
        default=2.0, ge=0, le=3600, description="before the second attempt; doubles each time"
    )


class DeidentificationSection(Section):
    """How scans are de-identified before a model sees them (PS3.15 Annex E)."""

    key_file: str = Field(
        default="", description="32 secret bytes, made at first start; empty: in DataDirectory"
    )
    options: tuple[DeidentificationOption, ...] = Field(
        default=("CleanDescriptors", "ModifiedDates"),
        strict=False,
        description="options of PS3.15 Annex E on top of the Basic Profile",
    )
    burned_in_annotation: Literal["refuse", "allow"] = Field(
        default="refuse", description="images that say they carry burned-in annotation"
    )


class InferenceSection(Section):
    """Where models run."""

    url: str = Field(
        default="",
        pattern=r"^$|^unix:/.+|^https?://.+",
        description="empty: a local child process; or unix:/path/of/socket, https://…",
    )
    token: str = Field(default="", description="bearer token of a remote service", repr=False)
    device: str = Field(
        default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, cuda, cuda:0 …"
    )
    threads: int = Field(default=0, ge=0, le=256, description="CPU threads; 0: half of the cores")
    timeout_seconds: float = Field(
        default=120.0, gt=0, le=3600, description="for one analysis; then it is tried again"
    )
    model_directories: tuple[str, ...] = Field(
        default=(), strict=False, description="folders of bundles besides the shipped ones"
    )


class ResultsSection(Section):
    """The DICOM objects that go back into the study."""

    segmentation: Literal["BINARY", "FRACTIONAL", "NONE"] = Field(
        default="BINARY", description="BINARY: bands of equal probability, drawn by every viewer"
    )
    viewer_profile: Literal["stone+ohif"] = Field(
        default="stone+ohif", description="the viewers whose needs the objects meet"
    )
    series_number_base: int = Field(
        default=9100, ge=1, le=2147483000, description="first of the reserved SeriesNumber range"
    )
    validators: tuple[Validator, ...] = Field(
        default=("dciodvfy", "dsrdump", "dcmpschk"),
        strict=False,
        description="external checks before storing, where installed",
    )


class Configuration(Section):
    """The whole ``Sidelight`` section."""

    enabled: bool = Field(default=True, description="false: Orthanc runs as if without Sidelight")
    data_directory: str = Field(
        default="", description="queue and key; empty: 'sidelight' inside Orthanc's IndexDirectory"
    )
    environment: str = Field(
        default="", description="virtual environment of Sidelight; empty: found by itself"
    )
    python: str = Field(
        default="", description="interpreter of the child processes; empty: the environment's"
    )
    workers: WorkerSection = WorkerSection()
    queue: QueueSection = QueueSection()
    deidentification: DeidentificationSection = DeidentificationSection()
    inference: InferenceSection = InferenceSection()
    results: ResultsSection = ResultsSection()

    def digest(self) -> str:
        """SHA-256 of all that decides what the results look like."""
        parts = self.deidentification.model_dump_json(exclude={"key_file"})
        parts += self.results.model_dump_json(exclude={"validators"})
        return hashlib.sha256(parts.encode()).hexdigest()


def read(section: object) -> Configuration:
    """Validate the section as Orthanc's JSON has it.

    Raises:
        ConfigurationError: with the key, the value and the allowed values of each mistake.
    """
    if not isinstance(section, Mapping):
        raise ConfigurationError("Sidelight: must be a JSON object with keys and values")
    try:
        # Orthanc's JSON has no tuples; lists are turned here so that all else can stay strict.
        return Configuration.model_validate(dict(section))
    except ValidationError as error:
        lines = [_explain(item) for item in error.errors(include_url=False)]
        raise ConfigurationError("; ".join(lines)) from None


def _explain(item: Mapping[str, Any]) -> str:
    path = ".".join(str(part) for part in item["loc"])
    key = f"Sidelight.{path}"
    if item["type"] == "extra_forbidden":
        known = ", ".join(_keys_beside(item["loc"]))
        return f"{key}: there is no such key; allowed: {known}"
    value = "***" if path.lower().endswith("token") else repr(item["input"])
    return f"{key} = {value}: {item['msg'][0].lower()}{item['msg'][1:]}"


def _keys_beside(location: tuple[str | int, ...]) -> list[str]:
    model: type[BaseModel] = Configuration
    for part in location[:-1]:
        for field in model.model_fields.values():
            if field.alias == part and isinstance(field.annotation, type):
                model = field.annotation
    return [field.alias or name for name, field in model.model_fields.items()]


def reference() -> list[tuple[str, str, str, str]]:
    """Rows of (key, default, allowed, meaning), for the documentation."""
    return list(_rows(Configuration, ""))


def _rows(model: type[BaseModel], prefix: str) -> list[tuple[str, str, str, str]]:
    rows: list[tuple[str, str, str, str]] = []
    for field in model.model_fields.values():
        name = prefix + str(field.alias)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            rows += _rows(field.annotation, name + ".")
        else:
            rows.append(
                (name, _json(field.default), _allowed(field.annotation), field.description or "")
            )
    return rows


def _json(value: object) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def _allowed(annotation: object) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _allowed(get_args(annotation)[0])
    if origin is Literal:
        return ", ".join(str(value) for value in get_args(annotation))
    if origin is tuple:
        return "list of " + _allowed(get_args(annotation)[0])
    names: dict[object, str] = {bool: "true, false", int: "integer", float: "number", str: "text"}
    return names.get(annotation, str(annotation))
