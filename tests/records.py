"""A wheel's record, with what a test cares about replaced."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from wheelkiln.source.origin import OriginKind, SourceOrigin
from wheelkiln.verify.record import (
    RECORD_FORMAT,
    BuildMachine,
    BuildSettings,
    Record,
    RecordedImage,
    RecordedPin,
)

__all__ = ["make_record_value"]


def make_record_value(**changes: Any) -> Record:
    """Return the record of a wheel of kern 1.2, made of the sdist that tests/values.py prepares."""
    record = Record(
        format=RECORD_FORMAT,
        project="kern",
        version="1.2",
        variant="default",
        identifier="cp312-manylinux_x86_64",
        tools={"wheelkiln": "0.1.0", "cibuildwheel": "4.3.3", "auditwheel": "6.8.2"},
        source=SourceOrigin(OriginKind.INDEX, "kern", "1.2", "d" * 64, "kern-1.2.tar.gz", "8" * 64),
        epoch=1_700_000_000,
        edition=None,
        image=RecordedImage(
            name="manylinux_2_28_x86_64",
            recipe="7" * 64,
            inputs={},
            content="9" * 64,
            toolchain="gcc 14.2.1 x86-64-v3",
            tools={},
            programs={},
            packages=(),
        ),
        build=BuildSettings(
            frontend="build",
            configuration={"repair-wheel-command": "auditwheel repair -w {dest_dir} {wheel}"},
            variables={"CIBW_CONFIG_SETTINGS": "a=b"},
            withheld={"CIBW_ENVIRONMENT": "0123"},
            passed={"TOKEN": "4567"},
            requirements=(
                RecordedPin("cmake==4.1.0", ("sha256:" + "1" * 64,)),
                RecordedPin("numpy==2.2.6", ("sha256:" + "2" * 64, "sha256:" + "3" * 64)),
            ),
        ),
        machine=BuildMachine("x86_64"),
    )
    return replace(record, **changes)
