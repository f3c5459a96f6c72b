# SPDX-License-Identifier: AGPL-3.0-or-later
"""How the series of a study are laid out: rows and columns of boxes, filled by anatomy.

``filling`` puts a study's series, and those of its priors, into the boxes of the hanging that fits.
``dicom_protocol`` and ``ohif`` write a hanging for viewers.
"""
