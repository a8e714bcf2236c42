from __future__ import annotations

import pytest

from wheelkiln.verify.machine_code.names import identifiers_of


@pytest.mark.parametrize(
    ("name", "identifiers"),
    [
        ("dot_avx2", "dot_avx2"),
        ("_ZN4kern6avx5123dotEPKf", "kern::avx512::dot"),
        ("_Z10sort_n_vecI11avx2_vectorIjELi32EEvPNT_6type_tEi", "sort_n_vec::avx2_vector::type_t"),
        ("_ZSt13__heap_selectIPdN9__gnu_cxx5__ops4IterEEvT_S9_T0_", "__heap_select::__gnu_cxx::__ops::Iter"),
        ("_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write"),
        ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
        ("_Z", "_Z"),
        ("_Z9999999999999999999x", "x"),
    ],
)
def test_identifiers(name: str, identifiers: str) -> None:
    assert identifiers_of(name).endswith(identifiers)
