-- What Octonet says to oracle. Written by tests/unit/dialects/golden_sql.py.

-- # tables and indexes
-- A text that can be compared has at most 4000 bytes; CLOBs cannot be compared, and hold what never is.
-- No entry is kept where all terms are null: so null is no duplicate, and rows that are soft-deleted do not count.
-- The terms of an index have room for 6398 bytes: of several texts it holds digests.
-- The 0 keeps rows without a value in an index, and tells it from a unique one: two over the same columns are refused (ORA-01408).
-- INTEGER and NUMBER(19) are decimal; BINARY_DOUBLE is the number of the wire. RAW: the digest has at most 64 bytes.
CREATE TABLE "octonet_checkpoint" (
	"slot" INTEGER NOT NULL,
	"entry" NUMBER(19) NOT NULL,
	"frame" NUMBER(19) NOT NULL,
	"digest" RAW(64) NOT NULL,
	"schema" VARCHAR2(128 CHAR) NOT NULL,
	PRIMARY KEY ("slot")
);

CREATE TABLE "octonet_inbox" (
	"command_id" VARCHAR2(255 CHAR) NOT NULL,
	"entry" NUMBER(19) NOT NULL,
	PRIMARY KEY ("command_id")
);

CREATE TABLE "octonet_schema" (
	"slot" INTEGER NOT NULL,
	"digest" VARCHAR2(128 CHAR) NOT NULL,
	"source" CLOB NOT NULL,
	"standing" CLOB NOT NULL,
	PRIMARY KEY ("slot")
);

CREATE TABLE "people" (
	"id" VARCHAR2(255 CHAR) NOT NULL,
	"name" VARCHAR2(4000 CHAR),
	"bio" VARCHAR2(4000 CHAR),
	"age" BINARY_DOUBLE,
	"active" NUMBER(1),
	"born" VARCHAR2(4000 CHAR),
	"settings" CLOB,
	"labels" CLOB,
	"password" VARCHAR2(4000 CHAR),
	"bossId" VARCHAR2(4000 CHAR),
	"createdAt" VARCHAR2(4000 CHAR),
	"updatedAt" VARCHAR2(4000 CHAR),
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "groups" (
	"id" VARCHAR2(255 CHAR) NOT NULL,
	"title" VARCHAR2(4000 CHAR),
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "Order" (
	"id" VARCHAR2(255 CHAR) NOT NULL,
	"select" VARCHAR2(4000 CHAR),
	"from" VARCHAR2(4000 CHAR),
	"group" VARCHAR2(4000 CHAR),
	"where" VARCHAR2(4000 CHAR),
	"limit" VARCHAR2(4000 CHAR),
	"returning" VARCHAR2(4000 CHAR),
	"values" VARCHAR2(4000 CHAR),
	"table" VARCHAR2(4000 CHAR),
	"index" VARCHAR2(4000 CHAR),
	"user" VARCHAR2(4000 CHAR),
	"key" VARCHAR2(4000 CHAR),
	"order" VARCHAR2(4000 CHAR),
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "user" (
	"id" VARCHAR2(255 CHAR) NOT NULL,
	"email" VARCHAR2(4000 CHAR) NOT NULL,
	"tenant" VARCHAR2(4000 CHAR),
	"number" BINARY_DOUBLE,
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "accounts" (
	"id" VARCHAR2(255 CHAR) NOT NULL,
	"email" VARCHAR2(4000 CHAR),
	"balance" BINARY_DOUBLE,
	"deletedAt" VARCHAR2(4000 CHAR),
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "dogs" (
	"id" VARCHAR2(255 CHAR) NOT NULL,
	"name" VARCHAR2(4000 CHAR),
	"kind" VARCHAR2(4000 CHAR),
	"_version" INTEGER DEFAULT 0 NOT NULL,
	PRIMARY KEY ("id")
);

CREATE TABLE "people_groups" (
	"personId" VARCHAR2(255 CHAR) NOT NULL,
	"groupId" VARCHAR2(255 CHAR) NOT NULL,
	PRIMARY KEY ("personId", "groupId")
);

CREATE INDEX "idx_people_0" ON "people" ("age" DESC, 0);

CREATE INDEX "idx_people_bossId_ref" ON "people" ("bossId", 0);

CREATE INDEX "idx_Order_order_ref" ON "Order" ("order", 0);

CREATE UNIQUE INDEX "idx_user_0" ON "user" (CASE WHEN "tenant" IS NOT NULL AND "number" IS NOT NULL THEN STANDARD_HASH("tenant", 'SHA256') END, CASE WHEN "tenant" IS NOT NULL AND "number" IS NOT NULL THEN "number" END);

CREATE UNIQUE INDEX "uidx_user_email" ON "user" ("email");

CREATE UNIQUE INDEX "uidx_accounts_email_softdelete" ON "accounts" (CASE WHEN "email" IS NOT NULL AND "deletedAt" IS NULL THEN "email" END);

CREATE INDEX "idx_people_groups_groupId" ON "people_groups" ("groupId", 0)

-- # get by id
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt", "people"."_version"
FROM "people"
WHERE "people"."id" = :1

-- # get of chosen fields
SELECT "people"."id", "people"."name", "people"."age", "people"."_version"
FROM "people"
WHERE "people"."id" = :1

-- # get of a row that may be soft-deleted
SELECT "accounts"."id", "accounts"."email", "accounts"."balance", "accounts"."deletedAt", "accounts"."_version"
FROM "accounts"
WHERE "accounts"."id" = :1 AND "accounts"."deletedAt" IS NULL

-- # get by a discriminator
SELECT "dogs"."id", "dogs"."name", "dogs"."kind", "dogs"."_version"
FROM "dogs"
WHERE "dogs"."id" = :1 AND "dogs"."kind" = :2

-- # gets that travel together
-- Lists are padded to a power of two by their last value; at most 1000 values to a list (ORA-01795).
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt", "people"."_version"
FROM "people"
WHERE "people"."id" IN (:1, :2, :3, :4)

-- # get with secrets
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."password", "people"."bossId", "people"."createdAt", "people"."updatedAt", "people"."_version"
FROM "people"
WHERE "people"."id" = :1

-- # version
SELECT "people"."_version"
FROM "people"
WHERE "people"."id" = :1

-- # page of everything
-- The values of FETCH FIRST and OFFSET are bound; the key needs no word on nulls.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people" ORDER BY "people"."id" ASC
 FETCH FIRST :1 ROWS ONLY

-- # page that is filtered, sorted and skipped to
-- Nulls are highest unasked. OFFSET stands before FETCH: the values are bound in that order.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."age" >= :1 ORDER BY "people"."age" DESC NULLS LAST, "people"."name" ASC NULLS FIRST, "people"."id" ASC
 OFFSET :2 ROWS
 FETCH FIRST :3 ROWS ONLY

-- # membership
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" IN (:1, :2, :3, :4) ORDER BY "people"."id" ASC
 FETCH FIRST :5 ROWS ONLY

-- # membership of numbers, negated
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE ("people"."age" NOT IN (:1, :2)) ORDER BY "people"."id" ASC
 FETCH FIRST :3 ROWS ONLY

-- # null, and not null
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."bio" IS NULL OR "people"."bio" IS NOT NULL ORDER BY "people"."id" ASC
 FETCH FIRST :1 ROWS ONLY

-- # and, or, not equal, a boolean
-- There is no BOOLEAN before 23: it is a NUMBER(1), compared with a number. An empty text is bound as U+0000, so <> holds for it.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE ("people"."age" >= :1 OR "people"."active" = :2) AND "people"."name" != :3 ORDER BY "people"."id" ASC
 FETCH FIRST :4 ROWS ONLY

-- # like
-- An empty pattern is bound as U+0000, as an empty text is kept. The bar escapes, and is followed by what it may be followed by (ORA-01424).
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" LIKE :1 ESCAPE '|' ORDER BY "people"."id" ASC
 FETCH FIRST :2 ROWS ONLY

-- # like, negated
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE "people"."name" NOT LIKE :1 ESCAPE '|' ORDER BY "people"."id" ASC
 FETCH FIRST :2 ROWS ONLY

-- # like, whatever the case
-- LOWER knows languages: every letter of the expression lists its cases. c: case counts; n: a point is the end of a line, too.
-- REGEXP_LIKE is a condition, not a value: it is compared with nothing.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE REGEXP_LIKE("people"."name", :1, 'cn') ORDER BY "people"."id" ASC
 FETCH FIRST :2 ROWS ONLY

-- # like, whatever the case, beyond ASCII
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."bossId", "people"."createdAt", "people"."updatedAt"
FROM "people"
WHERE REGEXP_LIKE("people"."name", :1, 'cn') ORDER BY "people"."id" ASC
 FETCH FIRST :2 ROWS ONLY

-- # count
SELECT count(*) AS count_1
FROM "people"
WHERE "people"."age" >= :1

-- # reserved words
SELECT "Order"."id", "Order"."select", "Order"."from", "Order"."group", "Order"."where", "Order"."limit", "Order"."returning", "Order"."values", "Order"."table", "Order"."index", "Order"."user", "Order"."key", "Order"."order"
FROM "Order"
WHERE "Order"."select" = :1 ORDER BY "Order"."group" ASC NULLS FIRST, "Order"."id" ASC
 FETCH FIRST :2 ROWS ONLY

-- # aggregate
-- No AS before the name of a subselect. A count is a decimal, which would not be divided and compared as a double is.
SELECT anon_1."name", anon_1."n", anon_1."total", anon_1."mean", anon_1."points", anon_1."any"
FROM (SELECT anon_2."name" AS "name", anon_2."n" AS "n", anon_2."total" AS "total", anon_2."mean" AS "mean", anon_2."points" AS "points", anon_2."any" AS "any"
FROM (SELECT anon_3."name" AS "name", anon_3."n" AS "n", anon_3."total" AS "total", anon_3."mean" AS "mean", anon_3."points" AS "points", anon_3."any" AS "any"
FROM (SELECT anon_4."name" AS "name", CAST(count(*) AS BINARY_DOUBLE) AS "n", coalesce(sum(anon_4."age"), 0) AS "total", avg(anon_4."age") AS "mean", CAST(count(*) AS BINARY_DOUBLE) * CAST(:1 AS BINARY_DOUBLE) AS "points", max(anon_4."active") AS "any"
FROM (SELECT anon_5."id" AS "id", anon_5."name" AS "name", anon_5."bio" AS "bio", anon_5."age" AS "age", anon_5."active" AS "active", anon_5."born" AS "born", anon_5."settings" AS "settings", anon_5."labels" AS "labels", anon_5."bossId" AS "bossId", anon_5."createdAt" AS "createdAt", anon_5."updatedAt" AS "updatedAt"
FROM (SELECT "people"."id" AS "id", "people"."name" AS "name", "people"."bio" AS "bio", "people"."age" AS "age", "people"."active" AS "active", "people"."born" AS "born", "people"."settings" AS "settings", "people"."labels" AS "labels", "people"."bossId" AS "bossId", "people"."createdAt" AS "createdAt", "people"."updatedAt" AS "updatedAt"
FROM "people") anon_5
WHERE anon_5."age" >= :2) anon_4 GROUP BY anon_4."name") anon_3
WHERE anon_3."n" > :3) anon_2 ORDER BY anon_2."total" DESC NULLS LAST, anon_2."name" ASC NULLS FIRST
 FETCH FIRST :4 ROWS ONLY) anon_1 ORDER BY anon_1."total" DESC NULLS LAST, anon_1."name" ASC NULLS FIRST
 FETCH FIRST :5 ROWS ONLY

-- # aggregate of everything
SELECT anon_1."_group", anon_1."n", anon_1."total", anon_1."mean"
FROM (SELECT NULL AS "_group", CAST(count(*) AS BINARY_DOUBLE) AS "n", coalesce(sum(anon_2."age"), 0) AS "total", avg(anon_2."age") AS "mean"
FROM (SELECT "people"."id" AS "id", "people"."name" AS "name", "people"."bio" AS "bio", "people"."age" AS "age", "people"."active" AS "active", "people"."born" AS "born", "people"."settings" AS "settings", "people"."labels" AS "labels", "people"."bossId" AS "bossId", "people"."createdAt" AS "createdAt", "people"."updatedAt" AS "updatedAt"
FROM "people") anon_2) anon_1 ORDER BY anon_1."_group" ASC NULLS FIRST
 FETCH FIRST :1 ROWS ONLY

-- # links of several owners
SELECT "people_groups"."personId", "people_groups"."groupId"
FROM "people_groups"
WHERE "people_groups"."personId" IN (:1, :2) ORDER BY "people_groups"."personId", "people_groups"."groupId"

-- # create
-- One line of arguments after the other is bound to it, all in one call.
INSERT INTO "user" ("id", "email", "tenant", "number", "_version") VALUES (:1, :2, :3, :4, :5)

-- # update
UPDATE "user" SET "email"=:1, "tenant"=:2, "number"=:3, "_version"=:4 WHERE "user"."id" = :5 AND "user"."_version" = :6

-- # delete
DELETE FROM "user" WHERE "user"."id" IN (:1, :2)

-- # take a row out to put it back
DELETE FROM "user" WHERE "user"."id" = :1 AND "user"."_version" = :2

-- # link
INSERT INTO "people_groups" ("personId", "groupId") VALUES (:1, :2)

-- # unlink
DELETE FROM "people_groups" WHERE "people_groups"."personId" = :1 AND "people_groups"."groupId" = :2

-- # unlink all of several owners
DELETE FROM "people_groups" WHERE "people_groups"."personId" IN (:1, :2)

-- # rows that commands touch
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."password", "people"."bossId", "people"."createdAt", "people"."updatedAt", "people"."_version"
FROM "people"
WHERE "people"."id" IN (:1, :2)

-- # ids of what a command matches
SELECT "people"."id"
FROM "people"
WHERE "people"."age" >= :1 ORDER BY "people"."id" ASC
 FETCH FIRST :2 ROWS ONLY

-- # owners of what is linked
SELECT DISTINCT "people_groups"."personId"
FROM "people_groups"
WHERE "people_groups"."groupId" IN (:1, :2) ORDER BY "people_groups"."personId"

-- # recall commands
SELECT "octonet_inbox"."command_id", "octonet_inbox"."entry"
FROM "octonet_inbox"
WHERE "octonet_inbox"."command_id" IN (:1, :2)

-- # newest command
SELECT max("octonet_inbox"."command_id") AS max_1
FROM "octonet_inbox"
WHERE "octonet_inbox"."command_id" < :1

-- # remember commands
INSERT INTO "octonet_inbox" ("command_id", "entry") VALUES (:1, :2)

-- # checkpoint
SELECT "octonet_checkpoint"."entry", "octonet_checkpoint"."frame", "octonet_checkpoint"."digest", "octonet_checkpoint"."schema"
FROM "octonet_checkpoint"

-- # move the checkpoint
UPDATE "octonet_checkpoint" SET "entry"=:1, "frame"=:2, "digest"=:3, "schema"=:4

-- # first checkpoint
INSERT INTO "octonet_checkpoint" ("slot", "entry", "frame", "digest", "schema") VALUES (:1, :2, :3, :4, :5)

-- # rows of a snapshot
-- Behind nothing means behind U+0000, which is what an empty text is bound as: behind NULL there would be no row.
SELECT "people"."id", "people"."name", "people"."bio", "people"."age", "people"."active", "people"."born", "people"."settings", "people"."labels", "people"."password", "people"."bossId", "people"."createdAt", "people"."updatedAt", "people"."_version"
FROM "people"
WHERE "people"."id" > :1 ORDER BY "people"."id" ASC
 FETCH FIRST :2 ROWS ONLY

-- # inbox of a snapshot
SELECT "octonet_inbox"."command_id", "octonet_inbox"."entry"
FROM "octonet_inbox"
WHERE "octonet_inbox"."command_id" > :1 ORDER BY "octonet_inbox"."command_id"
 FETCH FIRST :2 ROWS ONLY
