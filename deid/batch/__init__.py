# SPDX-License-Identifier: Apache-2.0
"""Many files at once: several processes, resumable after a kill, counted at the end."""
