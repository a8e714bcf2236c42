"""A wheel of which everything is known, as a statement and as an SBOM."""

from __future__ import annotations

from tests.records import make_record_value
from wheelkiln.build.outcome import Status
from wheelkiln.build.sbom import Making, WheelIdentity, make_sbom
from wheelkiln.report.builder import Builder, Made
from wheelkiln.report.manifest import ManifestImage, ManifestJob, ManifestSource
from wheelkiln.report.statement import WheelOrigin, make_statement
from wheelkiln.verify.grafted import GraftedLibrary, OtherSbom, Shipped, SourcePackage

__all__ = ["every_field_of_a_statement", "every_field_of_an_sbom"]

_NAME = "kern-1.2+cpu-cp312-cp312-manylinux_2_17_x86_64.whl"
_REFERENCE = "localhost/wheelkiln/manylinux_2_28_x86_64:0123456789abcdef"
_RECORD = make_record_value()
_MAKING = Making.recorded(_RECORD)


def every_field_of_a_statement() -> str:
    made = Made(
        "https://github.example/acme/kern/.github/workflows/wheels.yml@refs/tags/v1.2",
        "https://github.example/acme/kern/actions/runs/7/attempts/1",
        "git+https://github.example/acme/kern@refs/tags/v1.2",
        "e" * 40,
        1_700_000_000,
        1_700_000_100,
    )
    identifier = "cp312-manylinux_x86_64"
    job = ManifestJob(
        id=identifier,
        identifier=identifier,
        project="kern",
        version="1.2+cpu",
        variant="default",
        image=_REFERENCE,
        status=Status.BUILT,
        wheel=None,
        seconds=1.0,
        stages=(),
        statistics=None,
        covered_by="",
        message="",
        emulated=True,
        made=made,
    )
    origin = WheelOrigin(
        name=_NAME,
        sha256="a" * 64,
        job=job,
        source=ManifestSource("kern", "1.2+cpu", "default", "d" * 64, 1_700_000_000, 1000, "f" * 64),
        image=ManifestImage(
            "manylinux_2_28_x86_64",
            _REFERENCE,
            "sha256:" + "c" * 64,
            "registry.example/pypa/manylinux_2_28_x86_64@sha256:" + "b" * 64,
            "gcc 14.2.1 x86-64-v3",
            {},
        ),
        requirements=_MAKING.requirements,
        tools={"wheelkiln": "0.1.0", "docker": "26.1.5", "cibuildwheel": "4.3.3"},
        architecture="x86_64",
        record=_RECORD,
    )
    return make_statement(origin, Builder())


def every_field_of_an_sbom() -> str:
    zlib = SourcePackage("zlib1g", "1:1.2.13.dfsg-1", "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1")
    shipped = Shipped(
        (
            GraftedLibrary("kern.libs/libfoo-11111111.so.1", "libfoo.so.1", "4" * 64),
            GraftedLibrary("kern.libs/libz-22222222.so.1.2.13", "libz.so.1.2.13", "5" * 64, zlib),
        ),
        (SourcePackage("libbar", "2", "pkg:deb/debian/libbar@2"),),
        (OtherSbom("kern-1.2.dist-info/sboms/auditwheel.cdx.json", "6" * 64),),
    )
    return make_sbom(
        WheelIdentity(_NAME, "kern", "1.2+cpu", "MIT OR Apache-2.0", "a" * 64),
        shipped,
        _MAKING,
    )
