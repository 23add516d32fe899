-- What Octonet says to hana. Written by tests/unit/dialects/golden_sql.py.

-- # tables and indexes
-- COLUMN: unasked an older system makes a table of the row store.
-- NVARCHAR takes 5000 units of 16 bits at most; NCLOB cannot be compared or indexed, and holds what never is.
-- No index is over some of the rows, and nulls are told to differ in one column only: a generated column, the id of rows that do
-- not count and nothing in those that do, stands in a unique index. A required column needs none.
-- The comment tells the types: an index is made anew where its column is. No foreign keys: the log decides what is referred to.
-- The two statements of an index are sent one by one; each is committed by itself.
CREATE COLUMN TABLE "octonet_checkpoint" (
	"slot" INTEGER NOT NULL,
	"entry" BIGINT NOT NULL,
	"frame" BIGINT NOT NULL,
	"digest" VARBINARY(64) NOT NULL,
	"schema" NVARCHAR(128) NOT NULL,
	PRIMARY KEY ("slot")
);

CREATE COLUMN TABLE "octonet_inbox" (
	"command_id" NVARCHAR(255) NOT NULL,
	"entry" BIGINT NOT NULL,
	PRIMARY KEY ("command_id")
);

CREATE COLUMN TABLE "octonet_schema" (
	"slot" INTEGER NOT NULL,
	"digest" NVARCHAR(128) NOT NULL,
	"source" NCLOB NOT NULL,
	"standing" NCLOB NOT NULL,
	PRIMARY KEY ("slot")
);

CREATE COLUMN TABLE "people" (
	"id" NVARCHAR(255) NOT NULL,
	"name" NVARCHAR(5000),
	"bio" NVARCHAR(5000),
	"age" DOUBLE,
	"active" SMALLINT,
	"born" NVARCHAR(5000),
	"settings" NCLOB,
	"labels" NCLOB,
	"password" NVARCHAR(5000),
	"bossId" NVARCHAR(5000),
	"createdAt" NVARCHAR(5000),
	"updatedAt" NVARCHAR(5000),
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE COLUMN TABLE "groups" (
	"id" NVARCHAR(255) NOT NULL,
	"title" NVARCHAR(5000),
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE COLUMN TABLE "Order" (
	"id" NVARCHAR(255) NOT NULL,
	"select" NVARCHAR(5000),
	"from" NVARCHAR(5000),
	"group" NVARCHAR(5000),
	"where" NVARCHAR(5000),
	"limit" NVARCHAR(5000),
	"returning" NVARCHAR(5000),
	"values" NVARCHAR(5000),
	"table" NVARCHAR(5000),
	"index" NVARCHAR(5000),
	"user" NVARCHAR(5000),
	"key" NVARCHAR(5000),
	"order" NVARCHAR(5000),
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE COLUMN TABLE "user" (
	"id" NVARCHAR(255) NOT NULL,
	"email" NVARCHAR(5000) NOT NULL,
	"tenant" NVARCHAR(5000),
	"number" DOUBLE,
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE COLUMN TABLE "accounts" (
	"id" NVARCHAR(255) NOT NULL,
	"email" NVARCHAR(5000),
	"balance" DOUBLE,
	"deletedAt" NVARCHAR(5000),
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE COLUMN TABLE "dogs" (
	"id" NVARCHAR(255) NOT NULL,
	"name" NVARCHAR(5000),
	"kind" NVARCHAR(5000),
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE COLUMN TABLE "people_groups" (
	"personId" NVARCHAR(255) NOT NULL,
	"groupId" NVARCHAR(255) NOT NULL,
	PRIMARY KEY ("personId", "groupId")
);

CREATE INDEX "idx_people_0" ON "people" ("age" DESC) /* DOUBLE */;

CREATE INDEX "idx_people_bossId_ref" ON "people" ("bossId") /* NVARCHAR(5000) */;

CREATE INDEX "idx_Order_order_ref" ON "Order" ("order") /* NVARCHAR(5000) */;

ALTER TABLE "user" ADD ("idx_user_0" NVARCHAR(255) GENERATED ALWAYS AS (CASE WHEN "tenant" IS NOT NULL AND "number" IS NOT NULL THEN '' ELSE "id" END));
CREATE UNIQUE INDEX "idx_user_0" ON "user" ("tenant", "number", "idx_user_0") /* NVARCHAR(5000), DOUBLE */;

CREATE UNIQUE INDEX "uidx_user_email" ON "user" ("email") /* NVARCHAR(5000) */;

ALTER TABLE "accounts" ADD ("uidx_accounts_email_softdelete" NVARCHAR(255) GENERATED ALWAYS AS (CASE WHEN "email" IS NOT NULL AND "deletedAt" IS NULL THEN '' ELSE "id" END));
CREATE UNIQUE INDEX "uidx_accounts_email_softdelete" ON "accounts" ("email", "uidx_accounts_email_softdelete") /* NVARCHAR(5000) */;

CREATE INDEX "idx_people_groups_groupId" ON "people_groups" ("groupId") /* NVARCHAR(255) */

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
-- Nulls are lowest unasked, in either direction. LIMIT and OFFSET take parameters, but no expressions.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people" ORDER BY "people"."id" ASC
 LIMIT ?

-- # page that is filtered, sorted and skipped to
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."age" >= ? ORDER BY "people"."age" DESC, "people"."name" ASC, "people"."id" ASC
 LIMIT ? OFFSET ?

-- # membership
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" IN (?, ?, ?, ?) ORDER BY "people"."id" ASC
 LIMIT ?

-- # membership of numbers, negated
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE ("people"."age" NOT IN (?, ?)) ORDER BY "people"."id" ASC
 LIMIT ?

-- # null, and not null
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."bio" IS NULL OR "people"."bio" IS NOT NULL ORDER BY "people"."id" ASC
 LIMIT ?

-- # and, or, not equal, a boolean
-- Nothing tells of a greatest BOOLEAN: it is a SMALLINT, compared with a number.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE ("people"."age" >= ? OR "people"."active" = ?) AND "people"."name" != ? ORDER BY "people"."id" ASC
 LIMIT ?

-- # like
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" LIKE ? ESCAPE '|' ORDER BY "people"."id" ASC
 LIMIT ?

-- # like, negated
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" NOT LIKE ? ESCAPE '|' ORDER BY "people"."id" ASC
 LIMIT ?

-- # like, whatever the case
-- A predicate, not a function. PCRE: (?s), \A and \z stand in the pattern, and every letter lists its cases.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" LIKE_REGEXPR ? ORDER BY "people"."id" ASC
 LIMIT ?

-- # like, whatever the case, beyond ASCII
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" LIKE_REGEXPR ? ORDER BY "people"."id" ASC
 LIMIT ?

-- # count
SELECT count(*) AS count_1
FROM "people"
WHERE "people"."age" >= ?

-- # reserved words
SELECT "Order"."id", "Order"."select", "Order"."from", "Order"."group", "Order"."where", "Order"."limit", "Order"."returning", "Order"."values", "Order"."table", "Order"."index", "Order"."user", "Order"."key", "Order"."order"
FROM "Order"
WHERE "Order"."select" = ? ORDER BY "Order"."group" ASC, "Order"."id" ASC
 LIMIT ?

-- # aggregate
-- ORDER BY within a subselect goes with its LIMIT. What is bound among the columns would be a text: it is told to be a DOUBLE.
SELECT anon_1."name", anon_1."n", anon_1."total", anon_1."mean", anon_1."points", anon_1."any"
FROM (SELECT anon_2."name" AS "name", anon_2."n" AS "n", anon_2."total" AS "total", anon_2."mean" AS "mean", anon_2."points" AS "points", anon_2."any" AS "any"
FROM (SELECT anon_3."name" AS "name", anon_3."n" AS "n", anon_3."total" AS "total", anon_3."mean" AS "mean", anon_3."points" AS "points", anon_3."any" AS "any"
FROM (SELECT anon_4."name" AS "name", CAST(count(*) AS DOUBLE) AS "n", coalesce(sum(anon_4."age"), 0) AS "total", avg(anon_4."age") AS "mean", CAST(count(*) AS DOUBLE) * CAST(? AS DOUBLE) AS "points", max(anon_4."active") AS "any"
FROM (SELECT anon_5."id" AS "id", anon_5."name" AS "name", anon_5."bio" AS "bio", anon_5."age" AS "age", anon_5."active" AS "active", anon_5."born" AS "born", anon_5."settings" AS "settings", anon_5."labels" AS "labels", anon_5."bossId" AS "bossId", anon_5."createdAt" AS "createdAt", anon_5."updatedAt" AS "updatedAt"
FROM (SELECT "people"."id" AS "id", "people"."name" AS "name", "people"."bio" AS "bio", "people"."age" AS "age", "people"."active" AS "active", "people"."born" AS "born", "people"."settings" AS "settings", "people"."labels" AS "labels", "people"."bossId" AS "bossId", "people"."createdAt" AS "createdAt", "people"."updatedAt" AS "updatedAt"
FROM "people") AS anon_5
WHERE anon_5."age" >= ?) AS anon_4 GROUP BY anon_4."name") AS anon_3
WHERE anon_3."n" > ?) AS anon_2 ORDER BY anon_2."total" DESC, anon_2."name" ASC
 LIMIT ?) AS anon_1 ORDER BY anon_1."total" DESC, anon_1."name" ASC
 LIMIT ?

-- # aggregate of everything
SELECT anon_1."_group", anon_1."n", anon_1."total", anon_1."mean"
FROM (SELECT NULL AS "_group", CAST(count(*) AS DOUBLE) AS "n", coalesce(sum(anon_2."age"), 0) AS "total", avg(anon_2."age") AS "mean"
FROM (SELECT "people"."id" AS "id", "people"."name" AS "name", "people"."bio" AS "bio", "people"."age" AS "age", "people"."active" AS "active", "people"."born" AS "born", "people"."settings" AS "settings", "people"."labels" AS "labels", "people"."bossId" AS "bossId", "people"."createdAt" AS "createdAt", "people"."updatedAt" AS "updatedAt"
FROM "people") AS anon_2) AS anon_1 ORDER BY anon_1."_group" ASC
 LIMIT ?

-- # links of several owners
SELECT "people_groups"."personId", "people_groups"."groupId"
FROM "people_groups"
WHERE "people_groups"."personId" IN (?, ?) ORDER BY "people_groups"."personId", "people_groups"."groupId"

-- # create
-- Generated columns are not named: they cannot be given.
INSERT INTO "user" ("id", "email", "tenant", "number", "_version") VALUES (?, ?, ?, ?, ?)

-- # update
-- Run for each line: of many lines the driver does not tell how many rows they touched.
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
WHERE "people"."id" > ? ORDER BY "people"."id" ASC
 LIMIT ?

-- # inbox of a snapshot
SELECT "octonet_inbox"."command_id", "octonet_inbox"."entry"
FROM "octonet_inbox"
WHERE "octonet_inbox"."command_id" > ? ORDER BY "octonet_inbox"."command_id"
 LIMIT ?
