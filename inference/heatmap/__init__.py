# SPDX-License-Identifier: Apache-2.0
"""Heat maps: patch probabilities and global probabilities of findings on two-dimensional images.

Nothing is imported here, so that reading a bundle's description does not load torch.
"""
