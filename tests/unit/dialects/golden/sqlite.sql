-- What Octonet says to sqlite. Written by tests/unit/dialects/golden_sql.py.

-- # tables and indexes
-- WITHOUT ROWID: the inbox is its own index.
CREATE TABLE "octonet_checkpoint" (
	"slot" INTEGER NOT NULL,
	"entry" BIGINT NOT NULL,
	"frame" BIGINT NOT NULL,
	"digest" BLOB NOT NULL,
	"schema" VARCHAR(128) NOT NULL,
	PRIMARY KEY ("slot")
);

CREATE TABLE "octonet_inbox" (
	"command_id" TEXT NOT NULL,
	"entry" BIGINT NOT NULL,
	PRIMARY KEY ("command_id")
)
 WITHOUT ROWID;

CREATE TABLE "octonet_schema" (
	"slot" INTEGER NOT NULL,
	"digest" VARCHAR(128) NOT NULL,
	"source" TEXT NOT NULL,
	"standing" TEXT NOT NULL,
	PRIMARY KEY ("slot")
);

CREATE TABLE "people" (
	"id" TEXT NOT NULL,
	"name" TEXT,
	"bio" TEXT,
	"age" NUMERIC,
	"active" INTEGER,
	"born" TEXT,
	"settings" TEXT,
	"labels" TEXT,
	"password" TEXT,
	"bossId" TEXT,
	"createdAt" TEXT,
	"updatedAt" TEXT,
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id"),
	FOREIGN KEY("bossId") REFERENCES "people" ("id") ON DELETE SET NULL
);

CREATE TABLE "groups" (
	"id" TEXT NOT NULL,
	"title" TEXT,
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "Order" (
	"id" TEXT NOT NULL,
	"select" TEXT,
	"from" TEXT,
	"group" TEXT,
	"where" TEXT,
	"limit" TEXT,
	"returning" TEXT,
	"values" TEXT,
	"table" TEXT,
	"index" TEXT,
	"user" TEXT,
	"key" TEXT,
	"order" TEXT,
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id"),
	FOREIGN KEY("order") REFERENCES "user" ("id") ON DELETE SET NULL
);

CREATE TABLE "user" (
	"id" TEXT NOT NULL,
	"email" TEXT NOT NULL,
	"tenant" TEXT,
	"number" NUMERIC,
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "accounts" (
	"id" TEXT NOT NULL,
	"email" TEXT,
	"balance" NUMERIC,
	"deletedAt" TEXT,
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "dogs" (
	"id" TEXT NOT NULL,
	"name" TEXT,
	"kind" TEXT,
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "people_groups" (
	"personId" TEXT NOT NULL,
	"groupId" TEXT NOT NULL,
	PRIMARY KEY ("personId", "groupId"),
	FOREIGN KEY("personId") REFERENCES "people" ("id") ON DELETE CASCADE,
	FOREIGN KEY("groupId") REFERENCES "groups" ("id") ON DELETE CASCADE
)
 WITHOUT ROWID;

CREATE INDEX "idx_people_0" ON "people" ("age" DESC);

CREATE INDEX "idx_people_bossId_ref" ON "people" ("bossId");

CREATE INDEX "idx_Order_order_ref" ON "Order" ("order");

CREATE UNIQUE INDEX "idx_user_0" ON "user" ("tenant", "number");

CREATE UNIQUE INDEX "uidx_user_email" ON "user" ("email");

CREATE UNIQUE INDEX "uidx_accounts_email_softdelete" ON "accounts" ("email") WHERE "deletedAt" IS NULL;

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
-- One bound JSON array stands for any number of ids, so that the text is compiled once.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt", "people"."_version"
FROM "people"
WHERE "people"."id" IN (SELECT anon_1.value
FROM json_each(?) AS anon_1)

-- # get with secrets
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."password", "people"."bossId", "people"."createdAt", "people"."updatedAt", "people"."_version"
FROM "people"
WHERE "people"."id" = ?

-- # version
SELECT "people"."_version"
FROM "people"
WHERE "people"."id" = ?

-- # page of everything
-- SQLAlchemy says OFFSET 0 where nothing is skipped.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people" ORDER BY "people"."id" ASC
 LIMIT ? OFFSET ?

-- # page that is filtered, sorted and skipped to
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."age" >= ? ORDER BY "people"."age" DESC, "people"."name" ASC, "people"."id" ASC
 LIMIT ? OFFSET ?

-- # membership
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" IN (SELECT anon_1.value
FROM json_each(?) AS anon_1) ORDER BY "people"."id" ASC
 LIMIT ? OFFSET ?

-- # membership of numbers, negated
-- Fractions do not come out of a JSON array as they went in: a parameter for each.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE ("people"."age" NOT IN (?, ?)) ORDER BY "people"."id" ASC
 LIMIT ? OFFSET ?

-- # null, and not null
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."bio" IS NULL OR "people"."bio" IS NOT NULL ORDER BY "people"."id" ASC
 LIMIT ? OFFSET ?

-- # and, or, not equal, a boolean
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE ("people"."age" >= ? OR "people"."active" = ?) AND "people"."name" != ? ORDER BY "people"."id" ASC
 LIMIT ? OFFSET ?

-- # like
-- LIKE takes an ASCII letter for its other case: GLOB does not.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" GLOB ? ORDER BY "people"."id" ASC
 LIMIT ? OFFSET ?

-- # like, negated
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE NOT ("people"."name" GLOB ?) ORDER BY "people"."id" ASC
 LIMIT ? OFFSET ?

-- # like, whatever the case
-- LIKE knows the cases of ASCII only, which is enough for a pattern of ASCII.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" LIKE ? ESCAPE '\' ORDER BY "people"."id" ASC
 LIMIT ? OFFSET ?

-- # like, whatever the case, beyond ASCII
-- Every letter of the GLOB lists its cases.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" GLOB ? ORDER BY "people"."id" ASC
 LIMIT ? OFFSET ?

-- # count
SELECT count(*) AS count_1
FROM "people"
WHERE "people"."age" >= ?

-- # reserved words
SELECT "Order"."id", "Order"."select", "Order"."from", "Order"."group", "Order"."where", "Order"."limit", "Order"."returning", "Order"."values", "Order"."table", "Order"."index", "Order"."user", "Order"."key", "Order"."order"
FROM "Order"
WHERE "Order"."select" = ? ORDER BY "Order"."group" ASC, "Order"."id" ASC
 LIMIT ? OFFSET ?

-- # aggregate
-- total() is a float and never overflows; sum() of integers does.
SELECT anon_1."name", anon_1."n", anon_1."total", anon_1."mean", anon_1."points", anon_1."any"
FROM (SELECT anon_2."name" AS "name", anon_2."n" AS "n", anon_2."total" AS "total", anon_2."mean" AS "mean", anon_2."points" AS "points", anon_2."any" AS "any"
FROM (SELECT anon_3."name" AS "name", anon_3."n" AS "n", anon_3."total" AS "total", anon_3."mean" AS "mean", anon_3."points" AS "points", anon_3."any" AS "any"
FROM (SELECT anon_4."name" AS "name", count(*) AS "n", total(anon_4."age") AS "total", avg(anon_4."age") AS "mean", count(*) * ? AS "points", max(anon_4."active") AS "any"
FROM (SELECT anon_5."id" AS "id", anon_5."name" AS "name", anon_5."bio" AS "bio", anon_5."age" AS "age", anon_5."active" AS "active", anon_5."born" AS "born", anon_5."settings" AS "settings", anon_5."labels" AS "labels", anon_5."bossId" AS "bossId", anon_5."createdAt" AS "createdAt", anon_5."updatedAt" AS "updatedAt"
FROM (SELECT "people"."id" AS "id", "people"."name" AS "name", "people"."bio" AS "bio", "people"."age" AS "age", "people"."active" AS "active", "people"."born" AS "born", "people"."settings" AS "settings", "people"."labels" AS "labels", "people"."bossId" AS "bossId", "people"."createdAt" AS "createdAt", "people"."updatedAt" AS "updatedAt"
FROM "people") AS anon_5
WHERE anon_5."age" >= ?) AS anon_4 GROUP BY anon_4."name") AS anon_3
WHERE anon_3."n" > ?) AS anon_2 ORDER BY anon_2."total" DESC, anon_2."name" ASC
 LIMIT ? OFFSET ?) AS anon_1 ORDER BY anon_1."total" DESC, anon_1."name" ASC
 LIMIT ? OFFSET ?

-- # aggregate of everything
SELECT anon_1."_group", anon_1."n", anon_1."total", anon_1."mean"
FROM (SELECT NULL AS "_group", count(*) AS "n", total(anon_2."age") AS "total", avg(anon_2."age") AS "mean"
FROM (SELECT "people"."id" AS "id", "people"."name" AS "name", "people"."bio" AS "bio", "people"."age" AS "age", "people"."active" AS "active", "people"."born" AS "born", "people"."settings" AS "settings", "people"."labels" AS "labels", "people"."bossId" AS "bossId", "people"."createdAt" AS "createdAt", "people"."updatedAt" AS "updatedAt"
FROM "people") AS anon_2) AS anon_1 ORDER BY anon_1."_group" ASC
 LIMIT ? OFFSET ?

-- # links of several owners
SELECT "people_groups"."personId", "people_groups"."groupId"
FROM "people_groups"
WHERE "people_groups"."personId" IN (SELECT anon_1.value
FROM json_each(?) AS anon_1) ORDER BY "people_groups"."personId", "people_groups"."groupId"

-- # create
INSERT INTO "user" ("id", "email", "tenant", "number", "_version") VALUES (?, ?, ?, ?, ?)

-- # update
UPDATE "user" SET "email"=?, "tenant"=?, "number"=?, "_version"=? WHERE "user"."id" = ? AND "user"."_version" = ?

-- # delete
DELETE FROM "user" WHERE "user"."id" IN (SELECT anon_1.value
FROM json_each(?) AS anon_1)

-- # take a row out to put it back
DELETE FROM "user" WHERE "user"."id" = ? AND "user"."_version" = ?

-- # link
INSERT INTO "people_groups" ("personId", "groupId") VALUES (?, ?)

-- # unlink
DELETE FROM "people_groups" WHERE "people_groups"."personId" = ? AND "people_groups"."groupId" = ?

-- # unlink all of several owners
DELETE FROM "people_groups" WHERE "people_groups"."personId" IN (SELECT anon_1.value
FROM json_each(?) AS anon_1)

-- # rows that commands touch
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."password", "people"."bossId", "people"."createdAt", "people"."updatedAt", "people"."_version"
FROM "people"
WHERE "people"."id" IN (SELECT anon_1.value
FROM json_each(?) AS anon_1)

-- # ids of what a command matches
SELECT "people"."id"
FROM "people"
WHERE "people"."age" >= ? ORDER BY "people"."id" ASC
 LIMIT ? OFFSET ?

-- # owners of what is linked
SELECT DISTINCT "people_groups"."personId"
FROM "people_groups"
WHERE "people_groups"."groupId" IN (SELECT anon_1.value
FROM json_each(?) AS anon_1) ORDER BY "people_groups"."personId"

-- # recall commands
SELECT "octonet_inbox"."command_id", "octonet_inbox"."entry"
FROM "octonet_inbox"
WHERE "octonet_inbox"."command_id" IN (SELECT anon_1.value
FROM json_each(?) AS anon_1)

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
 LIMIT ? OFFSET ?

-- # inbox of a snapshot
SELECT "octonet_inbox"."command_id", "octonet_inbox"."entry"
FROM "octonet_inbox"
WHERE "octonet_inbox"."command_id" > ? ORDER BY "octonet_inbox"."command_id"
 LIMIT ? OFFSET ?
