-- SQLite: an orchard, its trees, harvests and customers
CREATE TABLE varieties (
    id INTEGER PRIMARY KEY,
    name VARCHAR(60) NOT NULL UNIQUE COLLATE NOCASE,
    kind TEXT NOT NULL DEFAULT 'apple' CHECK (kind IN ('apple', 'pear', 'plum')),
    parent_id INTEGER REFERENCES varieties(id) ON DELETE SET NULL
);
create table fields (
    code text not null primary key,
    "area ha" REAL NOT NULL CHECK("area ha" > 0),
    planted DATE,
    notes
);
CREATE TABLE trees (
    field_code TEXT NOT NULL REFERENCES fields(code) ON UPDATE CASCADE ON DELETE CASCADE,
    number INTEGER NOT NULL,
    variety_id INTEGER NOT NULL,
    alive BOOLEAN NOT NULL DEFAULT 1,
    label TEXT GENERATED ALWAYS AS (field_code || '-' || number) STORED,
    PRIMARY KEY (field_code, number),
    CONSTRAINT trees_variety FOREIGN KEY (variety_id) REFERENCES varieties (id) ON DELETE RESTRICT
);
CREATE INDEX trees_alive ON trees (variety_id) WHERE alive = 1;
CREATE TABLE workers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    boss_id INTEGER REFERENCES workers,
    hired DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "select" TEXT
);
CREATE UNIQUE INDEX workers_name ON workers (lower(name), hired DESC);
CREATE TABLE harvests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    field_code TEXT NOT NULL,
    tree_number INTEGER NOT NULL,
    picked DATETIME NOT NULL,
    kilos NUMERIC(6, 2) NOT NULL DEFAULT 0,
    quality INT,
    FOREIGN KEY (field_code, tree_number) REFERENCES trees (field_code, number)
        ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT quality_known CHECK (quality BETWEEN 1 AND 5)
);
CREATE TABLE harvest_workers (
    harvest_id INTEGER NOT NULL REFERENCES harvests (id) ON DELETE CASCADE,
    worker_id INTEGER NOT NULL REFERENCES workers (id) ON DELETE CASCADE,
    PRIMARY KEY (harvest_id, worker_id)
);
CREATE TABLE customers (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    mail TEXT,
    CONSTRAINT one_mail UNIQUE (mail)
);
CREATE TABLE profiles (
    customer_id INTEGER NOT NULL PRIMARY KEY REFERENCES customers (id) ON DELETE CASCADE,
    settings JSON,
    photo BLOB
);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    total REAL NOT NULL DEFAULT 0.0,
    placed TIMESTAMP NOT NULL,
    UNIQUE (customer_id, placed)
);
CREATE INDEX ix_orders_customer_id ON orders (customer_id);
CREATE TABLE order_varieties (
    order_id INTEGER NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    variety_id INTEGER NOT NULL REFERENCES varieties (id),
    boxes INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (order_id, variety_id)
) WITHOUT ROWID;
CREATE VIEW living AS SELECT * FROM trees WHERE alive;
CREATE TRIGGER harvest_quality AFTER INSERT ON harvests WHEN new.quality IS NULL
BEGIN UPDATE harvests SET quality = 3 WHERE id = new.id; END;
