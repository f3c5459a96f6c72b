# SPDX-License-Identifier: Apache-2.0
"""What the metadata model's throughput is compared with: scikit-learn on the same rows.

Character n-grams (TF-IDF, two to five letters) with logistic regression and with a random forest of
a hundred trees. They answer a set of regions each, as one class; their accuracy is not compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from benchmarks.anatomy_headers import Labelled
from inference.anatomy import Header, format_regions


class NgramPeers:
    """Both peers, trained on the labelled rows."""

    def __init__(self, rows: Sequence[Labelled]) -> None:
        texts = [self.text(row.header) for row in rows]
        labels = [format_regions(min(row.right, key=sorted)) for row in rows]
        self._ngrams = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), max_features=50_000)
        table = self._ngrams.fit_transform(texts)
        self._linear = LogisticRegression(max_iter=200).fit(table, labels)
        self._forest = RandomForestClassifier(100, n_jobs=1, random_state=1).fit(table, labels)

    @staticmethod
    def text(header: Header) -> str:
        """All values of a header in one text, each after its keyword."""
        return " ".join(f"{key} {' '.join(values)}" for key, values in header.texts.items())

    def linear(self, texts: Sequence[str]) -> Any:
        """Probabilities by logistic regression."""
        return self._linear.predict_proba(self._ngrams.transform(texts))

    def forest(self, texts: Sequence[str]) -> Any:
        """Probabilities by the random forest."""
        return self._forest.predict_proba(self._ngrams.transform(texts))
