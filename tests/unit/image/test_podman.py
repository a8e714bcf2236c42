from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import Answer, Call, FakeRunner, Script
from tests.unit.image.values import BOOTSTRAP, PYPA, make_bake_inputs, name_of
from tests.values import IMAGE_ID, make_engine
from wheelkiln.errors import EnvironmentProblem, UsageProblem
from wheelkiln.image.bake import BakeInputs, BuildOptions, Provenance
from wheelkiln.image.podman import build_with_podman
from wheelkiln.system.engine import EngineName


class FakePodman:
    """Builds whatever it is asked to, writes the image's id where that is wanted, and runs what was built."""

    def __init__(self, **answers: Answer) -> None:
        self.answers = answers
        self.lines = list[str]()
        script: dict[str, Script] = {
            "podman build": self.build,
            f"podman run --rm --network=none {IMAGE_ID} cat /opt/wheelkiln/toolchain.txt": answers.get(
                "run", Answer("gcc 14.2.1 avx512bf16\n")
            ),
            f"podman run --rm --network=none {IMAGE_ID} cat /opt/wheelkiln/versions.txt": Answer(
                "ccache 4.13.6\nlibc 2.28\n"
            ),
            "podman manifest": Answer(),
        }
        self.runner = FakeRunner(script)

    def build(self, call: Call) -> Answer:
        for word in call.argv:
            if word.startswith("--iidfile="):
                Path(word.removeprefix("--iidfile=")).write_text(f"{IMAGE_ID}\n")
        return self.answers.get("build", Answer("STEP 1/2: FROM x\nCOMMIT\n"))

    def run(self, inputs: BakeInputs, scratch: Path) -> None:
        build_with_podman(make_engine(self.runner, name=EngineName.PODMAN), inputs, scratch, self.lines.append)

    def builds(self) -> list[tuple[str, ...]]:
        return [call.argv for call in self.runner.calls if call.argv[1] == "build"]


def test_all_architectures_are_built_at_once_and_each_is_then_made_from_the_cache(tmp_path: Path) -> None:
    podman = FakePodman()
    podman.run(make_bake_inputs(provenance=Provenance("https://host/x", "abc", 0)), tmp_path)
    together, first, second, third, fourth = podman.builds()
    assert {"--platform=linux/amd64,linux/arm64", "--jobs=2"} <= set(together)
    (manifest,) = [word.removeprefix("--manifest=") for word in together if word.startswith("--manifest=")]
    assert f"podman manifest rm {manifest}" in podman.runner.lines
    assert f"--iidfile={tmp_path}/image-x86_64.txt" in first
    assert "--label=io.wheelkiln.toolchain=gcc 14.2.1 avx512bf16" in second
    assert "--label=io.wheelkiln.versions=ccache 4.13.6; libc 2.28" in second
    assert "--label=org.opencontainers.image.created=1970-01-01T00:00:00Z" in second
    assert "--label=org.opencontainers.image.revision=abc" in second
    assert f"--tag={name_of(PYPA)}" in second
    assert "--label=io.wheelkiln.toolchain=gcc 14.2.1 avx512bf16" in fourth
    assert f"--tag={name_of(PYPA, 'aarch64')}" in fourth
    for argv, platform in ((first, "amd64"), (second, "amd64"), (third, "arm64"), (fourth, "arm64")):
        assert argv[:6] == (
            "podman",
            "build",
            f"--platform=linux/{platform}",
            "--target=image",
            "--layers",
            "--format=docker",
        )
        assert argv[-1] == str(tmp_path / "context")
    assert not [word for argv in (first, third) for word in argv if word.startswith(("--tag", "--label"))]
    assert podman.lines == ["STEP 1/2: FROM x", "COMMIT"] * 5


def test_caches_are_for_the_build_of_all_architectures(tmp_path: Path) -> None:
    podman = FakePodman()
    options = BuildOptions(cache_from=("ghcr.io/acme/cache",), no_cache=True)
    podman.run(make_bake_inputs(options=options), tmp_path)
    told = [{word for word in argv if word.startswith(("--cache-from", "--no-cache"))} for argv in podman.builds()]
    assert told == [{"--no-cache", "--cache-from=ghcr.io/acme/cache"}, set(), set(), set(), set()]


def test_both_passes_have_the_same_arguments_and_secrets(tmp_path: Path) -> None:
    """Else the second would not find the first's layers."""
    podman = FakePodman()
    inputs = make_bake_inputs(
        BOOTSTRAP,
        ("x86_64",),
        secrets={"pip": Path("/s/pip.conf"), "ca": Path("/ca.pem")},
        build_args=("http_proxy",),
        base_digests={"x86_64": "sha256:1"},
    )
    podman.run(inputs, tmp_path)
    shared = [
        "--secret=id=ca,src=/ca.pem",
        "--secret=id=pip,src=/s/pip.conf",
        "--build-arg=http_proxy",
        "--build-arg=BASE_DIGEST_AMD64=sha256:1",
    ]
    assert [list(argv[6:10]) for argv in podman.builds()] == [shared, shared]


def test_only_the_first_pass_builds_again_what_is_cached(tmp_path: Path) -> None:
    podman = FakePodman()
    podman.run(
        make_bake_inputs(architectures=("x86_64",), options=BuildOptions(no_cache=True, pull_base=True)), tmp_path
    )
    first, second = podman.builds()
    assert {"--no-cache", "--pull"} <= set(first)
    assert not {"--no-cache", "--pull"} & set(second)


def test_a_bootstrap_base_is_in_no_registry_to_be_pulled_from(tmp_path: Path) -> None:
    podman = FakePodman()
    podman.run(make_bake_inputs(BOOTSTRAP, ("x86_64",), options=BuildOptions(pull_base=True)), tmp_path)
    assert "--pull" not in podman.builds()[0]


@pytest.mark.parametrize(
    ("cache", "repository"),
    [
        ("type=registry,ref=ghcr.io/acme/cache:main,mode=max", "ghcr.io/acme/cache"),
        ("type=registry,ref=localhost:5000/cache", "localhost:5000/cache"),
        ("ghcr.io/acme/cache:main", "ghcr.io/acme/cache"),
    ],
)
def test_a_cache_is_a_repository(tmp_path: Path, cache: str, repository: str) -> None:
    podman = FakePodman()
    options = BuildOptions(cache_from=(cache,), cache_to=(cache,))
    podman.run(make_bake_inputs(architectures=("x86_64",), options=options), tmp_path)
    first, second = podman.builds()
    assert {f"--cache-from={repository}", f"--cache-to={repository}"} <= set(first)
    assert not [word for word in second if word.startswith("--cache")]


@pytest.mark.parametrize("cache", ["type=gha,mode=max", "type=local,dest=/x", "type=inline", "type=registry,mode=max"])
def test_a_cache_that_podman_cannot_keep_is_refused(tmp_path: Path, cache: str) -> None:
    podman = FakePodman()
    with pytest.raises(UsageProblem, match=r"--cache-to .*: podman can only keep a build cache in a registry"):
        podman.run(make_bake_inputs(options=BuildOptions(cache_to=(cache,))), tmp_path)
    assert podman.runner.calls == []


def test_podman_has_no_builders(tmp_path: Path) -> None:
    podman = FakePodman()
    with pytest.raises(UsageProblem, match="--builder"):
        podman.run(make_bake_inputs(options=BuildOptions(builder="ci")), tmp_path)
    assert podman.runner.calls == []


def test_what_was_built_is_pushed_as_one_list(tmp_path: Path) -> None:
    podman = FakePodman()
    inputs = make_bake_inputs(options=BuildOptions(repository="ghcr.io/acme/kiln", push=True))
    podman.run(inputs, tmp_path)
    listed = f"ghcr.io/acme/kiln/manylinux_2_28:{inputs.recipe.tag}"
    added = [line for line in podman.runner.lines if line.startswith("podman manifest add")]
    assert added == [
        f"podman manifest add {listed}-list containers-storage:{name_of(PYPA, arch)}" for arch in ("aarch64", "x86_64")
    ]
    assert f"podman manifest push --all {listed}-list docker://{listed}" in podman.runner.lines


def test_a_failed_build_is_told_with_buildahs_reason(tmp_path: Path) -> None:
    output = "[6/8] STEP 4/9: RUN x\nNo match for argument: nosuch\nError: building at STEP: exit status 1\n"
    podman = FakePodman(build=Answer(output, returncode=1))
    inputs = make_bake_inputs(options=BuildOptions(repository="h/r", push=True))
    with pytest.raises(EnvironmentProblem) as caught:
        podman.run(inputs, tmp_path)
    assert caught.value.message.splitlines() == [
        f"the image manylinux_2_28:{inputs.recipe.tag} could not be built for x86_64, aarch64:",
        "  | No match for argument: nosuch",
        "  | Error: building at STEP: exit status 1",
    ]
    assert "image.packages" in caught.value.hint
    assert [call.argv[1:3] for call in podman.runner.calls[1:]] == [("manifest", "rm")]


def test_an_image_that_does_not_run_is_not_named(tmp_path: Path) -> None:
    podman = FakePodman(run=Answer(returncode=126, stderr="Error: crun: cgroup2: permission denied"))
    with pytest.raises(EnvironmentProblem, match="cannot run the image that it built: Error: crun") as caught:
        podman.run(make_bake_inputs(architectures=("x86_64",)), tmp_path)
    assert "without systemd" in caught.value.hint
    assert len(podman.builds()) == 1
