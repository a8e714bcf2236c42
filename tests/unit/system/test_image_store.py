from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes import Answer, Call, FakeRunner, Script
from tests.values import IMAGE_ID, make_engine
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.engine import EngineName
from wheelkiln.system.image_store import ImageStore, Layer, LocalImage

_DIGEST = "sha256:" + "c" * 64
_DOCKER = {
    "Id": IMAGE_ID,
    "RepoTags": ["localhost/wheelkiln/x:1"],
    "Created": "2026-07-01T10:00:00.5Z",
    "Architecture": "arm64",
    "Os": "linux",
    "Size": 1234,
    "Config": {"Env": ["PATH=/bin"], "Labels": {"io.wheelkiln.recipe": "abc"}},
}
_PODMAN = {
    "Id": "ab" * 32,
    "Digest": _DIGEST,
    "Created": "2026-07-01T10:00:00.5Z",
    "Architecture": "amd64",
    "Size": 1234,
    "Config": {"Env": ["PATH=/bin"]},
    "Labels": {"io.wheelkiln.recipe": "abc"},
}


def _store(script: dict[str, Script], name: str = "docker") -> tuple[ImageStore, FakeRunner]:
    runner = FakeRunner(script)
    return ImageStore(make_engine(runner, name=EngineName(name))), runner


def _save(index: object = None) -> dict[str, Script]:
    """An engine that saves an archive, which tar unpacks with that index in it."""

    def save(call: Call) -> Answer:
        Path(call.option("--output")).write_text("archive")
        return Answer()

    def unpack(call: Call) -> Answer:
        assert Path(call.option("-xf")).read_text() == "archive"
        if index is not None:
            (Path(call.option("-C")) / "index.json").write_text(json.dumps(index))
        return Answer()

    return {"docker save": save, "podman save": save, "tar -xf": unpack}


@pytest.mark.parametrize(("name", "table", "arch"), [("docker", _DOCKER, "aarch64"), ("podman", _PODMAN, "x86_64")])
def test_an_image_is_known_by_one_inspect(name: str, table: dict[str, object], arch: str) -> None:
    store, runner = _store({f"{name} image inspect": Answer(json.dumps([table]))}, name)
    assert store.find("localhost/wheelkiln/x:1") == LocalImage(
        reference="localhost/wheelkiln/x:1",
        id=str(table["Id"]),
        arch=arch,
        labels={"io.wheelkiln.recipe": "abc"},
        size=1234,
        created="2026-07-01T10:00:00.5Z",
    )
    assert runner.lines == [f"{name} image inspect localhost/wheelkiln/x:1"]


def test_an_image_without_labels_has_none() -> None:
    store, _ = _store({"docker image inspect": Answer(json.dumps([{**_DOCKER, "Config": {"Labels": None}}]))})
    image = store.find("x:1")
    assert image is not None
    assert image.labels == {}


@pytest.mark.parametrize(
    "answer",
    [
        Answer("[]\n", returncode=1, stderr="Error response from daemon: No such image: x:1"),
        Answer("[]\n"),
        Answer("not JSON"),
        Answer("{}"),
        Answer("[null]"),
    ],
)
def test_an_image_that_is_absent_is_none(answer: Answer) -> None:
    assert _store({"docker image inspect": answer})[0].find("x:1") is None


def test_dockers_history_has_a_line_for_each_step() -> None:
    lines = [
        {"CreatedBy": "RUN /bin/bash -c bash /mnt/wheelkiln/x.sh # buildkit", "Size": "1234", "ID": "<missing>"},
        {"CreatedBy": "/bin/sh -c #(nop) ADD file:1 in /", "Size": "5"},
        {"CreatedBy": "CMD", "Size": "0"},
    ]
    text = "\n".join(json.dumps(line) for line in lines)
    store, runner = _store({"docker history --no-trunc --human=false": Answer(text)})
    assert store.history("x:1") == (
        Layer("RUN /bin/bash -c bash /mnt/wheelkiln/x.sh # buildkit", 1234),
        Layer("/bin/sh -c #(nop) ADD file:1 in /", 5),
        Layer("CMD", 0),
    )
    assert runner.calls[0].argv[-1] == "x:1"


def test_podmans_history_is_one_list_with_sizes_as_numbers() -> None:
    listed = [{"id": "a", "CreatedBy": "/bin/bash -c x", "size": 1234}, {"CreatedBy": "/bin/sh", "size": 5}]
    store, _ = _store({"podman history": Answer(json.dumps(listed))}, "podman")
    assert store.history("x:1") == (Layer("/bin/bash -c x", 1234), Layer("/bin/sh", 5))


def test_an_image_that_is_gone_has_no_history() -> None:
    assert _store({"docker history": Answer(returncode=1, stderr="No such image")})[0].history("x:1") == ()


def test_images_are_found_by_label() -> None:
    text = "localhost/wheelkiln/b:2\nlocalhost/wheelkiln/a:1\n<none>:<none>\nlocalhost/wheelkiln/c:<none>\n"
    store, runner = _store({"docker image ls": Answer(text)})
    assert store.references("io.wheelkiln.recipe") == ("localhost/wheelkiln/a:1", "localhost/wheelkiln/b:2")
    assert runner.lines == [
        "docker image ls --filter label=io.wheelkiln.recipe --format '{{.Repository}}:{{.Tag}}'",
    ]


def test_an_engine_that_lists_nothing_has_nothing() -> None:
    assert _store({"docker image ls": Answer("x:1", returncode=1)})[0].references("a") == ()


@pytest.mark.parametrize(("name", "where"), [("docker", "--platform=linux/arm64"), ("podman", "--arch=arm64")])
def test_a_root_file_system_becomes_an_image_of_its_architecture(name: str, where: str) -> None:
    store, runner = _store({f"{name} import": Answer(IMAGE_ID)}, name)
    store.import_tarball(Path("/s/base.tar"), "x:1", platform="linux/arm64", changes=["ENV LANG=C.UTF-8"])
    assert runner.lines == [f"{name} import {where} --change 'ENV LANG=C.UTF-8' /s/base.tar x:1"]


def test_an_import_that_fails_has_its_reason() -> None:
    store, _ = _store({"docker import": Answer(returncode=1, stderr="no space left on device")})
    with pytest.raises(EnvironmentProblem, match="docker could not import the base image: no space left on device"):
        store.import_tarball(Path("/s/base.tar"), "x:1", platform="linux/amd64", changes=[])


@pytest.mark.parametrize(("name", "options"), [("docker", ""), ("podman", "--format=oci-archive ")])
def test_an_image_is_saved_as_a_layout(tmp_path: Path, name: str, options: str) -> None:
    store, runner = _store(_save({"manifests": [{"digest": _DIGEST}]}), name)
    assert store.save("x:1", tmp_path / "base") == _DIGEST
    assert runner.lines[0] == f"{name} save {options}--output {tmp_path}/base.tar x:1"
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


def test_a_docker_that_saves_no_layout_is_told(tmp_path: Path) -> None:
    store, _ = _store(_save())
    with pytest.raises(EnvironmentProblem, match="what it saves is no OCI layout") as caught:
        store.save("x:1", tmp_path / "base")
    assert "from 25 on" in caught.value.hint
    assert not (tmp_path / "base.tar").exists()


@pytest.mark.parametrize("failing", ["docker save", "tar -xf"])
def test_a_save_that_fails_has_its_reason(tmp_path: Path, failing: str) -> None:
    script = {**_save({"manifests": []}), failing: Answer(returncode=1, stderr="no space left on device")}
    with pytest.raises(EnvironmentProblem, match="could not save x:1 for the builder: no space left on device"):
        _store(script)[0].save("x:1", tmp_path / "base")


def test_another_name_is_given() -> None:
    store, runner = _store({"docker tag": Answer()})
    store.tag("x:1", "y:2")
    assert runner.lines == ["docker tag x:1 y:2"]


def test_an_image_that_is_gone_gets_no_other_name() -> None:
    with pytest.raises(EnvironmentProblem, match="could not name x:1: No such image"):
        _store({"docker tag": Answer(returncode=1, stderr="No such image")})[0].tag("x:1", "y:2")


def test_a_name_is_removed_and_a_refusal_is_told() -> None:
    script: dict[str, Script] = {
        "docker rmi x:1": Answer("Untagged: x:1"),
        "docker rmi y:2": Answer(returncode=1, stderr="Error: container 12 is using its referenced image"),
    }
    store, _ = _store(script)
    assert store.remove("x:1") == ""
    assert store.remove("y:2") == "Error: container 12 is using its referenced image"
