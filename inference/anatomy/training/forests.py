# SPDX-License-Identifier: Apache-2.0
"""Fitting random forest and decision tree with scikit-learn, and writing them as arrays."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from inference.anatomy.learned.families import Array, FamilyName
from inference.anatomy.learned.region_sets import region_sets
from inference.anatomy.learned.trees import token_table
from inference.anatomy.training.augmentation import VARIED, Habits
from inference.anatomy.training.batches import Lesson, epoch

_TREES, _LEAVES, _LEAVES_ALONE = 40, 600, 800
_LEAST_IN_LEAF = 5
PRIOR_WEIGHS = 10.0
"""Headers of a leaf: as many more, of which each set has its share of all headers, are counted."""


def fit_forest(
    family: FamilyName,
    taken: Sequence[Lesson],
    shown: int,
    report: Callable[[str], None],
    seed: int = 1,
    habits: Habits = VARIED,
) -> dict[str, Array]:
    """Fit a forest (or one tree) on ``shown`` drawn headers and return its arrays."""
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 - the train extra
    from sklearn.tree import DecisionTreeClassifier  # noqa: PLC0415

    rows = epoch(taken, shown, 0.3, random.Random(seed), habits)  # noqa: S311 - reproducible
    table = token_table([one.slots for one in rows]).astype(np.float32)
    targets = [one.target for one in rows]
    if family == "decision-tree":
        tree = DecisionTreeClassifier(
            max_leaf_nodes=_LEAVES_ALONE, min_samples_leaf=_LEAST_IN_LEAF, random_state=seed
        )
        trees = [tree.fit(table, targets)]
    else:
        forest = RandomForestClassifier(
            _TREES,
            max_leaf_nodes=_LEAVES,
            min_samples_leaf=_LEAST_IN_LEAF,
            random_state=seed,
        )
        trees = forest.fit(table, targets).estimators_
        tree = forest
    report(f"{family}: {sum(one.tree_.node_count for one in trees)} nodes on {len(rows)} headers")
    return _arrays([one.tree_ for one in trees], np.asarray(tree.classes_, dtype=np.int64))


def _arrays(trees: Sequence[Any], classes: Array) -> dict[str, Array]:
    roots, parts, shares = [], [], []
    first, leaves = 0, 0
    for tree in trees:
        is_leaf = tree.children_left < 0
        roots.append(first)
        leaf = np.where(is_leaf, np.cumsum(is_leaf) - 1 + leaves, 0)
        # scikit-learn goes left where the value is at most the threshold: the token is absent.
        absent = np.where(is_leaf, 0, tree.children_left + first)
        present = np.where(is_leaf, 0, tree.children_right + first)
        parts.append((np.where(is_leaf, -1, tree.feature), absent, present, leaf))
        smoothed = _smoothed(tree)[is_leaf]
        spread = np.zeros((len(smoothed), len(region_sets())))
        spread[:, classes] = smoothed
        shares.append(spread)
        first, leaves = first + tree.node_count, leaves + int(is_leaf.sum())
    column, absent, present, leaf = (np.concatenate(part) for part in zip(*parts, strict=True))
    return {
        "roots": np.asarray(roots, np.int32),
        "column": column.astype(np.int16),
        "absent": absent.astype(np.uint16 if first < 1 << 16 else np.int32),
        "present": present.astype(np.uint16 if first < 1 << 16 else np.int32),
        "leaf": leaf.astype(np.uint16 if leaves < 1 << 16 else np.int32),
        "shares": np.concatenate(shares).astype(np.float16),
    }


def _smoothed(tree: Any) -> Array:
    """Shares of the sets in each node, drawn towards those in the root (m-estimate, Cestnik 1990).

    A tree would be sure of whatever it never saw: nearly all leaves hold one set alone.
    """
    # Counts in older versions of scikit-learn, shares in newer ones.
    shares = tree.value[:, 0, :] / tree.value[:, 0, :].sum(axis=1, keepdims=True)
    headers = tree.weighted_n_node_samples[:, None]
    smoothed: Array = (headers * shares + PRIOR_WEIGHS * shares[0]) / (headers + PRIOR_WEIGHS)
    return smoothed
