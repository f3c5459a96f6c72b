# SPDX-License-Identifier: Apache-2.0
"""What an import may be told of a model, as ``KEY=VALUE``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from inference.contract import RegionName, ScanCategory
from inference.imported.errors import ModelImportError
from inference.imported.finding_codes import FindingCodes
from inference.imported.importer import ImportRequest
from inference.imported.settings import Activation, Maps, Normalization, Task
from inference.imported.sources import Format


def _listed(value: object) -> object:
    return [p.strip() for p in value.split(",") if p.strip()] if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(_listed)]


class ImportOptions(BaseModel):
    """Keys of ``--set``; what is not given is as the file says, or as is usual for its kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Format | None = None
    name: str = ""
    version: Annotated[str, Field(pattern=r"^(\d+\.\d+\.\d+)?$")] = ""
    title: str = ""
    task: Task | None = None
    size: int | None = Field(default=None, ge=32, le=2048)
    mean: Numbers | None = None
    deviation: Numbers | None = None
    black: float | None = None
    white: float | None = None
    channels: int | None = Field(default=None, ge=1, le=3)
    activation: Activation | None = None
    maps: Maps | None = None
    grid: int | None = Field(default=None, ge=2, le=256)
    modalities: Words = ("CR", "DX")
    regions: Annotated[tuple[RegionName, ...], BeforeValidator(_listed)] = ("chest",)
    views: Words = ("PA", "AP")

    @model_validator(mode="after")
    def _one_way_to_normalize(self) -> Self:
        by_range = (self.black, self.white) != (None, None)
        if by_range and (self.mean or self.deviation):
            raise ValueError("give either black and white, or mean and deviation")
        if by_range and not self._black < self._white:
            raise ValueError("white must be above black")
        return self

    @property
    def _black(self) -> float:
        return 0.0 if self.black is None else self.black

    @property
    def _white(self) -> float:
        return 1.0 if self.white is None else self.white

    @property
    def normalization(self) -> Normalization | None:
        """None where nothing of it was given: the file may say."""
        if self.mean or self.deviation:
            mean, deviation = self.mean or (0.0,), self.deviation or (1.0,)
        elif (self.black, self.white, self.channels) != (None, None, None):
            width = self._white - self._black
            mean, deviation = (-self._black / width,), (1.0 / width,)
        else:
            return None
        count = self.channels or max(len(mean), len(deviation))
        mean, deviation = (v * count if len(v) == 1 else v for v in (mean, deviation))
        return Normalization.model_validate(
            {"channels": count, "mean": mean, "deviation": deviation}
        )

    def request(self, path: Path, classes: str, codes: FindingCodes) -> ImportRequest:
        """The whole request."""
        return ImportRequest(
            path=path,
            category=ScanCategory(
                modalities=self.modalities, regions=self.regions, views=self.views
            ),
            form=self.format,
            classes=tuple(part.strip() for part in classes.split(",")) if classes else (),
            codes=codes,
            name=self.name,
            version=self.version,
            title=self.title,
            task=self.task,
            size=self.size,
            normalization=self.normalization,
            activation=self.activation,
            maps=self.maps,
            grid=self.grid,
        )


def read_request(
    path: Path, classes: str, codes: Path | None, given: Iterable[str]
) -> ImportRequest:
    """A request from ``KEY=VALUE`` as given on a command line.

    Raises
    ------
    ModelImportError
        A key does not exist, or a value is not allowed; says what is.
    """
    values: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or key not in ImportOptions.model_fields:
            known = ", ".join(ImportOptions.model_fields)
            raise ModelImportError(f"--set {text}: use KEY=VALUE with one of {known}")
        values[key] = value
    known_codes = FindingCodes.with_file(codes) if codes else FindingCodes.provided()
    try:
        return ImportOptions.model_validate(values).request(path, classes, known_codes)
    except ValidationError as error:
        first = error.errors()[0]
        where = str(first["loc"][0]) if first["loc"] else "--set"
        hint = f" (regions are {', '.join(get_args(RegionName))})" if where == "regions" else ""
        raise ModelImportError(f"{where}: {first['msg']}{hint}") from error
