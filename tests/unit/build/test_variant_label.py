from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.archives import write_wheel
from tests.fakes import Answer, FakeRunner
from tests.values import make_config, make_facts, make_inputs
from wheelkiln.build.members import add_members
from wheelkiln.build.variant_label import label_text, labelled_name, properties_of
from wheelkiln.config.variants import VariantConfig
from wheelkiln.errors import ConfigError
from wheelkiln.plan.make import make_plan
from wheelkiln.plan.matrix import refuse_collisions
from wheelkiln.system.files import sha256_of
from wheelkiln.verify.checks import Expectation, check_wheel
from wheelkiln.verify.tags import serves
from wheelkiln.verify.variant_label import VARIANT_MEMBER

_V4 = {"isa": ["x86-64-v4", "avx512bf16", "amxbf16", "sse4.2", "avx512vl"], "label": "x86_64_v4_bf16"}
_ARM = {"label": "arm", "properties": {"aarch64": {"version": ["8.2a"]}}}
_CONFIG = make_config({"experimental": ["wheel-variants"], "variants": {"v4": _V4, "arm": _ARM, "plain": {}}})


def _labelled(place: Path) -> Path:
    wheel, variant = write_wheel(place), _CONFIG.variants["v4"]
    target = wheel.with_name(labelled_name(wheel.name, variant.label))
    return add_members(wheel, target, {VARIANT_MEMBER: label_text(variant, _CONFIG)})


def test_the_label_is_in_the_name_and_explained_inside(tmp_path: Path) -> None:
    wheel = _labelled(tmp_path)
    assert wheel.name == "kern-1.2-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64-x86_64_v4_bf16.whl"
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read("kern-1.2.dist-info/variant.json")
        record = archive.read("kern-1.2.dist-info/RECORD").decode()
        assert archive.namelist()[-1] == "kern-1.2.dist-info/RECORD"
    table = json.loads(text)
    assert table["default-priorities"] == {"namespace": ["aarch64", "x86_64"]}, "those of all variants, in one order"
    assert table["variants"] == {
        "x86_64_v4_bf16": {
            "x86_64": {
                "level": ["v4"],
                "avx512_bf16": ["on"],
                "amx_bf16": ["on"],
                "sse4_2": ["on"],
                "avx512vl": ["on"],
            }
        }
    }
    digest = base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()
    assert f"kern-1.2.dist-info/variant.json,sha256={digest},{len(text)}\n" in record


def test_equal_wheels_stay_equal_and_all_else_is_kept(tmp_path: Path) -> None:
    one, other = _labelled(tmp_path / "a"), _labelled(tmp_path / "b")
    assert sha256_of(one) == sha256_of(other)
    with zipfile.ZipFile(write_wheel(tmp_path / "c")) as plain, zipfile.ZipFile(one) as labelled:
        for entry in plain.infolist():
            if not entry.filename.endswith("RECORD"):
                kept = labelled.getinfo(entry.filename)
                assert labelled.read(kept) == plain.read(entry)
                assert (kept.date_time, kept.external_attr) == (entry.date_time, entry.external_attr)


def test_a_labelled_wheel_is_checked_as_what_it_is_below_its_label(tmp_path: Path) -> None:
    wheel = _labelled(tmp_path)
    answer = Answer(json.dumps({"overall_tag": "manylinux_2_17_x86_64"}))
    runner = FakeRunner({"python -m auditwheel show --json": answer})

    def codes(path: Path, identifier: str = "cp312-manylinux_x86_64") -> list[str]:
        found = check_wheel(path, Expectation("kern", "1.2", identifier), runner)
        assert {finding.subject for finding in found} <= {path.name}
        return [finding.code for finding in found]

    assert codes(wheel) == []
    assert codes(wheel, "cp313-manylinux_x86_64") == ["python-tag"]
    assert codes(wheel.rename(wheel.with_name(wheel.name.replace("v4_bf16", "v4")))) == ["variant-label"]
    plain = write_wheel(tmp_path / "plain")
    assert codes(plain.rename(plain.with_name(f"{plain.stem}-x.whl"))) == ["variant-label"]


@pytest.mark.parametrize(
    ("name", "serving"),
    [
        ("kern-1.2-cp312-cp312-manylinux_2_17_x86_64-x86_64_v4.whl", True),
        ("kern-1.2-1-cp312-cp312-manylinux_2_17_x86_64-x86_64_v4.whl", True),
        ("kern-1.2-1-cp312-cp312-manylinux_2_17_x86_64.whl", True),
        ("kern-1.2-cp311-cp311-manylinux_2_17_x86_64-cp312.whl", False),
        ("kern-1.2-cp312-cp312-manylinux_2_17_x86_64-UP.whl", False),
    ],
)
def test_a_label_is_told_from_a_build_tag(name: str, serving: bool) -> None:
    assert serves(name, "cp312-manylinux_x86_64") is serving


def _plan(**variants: dict[str, Any]) -> list[str]:
    table = {"experimental": ["wheel-variants"], "python": ["cp312"], "variants": variants}
    plans = [make_plan(make_inputs(table, facts=make_facts(), variant=name)) for name in variants]
    refuse_collisions(plans)
    return [job.label for plan in plans for job in plan.jobs]


def test_labels_keep_variants_of_one_name_apart() -> None:
    assert _plan(v4=_V4, plain={}) == ["x86_64_v4_bf16", ""]
    with pytest.raises(ConfigError, match="v4 and v5 would make the same wheel"):
        _plan(v4=_V4, v5=_V4)


def test_a_label_needs_the_experiment_and_a_meaning() -> None:
    with pytest.raises(ConfigError, match=r"variants\.v4\.label: wheel variants are a draft"):
        make_plan(make_inputs({"variants": {"v4": _V4}}, variant="v4"))
    with pytest.raises(ConfigError, match="nothing says what 'x' stands for"):
        _plan(x={"label": "x", "isa": ["x86-64-v3", "armv8.2-a"]})
    with pytest.raises(ConfigError) as caught:
        make_config({"variants": {"x": {"label": "null"}}})
    assert caught.value.problems == ("variants.x.label: the label 'null' is reserved for wheels that need nothing",)


def test_own_properties_stand() -> None:
    own = VariantConfig.model_validate({**_V4, "properties": {"blas": {"library": ["mkl"]}}})
    assert properties_of(own) == {"blas": {"library": ("mkl",)}}
