"""The hostile names are what they say."""

import hostile


def test_that_there_are_two_hundred_names_that_the_server_keeps_whole():
    found = hostile.names()
    assert len(found) == len(set(found)) == hostile.COUNT == 200
    assert all(0 < len(name.encode()) <= hostile.LONGEST and "\0" not in name for name in found)
    assert found == hostile.names()
    assert found[:10] == hostile.names(10)


def test_that_a_name_made_of_another_one_fits_too():
    for name in hostile.names():
        made = hostile.cut_to_fit(name, "é2")
        assert made.endswith("é2")
        assert len(made.encode()) <= hostile.LONGEST
