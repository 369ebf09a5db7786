"""Widgets that know Qt and nothing of this program."""
