from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wheelkiln.config.load import load_config, parse_config, variable_name
from wheelkiln.config.model import Config
from wheelkiln.errors import ConfigError


def _problems(table: dict[str, Any], **kwargs: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parse_config(table, **kwargs)
    return caught.value.problems


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    loaded = load_config(tmp_path, {})
    assert (loaded.config, loaded.path, dict(loaded.origins)) == (Config(), None, {})


def test_a_table_of_pyproject(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text('[project]\nname = "x"\n[tool.wheelkiln]\npolicy = "manylinux2014"\n')
    loaded = load_config(tmp_path, {})
    assert loaded.config.policy == "manylinux2014"
    assert loaded.path == path
    assert dict(loaded.origins) == {"policy": str(path)}


def test_a_pyproject_without_our_table_configures_nothing(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n')
    assert load_config(tmp_path, {}).path is None


@pytest.mark.parametrize("text", ['policy = "manylinux2014"\n', '[tool.wheelkiln]\npolicy = "manylinux2014"\n'])
def test_a_file_of_its_own(tmp_path: Path, text: str) -> None:
    (tmp_path / "wheelkiln.toml").write_text(text)
    loaded = load_config(tmp_path, {})
    assert loaded.config.policy == "manylinux2014"
    assert loaded.path == tmp_path / "wheelkiln.toml"


def test_two_places_at_once_are_refused(tmp_path: Path) -> None:
    (tmp_path / "wheelkiln.toml").write_text('policy = "manylinux2014"\n')
    (tmp_path / "pyproject.toml").write_text('[tool.wheelkiln]\npolicy = "manylinux2014"\n')
    with pytest.raises(ConfigError, match=r"both .*wheelkiln.toml and \[tool.wheelkiln\] in .* configure"):
        load_config(tmp_path, {})


def test_a_named_file_stands_for_the_others(tmp_path: Path) -> None:
    (tmp_path / "wheelkiln.toml").write_text('policy = "manylinux2014"\n')
    other = tmp_path / "other.toml"
    other.write_text('[tool.wheelkiln]\npolicy = "manylinux_2_34"\n')
    assert load_config(tmp_path, {}, file=other).config.policy == "manylinux_2_34"


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent.toml cannot be read: No such file"):
        load_config(tmp_path, {}, file=tmp_path / "absent.toml")


@pytest.mark.parametrize("content", [b"policy = ", b"\xff\xfe"])
def test_broken_toml_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "wheelkiln.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"wheelkiln.toml is not valid TOML"):
        load_config(tmp_path, {})


@pytest.mark.parametrize("text", ["tool = 1\n", "[tool]\nwheelkiln = 1\n"])
def test_what_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ConfigError, match="is not a table"):
        load_config(tmp_path, {})


def test_a_variable_wins_over_the_file_and_a_flag_over_both() -> None:
    table = {"policy": "manylinux2014", "cache": {"max-size": "1G"}, "image": {"base": "bootstrap"}}
    loaded = parse_config(
        table,
        path=Path("/x/wheelkiln.toml"),
        environ={"WHEELKILN_POLICY": "manylinux_2_31", "WHEELKILN_CACHE_MAX_SIZE": "2G"},
        flags={"policy": "manylinux_2_34"},
    )
    assert loaded.config.policy == "manylinux_2_34"
    assert loaded.config.cache.max_size == "2G"
    assert loaded.config.image.base == "bootstrap"
    assert dict(loaded.origins) == {
        "policy": "command line",
        "cache.max-size": "WHEELKILN_CACHE_MAX_SIZE",
        "image.base": "/x/wheelkiln.toml",
    }


@pytest.mark.parametrize("text", ["cp311,cp312", "cp311 cp312", "cp311, cp312"])
def test_a_list_in_a_variable(text: str) -> None:
    assert parse_config({}, environ={"WHEELKILN_PYTHON": text}).config.python == ("cp311", "cp312")


def test_every_key_has_a_variable_of_its_own() -> None:
    environ = {
        "WHEELKILN_ARCH": "aarch64",
        "WHEELKILN_FRONTEND": "pip",
        "WHEELKILN_IMAGE_BASE": "bootstrap",
        "WHEELKILN_IMAGE_RELEASE": "trixie",
        "WHEELKILN_IMAGE_PACKAGES_DEB": "a b",
        "WHEELKILN_IMAGE_PACKAGES_RPM": "c",
        "WHEELKILN_CACHE_DIR": "/c",
        "WHEELKILN_CONTAINER_USER": "root",
        "WHEELKILN_CONTAINER_NETWORK": "none",
        "WHEELKILN_REPAIR_EXCLUDE": "libx.so",
        "WHEELKILN_REPAIR_LIBRARY_DIRS": "lib",
        "WHEELKILN_REPAIR_ARGS": "--strip",
    }
    config = parse_config({}, environ=environ).config
    assert config.arch == ("aarch64",)
    assert config.frontend == "pip"
    assert (config.image.base, config.image.release) == ("bootstrap", "trixie")
    assert (config.image.packages.deb, config.image.packages.rpm) == (("a", "b"), ("c",))
    assert config.cache.dir == "/c"
    assert (config.container.user, config.container.network) == ("root", "none")
    assert (config.repair.exclude, config.repair.library_dirs, config.repair.args) == (
        ("libx.so",),
        ("lib",),
        ("--strip",),
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [("none", "none"), ("auto", "auto"), ("sbom", ("sbom",)), ("provenance,sbom", ("provenance", "sbom"))],
)
def test_a_word_that_stands_for_a_list_stays_a_word_in_a_variable(text: str, value: object) -> None:
    assert parse_config({}, environ={"WHEELKILN_IMAGE_ATTESTATIONS": text}).config.image.attestations == value


def test_a_build_cache_in_a_variable_keeps_its_commas() -> None:
    environ = {"WHEELKILN_IMAGE_CACHE_FROM": "type=registry,ref=x type=gha", "WHEELKILN_IMAGE_CACHE_TO": "type=gha"}
    image = parse_config({}, environ=environ).config.image
    assert (image.cache_from, image.cache_to) == (("type=registry,ref=x", "type=gha"), ("type=gha",))


@pytest.mark.parametrize(("text", "value"), [("1", True), ("true", True), ("no", False)])
def test_a_choice_of_yes_and_no_in_a_variable(text: str, value: bool) -> None:
    assert parse_config({}, environ={"WHEELKILN_IMAGE_SCCACHE": text}).config.image.sccache is value


def test_a_table_is_not_set_by_a_variable() -> None:
    assert _problems({}, environ={"WHEELKILN_IMAGE_LABELS": "a=b"}) == (
        "image.labels: expected a table (from WHEELKILN_IMAGE_LABELS)",
    )


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"libc": "musllinux"}, "libc: expected a list"),
        ({"libc": ["musl"]}, "libc.0: 'musl' is not one of 'manylinux' or 'musllinux'"),
        ({"musl-policy": "manylinux_2_28"}, "musl-policy: 'manylinux_2_28' is not a policy such as 'musllinux_1_2'"),
        ({"image": {"mirror": "x"}}, "image.mirror: 'x' is not an address such as 'https://mirror.example/debian'"),
        (
            {"image": {"download-mirror": "x"}},
            "image.download-mirror: 'x' is not an address such as 'https://mirror.example/github'",
        ),
        ({"image": {"base-packages": ["a b"]}}, "image.base-packages.0: 'a b' is not a package name"),
        ({"image": {"cache-to": ["a b"]}}, "image.cache-to.0: 'a b' is not a build cache such as 'type=gha'"),
        ({"image": {"linker": "gold"}}, "image.linker: 'gold' is not one of 'default', 'mold' or 'lld'"),
        (
            {"image": {"attestations": "sbom"}},
            "image.attestations: expected 'auto', 'none', or a list of 'provenance' and 'sbom'",
        ),
        (
            {"image": {"labels": {"io.wheelkiln.x": ""}}},
            "image.labels: 'io.wheelkiln.x' is not a label's name, or is one of wheelkiln's own",
        ),
        ({"image": {"labels": {"a": "b\n"}}}, "image.labels: the value of 'a' is not a line of text"),
        (
            {"image": {"repository": "acme/x:1"}},
            "image.repository: expected a repository without a tag, such as 'ghcr.io/acme/wheelkiln'",
        ),
        ({"image": {"builder": {"name": "-x"}}}, "image.builder.name: expected the name of a builder"),
        (
            {"image": {"builder": {"endpoint": "-x"}}},
            "image.builder.endpoint: '-x' is not a docker context or an address such as 'tcp://buildkit.example:1234'",
        ),
        (
            {"hosts": {"g": {"docker": "-x", "arch": ["aarch64"]}}},
            "hosts.g.docker: '-x' is not a docker context or an address such as 'ssh://ci@graviton'",
        ),
        ({"hosts": {"g": {"docker": "x"}}}, "hosts.g.arch: field required"),
        ({"hosts": {"g": "x"}}, "hosts.g: expected a table"),
    ],
)
def test_a_problem_says_what_is_expected(table: dict[str, Any], problem: str) -> None:
    assert _problems(table) == (problem,)


def test_the_name_of_a_variable() -> None:
    assert variable_name("repair.library-dirs") == "WHEELKILN_REPAIR_LIBRARY_DIRS"


def test_other_variables_are_not_ours() -> None:
    assert parse_config({}, environ={"WHEELKILN_NOTHING": "1", "POLICY": "x"}).config == Config()


def test_all_problems_come_at_once_with_their_keys() -> None:
    problems = _problems({"python": ["cp312", "cp2"], "policy": "x", "cache": {"max-size": "big"}, "arch": ["mips"]})
    assert [problem.partition(":")[0] for problem in problems] == ["python.1", "arch.0", "policy", "cache.max-size"]
    assert problems[0] == "python.1: 'cp2' is not a CPython tag such as 'cp312'"
    assert problems[1] == "arch.0: 'mips' is not one of 'x86_64' or 'aarch64'"


def test_a_list_of_wrong_items_is_not_called_too_short_as_well() -> None:
    assert _problems({"python": ["cp2"]}) == ("python.0: 'cp2' is not a CPython tag such as 'cp312'",)
    assert [problem.partition(":")[0] for problem in _problems({"python": []})] == ["python"]


def test_the_message_counts_the_problems() -> None:
    with pytest.raises(ConfigError, match=r"^the configuration has 1 problem \(defaults\)"):
        parse_config({"policy": "x"})
    with pytest.raises(ConfigError, match=r"^the configuration has 2 problems \(/x.toml\)"):
        parse_config({"policy": "x", "frontend": "y"}, path=Path("/x.toml"))


def test_a_problem_from_outside_of_the_file_says_where_it_is_from() -> None:
    assert _problems({}, environ={"WHEELKILN_PYTHON": "cp312 x"}) == (
        "python.1: 'x' is not a CPython tag such as 'cp312' (from WHEELKILN_PYTHON)",
    )
    assert _problems({}, flags={"image.base": "a b"}) == (
        "image.base: expected 'pypa', 'bootstrap' or an image reference (from command line)",
    )


def test_a_flag_does_not_hide_that_a_section_is_no_table() -> None:
    assert len(_problems({"image": "x"}, flags={"image.base": "bootstrap"})) == 1


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"polcy": "x"}, "polcy: unknown key; did you mean 'policy'?"),
        ({"cache": {"maxsize": "1G"}}, "cache.maxsize: unknown key; did you mean 'cache.max-size'?"),
        ({"max-size": "1G"}, "max-size: unknown key; did you mean 'cache.max-size'?"),
        ({"image": {"packges": {}}}, "image.packges: unknown key; did you mean 'image.packages'?"),
        ({"qqqqqq": 1}, "qqqqqq: unknown key"),
    ],
)
def test_a_misspelt_key_gets_a_suggestion(table: dict[str, Any], problem: str) -> None:
    assert _problems(table) == (problem,)


def test_dates_are_no_crash(tmp_path: Path) -> None:
    (tmp_path / "wheelkiln.toml").write_text("policy = 2020-01-01\n")
    with pytest.raises(ConfigError, match="policy"):
        load_config(tmp_path, {})
