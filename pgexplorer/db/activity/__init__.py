"""The server's sessions, and a pooler's."""
