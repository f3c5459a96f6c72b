# SPDX-License-Identifier: Apache-2.0
import pytest

from inference.heatmap.site.plan import SitePlan
from inference.heatmap.site.trainer import LATER, stage

PLAN = SitePlan(epochs=40, batch=16)


def test_a_new_network_recognizes_whole_images_before_it_learns_maps():
    first = PLAN.recognized_steps(steps_per_epoch=1000, processes=1)
    assert first == 500
    assert stage(PLAN, first - 1, first).maps == 0.0
    assert stage(PLAN, first - 1, first).recognition == PLAN.recognition_weight
    assert stage(PLAN, first, first).maps == 1.0


def test_what_shortens_the_start_falls_to_nothing():
    seen = [stage(PLAN, step, 500) for step in range(0, 3000, 250)]
    for name in ("recognition", "handed_down"):
        weights = [getattr(one, name) for one in seen]
        assert weights == sorted(weights, reverse=True)
        assert weights[-1] == 0.0
    assert seen[-1] == LATER


@pytest.mark.parametrize(
    ("steps_per_epoch", "processes", "expected"), [(10, 1, 80), (1000, 4, 125)]
)
def test_the_start_takes_a_fifth_of_a_short_run_and_is_shared_by_processes(
    steps_per_epoch, processes, expected
):
    assert PLAN.recognized_steps(steps_per_epoch, processes) == expected


def test_a_plan_without_it_learns_maps_from_the_first_step():
    plan = SitePlan(recognized_first=0)
    assert stage(plan, 0, plan.recognized_steps(100, 1)) == LATER
