# SPDX-License-Identifier: Apache-2.0
import http.client
import json
import socket
import threading
import time

import httpx
import numpy as np
import pytest

from inference.client import (
    InferenceRefusedError,
    InferenceTimeoutError,
    InferenceUnavailableError,
    _RelatedBody,
)
from inference.contract import ErrorAnswer, Outcome
from inference.phantoms.radiographs import no_radiograph, radiograph
from inference.service import Limits
from tests.inference.anatomy.body_files import body_files
from tests.inference.service.running_service import DEIDENTIFIED, chest_file, until


def raw(running, method: str, path: str, **options) -> httpx.Response:
    transport = httpx.HTTPTransport(uds=running.address.removeprefix("unix:"))
    with httpx.Client(transport=transport, base_url="http://service", timeout=20) as client:
        return client.request(method, path, **options)


def code_of(response: httpx.Response) -> str:
    return ErrorAnswer.model_validate_json(response.content).code


def test_anatomy_is_answered_while_models_are_still_being_loaded(serve):
    running = serve(loaded=False)
    with running.client() as client:
        assert client.health().status == "starting"
        header = DEIDENTIFIED | {"00180015": {"vr": "CS", "Value": ["HEAD"]}}
        assert client.recognize_anatomy(header).regions == ("head",)
        with pytest.raises(InferenceUnavailableError, match="starting") as refusal:
            client.models()
        assert refusal.value.retry_after == 1
        with pytest.raises(InferenceUnavailableError, match="starting"):
            client.analyse("fake", [b"x"])
        running.loading.set()
        until(lambda: client.health().status == "ok")


def test_health_names_what_is_served_and_why_other_bundles_are_not(serve):
    health = serve().client().health()
    assert health.models == ("fake",)
    assert health.rejected == {"broken": "weights are damaged"}


def test_models_are_described(serve):
    assert [model.name for model in serve().client().models()] == ["fake"]


def test_instances_reach_the_model_byte_for_byte(serve, deidentified_file):
    running = serve()
    other = chest_file(InstanceNumber="2")
    answer = running.client().analyse("fake", [deidentified_file, other])
    assert answer.outcome is Outcome.NO_FINDINGS
    assert running.model.seen == [[deidentified_file, other]]


def test_nothing_that_is_not_deidentified_reaches_a_model(serve, deidentified_file):
    running = serve()
    for instances in ([chest_file(removed="NO")], [deidentified_file, chest_file(removed=None)]):
        with pytest.raises(InferenceRefusedError) as refusal:
            running.client().analyse("fake", instances)
        assert refusal.value.code == "not-deidentified"
    with pytest.raises(InferenceRefusedError) as refusal:
        running.client().recognize_anatomy({"00180015": {"vr": "CS", "Value": ["HEAD"]}})
    assert refusal.value.code == "not-deidentified"
    assert running.model.seen == []


def named(description: str) -> dict:
    return DEIDENTIFIED | {
        "00080060": {"vr": "CS", "Value": ["MR"]},
        "0008103E": {"vr": "LO", "Value": [description]},
    }


def test_the_series_of_a_study_are_answered_together_in_their_order(serve):
    headers = [named(name) for name in ("localizer", "pd_tse_fs_sag", "pd_tse_fs_cor")]
    client = serve().client()
    answers = client.recognize_study(headers)
    assert [answer.regions for answer in answers] == [("lower limb",)] * 3
    assert client.recognize_anatomy(headers[0]).regions == ()
    (model,) = {answer.model for answer in answers}
    alone = client.recognize_anatomy(headers[0]).model
    assert model.startswith(f"{alone}, anatomy-study shipped-")
    assert client.recognize_study([headers[0]])[0].model == alone


def test_one_identified_header_and_no_series_of_its_study_is_answered(serve):
    with pytest.raises(InferenceRefusedError) as refusal:
        serve().client().recognize_study(
            [named("localizer"), {"0008103E": {"vr": "LO", "Value": ["pd_tse_fs_sag"]}}]
        )
    assert refusal.value.code == "not-deidentified"


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"[1]", b"[" * 100_000, b"[{}, 3]"])
def test_a_study_that_is_no_array_of_headers_is_a_bad_request(serve, body):
    response = raw(serve(), "POST", "/v1/anatomy/study", content=body)
    assert (response.status_code, code_of(response)) == (400, "malformed-study")


def test_a_study_of_too_many_series_is_a_bad_request(serve):
    body = json.dumps([{}] * 257)
    response = raw(serve(), "POST", "/v1/anatomy/study", content=body)
    assert (response.status_code, code_of(response)) == (400, "malformed-study")


def test_the_pixels_of_a_series_are_answered_and_of_an_identified_one_refused(serve):
    client = serve().client()
    answer = client.recognize_pixels(body_files("chest"))
    assert answer.regions == ("chest",)
    assert client.recognize_pixels(body_files("chest")[:1]).abstains
    with pytest.raises(InferenceRefusedError) as refusal:
        client.recognize_pixels(body_files("chest", PatientIdentityRemoved="NO"))
    assert refusal.value.code == "not-deidentified"


def one_radiograph(picture: np.ndarray, **attributes: str) -> bytes:
    pixels = np.rint(picture * 4000).astype("<u2").tobytes()
    values = {"Modality": "DX", "Rows": 64, "Columns": 64, "PixelData": pixels} | attributes
    return body_files("chest", **values)[0]


@pytest.mark.parametrize("modality", ["CR", "DX"])
def test_one_radiograph_is_answered_over_http_as_one_image(serve, modality):
    picture = radiograph("upper limb", 3)
    answer = serve().client().recognize_pixels([one_radiograph(picture, Modality=modality)])
    assert (answer.regions, answer.slices, answer.wants_more) == (("upper limb",), 1, False)
    assert answer.confidence >= 0.75


def test_over_http_a_single_image_of_no_region_is_abstained_from_with_the_reason(serve):
    client = serve().client()
    for picture in (np.zeros((64, 64)), no_radiograph(2)):
        answer = client.recognize_pixels([one_radiograph(picture)])
        assert answer.abstains
        assert answer.reason


def test_a_radiograph_with_identity_or_in_a_broken_body_is_refused(serve):
    running = serve()
    identified = one_radiograph(radiograph("chest", 3), PatientIdentityRemoved="NO")
    with pytest.raises(InferenceRefusedError) as refusal:
        running.client().recognize_pixels([identified])
    assert refusal.value.code == "not-deidentified"
    kind = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
    response = raw(running, "POST", "/v1/anatomy/pixels", content=b"no part", headers=kind)
    assert (response.status_code, code_of(response)) == (400, "malformed-multipart")
    assert raw(running, "GET", "/v1/anatomy/pixels").status_code == 405


def test_an_unknown_model_is_not_found(serve, deidentified_file):
    with pytest.raises(InferenceRefusedError) as refusal:
        serve().client().analyse("other", [deidentified_file])
    assert refusal.value.code == "unknown-model"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "unknown-route"),
        ("GET", "/v1/analyses/fake", 405, "method-not-allowed"),
        ("POST", "/v1/health", 405, "method-not-allowed"),
    ],
)
def test_what_is_no_route_is_answered_in_the_form_of_all_errors(serve, method, path, status, code):
    response = raw(serve(), method, path)
    assert (response.status_code, code_of(response)) == (status, code)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"3", b'"x"', b"[1, 2]", b"[" * 100_000, b"\xff\xfe"]
)
def test_a_header_that_is_no_dicom_json_is_a_bad_request(serve, body):
    response = raw(serve(), "POST", "/v1/anatomy", content=body)
    assert (response.status_code, code_of(response)) == (400, "malformed-header")


def test_dicom_json_may_be_an_array_of_one(serve):
    response = raw(serve(), "POST", "/v1/anatomy", content=json.dumps([DEIDENTIFIED]))
    assert response.status_code == 200


def test_a_body_of_another_type_is_refused(serve):
    response = raw(serve(), "POST", "/v1/analyses/fake", content=b"DICM")
    assert (response.status_code, code_of(response)) == (415, "unsupported-media-type")


def test_a_malformed_body_is_refused(serve):
    kind = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
    response = raw(serve(), "POST", "/v1/analyses/fake", content=b"--x", headers=kind)
    assert (response.status_code, code_of(response)) == (400, "malformed-multipart")


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_over_the_limit_is_refused_announced_or_not(serve, announced):
    running = serve(limits=Limits(body_bytes=10_000))
    body = _RelatedBody([bytes(200_000)])
    headers = {"Content-Type": body.content_type}
    if announced:
        headers["Content-Length"] = str(body.length)
    response = raw(running, "POST", "/v1/analyses/fake", content=iter(body), headers=headers)
    assert (response.status_code, code_of(response)) == (413, "too-large")
    assert running.model.seen == []


def test_a_header_over_a_mebibyte_is_refused(serve):
    response = raw(serve(), "POST", "/v1/anatomy", content=b" " * ((1 << 20) + 1))
    assert (response.status_code, code_of(response)) == (413, "too-large")


def test_a_sender_that_stops_halfway_loses_its_place(serve):
    running = serve(limits=Limits(receive_seconds=0.2))
    connection = http.client.HTTPConnection("service", timeout=10)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(running.address.removeprefix("unix:"))
    connection.putrequest("POST", "/v1/analyses/fake")
    body = _RelatedBody([bytes(100)])
    connection.putheader("Content-Type", body.content_type)
    connection.putheader("Content-Length", str(body.length))
    connection.endheaders(b"\r\n--")
    response = connection.getresponse()
    assert response.status == 408
    assert json.loads(response.read())["code"] == "receive-timeout"
    connection.close()


def test_one_forward_pass_runs_at_a_time_and_over_the_queue_requests_are_sent_away(
    serve, deidentified_file
):
    running = serve(limits=Limits(queue=2))
    running.model.held.clear()
    outcomes: list[object] = []

    def ask() -> None:
        try:
            outcomes.append(running.client().analyse("fake", [deidentified_file]).outcome)
        except InferenceUnavailableError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    until(lambda: len(outcomes) == 3)
    assert all(isinstance(outcome, InferenceUnavailableError) for outcome in outcomes)
    assert {outcome.retry_after for outcome in outcomes} == {1.0}
    assert all("busy" in str(outcome) for outcome in outcomes)
    assert running.client().health().status == "ok"
    running.model.held.set()
    for thread in threads:
        thread.join(20)
    assert outcomes.count(Outcome.NO_FINDINGS) == 3
    assert running.model.most == 1
    assert running.client().analyse("fake", [deidentified_file]).outcome is Outcome.NO_FINDINGS


def test_a_request_whose_sender_left_while_it_waited_is_not_run(serve, deidentified_file):
    running = serve()
    running.model.held.clear()
    first = threading.Thread(
        target=lambda: running.client().analyse("fake", [deidentified_file]), daemon=True
    )
    first.start()
    until(lambda: running.model.running == 1)
    with pytest.raises(InferenceTimeoutError):
        running.client(timeout=0.3).analyse("fake", [deidentified_file])
    time.sleep(0.1)
    running.model.held.set()
    first.join(20)
    assert running.client().analyse("fake", [deidentified_file]).outcome is Outcome.NO_FINDINGS
    assert len(running.model.seen) == 2


def test_a_model_that_fails_is_an_internal_error_without_its_message(serve, deidentified_file):
    running = serve()
    running.model.error = RuntimeError("PatientName was Doe")
    with pytest.raises(InferenceUnavailableError, match="internal") as refusal:
        running.client().analyse("fake", [deidentified_file])
    assert "Doe" not in str(refusal.value)
    running.model.error = None
    assert running.client().analyse("fake", [deidentified_file]).outcome is Outcome.NO_FINDINGS


def test_a_service_with_a_token_answers_nobody_without_it(serve):
    running = serve(token="s3cret", loaded=False)
    for given in ({}, {"Authorization": "Bearer other"}, {"Authorization": "s3cret"}):
        response = raw(running, "GET", "/v1/health", headers=given)
        assert (response.status_code, code_of(response)) == (401, "unauthorized")
    allowed = raw(running, "GET", "/v1/health", headers={"Authorization": "Bearer s3cret"})
    assert allowed.status_code == 200
