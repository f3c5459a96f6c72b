# SPDX-License-Identifier: Apache-2.0
"""A site's anatomy models in service: their bundles, their commissioning, and who answers now."""
