# SPDX-License-Identifier: Apache-2.0
"""Training the learned anatomy families: corpus, labels, augmentation, fitting, report.

Nothing here is imported when headers are recognized. Needs the ``train`` extra.
"""
