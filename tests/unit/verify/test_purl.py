from __future__ import annotations

import pytest

from wheelkiln.verify.purl import image_purl, package_of, pypi_purl


@pytest.mark.parametrize(
    ("name", "version", "qualifiers", "purl"),
    [
        ("Kern_Els", "1.2", {}, "pkg:pypi/kern-els@1.2"),
        ("kern", "", {}, "pkg:pypi/kern"),
        ("kern", "1!2.0+cpu.1", {}, "pkg:pypi/kern@1%212.0%2Bcpu.1"),
        ("kern", "1", {"file_name": "kern-1+a.whl", "empty": ""}, "pkg:pypi/kern@1?file_name=kern-1%2Ba.whl"),
    ],
)
def test_of_the_package_index(name: str, version: str, qualifiers: dict[str, str], purl: str) -> None:
    assert pypi_purl(name, version, **qualifiers) == purl


@pytest.mark.parametrize(
    ("requirement", "package"),
    [
        ("numpy==2.2.6", ("numpy", "2.2.6", "pkg:pypi/numpy@2.2.6")),
        ("Foo.Bar[x]===1.0; python_version < '4'", ("foo-bar", "1.0", "pkg:pypi/foo-bar@1.0")),
        (
            "kern @ https://user:secret@files.example/kern-1.tar.gz",
            ("kern", "", "pkg:pypi/kern?download_url=https://files.example/kern-1.tar.gz"),
        ),
        (
            "kern @ git+https://a.example/k@1",
            ("kern", "", "pkg:pypi/kern?vcs_url=git%2Bhttps://a.example/k%401"),
        ),
        ("numpy>=2", None),
        ("-e .", None),
    ],
)
def test_of_a_pinned_requirement(requirement: str, package: tuple[str, str, str] | None) -> None:
    assert package_of(requirement) == package


@pytest.mark.parametrize(
    ("reference", "digest", "purl"),
    [
        ("localhost/wk/Base:1f2e", "", "pkg:oci/base?repository_url=localhost/wk/Base&tag=1f2e"),
        ("r.example:5000/a/b:1", "sha256:ff", "pkg:oci/b@sha256:ff?repository_url=r.example:5000/a/b&tag=1"),
        ("r.example/b@sha256:ff", "sha256:ff", "pkg:oci/b@sha256:ff?repository_url=r.example/b"),
        ("debian", "", "pkg:oci/debian"),
    ],
)
def test_of_an_image(reference: str, digest: str, purl: str) -> None:
    assert image_purl(reference, digest) == purl
