-- What Octonet says to cockroachdb. Written by tests/unit/dialects/golden_sql.py.

-- # tables and indexes
-- Texts are ordered by code point unasked. What is called JSON there sorts members: values stay texts.
-- No foreign keys: the log decides what is referred to. NULLS FIRST is said although it is the order there.
CREATE TABLE "octonet_checkpoint" (
	"slot" INTEGER NOT NULL,
	"entry" BIGINT NOT NULL,
	"frame" BIGINT NOT NULL,
	"digest" BYTEA NOT NULL,
	"schema" VARCHAR(128) NOT NULL,
	PRIMARY KEY ("slot")
);

CREATE TABLE "octonet_inbox" (
	"command_id" TEXT NOT NULL,
	"entry" BIGINT NOT NULL,
	PRIMARY KEY ("command_id")
);

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
	"age" DOUBLE PRECISION,
	"active" BOOLEAN,
	"born" TEXT,
	"settings" TEXT,
	"labels" TEXT,
	"password" TEXT,
	"bossId" TEXT,
	"createdAt" TEXT,
	"updatedAt" TEXT,
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
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
	PRIMARY KEY ("id")
);

CREATE TABLE "user" (
	"id" TEXT NOT NULL,
	"email" TEXT NOT NULL,
	"tenant" TEXT,
	"number" DOUBLE PRECISION,
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "accounts" (
	"id" TEXT NOT NULL,
	"email" TEXT,
	"balance" DOUBLE PRECISION,
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
	PRIMARY KEY ("personId", "groupId")
);

CREATE INDEX "idx_people_0" ON "people" ("age" DESC NULLS LAST);

CREATE INDEX "idx_people_bossId_ref" ON "people" ("bossId" ASC NULLS FIRST);

CREATE INDEX "idx_Order_order_ref" ON "Order" ("order" ASC NULLS FIRST);

CREATE UNIQUE INDEX "idx_user_0" ON "user" ("tenant" ASC NULLS FIRST, "number" ASC NULLS FIRST);

CREATE UNIQUE INDEX "uidx_user_email" ON "user" ("email" ASC NULLS FIRST);

CREATE UNIQUE INDEX "uidx_accounts_email_softdelete" ON "accounts" ("email" ASC NULLS FIRST) WHERE "deletedAt" IS NULL;

CREATE INDEX "idx_people_groups_groupId" ON "people_groups" ("groupId")

-- # get by id
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt", "people"."_version"
FROM "people"
WHERE "people"."id" = $1

-- # get of chosen fields
SELECT "people"."id", "people"."name", "people"."age", "people"."_version"
FROM "people"
WHERE "people"."id" = $1

-- # get of a row that may be soft-deleted
SELECT "accounts"."id", "accounts"."email", "accounts"."balance", "accounts"."deletedAt", "accounts"."_version"
FROM "accounts"
WHERE "accounts"."id" = $1 AND "accounts"."deletedAt" IS NULL

-- # get by a discriminator
SELECT "dogs"."id", "dogs"."name", "dogs"."kind", "dogs"."_version"
FROM "dogs"
WHERE "dogs"."id" = $1 AND "dogs"."kind" = $2

-- # gets that travel together
-- One bound array instead of a parameter for each id.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt", "people"."_version"
FROM "people"
WHERE "people"."id" = any($1)

-- # get with secrets
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."password", "people"."bossId", "people"."createdAt", "people"."updatedAt", "people"."_version"
FROM "people"
WHERE "people"."id" = $1

-- # version
SELECT "people"."_version"
FROM "people"
WHERE "people"."id" = $1

-- # page of everything
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people" ORDER BY "people"."id" ASC
 LIMIT $1

-- # page that is filtered, sorted and skipped to
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."age" >= $1 ORDER BY "people"."age" DESC NULLS LAST, "people"."name" ASC NULLS FIRST, "people"."id" ASC
 LIMIT $2 OFFSET $3

-- # membership
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" = any($1) ORDER BY "people"."id" ASC
 LIMIT $2

-- # membership of numbers, negated
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."age" != all($1) ORDER BY "people"."id" ASC
 LIMIT $2

-- # null, and not null
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."bio" IS NULL OR "people"."bio" IS NOT NULL ORDER BY "people"."id" ASC
 LIMIT $1

-- # and, or, not equal, a boolean
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE ("people"."age" >= $1 OR "people"."active" = $2) AND "people"."name" != $3 ORDER BY "people"."id" ASC
 LIMIT $4

-- # like
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" LIKE $1 ORDER BY "people"."id" ASC
 LIMIT $2

-- # like, negated
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" NOT LIKE $1 ORDER BY "people"."id" ASC
 LIMIT $2

-- # like, whatever the case
-- ILIKE compares upper cases there, and takes letters for the same that are not: every letter lists its cases.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" ~ $1 ORDER BY "people"."id" ASC
 LIMIT $2

-- # like, whatever the case, beyond ASCII
-- The same.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" ~ $1 ORDER BY "people"."id" ASC
 LIMIT $2

-- # count
SELECT count(*) AS count_1
FROM "people"
WHERE "people"."age" >= $1

-- # reserved words
SELECT "Order"."id", "Order"."select", "Order"."from", "Order"."group", "Order"."where", "Order"."limit", "Order"."returning", "Order"."values", "Order"."table", "Order"."index", "Order"."user", "Order"."key", "Order"."order"
FROM "Order"
WHERE "Order"."select" = $1 ORDER BY "Order"."group" ASC NULLS FIRST, "Order"."id" ASC
 LIMIT $2

-- # aggregate
-- count(*) is a bigint: as a double it compares with any bound number. There is no max of booleans: bool_or.
SELECT anon_1."name", anon_1."n", anon_1."total", anon_1."mean", anon_1."points", anon_1."any"
FROM (SELECT anon_2."name" AS "name", anon_2."n" AS "n", anon_2."total" AS "total", anon_2."mean" AS "mean", anon_2."points" AS "points", anon_2."any" AS "any"
FROM (SELECT anon_3."name" AS "name", anon_3."n" AS "n", anon_3."total" AS "total", anon_3."mean" AS "mean", anon_3."points" AS "points", anon_3."any" AS "any"
FROM (SELECT anon_4."name" AS "name", CAST(count(*) AS DOUBLE PRECISION) AS "n", coalesce(sum(anon_4."age"), 0) AS "total", avg(anon_4."age") AS "mean", CAST(count(*) AS DOUBLE PRECISION) * CAST($1 AS DOUBLE PRECISION) AS "points", bool_or(anon_4."active") AS "any"
FROM (SELECT anon_5."id" AS "id", anon_5."name" AS "name", anon_5."bio" AS "bio", anon_5."age" AS "age", anon_5."active" AS "active", anon_5."born" AS "born", anon_5."settings" AS "settings", anon_5."labels" AS "labels", anon_5."bossId" AS "bossId", anon_5."createdAt" AS "createdAt", anon_5."updatedAt" AS "updatedAt"
FROM (SELECT "people"."id" AS "id", "people"."name" AS "name", "people"."bio" AS "bio", "people"."age" AS "age", "people"."active" AS "active", "people"."born" AS "born", "people"."settings" AS "settings", "people"."labels" AS "labels", "people"."bossId" AS "bossId", "people"."createdAt" AS "createdAt", "people"."updatedAt" AS "updatedAt"
FROM "people") AS anon_5
WHERE anon_5."age" >= $2) AS anon_4 GROUP BY anon_4."name") AS anon_3
WHERE anon_3."n" > $3) AS anon_2 ORDER BY anon_2."total" DESC NULLS LAST, anon_2."name" ASC NULLS FIRST
 LIMIT $4) AS anon_1 ORDER BY anon_1."total" DESC NULLS LAST, anon_1."name" ASC NULLS FIRST
 LIMIT $5

-- # aggregate of everything
SELECT anon_1."_group", anon_1."n", anon_1."total", anon_1."mean"
FROM (SELECT NULL AS "_group", CAST(count(*) AS DOUBLE PRECISION) AS "n", coalesce(sum(anon_2."age"), 0) AS "total", avg(anon_2."age") AS "mean"
FROM (SELECT "people"."id" AS "id", "people"."name" AS "name", "people"."bio" AS "bio", "people"."age" AS "age", "people"."active" AS "active", "people"."born" AS "born", "people"."settings" AS "settings", "people"."labels" AS "labels", "people"."bossId" AS "bossId", "people"."createdAt" AS "createdAt", "people"."updatedAt" AS "updatedAt"
FROM "people") AS anon_2) AS anon_1 ORDER BY anon_1."_group" ASC NULLS FIRST
 LIMIT $1

-- # links of several owners
SELECT "people_groups"."personId", "people_groups"."groupId"
FROM "people_groups"
WHERE "people_groups"."personId" = any($1) ORDER BY "people_groups"."personId", "people_groups"."groupId"

-- # create
-- Columns as arrays: thousands of rows are one statement, compiled once.
INSERT INTO "user" ("id", "email", "tenant", "number", "_version") SELECT anon_1.c0, anon_1.c1, anon_1.c2, anon_1.c3, anon_1.c4
FROM unnest(CAST($1 AS TEXT[]), CAST($2 AS TEXT[]), CAST($3 AS TEXT[]), CAST($4 AS DOUBLE PRECISION[]), CAST($5 AS INTEGER[])) AS anon_1(c0, c1, c2, c3, c4)

-- # update
UPDATE "user" SET "email"=anon_1.c0, "tenant"=anon_1.c1, "number"=anon_1.c2, "_version"=anon_1.c3 FROM unnest(CAST($1 AS TEXT[]), CAST($2 AS TEXT[]), CAST($3 AS DOUBLE PRECISION[]), CAST($4 AS INTEGER[]), CAST($5 AS TEXT[]), CAST($6 AS INTEGER[])) AS anon_1(c0, c1, c2, c3, c4, c5) WHERE "user"."id" = anon_1.c4 AND "user"."_version" = anon_1.c5

-- # delete
DELETE FROM "user" WHERE "user"."id" = any($1)

-- # take a row out to put it back
DELETE FROM "user" USING unnest(CAST($1 AS TEXT[]), CAST($2 AS INTEGER[])) AS anon_1(c0, c1) WHERE "user"."id" = anon_1.c0 AND "user"."_version" = anon_1.c1

-- # link
INSERT INTO "people_groups" ("personId", "groupId") SELECT anon_1.c0, anon_1.c1
FROM unnest(CAST($1 AS TEXT[]), CAST($2 AS TEXT[])) AS anon_1(c0, c1)

-- # unlink
DELETE FROM "people_groups" USING unnest(CAST($1 AS TEXT[]), CAST($2 AS TEXT[])) AS anon_1(c0, c1) WHERE "people_groups"."personId" = anon_1.c0 AND "people_groups"."groupId" = anon_1.c1

-- # unlink all of several owners
DELETE FROM "people_groups" WHERE "people_groups"."personId" = any($1)

-- # rows that commands touch
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."password", "people"."bossId", "people"."createdAt", "people"."updatedAt", "people"."_version"
FROM "people"
WHERE "people"."id" = any($1)

-- # ids of what a command matches
SELECT "people"."id"
FROM "people"
WHERE "people"."age" >= $1 ORDER BY "people"."id" ASC
 LIMIT $2

-- # owners of what is linked
SELECT DISTINCT "people_groups"."personId"
FROM "people_groups"
WHERE "people_groups"."groupId" = any($1) ORDER BY "people_groups"."personId"

-- # recall commands
SELECT "octonet_inbox"."command_id", "octonet_inbox"."entry"
FROM "octonet_inbox"
WHERE "octonet_inbox"."command_id" = any($1)

-- # newest command
SELECT max("octonet_inbox"."command_id") AS max_1
FROM "octonet_inbox"
WHERE "octonet_inbox"."command_id" < $1

-- # remember commands
INSERT INTO "octonet_inbox" ("command_id", "entry") SELECT anon_1.c0, anon_1.c1
FROM unnest(CAST($1 AS TEXT[]), CAST($2 AS BIGINT[])) AS anon_1(c0, c1)

-- # checkpoint
SELECT "octonet_checkpoint"."entry", "octonet_checkpoint"."frame", "octonet_checkpoint"."digest", "octonet_checkpoint"."schema"
FROM "octonet_checkpoint"

-- # move the checkpoint
UPDATE "octonet_checkpoint" SET "entry"=$1, "frame"=$2, "digest"=$3, "schema"=$4

-- # first checkpoint
INSERT INTO "octonet_checkpoint" ("slot", "entry", "frame", "digest", "schema") VALUES ($1, $2, $3, $4, $5)

-- # rows of a snapshot
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."password", "people"."bossId", "people"."createdAt", "people"."updatedAt", "people"."_version"
FROM "people"
WHERE "people"."id" > $1 ORDER BY "people"."id" ASC
 LIMIT $2

-- # inbox of a snapshot
SELECT "octonet_inbox"."command_id", "octonet_inbox"."entry"
FROM "octonet_inbox"
WHERE "octonet_inbox"."command_id" > $1 ORDER BY "octonet_inbox"."command_id"
 LIMIT $2
