-- What Octonet says to mssql. Written by tests/unit/dialects/golden_sql.py.

-- # tables and indexes
-- BIN2: compared by 16-bit units; texts are kept so that those sort as letters do, and end with U+0000, for blanks at the end count for nothing.
-- A BIT has no max, a TINYINT has. NVARCHAR(max) takes texts of any length, and no index; an entry of an index has 1700 bytes.
-- Two nulls are duplicates to a unique index: it holds only rows with a value for all of its columns, and those that count.
-- The comment of an index tells its columns' types: a column of another type is made anew, and an index of it stands against that.
CREATE TABLE [octonet_checkpoint] (
	[slot] INTEGER NOT NULL,
	[entry] BIGINT NOT NULL,
	[frame] BIGINT NOT NULL,
	[digest] VARBINARY(64) NOT NULL,
	[schema] VARCHAR(128) NOT NULL,
	PRIMARY KEY ([slot])
);

CREATE TABLE [octonet_inbox] (
	[command_id] NVARCHAR(255) COLLATE Latin1_General_100_BIN2 NOT NULL,
	[entry] BIGINT NOT NULL,
	PRIMARY KEY ([command_id])
);

CREATE TABLE [octonet_schema] (
	[slot] INTEGER NOT NULL,
	[digest] VARCHAR(128) NOT NULL,
	[source] NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
	[standing] NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NOT NULL,
	PRIMARY KEY ([slot])
);

CREATE TABLE [people] (
	[id] NVARCHAR(255) COLLATE Latin1_General_100_BIN2 NOT NULL,
	[name] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[bio] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[age] DOUBLE PRECISION NULL,
	[active] TINYINT NULL,
	[born] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[settings] NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
	[labels] NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
	[password] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[bossId] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[createdAt] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[updatedAt] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[_version] INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY ([id])
);

CREATE TABLE [groups] (
	[id] NVARCHAR(255) COLLATE Latin1_General_100_BIN2 NOT NULL,
	[title] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[_version] INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY ([id])
);

CREATE TABLE [Order] (
	[id] NVARCHAR(255) COLLATE Latin1_General_100_BIN2 NOT NULL,
	[select] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[from] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[group] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[where] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[limit] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[returning] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[values] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[table] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[index] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[user] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[key] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[order] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[_version] INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY ([id])
);

CREATE TABLE [user] (
	[id] NVARCHAR(255) COLLATE Latin1_General_100_BIN2 NOT NULL,
	[email] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NOT NULL,
	[tenant] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[number] DOUBLE PRECISION NULL,
	[_version] INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY ([id])
);

CREATE TABLE [accounts] (
	[id] NVARCHAR(255) COLLATE Latin1_General_100_BIN2 NOT NULL,
	[email] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[balance] DOUBLE PRECISION NULL,
	[deletedAt] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[_version] INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY ([id])
);

CREATE TABLE [dogs] (
	[id] NVARCHAR(255) COLLATE Latin1_General_100_BIN2 NOT NULL,
	[name] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[kind] NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 NULL,
	[_version] INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY ([id])
);

CREATE TABLE [people_groups] (
	[personId] NVARCHAR(255) COLLATE Latin1_General_100_BIN2 NOT NULL,
	[groupId] NVARCHAR(255) COLLATE Latin1_General_100_BIN2 NOT NULL,
	PRIMARY KEY ([personId], [groupId])
);

CREATE INDEX [idx_people_0] ON [people] ([age] DESC) /* DOUBLE PRECISION */;

CREATE INDEX [idx_people_bossId_ref] ON [people] ([bossId]) /* NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 */;

CREATE INDEX [idx_Order_order_ref] ON [Order] ([order]) /* NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 */;

CREATE UNIQUE INDEX [idx_user_0] ON [user] ([tenant], [number]) WHERE [tenant] IS NOT NULL AND [number] IS NOT NULL /* NVARCHAR(4000) COLLATE Latin1_General_100_BIN2, DOUBLE PRECISION */;

CREATE UNIQUE INDEX [uidx_user_email] ON [user] ([email]) WHERE [email] IS NOT NULL /* NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 */;

CREATE UNIQUE INDEX [uidx_accounts_email_softdelete] ON [accounts] ([email]) WHERE [email] IS NOT NULL AND [deletedAt] IS NULL /* NVARCHAR(4000) COLLATE Latin1_General_100_BIN2 */;

CREATE INDEX [idx_people_groups_groupId] ON [people_groups] ([groupId]) /* NVARCHAR(255) COLLATE Latin1_General_100_BIN2 */

-- # get by id
SELECT [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt], [people].[_version]
FROM [people]
WHERE [people].[id] = ?

-- # get of chosen fields
SELECT [people].[id], [people].[name], [people].[age], [people].[_version]
FROM [people]
WHERE [people].[id] = ?

-- # get of a row that may be soft-deleted
SELECT [accounts].[id], [accounts].[email], [accounts].[balance], [accounts].[deletedAt], [accounts].[_version]
FROM [accounts]
WHERE [accounts].[id] = ? AND [accounts].[deletedAt] IS NULL

-- # get by a discriminator
SELECT [dogs].[id], [dogs].[name], [dogs].[kind], [dogs].[_version]
FROM [dogs]
WHERE [dogs].[id] = ? AND [dogs].[kind] = ?

-- # gets that travel together
-- A statement takes 2100 values: a list travels as one, in JSON. What comes out of it has a collation of its own.
SELECT [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt], [people].[_version]
FROM [people]
WHERE [people].[id] IN (SELECT value COLLATE Latin1_General_100_BIN2 AS anon_1
FROM OPENJSON(?))

-- # get with secrets
SELECT [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[password], [people].[bossId], [people].[createdAt], [people].[updatedAt], [people].[_version]
FROM [people]
WHERE [people].[id] = ?

-- # version
SELECT [people].[_version]
FROM [people]
WHERE [people].[id] = ?

-- # page of everything
-- FETCH takes no 0, and stands only behind an OFFSET: TOP takes it. Its value is bound first. Nulls come first unasked.
SELECT TOP (?) [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt]
FROM [people] ORDER BY [people].[id] ASC

-- # page that is filtered, sorted and skipped to
-- The rows to skip stand before those to take, and are bound so.
SELECT [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt]
FROM [people]
WHERE [people].[age] >= ? ORDER BY [people].[age] DESC, [people].[name] ASC, [people].[id] ASC
 OFFSET ? ROWS
 FETCH FIRST ? ROWS ONLY

-- # membership
SELECT TOP (?) [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt]
FROM [people]
WHERE [people].[name] IN (SELECT value COLLATE Latin1_General_100_BIN2 AS anon_1
FROM OPENJSON(?)) ORDER BY [people].[id] ASC

-- # membership of numbers, negated
-- A number with a fraction may lose its last digit in JSON: such are bound one by one.
SELECT TOP (?) [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt]
FROM [people]
WHERE ([people].[age] NOT IN (?, ?)) ORDER BY [people].[id] ASC

-- # null, and not null
SELECT TOP (?) [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt]
FROM [people]
WHERE [people].[bio] IS NULL OR [people].[bio] IS NOT NULL ORDER BY [people].[id] ASC

-- # and, or, not equal, a boolean
-- A boolean is a TINYINT, and compared with a number.
SELECT TOP (?) [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt]
FROM [people]
WHERE ([people].[age] >= ? OR [people].[active] = ?) AND [people].[name] != ? ORDER BY [people].[id] ASC

-- # like
-- A bracket means something, too: the bar escapes it. The end of a text, U+0000, is bound with the pattern.
SELECT TOP (?) [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt]
FROM [people]
WHERE [people].[name] LIKE ? ESCAPE '|' ORDER BY [people].[id] ASC

-- # like, negated
SELECT TOP (?) [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt]
FROM [people]
WHERE [people].[name] NOT LIKE ? ESCAPE '|' ORDER BY [people].[id] ASC

-- # like, whatever the case
-- The collation tells cases apart: every letter stands in brackets with its cases.
SELECT TOP (?) [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt]
FROM [people]
WHERE [people].[name] LIKE ? ESCAPE '|' ORDER BY [people].[id] ASC

-- # like, whatever the case, beyond ASCII
SELECT TOP (?) [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[bossId], [people].[createdAt], [people].[updatedAt]
FROM [people]
WHERE [people].[name] LIKE ? ESCAPE '|' ORDER BY [people].[id] ASC

-- # count
SELECT count(*) AS count_1
FROM [people]
WHERE [people].[age] >= ?

-- # reserved words
SELECT TOP (?) [Order].[id], [Order].[select], [Order].[from], [Order].[group], [Order].[where], [Order].[limit], [Order].[returning], [Order].[values], [Order].[table], [Order].[index], [Order].[user], [Order].[key], [Order].[order]
FROM [Order]
WHERE [Order].[select] = ? ORDER BY [Order].[group] ASC, [Order].[id] ASC

-- # aggregate
-- DOUBLE PRECISION is FLOAT(53). A subselect may be ordered only where its rows are limited.
SELECT TOP (?) anon_1.[name], anon_1.[n], anon_1.[total], anon_1.[mean], anon_1.[points], anon_1.[any]
FROM (SELECT TOP (?) anon_2.[name] AS [name], anon_2.[n] AS [n], anon_2.[total] AS [total], anon_2.[mean] AS [mean], anon_2.[points] AS [points], anon_2.[any] AS [any]
FROM (SELECT anon_3.[name] AS [name], anon_3.[n] AS [n], anon_3.[total] AS [total], anon_3.[mean] AS [mean], anon_3.[points] AS [points], anon_3.[any] AS [any]
FROM (SELECT anon_4.[name] AS [name], CAST(count(*) AS DOUBLE PRECISION) AS [n], coalesce(sum(anon_4.[age]), 0) AS [total], avg(anon_4.[age]) AS [mean], CAST(count(*) AS DOUBLE PRECISION) * CAST(? AS DOUBLE PRECISION) AS [points], max(anon_4.[active]) AS [any]
FROM (SELECT anon_5.[id] AS [id], anon_5.[name] AS [name], anon_5.[bio] AS [bio], anon_5.[age] AS [age], anon_5.[active] AS [active], anon_5.[born] AS [born], anon_5.[settings] AS [settings], anon_5.[labels] AS [labels], anon_5.[bossId] AS [bossId], anon_5.[createdAt] AS [createdAt], anon_5.[updatedAt] AS [updatedAt]
FROM (SELECT [people].[id] AS [id], [people].[name] AS [name], [people].[bio] AS [bio], [people].[age] AS [age], [people].[active] AS [active], [people].[born] AS [born], [people].[settings] AS [settings], [people].[labels] AS [labels], [people].[bossId] AS [bossId], [people].[createdAt] AS [createdAt], [people].[updatedAt] AS [updatedAt]
FROM [people]) AS anon_5
WHERE anon_5.[age] >= ?) AS anon_4 GROUP BY anon_4.[name]) AS anon_3
WHERE anon_3.[n] > ?) AS anon_2 ORDER BY anon_2.[total] DESC, anon_2.[name] ASC) AS anon_1 ORDER BY anon_1.[total] DESC, anon_1.[name] ASC

-- # aggregate of everything
SELECT TOP (?) anon_1.[_group], anon_1.[n], anon_1.[total], anon_1.[mean]
FROM (SELECT NULL AS [_group], CAST(count(*) AS DOUBLE PRECISION) AS [n], coalesce(sum(anon_2.[age]), 0) AS [total], avg(anon_2.[age]) AS [mean]
FROM (SELECT [people].[id] AS [id], [people].[name] AS [name], [people].[bio] AS [bio], [people].[age] AS [age], [people].[active] AS [active], [people].[born] AS [born], [people].[settings] AS [settings], [people].[labels] AS [labels], [people].[bossId] AS [bossId], [people].[createdAt] AS [createdAt], [people].[updatedAt] AS [updatedAt]
FROM [people]) AS anon_2) AS anon_1 ORDER BY anon_1.[_group] ASC

-- # links of several owners
SELECT [people_groups].[personId], [people_groups].[groupId]
FROM [people_groups]
WHERE [people_groups].[personId] IN (SELECT value COLLATE Latin1_General_100_BIN2 AS anon_1
FROM OPENJSON(?)) ORDER BY [people_groups].[personId], [people_groups].[groupId]

-- # create
INSERT INTO [user] ([id], [email], [tenant], [number], [_version]) VALUES (?, ?, ?, ?, ?)

-- # update
UPDATE [user] SET [email]=?, [tenant]=?, [number]=?, [_version]=? WHERE [user].[id] = ? AND [user].[_version] = ?

-- # delete
DELETE FROM [user] WHERE [user].[id] IN (SELECT value COLLATE Latin1_General_100_BIN2 AS anon_1
FROM OPENJSON(?))

-- # take a row out to put it back
DELETE FROM [user] WHERE [user].[id] = ? AND [user].[_version] = ?

-- # link
INSERT INTO [people_groups] ([personId], [groupId]) VALUES (?, ?)

-- # unlink
DELETE FROM [people_groups] WHERE [people_groups].[personId] = ? AND [people_groups].[groupId] = ?

-- # unlink all of several owners
DELETE FROM [people_groups] WHERE [people_groups].[personId] IN (SELECT value COLLATE Latin1_General_100_BIN2 AS anon_1
FROM OPENJSON(?))

-- # rows that commands touch
SELECT [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[password], [people].[bossId], [people].[createdAt], [people].[updatedAt], [people].[_version]
FROM [people]
WHERE [people].[id] IN (SELECT value COLLATE Latin1_General_100_BIN2 AS anon_1
FROM OPENJSON(?))

-- # ids of what a command matches
SELECT TOP (?) [people].[id]
FROM [people]
WHERE [people].[age] >= ? ORDER BY [people].[id] ASC

-- # owners of what is linked
SELECT DISTINCT [people_groups].[personId]
FROM [people_groups]
WHERE [people_groups].[groupId] IN (SELECT value COLLATE Latin1_General_100_BIN2 AS anon_1
FROM OPENJSON(?)) ORDER BY [people_groups].[personId]

-- # recall commands
SELECT [octonet_inbox].[command_id], [octonet_inbox].[entry]
FROM [octonet_inbox]
WHERE [octonet_inbox].[command_id] IN (SELECT value COLLATE Latin1_General_100_BIN2 AS anon_1
FROM OPENJSON(?))

-- # newest command
SELECT max([octonet_inbox].[command_id]) AS max_1
FROM [octonet_inbox]
WHERE [octonet_inbox].[command_id] < ?

-- # remember commands
INSERT INTO [octonet_inbox] ([command_id], [entry]) VALUES (?, ?)

-- # checkpoint
SELECT [octonet_checkpoint].[entry], [octonet_checkpoint].[frame], [octonet_checkpoint].[digest], [octonet_checkpoint].[schema]
FROM [octonet_checkpoint]

-- # move the checkpoint
UPDATE [octonet_checkpoint] SET [entry]=?, [frame]=?, [digest]=?, [schema]=?

-- # first checkpoint
INSERT INTO [octonet_checkpoint] ([slot], [entry], [frame], [digest], [schema]) VALUES (?, ?, ?, ?, ?)

-- # rows of a snapshot
SELECT TOP (?) [people].[id], [people].[name], [people].[bio], [people].[age], [people].[active], [people].[born], [people].[settings], [people].[labels], [people].[password], [people].[bossId], [people].[createdAt], [people].[updatedAt], [people].[_version]
FROM [people]
WHERE [people].[id] > ? ORDER BY [people].[id] ASC

-- # inbox of a snapshot
SELECT TOP (?) [octonet_inbox].[command_id], [octonet_inbox].[entry]
FROM [octonet_inbox]
WHERE [octonet_inbox].[command_id] > ? ORDER BY [octonet_inbox].[command_id]
