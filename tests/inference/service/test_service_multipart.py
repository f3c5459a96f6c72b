# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.client import _RelatedBody
from inference.serving.errors import ServiceError
from inference.serving.multipart import PartReader, boundary_of

HEAD = b"--frontier\r\nContent-Type: application/dicom\r\n\r\n"
END = b"\r\n--frontier--\r\n"


def read(body: bytes, size: int = 1 << 16, boundary: str = "frontier") -> list[bytes]:
    reader = PartReader(boundary)
    parts = []
    for start in range(0, len(body), size):
        parts += reader.feed(body[start : start + size])
    reader.close()
    return parts


# Much of what could be mistaken for a delimiter.
CONTENT = st.lists(
    st.sampled_from(
        [b"\r\n", b"--", b"\r\n--frontier", b"frontier", b"\0", b"\r", b"x", b"\r\n--f"]
    ),
    max_size=8,
).map(b"".join)


@given(st.lists(st.binary(max_size=300) | CONTENT, min_size=1, max_size=4), st.integers(1, 64))
def test_parts_arrive_as_they_were_sent_however_they_are_cut(parts, size):
    body = _RelatedBody(parts)
    sent = b"".join(body)
    assert len(sent) == body.length
    assert read(sent, size, boundary_of(body.content_type)) == parts


@given(CONTENT.filter(lambda content: b"\r\n--frontier" not in content), st.integers(1, 9))
def test_content_that_resembles_the_delimiter_stays_content(content, size):
    assert read(HEAD + content + END, size) == [content]


def test_the_boundary_as_the_beginning_of_a_longer_word_is_content():
    content = b"a\r\n--frontiersman\r\nb"
    assert read(HEAD + content + END, 5) == [content]


def test_preamble_epilogue_padding_and_further_headers_are_allowed():
    body = (
        b"to be ignored\r\n--frontier \t\r\nContent-Location: x\r\ncontent-type: Application/DICOM;"
        b"transfer-syntax=1.2.840.10008.1.2.1\r\n\r\nDICM" + END + b"more"
    )
    assert read(body, 7) == [b"DICM"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed-multipart"),
        (HEAD + b"unfinished", "malformed-multipart"),
        (HEAD + b"unfinished\r\n--frontier", "malformed-multipart"),
        (b"no boundary at all" * 2000, "malformed-multipart"),
        (b"--frontier\r\n\r\nDICM" + END, "malformed-multipart"),
        (b"--frontier x\r\n" + HEAD, "malformed-multipart"),
        (b"--frontier\r\nX: " + b"y" * 20000, "malformed-multipart"),
        (b"--frontier--\r\n", "no-instances"),
        (b"--frontier\r\nContent-Type: text/html\r\n\r\nx" + END, "unsupported-media-type"),
    ],
)
@pytest.mark.parametrize("size", [3, 1 << 16])
def test_a_body_that_breaks_the_rules_is_refused_with_a_stable_code(body, code, size):
    with pytest.raises(ServiceError) as refusal:
        read(body, size)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("content_type", "code"),
    [
        ("", "unsupported-media-type"),
        ("application/dicom", "unsupported-media-type"),
        ("multipart/form-data; boundary=x", "unsupported-media-type"),
        ('multipart/related; type="text/html"; boundary=x', "unsupported-media-type"),
        ('multipart/related; type="application/dicom"', "malformed-multipart"),
        ("multipart/related; boundary=" + "x" * 71, "malformed-multipart"),
        ('multipart/related; boundary="é"', "malformed-multipart"),
    ],
)
def test_a_content_type_that_is_not_dicom_in_parts_is_refused(content_type, code):
    with pytest.raises(ServiceError) as refusal:
        boundary_of(content_type)
    assert refusal.value.code == code


def test_a_quoted_boundary_with_signs_is_understood():
    kind = 'Multipart/Related; type="application/dicom"; boundary="gc0p4Jq0M:2Yt08j34c0p?"'
    assert boundary_of(kind) == "gc0p4Jq0M:2Yt08j34c0p?"
