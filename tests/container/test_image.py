"""Images for real: built, pushed, pulled, refused; and what their layers must not hold."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.container.conftest import Ran, Tool
from tests.container.registries import PROGRAM, dying_registry, own_address, real_registry, serve_directory

_SECRET = "kiln-secret-4711"  # noqa: S105 - what the test looks for
needs_registry = pytest.mark.skipif(shutil.which(PROGRAM) is None, reason=f"{PROGRAM} is not installed")


@pytest.fixture
def insecure(tmp_path: Path) -> Iterator[Path]:
    """podman wants to be told which registries have no certificate; docker lets loopback do without."""
    path = tmp_path / "registries.conf"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTAINERS_REGISTRIES_CONF", str(path))
        path.write_text("")
        yield path


def allow(insecure: Path, address: str) -> str:
    insecure.write_text(f'[[registry]]\nlocation = "{address}"\ninsecure = true\n')
    return f"{address}/acme/kiln"


def image(tool: Tool, verb: str, *more: str, **environ: str) -> Ran:
    variables: dict[str, Any] = {f"WHEELKILN_{name}": value for name, value in environ.items()}
    options = ["--base", "bootstrap", "--cache-dir", str(tool.cache), "--engine", tool.engine]
    return tool.run("image", verb, str(tool.place), *options, *more, **variables)


def shown(tool: Tool, **environ: str) -> dict[str, Any]:
    ran = image(tool, "inspect", "--format", "json", **environ)
    assert ran.code == 0, ran.stderr
    view: dict[str, Any] = json.loads(ran.stdout)[0]
    return view


def engine(tool: Tool, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([tool.engine, *arguments], capture_output=True, text=True, check=False)


@needs_registry
def test_an_image_is_built_once_then_pushed_and_pulled(tool: Tool, tmp_path: Path, insecure: Path) -> None:
    with real_registry(tmp_path / "registry") as address:
        repository = allow(insecure, address)
        assert image(tool, "build").code == 0
        again = image(tool, "build")
        assert again.stdout.endswith("  present\n")
        assert again.stderr == ""

        view = shown(tool)
        assert view["present"]
        assert 0 < view["own_size"] < 600 << 20
        assert view["labels"]["io.wheelkiln.toolchain"].startswith("gcc ")
        assert view["labels"]["org.opencontainers.image.base.digest"]

        pushed = image(tool, "push", IMAGE_REPOSITORY=repository)
        assert pushed.code == 0, pushed.stderr
        assert engine(tool, "rmi", "--force", view["wanted"]).returncode == 0
        pulled = image(tool, "build", IMAGE_REPOSITORY=repository)
        assert pulled.stdout == f"{view['wanted']}  pulled\n", pulled.stderr
        assert shown(tool)["labels"] == view["labels"]


def test_the_image_is_a_plain_users_and_holds_no_secret_no_list_and_no_cache(tool: Tool, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    system = next(path for path in map(Path, _BUNDLES) if path.is_file())
    bundle.write_text(f"# {_SECRET}-ca\n{system.read_text()}")
    ran = image_with_secrets(tool, bundle)
    assert ran.code == 0, ran.stderr
    view = shown(tool, IMAGE_PACKAGES_DEB="libnuma-dev")
    found = engine(tool, "run", "--rm", "--network=none", view["wanted"], "id", "-u")
    assert found.stdout.strip() == "1000", found.stderr
    assert _SECRET not in engine(tool, "history", "--no-trunc", view["wanted"]).stdout
    assert _SECRET not in engine(tool, "image", "inspect", view["wanted"]).stdout
    names = set()
    for name, content in files_of_layers(tool, view["wanted"], tmp_path):
        names.add(name)
        assert _SECRET.encode() not in content, name
    left = [name for name in names if name.startswith(_LEFTOVERS)]
    assert left == []
    assert "usr/include/numa.h" in names  # or these were not the layers


_OCI = {"x86_64": "amd64", "aarch64": "arm64"}
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem")
_LEFTOVERS = (
    "var/lib/apt/lists/deb",
    "var/cache/apt/lists",
    "var/cache/apt/archives/lib",
    "var/cache/apt/pkgcache",
    "var/cache/wheelkiln-pip/",
    "root/.cache",
    "home/builder/.cache",
    "run/secrets/",
    "mnt/wheelkiln/s",
)


def image_with_secrets(tool: Tool, bundle: Path) -> Ran:
    """Build from scratch with passwords in an index and in a proxy variable, and with a bundle of one's own."""
    options = ["--base", "bootstrap", "--cache-dir", str(tool.cache), "--engine", tool.engine, "--no-cache"]
    return tool.run(
        "image",
        "build",
        str(tool.place),
        *options,
        WHEELKILN_IMAGE_PACKAGES_DEB="libnuma-dev",
        PIP_EXTRA_INDEX_URL=f"https://user:{_SECRET}@pypi.org/simple",
        no_proxy=f"{_SECRET}.example,{os.environ.get('no_proxy', '')}",
        SSL_CERT_FILE=str(bundle),
        PIP_CERT="",
    )


def files_of_layers(tool: Tool, reference: str, place: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file of every layer, and what is beside the layers under empty names."""
    archive = place / "image.tar"
    saved = engine(tool, "save", "--output", str(archive), reference)
    assert saved.returncode == 0, saved.stderr
    with tarfile.open(archive) as outer:
        for member in outer:
            if not member.isfile():
                continue
            stream = outer.extractfile(member)
            assert stream is not None
            try:
                layer = tarfile.open(fileobj=stream)  # noqa: SIM115 - closed below
            except tarfile.ReadError:  # a manifest or a configuration
                stream.seek(0)
                yield "", stream.read()
                continue
            with layer:
                for entry in layer:
                    content = layer.extractfile(entry) if entry.isfile() else None
                    yield entry.name.removeprefix("./"), content.read() if content else b""


def test_a_package_that_does_not_exist_is_named(tool: Tool) -> None:
    ran = image(tool, "build", IMAGE_PACKAGES_DEB="libno-such-thing-dev")
    assert ran.code == 6
    assert "Unable to locate package libno-such-thing-dev" in ran.stderr
    assert "image.packages" in ran.stderr
    assert not shown(tool, IMAGE_PACKAGES_DEB="libno-such-thing-dev")["present"]


def test_a_mirror_that_does_not_answer_is_named(tool: Tool) -> None:
    ran = image(tool, "build", IMAGE_MIRROR="http://127.0.0.1:9/debian")
    assert ran.code == 6
    assert "http://127.0.0.1:9/debian" in ran.stderr
    assert "image.mirror" in ran.stderr


def test_a_download_that_was_tampered_with_is_not_used(tool: Tool, tmp_path: Path) -> None:
    directory = tmp_path / "mirror/ccache/ccache/releases/download/v4.13.6"
    directory.mkdir(parents=True)
    for arch in ("x86_64", "aarch64"):
        (directory / f"ccache-4.13.6-linux-{arch}-musl-static.tar.xz").write_bytes(b"not what was pinned")
    with serve_directory(tmp_path / "mirror") as port:
        mirror = {"IMAGE_DOWNLOAD_MIRROR": f"http://{own_address()}:{port}"}
        ran = image(tool, "build", **mirror)
        assert ran.code == 6
        assert "has not the pinned SHA-256" in ran.stderr
        assert not shown(tool, **mirror)["present"]


def test_a_compiler_that_lacks_a_feature_is_named(tool: Tool) -> None:
    lacking = next(name for name in ("amx-fp16", "sme") if name not in shown(tool)["labels"]["io.wheelkiln.toolchain"])
    assert image(tool, "build", IMAGE_REQUIRES="x86-64-v3,dotprod").code == 0
    if lacking == "amx-fp16" and os.uname().machine == "x86_64":
        ran = image(tool, "build", IMAGE_REQUIRES=lacking)
        assert ran.code == 6
        assert "does not accept amx-fp16, which needs gcc >= 13" in ran.stderr


def names_of_images(tool: Tool) -> set[str]:
    return set(engine(tool, "images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split())


@needs_registry
@pytest.mark.parametrize("kind", ["asks for a login", "dies in the push"])
def test_a_registry_that_refuses_is_told(tool: Tool, tmp_path: Path, insecure: Path, kind: str) -> None:
    assert image(tool, "build").code == 0
    refusing = real_registry(tmp_path / "registry", login=True) if kind == "asks for a login" else dying_registry()
    with refusing as address:
        repository = allow(insecure, address)
        before = names_of_images(tool)
        ran = image(tool, "push", IMAGE_REPOSITORY=repository)
        assert ran.code == 6
        assert "could not be pushed" in ran.stderr
        assert ("logged in" if kind == "asks for a login" else "does not answer") in ran.stderr
        assert address in ran.stderr
        assert names_of_images(tool) <= before
    assert not list((tmp_path / "registry").rglob("_manifests/tags/*"))


def test_what_generate_image_writes_is_built_without_wheelkiln(tool: Tool, project: Any, tmp_path: Path) -> None:
    source = project("plain")
    written = tool.run("generate", "image", str(source), "--base", "bootstrap", "-o", str(tmp_path / "context"))
    assert written.code == 0, written.stderr
    assert sum(path.stat().st_size for path in (tmp_path / "context").rglob("*") if path.is_file()) < 112 << 10
    if tool.engine == "docker":
        bake = ["buildx", "bake", "--print", "--file", str(tmp_path / "context/docker-bake.json")]
        printed = json.loads(engine(tool, *bake).stdout)
        assert printed["target"]["image"]["platforms"] == ["linux/amd64", "linux/arm64"]
    build = (
        ["buildx", "build", "--output=type=cacheonly"]
        if tool.engine == "docker"
        else ["build", f"--platform=linux/{_OCI[os.uname().machine]}"]
    )
    secrets = [f"--secret=id=ca,src={path}" for path in _BUNDLES[:1] if Path(path).is_file()]
    done = engine(tool, *build, *secrets, "--target=finished", str(tmp_path / "context"))
    assert done.returncode == 0, done.stderr[-2000:]


def test_prune_keeps_what_is_used(tool: Tool) -> None:
    assert image(tool, "build").code == 0
    wanted = shown(tool)["wanted"]
    other = image(tool, "build", IMAGE_PACKAGES_DEB="libnuma1")
    assert other.code == 0, other.stderr
    old = other.stdout.split()[0]
    assert image(tool, "build").code == 0  # this is now what the project uses
    ran = image(tool, "prune")
    assert f"removed {old}\n" in ran.stdout
    assert engine(tool, "image", "inspect", old).returncode != 0
    assert engine(tool, "image", "inspect", wanted).returncode == 0
