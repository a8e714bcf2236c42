from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.values import make_host
from wheelkiln.system.host import read_host


def test_the_environment_is_a_parameter() -> None:
    host = read_host({"HOME": "/somewhere", "X": "1"})
    assert host.home == Path("/somewhere")
    assert host.environ == {"HOME": "/somewhere", "X": "1"}


def test_facts_of_this_machine() -> None:
    host = read_host({})
    assert (host.uid, host.gid, host.cwd) == (os.getuid(), os.getgid(), Path.cwd())
    assert host.machine == os.uname().machine
    assert 1 <= host.cpus <= (os.cpu_count() or 1)


@pytest.mark.parametrize("name", ["PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_variable_names_the_certificates(tmp_path: Path, name: str) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    assert read_host({name: str(bundle)}).ca_bundle == bundle


def test_a_variable_that_names_nothing_is_passed_over(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    host = read_host({"PIP_CERT": str(tmp_path / "absent"), "SSL_CERT_FILE": str(bundle)})
    assert host.ca_bundle == bundle


@pytest.mark.parametrize("name", ["CI", "GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "TF_BUILD"])
def test_ci_is_known_by_its_variables(name: str) -> None:
    assert make_host(environ={name: "true"}).in_ci
    assert not make_host(environ={name: ""}).in_ci


def test_secrets_of_the_environment_are_not_in_the_representation() -> None:
    assert "hunter2" not in repr(make_host(environ={"TOKEN": "hunter2"}))
