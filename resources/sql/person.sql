create table person (
    id         bigint generated always as identity primary key,
    first_name text not null,
    last_name  text not null,
    sex        char(1) check (sex in ('M', 'F'))
);

comment on table person is 'Three people to begin with.';
comment on column person.id is 'Given by the server.';
comment on column person.first_name is 'Given name.';
comment on column person.last_name is 'Family name.';
comment on column person.sex is 'M, F, or unknown (NULL).';

insert into person (first_name, last_name, sex) values
    ('Pankaj', 'Chowdhury', 'M'),
    ('Rachna', 'Agarwal', 'F'),
    ('Raj', 'Shamanic', 'M');
