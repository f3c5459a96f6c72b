# SPDX-License-Identifier: AGPL-3.0-or-later
"""``python -m plugin.reference``: the keys of the configuration as a table for the docs."""

from __future__ import annotations

import sys

from plugin.configuration import reference


def table() -> str:
    """The keys as a Markdown table."""
    lines = ["| key | default | allowed | meaning |", "|---|---|---|---|"]
    lines += [f"| `{k}` | `{d}` | {a} | {m} |" for k, d, a, m in reference()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
