# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
import torch
from pydicom import Dataset

from inference.heatmap.architecture import Architecture
from inference.heatmap.context import Context
from inference.heatmap.demographics import NOBODY, Person, encoded, hidden, person_in, person_of
from inference.heatmap.engine import predict
from inference.heatmap.network import HeatMapNetwork

SMALL = {"input_size": 64, "grids": (16, 8), "widths": (8, 8)}


@pytest.mark.parametrize(
    ("age", "sex", "person"),
    [
        ("045Y", "M", Person(45.0, 1.0)),
        ("018M", "F", Person(1.5, -1.0)),
        ("58", "Male", Person(58.0, 1.0)),
        (" 61 ", "female", Person(61.0, -1.0)),
        ("", "O", NOBODY),
        ("abc", "", NOBODY),
        ("999Y", "U", NOBODY),
    ],
)
def test_ages_and_sexes_are_read_as_dicom_and_the_public_sets_write_them(age, sex, person):
    found = person_of(age, sex)
    assert found.sex == person.sex
    assert found.age == person.age or (math.isnan(found.age) and math.isnan(person.age))


def test_a_header_without_them_is_nobody():
    header = Dataset()
    assert person_in(header) == person_of("", "")
    header.PatientAge, header.PatientSex = "030Y", "F"
    assert person_in(header) == Person(30.0, -1.0)


def test_what_is_not_known_is_zero_and_the_very_old_are_one_group():
    rows = encoded([NOBODY, Person(90.0, 1.0), Person(104.0, 1.0), Person(50.0, 0.0)])
    assert rows[0].tolist() == [0.0, 0.0, 0.0, 0.0]
    assert rows[1].tolist() == rows[2].tolist()
    assert rows[3].tolist() == [0.0, 1.0, 0.0, 0.0]
    assert encoded([]).shape == (0, 4)


def test_hiding_makes_a_person_as_good_as_unknown_and_leaves_the_original():
    rows = encoded([Person(70.0, 1.0)] * 400)
    some = hidden(rows, 0.5, np.random.default_rng(1))
    assert 0.4 < (some[:, 1] == 0.0).mean() < 0.6
    assert ((some[:, 0] == 0.0) == (some[:, 1] == 0.0)).all()
    assert (rows[:, 1] == 1.0).all()
    assert not hidden(rows, 1.0, np.random.default_rng(1)).any()


def test_a_network_that_takes_persons_answers_by_them_and_does_without():
    torch.manual_seed(3)
    network = HeatMapNetwork(Architecture(**SMALL, demographics=True), 2).eval()
    images = np.random.default_rng(2).random((2, 64, 64), dtype=np.float32)
    persons = encoded([Person(20.0, -1.0), Person(80.0, 1.0)])
    without = predict(network, images)
    # Before training a person changes nothing.
    assert np.array_equal(
        predict(network, images, Context(persons=persons)).maps[0], without.maps[0]
    )
    torch.nn.init.normal_(network.person[-1].weight)
    told = predict(network, images, Context(persons=persons))
    assert not np.allclose(told.maps[0], without.maps[0])
    assert np.array_equal(told.features, without.features)


def test_a_network_that_takes_none_ignores_them():
    network = HeatMapNetwork(Architecture(**SMALL), 2).eval()
    images = np.zeros((1, 64, 64), np.float32)
    told = predict(network, images, Context(persons=encoded([Person(20.0, 1.0)])))
    assert np.array_equal(told.maps[0], predict(network, images).maps[0])
