"""Places in a text: Python counts code points, Qt counts UTF-16 units. The two differ behind the first emoji."""


def units(text: str, position: int) -> int:
    """Turn Python's *position* in *text* into Qt's."""
    before = text[:position]
    return len(before) if before.isascii() else len(before) + sum(character > "\uffff" for character in before)


def code_points(text: str, place: int) -> int:
    """Turn Qt's *place* in *text* into Python's; a place inside a pair is the one before it."""
    if text[:place].isascii():
        return min(place, len(text))
    return len(text.encode("utf-16-le", "surrogatepass")[: place * 2].decode("utf-16-le", "ignore"))
