# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a person should know of the models that are served, in words."""

from __future__ import annotations

from inference.contract import Health


def problems(health: Health) -> list[str]:
    """Models not served, served in place of others, or whose scores are not as they were."""
    found = [f"model {name}: {said}" for name, said in sorted(health.fallbacks.items())]
    found += [
        f"model {name} is not served: {reason}"
        for name, reason in sorted(health.rejected.items())
        if name not in health.fallbacks
    ]
    for name, classes in sorted(health.shifts.items()):
        named = ", ".join(f"{key} (PSI {index:.2f})" for key, index in sorted(classes.items()))
        found.append(
            f"model {name}: the probabilities of {named} are no longer distributed as usual"
        )
    return found
