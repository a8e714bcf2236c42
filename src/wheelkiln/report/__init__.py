"""Reports: plans, outcomes and findings as tables, text and JSON."""
