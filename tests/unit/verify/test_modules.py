from __future__ import annotations

from wheelkiln.verify.modules import find_modules


def test_packages_and_extension_modules_are_found() -> None:
    modules = find_modules(
        [
            "kern/__init__.py",
            "kern/sub/__init__.py",
            "kern/sub/_fast.cpython-312-x86_64-linux-gnu.so",
            "kern/_core.abi3.so",
            "kern/plain.so",
            "single.py",
            "_alone.cpython-312-x86_64-linux-gnu.so",
            "kern-1.2.dist-info/METADATA",
        ]
    )
    assert modules.top == ("_alone", "kern", "single")
    assert modules.extensions == ("kern._core", "kern.plain", "kern.sub._fast")
    assert modules.native


def test_members_of_the_data_directory_count_where_they_are_installed() -> None:
    modules = find_modules(["kern-1.2.data/platlib/kern/__init__.py", "kern-1.2.data/platlib/kern/_core.abi3.so"])
    assert (modules.top, modules.extensions) == (("kern",), ("kern._core",))


def test_libraries_are_machine_code_and_no_modules() -> None:
    modules = find_modules(["kern/__init__.py", "kern.libs/libomp-1a2b.so.5", "kern/no-module.so"])
    assert modules.extensions == ()
    assert modules.native


def test_a_package_that_is_an_extension_module() -> None:
    assert find_modules(["kern/sub/__init__.cpython-312-x86_64-linux-gnu.so"]).extensions == ("kern.sub",)


def test_a_pure_wheel_has_no_machine_code() -> None:
    assert not find_modules(["kern/__init__.py", "kern/data.txt", "kern-1.2.dist-info/RECORD"]).native
