# SPDX-License-Identifier: AGPL-3.0-or-later
"""How urgent a scan is, and why: the rules of the priority table, applied to a scan's state."""

from plugin.priority.rating import Rating, age_in_hours, rate, rated

__all__ = ["Rating", "age_in_hours", "rate", "rated"]
