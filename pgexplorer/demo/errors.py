"""What a demo server can refuse with, in plain words."""


class DemoUnavailable(Exception):
    """The demo server cannot run here: the text says what is missing and, where there is one, the line that helps."""
