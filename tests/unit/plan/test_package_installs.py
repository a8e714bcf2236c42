"""Package names are read from plain commands only."""

from typing import Any

import pytest

from wheelkiln.plan.package_installs import PackageInstalls, read_package_installs


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("yum install -y a b", PackageInstalls(rpm=("a", "b"))),
        ("dnf -y install a-devel", PackageInstalls(rpm=("a-devel",))),
        ("apt-get update && sudo apt-get install -y --no-install-recommends a", PackageInstalls(deb=("a",))),
        ("apt install -y libstdc++6; make deps", PackageInstalls(deb=("libstdc++6",))),
        ("yum install -y a &&\nyum install -y a b", PackageInstalls(rpm=("a", "b"))),
        ("yum install -y \\\n  a \\\n  b", PackageInstalls(rpm=("a", "b"))),
        ("yum install -y $DEPS", PackageInstalls(unread=("yum install -y $DEPS",))),
        ("yum install -y https://x/a.rpm", PackageInstalls(unread=("yum install -y https://x/a.rpm",))),
        ("yum --enablerepo=x install a", PackageInstalls(unread=("yum --enablerepo=x install a",))),
        ("apk add --no-cache a-dev b", PackageInstalls(apk=("a-dev", "b"))),
        ("apk -U add a", PackageInstalls(apk=("a",))),
        ("apk add --virtual .deps a", PackageInstalls(unread=("apk add --virtual .deps a",))),
        ("apk add 'a>1'", PackageInstalls(unread=("apk add 'a>1'",))),
        ("apk update", PackageInstalls()),
        ("yum add a", PackageInstalls(unread=("yum add a",))),
        ("(yum install -y a || true)", PackageInstalls(unread=("(yum install -y a || true)",))),
        ("yum install -y 'a", PackageInstalls(unread=("yum install -y 'a",))),
        ("pip install -y a", PackageInstalls()),
        ("", PackageInstalls()),
    ],
)
def test_reads_what_is_plain(command: str, expected: PackageInstalls) -> None:
    assert read_package_installs({"before-all": command}) == expected


@pytest.mark.parametrize(
    ("table", "rpm"),
    [
        ({"before-all": ["yum install -y a", "yum install -y b"]}, ("a", "b")),
        ({"before-all": "brew install x", "linux": {"before-all": "yum install -y a"}}, ("a",)),
        ({"before-all": "yum install -y x", "linux": {"before-all": "true"}}, ()),
        ({"before-build": "yum install -y a"}, ("a",)),
        ({"before-all": "yum install -y a", "linux": "broken"}, ("a",)),
    ],
)
def test_reads_the_options_that_apply_on_linux(table: dict[str, Any], rpm: tuple[str, ...]) -> None:
    assert read_package_installs(table).rpm == rpm
