from __future__ import annotations

from pathlib import Path

import pytest

from tests.archives import write_wheel
from tests.elves import TEXT, Part, make_elf
from tests.fakes import Answer, FakeRunner
from wheelkiln.config.variants import VariantConfig
from wheelkiln.config.verify import IsaConfig, VerifyConfig
from wheelkiln.errors import ConfigError
from wheelkiln.verify.checks import Expectation, check_wheel
from wheelkiln.verify.findings import Severity
from wheelkiln.verify.isa import check_isa, judge_files
from wheelkiln.verify.machine_code.declared import Declaration
from wheelkiln.verify.machine_code.model import UNKNOWN, Caller, FileCode, FunctionCode
from wheelkiln.verify.rules.model import Level

_VADDPS_YMM = bytes.fromhex("c5f458c2c3")
_LIBRARY = make_elf([Part("dot_avx2", _VADDPS_YMM), Part("dot", b"\x90\xc3")])


def _wheel(tmp_path: Path, content: bytes = _LIBRARY, name: str = "kern/kern.so") -> Path:
    return write_wheel(tmp_path, files={name: content})


def _declare(*isa: str, **config: object) -> Declaration:
    return Declaration.of(IsaConfig.model_validate(config), isa)


def _function(address: int, *referrers: int, name: str = "") -> FunctionCode:
    return FunctionCode(name, address, 16, (("avx", address),), referrers)


def test_code_that_needs_more_than_the_variant_declares(tmp_path: Path) -> None:
    (finding,) = check_isa(_wheel(tmp_path), _declare("x86-64-v2"))
    assert (finding.code, finding.severity) == ("isa-exceeds", Severity.ERROR)
    assert finding.message == "kern/kern.so needs x86-64-v3 in 1 function, and x86-64-v2 is declared"
    assert finding.details == (f"dot_avx2: avx at 0x{TEXT:x}",)


@pytest.mark.parametrize(
    "declared",
    [
        _declare("x86-64-v3"),
        _declare("avx"),
        _declare(baseline=["x86-64-v4"]),
        _declare("x86-64-v2", files={"kern/*.so": ["x86-64-v3"]}),
        _declare("x86-64-v2", dispatch=["*_avx2"]),
    ],
)
def test_what_is_declared_is_allowed(tmp_path: Path, declared: Declaration) -> None:
    assert check_isa(_wheel(tmp_path), declared) == ()


@pytest.mark.parametrize("declared", [Declaration(), _declare("armv8.2-a"), _declare(files={"other*": ["x86-64-v3"]})])
def test_without_a_declaration_it_is_a_warning_for_the_wheel(tmp_path: Path, declared: Declaration) -> None:
    (finding,) = check_isa(_wheel(tmp_path), declared)
    assert (finding.code, finding.severity) == ("isa-undeclared", Severity.WARNING)
    assert finding.details[0] == "kern/kern.so: x86-64-v3 in 1 function"


def test_the_variant_goes_before_the_baseline(tmp_path: Path) -> None:
    declared = _declare("x86-64-v2", baseline=["x86-64-v4"])
    assert [one.code for one in check_isa(_wheel(tmp_path), declared)] == ["isa-exceeds"]


def test_a_declaration_that_is_none_names_its_key() -> None:
    with pytest.raises(ConfigError, match=r'verify.isa.files."a\*": .x86-64-v5. is no level'):
        _declare(files={"a*": ["x86-64-v5"]})


def test_long_lists_are_cut_and_say_so() -> None:
    functions = tuple(_function(TEXT + 16 * at) for at in range(30))
    (finding,) = judge_files("kern.whl", iter([FileCode("kern.so", "x86_64", functions)]), _declare("x86-64-v2"))
    assert len(finding.details) == 11
    assert finding.details[-1] == "and 20 more functions, 30 in all"


def test_what_only_dispatched_functions_refer_to_is_dispatched() -> None:
    declared = _declare("x86-64-v2", dispatch=["*_avx2"])
    kernel, helper, deep, shared, pointed = (
        _function(1, UNKNOWN, name="dot_avx2"),
        _function(2, 1),
        _function(3, 2, 10),
        _function(4, 1, 11),
        _function(5, UNKNOWN, 1),
    )
    callers = {10: Caller("thread", (12,)), 11: Caller("dot", (UNKNOWN,)), 12: Caller("start_avx2", (UNKNOWN,))}
    file = FileCode("kern.so", "x86_64", (kernel, helper, deep, shared, pointed), callers)
    assert declared.exceeding(file) == (shared, pointed)


@pytest.mark.parametrize("name", ["dot.avx2", "dot.avx512f.0", "dot.arch_x86_64_v3", "dot.arch_haswell.cold"])
def test_clones_are_dispatched(name: str) -> None:
    assert Declaration().exceeding(FileCode("kern.so", "x86_64", (_function(1, name=name),))) == ()


@pytest.mark.parametrize("name", ["dot.cold", "dot.part.0", "avx2"])
def test_other_parts_of_functions_are_not(name: str) -> None:
    assert Declaration().exceeding(FileCode("kern.so", "x86_64", (_function(1, name=name),)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_LIBRARY[:-9], "kern/kern.so cannot be decoded: its section table is cut off"),
        (
            make_elf([Part("f", b"\x06\xc3")]),
            "kern/kern.so has 1 places that are reached and hold no known instruction",
        ),
        (
            make_elf([Part("f", b"\xc3" * 8192, 8)]),
            "only 0 % of the code in kern/kern.so belongs to functions that can be told from data",
        ),
    ],
)
def test_what_cannot_be_decoded(tmp_path: Path, content: bytes, message: str) -> None:
    (finding,) = check_isa(_wheel(tmp_path, content), Declaration())
    assert (finding.code, finding.message) == ("isa-undecodable", message)


@pytest.mark.parametrize("content", [make_elf([Part("f", b"\xc3")], machine=3), b"!<arch>\n", b"GROUP ( x )", b""])
def test_what_is_not_looked_into_is_no_finding(tmp_path: Path, content: bytes) -> None:
    assert check_isa(_wheel(tmp_path, content), Declaration()) == ()


@pytest.mark.parametrize(("noted", "codes"), [(0, []), (1, ["isa-property-note"]), (3, []), (4, ["isa-property-note"])])
def test_the_property_note(noted: int, codes: list[str]) -> None:
    file = FileCode("kern.so", "x86_64", (_function(1),), noted_level=noted)
    found = judge_files("kern.whl", iter([file]), Declaration())
    assert [one.code for one in found if one.code != "isa-undeclared"] == codes


def test_a_build_checks_it_and_rules_can_be_off(tmp_path: Path) -> None:
    wheel = _wheel(tmp_path)
    runner = FakeRunner({"python -m auditwheel": Answer('{"overall_tag": "manylinux_2_17_x86_64"}')})
    declared = _declare("x86-64-v2")
    (finding,) = check_wheel(wheel, Expectation(machine_code=declared), runner)
    assert finding.code == "isa-exceeds"
    levels = {"isa-exceeds": Level.OFF}
    assert check_wheel(wheel, Expectation(machine_code=declared, levels=levels), runner) == ()


def test_wheels_of_variants_are_told_apart() -> None:
    variants = {"wide": VariantConfig(isa=("x86-64-v4",)), "plain": VariantConfig()}
    base = Expectation.configured(VerifyConfig(isa=IsaConfig(baseline=("x86-64-v2",))), variants=variants)
    levels = [base.of_variant(name).machine_code.isas[0].level for name in ("wide", "plain", "default")]
    assert levels == ["x86-64-v4", "x86-64-v2", "x86-64-v2"]
