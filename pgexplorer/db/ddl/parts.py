"""What hangs on a relation: indexes, constraints, triggers, rules, policies and extended statistics."""

from pgexplorer.db.ddl.reader import Gone, Reader, Row, comment, enabled, options, remark

# Indexes that a constraint brings are made by it; what is said of all of them afterwards is said of those too.
_INDEXES = """
SELECT i.indexrelid::regclass::text AS name, quote_ident(c.relname) AS bare,
       pg_get_indexdef(i.indexrelid) AS definition,
       i.indisclustered AS is_clustered, i.indisreplident AS is_identity, i.indisvalid AS is_valid,
       c.relkind = 'I' AS is_partitioned, quote_ident(s.spcname) AS tablespace, k.oid AS constraint_oid,
       CASE WHEN k.contype <> 'x' THEN c.reloptions END AS options,
       obj_description(c.oid, 'pg_class') AS comment, i.indrelid::regclass::text AS table_name,
       ARRAY(SELECT a.attnum || ' ' || a.attstattarget FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = c.oid AND a.attstattarget >= 0 ORDER BY a.attnum) AS targets,
       h.inhparent::regclass::text AS parent
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  LEFT JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
  LEFT JOIN pg_catalog.pg_constraint k
    ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
  LEFT JOIN pg_catalog.pg_inherits h ON h.inhrelid = i.indexrelid
 WHERE i.{by} = %s
 ORDER BY c.relname
"""

_CONSTRAINT = """
SELECT quote_ident(k.conname) AS name, pg_get_constraintdef(k.oid) AS definition, k.contype::text AS type,
       k.conrelid::regclass::text AS table_name, c.relkind::text AS table_kind, k.conindid AS index_oid,
       CASE WHEN k.contypid <> 0 THEN format_type(k.contypid, NULL) END AS domain,
       obj_description(k.oid, 'pg_constraint') AS comment,
       (SELECT t.oid FROM pg_catalog.pg_trigger t WHERE t.tgconstraint = k.oid AND k.contype = 't') AS trigger_oid
  FROM pg_catalog.pg_constraint k
  LEFT JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
 WHERE k.oid = %s
"""

# Partitions get copies of their table's triggers when they are attached; whether a copy fires is its own.
_TRIGGERS = """
SELECT quote_ident(t.tgname) AS name, pg_get_triggerdef(t.oid) AS definition, t.tgenabled::text AS letter,
       t.tgparentid <> 0 AS is_copy, p.tgenabled::text AS parent_letter, t.tgrelid::regclass::text AS table_name,
       c.relkind::text AS table_kind, obj_description(t.oid, 'pg_trigger') AS comment
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  LEFT JOIN pg_catalog.pg_trigger p ON p.oid = t.tgparentid
 WHERE t.{by} = %s AND (NOT t.tgisinternal OR t.tgparentid <> 0 AND NOT (p.tgisinternal AND p.tgparentid = 0))
 ORDER BY t.tgname
"""

_RULES = """
SELECT quote_ident(r.rulename) AS name, pg_get_ruledef(r.oid) AS definition, r.ev_enabled::text AS letter,
       obj_description(r.oid, 'pg_rewrite') AS comment, r.ev_class::regclass::text AS table_name
  FROM pg_catalog.pg_rewrite r WHERE r.{by} = %s AND r.rulename <> '_RETURN' ORDER BY r.rulename
"""

_POLICIES = """
SELECT quote_ident(p.polname) AS name, p.polpermissive AS is_permissive, p.polcmd::text AS command,
       pg_get_expr(p.polqual, p.polrelid) AS condition, pg_get_expr(p.polwithcheck, p.polrelid) AS check,
       ARRAY(SELECT CASE WHEN r.role = 0 THEN 'PUBLIC' ELSE r.role::regrole::text END
               FROM unnest(p.polroles) AS r(role)) AS roles, obj_description(p.oid, 'pg_policy') AS comment,
       p.polrelid::regclass::text AS table_name
  FROM pg_catalog.pg_policy p WHERE p.{by} = %s ORDER BY p.polname
"""

_STATISTICS = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(s.stxname) AS name, pg_get_statisticsobjdef(s.oid) AS definition,
       CASE WHEN s.stxstattarget >= 0 THEN s.stxstattarget END AS target, s.stxowner::regrole::text AS owner,
       obj_description(s.oid, 'pg_statistic_ext') AS comment
  FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
 WHERE s.stxrelid = %s ORDER BY s.stxname
"""

_COMMANDS = {"r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}


def index_statements(reader: Reader, oid: int, table: str) -> tuple[list[str], list[str]]:
    """Return the indexes of the relation *oid* that no constraint brings, and what is said of all of them afterwards.

    Those that belong to an index of a partitioned table come first: they are there before the partition is attached,
    which takes the first that fits, so that the others must not be.
    """
    belonging, others = list[str](), list[str]()
    for row in reader.rows(_INDEXES.format(by="indrelid"), oid):
        statements = belonging if row.parent else others
        if row.constraint_oid is None:
            if not row.is_valid and not row.is_partitioned:
                statements.append(remark(f"Not valid, as it was left: {row.definition}"))
                continue
            statements.append(f"{row.definition};")
        statements += _index_rest(row)
        if row.is_clustered:
            others.append(f"ALTER TABLE {table} CLUSTER ON {row.bare};")
        if row.is_identity:
            others.append(f"ALTER TABLE ONLY {table} REPLICA IDENTITY USING INDEX {row.bare};")
    return belonging, others


def _index_rest(row: Row) -> list[str]:
    """Return what the statement that makes an index, or its constraint, leaves out."""
    statements: list[str] = []
    if row.constraint_oid is not None and row.options:
        statements.append(f"ALTER INDEX {row.name} SET ({', '.join(options(row.options))});")
    if row.tablespace:
        statements.append(f"ALTER INDEX {row.name} SET TABLESPACE {row.tablespace};")
    for each in row.targets:
        number, target = each.split()
        statements.append(f"ALTER INDEX {row.name} ALTER COLUMN {number} SET STATISTICS {target};")
    return statements + comment("INDEX", row.name, row.comment)


def _index_uses(row: Row) -> list[str]:
    """Return that, and what an index is used for."""
    statements = _index_rest(row)
    if row.is_clustered:
        statements.append(f"ALTER TABLE {row.table_name} CLUSTER ON {row.bare};")
    if row.is_identity:
        statements.append(f"ALTER TABLE ONLY {row.table_name} REPLICA IDENTITY USING INDEX {row.bare};")
    if row.parent:
        statements.append(f"ALTER INDEX {row.parent} ATTACH PARTITION {row.name};")
    return statements


def index(reader: Reader, oid: int) -> list[str]:
    """Return the statements that make the index *oid*; of a constraint's, those that make the constraint."""
    row = reader.row(_INDEXES.format(by="indexrelid"), oid)
    if row.constraint_oid is not None:
        return constraint(reader, row.constraint_oid)
    statements = ["-- It is not valid: building it has failed or is not over."] if not row.is_valid else []
    return [*statements, f"{row.definition};", *_index_uses(row)]


def constraint(reader: Reader, oid: int) -> list[str]:
    """Return the statements that add the constraint *oid* to its table or domain."""
    row = reader.row(_CONSTRAINT, oid)
    if row.trigger_oid is not None:
        return trigger(reader, row.trigger_oid)
    if row.domain:
        said = comment("CONSTRAINT", f"{row.name} ON DOMAIN {row.domain}", row.comment)
        return [f"ALTER DOMAIN {row.domain} ADD CONSTRAINT {row.name} {row.definition};", *said]
    alter = "ALTER FOREIGN TABLE" if row.table_kind == "f" else "ALTER TABLE"
    statements = [f"{alter} {row.table_name} ADD CONSTRAINT {row.name} {row.definition};"]
    statements += comment("CONSTRAINT", f"{row.name} ON {row.table_name}", row.comment)
    if row.type in "pux":
        statements += _index_uses(reader.row(_INDEXES.format(by="indexrelid"), row.index_oid))
    return statements


def trigger_statements(reader: Reader, oid: int, table: str) -> list[str]:
    """Return the triggers of the relation *oid*."""
    statements: list[str] = []
    for row in reader.rows(_TRIGGERS.format(by="tgrelid"), oid):
        if not row.is_copy:
            statements += _trigger(row)
        elif row.letter != row.parent_letter:
            statements.append(f"ALTER TABLE {table} {enabled(row.letter) or 'ENABLE'} TRIGGER {row.name};")
    return statements


def _trigger(row: Row) -> list[str]:
    statements = [f"{row.definition};"]
    if word := enabled(row.letter):
        alter = "ALTER FOREIGN TABLE" if row.table_kind == "f" else "ALTER TABLE"
        statements.append(f"{alter} {row.table_name} {word} TRIGGER {row.name};")
    return statements + comment("TRIGGER", f"{row.name} ON {row.table_name}", row.comment)


def trigger(reader: Reader, oid: int) -> list[str]:
    """Return the statements that make the trigger *oid*."""
    rows = reader.rows(_TRIGGERS.format(by="oid"), oid)
    if not rows:
        raise Gone
    [row] = rows
    if not row.is_copy:
        return _trigger(row)
    said = "-- It comes with the partitioned table's trigger."
    word = enabled(row.letter) or "ENABLE"
    return [said, f"ALTER TABLE {row.table_name} {word} TRIGGER {row.name};"]


def rule_statements(reader: Reader, oid: int) -> list[str]:
    """Return the rules of the relation *oid*, but for the one that makes a view a view."""
    rows = reader.rows(_RULES.format(by="ev_class"), oid)
    return [statement for row in rows for statement in _rule(row)]


def rule(reader: Reader, oid: int) -> list[str]:
    """Return the statements that make the rule *oid*."""
    return _rule(reader.row(_RULES.format(by="oid"), oid))


def _rule(row: Row) -> list[str]:
    statements: list[str] = [row.definition]
    if word := enabled(row.letter):
        statements.append(f"ALTER TABLE {row.table_name} {word} RULE {row.name};")
    return statements + comment("RULE", f"{row.name} ON {row.table_name}", row.comment)


def policy_statements(reader: Reader, oid: int) -> list[str]:
    """Return the policies of the table *oid*; whether they are asked at all is the table's."""
    rows = reader.rows(_POLICIES.format(by="polrelid"), oid)
    return [statement for row in rows for statement in _policy(row)]


def policy(reader: Reader, oid: int) -> list[str]:
    """Return the statements that make the policy *oid*."""
    return _policy(reader.row(_POLICIES.format(by="oid"), oid))


def _policy(row: Row) -> list[str]:
    text = f"CREATE POLICY {row.name} ON {row.table_name}"
    text += "" if row.is_permissive else " AS RESTRICTIVE"
    text += f" FOR {_COMMANDS[row.command]}" if row.command in _COMMANDS else ""
    text += "" if row.roles == ["PUBLIC"] else f" TO {', '.join(row.roles)}"
    text += f" USING ({row.condition})" if row.condition is not None else ""
    text += f" WITH CHECK ({row.check})" if row.check is not None else ""
    return [f"{text};", *comment("POLICY", f"{row.name} ON {row.table_name}", row.comment)]


def statistics_statements(reader: Reader, oid: int, *, privileges: bool) -> list[str]:
    """Return the extended statistics on the relation *oid*."""
    statements: list[str] = []
    for row in reader.rows(_STATISTICS, oid):
        statements.append(f"{row.definition};")
        if row.target is not None:
            statements.append(f"ALTER STATISTICS {row.name} SET STATISTICS {row.target};")
        statements += comment("STATISTICS", row.name, row.comment)
        if privileges:
            statements.append(f"ALTER STATISTICS {row.name} OWNER TO {row.owner};")
    return statements
