"""Rows to a file, whole or not at all; a file to rows, whole or not at all."""
