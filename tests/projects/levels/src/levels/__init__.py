from levels._kernel import total

__all__ = ["total"]
