"""Each level that is installed, against sums in plain Python. One that this processor lacks is skipped, and said."""

import importlib
import pkgutil
import random
import struct
import unittest
from array import array

import simd_dot


def levels():
    """Yield the installed levels' names."""
    return sorted(module.name for module in pkgutil.iter_modules(simd_dot.__path__))


def rounded_to_bf16(value):
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    return struct.unpack("<f", struct.pack("<I", ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16) << 16 & 0xFFFFFFFF))[0]


class LevelTest(unittest.TestCase):
    def load(self, level):
        try:
            return importlib.import_module(f"simd_dot.{level}")
        except ImportError as error:
            if "needs a processor with" in str(error) or "does not let this process" in str(error):
                self.skipTest(str(error))
            raise

    def test_a_level_is_installed(self):
        self.assertTrue(levels())

    def test_the_level_is_the_compiled_one(self):
        for level in levels():
            with self.subTest(level):
                self.assertEqual(self.load(level).compiled_level(), level)

    def test_sums(self):
        for level in levels():
            for size in (0, 1, 3, 7, 8, 15, 16, 31, 32, 33, 63, 64, 65, 127, 1000):
                with self.subTest(level, size=size):
                    self.check(self.load(level), size)

    def check(self, kernels, size):
        pick = random.Random(size)
        a, b = (array("f", [pick.uniform(-1, 1) for _ in range(size)]) for _ in range(2))
        self.assertAlmostEqual(kernels.dot_f32(a, b), sum(x * y for x, y in zip(a, b)), delta=1e-4)
        halves = sum(rounded_to_bf16(x) * rounded_to_bf16(y) for x, y in zip(a, b))
        self.assertAlmostEqual(kernels.dot_bf16(a, b), halves, delta=1e-3)
        c, d = (array("b", [pick.randint(-128, 127) for _ in range(size)]) for _ in range(2))
        self.assertEqual(kernels.dot_i8(c, d), sum(x * y for x, y in zip(c, d)))

    def test_what_does_not_fit_is_refused(self):
        for level in levels():
            with self.subTest(level):
                kernels = self.load(level)
                self.assertRaises(ValueError, kernels.dot_f32, array("f", [1]), array("f", [1, 2]))
                self.assertRaises(TypeError, kernels.dot_i8, array("f", [1]), array("f", [1]))


if __name__ == "__main__":
    unittest.main()
