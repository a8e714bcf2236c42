"""A machine is given what an image has; one of our images is used as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import Answer, Call, FakeRunner
from tests.values import make_interpreter
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.in_place import PlaceProvider
from wheelkiln.image.provide import Origin
from wheelkiln.system.engine import ContainerEngine, EngineName
from wheelkiln.system.in_place import Place, read_place
from wheelkiln.system.in_place_facts import PlaceFacts

VERSIONS = ("ccache 4.7.5", "libc 2.36")


def make_facts(tmp_path: Path) -> PlaceFacts:
    """A digest of the test alone: places are kept by it, outside of the cache directory."""
    return PlaceFacts(
        is_image=False,
        arch="x86_64",
        libc="manylinux",
        digest=tmp_path.name.ljust(16, "-") + "x" * 48,
        interpreters=(make_interpreter("cp311", "3.11.2"), make_interpreter("cp312", "3.12.1")),
        toolchain="gcc 12.2.0",
        versions=VERSIONS,
        ccache=Path("/usr/bin/ccache"),
        environment={"PATH": "/opt/wheelkiln/bin"},
    )


class Machine:
    """The installer: environments appear where they are asked for."""

    def __init__(self, tmp_path: Path, *, works: bool = True) -> None:
        self.said: list[str] = []
        self.works = works
        script = {"/home/dev/py": self.make, "uv pip install": self.install, str(tmp_path): self.make}
        self.runner = FakeRunner(script)
        self.provider = PlaceProvider(
            ContainerEngine(EngineName.NONE, "", rootless=True, can_build=False, runner=self.runner),
            tmp_path / "cache",
            lambda: {"PIP_CERT": "/ca.pem"},
            self.said.append,
            lambda _: None,
        )

    def make(self, call: Call) -> Answer:
        prefix = Path(call.argv[-1])
        (prefix / "bin").mkdir(parents=True)
        (prefix / "bin/python").symlink_to("/usr/bin/true")
        for version in ("3.11", "3.12"):
            (prefix / f"lib/python{version}/site-packages").mkdir(parents=True)
        return Answer()

    def install(self, call: Call) -> Answer:
        if not self.works:
            return Answer("error: no answer\n", returncode=2)
        place = Path(call.option("--python")).parent
        (place / "cmake").write_text(f"#!{place}/python\n")
        (place / "pip").write_text(f"#!{place}/python\n")
        return Answer()


def registered(facts: PlaceFacts) -> Place:
    place = read_place(facts.reference)
    assert place is not None
    return place


def test_a_machine_gets_interpreters_tools_and_programs_once(tmp_path: Path) -> None:
    machine, facts = Machine(tmp_path), make_facts(tmp_path)
    image = machine.provider.provide("in-place_x86_64", facts)
    assert (image.reference, image.digest, image.origin) == (facts.reference, facts.digest, Origin.PRESENT)
    assert image.tools == (("ccache", "4.7.5"), ("libc", "2.36"))
    layer = tmp_path / "cache/in-place" / facts.digest[:16]
    opt = layer / "opt"
    assert (opt / "python/cp39-cp39").readlink() == Path("cp312-cp312")
    assert (opt / "python/cp311-cp311/bin/pip").read_text().endswith('exec "${0%/*}/python" -m pip "$@"\n')
    site = opt / "python/cp312-cp312/lib/python3.12/site-packages"
    assert '"/tmp/wheelkiln/env/bin/python"' in (site / "wheelkiln_frontend.py").read_text()
    assert (opt / "wheelkiln/tools/bin/cmake").read_text() == "#!/opt/wheelkiln/tools/bin/python\n"
    assert (opt / "wheelkiln/bin/wheelkiln-repair").read_text().startswith("#!/opt/wheelkiln/tools/bin/python\n")
    assert (opt / "wheelkiln/bin/wheelkiln-repair").stat().st_mode & 0o111
    assert (opt / "wheelkiln/links/link.sh").stat().st_mode & 0o111
    assert registered(facts) == Place(
        reference=facts.reference,
        digest=facts.digest,
        arch="x86_64",
        private=True,
        layers={"/opt/python": str(opt / "python"), "/opt/wheelkiln": str(opt / "wheelkiln")},
        environment={"PATH": "/opt/wheelkiln/bin"},
    )
    calls = len(machine.runner.calls)
    assert all(call.env == {"PIP_CERT": "/ca.pem"} for call in machine.runner.calls)
    machine.provider.provide("in-place_x86_64", facts)
    assert len(machine.runner.calls) == calls


def test_where_jobs_cannot_be_kept_apart_all_lies_below_the_cache_directory(tmp_path: Path) -> None:
    machine, facts = Machine(tmp_path), replace(make_facts(tmp_path), private=False)
    machine.provider.provide("in-place_x86_64", facts)
    layer = tmp_path / "cache/in-place" / facts.digest[:16]
    place = registered(facts)
    assert (place.private, place.root, place.layers) == (False, str(layer), {})
    repair = (layer / "opt/wheelkiln/bin/wheelkiln-repair").read_text()
    assert repair.startswith(f"#!{layer}/opt/wheelkiln/tools/bin/python\n")
    environment = (layer / "opt/wheelkiln/bin/wheelkiln-environment").read_text()
    assert f'"{layer}/tmp/wheelkiln/env"' in environment


def test_a_cache_directory_with_a_blank_cannot_be_a_root(tmp_path: Path) -> None:
    machine, facts = Machine(tmp_path), replace(make_facts(tmp_path), private=False)
    provider = replace(machine.provider, cache_dir=tmp_path / "my cache")
    with pytest.raises(EnvironmentProblem, match="has a blank"):
        provider.provide("in-place_x86_64", facts)


def test_one_of_our_images_needs_nothing(tmp_path: Path) -> None:
    machine, facts = Machine(tmp_path), replace(make_facts(tmp_path), is_image=True, private=False)
    machine.provider.provide("in-place_x86_64", facts)
    assert machine.runner.calls == []
    assert (registered(facts).root, registered(facts).layers) == ("", {})


def test_without_an_interpreter_or_an_index_the_reason_is_told(tmp_path: Path) -> None:
    facts = make_facts(tmp_path)
    with pytest.raises(EnvironmentProblem, match="no CPython with its headers"):
        Machine(tmp_path).provider.provide("x", replace(facts, interpreters=()))
    with pytest.raises(EnvironmentProblem, match="no answer"):
        Machine(tmp_path, works=False).provider.provide("x", facts)
    assert not (tmp_path / "cache/in-place" / facts.digest[:16] / "made.txt").exists()
