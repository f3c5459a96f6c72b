# SPDX-License-Identifier: Apache-2.0
import csv
import random
from collections import Counter
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from inference.anatomy.header import Header
from inference.anatomy.learned.families import family_of, read_weights, write_weights
from inference.anatomy.learned.region_sets import region_sets, set_index
from inference.anatomy.learned.slots import Slots
from inference.anatomy.learned.trees import token_table
from inference.anatomy.regions import REGIONS, format_regions
from inference.anatomy.training import comparison
from inference.anatomy.training.assessment import Criteria, assess, split
from inference.anatomy.training.augmentation import (
    SPARING,
    composed,
    corrupted,
    customs,
    misspelt,
    taught,
)
from inference.anatomy.training.batches import lessons
from inference.anatomy.training.corpus import (
    CorpusError,
    Example,
    groups_of,
    protocols,
    read_site_table,
    sidecar_headers,
    withheld,
    written_headers,
)
from inference.anatomy.training.general import (
    GeneralFigures,
    general_figures,
    general_headers,
    general_sample,
    general_shortfalls,
    shipped_general_figures,
)
from inference.anatomy.training.heldout import sidecar_attribution
from inference.anatomy.training.joining import join
from inference.anatomy.training.report import model_card, page

CHEST = frozenset(("chest",))
HEADER = {"Modality": "CT", "StudyDescription": "CT CHEST", "SeriesDescription": "LUNG 1.0"}


def site_rows(groups=6, each=8):
    parts = {"CT CHEST": "chest", "MR KNEE": "lower limb", "CT HEAD": "head"}
    return [
        Example(
            f"site {n}",
            {"Modality": text[:2], "StudyDescription": text, "SeriesDescription": f"SERIES {k}"},
            frozenset((frozenset((region,)),)),
        )
        for n in range(groups)
        for k in range(each)
        for text, region in parts.items()
    ]


def test_no_collection_that_tests_is_learned_from():
    tested = {name for name, protocol in protocols().items() if protocol.part == "test"}
    assert tested
    assert tested <= withheld()


def test_related_collections_are_on_the_same_side():
    sides = {}
    for protocol in protocols().values():
        assert sides.setdefault(protocol.family, protocol.part) == protocol.part


def test_a_site_is_split_by_group_and_never_by_row():
    taught_rows, held_out = split(site_rows())
    assert held_out
    assert not {row.group for row in taught_rows} & {row.group for row in held_out}


def test_a_site_table_without_labels_or_with_unknown_regions_is_refused(tmp_path):
    path = tmp_path / "site.csv"
    path.write_text("Modality,StudyDescription\nCT,CHEST\n")
    with pytest.raises(CorpusError, match="regions"):
        read_site_table(path)
    path.write_text("Modality,StudyDescription,regions\nCT,CHEST,thorax\n")
    with pytest.raises(CorpusError, match="line 2"):
        read_site_table(path)


def test_sidecars_hold_no_identifier_and_every_set_is_attributed():
    rows = sidecar_headers()
    assert not {name for row in rows for name in row.values} - {
        "Modality",
        "SeriesDescription",
        "ProtocolName",
        "PerformedProcedureStepDescription",
        "BodyPartExamined",
        "Manufacturer",
        "ManufacturerModelName",
        "SliceThickness",
        "ScanOptions",
    }
    listed = sidecar_attribution()
    assert all(f"/{name.removeprefix('openneuro:')})" in listed for name in groups_of(rows))


def test_sidecars_are_learned_from_by_set_and_show_head_or_spine():
    rows = sidecar_headers()
    assert len(groups_of(rows)) > 60
    assert {region for row in rows for right in row.right for region in right} == {"head", "spine"}
    assert not set(groups_of(rows)) & withheld()


def test_written_headers_are_groups_of_their_own_with_sets_that_can_be_answered():
    rows = written_headers()
    groups = groups_of(rows)
    assert len(groups) > 100
    assert all(group.startswith("written:") for group in groups)
    assert not set(groups) & (withheld() | set(protocols()))
    right = {regions for row in rows for regions in row.right}
    assert {region for regions in right for region in regions} == set(REGIONS)
    assert sum(regions in set_index() for row in rows for regions in row.right) > 0.99 * len(rows)


def test_written_headers_hold_no_identifier():
    assert not {name for row in written_headers() for name in row.values} - {
        "Modality",
        "StudyDescription",
        "SeriesDescription",
        "ProtocolName",
        "BodyPartExamined",
        "Manufacturer",
        "ManufacturerModelName",
    }


def test_most_sites_of_written_headers_have_one_manufacturer_for_each_modality():
    makers = {}
    for row in written_headers():
        at = row.group, row.values["Modality"]
        makers.setdefault(at, set()).add(row.values.get("Manufacturer", ""))
    one = [len(names) == 1 for names in makers.values()]
    assert sum(one) > 0.95 * len(one)


def test_the_longer_table_of_written_headers_counts_less():
    weights = {}
    for row in written_headers():
        weights.setdefault(row.weight, set()).add(row.group)
    assert sorted(weights) == [0.3, 1.0]
    assert len(weights[0.3]) > 5 * len(weights[1.0])
    assert not weights[0.3] & weights[1.0]


def test_a_manufacturer_of_written_mr_and_ct_headers_does_not_stand_for_an_anatomy():
    seen = {}
    for row in written_headers():
        if row.values["Modality"] in ("MR", "CT") and "Manufacturer" in row.values:
            seen.setdefault(row.values["Manufacturer"], []).append(min(row.right))
    large = {name: shown for name, shown in seen.items() if len(shown) >= 100}
    assert len(large) > 2
    for shown in large.values():
        assert max(map(shown.count, set(shown))) < 0.6 * len(shown)


def test_a_slip_changes_one_place_and_leaves_texts_without_letters_alone():
    rng = random.Random(1)  # noqa: S311
    assert misspelt("12-3", rng) == "12-3"
    assert all(abs(len(misspelt("CHEST", rng)) - 5) <= 1 for _ in range(50))


def test_altered_headers_keep_the_original_and_differ_in_the_end():
    rng = random.Random(2)  # noqa: S311
    many = [corrupted(HEADER, CHEST, rng) for _ in range(40)]
    assert sum(one != HEADER for one in many) > 30
    assert any(taught(HEADER, rng) != HEADER for _ in range(10))
    assert HEADER["StudyDescription"] == "CT CHEST"


def test_now_and_then_one_attribute_alone_is_left_to_name_the_anatomy():
    rng = random.Random(4)  # noqa: S311
    speaking = {"StudyDescription", "SeriesDescription", "BodyPartExamined"}
    header = {"Modality": "CT", **dict.fromkeys(sorted(speaking), "CHEST")}
    left = [speaking & set(taught(header, rng)) for _ in range(2_000)]
    # Leaving out each on its own would leave one alone in a fifth of all headers.
    assert sum(len(said) == 1 for said in left) > 0.24 * len(left)
    assert all(any(said == {tag} for said in left) for tag in speaking)


def test_a_composed_header_names_its_region_in_words():
    rng = random.Random(3)  # noqa: S311
    values = composed(CHEST, "CT", rng)
    assert values["Modality"] == "CT"
    assert len(values["StudyDescription"]) > 3


def test_customary_names_belong_to_sets_that_can_be_answered():
    assert all(regions in set_index() for _, regions in customs())


def drawn_to_the_root(tree, table):
    """Shares of the leaves that headers fall into, each with ten headers more as in the root."""
    leaf = tree.apply(table)
    shares, headers = tree.tree_.value[leaf, 0], tree.tree_.n_node_samples[leaf, None]
    return (headers * shares + 10.0 * tree.tree_.value[0, 0]) / (headers + 10.0)


@pytest.mark.parametrize("trees", [1, 5])
def test_trees_as_arrays_answer_like_scikit_learn_with_leaves_drawn_to_the_root(trees, tmp_path):
    ensemble = pytest.importorskip("sklearn.ensemble")
    from inference.anatomy.training.forests import _arrays

    slots = [Slots(study=text) for text in ("ct chest", "mr knee", "ct head", "chest xray") * 5]
    targets = np.array([4, 9, 1, 4] * 5)
    forest = ensemble.RandomForestClassifier(trees, bootstrap=False, max_features=9, random_state=1)
    table = token_table(slots).astype(np.float32)
    forest.fit(table, targets)
    path = tmp_path / "trees.safetensors"
    arrays = _arrays([one.tree_ for one in forest.estimators_], forest.classes_.astype(int))
    write_weights(path, arrays, {"family": "random-forest"})
    ours = family_of(*read_weights(path)).log_probabilities(slots)
    theirs = np.mean([drawn_to_the_root(one, table) for one in forest.estimators_], axis=0)
    assert np.allclose(np.exp(ours)[:, [1, 4, 9]], theirs, atol=2e-3)


@pytest.mark.parametrize("family", ["random-forest", "decision-tree"])
def test_a_tree_that_knows_few_words_is_not_sure_of_what_it_never_saw(family, tmp_path):
    pytest.importorskip("sklearn")
    from inference.anatomy.learned import MetadataModel
    from inference.anatomy.training.fitting import Training, train

    path = tmp_path / "metadata.safetensors"
    train(site_rows(), Training(family, shown=2_000), path, lambda _: None)
    other = [row for row in written_headers() if row.right][::60]
    found = assess(MetadataModel.load(path), other)
    wrong = sum(not one.right and one.confidence >= 0.8 for one in found.outcomes)
    assert wrong / len(found.outcomes) < 0.1
    assert found.calibration_error < 0.15


@pytest.mark.parametrize("family", ["embedding-bag", "ngram-linear", "lstm"])
def test_networks_answer_without_torch_as_with_it(family, tmp_path):
    torch = pytest.importorskip("torch")
    from inference.anatomy.training.networks import BagNetwork, LstmNetwork

    torch.manual_seed(1)
    network = LstmNetwork() if family == "lstm" else BagNetwork(family == "ngram-linear")
    network.eval()
    slots = [
        Slots(series="ax flair", study="mr brain", kind="Modality=mr"),
        Slots(study="ct chest abdomen pelvis with contrast", tag="chest", kind="Modality=ct"),
        Slots(kind="Modality=us"),
    ]
    path = tmp_path / "weights.safetensors"
    write_weights(path, network.arrays(), {"family": family})
    ours = family_of(*read_weights(path)).log_probabilities(slots)
    theirs = torch.log_softmax(network(slots), dim=1).detach().numpy()
    assert ours.shape == (3, len(region_sets()))
    assert np.allclose(ours, theirs, atol=2e-2)


SPOKEN = [
    Slots(series="ax flair", study="mr brain", kind="Modality=mr"),
    Slots(study="ct chest abdomen pelvis with contrast", tag="chest", kind="Modality=ct"),
    Slots(protocol="knie", kind="Modality=mr"),
    Slots(kind="Modality=us"),
]


def bag(seed, width=24, hidden=64):
    """Arrays of an embedding bag as chance made them, with biases that are not zero."""
    torch = pytest.importorskip("torch")
    from inference.anatomy.training.networks import BagNetwork

    torch.manual_seed(seed)
    arrays = BagNetwork(False, width, hidden).arrays()
    biases = np.random.default_rng(seed)
    arrays["vectors"] = (arrays["vectors"] * 10).astype(np.float16)
    arrays["bias"] = biases.normal(size=arrays["bias"].shape).astype(np.float16)
    arrays["sets"] = biases.normal(size=arrays["sets"].shape).astype(np.float16)
    return arrays


def scores(arrays):
    """Log probabilities but for one constant a header: scores whose mean over sets is zero."""
    logs = family_of(arrays, {"family": "embedding-bag"}).log_probabilities(SPOKEN)
    return logs - logs.mean(axis=1, keepdims=True)


@pytest.mark.parametrize("sizes", [[(24, 64)] * 3, [(8, 16), (24, 64)], [(24, 64)]])
def test_joined_bags_score_as_the_mean_of_their_members(sizes):
    members = [bag(seed, *size) for seed, size in enumerate(sizes, start=1)]
    joined = join(members)
    assert joined["vectors"].shape[1] == sum(width for width, _ in sizes)
    assert all(array.dtype == np.float16 for array in joined.values())
    mean = np.mean([scores(member) for member in members], axis=0)
    assert np.allclose(scores(joined), mean, atol=5e-3)
    if len(members) > 1:
        assert not np.allclose(scores(members[0]), mean, atol=0.1)


def test_only_embedding_bags_are_joined(tmp_path):
    pytest.importorskip("torch")
    from inference.anatomy.training.fitting import Training
    from inference.anatomy.training.joining import train_joined

    linear = {name: array for name, array in bag(1).items() if name != "inner"}
    for members in ([], [bag(1), linear]):
        with pytest.raises(ValueError, match="embedding bag"):
            join(members)
    out = tmp_path / "weights.safetensors"
    with pytest.raises(ValueError, match="embedding bag"):
        train_joined(site_rows(), [(Training("lstm"),)], out, lambda _: None)
    assert not out.exists()


def test_joined_training_makes_the_same_file_again_and_joins_what_its_courses_make(tmp_path):
    torch = pytest.importorskip("torch")
    from inference.anatomy.training.fitting import Training, train_course
    from inference.anatomy.training.joining import train_joined

    torch.set_num_threads(1)
    courses = [
        (
            Training(epochs=1, shown=256, seed=seed, habits=SPARING),
            Training(epochs=1, shown=256, seed=100 + seed),
        )
        for seed in (1, 2)
    ]
    files = [tmp_path / name for name in ("once", "again", "member")]
    for path in files[:2]:
        train_joined(site_rows(), courses, path, lambda _: None)
    assert files[0].read_bytes() == files[1].read_bytes()
    arrays, described = read_weights(files[0])
    assert described["seeds"] == [101, 102]
    members = []
    for course in courses:
        train_course(site_rows(), course, files[2], lambda _: None)
        members.append(read_weights(files[2])[0])
    assert all(np.array_equal(arrays[name], array) for name, array in join(members).items())


def test_training_goes_on_from_joined_weights(tmp_path):
    pytest.importorskip("torch")
    from inference.anatomy.learned import MetadataModel
    from inference.anatomy.training.fitting import Training, train

    start, out = tmp_path / "start.safetensors", tmp_path / "out.safetensors"
    write_weights(start, join([bag(seed) for seed in (1, 2, 3)]), {"family": "embedding-bag"})
    train(site_rows(), Training(epochs=1, shown=256, start=start), out, lambda _: None)
    before, after = read_weights(start)[0], read_weights(out)[0]
    assert {name: array.shape for name, array in after.items()} == {
        name: array.shape for name, array in before.items()
    }
    # Two steps: what no header of theirs touched has decayed by less than a hundredth.
    untouched = np.isclose(before["vectors"], after["vectors"], rtol=0.01, atol=1e-3).mean()
    assert 0.9 < untouched < 1.0
    assert MetadataModel.load(out).recognize(Header.of(HEADER)).regions


def test_weights_without_a_hidden_layer_are_no_start(tmp_path):
    pytest.importorskip("torch")
    from inference.anatomy.learned.families import AnatomyModelError
    from inference.anatomy.training.fitting import Training, train

    start, out = tmp_path / "start.safetensors", tmp_path / "out.safetensors"
    train(site_rows(), Training("ngram-linear", epochs=1, shown=256), start, lambda _: None)
    with pytest.raises(AnatomyModelError, match="embedding bag"):
        train(site_rows(), Training(epochs=1, shown=256, start=start), out, lambda _: None)


def test_a_course_goes_on_from_the_weights_of_its_first_training(tmp_path):
    pytest.importorskip("torch")
    from inference.anatomy.training.fitting import Training, train, train_course

    alone, both = tmp_path / "alone.safetensors", tmp_path / "both.safetensors"
    first = Training(epochs=1, shown=256, seed=1, habits=SPARING)
    then = Training(epochs=1, shown=256, seed=2)
    train_course(site_rows(), (first, then), both, lambda _: None)
    train(site_rows(), first, alone, lambda _: None)
    train(site_rows(), replace(then, start=alone), alone, lambda _: None)
    assert both.read_bytes() == alone.read_bytes()
    assert read_weights(both)[1]["seed"] == 2


def test_sparing_habits_leave_no_attribute_alone_and_know_fewer_customs():
    rng = random.Random(7)  # noqa: S311
    bare = [taught(HEADER | {"BodyPartExamined": "CHEST"}, rng, SPARING) for _ in range(2_000)]
    kept = sum("BodyPartExamined" in one for one in bare) / len(bare)
    assert kept == pytest.approx(0.65 + 0.35 * 0.06, abs=0.05)
    few, all_of_them = customs(SPARING.more_customs), customs()
    assert few.keys() == all_of_them.keys()
    assert all(all_of_them[key][: len(names)] == names for key, names in few.items())
    assert sum(map(len, few.values())) < sum(map(len, all_of_them.values()))


def acquired_rows():
    """Sequences of the same name, told apart by how they were acquired alone."""
    acquired = {
        "head": {"ImageOrientationPatient": r"0\1\0\0\0\-1", "PixelSpacing": r"0.9\0.9"},
        "lower limb": {"ImageOrientationPatient": r"1\0\0\0\0\-1", "PixelSpacing": "0.31"},
    }
    return [
        Example(
            f"site {n}",
            {"Modality": "MR", "SeriesDescription": f"T1 {k}", **settings},
            frozenset((frozenset((region,)),)),
        )
        for n in range(6)
        for k in range(8)
        for region, settings in acquired.items()
    ]


def test_how_a_scan_was_acquired_is_learned_where_headers_say_it(tmp_path):
    pytest.importorskip("torch")
    from inference.anatomy.learned import MetadataModel
    from inference.anatomy.training.fitting import Training, train

    path = tmp_path / "metadata.safetensors"
    train(acquired_rows(), Training(epochs=6, shown=2_000), path, lambda _: None)
    model = MetadataModel.load(path)
    assert model.described["acquisition"] is True
    answers = model.recognize_all([row.header for row in acquired_rows()])
    right = [
        frozenset(answer.regions) in row.right
        for answer, row in zip(answers, acquired_rows(), strict=True)
    ]
    assert sum(right) / len(right) > 0.95


def test_a_model_that_saw_no_acquisition_settings_is_not_told_of_them(tmp_path):
    pytest.importorskip("torch")
    from inference.anatomy.learned import MetadataModel
    from inference.anatomy.training.fitting import Training, train

    path = tmp_path / "metadata.safetensors"
    train(site_rows(), Training(epochs=1, shown=256), path, lambda _: None)
    model = MetadataModel.load(path)
    assert "acquisition" not in model.described
    told = Header.of(HEADER | {"KVP": "120", "ConvolutionKernel": "B70f", "PatientWeight": "70"})
    assert model.recognize(told) == model.recognize(Header.of(HEADER))


def test_a_trained_model_is_assessed_and_reported(tmp_path):
    pytest.importorskip("sklearn")
    from inference.anatomy.learned import MetadataModel
    from inference.anatomy.training.fitting import Training, train

    taught_rows, held_out = split(site_rows())
    path = tmp_path / "metadata.safetensors"
    train(taught_rows, Training("decision-tree", shown=600), path, lambda _: None)
    model = MetadataModel.load(path)
    found = assess(model, held_out)
    assert found.exact > 0.9
    assert found.regions["chest"].recall == 1.0
    assert found.regions["breast"].recall is None
    general = general_figures(model)
    html = page(found, model.described, Criteria(), general)
    assert "lower limb" in html
    card = model_card(found, model.described, general)
    assert "decision-tree" in card
    assert "general headers of this package taught" not in card
    beside = model_card(found, {**model.described, "general_headers": 19388}, general)
    assert "19388 general headers of this package taught" in beside
    for text in (html, card):
        assert general.in_words in text
        assert shipped_general_figures().in_words in text


def test_a_model_that_answers_wrong_is_not_fit_and_the_page_says_why():
    class Wrong:
        described: ClassVar = {"family": "none"}

        def recognize_all(self, headers):
            from inference.anatomy import TagRecognizer

            answer = TagRecognizer().recognize(headers[0])
            return [answer for _ in headers]

    found = assess(Wrong(), site_rows())
    assert found.shortfalls(Criteria())
    html = page(found, Wrong.described, Criteria(), shipped_general_figures())
    assert "Not fit for use" in html
    assert "chest" in html
    assert sum(count for _, _, count in found.confusion) == sum(not o.right for o in found.outcomes)


class TellsChest:
    """Answers chest, surely, whatever it is asked."""

    described: ClassVar = {"family": "none"}

    def recognize_all(self, headers):
        from inference.anatomy import Header, TagRecognizer

        answer = TagRecognizer().recognize(Header.of(HEADER))
        return [answer for _ in headers]


def test_a_group_with_many_headers_judges_a_model_no_more_than_one_with_few():
    head = frozenset((frozenset(("head",)),))
    large = [Example("large", HEADER, head) for _ in range(90)]
    small = [Example(name, HEADER, frozenset((CHEST,))) for name in ("a", "b", "c")]
    found = assess(TellsChest(), [*large, *small * 10])
    assert found.exact == pytest.approx(30 / 120)
    assert found.exact_by_group == pytest.approx(3 / 4)
    assert found.calibration_error_by_group < found.calibration_error
    assert found.shortfalls(Criteria(least_exact=0.7, greatest_calibration_error=0.3)) == []
    html = page(found, TellsChest.described, Criteria(), shipped_general_figures())
    assert "75.0%" in html


def test_training_from_a_table_on_the_command_line_writes_weights_report_and_card(tmp_path):
    pytest.importorskip("sklearn")
    from typer.testing import CliRunner

    from inference.commands import train as command

    table = tmp_path / "site.csv"
    with table.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["site", "Modality", "StudyDescription", "SeriesDescription", "regions"])
        for row in site_rows():
            (right,) = row.right
            writer.writerow([row.group, *row.values.values(), format_regions(right)])
    options = ["--out", str(tmp_path / "model"), "--family", "decision-tree", "--shown", "600"]
    done = CliRunner().invoke(command, ["anatomy", str(table), *options])
    # So small a tree reads the table, and not what the shipped model does.
    assert done.exit_code == 1, done.output
    said = " ".join(done.output.split())
    assert "1.000 exact as the mean of groups" in said
    assert "not fit for use" in said
    assert "general headers exact" in said
    assert "--transfer" in said
    assert {path.name for path in (tmp_path / "model").iterdir()} == {
        "metadata.safetensors",
        "report.html",
        "MODEL_CARD.md",
        "figures.json",
    }


@pytest.mark.parametrize("option", ["--as-shipped", "--sidecars", "--written"])
def test_what_teaches_beside_the_public_corpus_does_not_beside_a_table(option, tmp_path):
    from typer.testing import CliRunner

    from inference.commands import train as command

    table = tmp_path / "site.csv"
    table.write_text("Modality,StudyDescription,regions\nCT,CT CHEST,chest\n")
    options = ["--out", str(tmp_path / "model"), option]
    done = CliRunner().invoke(command, ["anatomy", str(table), *options])
    assert done.exit_code == 2
    assert option in done.output
    assert "public corpus" in done.output
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("options", "courses", "groups"),
    [
        ([], 1, set()),
        (["--sidecars"], 1, {"openneuro"}),
        (["--written"], 1, {"written"}),
        (["--as-shipped"], 3, {"openneuro", "written"}),
    ],
)
def test_the_options_say_what_teaches_beside_the_public_corpus(
    options, courses, groups, tmp_path, monkeypatch
):
    from typer.testing import CliRunner

    from inference.anatomy.training import commands
    from inference.commands import train as command

    seen = []

    def keep(taught, courses):
        seen.append((len(courses), {row.group.partition(":")[0] for row in taught}))
        raise CorpusError("seen enough")

    monkeypatch.setattr(commands, "read_index", lambda _: {})
    monkeypatch.setattr(commands, "train", lambda rows, course, *_: keep(rows, [course]))
    monkeypatch.setattr(commands, "train_joined", lambda rows, courses, *_: keep(rows, courses))
    given = ["anatomy", str(tmp_path / "index.parquet"), "--out", str(tmp_path / "m"), *options]
    assert CliRunner().invoke(command, given).exit_code == 2
    assert seen == [(courses, groups)]


class TellsBy:
    """Answers rightly for the scanners that it knows, with nothing elsewhere."""

    described: ClassVar[dict[str, str]] = {}

    def __init__(self, *known):
        self.known = known

    def recognize_all(self, headers):
        from inference.anatomy import TagRecognizer

        told = TagRecognizer().recognize(Header.of(HEADER))
        silent = told.model_copy(update={"regions": (), "confidence": 0.0})
        return [told if header.text("StationName") in self.known else silent for header in headers]


@pytest.mark.parametrize(("known", "worse"), [(("large",), True), (("b", "c"), False)])
def test_a_model_that_got_worse_on_most_scanners_is_worse_however_many_headers_one_has(
    monkeypatch, known, worse
):
    monkeypatch.setattr(comparison, "shipped_model", lambda: TellsBy("large", "b"))
    sizes = {"large": 90, "b": 10, "c": 10, "d": 10}
    rows = [
        Example(name, {**HEADER, "StationName": name}, frozenset((CHEST,)))
        for name, size in sizes.items()
        for _ in range(size)
    ]
    reasons = comparison.worse_than_shipped(assess(TellsBy(*known), rows), rows)
    assert bool(reasons) == worse
    if worse:
        assert reasons == [
            "worse than the shipped model: 0.250 against 0.500 exact (mean of groups)"
        ]


def test_labels_of_a_tag_model_are_no_truth_by_which_another_is_judged():
    head = frozenset((frozenset(("head",)),))
    said = [Example(f"s{n % 4}", HEADER, head, source="reviewer") for n in range(24)]
    repeated = [
        Example(f"s{n % 4}", HEADER, frozenset((CHEST,)), source="tags") for n in range(400)
    ]
    found = assess(TellsChest(), [*said, *repeated])
    assert (found.exact, found.exact_by_group, len(found.outcomes)) == (0.0, 0.0, 24)
    assert any("0.000 exact" in reason for reason in found.shortfalls(Criteria()))


def test_a_model_that_only_tag_models_labels_judge_is_not_fit_however_often_it_agrees():
    repeated = [
        Example(f"s{n % 4}", HEADER, frozenset((CHEST,)), source="tags") for n in range(400)
    ]
    found = assess(TellsChest(), repeated)
    assert found.exact == 1.0
    (reason, *_) = found.shortfalls(Criteria(greatest_calibration_error=1.0))
    assert reason == "only 0 held-out labels that no tag model gave, 20 wanted"
    assert comparison.worse_than_shipped(found, repeated) == []


def taught_label(row):
    (lesson,) = lessons([row])
    return region_sets()[lesson.target]


@pytest.mark.parametrize(
    ("text", "said"),
    [("Thorax Abdomen Becken", "chest"), ("CT Thorax/Abdomen", "abdomen"), ("Kopf Hals", "neck")],
)
@pytest.mark.parametrize("source", ["reviewer", "site", "pixels"])
def test_a_narrower_word_of_a_person_is_taught_whatever_the_lexicon_reads(text, said, source):
    values = {"Modality": "CT", "StudyDescription": text, "SeriesDescription": text}
    row = Example("scanner", values, frozenset((frozenset((said,)),)), source=source)
    assert taught_label(row) == {said}


def test_a_composite_that_a_series_names_is_taught_in_place_of_what_its_collection_is_for():
    values = {"Modality": "CT", "StudyDescription": "Thorax Abdomen Becken"}
    row = Example("collection", values, frozenset((CHEST,)), public=True)
    assert taught_label(row) == {"chest", "abdomen", "pelvis"}
    assert all(row.public for row in [*written_headers(), *sidecar_headers()])


def test_what_the_lexicon_alone_reads_in_a_sites_row_counts_no_more_than_a_tag_models_label():
    labelled = Example("a", HEADER, frozenset((CHEST,)))
    disputed = Example("b", {**HEADER, "BodyPartExamined": "HEAD"}, frozenset())
    of_index = Example("c", HEADER, frozenset(), public=True)
    site, read, public = (lesson.weight for lesson in lessons([labelled, disputed, of_index]))
    assert 0.0 < read <= 0.5 * site
    assert public == site


def test_general_headers_are_one_of_each_department_that_was_made_up_and_none_that_tests():
    sample = general_sample()
    assert sample == general_sample.__wrapped__()
    assert {row.group for row in sample} == {row.group for row in written_headers()}
    assert len(sample) == len({row.group for row in sample})
    assert all(row.right for row in sample)


def test_the_shipped_model_and_whoever_is_little_worse_know_the_general_headers():
    shipped = shipped_general_figures()
    assert general_shortfalls(shipped) == []
    little = shipped._replace(exact=shipped.exact - 0.04)
    assert general_shortfalls(little) == []


@pytest.mark.parametrize(
    ("exact", "wrong", "said"),
    [(0.67, 0.06, "general headers exact"), (0.9, 0.4, "wrong with confidence 0.8")],
)
def test_a_model_that_reads_a_sites_words_alone_is_not_fit_and_is_told_how_to_go_on(
    exact, wrong, said
):
    reason, how = general_shortfalls(GeneralFigures(874, exact, wrong))
    assert said in reason
    assert "--transfer" in how


def test_the_headers_of_this_package_count_together_no_more_than_a_sites():
    taught_rows = site_rows()
    beside = general_headers(taught_rows)
    assert len(beside) == len(written_headers())

    def together(rows):
        sizes = Counter(row.group for row in rows)
        return sum(row.weight / sizes[row.group] ** 0.5 for row in rows)

    assert together(beside) == pytest.approx(together(taught_rows))
    # A site with more of its own leaves their weights as they are.
    assert general_headers([*site_rows(4_000, 1)])[0].weight == written_headers()[0].weight


def test_a_sites_training_learns_general_headers_too_unless_it_is_asked_not_to(tmp_path):
    pytest.importorskip("sklearn")
    from inference.anatomy.training.fitting import Training, train

    path = tmp_path / "metadata.safetensors"
    for general in (True, False):
        course = Training("decision-tree", shown=600, general=general)
        train(site_rows(), course, path, lambda _: None)
        described = read_weights(path)[1]
        assert described.get("general_headers") == (len(written_headers()) if general else None)
        assert described["headers"] == len(site_rows())
