"""The quick start's main job: build a real project cold and warm, then install and import every wheel.

Run it by ./ci/quickstart, which sets up what is missing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "build" / "quickstart"
WHEELHOUSE = PLACE / "wheelhouse"


def main() -> int:
    """Run the steps; any that fails ends the run with its exit status."""
    parser = argparse.ArgumentParser(prog="ci/quickstart", description="Build a real project, cold and then warm.")
    parser.add_argument("--project", default="brotli==1.1.0", help="a release on the package index")
    parser.add_argument("--import-name", default="brotli", help="what to import from its wheels")
    parser.add_argument("--base", help="base of the image; default: pypa where its registry answers, else bootstrap")
    parser.add_argument("--engine", choices=["none"], help="build in place, with this machine's own tools")
    options = parser.parse_args()
    in_place = options.engine == "none"
    for old in (PLACE / "cache", WHEELHOUSE):
        shutil.rmtree(old, ignore_errors=True)

    how = ["--engine", "none"] if in_place else ["--base", options.base or choose_base()]
    if not in_place:
        say(f"the image, base {how[1]}")
        run("image", "build", *how, "--cache-dir", str(PLACE / "cache"))
    say("cold: empty caches")
    cold = build(options.project, *how)
    say("warm: the same again, nothing but the caches kept")
    warm = build(options.project, *how, "--fresh")
    say("unchanged: into an empty directory")
    shutil.rmtree(WHEELHOUSE)
    unchanged = build(options.project, *how)
    say("each wheel in a fresh environment of its Python")
    if in_place:
        install_here(warm, options.import_name)
    else:
        install_and_import(warm, options.import_name)
    report(cold, warm, unchanged)
    if in_place:
        report_lacks(warm)
    return 0


def choose_base() -> str:
    """Take the official image where its registry answers, else make a base from this distribution's packages."""
    done = subprocess.run([wheelkiln(), "doctor", "--format", "json"], capture_output=True, text=True, check=False)
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    return "pypa" if checks["registry"]["status"] == "ok" else "bootstrap"


def build(project: str, *options: str) -> dict[str, Any]:
    """Run 'wheelkiln build' and return its manifest."""
    caches = ["--cache-dir", str(PLACE / "cache")]
    run("build", project, *caches, "--output-dir", str(WHEELHOUSE), *options)
    manifest: dict[str, Any] = json.loads((WHEELHOUSE / "wheelkiln-manifest.json").read_text(encoding="utf-8"))
    return manifest


def run(*arguments: str) -> None:
    """Run a command of wheelkiln and show it; end as it ends when it fails."""
    print("$", " ".join(["wheelkiln", *arguments]), flush=True)
    done = subprocess.run([wheelkiln(), *arguments], check=False, cwd=ROOT)
    if done.returncode:
        sys.exit(done.returncode)


def install_and_import(manifest: dict[str, Any], name: str) -> None:
    """Use the image's own interpreters, so that this machine needs none; the containers have no network."""
    engine = next(tool for tool in manifest["tools"] if tool in {"docker", "podman"})
    for job in manifest["jobs"]:
        if job["wheel"] is None:
            continue
        tag = job["identifier"].partition("-")[0]
        script = (
            f"/opt/python/{tag}-{tag}/bin/python -m venv /tmp/fresh && "
            '/tmp/fresh/bin/pip install -q --disable-pip-version-check --no-index --no-deps "/wheels/$1" && '
            'cd /tmp && /tmp/fresh/bin/python -c "import sys, importlib; '
            "module = importlib.import_module(sys.argv[1]); "
            "print(sys.version.split()[0], 'imported', module.__name__, 'from', module.__file__)\" \"$2\""
        )
        command = [engine, "run", "--rm", "--network=none", f"--volume={WHEELHOUSE}:/wheels:ro", job["image"]]
        subprocess.run([*command, "bash", "-c", script, "bash", job["wheel"]["name"], name], check=True)


def install_here(manifest: dict[str, Any], name: str) -> None:
    """Use this machine's interpreters, which built the wheels."""
    from wheelkiln.system.host import read_host
    from wheelkiln.system.in_place_facts import find_own_interpreters

    interpreters = {found.tag: found for found in find_own_interpreters(read_host())}
    code = (
        "import sys, importlib; module = importlib.import_module(sys.argv[1]); "
        "print(sys.version.split()[0], 'imported', module.__name__, 'from', module.__file__)"
    )
    for job in manifest["jobs"]:
        if job["wheel"] is None:
            continue
        found = interpreters[job["identifier"].partition("-")[0]]
        fresh = PLACE / "fresh" / found.tag
        shutil.rmtree(fresh, ignore_errors=True)
        venv = [str(found.prefix / f"bin/python{found.short_version}"), "-m", "venv", "--without-pip", str(fresh)]
        subprocess.run(venv, check=True)
        pip = [sys.executable, "-m", "pip", "--python", str(fresh / "bin/python"), "install", "-q", "--no-index"]
        wheel = str(WHEELHOUSE / job["wheel"]["name"])
        subprocess.run([*pip, "--disable-pip-version-check", "--no-deps", wheel], check=True)
        subprocess.run([str(fresh / "bin/python"), "-c", code, name], check=True, cwd=fresh)


def report_lacks(manifest: dict[str, Any]) -> None:
    """Say what a container engine would have given."""
    say("what could not be done here, because no container engine answers")
    for skipped in manifest["skipped"]:
        print(f"not built: {skipped['id']}: {skipped['detail']}")
    print("no image was made, and no build had a container: see docs/how-to/in-place.md for what differs")


def report(cold: dict[str, Any], warm: dict[str, Any], unchanged: dict[str, Any]) -> None:
    """Print the runs' times and hit rates: the ratio is what carries over to other machines."""
    say("result")
    for title, manifest in (("cold", cold), ("warm", warm)):
        statistics = [job["statistics"] for job in manifest["jobs"] if job["statistics"]]
        hits = sum(entry["hits"] for entry in statistics)
        calls = hits + sum(entry["misses"] for entry in statistics)
        print(
            f"{title}: {len(manifest['jobs'])} wheels in {manifest['seconds']:.1f} s, "
            f"{hits} of {calls} compilations from the cache"
        )
    print(f"unchanged: {len(unchanged['jobs'])} wheels in {unchanged['seconds']:.1f} s, from the wheel store")
    saved = 100 * (1 - warm["seconds"] / cold["seconds"])
    print(f"the warm build took {saved:.0f} % less time; the wheels are in {WHEELHOUSE}")


def wheelkiln() -> str:
    """The program of this checkout's environment."""
    return str(Path(sys.executable).parent / "wheelkiln")


def say(text: str) -> None:
    """Print a heading."""
    print(f"\n== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
