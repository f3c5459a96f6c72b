# SPDX-License-Identifier: AGPL-3.0-or-later
"""Looks whether the models, folders and findings that the configuration names are there.

A mode or a pin of a name that nobody has does nothing, and both are there to keep a model from
running. So a person is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inference.contract import Health, ModelDescription
from plugin.configuration import Configuration
from plugin.configuration.heat_maps import HeatMapSection
from plugin.gate import InferenceRefusedError, InferenceUnavailableError

_ANATOMY = frozenset(("anatomy-metadata", "anatomy-pixels"))
"""Models that recognize anatomy; a site's own ones are pinned like all others."""


@dataclass(frozen=True)
class ConfiguredNames:
    """What a configuration names.

    Args:
        configuration: of this site.
        elsewhere: bundles that the table of applications places at other services.
    """

    configuration: Configuration = field(default_factory=Configuration)
    elsewhere: Sequence[str] = ()

    def problems(
        self, health: Health, models: Callable[[], Sequence[ModelDescription]]
    ) -> list[str]:
        """Names that nobody knows.

        Args:
            health: of this site's inference service.
            models: asks for what is served; only done where findings are named.
        """
        if health.status == "starting":
            return []
        return [*self._models(health), *self._own_service(health), *self._findings(models)]

    def _models(self, health: Health) -> Iterator[str]:
        known = {*health.models, *health.rejected, *self.elsewhere}
        yield from _unknown("Applications.Modes", self.configuration.applications.modes, known)
        yield from _unknown(
            "Results.SeriesNumbers", self.configuration.results.series_numbers, known
        )

    def _own_service(self, health: Health) -> Iterator[str]:
        """Of the keys that reach a child process of Orthanc only."""
        section = self.configuration.inference
        if section.url:
            given = {
                "ModelDirectories": section.model_directories,
                "PinnedDigests": section.pinned_digests,
                "TrustedKeys": section.trusted_keys,
                "RequireSignature": section.require_signature,
            }
            for key in (key for key, value in given.items() if value):
                yield f"Inference.{key}: has no effect with Inference.Url; set it at that service"
            return
        known = {*health.models, *health.rejected, *_ANATOMY}
        yield from _unknown("Inference.PinnedDigests", section.pinned_digests, known)
        for folder in section.model_directories:
            if not Path(folder).is_dir():
                yield f"Inference.ModelDirectories: there is no folder {folder}"

    def _findings(self, models: Callable[[], Sequence[ModelDescription]]) -> Iterator[str]:
        named = _named_findings(self.configuration.heat_maps)
        if not any(named.values()):
            return
        try:
            served = models()
        except (InferenceUnavailableError, InferenceRefusedError):
            return  # asked again with the next status
        # Here: it loads what draws pictures, and few sites name any finding.
        from plugin.heatmaps.finding_regions import shipped_findings  # noqa: PLC0415

        known = {one.key for model in served for one in model.classes} | shipped_findings()
        for key, findings in named.items():
            for finding in sorted(set(findings) - known):
                yield (
                    f"HeatMaps.{key}: no model has a finding {finding}; "
                    f"there are: {', '.join(sorted(known))}"
                )


def _named_findings(section: HeatMapSection) -> dict[str, Iterable[str]]:
    return {
        "SmoothingByFinding": section.smoothing_by_finding,
        "Regions": section.regions,
        "Preference": section.preference,
    }


def _unknown(key: str, named: Iterable[str], known: set[str]) -> Iterator[str]:
    for name in sorted(set(named) - known):
        yield (
            f"{key}: no model {name} is installed, so nothing is done about it; "
            f"there are: {', '.join(sorted(known)) or 'none'}"
        )
