-- What Octonet says to db2. Written by tests/unit/dialects/golden_sql.py.

-- # tables and indexes
-- OCTETS: lengths count bytes, whatever STRING_UNITS says. A text ends with U+0000, for blanks at the end count for nothing; IDENTITY orders bytes of UTF-8, which is by code point.
-- Rows may be longer than a page of 32 K (EXTENDED_ROW_SZ). An entry of an index has 8192 bytes: two texts of 4000, and what their columns cost.
-- A SMALLINT for a boolean has a max. A CLOB of more than 1 G could not be logged; none is compared, sorted or grouped.
-- Two nulls are duplicates to a unique index: EXCLUDE NULL KEYS leaves out entries whose terms all are null, and all are where one column has no value, or the row does not count.
-- A term may be any expression over the row without LIKE, functions of the user's or the clock. An index cannot say where nulls are: they are highest.
CREATE TABLE "octonet_checkpoint" (
	"slot" INTEGER NOT NULL,
	"entry" BIGINT NOT NULL,
	"frame" BIGINT NOT NULL,
	"digest" VARBINARY(64) NOT NULL,
	"schema" VARCHAR(128 OCTETS) NOT NULL,
	PRIMARY KEY ("slot")
);

CREATE TABLE "octonet_inbox" (
	"command_id" VARCHAR(1024 OCTETS) NOT NULL,
	"entry" BIGINT NOT NULL,
	PRIMARY KEY ("command_id")
);

CREATE TABLE "octonet_schema" (
	"slot" INTEGER NOT NULL,
	"digest" VARCHAR(128 OCTETS) NOT NULL,
	"source" CLOB(256M OCTETS) NOT NULL,
	"standing" CLOB(256M OCTETS) NOT NULL,
	PRIMARY KEY ("slot")
);

CREATE TABLE "people" (
	"id" VARCHAR(1024 OCTETS) NOT NULL,
	"name" VARCHAR(4000 OCTETS),
	"bio" VARCHAR(4000 OCTETS),
	"age" DOUBLE,
	"active" SMALLINT,
	"born" VARCHAR(4000 OCTETS),
	"settings" CLOB(256M OCTETS),
	"labels" CLOB(256M OCTETS),
	"password" VARCHAR(4000 OCTETS),
	"bossId" VARCHAR(4000 OCTETS),
	"createdAt" VARCHAR(4000 OCTETS),
	"updatedAt" VARCHAR(4000 OCTETS),
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "groups" (
	"id" VARCHAR(1024 OCTETS) NOT NULL,
	"title" VARCHAR(4000 OCTETS),
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "Order" (
	"id" VARCHAR(1024 OCTETS) NOT NULL,
	"select" VARCHAR(4000 OCTETS),
	"from" VARCHAR(4000 OCTETS),
	"group" VARCHAR(4000 OCTETS),
	"where" VARCHAR(4000 OCTETS),
	"limit" VARCHAR(4000 OCTETS),
	"returning" VARCHAR(4000 OCTETS),
	"values" VARCHAR(4000 OCTETS),
	"table" VARCHAR(4000 OCTETS),
	"index" VARCHAR(4000 OCTETS),
	"user" VARCHAR(4000 OCTETS),
	"key" VARCHAR(4000 OCTETS),
	"order" VARCHAR(4000 OCTETS),
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "user" (
	"id" VARCHAR(1024 OCTETS) NOT NULL,
	"email" VARCHAR(4000 OCTETS) NOT NULL,
	"tenant" VARCHAR(4000 OCTETS),
	"number" DOUBLE,
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "accounts" (
	"id" VARCHAR(1024 OCTETS) NOT NULL,
	"email" VARCHAR(4000 OCTETS),
	"balance" DOUBLE,
	"deletedAt" VARCHAR(4000 OCTETS),
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "dogs" (
	"id" VARCHAR(1024 OCTETS) NOT NULL,
	"name" VARCHAR(4000 OCTETS),
	"kind" VARCHAR(4000 OCTETS),
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "people_groups" (
	"personId" VARCHAR(1024 OCTETS) NOT NULL,
	"groupId" VARCHAR(1024 OCTETS) NOT NULL,
	PRIMARY KEY ("personId", "groupId")
);

CREATE INDEX "idx_people_0" ON "people" ("age" DESC);

CREATE INDEX "idx_people_bossId_ref" ON "people" ("bossId");

CREATE INDEX "idx_Order_order_ref" ON "Order" ("order");

CREATE UNIQUE INDEX "idx_user_0" ON "user" (CASE WHEN "tenant" IS NOT NULL AND "number" IS NOT NULL THEN "tenant" END, CASE WHEN "tenant" IS NOT NULL AND "number" IS NOT NULL THEN "number" END) EXCLUDE NULL KEYS;

CREATE UNIQUE INDEX "uidx_user_email" ON "user" ("email") EXCLUDE NULL KEYS;

CREATE UNIQUE INDEX "uidx_accounts_email_softdelete" ON "accounts" (CASE WHEN "email" IS NOT NULL AND "deletedAt" IS NULL THEN "email" END) EXCLUDE NULL KEYS;

CREATE INDEX "idx_people_groups_groupId" ON "people_groups" ("groupId")

-- # get by id
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt", "people"."_version"
FROM "people"
WHERE "people"."id" = ?

-- # get of chosen fields
SELECT "people"."id", "people"."name", "people"."age", "people"."_version"
FROM "people"
WHERE "people"."id" = ?

-- # get of a row that may be soft-deleted
SELECT "accounts"."id", "accounts"."email", "accounts"."balance", "accounts"."deletedAt", "accounts"."_version"
FROM "accounts"
WHERE "accounts"."id" = ? AND "accounts"."deletedAt" IS NULL

-- # get by a discriminator
SELECT "dogs"."id", "dogs"."name", "dogs"."kind", "dogs"."_version"
FROM "dogs"
WHERE "dogs"."id" = ? AND "dogs"."kind" = ?

-- # gets that travel together
-- A statement takes 32,767 values. No list can be bound as one.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt", "people"."_version"
FROM "people"
WHERE "people"."id" IN (?, ?, ?, ?)

-- # get with secrets
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."password", "people"."bossId", "people"."createdAt", "people"."updatedAt", "people"."_version"
FROM "people"
WHERE "people"."id" = ?

-- # version
SELECT "people"."_version"
FROM "people"
WHERE "people"."id" = ?

-- # page of everything
-- FETCH takes 0, and an expression; a parameter there is given its type. It stands behind OFFSET.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people" ORDER BY "people"."id" ASC
 FETCH FIRST CAST(? AS BIGINT) ROWS ONLY

-- # page that is filtered, sorted and skipped to
-- Nulls are highest unasked; NULLS FIRST and NULLS LAST are said in an order only.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."age" >= ? ORDER BY "people"."age" DESC NULLS LAST, "people"."name" ASC NULLS FIRST, "people"."id" ASC
 OFFSET CAST(? AS BIGINT) ROWS
 FETCH FIRST CAST(? AS BIGINT) ROWS ONLY

-- # membership
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" IN (?, ?, ?, ?) ORDER BY "people"."id" ASC
 FETCH FIRST CAST(? AS BIGINT) ROWS ONLY

-- # membership of numbers, negated
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE ("people"."age" NOT IN (?, ?)) ORDER BY "people"."id" ASC
 FETCH FIRST CAST(? AS BIGINT) ROWS ONLY

-- # null, and not null
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."bio" IS NULL OR "people"."bio" IS NOT NULL ORDER BY "people"."id" ASC
 FETCH FIRST CAST(? AS BIGINT) ROWS ONLY

-- # and, or, not equal, a boolean
-- A boolean is a SMALLINT, and compared with a number.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE ("people"."age" >= ? OR "people"."active" = ?) AND "people"."name" != ? ORDER BY "people"."id" ASC
 FETCH FIRST CAST(? AS BIGINT) ROWS ONLY

-- # like
-- In a database of UTF-8 an underscore is one letter. The end of a text, U+0000, is bound with the pattern.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" LIKE ? ESCAPE '|' ORDER BY "people"."id" ASC
 FETCH FIRST CAST(? AS BIGINT) ROWS ONLY

-- # like, negated
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" NOT LIKE ? ESCAPE '|' ORDER BY "people"."id" ASC
 FETCH FIRST CAST(? AS BIGINT) ROWS ONLY

-- # like, whatever the case
-- A predicate, since 11.1, of ICU's expressions. What is bound for a function has to be given a type. Every letter lists its cases.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE REGEXP_LIKE("people"."name", CAST(? AS VARCHAR(8000 OCTETS))) ORDER BY "people"."id" ASC
 FETCH FIRST CAST(? AS BIGINT) ROWS ONLY

-- # like, whatever the case, beyond ASCII
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE REGEXP_LIKE("people"."name", CAST(? AS VARCHAR(8000 OCTETS))) ORDER BY "people"."id" ASC
 FETCH FIRST CAST(? AS BIGINT) ROWS ONLY

-- # count
SELECT count(*) AS count_1
FROM "people"
WHERE "people"."age" >= ?

-- # reserved words
SELECT "Order"."id", "Order"."select", "Order"."from", "Order"."group", "Order"."where", "Order"."limit", "Order"."returning", "Order"."values", "Order"."table", "Order"."index", "Order"."user", "Order"."key", "Order"."order"
FROM "Order"
WHERE "Order"."select" = ? ORDER BY "Order"."group" ASC NULLS FIRST, "Order"."id" ASC
 FETCH FIRST CAST(? AS BIGINT) ROWS ONLY

-- # aggregate
-- A subselect may be ordered where its rows are limited. The sum of DOUBLEs is a DOUBLE, also beside an INTEGER 0.
SELECT anon_1."name", anon_1."n", anon_1."total", anon_1."mean", anon_1."points", anon_1."any"
FROM (SELECT anon_2."name" AS "name", anon_2."n" AS "n", anon_2."total" AS "total", anon_2."mean" AS "mean", anon_2."points" AS "points", anon_2."any" AS "any"
FROM (SELECT anon_3."name" AS "name", anon_3."n" AS "n", anon_3."total" AS "total", anon_3."mean" AS "mean", anon_3."points" AS "points", anon_3."any" AS "any"
FROM (SELECT anon_4."name" AS "name", CAST(count(*) AS DOUBLE) AS "n", coalesce(sum(anon_4."age"), 0) AS "total", avg(anon_4."age") AS "mean", CAST(count(*) AS DOUBLE) * CAST(? AS DOUBLE) AS "points", max(anon_4."active") AS "any"
FROM (SELECT anon_5."id" AS "id", anon_5."name" AS "name", anon_5."bio" AS "bio", anon_5."age" AS "age", anon_5."active" AS "active", anon_5."born" AS "born", anon_5."settings" AS "settings", anon_5."labels" AS "labels", anon_5."bossId" AS "bossId", anon_5."createdAt" AS "createdAt", anon_5."updatedAt" AS "updatedAt"
FROM (SELECT "people"."id" AS "id", "people"."name" AS "name", "people"."bio" AS "bio", "people"."age" AS "age", "people"."active" AS "active", "people"."born" AS "born", "people"."settings" AS "settings", "people"."labels" AS "labels", "people"."bossId" AS "bossId", "people"."createdAt" AS "createdAt", "people"."updatedAt" AS "updatedAt"
FROM "people") AS anon_5
WHERE anon_5."age" >= ?) AS anon_4 GROUP BY anon_4."name") AS anon_3
WHERE anon_3."n" > ?) AS anon_2 ORDER BY anon_2."total" DESC NULLS LAST, anon_2."name" ASC NULLS FIRST
 FETCH FIRST CAST(? AS BIGINT) ROWS ONLY) AS anon_1 ORDER BY anon_1."total" DESC NULLS LAST, anon_1."name" ASC NULLS FIRST
 FETCH FIRST CAST(? AS BIGINT) ROWS ONLY

-- # aggregate of everything
-- A null that is selected is given a type, which a derived table needs.
SELECT anon_1."_group", anon_1."n", anon_1."total", anon_1."mean"
FROM (SELECT CAST(NULL AS VARCHAR(1)) AS "_group", CAST(count(*) AS DOUBLE) AS "n", coalesce(sum(anon_2."age"), 0) AS "total", avg(anon_2."age") AS "mean"
FROM (SELECT "people"."id" AS "id", "people"."name" AS "name", "people"."bio" AS "bio", "people"."age" AS "age", "people"."active" AS "active", "people"."born" AS "born", "people"."settings" AS "settings", "people"."labels" AS "labels", "people"."bossId" AS "bossId", "people"."createdAt" AS "createdAt", "people"."updatedAt" AS "updatedAt"
FROM "people") AS anon_2) AS anon_1 ORDER BY anon_1."_group" ASC NULLS FIRST
 FETCH FIRST CAST(? AS BIGINT) ROWS ONLY

-- # links of several owners
SELECT "people_groups"."personId", "people_groups"."groupId"
FROM "people_groups"
WHERE "people_groups"."personId" IN (?, ?) ORDER BY "people_groups"."personId", "people_groups"."groupId"

-- # create
INSERT INTO "user" ("id", "email", "tenant", "number", "_version") VALUES (?, ?, ?, ?, ?)

-- # update
-- What is bound to a column takes its type. Db2 tells a column that is missed by number: `db2_failures` finds its name.
UPDATE "user" SET "email"=?, "tenant"=?, "number"=?, "_version"=? WHERE "user"."id" = ? AND "user"."_version" = ?

-- # delete
DELETE FROM "user" WHERE "user"."id" IN (?, ?)

-- # take a row out to put it back
DELETE FROM "user" WHERE "user"."id" = ? AND "user"."_version" = ?

-- # link
INSERT INTO "people_groups" ("personId", "groupId") VALUES (?, ?)

-- # unlink
DELETE FROM "people_groups" WHERE "people_groups"."personId" = ? AND "people_groups"."groupId" = ?

-- # unlink all of several owners
DELETE FROM "people_groups" WHERE "people_groups"."personId" IN (?, ?)

-- # rows that commands touch
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."password", "people"."bossId", "people"."createdAt", "people"."updatedAt", "people"."_version"
FROM "people"
WHERE "people"."id" IN (?, ?)

-- # ids of what a command matches
SELECT "people"."id"
FROM "people"
WHERE "people"."age" >= ? ORDER BY "people"."id" ASC
 FETCH FIRST CAST(? AS BIGINT) ROWS ONLY

-- # owners of what is linked
SELECT DISTINCT "people_groups"."personId"
FROM "people_groups"
WHERE "people_groups"."groupId" IN (?, ?) ORDER BY "people_groups"."personId"

-- # recall commands
SELECT "octonet_inbox"."command_id", "octonet_inbox"."entry"
FROM "octonet_inbox"
WHERE "octonet_inbox"."command_id" IN (?, ?)

-- # newest command
SELECT max("octonet_inbox"."command_id") AS max_1
FROM "octonet_inbox"
WHERE "octonet_inbox"."command_id" < ?

-- # remember commands
INSERT INTO "octonet_inbox" ("command_id", "entry") VALUES (?, ?)

-- # checkpoint
SELECT "octonet_checkpoint"."entry", "octonet_checkpoint"."frame", "octonet_checkpoint"."digest", "octonet_checkpoint"."schema"
FROM "octonet_checkpoint"

-- # move the checkpoint
UPDATE "octonet_checkpoint" SET "entry"=?, "frame"=?, "digest"=?, "schema"=?

-- # first checkpoint
INSERT INTO "octonet_checkpoint" ("slot", "entry", "frame", "digest", "schema") VALUES (?, ?, ?, ?, ?)

-- # rows of a snapshot
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."password", "people"."bossId", "people"."createdAt", "people"."updatedAt", "people"."_version"
FROM "people"
WHERE "people"."id" > ? ORDER BY "people"."id" ASC
 FETCH FIRST CAST(? AS BIGINT) ROWS ONLY

-- # inbox of a snapshot
SELECT "octonet_inbox"."command_id", "octonet_inbox"."entry"
FROM "octonet_inbox"
WHERE "octonet_inbox"."command_id" > ? ORDER BY "octonet_inbox"."command_id"
 FETCH FIRST CAST(? AS BIGINT) ROWS ONLY
