# SPDX-License-Identifier: AGPL-3.0-or-later
"""The table of applications: what is allowed, and what is said of what is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from plugin.configuration import ConfigurationError, read
from plugin.configuration.application_table import read_applications
from plugin.configuration.tables import check_tables
from plugin.routing.commands import app
from tests.plugin.routing.tables import written

GOOD = """
[[application]]
name = "lung-follow-up"
[application.scan]
modalities = ["CT"]
regions = ["chest"]
minimum_slices = 40
orientation = "axial"
[application.needs]
priors = 2
[application.destination]
kind = "http"
url = "https://ai.example/studies"
form = "zip"

[[application]]
name = "chest-phantom"
scan = { modalities = ["CR", "DX"], regions = ["chest"], views = ["PA"] }
destination = { kind = "local", bundle = "chest-phantom" }

[[pull]]
name = "nightly"
modality = "PACS"
applications = ["lung-follow-up"]
"""


def one(scan: str = "", destination: str = "", needs: str = "") -> str:
    scan = scan or 'modalities = ["CT"], regions = ["chest"]'
    destination = destination or 'kind = "node", modality = "AI"'
    return (
        f'[[application]]\nname = "a"\nscan = {{ {scan} }}\n'
        f"needs = {{ {needs} }}\ndestination = {{ {destination} }}\n"
    )


LOCAL = 'kind = "local", bundle = "b"'
THERE = 'kind = "sidelight", bundle = "b", url = "https://b.example"'


def placed(*destinations: str) -> str:
    tables = [one(destination=each) for each in destinations]
    return "".join(text.replace('"a"', f'"a{at}"') for at, text in enumerate(tables))


def test_a_bundle_may_be_named_twice_at_one_place(tmp_path: Path) -> None:
    text = placed(THERE, THERE, LOCAL.replace('"b"', '"c"'), LOCAL.replace('"b"', '"c"'))
    assert len(read_applications(written(tmp_path, text)).applications) == 4


def test_a_modality_that_dicom_does_not_define_is_allowed_and_warned_of(tmp_path: Path) -> None:
    text = one('modalities = ["CTT", "CT"], regions = ["chest"]')
    result = CliRunner().invoke(app, ["check", written(tmp_path, text)])
    assert result.exit_code == 0
    assert "warning: application a: scan.modalities has CTT" in result.stderr
    assert "warning" not in CliRunner().invoke(app, ["check", written(tmp_path, GOOD)]).stderr


def test_the_command_says_that_equal_hours_mean_always(tmp_path: Path) -> None:
    text = GOOD + "from_hour = 7\nuntil_hour = 7\n"
    assert "at all hours" in CliRunner().invoke(app, ["check", written(tmp_path, text)]).stdout


def test_without_a_table_there_is_no_application() -> None:
    assert read_applications().applications == ()
    assert not read_applications().needs_a_process
    assert read_applications().digest() == ""


def test_the_command_says_what_a_table_means(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["check", written(tmp_path, GOOD)])
    assert result.exit_code == 0
    for words in ("lung-follow-up", "local", "nightly", "de-identified"):
        assert words in result.stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (one('modalities = ["CT"], regions = ["lung"]'), ["scan.regions.0 = 'lung'", "'chest'"]),
        (one('modalities = ["CT"], regions = ["chest"], slices = 2'),
         ["scan.slices: there is no such key; allowed: modalities", "minimum_slices"]),
        (one('modalities = ["CT"], regions = ["chest"], contrast = "yes"'),
         ["scan.contrast = 'yes'", "'without'"]),
        (one(destination='kind = "node"'), ["destination.modality: field required"]),
        (one(destination='kind = "node", modality = "A", port = 1'),
         ["destination.port: there is no such key; allowed: kind, modality, zone"]),
        (one(destination='kind = "ftp"'), ["'ftp'", "'dicomweb', 'http'"]),
        (one(destination='kind = "http", url = "http://ai.example/x"'),
         ["url = 'http://ai.example/x'", "loopback only", "https://"]),
        (one(destination='kind = "http", url = "https://me:word@ai.example"'),
         ["url = ***", "authorization_file"]),
        (one(destination='kind = "http", url = "https://ai.example:99999"'),
         ["url = 'https://ai.example:99999'", "a port is a number from 1 to 65535"]),
        (one(destination='kind = "http", url = "https://ai.example/?key=word"'),
         ["url = 'https://ai.example/?***'", "scheme, host, port and path"]),
        (one(destination='kind = "dicomweb", server = "x"'), ['zone = "phi" only']),
        (one(destination='kind = "dicomweb"'), ["exactly one of server and url"]),
        (one(destination='kind = "local", bundle = "b"', needs="priors = 1"),
         ["needs.priors = 1", "allowed: 0"]),
        (one(destination='kind = "sidelight", bundle = "b", url = "http://127.0.0.1", '
             'token_file = "/t"'), ["a token needs https"]),
        (one(needs="priors = 21"), ["needs.priors = 21", "less than or equal to 20"]),
        (one() + one(), ["two applications have the name a"]),
        (placed(LOCAL, THERE), ["applications a0 and a1", "'b' at local and sidelight https://b.ex"]),
        (placed(THERE, LOCAL), ["'b' at sidelight https://b.example and local", "one place"]),
        (placed(THERE, THERE.replace("b.ex", "c.ex")), ["https://b.example and", "https://c.ex"]),
        (placed(THERE, THERE + ", timeout_seconds = 5"), ["same destination, key by key"]),
        (one() + '[[pull]]\nname = "p"\nmodality = "X"\napplications = ["b"]',
         ["pull p: applications = 'b'", "allowed: a"]),
        (one() + '[[pull]]\nname = "p"', ["pull p: give exactly one of modality and server"]),
        (one() + '[[pull]]\nname = "p"\nserver = "s"\ntarget = "A"', ["with modality only"]),
        ("[[application]", ["is no TOML"]),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_key_its_value_and_what_is_allowed(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigurationError) as raised:
        check_tables(read({"Applications": {"Table": path}}))
    result = CliRunner().invoke(app, ["check", path])
    assert (result.exit_code, result.stderr.strip()) == (1, str(raised.value))
    for word in ["applications.toml", *words]:
        assert word in str(raised.value)
    assert "word@" not in str(raised.value)


def test_a_file_with_a_secret_that_is_missing_is_named_before_anything_starts(
    tmp_path: Path,
) -> None:
    text = 'kind = "http", url = "https://ai.example", authorization_file = "/none/secret"'
    path = written(tmp_path, one(destination=text))
    with pytest.raises(ConfigurationError, match="/none/secret: can't be read"):
        check_tables(read({"Applications": {"Table": path}}))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "[::1]", "localhost"])
def test_loopback_needs_no_tls(tmp_path: Path, host: str) -> None:
    text = one(destination=f'kind = "http", url = "http://{host}:8080/in"')
    assert read_applications(written(tmp_path, text)).handovers


@pytest.mark.parametrize("host", ["127.0.0.1.example", "0.0.0.0", "10.0.0.1", "localhost.example"])
def test_what_only_looks_like_loopback_needs_tls(tmp_path: Path, host: str) -> None:
    text = one(destination=f'kind = "http", url = "http://{host}/in"')
    with pytest.raises(ConfigurationError, match="loopback only"):
        read_applications(written(tmp_path, text))
