# SPDX-License-Identifier: Apache-2.0
"""The model card of an imported bundle."""

from __future__ import annotations

from inference.manifest import BundleManifest

_HOW = {
    "output": "the network's own output, averaged over patches",
    "activation": (
        "class activation (arXiv:1512.04150), the probability that each patch's features alone "
        "would give"
    ),
    "occlusion": (
        "occlusion (arXiv:1311.2901), how much covering a patch lowers the class. These are "
        "importances, scaled so that the highest has the probability of the class"
    ),
    "gradients": (
        "integrated gradients (arXiv:1703.01365), averaged over patches. These are importances, "
        "scaled so that the highest has the probability of the class"
    ),
}

_CARD = """{disclaimer}

# {title}

`{name}` {version}, imported from {source}. Sidelight has not trained it and knows nothing of the
images that it learned from. What its makers say of it holds for their own pixel processing, which
differs from Sidelight's.

- Input: {size} x {size}, {channels} channel(s), letterboxed, bright is dense.
- Maps, {grid} x {grid}: {how}.
- Probabilities are the network's own until it is calibrated with images of the site
  (`sidelight models calibrate`).

| class | code | scheme | threshold |
|---|---|---|---|
{rows}
"""


def model_card(manifest: BundleManifest) -> str:
    """The bundle's README.md.

    Raises
    ------
    ValueError
        The bundle was not imported.
    """
    settings = manifest.imported
    if settings is None:
        raise ValueError("only imported bundles have this card")
    rows = (
        f"| {c.name} | {c.code.value} | {c.code.scheme} | {c.threshold:.4g} |"
        for c in manifest.classes
    )
    return _CARD.format(
        disclaimer=manifest.disclaimer,
        title=manifest.title,
        name=manifest.name,
        version=manifest.version,
        source=settings.source,
        size=settings.input_size,
        channels=settings.normalization.channels,
        grid=settings.grid,
        how=_HOW[settings.maps],
        rows="\n".join(rows),
    )
