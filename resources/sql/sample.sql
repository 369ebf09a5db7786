-- The sample: a shop with two years of orders. Every value is arithmetic on the row's number: the same on every run.
-- It is built as the schema shop_unfinished and takes its name when it is whole. pgexplorer/demo/sample.py runs each
-- step in a transaction of its own; {die:SALT:SIDES} stands for a number from 0 to SIDES - 1 made from i.

-- step: Making the tables
create schema shop_unfinished;
comment on schema shop_unfinished is 'A shop: two years of orders, made up.';
set search_path = shop_unfinished;

create type order_status as enum ('new', 'paid', 'shipped', 'delivered', 'returned', 'cancelled');

create table customers (
    id          bigint generated always as identity,
    first_name  text not null,
    last_name   text not null,
    email       text not null,
    city        text not null,
    country     char(2) not null,
    born_on     date,
    joined_at   timestamptz not null,
    credit      numeric(10, 2) not null default 0,
    active      boolean not null default true,
    preferences jsonb
);
comment on table customers is 'Who buys. Some have not told their day of birth, some have no preferences.';
comment on column customers.country is 'ISO 3166-1 alpha-2.';
comment on column customers.credit is 'In euros; negative when the customer owes.';
comment on column customers.preferences is 'Language, newsletter and interests, as the customer left them.';

create table products (
    id              bigint generated always as identity,
    sku             text not null,
    name            text not null,
    category        text not null,
    price           numeric(10, 2) not null check (price > 0),
    weight_kg       double precision,
    tags            text[] not null default '{}',
    details         jsonb not null default '{}',
    discontinued_on date
);
comment on table products is 'What is sold.';
comment on column products.sku is 'Stock-keeping unit, unique.';
comment on column products.weight_kg is 'NULL for what has no weight, such as a licence.';

create table orders (
    id          bigint generated always as identity,
    customer_id bigint not null,
    product_id  bigint not null,
    quantity    integer not null check (quantity > 0),
    amount      numeric(12, 2) not null,
    status      order_status not null,
    ordered_at  timestamptz not null,
    shipped_on  date,
    note        text,
    details     jsonb
);
comment on table orders is 'One product bought by one customer, once.';
comment on column orders.amount is 'Quantity times price, less the discount of that day.';
comment on column orders.shipped_on is 'NULL until it leaves the house.';
comment on column orders.note is 'What the customer wrote; mostly nothing.';

-- rows: products 1000
insert into products (sku, name, category, price, weight_kg, tags, details, discontinued_on)
select 'P-' || lpad(i::text, 5, '0'),
       (array['Small', 'Large', 'Light', 'Sturdy', 'Folding', 'Quiet', 'Plain', 'Fine'])[1 + {die:1:8}]
           || ' '
           || (array['oak', 'steel', 'linen', 'glass', 'cork', 'wool', 'copper', 'clay'])[1 + {die:2:8}]
           || ' '
           || (array['lamp', 'chair', 'kettle', 'shelf', 'clock', 'basket', 'mug', 'blanket', 'desk', 'vase'])[1 + {die:3:10}],
       (array['kitchen', 'office', 'garden', 'living', 'bath', 'gifts'])[1 + {die:4:6}],
       (199 + {die:5:50000})::numeric / 100,
       case when {die:6:12} > 0 then (50 + {die:7:20000}) / 1000.0 end,
       (array['new', 'sale', 'handmade', 'recycled', 'bestseller'])[1 + {die:8:3}:1 + {die:9:5}],
       jsonb_build_object('colour', (array['red', 'green', 'blue', 'white', 'black'])[1 + {die:10:5}],
                          'size_cm', jsonb_build_array(5 + {die:11:80}, 5 + {die:12:80}, 2 + {die:13:40})),
       case when {die:14:10} = 0 then date '2024-06-01' + {die:15:500} end
from generate_series({first}::bigint, {last}) as i;

-- rows: customers 50000
insert into customers (first_name, last_name, email, city, country, born_on, joined_at, credit, active, preferences)
select first_name, last_name,
       lower(translate(first_name || '.' || last_name, 'éøüñåöç ''', 'eounaoc')) || i || '@example.com',
       places.town[1 + {die:23:3}], places.country,
       case when {die:24:9} > 0 then date '1945-01-01' + {die:25:22000} end,
       timestamptz '2019-01-01 00:00+00' + {die:26:1800} * interval '1 day' + {die:27:86400} * interval '1 second',
       ({die:28:60000} - 5000)::numeric / 100,
       {die:29:20} > 0,
       case when {die:30:3} > 0 then jsonb_build_object(
           'language', places.language, 'newsletter', {die:31:2} = 0,
           'interests', (array['["tea", "books"]', '["garden"]', '[]', '["design", "travel", "music"]'])[1 + {die:32:4}]::jsonb)
       end
from generate_series({first}::bigint, {last}) as i
cross join lateral (select
    (array['Ada', 'Bruno', 'Chloé', 'Dilip', 'Elif', 'Femi', 'Grace', 'Hiro', 'Ines', 'Jonas', 'Kavya', 'Liam', 'Mei', 'Noor',
           'Søren', 'Priya', 'Quentin', 'Rosa', 'Samir', 'Tove'])[1 + {die:20:20}] as first_name,
    (array['Almeida', 'Berg', 'Chowdhury', 'Dubois', 'Eriksson', 'Fischer', 'García', 'Haddad', 'Ivanov', 'Jensen', 'Kim',
           'López', 'Müller', 'Nakamura', 'O''Brien', 'Peña', 'Rossi', 'Singh', 'Tanaka', 'van Dijk'])[1 + {die:21:20}] as last_name
) as names
join (values
    (0, 'DE', 'de', array['Berlin', 'Köln', 'Leipzig']), (1, 'FR', 'fr', array['Paris', 'Lyon', 'Nantes']),
    (2, 'IN', 'hi', array['Mumbai', 'Pune', 'Kolkata']), (3, 'GB', 'en', array['London', 'Leeds', 'Bristol']),
    (4, 'SE', 'sv', array['Stockholm', 'Malmö', 'Umeå']), (5, 'ES', 'es', array['Madrid', 'Sevilla', 'Bilbao']),
    (6, 'JP', 'ja', array['Tokyo', 'Osaka', 'Kyoto']), (7, 'BR', 'pt', array['Recife', 'Santos', 'Manaus'])
) as places (number, country, language, town) on places.number = {die:22:8}
order by i;

-- rows: orders 1000000
insert into orders (customer_id, product_id, quantity, amount, status, ordered_at, shipped_on, note, details)
select 1 + {die:40:{customers}}, products.id, quantity,
       round(products.price * quantity * (100 - discount) / 100, 2),
       status, ordered_at,
       case when status in ('shipped', 'delivered', 'returned') then ordered_at::date + 1 + {die:45:5} end,
       case when {die:46:12} = 0
           then (array['Please ring twice.', 'A gift: no invoice in the parcel.', 'Leave it with the neighbour.',
                       'After 6 pm, thank you!', 'Handle with care – glass.'])[1 + {die:47:5}] end,
       case when {die:48:4} = 0
           then jsonb_build_object('channel', (array['web', 'app', 'phone'])[1 + {die:49:3}], 'discount', discount) end
from generate_series({first}::bigint, {last}) as i
cross join lateral (select 1 + {die:41:3} * {die:42:3} as quantity, 5 * {die:43:4} as discount,
    (case when i > {orders} - {orders} / 40  -- the last weeks are still on their way
        then array['new', 'paid', 'shipped', 'shipped', 'delivered', 'delivered', 'cancelled']
        else array['delivered', 'delivered', 'delivered', 'delivered', 'delivered', 'returned', 'cancelled']
    end)[1 + {die:44:7}]::order_status as status,
    timestamptz '2024-01-01 00:00+00' + (i * 63072000 / {orders}) * interval '1 second' as ordered_at
) as drawn
join products on products.id = 1 + {die:50:{products}}
order by i;

-- step: Adding keys to customers and products
alter table customers add primary key (id), add unique (email);
alter table products add primary key (id), add unique (sku);

-- step: Adding the key to orders
alter table orders add primary key (id);

-- step: Adding foreign keys
alter table orders
    add foreign key (customer_id) references customers (id),
    add foreign key (product_id) references products (id);

-- step: Adding indexes
create index on orders (customer_id);
create index on orders (product_id);
create index on orders (ordered_at);
create index on orders (status) where status in ('new', 'paid');
create index on customers (country, city);
create index on customers (lower(last_name));
create index on products using gin (details);

-- step: Adding views and a function
create view open_orders as
select orders.id, customers.first_name || ' ' || customers.last_name as customer, products.name as product,
       orders.quantity, orders.amount, orders.status, orders.ordered_at
from orders
join customers on customers.id = orders.customer_id
join products on products.id = orders.product_id
where orders.status in ('new', 'paid');
comment on view open_orders is 'Orders that still have to leave the house.';

create materialized view sales_by_month as
select date_trunc('month', orders.ordered_at at time zone 'UTC')::date as month, products.category,
       count(*) as orders, sum(orders.amount) as amount
from orders
join products on products.id = orders.product_id
where orders.status <> 'cancelled'
group by 1, 2;
create unique index on sales_by_month (month, category);
comment on materialized view sales_by_month is 'Refresh it with: refresh materialized view shop.sales_by_month';

create function spent_by(customer bigint) returns numeric
language sql stable
begin atomic
    select coalesce(sum(amount), 0) from orders where customer_id = customer and status not in ('cancelled', 'returned');
end;
comment on function spent_by(bigint) is 'What a customer has spent, without what was cancelled or returned.';

-- step: Counting for the planner
analyze customers, products, orders, sales_by_month;

-- step: Giving the sample its name
alter schema shop_unfinished rename to shop;
