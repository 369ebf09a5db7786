"""The guide to PgPool keeps its word: its examples run, its table of parameters is the constructor's."""

import inspect
import re
from pathlib import Path

from psycopg2 import extensions as ext

from pgexplorer.pool import errors
from pgexplorer.pool.pg_pool import PgPool

GUIDE = (Path(__file__).parents[3] / "docs" / "guide" / "pool.md").read_text(encoding="utf-8")


def test_that_the_guides_examples_run(profile):
    examples = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert len(examples) == 4
    known = {"dsn": ext.make_dsn(**profile.parameters())}
    for example in examples:
        exec(compile(example, "docs/guide/pool.md", "exec"), known)


def test_that_the_guide_names_every_parameter_with_its_default_and_every_error():
    table = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", GUIDE, re.MULTILINE))
    given = {
        name: parameter.default
        for name, parameter in inspect.signature(PgPool).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    named = {name for name in table if not name.startswith(("Pool", "Too", "Not"))}
    assert named == set(given)
    for name, default in given.items():
        if isinstance(default, int | float) and not isinstance(default, bool):
            assert float(table[name].replace(",", "")) == default, name
    raised = {
        name for name, error in vars(errors).items() if inspect.isclass(error) and error.__module__ == errors.__name__
    }
    for name in raised - {"Explanation"}:
        assert f"`{name}`" in GUIDE
