-- A history as schema version 1 had it.
PRAGMA application_id=1735551846;
PRAGMA user_version=1;
BEGIN TRANSACTION;
CREATE TABLE changes (
    test INTEGER NOT NULL REFERENCES tests, state TEXT NOT NULL, at REAL NOT NULL, reason TEXT NOT NULL,
    by TEXT NOT NULL, until TEXT NOT NULL, UNIQUE (test, state, at, reason, by, until)
) STRICT;
INSERT INTO "changes" VALUES(1,'suspect',1790000000.0,'failed 1 of 2','grokfix','');
CREATE TABLE nights (
    id INTEGER PRIMARY KEY, session TEXT NOT NULL, shard INTEGER NOT NULL, of INTEGER NOT NULL, at REAL NOT NULL,
    "commit" TEXT NOT NULL, environment TEXT NOT NULL, UNIQUE (session, shard, of, at)
) STRICT;
INSERT INTO "nights" VALUES(1,'s',1,1,1790000000.0,'c1','ci');
CREATE TABLE orders (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, tests BLOB NOT NULL) STRICT;
INSERT INTO "orders" VALUES(1,X'4636993D3E1DA4E9D6B8F87B79E8F7C6D018580D52661950EABC3845C5897A4D',X'7801636460606002626620060000340007');
INSERT INTO "orders" VALUES(2,X'9413299B9D7B8A2439C8CC65F08204AF9DDDDF8C904DE2C55CA35529AEA247BE',X'7801636660606002624620060000440007');
CREATE TABLE outcomes (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, test INTEGER NOT NULL REFERENCES tests, kind TEXT NOT NULL,
    fingerprint TEXT NOT NULL, exception TEXT NOT NULL, message TEXT NOT NULL, PRIMARY KEY (run, test)
) STRICT, WITHOUT ROWID;
INSERT INTO "outcomes" VALUES(1,1,'failed','f1','AssertionError','no');
INSERT INTO "outcomes" VALUES(2,2,'retried','','','');
INSERT INTO "outcomes" VALUES(2,3,'unknown','','','');
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, digest TEXT NOT NULL, at REAL NOT NULL, source TEXT NOT NULL,
    source_group TEXT NOT NULL, "commit" TEXT NOT NULL, environment TEXT NOT NULL, attempt INTEGER NOT NULL,
    seconds REAL NOT NULL, tests INTEGER NOT NULL REFERENCES orders, whole INTEGER NOT NULL, base INTEGER NOT NULL,
    conditions TEXT NOT NULL, purpose TEXT NOT NULL, durations BLOB
) STRICT;
INSERT INTO "runs" VALUES(1,'ci:1/1/1','aef461c53d0cd7227c27a959fa12a4aa7b687cb76feb73d53fbaf9cf1d7ff443',1790000000.0,'ci','branch:main','c1','ci',1,600.0,1,1,1,'{}','',X'7801AB563254B25230D033AD05000CAD025B');
INSERT INTO "runs" VALUES(2,'ci:1/2/1','c0676c424a6b43526a3e03a9742ea56a4da5dd49755c35c317f5f2e58663611f',1790000060.0,'ci','branch:main','c1','ci',1,600.0,2,1,1,'{}','',NULL);
CREATE TABLE tests (
    id INTEGER PRIMARY KEY, file TEXT NOT NULL, classname TEXT NOT NULL, name TEXT NOT NULL,
    UNIQUE (file, classname, name)
) STRICT;
INSERT INTO "tests" VALUES(1,'tests/test_it.py','tests.test_it','test_a');
INSERT INTO "tests" VALUES(2,'tests/test_it.py','tests.test_it','test_b');
INSERT INTO "tests" VALUES(3,'tests/test_it.py','tests.test_it','test_c');
CREATE INDEX runs_by_time ON runs (at, key);
COMMIT;
