"""A few letters find names among very many, the better kinds of hit before the others."""

import random

import pytest

from pgexplorer.ui.widgets.fuzzy import TIERS, Index, folded, places, tier_of

EXACT, START, WORD, INSIDE, ALL, SPELLED = range(TIERS)


def hits(index, typed, tier):
    return [number for number in index.find(folded(typed), tier) if number is not None]


@pytest.mark.parametrize(
    ("name", "typed", "tier"),
    [
        ("person", "person", EXACT),
        ("Person", "pERSON", EXACT),
        ("person", "per", START),
        ("order_item", "order it", START),
        ("order_item", "order_it", START),
        ("order_item", "item", WORD),
        ("shop.orders", "orders", WORD),
        ("order_item", "tem", INSIDE),
        ("order_item", "item order", ALL),
        ("order_item", "oit", SPELLED),
        ("order_item", "itm", SPELLED),
        ("order_item", "rit", TIERS),  # its first letter begins no word
        ("order_item", "mo", TIERS),
        ("Run again", "ra", SPELLED),
        ("größe", "GRÖSS", TIERS),
        ("größe", "GRÖ", START),
        ("a[b]*c", "[b]*", INSIDE),
        ("İstanbul", "stan", INSIDE),
        ("two\nlines", "two lines", EXACT),
    ],
)
def test_that_a_name_is_found_in_its_tier(name, typed, tier):
    assert tier_of(name, folded(typed)) == tier


def test_that_every_name_is_found_by_its_own_number_however_many_there_are():
    names = [f"table_{number}" for number in range(20_000)]
    index = Index(names)
    assert hits(index, "table_19999", EXACT) == [19_999]
    assert hits(index, "table 4095", EXACT) == [4_095]
    assert hits(index, "4096", WORD) == [4_096]
    assert hits(index, "e_123", INSIDE) == [number for number in range(20_000) if str(number).startswith("123")]
    assert hits(index, "tb19999", SPELLED) == [19_999]


def test_that_a_column_is_found_by_its_own_name_and_its_table_in_any_order():
    index = Index(["id", "id", "name"], ["person public", "orders public", "person public"])
    assert hits(index, "id", EXACT) == [0, 1]
    assert hits(index, "person.id", ALL) == [0]
    assert hits(index, "id ord", ALL) == [1]
    assert hits(index, "public", INSIDE) == []  # or every column would be


@pytest.mark.parametrize("names", [[], [""], ["a\nb", "c"], ["", "x", ""], ["İİİ", "after"]])
def test_that_odd_names_keep_their_numbers(names):
    index = Index(names)
    assert len(index) == len(names)
    for number, name in enumerate(names):
        if folded(name).split():
            assert number in hits(index, name, EXACT)


def test_that_a_hit_is_what_plain_python_says_it_is():
    generator = random.Random(5)
    names = ["".join(generator.choice("ab_c") for _ in range(generator.randint(0, 7))) for _ in range(3_000)]
    index = Index(names)
    for typed in ("a", "ab", "b_a", "cab", "c c"):
        wanted = " ".join(folded(typed).split())
        lines = [folded(name) for name in names]
        assert hits(index, typed, EXACT) == [n for n, line in enumerate(lines) if line == wanted]
        assert hits(index, typed, START) == [n for n, line in enumerate(lines) if line.startswith(wanted)]
        assert hits(index, typed, WORD) == [n for n, line in enumerate(lines) if f" {wanted}" in line]
        assert hits(index, typed, INSIDE) == [n for n, line in enumerate(lines) if wanted in line]


@pytest.mark.parametrize(
    ("text", "typed", "marked"),
    [
        ("person", "per", "per"),
        ("order_item", "item", "item"),
        ("order_item", "oit", "oit"),
        ("Run again", "ra", "Ra"),
        ("order_item", "item ord", "orditem"),
        ("order_item", "xyz", ""),
        ("İ", "i", ""),
    ],
)
def test_that_the_letters_that_were_found_can_be_shown(text, typed, marked):
    assert "".join(text[place] for place in sorted(places(text, folded(typed)))) == marked
