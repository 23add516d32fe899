-- What Octonet says to hsqldb. Written by tests/unit/dialects/golden_sql.py.

-- # tables and indexes
-- Collated without padding: a blank at the end of a text counts. Every text may be as long as HSQLDB allows.
-- There is no index over some of the rows: a generated column, null for rows that do not count, stands in it.
-- No foreign keys: the log decides what is referred to. Indexes know no NULLS FIRST.
CREATE TABLE "octonet_checkpoint" (
	"slot" INTEGER NOT NULL,
	"entry" BIGINT NOT NULL,
	"frame" BIGINT NOT NULL,
	"digest" VARBINARY(64) NOT NULL,
	"schema" VARCHAR(128) NOT NULL,
	PRIMARY KEY ("slot")
);

CREATE TABLE "octonet_inbox" (
	"command_id" VARCHAR(255) COLLATE "OCTONET" NOT NULL,
	"entry" BIGINT NOT NULL,
	PRIMARY KEY ("command_id")
);

CREATE TABLE "octonet_schema" (
	"slot" INTEGER NOT NULL,
	"digest" VARCHAR(128) NOT NULL,
	"source" VARCHAR(1073741824) COLLATE "OCTONET" NOT NULL,
	"standing" VARCHAR(1073741824) COLLATE "OCTONET" NOT NULL,
	PRIMARY KEY ("slot")
);

CREATE TABLE "people" (
	"id" VARCHAR(255) COLLATE "OCTONET" NOT NULL,
	"name" VARCHAR(1073741824) COLLATE "OCTONET",
	"bio" VARCHAR(1073741824) COLLATE "OCTONET",
	"age" DOUBLE,
	"active" BOOLEAN,
	"born" VARCHAR(1073741824) COLLATE "OCTONET",
	"settings" VARCHAR(1073741824) COLLATE "OCTONET",
	"labels" VARCHAR(1073741824) COLLATE "OCTONET",
	"password" VARCHAR(1073741824) COLLATE "OCTONET",
	"bossId" VARCHAR(1073741824) COLLATE "OCTONET",
	"createdAt" VARCHAR(1073741824) COLLATE "OCTONET",
	"updatedAt" VARCHAR(1073741824) COLLATE "OCTONET",
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "groups" (
	"id" VARCHAR(255) COLLATE "OCTONET" NOT NULL,
	"title" VARCHAR(1073741824) COLLATE "OCTONET",
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "Order" (
	"id" VARCHAR(255) COLLATE "OCTONET" NOT NULL,
	"select" VARCHAR(1073741824) COLLATE "OCTONET",
	"from" VARCHAR(1073741824) COLLATE "OCTONET",
	"group" VARCHAR(1073741824) COLLATE "OCTONET",
	"where" VARCHAR(1073741824) COLLATE "OCTONET",
	"limit" VARCHAR(1073741824) COLLATE "OCTONET",
	"returning" VARCHAR(1073741824) COLLATE "OCTONET",
	"values" VARCHAR(1073741824) COLLATE "OCTONET",
	"table" VARCHAR(1073741824) COLLATE "OCTONET",
	"index" VARCHAR(1073741824) COLLATE "OCTONET",
	"user" VARCHAR(1073741824) COLLATE "OCTONET",
	"key" VARCHAR(1073741824) COLLATE "OCTONET",
	"order" VARCHAR(1073741824) COLLATE "OCTONET",
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "user" (
	"id" VARCHAR(255) COLLATE "OCTONET" NOT NULL,
	"email" VARCHAR(1073741824) COLLATE "OCTONET" NOT NULL,
	"tenant" VARCHAR(1073741824) COLLATE "OCTONET",
	"number" DOUBLE,
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "accounts" (
	"id" VARCHAR(255) COLLATE "OCTONET" NOT NULL,
	"email" VARCHAR(1073741824) COLLATE "OCTONET",
	"balance" DOUBLE,
	"deletedAt" VARCHAR(1073741824) COLLATE "OCTONET",
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "dogs" (
	"id" VARCHAR(255) COLLATE "OCTONET" NOT NULL,
	"name" VARCHAR(1073741824) COLLATE "OCTONET",
	"kind" VARCHAR(1073741824) COLLATE "OCTONET",
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "people_groups" (
	"personId" VARCHAR(255) COLLATE "OCTONET" NOT NULL,
	"groupId" VARCHAR(255) COLLATE "OCTONET" NOT NULL,
	PRIMARY KEY ("personId", "groupId")
);

CREATE INDEX "idx_people_0" ON "people" ("age" DESC);

CREATE INDEX "idx_people_bossId_ref" ON "people" ("bossId");

CREATE INDEX "idx_Order_order_ref" ON "Order" ("order");

CREATE UNIQUE INDEX "idx_user_0" ON "user" ("tenant", "number");

CREATE UNIQUE INDEX "uidx_user_email" ON "user" ("email");

ALTER TABLE "accounts" ADD COLUMN "uidx_accounts_email_softdelete" INTEGER GENERATED ALWAYS AS (CASE WHEN "deletedAt" IS NULL THEN 1 END);
CREATE UNIQUE INDEX "uidx_accounts_email_softdelete" ON "accounts" ("email", "uidx_accounts_email_softdelete");

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
-- LIMIT 0 would mean no limit there: the same number is asked to be above nought.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE CAST(? AS INTEGER) > 0 ORDER BY "people"."id" ASC
 LIMIT ?

-- # page that is filtered, sorted and skipped to
-- Nulls come first there in either direction, unless it is said where.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."age" >= ? AND CAST(? AS INTEGER) > 0 ORDER BY "people"."age" DESC NULLS LAST, "people"."name" ASC NULLS FIRST, "people"."id" ASC
 LIMIT ? OFFSET ?

-- # membership
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" IN (?, ?, ?, ?) AND CAST(? AS INTEGER) > 0 ORDER BY "people"."id" ASC
 LIMIT ?

-- # membership of numbers, negated
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE ("people"."age" NOT IN (?, ?)) AND CAST(? AS INTEGER) > 0 ORDER BY "people"."id" ASC
 LIMIT ?

-- # null, and not null
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE ("people"."bio" IS NULL OR "people"."bio" IS NOT NULL) AND CAST(? AS INTEGER) > 0 ORDER BY "people"."id" ASC
 LIMIT ?

-- # and, or, not equal, a boolean
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE ("people"."age" >= ? OR "people"."active" = ?) AND "people"."name" != ? AND CAST(? AS INTEGER) > 0 ORDER BY "people"."id" ASC
 LIMIT ?

-- # like
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" LIKE ? ESCAPE '|' AND CAST(? AS INTEGER) > 0 ORDER BY "people"."id" ASC
 LIMIT ?

-- # like, negated
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" NOT LIKE ? ESCAPE '|' AND CAST(? AS INTEGER) > 0 ORDER BY "people"."id" ASC
 LIMIT ?

-- # like, whatever the case
-- An expression of Java's, which lists the cases of each letter: LIKE counts 16-bit units, and minds the case.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE regexp_matches("people"."name", ?) AND CAST(? AS INTEGER) > 0 ORDER BY "people"."id" ASC
 LIMIT ?

-- # like, whatever the case, beyond ASCII
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE regexp_matches("people"."name", ?) AND CAST(? AS INTEGER) > 0 ORDER BY "people"."id" ASC
 LIMIT ?

-- # count
SELECT count(*) AS count_1
FROM "people"
WHERE "people"."age" >= ?

-- # reserved words
SELECT "Order"."id", "Order"."select", "Order"."from", "Order"."group", "Order"."where", "Order"."limit", "Order"."returning", "Order"."values", "Order"."table", "Order"."index", "Order"."user", "Order"."key", "Order"."order"
FROM "Order"
WHERE "Order"."select" = ? AND CAST(? AS INTEGER) > 0 ORDER BY "Order"."group" ASC NULLS FIRST, "Order"."id" ASC
 LIMIT ?

-- # aggregate
SELECT anon_1."name", anon_1."n", anon_1."total", anon_1."mean", anon_1."points", anon_1."any"
FROM (SELECT anon_2."name" AS "name", anon_2."n" AS "n", anon_2."total" AS "total", anon_2."mean" AS "mean", anon_2."points" AS "points", anon_2."any" AS "any"
FROM (SELECT anon_3."name" AS "name", anon_3."n" AS "n", anon_3."total" AS "total", anon_3."mean" AS "mean", anon_3."points" AS "points", anon_3."any" AS "any"
FROM (SELECT anon_4."name" AS "name", CAST(count(*) AS DOUBLE) AS "n", coalesce(sum(anon_4."age"), 0) AS "total", avg(anon_4."age") AS "mean", CAST(count(*) AS DOUBLE) * CAST(? AS DOUBLE) AS "points", max(anon_4."active") AS "any"
FROM (SELECT anon_5."id" AS "id", anon_5."name" AS "name", anon_5."bio" AS "bio", anon_5."age" AS "age", anon_5."active" AS "active", anon_5."born" AS "born", anon_5."settings" AS "settings", anon_5."labels" AS "labels", anon_5."bossId" AS "bossId", anon_5."createdAt" AS "createdAt", anon_5."updatedAt" AS "updatedAt"
FROM (SELECT "people"."id" AS "id", "people"."name" AS "name", "people"."bio" AS "bio", "people"."age" AS "age", "people"."active" AS "active", "people"."born" AS "born", "people"."settings" AS "settings", "people"."labels" AS "labels", "people"."bossId" AS "bossId", "people"."createdAt" AS "createdAt", "people"."updatedAt" AS "updatedAt"
FROM "people") AS anon_5
WHERE anon_5."age" >= ?) AS anon_4 GROUP BY anon_4."name") AS anon_3
WHERE anon_3."n" > ?) AS anon_2
WHERE CAST(? AS INTEGER) > 0 ORDER BY anon_2."total" DESC NULLS LAST, anon_2."name" ASC NULLS FIRST
 LIMIT ?) AS anon_1
WHERE CAST(? AS INTEGER) > 0 ORDER BY anon_1."total" DESC NULLS LAST, anon_1."name" ASC NULLS FIRST
 LIMIT ?

-- # aggregate of everything
SELECT anon_1."_group", anon_1."n", anon_1."total", anon_1."mean"
FROM (SELECT NULL AS "_group", CAST(count(*) AS DOUBLE) AS "n", coalesce(sum(anon_2."age"), 0) AS "total", avg(anon_2."age") AS "mean"
FROM (SELECT "people"."id" AS "id", "people"."name" AS "name", "people"."bio" AS "bio", "people"."age" AS "age", "people"."active" AS "active", "people"."born" AS "born", "people"."settings" AS "settings", "people"."labels" AS "labels", "people"."bossId" AS "bossId", "people"."createdAt" AS "createdAt", "people"."updatedAt" AS "updatedAt"
FROM "people") AS anon_2) AS anon_1
WHERE CAST(? AS INTEGER) > 0 ORDER BY anon_1."_group" ASC NULLS FIRST
 LIMIT ?

-- # links of several owners
SELECT "people_groups"."personId", "people_groups"."groupId"
FROM "people_groups"
WHERE "people_groups"."personId" IN (?, ?) ORDER BY "people_groups"."personId", "people_groups"."groupId"

-- # create
INSERT INTO "user" ("id", "email", "tenant", "number", "_version") VALUES (?, ?, ?, ?, ?)

-- # update
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
WHERE "people"."age" >= ? AND CAST(? AS INTEGER) > 0 ORDER BY "people"."id" ASC
 LIMIT ?

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
WHERE "people"."id" > ? AND CAST(? AS INTEGER) > 0 ORDER BY "people"."id" ASC
 LIMIT ?

-- # inbox of a snapshot
SELECT "octonet_inbox"."command_id", "octonet_inbox"."entry"
FROM "octonet_inbox"
WHERE "octonet_inbox"."command_id" > ? AND CAST(? AS INTEGER) > 0 ORDER BY "octonet_inbox"."command_id"
 LIMIT ?
