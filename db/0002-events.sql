-- SPDX-License-Identifier: GPL-2.0-or-later
--
-- What happened, as a ring: the newest are kept, and among them the last one always, so that
-- no id comes twice. What no query asks for is in `document`, as JSON members. An event of many
-- resources has no name, but their names in `names`, each in double quotes.
CREATE TABLE events (
	id       INTEGER NOT NULL PRIMARY KEY,
	time_ms  INTEGER NOT NULL,
	type     TEXT NOT NULL,
	kind     TEXT,
	name     TEXT,
	names    TEXT,
	document TEXT NOT NULL
) STRICT;
