# SPDX-License-Identifier: Apache-2.0
"""Tables of headers as spreadsheets, registries and programs write them."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inference.anatomy import Header
from inference.anatomy.commands import app
from inference.anatomy.header_table import HeaderTableError, rows_of

HEAD = ("69536005", "SCT")


def written(folder: Path, content: bytes | str, name: str = "headers.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def predicted(*arguments: str | Path) -> list[dict[str, str]]:
    result = CliRunner().invoke(app, ["predict", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return list(csv.DictReader(result.stdout.splitlines()))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_table_may_be_separated_as_the_spreadsheet_does_it(
    tmp_path: Path, separator: str
) -> None:
    line = separator.join
    table = f"{line(['Modality', 'StudyDescription'])}\n{line(['CT', 'CT Thorax'])}\n"
    assert predicted(written(tmp_path, table))[0]["regions"] == "chest"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_umlauts_are_read_in_the_encoding_that_a_table_has(tmp_path: Path, encoding: str) -> None:
    table = "Modality;StudyDescription\nCT;Schädel nativ\n".encode(encoding)
    assert next(rows_of(written(tmp_path, table)))["StudyDescription"] == "Schädel nativ"


def test_a_guessed_encoding_is_said_and_can_be_named(tmp_path: Path) -> None:
    table = written(tmp_path, "Modality,StudyDescription\nCT,грудная клетка\n".encode("cp1251"))
    said: list[str] = []
    guessed = list(rows_of(table, say=said.append))
    assert guessed[0]["StudyDescription"] != "грудная клетка"
    assert "read as cp1252; name another with --encoding" in said[0]
    assert predicted("--encoding", "cp1251", table)[0]["regions"] == "chest"


def test_columns_are_known_by_keyword_words_and_tag(tmp_path: Path) -> None:
    table = 'modality,Study Description,"(0018,0015)",Remark\nCT,Routine,HEAD,x\n'
    row = next(rows_of(written(tmp_path, table)))
    assert row == {
        "Modality": "CT", "StudyDescription": "Routine", "BodyPartExamined": "HEAD", "Remark": "x",
    }  # fmt: skip


def test_of_two_columns_of_one_name_an_empty_one_does_not_count(tmp_path: Path) -> None:
    table = "StudyDescription,StudyDescription\nCT Thorax,\n,CT Kopf\n"
    rows = list(rows_of(written(tmp_path, table)))
    assert [row["StudyDescription"] for row in rows] == ["CT Thorax", "CT Kopf"]


def test_every_row_with_a_cell_gets_an_answer_also_an_empty_or_short_one(tmp_path: Path) -> None:
    table = "Modality,StudyDescription,SeriesDescription\n\nCT,CT Thorax\n,,\nCT,CT Kopf,x,y,z\n"
    answers = predicted(written(tmp_path, table))
    assert [one["source"] for one in answers] == ["1", "2", "3"]
    assert [one["regions"] for one in answers] == ["chest", "", "head"]


def test_any_dicom_keyword_makes_a_table_and_no_keyword_makes_none(tmp_path: Path) -> None:
    assert predicted(written(tmp_path, "PatientAge\n060Y\n"))[0]["confidence"] == "0.0000"
    with pytest.raises(HeaderTableError, match="no DICOM keyword as a column"):
        list(rows_of(written(tmp_path, "Foo,Bar\n1,2\n")))


def test_a_quotation_mark_that_is_not_closed_swallows_no_rows(tmp_path: Path) -> None:
    table = written(tmp_path, 'Modality,StudyDescription\nCT,Kopf\nCT,"Thorax\nCT,Knie\n')
    with pytest.raises(HeaderTableError, match="row in line 3"):
        list(rows_of(table))


@pytest.mark.parametrize(
    "cell",
    [
        "69536005",
        "SCT:69536005",
        "T-D1100",
        '(69536005, SCT, "Head")',
        "69536005^SCT^Head",
        "69536005^Head^SCT",
        '[{"CodeValue": "69536005", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Head"}]',
        '{"00080100": {"Value": ["69536005"]}, "00080102": {"Value": ["SCT"]}}',
        "Head",
    ],
)
def test_a_code_sequence_in_a_cell_is_read_however_it_is_written(cell: str) -> None:
    header = Header.of({"AnatomicRegionSequence": cell})
    code = header.codes["AnatomicRegionSequence"][0]
    assert (code.value, code.scheme) in (HEAD, ("T-D1100", "SRT"), ("", ""))
    if not code.value:
        assert code.meaning == "Head"


def test_several_codes_in_a_cell_are_several_codes_and_words_stay_words() -> None:
    read = Header.of(
        {
            "AnatomicRegionSequence": "69536005\\45048000",
            "ProcedureCodeSequence": "CT Kopf; nativ (1, 2)",
        }
    )
    assert [code.value for code in read.codes["AnatomicRegionSequence"]] == ["69536005", "45048000"]
    assert read.codes["ProcedureCodeSequence"][0].meaning == "CT Kopf; nativ (1, 2)"


def test_a_series_that_says_nothing_leans_on_the_rows_of_its_study(tmp_path: Path) -> None:
    table = written(
        tmp_path,
        "StudyInstanceUID,Modality,SeriesDescription\n1.2,MR,t1_tse_sag\n1.2,MR,Knie links\n"
        "1.3,MR,t1_tse_sag\n,MR,t1_tse_sag\n",
    )
    leaning, sibling, other, alone = predicted(table)
    assert leaning["regions"] == sibling["regions"] == "lower-limb"
    assert other["regions"] == alone["regions"]
    assert float(leaning["confidence"]) > float(other["confidence"])


def test_an_output_that_can_not_be_written_is_said_in_a_line(tmp_path: Path) -> None:
    table = written(tmp_path, "Modality,StudyDescription\nCT,CT Thorax\n")
    out = tmp_path / "missing" / "answers.csv"
    result = CliRunner().invoke(app, ["predict", str(table), "--out", str(out)])
    assert result.exit_code == 2
    assert "No such file or directory" in result.output


def test_a_description_without_an_end_takes_no_time(tmp_path: Path) -> None:
    endless = "xqchzt" * 100_000
    table = written(
        tmp_path,
        f"Modality,StudyDescription,SeriesDescription,ProcedureCodeSequence\n"
        f"CT,CT Thorax,{endless},{endless}\n",
    )
    before = time.process_time()
    assert len(predicted(table)) == 1
    assert time.process_time() - before < 10
    header = Header.of({"SeriesDescription": ["chest"] * 100_000, "ProtocolName": "Kopf"})
    assert len(header.text("SeriesDescription")) < 2_100
    assert header.text("ProtocolName") == "Kopf"


@pytest.mark.parametrize("encoding", ["utf-32", "utf-16-le"])
def test_other_encodings_are_known_or_asked_for_and_never_read_as_rubbish(
    tmp_path: Path, encoding: str
) -> None:
    table = written(tmp_path, "Modality,StudyDescription\nCT,Schädel nativ\n".encode(encoding))
    if encoding == "utf-32":
        assert [row["StudyDescription"] for row in rows_of(table)] == ["Schädel nativ"]
        return
    with pytest.raises(HeaderTableError, match="--encoding utf-16-le"):
        list(rows_of(table))
    assert [one["regions"] for one in predicted("--encoding", encoding, table)] == ["head"]


@pytest.mark.parametrize("before", ["\n\r\n", "sep=;\n", '"sep=;"\r\n\n'])
def test_lines_before_the_columns_are_passed_over(tmp_path: Path, before: str) -> None:
    table = written(tmp_path, f'{before}Modality;StudyDescription\nCT;Kopf\nCT;"Knie\n')
    rows = rows_of(table)
    assert next(rows) == {"Modality": "CT", "StudyDescription": "Kopf"}
    with pytest.raises(HeaderTableError, match=f"line {before.count(chr(10)) + 3}"):
        next(rows)


def test_words_beside_a_code_do_not_take_the_code_away() -> None:
    codes = Header.of({"AnatomicRegionSequence": "Skull\\69536005"}).codes
    assert [code.meaning or code.value for code in codes["AnatomicRegionSequence"]] == [
        "Skull", "69536005",
    ]  # fmt: skip


def test_answers_never_take_the_place_of_the_headers(tmp_path: Path) -> None:
    table = written(tmp_path, "Modality,StudyDescription\nCT,CT Thorax\n")
    (tmp_path / "link.csv").symlink_to(table)
    for out in (table, tmp_path / "link.csv"):
        result = CliRunner().invoke(app, ["predict", str(table), "--out", str(out)])
        assert result.exit_code == 2
        assert "holds the headers" in " ".join(result.output.replace("│", " ").split())
    assert table.read_text().endswith("CT,CT Thorax\n")


def test_a_table_that_breaks_off_leaves_earlier_answers_and_nothing_half(tmp_path: Path) -> None:
    rows = "CT,CT Thorax\n" * 4_500
    table = written(tmp_path, f'Modality,StudyDescription\n{rows}CT,"Kopf\n')
    out = tmp_path / "answers.csv"
    out.write_text("of yesterday")
    result = CliRunner().invoke(app, ["predict", str(table), "--out", str(out)])
    assert result.exit_code == 2
    assert out.read_text() == "of yesterday"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.csv", "headers.csv"]


def test_a_full_disk_is_said_in_a_line(tmp_path: Path) -> None:
    table = written(tmp_path, "Modality,StudyDescription\nCT,CT Thorax\n")
    result = CliRunner().invoke(app, ["predict", str(table), "--out", "/dev/full"])
    assert result.exit_code == 2
    assert "No space left on device" in result.output


def test_a_table_by_another_name_is_no_success_without_answers(tmp_path: Path) -> None:
    table = written(tmp_path, "Modality,StudyDescription\nCT,CT Thorax\n", "headers.dat")
    result = CliRunner().invoke(app, ["predict", str(table)])
    assert result.exit_code == 2
    assert ".csv" in result.output
    tabs = written(tmp_path, "Modality\tStudyDescription\nCT\tCT Thorax\n", "headers.tab")
    assert predicted(tabs)[0]["regions"] == "chest"
