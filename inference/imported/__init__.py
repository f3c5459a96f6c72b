# SPDX-License-Identifier: Apache-2.0
"""Models that others trained: read without pickle, run behind Sidelight's own front end."""
