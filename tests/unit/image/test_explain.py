from __future__ import annotations

import pytest

from wheelkiln.image.explain import explain_failure

_FAILED_STEP = """\
#20 [finished 3/6] RUN --mount=type=bind,source=scripts/packages.sh,target=/mnt/wheelkiln/packages.sh
#20 0.512 Last metadata expiration check: 0:01:02 ago
{logs}
#20 ERROR: process "/bin/bash -euo pipefail -c bash /mnt/wheelkiln/x.sh" did not complete successfully: exit code: 1
------
 > [finished 3/6] RUN --mount=type=bind,source=scripts/packages.sh,target=/mnt/wheelkiln/packages.sh:
{block}
------
Dockerfile:58
--------------------
  57 |     # What image.packages asks for.
  58 | >>> RUN --mount=type=bind,source=scripts/packages.sh,target=/mnt/wheelkiln/packages.sh \\
  59 | >>>     bash /mnt/wheelkiln/packages.sh --rpm nosuch
--------------------
ERROR: target report: failed to solve: process "/bin/bash -euo pipefail -c bash x.sh" did not complete: exit code: 1
"""


def _buildkit(*printed: str) -> list[str]:
    """BuildKit's plain progress of a step that prints lines and fails."""
    logs = "\n".join(f"#20 0.9 {line}" for line in printed)
    return _FAILED_STEP.format(logs=logs, block="\n".join(f"0.912 {line}" for line in printed)).splitlines()


def _buildah(*printed: str) -> list[str]:
    """What podman prints of a step that fails, after one that ended well and had something to say."""
    return [
        "[5/8] STEP 2/2: RUN --mount=type=secret,id=ca bash /mnt/wheelkiln/ccache.sh auto",
        "wheelkiln: https://github.com/ccache/x.tar.xz cannot be fetched: timed out",
        "wheelkiln: the pinned ccache cannot be reached; the distribution's is taken",
        "--> 0123456789ab",
        "[6/8] STEP 4/9: RUN --mount=type=secret,id=ca bash /mnt/wheelkiln/toolchain.sh gcc default",
        *printed,
        'Error: building at STEP "RUN bash /mnt/wheelkiln/toolchain.sh gcc default": while running runtime: '
        "exit status 1",
    ]


@pytest.mark.parametrize(
    ("printed", "hint"),
    [
        ("wheelkiln: https://h/ccache.tar.xz has not the pinned SHA-256:", "What was downloaded is not what was pin"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "which index answers"),
        (
            "wheelkiln: https://h/ccache.tar.xz cannot be fetched: HTTP status 404",
            "image.download-mirror names another",
        ),
        ("wheelkiln: the package mirror of this base cannot be read; see the lines above", "The package mirror cannot"),
        ("E: Failed to fetch http://deb.debian.org/debian/x.deb  Could not resolve 'deb.debian.org'", "package mirror"),
        ("Error: Failed to download metadata for repo 'appstream': Cannot download repomd.xml", "package mirror"),
        ("E: Unable to locate package nosuch", "image.packages names a package"),
        ("E: Package 'nosuch' has no installation candidate", "image.packages names a package"),
        ("Error: Unable to find a match: nosuch\nNo match for argument: nosuch", "image.packages names a package"),
        ("ERROR: unable to select packages:\n  nosuch (no such package):", "image.packages names a package"),
        ("exec /bin/bash: exec format error", "--register-emulators"),
        ("ERROR: No matching distribution found for auditwheel==6.4.2", "The package index cannot be reached"),
        ("write /var/x: no space left on device", "The engine's disk is full"),
        (
            'wheelkiln: the base\'s ccache is 4.2, and 4.7 is needed: image.ccache = "static" takes the pinned one',
            "by hand",
        ),
        ("something that nobody knows", "by hand"),
    ],
)
def test_each_known_failure_gets_its_hint_from_either_builder(printed: str, hint: str) -> None:
    for output in (_buildkit(*printed.split("\n")), _buildah(*printed.split("\n"))):
        reasons, found = explain_failure(output)
        assert hint in found
        assert printed.splitlines()[-1] in reasons


@pytest.mark.parametrize(
    ("verdict", "hint"),
    [
        (
            "failed to solve: registry.example/x:1: failed to resolve source metadata for registry.example/x:1: failed "
            'to do request: Head "https://registry.example/v2/x/manifests/1": dial tcp: lookup registry.example: no '
            "such host",
            "The base image could not be fetched",
        ),
        (
            "failed to solve: Cache export is not supported for the docker driver.",
            "containerd image store",
        ),
        (
            'failed to solve: failed to push localhost:5000/acme/x:1: failed to do request: Head "http://localhost:5000'
            '/v2/acme/x/blobs/sha256:12": dial tcp 127.0.0.1:5000: connect: connection refused',
            "The registry does not answer",
        ),
        (
            "failed to solve: failed to push ghcr.io/acme/x:1: unexpected status from POST request to https://ghcr.io/"
            "v2/acme/x/blobs/uploads/: 403 Forbidden",
            "logged in",
        ),
        (
            "failed to solve: error writing layer blob: failed to push h/cache:1: denied: permission_denied",
            "logged in",
        ),
    ],
)
def test_what_no_step_says_is_in_the_last_line(verdict: str, hint: str) -> None:
    reasons, found = explain_failure(["#1 [internal] load build definition", f"ERROR: target image: {verdict}"])
    assert hint in found
    assert reasons[-1] == f"ERROR: target image: {verdict}"


@pytest.mark.parametrize(
    "line",
    [
        "Error: creating build container: initializing source docker://registry.example/x:1: pinging container "
        'registry registry.example: Get "http://registry.example/v2/": dial tcp: lookup registry.example: no such host',
        "Error: creating build container: initializing source docker://h/x:1: reading manifest 1 in h/x: manifest "
        "unknown",
    ],
)
def test_a_base_that_podman_cannot_fetch_gets_its_hint(line: str) -> None:
    reasons, found = explain_failure(["[1/8] STEP 1/2: FROM registry.example/x:1 AS base-amd64", line])
    assert "--base bootstrap" in found
    assert reasons[-1] == line


def test_a_failed_step_is_shown_without_prefixes_and_without_the_listing() -> None:
    reasons, _ = explain_failure(_buildkit("No match for argument: nosuch", "Error: Unable to find a match: nosuch"))
    assert reasons == (
        "No match for argument: nosuch",
        "Error: Unable to find a match: nosuch",
        'ERROR: target report: failed to solve: process "/bin/bash -euo pipefail -c bash x.sh" did not complete: '
        "exit code: 1",
    )


@pytest.mark.parametrize("block", ["", "\n"])
def test_a_step_that_is_not_repeated_is_told_from_what_it_printed(block: str) -> None:
    """Seen with buildx 0.13: the block at the end has an empty line at times, or none."""
    logs = "#20 0.164 wheelkiln: http://h/x has not the pinned SHA-256:\n#20 0.164   wanted 15"
    reasons, _ = explain_failure(_FAILED_STEP.format(logs=logs, block=block).splitlines())
    assert reasons[1:3] == ("wheelkiln: http://h/x has not the pinned SHA-256:", "  wanted 15")


def test_a_cache_that_is_not_there_yet_does_not_hide_the_failed_step() -> None:
    absent = [
        "#9 importing cache manifest from ghcr.io/acme/cache:main",
        "#9 ERROR: failed to configure registry cache importer: ghcr.io/acme/cache:main: not found",
    ]
    output = _buildkit("No match for argument: nosuch")
    start = output.index("------")
    told = ["------", " > importing cache manifest from ghcr.io/acme/cache:main:", "------"]
    reasons, hint = explain_failure([*absent, *output[:start], *told, *output[start:]])
    assert reasons[0] == "No match for argument: nosuch"
    assert "image.packages" in hint


def test_a_rule_that_a_step_prints_is_not_its_end() -> None:
    output = ["------", " > [tools 1/1] RUN x:", "0.1 before", "0.2 ------", "0.3 after", "------", "ERROR: failed"]
    assert explain_failure(output)[0] == ("before", "after", "ERROR: failed")


def test_what_an_earlier_step_of_podman_said_does_not_count() -> None:
    reasons, hint = explain_failure(_buildah("No match for argument: nosuch"))
    assert "image.packages names" in hint
    assert not [line for line in reasons if "pinned" in line]


def test_the_end_is_shown_when_a_builder_marks_nothing() -> None:
    reasons, _ = explain_failure([f"line {number}" for number in range(40)])
    assert reasons == tuple(f"line {number}" for number in range(15, 40))


def test_of_a_long_step_the_end_is_shown() -> None:
    reasons, _ = explain_failure(_buildkit(*(f"line {number}" for number in range(40))))
    assert len(reasons) == 25
    assert reasons[-2] == "line 39"


def test_passwords_in_addresses_are_masked() -> None:
    reasons, _ = explain_failure(_buildkit("Looking in indexes: https://ci:pw@index.example/simple", "ERROR: no"))
    assert reasons[0] == "Looking in indexes: https://***@index.example/simple"
    assert "pw" not in "\n".join(reasons)


def test_a_builder_that_said_nothing_is_explained_all_the_same() -> None:
    assert explain_failure([]) == ((), explain_failure(["x"])[1])


def test_what_buildah_prints_before_its_steps_line_is_found() -> None:
    reasons, hint = explain_failure(
        [
            "[5/8] STEP 1/2: FROM x",
            "wheelkiln: http://h/x has not the pinned SHA-256:",
            "[5/8] STEP 2/2: RUN bash /mnt/wheelkiln/ccache.sh auto",
            "Error: building at STEP: exit status 4",
        ]
    )
    assert reasons[0] == "wheelkiln: http://h/x has not the pinned SHA-256:"
    assert "was not used" in hint


def test_a_step_that_buildkit_repeats_without_its_lines_is_read_where_it_ran() -> None:
    reasons, hint = explain_failure(
        [
            "#8 0.311 another step",
            "#9 0.345 wheelkiln: http://h/x has not the pinned SHA-256:",
            '#9 ERROR: process "bash ccache.sh auto" did not complete successfully: exit code: 4',
            "------",
            " > [ccache 1/1] RUN bash ccache.sh auto:",
            "------",
            'ERROR: failed to solve: process "bash ccache.sh auto" did not complete successfully: exit code: 4',
        ]
    )
    assert reasons == (
        "wheelkiln: http://h/x has not the pinned SHA-256:",
        'ERROR: failed to solve: process "bash ccache.sh auto" did not complete successfully: exit code: 4',
    )
    assert "was not used" in hint
