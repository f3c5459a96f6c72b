# SPDX-License-Identifier: Apache-2.0
import zlib
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from inference.anatomy import recognize
from inference.serving.blank import blank_radiograph
from inference.serving.deidentified import (
    require_deidentified_header,
    require_deidentified_instance,
)
from inference.serving.errors import ServiceError
from tests.inference.service.running_service import chest_file

MOST = 1 << 24


def refusal_of(instance: bytes, most: int = MOST) -> str:
    with pytest.raises(ServiceError) as refusal:
        require_deidentified_instance(instance, most)
    return refusal.value.code


def deflated(size: int) -> bytes:
    syntax = b"1.2.840.10008.1.2.1.99"
    element = b"\x02\x00\x10\x00UI" + len(syntax).to_bytes(2, "little") + syntax
    length = b"\x02\x00\x00\x00UL\x04\x00" + len(element).to_bytes(4, "little")
    squeeze = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    content = squeeze.compress(bytes(size)) + squeeze.flush()
    return bytes(128) + b"DICM" + length + element + content


def test_an_instance_that_says_yes_is_taken(deidentified_file):
    require_deidentified_instance(deidentified_file, MOST)


@pytest.mark.parametrize("removed", [None, "NO", "", "yes please"])
def test_an_instance_that_does_not_say_yes_is_refused(removed):
    assert refusal_of(chest_file(removed=removed)) == "not-deidentified"


def test_a_real_scan_as_it_came_is_refused():
    with open(get_testdata_file("CT_small.dcm"), "rb") as stream:  # noqa: PTH123
        assert refusal_of(stream.read()) == "not-deidentified"


@pytest.mark.parametrize("content", [b"", b"GIF89a", bytes(128) + b"DICM", bytes(300)])
def test_what_is_no_dicom_file_is_never_taken(content):
    assert refusal_of(content) in {"not-dicom", "not-deidentified"}


def test_a_file_cut_off_before_the_mark_is_never_taken(deidentified_file):
    until_mark = deidentified_file.index(b"\x12\x00\x62\x00CS")
    for length in range(0, until_mark + 8, 37):
        assert refusal_of(deidentified_file[:length]) in {"not-dicom", "not-deidentified"}


def test_a_small_file_that_inflates_to_a_large_one_is_refused_before_it_does():
    bomb = deflated(1 << 26)
    assert len(bomb) < 1 << 18
    assert refusal_of(bomb) == "too-large"


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"00120062": {"vr": "CS", "Value": ["NO"]}},
        {"00120062": {"vr": "CS"}},
        {"00120062": "YES"},
        {"00120062": {"vr": "CS", "Value": ["YES", "NO"]}},
        {"PatientIdentityRemoved": "YES"},
    ],
)
def test_a_header_that_does_not_say_yes_is_refused(header):
    with pytest.raises(ServiceError) as refusal:
        require_deidentified_header(header)
    assert refusal.value.code == "not-deidentified"


def test_the_image_that_warms_models_up_is_one_that_the_service_would_take():
    blank = blank_radiograph()
    require_deidentified_instance(blank, MOST)
    ds = dcmread(BytesIO(blank))
    assert recognize(ds).regions == ("chest",)
    assert not ds.pixel_array.any()
