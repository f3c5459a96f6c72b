# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from inference.heatmap.datasets.labelled import Box, DatasetError, PatientInTwoSplitsError
from inference.heatmap.datasets.layouts import read_labels
from inference.heatmap.datasets.splits import split_by_patient

NIH = """Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age
a.png,Effusion|Infiltration,0,1,058
b.png,No Finding,1,1,058
c.png,Effusion,0,2,081
"""
NIH_BOXES = """Image Index,Finding Label,Bbox [x,y,w,h],,,,,,
a.png,Infiltrate,100.5,200,50,30,,,
c.png,Effusion,0,0,10,20,,,
"""
CHEXPERT = """Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Edema,Pneumothorax
R/{part}/patient0000{n}/study1/view1_frontal.jpg,F,68,Frontal,AP,,{edema},
R/{part}/patient0000{n}/study1/view2_lateral.jpg,F,68,Lateral,,,1.0,1.0
"""


def write(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_nih_labels_and_boxes_are_read(tmp_path):
    table = read_labels(
        [write(tmp_path, "labels.csv", NIH)], boxes=write(tmp_path, "boxes.csv", NIH_BOXES)
    )
    assert table.classes == ("Effusion", "Infiltration")
    assert table.labels.tolist() == [[1, 1], [0, 0], [1, 0]]
    assert [image.patient for image in table.images] == ["1", "1", "2"]
    assert table.images[0].boxes == (Box("Infiltration", 100.5, 200, 150.5, 230),)


def test_what_the_nih_list_leaves_out_is_the_test_part(tmp_path):
    named = write(tmp_path, "train_val_list.txt", "a.png\nb.png\n")
    table = read_labels([write(tmp_path, "labels.csv", NIH)], training_list=named)
    assert [image.split for image in table.images] == [None, None, "test"]


def test_a_patient_on_both_sides_of_the_nih_list_is_an_error(tmp_path):
    named = write(tmp_path, "train_val_list.txt", "a.png\n")
    table = read_labels([write(tmp_path, "labels.csv", NIH)], training_list=named)
    with pytest.raises(PatientInTwoSplitsError, match="1 patient"):
        split_by_patient(table)


@pytest.mark.parametrize(("edema", "known"), [("1.0", 1.0), ("0.0", 0.0), ("-1.0", None)])
def test_chexpert_masks_what_is_uncertain_or_not_mentioned(tmp_path, edema, known):
    text = CHEXPERT.format(part="train", n=1, edema=edema)
    table = read_labels([write(tmp_path, "train.csv", text)])
    assert table.classes == ("Edema", "Pneumothorax")
    assert len(table.images) == 1, "lateral views are left out"
    first, second = table.labels[0]
    assert np.isnan(first) if known is None else first == known
    assert np.isnan(second)


def test_chexpert_can_take_what_is_not_mentioned_as_absent(tmp_path):
    text = CHEXPERT.format(part="train", n=1, edema="-1.0")
    table = read_labels([write(tmp_path, "train.csv", text)], unmentioned_absent=True)
    assert np.isnan(table.labels[0, 0])
    assert table.labels[0, 1] == 0.0


def test_chexperts_validation_part_is_the_test_part(tmp_path):
    parts = [
        write(tmp_path, f"{part}.csv", CHEXPERT.format(part=part, n=n, edema="1.0"))
        for n, part in enumerate(("train", "valid"), start=1)
    ]
    assert [image.split for image in read_labels(parts).images] == [None, "test"]


def test_an_export_of_reviews_is_read_with_what_nobody_judged_masked(tmp_path):
    labels = "image,patient,edema,nodule\n1.2.3.dcm,p1,1,\n1.2.4.dcm,p2,0,1\n"
    boxes = "image,class,left,top,right,bottom\n1.2.4.dcm,nodule,1,2,3.5,4\n"
    table = read_labels(
        [write(tmp_path, "labels.csv", labels)], boxes=write(tmp_path, "boxes.csv", boxes)
    )
    assert np.array_equal(table.labels, [[1, np.nan], [0, 1]], equal_nan=True)
    assert table.images[1].boxes == (Box("nodule", 1, 2, 3.5, 4),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("name,edema\nx,1\n", "none of the known layouts"),
        ("image,patient,edema\nx,p,2\n", "row 2, edema"),
        ("image,patient,edema\nx,,1\n", "row 2: image and patient"),
        ("image,patient\nx,p\n", "no class"),
        ("image,patient,edema\n", "no image"),
        ("image,patient,edema\nx,p,1\nx,p,1\n", "twice"),
        ("image,patient,split,edema\nx,p,held out,1\n", "split is one of"),
    ],
)
def test_a_wrong_table_says_what_to_mend(tmp_path, text, said):
    with pytest.raises(DatasetError, match=said):
        read_labels([write(tmp_path, "labels.csv", text)])


def test_no_message_names_a_patient_or_an_image(tmp_path):
    text = "image,patient,split,edema\nDOE-1.dcm,DOE,test,1\nDOE-2.dcm,DOE,training,7\n"
    with pytest.raises(DatasetError) as wrong:
        read_labels([write(tmp_path, "labels.csv", text)])
    assert "DOE" not in str(wrong.value)
    table = read_labels([write(tmp_path, "labels.csv", text.replace(",7", ",0"))])
    with pytest.raises(PatientInTwoSplitsError) as torn:
        split_by_patient(table)
    assert "DOE" not in str(torn.value)


def test_all_images_of_a_patient_are_in_one_split_and_stay_there(tmp_path):
    rows = [f"{p}-{n}.png,{p},{n % 2}" for p in range(100) for n in range(3)]
    text = "image,patient,edema\n" + "\n".join(rows)
    splits = split_by_patient(read_labels([write(tmp_path, "labels.csv", text)]))
    where = {name: {i.patient for i in part.images} for name, part in splits.items()}
    assert sum(len(patients) for patients in where.values()) == 100
    assert sum(len(part.images) for part in splits.values()) == 300
    assert len(where["training"]) > 50
    fewer = "image,patient,edema\n" + "\n".join(rows[:240])
    again = split_by_patient(read_labels([write(tmp_path, "labels.csv", fewer)]))
    for name, part in again.items():
        assert {i.patient for i in part.images} <= where[name]


def test_an_empty_split_is_an_error(tmp_path):
    table = read_labels([write(tmp_path, "labels.csv", "image,patient,edema\nx,p,1\n")])
    with pytest.raises(DatasetError, match="no patient is left"):
        split_by_patient(table)
