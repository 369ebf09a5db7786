"""The SQL that makes an object again."""
