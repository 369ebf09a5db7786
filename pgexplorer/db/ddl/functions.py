"""Functions, procedures and aggregates."""

from pgexplorer.db.catalog import literal
from pgexplorer.db.ddl.reader import Reader, comment, owner_and_grants

# What tells functions of one name apart: of an aggregate, COMMENT and ALTER want its ORDER BY too, or * for nothing.
_FUNCTION = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(p.proname) AS name, p.prokind::text AS kind,
       pg_get_function_identity_arguments(p.oid) AS identity, pg_get_function_arguments(p.oid) AS arguments,
       CASE WHEN p.prokind = 'a' THEN '' ELSE pg_get_functiondef(p.oid) END AS definition,
       p.proparallel::text AS parallel,
       obj_description(p.oid, 'pg_proc') AS comment
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE p.oid = %s
"""

_AGGREGATE = """
SELECT a.aggkind::text AS kind, a.aggtransfn::regproc::text AS sfunc, format_type(a.aggtranstype, NULL) AS stype,
       a.aggtransspace AS sspace, nullif(a.aggfinalfn, 0)::regproc::text AS finalfunc,
       a.aggfinalextra AS finalfunc_extra, a.aggfinalmodify::text AS finalfunc_modify,
       nullif(a.aggcombinefn, 0)::regproc::text AS combinefunc, nullif(a.aggserialfn, 0)::regproc::text AS serialfunc,
       nullif(a.aggdeserialfn, 0)::regproc::text AS deserialfunc, a.agginitval AS initcond,
       nullif(a.aggmtransfn, 0)::regproc::text AS msfunc, nullif(a.aggminvtransfn, 0)::regproc::text AS minvfunc,
       CASE WHEN a.aggmtranstype <> 0 THEN format_type(a.aggmtranstype, NULL) END AS mstype,
       a.aggmtransspace AS msspace, nullif(a.aggmfinalfn, 0)::regproc::text AS mfinalfunc,
       a.aggmfinalextra AS mfinalfunc_extra, a.aggmfinalmodify::text AS mfinalfunc_modify, a.aggminitval AS minitcond,
       quote_ident(n.nspname) || '.' || o.oprname AS sortop
  FROM pg_catalog.pg_aggregate a
  LEFT JOIN pg_catalog.pg_operator o ON o.oid = a.aggsortop
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
 WHERE a.aggfnoid = %s
"""

_MODIFY = {"r": "READ_ONLY", "s": "SHAREABLE", "w": "READ_WRITE"}
_PARALLEL = {"s": "SAFE", "r": "RESTRICTED"}


def function(reader: Reader, oid: int, *, privileges: bool) -> list[str]:
    """Return the statements that make the function, procedure or aggregate *oid*."""
    found = reader.row(_FUNCTION, oid)
    word = {"p": "PROCEDURE", "a": "AGGREGATE"}.get(found.kind, "FUNCTION")
    identity = found.identity or ("*" if found.kind == "a" else "")
    if found.kind == "a":
        statements = [_aggregate(reader, oid, f"{found.name}({found.arguments or '*'})", found.parallel)]
    else:
        statements = [f"{found.definition.rstrip()};"]
    statements += comment(word, f"{found.name}({identity})", found.comment)
    if privileges:
        kind = "PROCEDURE" if found.kind == "p" else "FUNCTION"
        said = owner_and_grants(reader, kind, oid, f"{found.name}({found.identity})")
        said[0] = said[0].replace(
            f"ALTER {kind} {found.name}({found.identity})", f"ALTER {word} {found.name}({identity})"
        )
        statements += said
    return statements


def _aggregate(reader: Reader, oid: int, signature: str, parallel: str) -> str:
    found = reader.row(_AGGREGATE, oid)
    usual = "r" if found.kind == "n" else "w"  # what the final function does to the state unless it is said
    parts = [f"SFUNC = {found.sfunc}", f"STYPE = {found.stype}"]
    for prefix in ("", "m"):
        if prefix and found.msfunc:
            parts += [f"MSFUNC = {found.msfunc}", f"MINVFUNC = {found.minvfunc}", f"MSTYPE = {found.mstype}"]
        said = {name: getattr(found, prefix + name) for name in ("sspace", "finalfunc", "finalfunc_extra", "initcond")}
        modify = getattr(found, f"{prefix}finalfunc_modify")
        if said["sspace"]:
            parts.append(f"{prefix.upper()}SSPACE = {said['sspace']}")
        if said["finalfunc"]:
            parts.append(f"{prefix.upper()}FINALFUNC = {said['finalfunc']}")
        if said["finalfunc_extra"]:
            parts.append(f"{prefix.upper()}FINALFUNC_EXTRA")
        if said["finalfunc"] and modify != usual:
            parts.append(f"{prefix.upper()}FINALFUNC_MODIFY = {_MODIFY[modify]}")
        if said["initcond"] is not None:
            parts.append(f"{prefix.upper()}INITCOND = {literal(said['initcond'])}")
    parts += [
        f"{name.upper()} = {value}"
        for name in ("combinefunc", "serialfunc", "deserialfunc")
        if (value := getattr(found, name)) is not None
    ]
    if found.sortop:
        parts.append(f"SORTOP = OPERATOR({found.sortop})")
    if parallel in _PARALLEL:
        parts.append(f"PARALLEL = {_PARALLEL[parallel]}")
    if found.kind == "h":
        parts.append("HYPOTHETICAL")
    return f"CREATE AGGREGATE {signature} (\n    " + ",\n    ".join(parts) + "\n);"
