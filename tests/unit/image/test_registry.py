from __future__ import annotations

import json

import pytest

from tests.fakes import Answer, Call, FakeRunner, Script
from tests.unit.image.values import DIGEST, FakeStore
from tests.values import make_engine
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.registry import Answer as Found
from wheelkiln.image.registry import Registry, explain_registry
from wheelkiln.system.engine import EngineName

_LISTED = "ghcr.io/acme/kiln/manylinux_2_28:0123456789abcdef"
_LOCAL = "localhost/wheelkiln/manylinux_2_28_aarch64:0123456789abcdef"
_NAMES = {arch: f"localhost/wheelkiln/x_{arch}:1" for arch in ("x86_64", "aarch64")}
_ATTESTATION = {
    "vnd.docker.reference.digest": "sha256:" + "a" * 64,
    "vnd.docker.reference.type": "attestation-manifest",
}


def _index() -> str:
    """An index as buildx pushes it: two images, and an attestation of each."""
    entries = [
        {"digest": "sha256:" + "a" * 64, "platform": {"architecture": "amd64", "os": "linux"}},
        {"digest": DIGEST, "platform": {"architecture": "arm64", "os": "linux"}},
        {
            "digest": "sha256:" + "d" * 64,
            "platform": {"architecture": "unknown", "os": "unknown"},
            "annotations": _ATTESTATION,
        },
    ]
    return json.dumps({"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries})


def _podman(runner: FakeRunner) -> Registry:
    return Registry(make_engine(runner, name=EngineName.PODMAN))


class FakeRegistry(FakeStore):
    """Keeps what is pushed, and the lists that are put together of it."""

    def __init__(self, refuses: str = "nothing") -> None:
        super().__init__({name: {} for name in _NAMES.values()})
        self.refuses, self.pushed, self.lists = refuses, list[str](), dict[str, list[str]]()

    def script(self, engine: str = "docker") -> dict[str, Script]:
        return {
            **super().script(engine),
            f"{engine} push --quiet": self.push,
            f"{engine} buildx imagetools create --tag": self.create,
        }

    def push(self, call: Call) -> Answer:
        name = call.argv[-1]
        if self.refuses in name:
            return Answer(returncode=1, stderr="denied: permission_denied: write_package\n")
        assert name in self.images
        self.pushed.append(name)
        return Answer(f"{name}\n")

    def create(self, call: Call) -> Answer:
        assert set(call.argv[6:]) <= set(self.pushed)
        self.lists[call.argv[5]] = list(call.argv[6:])
        return Answer()


def test_the_one_image_of_a_list_that_is_for_the_architecture_is_pulled_and_named() -> None:
    store = FakeStore()
    by_digest = f"ghcr.io/acme/kiln/manylinux_2_28@{DIGEST}"

    def pull(call: Call) -> Answer:
        store.images[call.argv[-1]] = {}
        return Answer(f"{call.argv[-1]}\n")

    script = {**store.script(), "docker buildx imagetools inspect --raw": Answer(_index()), "docker pull": pull}
    runner = FakeRunner(script)
    assert Registry(make_engine(runner)).pull(_LISTED, "aarch64", _LOCAL) == (Found.PULLED, "")
    assert runner.lines == [
        f"docker buildx imagetools inspect --raw {_LISTED}",
        f"docker pull --quiet --platform=linux/arm64 {by_digest}",
        f"docker tag {by_digest} {_LOCAL}",
        f"docker rmi {by_digest}",
    ]
    assert set(store.images) == {_LOCAL}


def test_a_single_image_is_pulled_by_its_name() -> None:
    manifest = json.dumps({"mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []})
    script: dict[str, Script] = {**FakeStore().script(), "docker buildx": Answer(manifest), "docker pull": Answer()}
    runner = FakeRunner(script)
    assert Registry(make_engine(runner)).pull(_LISTED, "x86_64", _LOCAL)[0] is Found.PULLED
    assert f"docker pull --quiet --platform=linux/amd64 {_LISTED}" in runner.lines


def test_a_list_without_the_architecture_is_an_answer() -> None:
    index = json.dumps({"manifests": json.loads(_index())["manifests"][:1]})
    runner = FakeRunner({"docker buildx imagetools": Answer(index)})
    assert Registry(make_engine(runner)).pull(_LISTED, "aarch64", _LOCAL) == (
        Found.ABSENT,
        f"{_LISTED} has no image for aarch64",
    )


@pytest.mark.parametrize(
    ("printed", "answer"),
    [
        (f"ERROR: {_LISTED}: not found", Found.ABSENT),
        (
            f"ERROR: unexpected status from HEAD request to https://{_LISTED}: 404 Not Found",
            Found.ABSENT,
        ),
        (
            "ERROR: failed to authorize: failed to fetch anonymous token: unexpected status from GET request to "
            "https://ghcr.io/token?scope=repository%3Aacme%2Fkiln%3Apull&service=ghcr.io: 403 Forbidden",
            Found.NO_ANSWER,
        ),
        (
            "ERROR: pull access denied, repository does not exist or may require authorization: server message: "
            "insufficient_scope: authorization failed",
            Found.NO_ANSWER,
        ),
        (
            'ERROR: failed to do request: Head "https://ghcr.io/v2/acme/kiln/manifests/1": dial tcp: lookup ghcr.io '
            "on 127.0.0.53:53: no such host",
            Found.NO_ANSWER,
        ),
        (
            'ERROR: error getting credentials - err: exec: "docker-credential-desktop": executable file not found in '
            "$PATH, out: ``",
            Found.NO_ANSWER,
        ),
        (
            'ERROR: failed to do request: Head "https://h/v2/": tls: failed to verify certificate: x509: certificate '
            "signed by unknown authority",
            Found.NO_ANSWER,
        ),
    ],
)
def test_docker_absent_is_told_from_denied_and_unreachable(printed: str, answer: Found) -> None:
    runner = FakeRunner({"docker buildx imagetools": Answer(returncode=1, stderr=f"{printed}\n")})
    assert Registry(make_engine(runner)).pull(_LISTED, "x86_64", _LOCAL) == (answer, printed)
    assert len(runner.calls) == 1


@pytest.mark.parametrize(
    ("reason", "answer"),
    [
        ("error pulling image configuration: download failed after attempts=6: unexpected EOF", Found.NO_ANSWER),
        (
            "Error response from daemon: pull access denied for acme/kiln, repository does not exist or may require "
            "'docker login': denied: requested access to the resource is denied",
            Found.NO_ANSWER,
        ),
        (f"Error response from daemon: manifest for {_LISTED} not found: manifest unknown", Found.ABSENT),
    ],
)
def test_a_pull_that_fails_is_told_from_one_of_what_is_not_there(reason: str, answer: Found) -> None:
    script: dict[str, Script] = {
        "docker buildx imagetools": Answer(_index()),
        "docker pull": Answer(returncode=1, stderr=reason),
    }
    assert Registry(make_engine(FakeRunner(script))).pull(_LISTED, "x86_64", _LOCAL) == (answer, reason)


def test_a_registry_that_takes_too_long_is_no_answer() -> None:
    reason = "'docker' did not answer within 30 seconds"
    runner = FakeRunner({"docker buildx imagetools": EnvironmentProblem(reason)})
    assert Registry(make_engine(runner)).pull(_LISTED, "x86_64", _LOCAL) == (Found.NO_ANSWER, reason)


def test_podman_pulls_by_platform() -> None:
    store = FakeStore({_LISTED: {}})
    runner = FakeRunner({**store.script("podman"), "podman pull": Answer("0123\n")})
    assert _podman(runner).pull(_LISTED, "aarch64", _LOCAL) == (Found.PULLED, "")
    assert runner.lines[0] == f"podman pull --quiet --platform=linux/arm64 {_LISTED}"
    assert set(store.images) == {_LOCAL}


@pytest.mark.parametrize(
    ("printed", "answer"),
    [
        (
            f"initializing source docker://{_LISTED}: reading manifest 1 in ghcr.io/acme/kiln: manifest unknown",
            "absent",
        ),
        (
            f"initializing source docker://{_LISTED}: reading manifest 1 in ghcr.io/acme/kiln: name unknown: "
            "repository name not known to registry",
            "absent",
        ),
        (
            f"choosing an image from manifest list docker://{_LISTED}: no image found in image index for architecture "
            '"arm64", variant "v8", OS "linux"',
            "absent",
        ),
        (
            f"choosing an image from manifest list docker://{_LISTED}: no image found in manifest list for "
            'architecture "arm64", variant "v8", OS "linux"',
            "absent",
        ),
        (
            f"initializing source docker://{_LISTED}: reading manifest 1 in ghcr.io/acme/kiln: denied: requested "
            "access to the resource is denied",
            "no answer",
        ),
        (
            f"initializing source docker://{_LISTED}: unable to retrieve auth token: invalid username/password: "
            "unauthorized: authentication required",
            "no answer",
        ),
        (
            f"initializing source docker://{_LISTED}: pinging container registry ghcr.io: "
            'Get "https://ghcr.io/v2/": dial tcp [::1]:443: connect: connection refused',
            "no answer",
        ),
    ],
)
def test_podman_absent_is_told_from_denied_and_unreachable(printed: str, answer: str) -> None:
    retried = 'time="2026-07-01T10:00:00Z" level=warning msg="Failed, retrying in 1s ... (1/3). Error: not found"\n'
    runner = FakeRunner({"podman pull": Answer(returncode=125, stderr=f"{retried}Error: {printed}\n")})
    assert _podman(runner).pull(_LISTED, "aarch64", _LOCAL) == (answer, f"Error: {printed}")


def test_the_parts_are_pushed_first_and_the_list_last() -> None:
    registry = FakeRegistry()
    runner = FakeRunner(registry.script())
    Registry(make_engine(runner)).push(_LISTED, _NAMES)
    assert registry.lists == {_LISTED: [f"{_LISTED}-aarch64", f"{_LISTED}-x86_64"]}
    assert [line.split()[1] for line in runner.lines] == ["tag", "push", "rmi", "tag", "push", "rmi", "buildx"]
    assert set(registry.images) == set(_NAMES.values())


@pytest.mark.parametrize("refused", ["-aarch64", "-x86_64"])
def test_after_a_part_that_failed_no_list_is_made(refused: str) -> None:
    registry = FakeRegistry(refuses=refused)
    with pytest.raises(EnvironmentProblem, match=r"could not be pushed: denied: permission_denied") as caught:
        Registry(make_engine(FakeRunner(registry.script()))).push(_LISTED, _NAMES)
    assert registry.lists == {}
    assert "logged in" in caught.value.hint
    assert set(registry.images) == set(_NAMES.values())


def test_a_list_that_cannot_be_made_is_told() -> None:
    refusal = Answer(returncode=1, stderr="ERROR: failed to push: write tcp 10.0.0.1: broken pipe")
    script = {**FakeRegistry().script(), "docker buildx imagetools create --tag": refusal}
    with pytest.raises(EnvironmentProblem, match=f"^{_LISTED} could not be pushed") as caught:
        Registry(make_engine(FakeRunner(script))).push(_LISTED, _NAMES)
    assert "try again" in caught.value.hint


def test_podman_puts_the_list_together_and_pushes_all_of_it() -> None:
    runner = FakeRunner({"podman manifest": Answer()})
    _podman(runner).push(_LISTED, _NAMES)
    assert runner.lines == [
        f"podman manifest rm {_LISTED}-list",
        f"podman manifest create {_LISTED}-list",
        f"podman manifest add {_LISTED}-list containers-storage:{_NAMES['aarch64']}",
        f"podman manifest add {_LISTED}-list containers-storage:{_NAMES['x86_64']}",
        f"podman manifest push --all {_LISTED}-list docker://{_LISTED}",
        f"podman manifest rm {_LISTED}-list",
    ]


@pytest.mark.parametrize(
    ("failing", "message"),
    [("create", "could not put the manifest list together"), ("add", "could not put"), ("push", "could not be pushed")],
)
def test_podman_leaves_no_list_behind(failing: str, message: str) -> None:
    script: dict[str, Script] = {
        "podman manifest": Answer(),
        f"podman manifest {failing}": Answer(returncode=125, stderr="Error: no"),
    }
    runner = FakeRunner(script)
    with pytest.raises(EnvironmentProblem, match=f"{message}.*: Error: no"):
        _podman(runner).push(_LISTED, _NAMES)
    assert runner.lines[-1] == f"podman manifest rm {_LISTED}-list"
    assert ("push" in {call.argv[2] for call in runner.calls}) is (failing == "push")


def test_a_name_resolves_to_its_digest() -> None:
    runner = FakeRunner({"docker buildx imagetools inspect --format": Answer(f"{DIGEST}\n")})
    assert Registry(make_engine(runner)).resolves("debian:12") == DIGEST


@pytest.mark.parametrize(
    "answer",
    [Answer(returncode=1, stderr="ERROR: debian:12: not found"), Answer("nothing\n"), EnvironmentProblem("too long")],
)
def test_a_name_that_nobody_knows_resolves_to_nothing(answer: Answer | Exception) -> None:
    assert Registry(make_engine(FakeRunner({"docker buildx imagetools": answer}))).resolves("debian:12") == ""


def test_podman_is_not_asked_what_a_name_stands_for() -> None:
    assert _podman(FakeRunner()).resolves("debian:12") == ""


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("denied: requested access to the resource is denied", "logged in"),
        ("unauthorized: authentication required", "logged in"),
        ("received unexpected HTTP status: 503 Service Unavailable", "try again"),
        ("dial tcp 127.0.0.1:5000: connect: connection refused", "try again"),
        ("manifest invalid", ""),
    ],
)
def test_a_refusal_is_explained(text: str, hint: str) -> None:
    found = explain_registry(text)
    assert hint in found
    assert bool(hint) is bool(found)


def test_a_machine_that_pushes_its_own_architecture_leaves_the_others_in_the_list() -> None:
    inspect = {"docker buildx imagetools inspect --raw": Answer(_index()), "docker buildx imagetools create": Answer()}
    runner = FakeRunner(inspect)
    Registry(make_engine(runner)).join(_LISTED, ["x86_64"], ["aarch64"])
    there = f"ghcr.io/acme/kiln/manylinux_2_28@{DIGEST}"
    assert runner.lines[-1] == f"docker buildx imagetools create --tag {_LISTED} {_LISTED}-x86_64 {there}"


def test_a_list_that_is_not_there_yet_is_made_of_what_was_pushed() -> None:
    absent = Answer(returncode=1, stderr="ERROR: not found")
    runner = FakeRunner({"docker buildx imagetools inspect --raw": absent, "docker buildx imagetools create": Answer()})
    Registry(make_engine(runner)).join(_LISTED, ["x86_64"], ["aarch64"])
    assert runner.lines[-1] == f"docker buildx imagetools create --tag {_LISTED} {_LISTED}-x86_64"
