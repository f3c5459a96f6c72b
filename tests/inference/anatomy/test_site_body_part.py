# SPDX-License-Identifier: Apache-2.0
"""The body-part regressor is trained on with a site's volumes, and stays anchored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from inference.anatomy.pixels.regressor import BodyPartRegressor, shipped_regressor
from inference.anatomy.pixels.series import (
    NotFittingError,
    Placed,
    TooFewError,
    placed_slices,
    recognize_slices,
)
from inference.anatomy.serving.commissioning import phantom_regions
from inference.anatomy.training import commands_pixels
from inference.anatomy.training.quiet_hours import say_that_it_waits
from inference.anatomy.training.site_body_part import like_t1, train_on
from inference.anatomy.training.volumes import (
    SiteVolume,
    VolumeError,
    VolumeShelf,
    figures_of,
    judges,
    read_learned,
    volume_of,
    write_learned,
)
from inference.commands import train
from inference.phantoms.body import body_volume
from inference.volume_source import VolumeLearner, VolumeRequest, VolumesCollected
from tests.inference.anatomy.body_files import body_files

JUDGE = next(f"p{n}" for n in range(99) if judges(f"p{n}"))
PUPIL = next(f"p{n}" for n in range(99) if not judges(f"p{n}"))


def site_volume(seed: int) -> SiteVolume:
    """A phantom as another scanner might show it: other grey values, a table, off centre."""
    made = body_volume(5_000 + seed, 30.0)
    slices = np.interp(made.slices, (-1000, -820, -90, 45, 700), (-1000, -700, -200, -50, 300))
    slices = np.roll(slices.astype(np.float32), seed % 7 - 3, axis=2)
    slices[:, 42:45, 6:42] = np.maximum(slices[:, 42:45, 6:42], 150.0)
    return SiteVolume("CT", made.heights.astype(np.float64), slices)


def test_training_on_orders_a_sites_volumes_better_and_keeps_the_map_of_regions():
    pytest.importorskip("torch")
    taught, held_out = ([site_volume(n) for n in some] for some in (range(10), range(50, 56)))
    before = shipped_regressor()
    after = train_on(before, taught, 100, 1, lambda line: None)
    was, now = figures_of(before, held_out), figures_of(after, held_out)
    assert now.order > was.order
    assert now.distance > was.distance
    assert phantom_regions(after) > phantom_regions(before) - 0.03


def test_training_begins_with_the_scores_of_the_weights_it_starts_from():
    torch = pytest.importorskip("torch")
    from inference.anatomy.pixels.regressor import inputs
    from inference.anatomy.training.site_body_part import _network

    volume = body_volume(9, 40.0)
    seen = inputs(volume.slices)
    centre, spread = seen.mean(axis=0), seen.std(axis=0) + np.float32(0.05)
    network = _network(shipped_regressor(), centre, spread)
    scores = network(torch.from_numpy((seen - centre) / spread)).detach().numpy()[:, 0]
    assert np.allclose(scores, shipped_regressor().scores(volume.slices), atol=1e-2)


def test_without_a_volume_nothing_is_trained():
    pytest.importorskip("torch")
    with pytest.raises(VolumeError, match="no volume"):
        train_on(shipped_regressor(), [], 1, 1, lambda line: None)


def test_a_perfect_order_is_one_and_a_reversed_one_is_minus_one():
    class Scores:
        def __init__(self, sign: float) -> None:
            self.sign = sign

        def scores(self, slices):
            return self.sign * np.arange(len(slices), dtype=np.float32)

    volume = SiteVolume("CT", np.arange(20.0) * 5.0, np.zeros((20, 48, 48), np.float32))
    forth, back = figures_of(Scores(1.0), [volume]), figures_of(Scores(-1.0), [volume])
    assert (forth.order, forth.distance) == (1.0, 1.0)
    assert (back.order, back.distance) == (-1.0, -1.0)
    flat = figures_of(Scores(0.0), [volume])
    assert (flat.order, flat.distance) == (0.0, 0.0)
    with pytest.raises(VolumeError, match="held out"):
        figures_of(Scores(1.0), [])


def placed(depths):
    return Placed("CT", np.asarray(depths, np.float64), np.zeros((len(depths), 48, 48), np.float32))


def test_a_volume_has_even_slices_and_each_place_once():
    volume = volume_of(placed(sorted([*range(0, 200, 2), *range(0, 200, 2)])))
    assert len(volume.depths) == 64
    with pytest.raises(NotFittingError, match="unevenly"):
        volume_of(placed([*range(0, 60, 2), *range(200, 260, 2)]))
    with pytest.raises(TooFewError):
        volume_of(placed(range(5)))


def test_a_patient_is_either_learned_from_or_judged_by_and_quotas_hold():
    shelf = VolumeShelf(most=1, most_held_out=1, learned={"old"})
    files = [file for region in ("chest", "abdomen", "pelvis") for file in body_files(region)]
    assert shelf.knows("old")
    assert not shelf.knows("new")
    assert shelf.wants(JUDGE, "CT")
    assert not shelf.wants(JUDGE, "MR")
    assert not shelf.wants(PUPIL, "CT"), "who judges comes first, however short the night is"
    shelf.take("judging", JUDGE, files)
    assert (len(shelf.taught), len(shelf.held_out), shelf.new) == (0, 1, [])
    assert shelf.knows("judging")
    assert not shelf.wants(JUDGE, "CT")
    assert shelf.wants(PUPIL, "CT")
    shelf.take("new", PUPIL, files)
    assert (len(shelf.taught), len(shelf.held_out), shelf.new) == (1, 1, ["new"])
    assert shelf.knows("new")
    assert not shelf.wants(PUPIL, "CT")
    assert shelf.satisfied


def test_what_is_no_volume_is_not_asked_for_again():
    shelf = VolumeShelf(most=1, most_held_out=1)
    shelf.take("scout", PUPIL, [b"no DICOM"])
    shelf.take("short", PUPIL, body_files("head")[:6])
    assert shelf.passed == {"scout", "short"}
    assert shelf.knows("scout")
    assert (shelf.new, shelf.taught) == ([], [])


def test_series_learned_from_are_remembered_by_pseudonym_alone(tmp_path):
    path = tmp_path / "learned.json"
    assert read_learned(path) == set()
    write_learned(path, {"2.25.2", "2.25.1"})
    assert json.loads(path.read_text(encoding="utf-8")) == ["2.25.1", "2.25.2"]
    assert read_learned(path) == {"2.25.1", "2.25.2"}
    path.write_text("{", encoding="utf-8")
    with pytest.raises(VolumeError, match=r"learned\.json"):
        read_learned(path)


def test_mr_is_answered_only_by_a_model_that_has_learned_from_it(tmp_path):
    files = body_files("chest", Modality="MR")
    assert recognize_slices(files).reason == "the pixel model knows CT only"
    shipped = shipped_regressor()
    both = BodyPartRegressor(shipped.arrays, shipped.regions, shipped.borders, ("CT", "MR"))
    both.save(tmp_path / "weights.safetensors")
    again = BodyPartRegressor.load(tmp_path / "weights.safetensors")
    assert again.modalities == ("CT", "MR")
    assert recognize_slices(files, again).slices == len(files)


def test_mr_slices_are_spread_over_one_range_whatever_their_units():
    files = body_files("chest", Modality="MR")
    plain = placed_slices(files, ("MR",)).slices
    scaled = placed_slices(body_files("chest", Modality="MR", RescaleSlope="7"), ("MR",)).slices
    assert plain.min() == -1000.0
    assert plain.max() == pytest.approx(300.0)
    assert np.allclose(plain, scaled, atol=1.0)


def test_in_t1_contrast_fat_is_bright_and_bone_and_air_are_dark():
    air, fat, soft, bone = like_t1(np.asarray([-1000.0, -90.0, 45.0, 700.0], np.float32))
    assert fat > soft > bone
    assert air < soft


def test_an_archive_that_shows_no_volume_ends_the_training_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def source(request: VolumeRequest, learner: VolumeLearner) -> VolumesCollected:
        return VolumesCollected(finished=False, reason="Orthanc can't be reached")

    monkeypatch.setattr(commands_pixels, "volume_source", lambda name: source)
    given = ["--orthanc", "http://127.0.0.1:8042", "--key-file", str(tmp_path / "key")]
    done = CliRunner().invoke(train, ["anatomy-pixels", *given, "--out", str(tmp_path / "out")])
    assert done.exit_code != 0
    said = " ".join(done.output.replace("│", " ").split())
    assert "no volume was seen: Orthanc can't be reached" in said
    assert "let it look at more series" not in said


def test_a_night_that_was_too_short_says_how_far_it_came_and_keeps_what_is_no_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = []

    def source(request: VolumeRequest, learner: VolumeLearner) -> VolumesCollected:
        known.append(learner.knows("scout"))
        learner.take("judging", JUDGE, body_files("chest") + body_files("abdomen"))
        learner.pass_by("scout")
        return VolumesCollected(finished=False, reason="300 questions were asked")

    monkeypatch.setattr(commands_pixels, "volume_source", lambda name: source)
    given = ["--orthanc", "http://127.0.0.1:8042", "--key-file", str(tmp_path / "key")]
    for _ in range(2):
        done = CliRunner().invoke(train, ["anatomy-pixels", *given, "--out", str(tmp_path / "out")])
        said = " ".join(done.output.replace("│", " ").split())
        assert done.exit_code == 2
        assert "1 axial CT volumes of held-out patients, and 8 are needed in one run" in said
        assert "--queries" in said
    assert known == [False, True]


@pytest.mark.parametrize(
    ("hours", "now", "waits"),
    [
        ((22, 5), 12, True),
        ((22, 5), 23, False),
        ((22, 5), 4, False),
        ((22, 5), 5, True),
        ((1, 4), 0, True),
        ((1, 4), 3, False),
        ((0, 0), 12, False),
    ],
)
def test_who_has_to_wait_for_quiet_hours_is_told(
    hours: tuple[int, int], now: int, waits: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    say_that_it_waits(*hours, hour=now)
    assert capsys.readouterr().err == (
        f"waiting until {hours[0]}:00, when the quiet hours begin\n" if waits else ""
    )
