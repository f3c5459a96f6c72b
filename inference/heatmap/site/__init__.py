# SPDX-License-Identifier: Apache-2.0
"""Training on a site's own labelled images: plan, augmentation, trainer, bundle, progress."""
