# SPDX-License-Identifier: Apache-2.0
"""What a bundle must show before it is served, and whether a site's images still suit it."""
