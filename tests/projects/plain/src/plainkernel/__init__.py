from plainkernel._kernel import twice

__all__ = ["twice"]
