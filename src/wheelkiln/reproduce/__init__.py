"""Building a wheel again from its own record, and comparing."""
