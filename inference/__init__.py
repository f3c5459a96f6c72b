# SPDX-License-Identifier: Apache-2.0
"""All that knows models: contract, service, bundles, heat maps, anatomy, phantoms, training."""
