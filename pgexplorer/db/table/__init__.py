"""A table from any place: how it can be read, a page of it, the part of it that is in memory; and its rows changed."""
