# SPDX-License-Identifier: Apache-2.0
"""Images and compose file: linted, and the walls between the zones where they should be."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

DOCKER = Path(__file__).resolve().parents[2] / "docker"
SCRIPTS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
    return read


def sources(service: dict[str, Any]) -> set[str]:
    return {volume.split(":")[0] for volume in service["volumes"]}


@pytest.mark.parametrize("name", ["orthanc.Dockerfile", "inference.Dockerfile"])
def test_the_dockerfiles_pass_the_linter(name: str) -> None:
    done = subprocess.run(
        [SCRIPTS / "hadolint", str(DOCKER / name)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_install_script_passes_the_linter() -> None:
    done = subprocess.run(
        [SCRIPTS / "shellcheck", str(DOCKER / "install.sh")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_docker_itself_accepts_the_compose_file() -> None:
    docker = shutil.which("docker")
    version = [docker, "compose", "version"]
    if docker is None or subprocess.run(version, capture_output=True, check=False).returncode != 0:
        pytest.skip("docker compose is not installed")
    subprocess.run(
        [docker, "compose", "-f", str(DOCKER / "compose.yaml"), "config", "-q"], check=True
    )


def test_each_zone_has_a_container_and_a_network_of_its_own(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"orthanc", "inference"}
    assert set(compose["networks"]) == {"phi", "deidentified"}
    assert set(compose["volumes"]) == {"orthanc-data", "gate"}
    orthanc, inference = compose["services"]["orthanc"], compose["services"]["inference"]
    assert not set(orthanc["networks"]) & set(inference["networks"])


def test_the_models_see_no_phi_and_have_no_way_out(compose: dict[str, Any]) -> None:
    inference = compose["services"]["inference"]
    assert sources(inference) == {"gate"}
    assert "ports" not in inference
    assert "environment" not in inference
    assert compose["networks"]["deidentified"]["internal"] is True


def test_only_the_hosts_loopback_is_published(compose: dict[str, Any]) -> None:
    assert all(port.startswith("127.0.0.1:") for port in compose["services"]["orthanc"]["ports"])


def test_orthanc_sends_without_nagles_delay(compose: dict[str, Any]) -> None:
    assert compose["services"]["orthanc"]["environment"]["TCP_NODELAY"] == "1"
    drop_in = DOCKER / "systemd" / "orthanc.service.d" / "sidelight.conf"
    assert "Environment=TCP_NODELAY=1" in drop_in.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["orthanc.Dockerfile", "inference.Dockerfile"])
def test_images_install_by_the_tested_script_and_run_without_root(name: str) -> None:
    lines = (DOCKER / name).read_text(encoding="utf-8").splitlines()
    assert any("docker/install.sh" in line for line in lines)
    assert any(line.startswith("HEALTHCHECK") for line in lines)
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1] not in ("root", "0")


def test_the_container_asks_for_a_password_and_uses_the_socket() -> None:
    whole = json.loads((DOCKER / "orthanc.container.json").read_text(encoding="utf-8"))
    assert whole["AuthenticationEnabled"] is True
    assert "RegisteredUsers" not in whole  # the admin's own, or nobody
    assert whole["Sidelight"]["Inference"]["Url"].startswith("unix:")
