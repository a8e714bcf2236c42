from __future__ import annotations

import json
from pathlib import Path

from tests.fakes import Answer, Call, FakeRunner
from tests.values import make_config, make_host
from wheelkiln.build.hosts import find_hosts, host_facts

HOSTS = {
    "hosts": {
        "graviton": {"docker": "ssh://ci@graviton", "arch": ["aarch64"], "slots": 2, "certificates": ""},
        "attic": {"docker": "tcp://u:secret@attic:2376", "arch": ["x86_64", "aarch64"], "certificates": "~/certs"},
        "cellar": {"docker": "cellar", "arch": ["x86_64"]},
    }
}


def answer(call: Call) -> Answer:
    assert call.env is not None
    if call.env.get("DOCKER_HOST") == "ssh://ci@graviton":
        return Answer(json.dumps({"Architecture": "aarch64", "NCPU": 64}))
    if call.env.get("DOCKER_CERT_PATH") == "/home/dev/certs":
        return Answer(json.dumps({"Architecture": "x86_64", "NCPU": 8}))
    return Answer(stderr="Cannot connect to the Docker daemon", returncode=1)


def make_runner() -> FakeRunner:
    version = Answer(json.dumps({"Server": {"Version": "26.1"}}))
    return FakeRunner(
        {
            "docker version": version,
            "docker buildx version": Answer(),
            "docker info --format '{{json .SecurityOptions}}'": Answer("[]"),
            "docker info --format '{{json .}}'": answer,
        }
    )


def test_hosts_that_answer_are_workers_and_the_others_notices() -> None:
    hosts, notices = find_hosts(make_config(HOSTS), make_host(), make_runner, ["x86_64", "aarch64"])
    attic, graviton = hosts
    assert (attic.name, set(attic.worker.native), set(attic.worker.emulated)) == ("attic", {"x86_64"}, {"aarch64"})
    assert (set(graviton.worker.native), graviton.worker.cores, graviton.worker.slots) == ({"aarch64"}, 64, 2)
    assert (graviton.engine.elsewhere, graviton.engine.host) == (True, "graviton")
    (notice,) = notices
    assert notice.message == "the host cellar (cellar) does not answer: Cannot connect to the Docker daemon"
    assert "docker --context cellar version" in notice.hint


def test_only_those_are_asked_whose_architectures_are_built() -> None:
    hosts, notices = find_hosts(make_config(HOSTS), make_host(), make_runner, ["aarch64"])
    assert [host.name for host in hosts] == ["attic", "graviton"]
    assert notices == ()
    assert find_hosts(make_config(), make_host(), make_runner, ["x86_64"]) == ((), ())


def test_an_addresss_secrets_are_not_shown() -> None:
    config = make_config({"hosts": {"attic": {"docker": "tcp://u:secret@attic:1", "arch": ["x86_64"]}}})
    _, (notice,) = find_hosts(config, make_host(), make_runner, ["x86_64"])
    assert "secret" not in f"{notice}"


def test_images_are_made_there_as_on_a_machine_of_its_own() -> None:
    (_, graviton), _ = find_hosts(make_config(HOSTS), make_host(), make_runner, ["aarch64"])
    facts = host_facts(make_host(ca_bundle=Path("/ca")), graviton)
    assert (facts.machine, facts.cpus, facts.emulated, facts.ca_bundle) == ("aarch64", 64, frozenset(), Path("/ca"))


def test_a_host_can_be_asked_again() -> None:
    (_, graviton), _ = find_hosts(make_config(HOSTS), make_host(), make_runner, ["aarch64"])
    assert graviton.connect() != graviton.engine, "with a runner of its own"
    assert graviton.connect().host == "graviton"
