"""Each kernel against a plain Python version of it, for every size and type; no more than the standard library."""

import cmath
import random
import statistics
import unittest
from array import array

import shared_core


def random_numbers(count, code="d"):
    numbers = random.Random(count)
    if code in "fd":
        return array(code, [numbers.uniform(-1, 1) for _ in range(count)])
    return array(code, [numbers.randrange(120) for _ in range(count)])


def as_complex(pairs):
    return [complex(*pair) for pair in zip(pairs[::2], pairs[1::2])]


def plain_product(left, right, n):
    rows = [
        [sum(left[row * n + k] * right[k * n + column] for k in range(n)) for column in range(n)] for row in range(n)
    ]
    return [cell for row in rows for cell in row]


class Matrices(unittest.TestCase):
    def assert_near(self, got, wanted, code="d"):
        self.assertEqual(len(got), len(wanted))
        worst = max(abs(one - other) for one, other in zip(got, wanted))
        self.assertLess(worst, 1e-2 if code == "f" else 1e-9)

    def test_products_of_real_matrices(self):
        for code in "fd":
            for n in range(1, 15):
                left, right = random_numbers(2 * n * n, code), random_numbers(2 * n * n + 1, code)[1:]
                got = shared_core.multiply(left, right, n)
                wanted = plain_product(left[: n * n], right[: n * n], n) + plain_product(
                    left[n * n :], right[n * n :], n
                )
                self.assert_near(got, wanted, code)

    def test_products_of_complex_matrices(self):
        for code in "fd":
            for n in range(1, 15):
                left, right = random_numbers(2 * n * n, code), random_numbers(2 * n * n + 1, code)[1:]
                got = shared_core.multiply(left, right, n, pairs=True)
                self.assert_near(as_complex(got), plain_product(as_complex(left), as_complex(right), n), code)

    def test_a_matrix_times_its_inverse_is_one(self):
        for code in "fd":
            for pairs in (False, True):
                for n in range(1, 15):
                    width = 2 if pairs else 1
                    matrix = random_numbers(width * n * n, code)
                    for place in range(n):
                        matrix[place * (n + 1) * width] += 2 * n
                    inverse = shared_core.invert(matrix, n, pairs=pairs)
                    got = shared_core.multiply(matrix, inverse, n, pairs=pairs)
                    one = [float(row == column) for row in range(n) for column in range(n)]
                    self.assert_near(as_complex(got) if pairs else got, one, code)

    def test_determinants(self):
        self.assertEqual(list(shared_core.determinant(array("d", [1, 2, 3, 4, 0, 1, 1, 0]), 2)), [-2, -1])
        self.assertEqual(list(shared_core.determinant(array("d", [0, 1, 1, 0]), 1)), [0, 1, 1, 0])

    def test_determinant_of_a_triangle(self):
        for n in range(1, 15):
            matrix = array("d", [float(column + 1 if column >= row else 0) for row in range(n) for column in range(n)])
            expected = 1
            for factor in range(1, n + 1):
                expected *= factor
            self.assertAlmostEqual(shared_core.determinant(matrix, n)[0] / expected, 1)

    def test_without_inverse(self):
        with self.assertRaisesRegex(ValueError, "no inverse"):
            shared_core.invert(array("d", [1, 2, 2, 4]), 2)

    def test_what_does_not_fit_is_refused(self):
        for left, right, size in (
            (array("d", [1] * 5), array("d", [1] * 5), 2),
            (array("d", [1] * 4), array("d", [1] * 8), 2),
            (array("d", [1] * 4), array("f", [1] * 4), 2),
            (array("i", [1] * 4), array("i", [1] * 4), 2),
            (array("d", [1] * 225), array("d", [1] * 225), 15),
        ):
            with self.assertRaises(ValueError):
                shared_core.multiply(left, right, size)


class Fourier(unittest.TestCase):
    def test_against_the_sum(self):
        for code, limit in (("f", 1e-3), ("d", 1e-9)):
            for n in (1, 2, 4, 8, 64, 128, 256):
                pairs = random_numbers(2 * n, code)
                values = as_complex(pairs)
                got = as_complex(shared_core.transform(pairs))
                for place in range(n):
                    turn = -2j * cmath.pi * place / n
                    wanted = sum(value * cmath.exp(turn * index) for index, value in enumerate(values))
                    self.assertLess(abs(got[place] - wanted), limit)

    def test_there_and_back(self):
        for exponent in range(15):
            pairs = random_numbers(2 << exponent)
            back = shared_core.transform(shared_core.transform(pairs), inverse=True)
            self.assertLess(max(abs(one - other) for one, other in zip(back, pairs)), 1e-12)

    def test_other_counts_are_refused(self):
        for count in (0, 3, 6):
            with self.assertRaises(ValueError):
                shared_core.transform(array("d", [0] * count))


class Median(unittest.TestCase):
    def test_every_window_and_type(self):
        for code in "Bhifd":
            for window in range(3, 64, 2):
                values = random_numbers(100, code)
                wanted = [statistics.median(values[at : at + window]) for at in range(len(values) - window + 1)]
                self.assertEqual(list(shared_core.moving_median(values, window)), wanted)

    def test_fewer_values_than_the_window(self):
        self.assertEqual(len(shared_core.moving_median(array("d", [1, 2]), 3)), 0)

    def test_even_windows_are_refused(self):
        with self.assertRaises(ValueError):
            shared_core.moving_median(array("d", [1] * 9), 4)


if __name__ == "__main__":
    unittest.main()
