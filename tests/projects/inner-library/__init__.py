from inner_library._binding import answer

__all__ = ["answer"]
