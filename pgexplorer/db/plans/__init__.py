"""EXPLAIN: what is sent, what comes back, and what of it stands out."""
