"""What stands for containers: read from the arguments that an engine gets, kept in files, told apart when dead."""

from __future__ import annotations

import os
from pathlib import Path

from wheelkiln.system.engine import join_fields
from wheelkiln.system.in_place import Container, Mount, parse_create

CREATE = [
    "--env=CIBUILDWHEEL",
    "--env=SOURCE_DATE_EPOCH",
    "--name=cibuildwheel-1",
    "--interactive",
    "--platform=linux/amd64",
    "--pull=never",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--label=io.wheelkiln.run=run-1",
    "--mount=" + join_fields("type=bind", "source=/c/a,b", "target=/opt/wheelkiln/mnt/ccache"),
    "--mount=" + join_fields("type=bind", "source=/c/env", "target=/tmp/wheelkiln/env", "readonly"),
    "--env=PIP_INDEX_URL",
    "--env=NOT_SET",
    "--env=A=b=c",
    "wheelkiln/in-place_x86_64:ab",
    "/bin/bash",
]


def test_reads_what_cibuildwheel_and_wheelkiln_ask_for() -> None:
    environ = {"CIBUILDWHEEL": "1", "SOURCE_DATE_EPOCH": "7", "PIP_INDEX_URL": "https://i.example", "SECRET": "x"}
    container = parse_create(CREATE, environ)
    assert container == Container(
        name="cibuildwheel-1",
        reference="wheelkiln/in-place_x86_64:ab",
        command=("/bin/bash",),
        environment={
            "CIBUILDWHEEL": "1",
            "SOURCE_DATE_EPOCH": "7",
            "PIP_INDEX_URL": "https://i.example",
            "A": "b=c",
        },
        mounts=(
            Mount("/c/a,b", "/opt/wheelkiln/mnt/ccache"),
            Mount("/c/env", "/tmp/wheelkiln/env", read_only=True),
        ),
        labels={"io.wheelkiln.run": "run-1"},
        network=True,
    )


def test_options_of_the_program_are_not_options_of_the_container() -> None:
    container = parse_create(["--rm", "--network=none", "ref:1", "tool", "--label=x", "ask"], {})
    assert (container.command, dict(container.labels)) == (("tool", "--label=x", "ask"), {})
    assert not container.network


def test_its_files_lie_beside_those_of_its_job() -> None:
    container = parse_create(
        ["--name=n", "--mount=type=bind,source=/run/j/mount,target=/opt/wheelkiln/mnt/job", "r"], {}
    )
    assert container.scratch == Path("/run/j/place-n")


def test_a_process_is_told_apart_from_a_later_one_with_its_number() -> None:
    container = Container("n", "r:1", ())
    assert not container.is_running
    running = container.running_as(os.getpid())
    assert running.is_running
    assert running.group == os.getpgrp()
    assert not Container("n", "r:1", (), pid=os.getpid(), started="1").is_running
