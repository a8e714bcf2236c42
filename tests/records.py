"""The record of a wheel of kern 1.2, made of the sdist that tests/values.py prepares."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.values import make_record
from wheelkiln.verify.record import Record, RecordedPin

__all__ = ["make_record_value"]


def make_record_value(**changes: Any) -> Record:
    """Return a record without an edition, with pins of one file and of several."""
    record = make_record(edition=None)
    image = replace(
        record.image, name="manylinux_2_28_x86_64", recipe="7" * 64, content="9" * 64, toolchain="gcc 14.2.1 x86-64-v3"
    )
    pins = (
        RecordedPin("cmake==4.1.0", ("sha256:" + "1" * 64,)),
        RecordedPin("numpy==2.2.6", ("sha256:" + "2" * 64, "sha256:" + "3" * 64)),
    )
    record = replace(record, image=image, build=replace(record.build, requirements=pins))
    return replace(record, **changes)
