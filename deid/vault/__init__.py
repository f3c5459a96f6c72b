# SPDX-License-Identifier: Apache-2.0
"""The way back: originals sealed by pseudonym, opened by role, with a reason and an audit."""

from deid.vault.roles import Role
from deid.vault.vault import Vault

__all__ = ["Role", "Vault"]
