from __future__ import annotations

import json
from typing import Any

from wheelkiln.build.sbom import Making, WheelIdentity, make_sbom
from wheelkiln.cache.lock import Pin
from wheelkiln.verify.grafted import GraftedLibrary, OtherSbom, Shipped, SourcePackage

_WHEEL = WheelIdentity("kern-1.2-cp312-cp312-manylinux_2_17_x86_64.whl", "kern", "1.2")
_ROOT = "pkg:pypi/kern@1.2?file_name=kern-1.2-cp312-cp312-manylinux_2_17_x86_64.whl"
_ZLIB = SourcePackage("zlib", "1.2.13", "pkg:deb/debian/zlib@1.2.13")
_SHIPPED = Shipped(
    (
        GraftedLibrary("kern.libs/libfoo-11111111.so.1", "libfoo.so.1", "f" * 64),
        GraftedLibrary("kern.libs/libz-22222222.so.1", "libz.so.1", "e" * 64, _ZLIB),
    ),
    (SourcePackage("bar", "", "pkg:deb/debian/bar"),),
    (OtherSbom("kern-1.2.dist-info/sboms/auditwheel.cdx.json", "a" * 64),),
)
_MAKING = Making(
    (Pin("setuptools==80.9.0", ("sha256:" + "1" * 64, "sha256:" + "2" * 64)), Pin("odd==1", ("sha256:" + "3" * 64,))),
    "manylinux_2_28_x86_64",
    "7" * 64,
    "gcc 14.2.1 x86-64-v3",
    "0.1.0",
)


def _made(wheel: WheelIdentity = _WHEEL, shipped: Shipped = _SHIPPED, making: Making | None = _MAKING) -> Any:
    return json.loads(make_sbom(wheel, shipped, making))


def test_the_wheel_is_the_subject() -> None:
    document = _made(WheelIdentity(_WHEEL.file_name, "kern", "1.2", "MIT", "9" * 64))
    assert document["metadata"]["component"] == {
        "type": "library",
        "bom-ref": _ROOT,
        "name": "kern",
        "version": "1.2",
        "hashes": [{"alg": "SHA-256", "content": "9" * 64}],
        "licenses": [{"expression": "MIT"}],
        "purl": _ROOT,
    }
    assert document["metadata"]["tools"]["components"] == [
        {"type": "application", "name": "wheelkiln", "version": "0.1.0"}
    ]


def test_what_is_not_known_is_left_out() -> None:
    document = _made(making=None, shipped=Shipped())
    assert set(document["metadata"]["component"]) == {"type", "bom-ref", "name", "version", "purl"}
    assert document["metadata"]["lifecycles"] == [{"phase": "post-build"}]
    assert "tools" not in document["metadata"]
    assert document["components"] == []
    assert not {"formulation", "externalReferences"} & set(document)


def test_a_grafted_library_goes_by_its_package_where_that_is_known() -> None:
    foo, zlib, bar = _made()["components"]
    assert (foo["name"], "purl" in foo, "version" in foo) == ("libfoo.so.1", False, False)
    assert (zlib["name"], zlib["version"], zlib["purl"]) == ("zlib", "1.2.13", _ZLIB.purl)
    assert zlib["hashes"] == [{"alg": "SHA-256", "content": "e" * 64}]
    assert zlib["evidence"] == {"occurrences": [{"location": "kern.libs/libz-22222222.so.1"}]}
    assert bar == {"type": "library", "bom-ref": "pkg:deb/debian/bar", "name": "bar", "purl": "pkg:deb/debian/bar"}


def test_the_wheel_depends_on_what_it_ships_and_on_nothing_that_built_it() -> None:
    document = _made()
    root, *others = document["dependencies"]
    assert root == {"ref": _ROOT, "dependsOn": [component["bom-ref"] for component in document["components"]]}
    assert [set(other) for other in others] == [{"ref"}] * 3


def test_what_built_it_is_its_formulation() -> None:
    ((formula),) = _made()["formulation"]
    setuptools, odd, image, compiler = formula["components"]
    assert (setuptools["purl"], setuptools["scope"]) == ("pkg:pypi/setuptools@80.9.0", "excluded")
    assert image == {
        "type": "container",
        "bom-ref": "build:image",
        "name": "manylinux_2_28_x86_64",
        "version": "7" * 64,
    }
    assert compiler == {"type": "application", "bom-ref": "build:compiler", "name": "gcc", "version": "14.2.1"}
    assert odd["hashes"] == [{"alg": "SHA-256", "content": "3" * 64}]


def test_of_several_files_that_a_pin_allows_none_is_claimed() -> None:
    setuptools = _made()["formulation"][0]["components"][0]
    assert "hashes" not in setuptools
    assert [it["value"] for it in setuptools["properties"]] == ["1" * 64, "2" * 64]


def test_documents_of_other_tools_are_referred_to() -> None:
    assert _made()["externalReferences"] == [
        {"type": "bom", "url": "auditwheel.cdx.json", "hashes": [{"alg": "SHA-256", "content": "a" * 64}]}
    ]


def test_requirements_that_pin_nothing_are_left_out() -> None:
    assert "formulation" not in _made(making=Making((Pin("numpy>=2"),)))
    (component,) = _made(making=Making((Pin("k @ https://a.example/k.whl"),)))["formulation"][0]["components"]
    assert "version" not in component


def test_the_same_wheel_has_the_same_text_and_another_one_another_number() -> None:
    texts = {make_sbom(_WHEEL, _SHIPPED, _MAKING) for _ in range(2)}
    assert len(texts) == 1
    assert _made()["serialNumber"] != _made(making=Making())["serialNumber"]
    assert "timestamp" not in str(texts)
