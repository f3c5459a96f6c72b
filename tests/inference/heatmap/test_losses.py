# SPDX-License-Identifier: Apache-2.0
import math

import pytest
import torch

from inference.heatmap.losses import (
    GlobalLoss,
    Link,
    absence_loss,
    masked_cross_entropy,
    outline_loss,
)


def test_the_global_loss_falls_when_probabilities_approach_the_labels():
    loss = GlobalLoss(4, torch.ones(2))
    labels = torch.tensor([[1.0, 0.0]])

    def of(present, absent):
        return loss([torch.tensor([[present, absent]])] * 4, labels)

    assert of(0.9, 0.1) < of(0.6, 0.4) < of(0.1, 0.9)


def test_the_link_rises_with_the_pooled_probability_and_learns_what_present_means():
    link = Link(1)
    low, high = link(torch.tensor([[0.2]])), link(torch.tensor([[0.3]]))
    assert low < high
    (high - low).sum().backward()
    assert link.slope.grad is not None


def test_an_unknown_label_counts_neither_as_present_nor_as_absent():
    logits = torch.tensor([[2.0, -1.0], [0.5, 3.0]], requires_grad=True)
    labels = torch.tensor([[1.0, math.nan], [0.0, math.nan]])
    loss = masked_cross_entropy(logits, labels, torch.ones(2))
    loss.backward()
    assert loss.item() == pytest.approx(
        torch.nn.functional.binary_cross_entropy_with_logits(
            torch.tensor([2.0, 0.5]), torch.tensor([1.0, 0.0])
        ).item()
    )
    assert logits.grad[:, 1].tolist() == [0.0, 0.0]


def test_without_any_known_label_there_is_no_loss():
    labels = torch.full((2, 3), math.nan)
    assert masked_cross_entropy(torch.randn(2, 3), labels, torch.ones(3)).item() == 0.0


def test_an_absent_finding_is_absent_from_every_patch():
    patches = torch.full((1, 3, 4, 4), 0.5, requires_grad=True)
    absent = torch.zeros(1, 3, 4, 4, dtype=torch.bool)
    absent[0, 0] = True
    loss = absence_loss(patches, absent)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2.0), abs=1e-5)
    assert (patches.grad[0, 0] > 0).all()
    assert (patches.grad[0, 1:] == 0).all()


def test_the_outline_loss_asks_only_for_present_findings_of_outlined_images():
    truth = torch.zeros(2, 2, 8, 8)
    truth[:, 0, 2:4, 2:4] = 1.0
    good, poor = truth.clone(), torch.full_like(truth, 0.5)
    everywhere = torch.tensor([True, True])
    assert outline_loss(good, truth, everywhere) < 1e-6
    assert outline_loss(poor, truth, everywhere) > 0.5
    assert outline_loss(poor, truth, torch.tensor([False, False])) == 0.0
