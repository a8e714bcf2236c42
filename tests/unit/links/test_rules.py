from __future__ import annotations

import pytest
from link_rules import Link, Refused, expand_response_files, is_probe, parse_link


def _read(name: str) -> str:
    return {"rsp": "-flto a.o\n b.o", "quotes": '-flto "a b.o"', "nested": "-flto @rsp", "plain": '"a b.o"'}[name]


def _parse(text: str) -> Link:
    return parse_link(["gcc", *text.split()], _read)


@pytest.mark.parametrize(
    "text",
    [
        "-shared -flto a.o b.o -o c.so",
        "-flto=auto -O3 a.o -oc",
        "-flto=thin -fuse-ld=lld --target=x86_64-linux-gnu a.o -o c",
        "-fno-lto -flto a.o -o c",
        "-pthread -shared -Wl,-O1 -Wl,-Bsymbolic-functions -Wl,-z,relro -g -fwrapv -flto a.o -L/usr/lib -lm -o c.so",
        "-flto -fPIC -DNDEBUG -D X -I/usr/include -isystem /x -std=c++17 -march=x86-64-v3 a.o libb.a libc.so.6 -o c.so",
        "-flto -Wl,-soname,c.so -Wl,-rpath,$ORIGIN:/x -Wl,--version-script=/v.map -Wl,--exclude-libs,ALL a.o -o c.so",
        "-flto -Wl,--whole-archive a.a -Wl,--no-whole-archive -Wl,--build-id=sha1 -Wl,--hash-style=gnu -o c.so",
        "-flto -Xlinker -rpath -Xlinker /x -Wl,-( -lm -lc -Wl,-) -u main a.o -o c",
        "-flto -static-libgcc -static-libstdc++ -Wl,--start-group a.a -Wl,--end-group -s -pie a.lo -o c",
    ],
)
def test_links_that_can_be_kept(text: str) -> None:
    link = _parse(text)
    assert (link.compiler, link.arguments) == ("gcc", tuple(text.split()))
    assert link.output in ("c", "c.so")


@pytest.mark.parametrize(
    "text",
    [
        "-flto -c a.c -o a.o",
        "-flto -E a.c -o a.i",
        "-flto -S a.c -o a.s",
        "-shared a.o -o c.so",
        "-flto -fno-lto a.o -o c",
        "-flto-partition=one a.o -o c",
        "@plain -o c",
    ],
)
def test_what_is_no_lto_link_is_passed_over_in_silence(text: str) -> None:
    with pytest.raises(Refused) as caught:
        _parse(text)
    assert str(caught.value) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a.o", "no output, or several"),
        ("a.o -o c -o d", "no output, or several"),
        ("a.o -o", "no output, or several"),
        ("a.o -Wl,--dependency-file=c.d -Wl,--dependency-file,d.d -o c", "no output, or several"),
        ("a.c -o c", "a.c"),
        ("a -o c", "a"),
        ("- -o c", "-"),
        ("-x c a.o -o c", "-x"),
        ("a.o -Wl,-Map=c.map -o c", "-Wl,-Map"),
        ("a.o -Wl,-Map,c.map -o c", "-Wl,-Map"),
        ("a.o -Xlinker -Map -Xlinker c.map -o c", "-Wl,-Map"),
        ("a.o -Wl,--out-implib=c.lib -o c", "-Wl,-out-implib"),
        ("a.o -Wl,--build-id=uuid -o c", "-Wl,-build-id"),
        ("a.o -Wl,-T,script.ld -o c", "-Wl,-T"),
        ("a.o -Wl,@more -o c", "-Wl,@more"),
        ("a.o -Wl,--plugin-opt=cache-dir=x -o c", "-Wl,-plugin-opt"),
        ("a.o -Wl,--thinlto-cache-dir=x -o c", "-Wl,-thinlto-cache-dir"),
        ("a.o -T script.ld -o c", "-T"),
        ("a.o -specs=x -o c", "-specs"),
        ("a.o -save-temps -o c", "-save-temps"),
        ("a.o -v -o c", "-v"),
        ("a.o -### -o c", "-###"),
        ("a.o -r -o c", "-r"),
        ("a.o -B/tools -o c", "-B/tools"),
        ("a.o -MD -o c", "-MD"),
        ("a.o -fprofile-use=x -o c", "-fprofile-use"),
        ("a.o -fprofile-generate -o c", "-fprofile-generate"),
        ("a.o --coverage -o c", "--coverage"),
        ("a.o -fplugin=x.so -o c", "-fplugin"),
        ("a.o -fdump-tree-all -o c", "-fdump-tree-all"),
        ("a.o -flto-report -o c", "-flto-report"),
        ("a.o -gsplit-dwarf -o c", "-gsplit-dwarf"),
        ("a.o -fopt-info=x -o c", "-fopt-info"),
        ("a.o -foffload=nvptx-none -o c", "-foffload"),
        ("a.o -Wa,-alh=listing -o c", "-Wa,-alh"),
        ("a.o -l:first.o -o c", "-l:first.o"),
        ("a.o -Wl,-l:first.o -o c", "-Wl,-l:first.o"),
        ("a.o -l m -o c", "m"),
        ("@quotes -o c", "response file with quotes"),
        ("@nested -o c", "response file with quotes"),
    ],
)
def test_what_is_unusual_is_left_to_the_linker(text: str, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        _parse(f"-flto {text}")
    assert str(caught.value) == reason


@pytest.mark.parametrize("text", ["--dependency-file=c.d", "--dependency-file,c.d", "-O1,--dependency-file=c.d,-s"])
def test_a_dependency_file_of_ones_own_is_a_second_output(text: str) -> None:
    assert _parse(f"-flto a.o -Wl,{text} -o c").listing == "c.d"
    assert _parse("-flto a.o -o c").listing == ""


def test_response_files_are_read() -> None:
    assert _parse("@rsp -o c").arguments == ("-flto", "a.o", "b.o", "-o", "c")


def test_a_command_too_long_to_be_asked_about_is_left_alone() -> None:
    with pytest.raises(Refused, match="long command"):
        expand_response_files(["@long"], lambda _: "-flto " + "a.o " * 200_000)


@pytest.mark.parametrize(
    ("directory", "output", "probe"),
    [
        ("/tmp/wheelkiln/build", "module.so", False),
        ("/tmp/wheelkiln/build/CMakeFiles/CMakeScratch/TryCompile-Xy", "cmTC_1", True),
        ("/tmp/wheelkiln/build/CMakeFiles/_CMakeLTOTest-CXX/bin", "boo", True),
        ("/tmp/wheelkiln/build", "/b/meson-private/tmp1/output.exe", True),
    ],
)
def test_links_of_configure_steps(directory: str, output: str, probe: bool) -> None:
    assert is_probe(directory, ["gcc", "a.o", "-o", output]) is probe
