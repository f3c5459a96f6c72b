# SPDX-License-Identifier: Apache-2.0
"""One module per figure table: ``.venv/bin/python -m benchmarks.NAME --json``."""
