"""Changes of a table's rows as the panel makes them, and what came of them."""

from fix_tables import page, relation
from pgexplorer.db.table.browse import Table, To
from pgexplorer.db.table.changes import Delete, Insert, Update
from pgexplorer.db.table.sending import Sending


class Editor:
    """Somebody who changes rows of one table: reads them, and sends what is wanted of them."""

    def __init__(self, client, schema, name="t", side=None, **given):
        self.table = Table(client, relation(client, schema, name), side=side, **given)
        self.page = page(self.table, To.FIRST)
        self.editable = self.table.facts()
        self.names = [each.name for each in self.editable.fields]

    def at(self, *key):
        """Return the number, in the page, of the row that begins with these values."""
        return next(n for n, row in enumerate(self.page.rows) if row[: len(key)] == key)

    def update(self, row, **values):
        place = self.page.places[row]
        new = tuple((self.names.index(name), value) for name, value in values.items())
        return Update(self.table.identity(place), place, self.page.rows[row], new)

    def delete(self, row):
        place = self.page.places[row]
        return Delete(self.table.identity(place), place, self.page.rows[row])

    def insert(self, number=0, **values):
        return Insert(number, tuple((self.names.index(name), value) for name, value in values.items()))

    def sending(self, *changes):
        return Sending(self.table.again(), self.editable, changes)

    def send(self, *changes):
        """Send the changes, and return what came of them."""
        news = list(self.sending(*changes).run())
        assert self.table.client.pool.stats().used == 0
        return news[-1]
