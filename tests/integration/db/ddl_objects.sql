-- A database in which every kind of object is made with every option that it has; what others stand on comes first.
-- A line --@ says of the object that follows: its kind, from which version of the server on, and how it is found.
-- {s} is a schema, {r} and {g} are roles. What has no text was made by what stands before it.

--@ SCHEMA 13 {s}
create schema {s};
comment on schema {s} is 'of everything';
grant usage on schema {s} to {r};
grant all on schema {s} to {g} with grant option;

--@ SCHEMA 13 "another; schema"
create schema "another; schema" authorization {r};
alter default privileges in schema "another; schema" grant select, insert on tables to {r}, public;
alter default privileges for role {r} in schema "another; schema" grant execute on functions to {g} with grant option;
alter default privileges for role {r} in schema "another; schema" grant usage on types to {g};
alter default privileges for role {r} in schema "another; schema" grant all on sequences to {g};

--@ SCHEMA 13 public
revoke all on schema public from public;
grant create on schema public to {g};
comment on schema public is 'not the usual words';

--@ EXTENSION 13 citext
create extension citext with schema "another; schema";
comment on extension citext is 'as it likes';

--@ EXTENSION 13 postgres_fdw
create extension postgres_fdw with schema public;

--@ SQL 13 a server
create server "a server" foreign data wrapper postgres_fdw options (host 'nowhere');

--@ TYPE 13 {s}.mood
create type {s}.mood as enum ('sad', 'it''s ok', 'back\slash', '', 'happy');
alter type {s}.mood add value 'between' before 'happy';
comment on type {s}.mood is 'how one feels';
revoke usage on type {s}.mood from public;
grant usage on type {s}.mood to {g};

--@ TYPE 13 {s}.no_mood
create type {s}.no_mood as enum ();
alter type {s}.no_mood owner to {r};

--@ TYPE 13 {s}."Pair; of"
create type {s}."Pair; of" as (a integer, "b; b" text collate "C", m {s}.mood[], gone int);
alter type {s}."Pair; of" drop attribute gone;
comment on column {s}."Pair; of"."b; b" is 'the second';
comment on type {s}."Pair; of" is 'two';

--@ TYPE 13 {s}.empty_pair
create type {s}.empty_pair as ();

--@ TYPE 13 {s}.only_shell
create type {s}.only_shell;
comment on type {s}.only_shell is 'not filled yet';

--@ FUNCTION 13 {s}.span_of(double precision,double precision)
create function {s}.span_of(double precision, double precision) returns double precision
    language sql immutable strict as 'select $1 - $2';

--@ TYPE 13 {s}.float_span
create type {s}.float_span as range (subtype = double precision, subtype_diff = {s}.span_of);
comment on type {s}.float_span is 'from here to there';

--@ TYPE 13 {s}.text_span
create type {s}.text_span as range (subtype = text, collation = "C", subtype_opclass = text_pattern_ops);

--@ TYPE 14 {s}.named_span
create type {s}.named_span as range (subtype = integer, multirange_type_name = {s}."many; spans");
alter type {s}.named_span owner to {r};

--@ TYPE 13 {s}.canonical_span
create type {s}.canonical_span;
create function {s}.canonical({s}.canonical_span) returns {s}.canonical_span
    language internal immutable strict as 'int4range_canonical';
create type {s}.canonical_span as range (subtype = integer, canonical = {s}.canonical);

--@ TYPE 13 {s}.box_of
create type {s}.box_of;
create function {s}.box_in(cstring) returns {s}.box_of language internal immutable strict as 'int4in';
create function {s}.box_out({s}.box_of) returns cstring language internal immutable strict as 'int4out';
create type {s}.box_of (input = {s}.box_in, output = {s}.box_out, internallength = 4, passedbyvalue, alignment = int4,
    category = 'N', preferred = true, default = '42', delimiter = ';');
comment on type {s}.box_of is 'a type of its own';

--@ FUNCTION 13 {s}.text_like_mod_in(cstring[])
create function {s}.text_like_mod_in(cstring[]) returns integer language internal immutable strict as 'varchartypmodin';

--@ FUNCTION 13 {s}.text_like_mod_out(integer)
create function {s}.text_like_mod_out(integer) returns cstring language internal immutable strict as 'varchartypmodout';

--@ TYPE 13 {s}.text_like
create type {s}.text_like;
create function {s}.text_like_in(cstring) returns {s}.text_like language internal immutable strict as 'textin';
create function {s}.text_like_out({s}.text_like) returns cstring language internal immutable strict as 'textout';
create function {s}.text_like_recv(internal) returns {s}.text_like language internal immutable strict as 'textrecv';
create function {s}.text_like_send({s}.text_like) returns bytea language internal immutable strict as 'textsend';
create type {s}.text_like (input = {s}.text_like_in, output = {s}.text_like_out, receive = {s}.text_like_recv,
    send = {s}.text_like_send, typmod_in = {s}.text_like_mod_in, typmod_out = {s}.text_like_mod_out,
    internallength = variable, storage = extended, category = 'S', collatable = true);

--@ FUNCTION 13 {s}.is_even(integer)
create function {s}.is_even(n integer) returns boolean language sql immutable as 'select n % 2 = 0';

--@ DOMAIN 13 {s}.plain_text
create domain {s}.plain_text as text;

--@ DOMAIN 13 {s}."even; number"
create domain {s}."even; number" as integer default 2 not null check ({s}.is_even(value))
    constraint "below 100" check (value < 100);
alter domain {s}."even; number" add constraint later check (value > 0) not valid;
comment on domain {s}."even; number" is 'two, four';
comment on constraint "below 100" on domain {s}."even; number" is 'not too large';
alter domain {s}."even; number" owner to {r};
revoke usage on domain {s}."even; number" from public;
grant usage on type {s}."even; number" to {g} with grant option;

--@ DOMAIN 13 {s}.of_domain
create domain {s}.of_domain as {s}.plain_text collate "C" default 'it''s';

--@ DOMAIN 17 {s}.never
create domain {s}.never as integer constraint "never null" not null;

--@ SEQUENCE 13 {s}.plainly
create sequence {s}.plainly;

--@ SEQUENCE 13 {s}."with; all"
create sequence {s}."with; all" as smallint increment 3 minvalue 2 maxvalue 1000 start 5 cache 10 cycle;
comment on sequence {s}."with; all" is 'with all that there is';
alter sequence {s}."with; all" owner to {r};
grant usage on sequence {s}."with; all" to {g};

--@ SEQUENCE 13 {s}.down
create sequence {s}.down increment -1;

--@ SEQUENCE 15 {s}.quickly
create unlogged sequence {s}.quickly;

--@ TABLE 13 {s}.plain
create table {s}.plain (
    id integer primary key, "Mixed Case" text collate "C" not null default 'it''s \ here', n numeric(10, 2) default 3.14,
    tags text[] default '{}', at timestamptz default now(), span interval(2) default '1 day', v varchar(7),
    doubled integer generated always as (id * 2) stored, b bytea, "order" integer,
    constraint "positive n" check (n > 0), unique ("Mixed Case", at), check (id <> 7) no inherit)
with (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_enabled = off);
alter table {s}.plain alter column b set storage external, alter v set storage main;
alter table {s}.plain alter column n set statistics 500, alter n set (n_distinct = -0.5, n_distinct_inherited = 7);
comment on table {s}.plain is E'a table''s comment\nwith \\ and a second line';
comment on column {s}.plain."Mixed Case" is 'a column';
comment on constraint "positive n" on {s}.plain is 'more than nothing';
comment on constraint plain_pkey on {s}.plain is 'the key';
comment on index {s}.plain_pkey is 'the index of the key';
create index on {s}.plain (lower("Mixed Case") text_pattern_ops desc nulls last, n) include (v) where n > 1;
create unique index "an index; drop" on {s}.plain using btree (at) with (fillfactor = 55);
comment on index {s}."an index; drop" is 'of times';
create index expr on {s}.plain ((n * 2), (n + 1));
alter index {s}.expr alter column 2 set statistics 321;
create index hashed on {s}.plain using hash (v);
alter table {s}.plain cluster on plain_pkey;
create unique index ident on {s}.plain (id);
alter table {s}.plain replica identity using index ident;
alter table {s}.plain drop column "order";
grant select on {s}.plain to {r} with grant option;
grant all on {s}.plain to {g};
grant update (n), select (id, "Mixed Case") on {s}.plain to {g}, public;
set session authorization {r}; grant select on {s}.plain to public; reset session authorization;

--@ TABLE 13 {s}."Serial; Table"
create table {s}."Serial; Table" (id serial primary key, big bigserial, small smallserial,
    ref integer references {s}.plain on update cascade on delete set null deferrable initially deferred,
    self integer, n integer,
    exclude using gist (int4range(n, n + 1) with &&) where (n > 0),
    unique (n) deferrable, unique (self, n) with (fillfactor = 60));
alter table {s}."Serial; Table" add constraint "to itself" foreign key (self) references {s}."Serial; Table"
    match full not valid;
alter table {s}."Serial; Table" add constraint late check (n < 100) not valid;
comment on constraint late on {s}."Serial; Table" is 'later';
comment on sequence {s}."Serial; Table_id_seq" is 'counts';
grant usage on sequence {s}."Serial; Table_id_seq" to {r};
create sequence {s}.odd increment -3 minvalue -100 maxvalue 50 start 7 cache 5 cycle owned by {s}."Serial; Table".n;
alter table {s}."Serial; Table" replica identity full;
alter table {s}."Serial; Table" owner to {r};

--@ TABLE 13 {s}.identities
create table {s}.identities (a integer generated always as identity,
    b bigint generated by default as identity (start with 10 increment by 5 minvalue 5 maxvalue 1000 cache 3 cycle),
    c smallint generated always as identity (sequence name {s}."another name; --"));
comment on sequence {s}."another name; --" is 'of an identity';
grant select on sequence {s}.identities_a_seq to {g};
alter table {s}.identities replica identity nothing;

--@ TABLE 13 {s}.nothing
create table {s}.nothing ();

--@ TABLE 13 {s}.quick
create unlogged table {s}.quick (id serial, a int generated always as identity);

--@ TABLE 14 {s}.pressed
create table {s}.pressed (a text compression pglz);

--@ TABLE 13 {s}.parent
create table {s}.parent (a integer not null default 1, b text, c date default now(), d int);

--@ TABLE 13 {s}.child
create table {s}.child (b text not null, e integer, check (e > 0)) inherits ({s}.parent);
alter table {s}.child alter a set default 2, alter c drop default, alter d set not null, alter d set statistics 9;
comment on column {s}.child.a is 'inherited';

--@ TYPE 13 {s}.of_it
create type {s}.of_it as (a integer, b text collate "C");

--@ TABLE 13 {s}.typed
create table {s}.typed of {s}.of_it (a with options primary key, b with options default 'x' check (b <> ''));

--@ TABLE 13 {s}.typed_plainly
create table {s}.typed_plainly of {s}.of_it;

--@ TABLE 13 {s}.parts
create table {s}.parts (id integer generated by default as identity, region text not null, at date, n int default 5,
    primary key (region, id), check (n > 0)) partition by list (region);
create index by_date on {s}.parts (at);
create index lonely on only {s}.parts (n);

--@ TABLE 13 {s}.part_eu
create table {s}.part_eu partition of {s}.parts (n default 7) for values in ('eu', 'e''u');
alter index {s}.part_eu_at_idx rename to "renamed index";
create index only_here on {s}.part_eu (n);

--@ TABLE 13 {s}.part_us
create table {s}.part_us (n int default 5, at date, region text not null, id int not null, constraint parts_n_check check (n > 0))
    partition by hash (id);
alter table {s}.parts attach partition {s}.part_us for values in ('us');

--@ TABLE 13 {s}.part_us_0
create table {s}.part_us_0 partition of {s}.part_us for values with (modulus 2, remainder 0);

--@ TABLE 13 {s}.part_rest
create table {s}.part_rest partition of {s}.parts default with (fillfactor = 50);

--@ TABLE 13 {s}.ranges
create table {s}.ranges (at timestamptz, k text collate "C", v int) partition by range (at, lower(k) collate "C");
create table {s}.to_parts (region text, id int, foreign key (region, id) references {s}.parts);

--@ TABLE 13 {s}.to_parts

--@ TABLE 13 {s}.range_1
create table {s}.range_1 partition of {s}.ranges
               for values from (minvalue, minvalue) to ('2020-01-01 00:00:00+00', maxvalue);

--@ TABLE 13 {s}.secured
create table {s}.secured (id int primary key, who name default current_user, a int, b int);
alter table {s}.secured enable row level security; alter table {s}.secured force row level security;
create policy "own; rows" on {s}.secured using (who = current_user) with check (a > 0);
create policy readers on {s}.secured as restrictive for select to {r}, {g} using (b = 1);
create policy writers on {s}.secured for insert with check (id > 0);
comment on policy readers on {s}.secured is 'who reads';
create rule never as on delete to {s}.secured do instead nothing;
create rule "also; this" as on update to {s}.secured where new.a > 5 do also (select 2; select 1);
alter table {s}.secured disable rule never;
comment on rule "also; this" on {s}.secured is 'a rule';
create statistics {s}.counted (ndistinct, dependencies) on a, b from {s}.secured;
alter statistics {s}.counted set statistics 50;
comment on statistics {s}.counted is 'of two';

--@ TABLE 14 {s}.stat_expr
create table {s}.stat_expr (a int); create statistics {s}.e on (a * 2), (a + 1) from {s}.stat_expr;

--@ FUNCTION 13 {s}.fired()
create function {s}.fired() returns trigger language plpgsql as 'begin return new; end';

--@ TABLE 13 {s}.watched
create table {s}.watched (a int, b text);
create trigger "first; one" before insert or update of a on {s}.watched for each row
    when (new.a > 5) execute function {s}.fired('an', 'argu''ment');
create trigger off after delete on {s}.watched for each statement execute function {s}.fired();
create trigger always after truncate on {s}.watched execute function {s}.fired();
create trigger replica after insert on {s}.watched referencing new table as fresh execute function {s}.fired();
create constraint trigger late after insert on {s}.watched deferrable initially deferred
    for each row execute function {s}.fired();
alter table {s}.watched disable trigger off;
alter table {s}.watched enable always trigger always;
alter table {s}.watched enable replica trigger replica;
comment on trigger off on {s}.watched is 'it is off';

--@ TABLE 13 {s}.fired_parts
create table {s}.fired_parts (a int) partition by list (a);
create trigger t after insert on {s}.fired_parts for each row execute function {s}.fired();

--@ TABLE 13 {s}.fired_part
create table {s}.fired_part partition of {s}.fired_parts for values in (1);
create trigger own after insert on {s}.fired_part for each row execute function {s}.fired();
alter table {s}.fired_part disable trigger t;

--@ TABLE 18 {s}.nulls
create table {s}.nulls (a int constraint "named not null" not null, b int not null no inherit, c int,
    v int generated always as (a + 1) virtual, d int not null, e int,
    constraint checked check (a > 0) not enforced, unique nulls not distinct (c));
alter table {s}.nulls add constraint late not null c not valid;
comment on constraint "named not null" on {s}.nulls is 'never';
create table {s}.nulls_child (constraint mine not null e) inherits ({s}.nulls);
create table {s}.temporal (k int4range, during daterange, constraint tk primary key (k, during without overlaps));

--@ TABLE 18 {s}.nulls_child

--@ TABLE 18 {s}.temporal

--@ FUNCTION 13 {s}.many(integer,text,numeric[])
create function {s}.many(a integer, inout b text default 'it''s $$ here', variadic c numeric[] default '{}', out d date)
    returns record language plpgsql stable strict security definer leakproof parallel restricted cost 77
    set search_path to {s}, pg_catalog set work_mem to '1MB'
    as $body$begin
    -- a comment; with $function$ in it
    d := now(); return;
end$body$;
comment on function {s}.many(integer, text, numeric[]) is 'takes many';
revoke execute on function {s}.many from public;
grant execute on function {s}.many to {g};

--@ FUNCTION 13 {s}.rows_of(integer)
create function {s}.rows_of(n integer) returns table (id integer, "b; c" text) language sql rows 7 cost 3
    as 'select n, ''x\y''';
alter function {s}.rows_of owner to {r};

--@ FUNCTION 14 {s}.standard(integer)
create function {s}.standard(n integer) returns setof integer
    begin atomic select id from {s}.plain where id > n; select 1; end;

--@ FUNCTION 13 {s}.ranked()
create function {s}.ranked() returns bigint language internal window immutable strict as 'window_rank';

--@ PROCEDURE 13 {s}."act; now"(integer,text)
create procedure {s}."act; now"(a integer, inout b text) language plpgsql as 'begin b := a; commit; end';
comment on procedure {s}."act; now" is 'does it';
grant execute on procedure {s}."act; now" to {g};
alter procedure {s}."act; now" owner to {r};

--@ AGGREGATE 13 {s}.total(integer)
create aggregate {s}.total(integer) (sfunc = int4pl, stype = integer, initcond = '0', combinefunc = int4pl,
    parallel = safe, msfunc = int4pl, minvfunc = int4mi, mstype = integer, minitcond = '0', sspace = 8);
comment on aggregate {s}.total(integer) is 'of all';
grant execute on function {s}.total(integer) to {g};
alter aggregate {s}.total(integer) owner to {r};

--@ AGGREGATE 13 {s}.counted_rows()
create aggregate {s}.counted_rows(*) (sfunc = int8inc, stype = bigint, initcond = '0');
comment on aggregate {s}.counted_rows(*) is 'how many';
alter aggregate {s}.counted_rows(*) owner to {r};

--@ FUNCTION 13 {s}.larger(anyelement,anyelement)
create function {s}.larger(anyelement, anyelement) returns anyelement language sql immutable strict
    as 'select case when $1 > $2 then $1 else $2 end';

--@ AGGREGATE 13 {s}."largest; one"(integer)
create aggregate {s}."largest; one"("an argument" integer) (sfunc = int4larger, stype = integer, sortop = >);

--@ AGGREGATE 13 {s}.middle(double precision,anyelement)
create aggregate {s}.middle(double precision order by anyelement) (sfunc = ordered_set_transition, stype = internal,
    finalfunc = percentile_disc_final, finalfunc_extra, finalfunc_modify = read_write);
comment on aggregate {s}.middle(double precision order by anyelement) is 'in the middle';
alter aggregate {s}.middle(double precision order by anyelement) owner to {r};

--@ AGGREGATE 13 {s}.rank_of("any")
create aggregate {s}.rank_of(variadic "any" order by variadic "any") (sfunc = ordered_set_transition_multi,
    stype = internal, finalfunc = rank_final, finalfunc_extra, hypothetical);
alter aggregate {s}.rank_of(variadic "any" order by variadic "any") owner to {r};

--@ AGGREGATE 13 {s}.shared(double precision)
create aggregate {s}.shared(double precision) (sfunc = float8_accum, stype = double precision[], sspace = 100,
    finalfunc = float8_avg, finalfunc_modify = shareable, initcond = '{0,0,0}');

--@ AGGREGATE 13 {s}.moving(numeric)
create aggregate {s}.moving(numeric) (sfunc = numeric_avg_accum, stype = internal, finalfunc = numeric_avg,
    serialfunc = numeric_avg_serialize, deserialfunc = numeric_avg_deserialize, combinefunc = numeric_avg_combine,
    msfunc = numeric_avg_accum, minvfunc = numeric_accum_inv, mstype = internal, msspace = 50, mfinalfunc = numeric_avg,
    mfinalfunc_modify = read_write, parallel = safe);

--@ VIEW 13 {s}.seen
create view {s}.seen as select id, "Mixed Case" as "b; c", n + 1 as more from {s}.plain where n > 0;
comment on view {s}.seen is 'what is seen';
comment on column {s}.seen."b; c" is 'a column of a view';
alter view {s}.seen alter column id set default 5;
grant select on {s}.seen to {g};
grant update (id) on {s}.seen to {r};
create rule "in its place" as on update to {s}.seen do instead update {s}.plain set n = new.more where id = new.id;
create trigger instead instead of insert on {s}.seen for each row execute function {s}.fired();
comment on trigger instead on {s}.seen is 'of the view';

--@ VIEW 13 {s}."checked; view"
create view {s}."checked; view" with (security_barrier) as select id, n from {s}.plain where n > 0 with local check option;
alter view {s}."checked; view" owner to {r};

--@ VIEW 13 {s}.cascaded
create view {s}.cascaded as select id from {s}.plain where id > 0 with check option;

--@ VIEW 15 {s}.invoked
create view {s}.invoked with (security_invoker = true) as select id from {s}.plain;

--@ VIEW 13 {s}.recursion
create recursive view {s}.recursion (n, "no; name") as
    values (1, 'a') union all select n + 1, "no; name" from recursion where n < 5;

--@ VIEW 13 {s}.no_columns
create view {s}.no_columns as select;

--@ MATERIALIZED_VIEW 13 {s}.kept
create materialized view {s}.kept with (fillfactor = 60) as select id, "Mixed Case" as b from {s}.plain;
create unique index kept_id on {s}.kept (id);
create index on {s}.kept (lower(b));
create statistics {s}.of_kept on id, b from {s}.kept;
alter materialized view {s}.kept alter column b set statistics 44, alter b set storage external;
alter materialized view {s}.kept cluster on kept_id;
comment on materialized view {s}.kept is 'kept for later';
comment on column {s}.kept.b is 'of it';
comment on index {s}.kept_id is 'its index';
alter materialized view {s}.kept owner to {r};
grant select on {s}.kept to {g};

--@ MATERIALIZED_VIEW 13 {s}."not; filled"
create materialized view {s}."not; filled" as select 1 as one with no data;

--@ FOREIGN_TABLE 13 {s}."far; away"
create foreign table {s}."far; away" (a integer options (column_name 'it''s a') not null, b text collate "C" default 'x',
    c integer generated always as (a + 1) stored, constraint "above 0" check (a > 0))
    server "a server" options (schema_name 'their; schema', table_name 'it''s');
comment on foreign table {s}."far; away" is 'elsewhere';
comment on column {s}."far; away".a is 'theirs';
create trigger t after insert on {s}."far; away" for each row execute function {s}.fired();
alter foreign table {s}."far; away" disable trigger t;
alter foreign table {s}."far; away" alter column b set statistics 5;
grant select on {s}."far; away" to {g};
alter foreign table {s}."far; away" owner to {r};

--@ TABLE 13 {s}.far_parts
create table {s}.far_parts (a int, b text) partition by list (a);

--@ FOREIGN_TABLE 13 {s}.far_part
create foreign table {s}.far_part partition of {s}.far_parts for values in (1) server "a server";
