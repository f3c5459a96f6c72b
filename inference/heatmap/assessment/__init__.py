# SPDX-License-Identifier: Apache-2.0
"""How good a model is on labelled images: figures with intervals, plots, a page."""
