# SPDX-License-Identifier: Apache-2.0
"""A site's labelled images: tables in the usual layouts, boxes, patient-wise splits, pixels."""
