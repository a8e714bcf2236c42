from shapes cimport Number


def double(Number value):
    return value * 2
