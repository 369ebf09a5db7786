"""A small catalog made by hand: a shop, hostile names, and some functions and types."""

from pgexplorer.db.catalog import Catalog, ForeignKey, Function, Table, Type

_TABLES = {
    "public.customers": "id integer, name text, email text, mood mood",
    "public.orders": "id integer, customer_id integer, status order_status, placed_at timestamp with time zone",
    "public.order_lines": "order_id integer, line integer, product_id integer, amount numeric(10,2)",
    "public.line_notes": "order_id integer, line integer, note text",
    "public.products": "id integer, name text, parent_id integer",
    "public.Order Items": "Id integer, a.b text, 😀 text, select text",
    "public.empty": "",
    "shop.invoices": "id integer, order_id integer, total numeric",
    "shop.orders": "number integer, state public.order_status",
    "pg_catalog.pg_class": "oid oid, relname name",
    "pg_catalog.pg_orders": "oid oid",
    "information_schema.tables": "table_name name",
}
_VIEWS = {"public.top_customers": "id integer, spent numeric"}


def _table(oid, name, columns, kind):
    schema, _, table = name.partition(".")
    pairs = [each.rpartition(" ")[::2] if "time zone" not in each else each.split(" ", 1) for each in _cut(columns)]
    names, types = ([pair[side] for pair in pairs] for side in (0, 1))
    return Table(oid, schema, table, kind, "\0".join(names), "\0".join(types))


def _cut(columns):
    return [each.replace(";", ",") for each in columns.replace("10,2", "10;2").split(", ") if each]


def _function(schema, name, arguments, result, kind="f", more=0, names="", row_of=0):
    columns = [each.split(" ", 1) for each in names.split(", ") if each]
    return Function(
        schema,
        name,
        kind,
        arguments,
        result,
        more,
        not arguments,
        result.startswith("SETOF"),
        "\0".join(each[0] for each in columns),
        "\0".join(each[1] for each in columns),
        row_of,
    )


def catalog():
    """Return the catalog."""
    tables = [_table(n, name, columns, "r") for n, (name, columns) in enumerate(_TABLES.items(), 1)]
    tables += [_table(50 + n, name, columns, "v") for n, (name, columns) in enumerate(_VIEWS.items())]
    tables.append(Table(90, "public", "orders_id_seq", "S", "", ""))
    oid = {f"{table.schema}.{table.name}": table.oid for table in tables}
    functions = [
        _function("pg_catalog", "count", '"any"', "bigint", "a", 1),
        _function("pg_catalog", "now", "", "timestamp with time zone"),
        _function("pg_catalog", "coalesce_text", "text", "text"),
        _function("pg_catalog", "left", "text, integer", "text"),
        _function("pg_catalog", "interval", "interval, integer", "interval"),
        _function("pg_catalog", "generate_series", "integer, integer", "SETOF integer", more=8),
        _function("pg_catalog", "json_each", "from_json json", "SETOF record", names="key text, value json"),
        _function("public", "customer_name", "customer integer DEFAULT 1", "text"),
        _function("public", "best_customers", "n integer", "SETOF customers", row_of=oid["public.customers"]),
        _function("public", "Odd Function", "", "integer"),
        _function("public", "stamp", "", "trigger"),
        _function("public", "settle", "day date", "", "p"),
        _function("shop", "total_of", "integer", "numeric"),
    ]
    keys = [
        ForeignKey(oid["public.orders"], ("customer_id",), oid["public.customers"], ("id",)),
        ForeignKey(oid["public.order_lines"], ("order_id",), oid["public.orders"], ("id",)),
        ForeignKey(oid["public.order_lines"], ("product_id",), oid["public.products"], ("id",)),
        ForeignKey(oid["public.line_notes"], ("order_id", "line"), oid["public.order_lines"], ("order_id", "line")),
        ForeignKey(oid["public.products"], ("parent_id",), oid["public.products"], ("id",)),
        ForeignKey(oid["shop.invoices"], ("order_id",), oid["public.orders"], ("id",)),
    ]
    types = [
        Type("pg_catalog", "int4", "integer", "b"),
        Type("pg_catalog", "timestamptz", "timestamp with time zone", "b"),
        Type("pg_catalog", "text", "text", "b"),
        Type("public", "order_status", "order_status", "e", ("new", "paid", "shipped", "it's back")),
        Type("public", "mood", "mood", "d", (), "order_status"),
        Type("shop", "Grade", 'shop."Grade"', "e", ("A", "B")),
    ]
    return Catalog(
        tuple(tables),
        tuple(functions),
        tuple(keys),
        tuple(types),
        ("information_schema", "pg_catalog", "public", "shop"),
        ("alice", "Bob"),
        ("postgres", "shop_db"),
        ("pg_catalog", "public"),
    )
