# SPDX-License-Identifier: AGPL-3.0-or-later
"""``sidelight demo``: the whole line on this machine, from C-STORE to results."""
