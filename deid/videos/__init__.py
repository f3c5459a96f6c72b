# SPDX-License-Identifier: Apache-2.0
"""Streams of video in DICOM: sound, user data and text in their pictures."""
