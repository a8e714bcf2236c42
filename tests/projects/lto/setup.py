"""An extension of two sources that the linker optimises as one program."""

from setuptools import Extension, setup

setup(
    name="lto-kernel",
    version="1.0",
    ext_modules=[
        Extension(
            "lto_kernel",
            ["csrc/binding.c", "csrc/core.c"],
            libraries=["m"],
            extra_compile_args=["-flto"],
            extra_link_args=["-flto=2", "-Wl,--exclude-libs,ALL"],
        )
    ],
)
