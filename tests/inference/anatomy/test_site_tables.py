# SPDX-License-Identifier: Apache-2.0
"""A site's table of labelled headers: read as any table of headers is, and split by group."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from inference.anatomy.learned.families import AnatomyModelError, read_weights
from inference.anatomy.learned.study import shipped_study_weights
from inference.anatomy.serving.held_out import read_held_out, write_held_out
from inference.anatomy.training.assessment import by_patient, split
from inference.anatomy.training.corpus import CorpusError, Example, groups_of, read_site_table
from inference.commands import train
from inference.commands_evaluate import evaluate

PARTS = {"CT CHEST": "chest", "MR KNEE": "lower-limb", "CT HEAD": "head"}
COLUMNS = ("Modality", "StudyDescription", "SeriesDescription", "regions")


def lines(count: int = 24) -> list[list[str]]:
    texts = [list(PARTS)[n % len(PARTS)] for n in range(count)]
    return [[text[:2], text, f"SERIES {n}", PARTS[text]] for n, text in enumerate(texts)]


def table(
    folder: Path, columns: Sequence[str], rows: Sequence[Sequence[str]], *, text: str = "utf-8"
) -> Path:
    path = folder / "site.csv"
    with path.open("w", newline="", encoding=text) as stream:
        csv.writer(stream, delimiter=";" if text == "utf-16" else ",").writerows([columns, *rows])
    return path


def grouped(folder: Path, name: str, values: Sequence[str]) -> Path:
    """A table with one more column; its values are dealt out in turn."""
    rows = [[values[n % len(values)], *row] for n, row in enumerate(lines())]
    return table(folder, (name, *COLUMNS), rows)


def trained(path: Path, *options: str) -> Result:
    out = ["--out", str(path.parent / "model"), "--family", "decision-tree", "--shown", "300"]
    return CliRunner().invoke(train, ["anatomy", str(path), *out, *options])


def said(result: Result) -> str:
    return " ".join(result.output.replace("│", " ").split())


def test_a_group_that_is_no_column_is_refused_and_the_columns_are_named(tmp_path: Path) -> None:
    path = grouped(tmp_path, "hospital", ["a", "b", "c", "d"])
    with pytest.raises(CorpusError, match=r"no column hospitel.*: hospital, Modality"):
        read_site_table(path, "hospitel")
    done = trained(path, "--group", "hospitel")
    assert done.exit_code == 2
    assert "no column hospitel" in said(done)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("deidentified", [[], ["--deidentified"]])
def test_headers_without_a_site_patient_or_study_are_not_split_by_row(
    tmp_path: Path, deidentified: list[str]
) -> None:
    done = trained(table(tmp_path, COLUMNS, lines()), *deidentified)
    assert done.exit_code == 2
    assert "no header names its site (column site), patient or StudyInstanceUID" in said(done)
    assert "--group" in said(done)
    assert not (tmp_path / "model").exists()


def test_nor_are_those_of_a_single_site(tmp_path: Path) -> None:
    done = trained(grouped(tmp_path, "site", ["x"]), "--deidentified")
    assert done.exit_code == 2
    assert "all headers are of one site" in said(done)
    assert not (tmp_path / "model").exists()


def test_rows_without_a_group_belong_to_none_and_are_left_out(tmp_path: Path) -> None:
    path = grouped(tmp_path, "site", ["a", "", "b", "", "c", "d"])
    rows = read_site_table(path)
    assert groups_of(rows) == ["a", "b", "c", "d"]
    taught, held_out = split(by_patient(rows))
    assert groups_of(taught) == sorted({row.group for row in taught})
    assert (len(taught), len(held_out)) == (12, 4)
    assert "8 headers are of no known group, which could be any: left out" in said(trained(path))


def test_few_scanners_are_split_by_patient_if_there_are_more_patients(tmp_path: Path) -> None:
    rows = [[f"p{n % 5}" if n % 6 else "", "scanner", *row] for n, row in enumerate(lines())]
    found = read_site_table(table(tmp_path, ("patient", "site", *COLUMNS), rows))
    assert groups_of(found) == ["scanner"]
    assert groups_of(by_patient(found)) == [*(f"p{n}" for n in range(5)), "scanner"]
    one = [row for row in found if row.study == "p0"]
    assert groups_of(by_patient(one)) == ["scanner"]


def test_without_a_column_for_sites_the_study_decides(tmp_path: Path) -> None:
    found = read_site_table(grouped(tmp_path, "Study Instance UID", ["1.2.1", "1.2.2"]))
    assert groups_of(found) == ["1.2.1", "1.2.2"]


def test_patients_by_whom_headers_were_split_are_named_nowhere(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    path = grouped(tmp_path, "patient", [f"PID-{n}" for n in range(6)])
    done = trained(path, "--deidentified")
    assert done.exit_code in (0, 1), done.output
    model = tmp_path / "model"
    assert read_weights(model / "metadata.safetensors")[1]["groups"] == []
    assert all(b"PID-" not in file.read_bytes() for file in model.iterdir())


def test_rows_of_one_patient_stay_together_among_those_that_are_held_out(tmp_path: Path) -> None:
    right = frozenset((frozenset(("chest",)),))
    rows = [
        Example(f"PID-{n % 3}", {"StudyDescription": f"CT {n}"}, right, study=f"PID-{n % 3}")
        for n in range(9)
    ]
    write_held_out(rows, tmp_path / "held_out.csv")
    groups = [row.group for row in read_held_out(tmp_path / "held_out.csv")]
    assert {groups.count(group) for group in groups} == {3}
    assert set(groups) == {"patient 1", "patient 2", "patient 3"}


WORDS = ("Study Instance UID", "modality", "Study Description", "(0008,103E)", "regions")


@pytest.mark.parametrize("text", ["utf-8", "utf-16", "cp1252"])
def test_headers_are_known_by_words_and_tag_in_the_encoding_and_with_the_separator_of_a_table(
    tmp_path: Path, text: str
) -> None:
    rows = [[f"1.2.{n}", *row[:2], "Übersicht", row[3]] for n, row in enumerate(lines())]
    path = table(tmp_path, WORDS, rows, text=text)
    done = CliRunner().invoke(evaluate, ["anatomy", str(path), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert (figures["exact"], figures["headers"], figures["groups"]) == (1.0, 24, 24)
    assert read_site_table(path)[0].values["SeriesDescription"] == "Übersicht"


def test_evaluating_groups_by_the_column_that_is_named(tmp_path: Path) -> None:
    path = grouped(tmp_path, "hospital", ["a", "b", "c"])
    out = ["--out", str(tmp_path / "out")]
    done = CliRunner().invoke(evaluate, ["anatomy", str(path), *out, "--group", "hospital"])
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "out" / "figures.json").read_text())["groups"] == 3
    done = CliRunner().invoke(evaluate, ["anatomy", str(path), *out, "--group", "hospitel"])
    assert done.exit_code == 2
    assert "no column hospitel" in said(done)


def test_an_encoding_can_be_named_to_both_commands(tmp_path: Path) -> None:
    rows = [["a", "CT", "грудная клетка", "", "chest"], ["b", "CT", "голова", "", "head"]] * 12
    path = table(tmp_path, ("site", *COLUMNS), rows, text="cp1251")
    found = read_site_table(path, encoding="cp1251")
    assert found[0].values["StudyDescription"] == "грудная клетка"
    out = ["--out", str(tmp_path / "out")]
    guessed = CliRunner().invoke(evaluate, ["anatomy", str(path), *out])
    assert "read as cp1252; name another with --encoding" in guessed.output
    named = CliRunner().invoke(evaluate, ["anatomy", str(path), *out, "--encoding", "cp1251"])
    assert "cp1252" not in named.output
    assert json.loads((tmp_path / "out" / "figures.json").read_text())["exact"] == 1.0
    pytest.importorskip("sklearn")
    assert "cp1252" not in trained(path, "--encoding", "cp1251").output


BROKEN = {
    "unclosed": ('site,Modality,regions\na,CT,chest\nb,"CT,head\na,MR,neck\n', "line 3"),
    "endless": (f'site,Modality,regions\na,"{"x" * 1_200_000}",chest\n', "line 2"),
    "label": ('site,Modality,regions\na,"C\nT",chest\n\nb,CT,chestt\n', "line 5"),
    "weight": ("site,Modality,regions,weight\na,CT,chest,2\n", "line 2"),
    "empty": ("site,Modality,regions\n", "no row"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_with_a_table_is_said_with_its_name_and_line(
    tmp_path: Path, name: str
) -> None:
    content, where = BROKEN[name]
    path = tmp_path / "site.csv"
    path.write_text(content)
    with pytest.raises(CorpusError, match=rf"site\.csv.*{where}"):
        read_site_table(path)
    out = ["--out", str(tmp_path / "out")]
    for done in (trained(path), CliRunner().invoke(evaluate, ["anatomy", str(path), *out])):
        assert done.exit_code == 2
        assert where in said(done)


def test_a_model_of_studies_is_no_start_for_one_of_headers(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from inference.anatomy.training.fitting import Training
    from inference.anatomy.training.fitting import train as fit

    rows = [Example("a", {"StudyDescription": "CT CHEST"}, frozenset((frozenset(("chest",)),)))]
    start = Training(epochs=1, shown=256, start=shipped_study_weights())
    with pytest.raises(AnatomyModelError, match="model of studies"):
        fit(rows, start, tmp_path / "out.safetensors", lambda _: None)


@pytest.mark.parametrize("column", ["Patient's Name", "(0010,0020)", "AccessionNumber"])
def test_groups_that_are_patients_are_named_nowhere_whatever_column_says_so(
    tmp_path: Path, column: str
) -> None:
    pytest.importorskip("sklearn")
    path = grouped(tmp_path, column, [f"PID-{n}" for n in range(6)])
    done = trained(path, "--deidentified", "--group", column)
    assert done.exit_code in (0, 1), done.output
    files = [file for file in (tmp_path / "model").rglob("*") if file.is_file()]
    assert files
    assert all(b"PID-" not in file.read_bytes() for file in files)


@pytest.mark.parametrize(("deidentified", "named"), [([], False), (["--deidentified"], True)])
def test_groups_are_named_only_where_the_table_is_said_to_be_deidentified(
    tmp_path: Path, deidentified: list[str], named: bool
) -> None:
    pytest.importorskip("sklearn")
    path = grouped(tmp_path, "StationName", [f"ROOM-{n}" for n in range(6)])
    done = trained(path, "--group", "StationName", *deidentified)
    assert done.exit_code in (0, 1), done.output
    weights = next((tmp_path / "model").rglob("metadata.safetensors"))
    card = weights.parent / "MODEL_CARD.md"
    assert (b"ROOM-" in weights.read_bytes()) == named
    assert ("ROOM-" in card.read_text()) == named


def test_held_out_rows_have_what_the_model_reads_and_no_other_column(tmp_path: Path) -> None:
    columns = ("site", "PatientName", "AccessionNumber", "remark", *COLUMNS)
    rows = [[f"s{n % 3}", "Zimtstern", "A-4711", "seen", *row] for n, row in enumerate(lines())]
    out = tmp_path / "held_out.csv"
    assert write_held_out(read_site_table(table(tmp_path, columns, rows)), out) == 24
    header, *others = out.read_text().splitlines()
    assert header == (
        "site,Modality,SeriesDescription,StudyDescription,regions,label_source,weight"
    )
    assert not any(word in "".join(others) for word in ("Zimtstern", "A-4711", "seen"))


def test_columns_of_the_table_itself_are_read_in_any_case(tmp_path: Path) -> None:
    columns = ("Site", "Patient", "Weight", "Label_Source", *COLUMNS[:-1], "Regions")
    rows = [["s1", "p1", "0.5", "reviewer", *row] for row in lines()]
    found = read_site_table(table(tmp_path, columns, rows))
    one = found[0]
    assert (one.group, one.study, one.weight, one.source) == ("s1", "p1", 0.5, "reviewer")
    assert set(one.values) == {"site", *COLUMNS[:-1]}


@pytest.mark.parametrize(
    "column",
    ["PatientID", "PatientsName", "00100010", "MRN", "Patienten-Nr.", "0008,0050", "Study ID"],
)
def test_columns_of_patients_are_known_by_keyword_in_words_and_by_tag(
    tmp_path: Path, column: str
) -> None:
    rows = read_site_table(grouped(tmp_path, column, ["PID-1", "PID-2"]), column)
    assert all(row.group == row.study for row in rows)
    write_held_out(rows, tmp_path / "held_out.csv")
    assert "PID-" not in (tmp_path / "held_out.csv").read_text()


@pytest.mark.parametrize("column", ["StationName", "hospital", "Issuer of Patient ID"])
def test_groups_that_are_no_patients_are_not_numbered(tmp_path: Path, column: str) -> None:
    rows = read_site_table(grouped(tmp_path, column, ["a", "b"]), column)
    assert {(row.group, row.study) for row in rows} == {("a", ""), ("b", "")}


@pytest.mark.parametrize("first", [True, False])
def test_of_two_columns_that_differ_in_case_the_exact_one_counts(
    tmp_path: Path, first: bool
) -> None:
    exact = ("site", "patient", "weight", "label_source", "regions")
    told = ("s1", "p1", "0.5", "reviewer", "head")
    others = [name.title() for name in exact]
    columns = (*exact, *others) if first else (*others, *exact)
    cells = ["Main", "p2", "70", "RIS", "text", "Main", "p2", "70", "RIS", ""]
    rows = [
        [*told, *cells[:5]] if first else [*cells[5:], *told],
        ["", "", "", "", "?", *cells[:5]] if first else [*cells[5:], "", "", "", "", "?"],
    ]
    path = table(tmp_path, (*columns, "Modality"), [[*row, "CT"] for row in rows])
    one, silent = read_site_table(path)
    assert (one.group, one.study, one.weight, one.source) == ("s1", "p1", 0.5, "reviewer")
    assert one.right == {frozenset(("head",))}
    assert (silent.group, silent.study, silent.weight, silent.right) == ("", "", 1.0, frozenset())


def test_the_weight_of_a_patient_is_no_weight_of_a_row(tmp_path: Path) -> None:
    told: list[str] = []
    rows = [["s", weight, *row] for weight, row in zip(("1", "82"), lines(2), strict=True)]
    path = table(tmp_path, ("site", "Weight", *COLUMNS), rows)
    assert [row.weight for row in read_site_table(path, say=told.append)] == [1.0, 1.0]
    assert told == [f"{path}: Weight says nothing: weights of rows are above 0 and at most 1"]


def test_rows_that_travel_with_a_model_of_an_earlier_release_are_read_as_they_were(
    tmp_path: Path,
) -> None:
    path = tmp_path / "held_out.csv"
    path.write_text(
        "site,Modality,SeriesDescription,Site,Weight,regions,label_source,weight\n"
        "scanner 1,CT,x,Main,70,head,reviewer,0.5\nscanner 2,CT,y,Main,82,chest,site,1\n"
    )
    found = [(row.group, row.source, row.weight) for row in read_held_out(path)]
    assert found == [("scanner 1", "reviewer", 0.5), ("scanner 2", "site", 1.0)]


@pytest.mark.parametrize(
    ("label", "regions"),
    [
        ("CHEST", {"chest"}),
        ("Head Neck", {"head", "neck"}),
        ("UPPER LIMB", {"upper limb"}),
        ("CAP", {"chest", "abdomen", "pelvis"}),
    ],
)
def test_labels_are_names_in_any_case_or_letters(
    tmp_path: Path, label: str, regions: set[str]
) -> None:
    path = table(tmp_path, ("site", *COLUMNS), [["s", "CT", "x", "y", label]])
    assert read_site_table(path)[0].right == {frozenset(regions)}


def test_a_label_that_is_neither_is_refused_by_the_names_that_there_are(tmp_path: Path) -> None:
    path = table(tmp_path, ("site", *COLUMNS), [["s", "CT", "x", "y", "CHESTS"]])
    with pytest.raises(CorpusError, match=r"line 2: 'chests' is no region; use .*chest"):
        read_site_table(path)


def test_a_table_whose_held_out_rows_have_no_label_is_refused_before_it_trains(
    tmp_path: Path,
) -> None:
    rows = [[f"s{n % 4}", *row] for n, row in enumerate(lines())]
    _, held_out = split(by_patient(read_site_table(table(tmp_path, ("site", *COLUMNS), rows))))
    names = groups_of(held_out)
    bare = [[*row[:-1], "?"] if row[0] in names else row for row in rows]
    done = trained(table(tmp_path, ("site", *COLUMNS), bare))
    assert done.exit_code == 2
    assert "no held-out header has a label" in said(done)
    assert "distinct headers" not in done.output


def test_the_shipped_model_is_named_shipped_where_training_goes_on_from_it(tmp_path: Path) -> None:
    path = grouped(tmp_path, "site", [f"s{n}" for n in range(6)])
    out = ["--out", str(tmp_path / "model"), "--epochs", "1", "--shown", "256"]
    pytest.importorskip("torch")
    done = CliRunner().invoke(train, ["anatomy", str(path), *out, "--transfer", "shipped"])
    assert done.exit_code in (0, 1), done.output
    missing = CliRunner().invoke(
        train, ["anatomy", str(path), *out, "--transfer", "metadata.safetensors"]
    )
    assert missing.exit_code == 2
    assert "is called shipped" in said(missing)
