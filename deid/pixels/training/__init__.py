# SPDX-License-Identifier: Apache-2.0
"""Trains the finder of lines on generated pictures: ``python -m deid.pixels.training``."""
