"""What looks at domains found: DNS, policies, certificates, and what is wrong with them."""

SQL = """
-- Every domain that is looked at: ours, and MX hosts with TLSA records.
CREATE TABLE looks (
  domain TEXT PRIMARY KEY,
  is_host INTEGER NOT NULL DEFAULT 0, -- 1: only an MX host of ours, not a domain that mail is for
  next_at INTEGER,              -- when it is looked at next (NULL: not any more)
  at INTEGER,                   -- the last look
  ok_at INTEGER,                -- the last one in which DNS answered for its record
  record TEXT,                  -- none, unneeded, broken, elsewhere, right (NULL: never looked up)
  record_at INTEGER,            -- since when it is so
  sts TEXT,                     -- none, broken, testing, enforce, off
  sts_id TEXT,
  dane TEXT,                    -- none, unknown, unsigned, partial, broken, full
  mx TEXT NOT NULL DEFAULT '[]' -- JSON list of MX hosts, by preference
) STRICT, WITHOUT ROWID;
CREATE INDEX looks_due ON looks (next_at) WHERE next_at IS NOT NULL;

-- The last look in full, zlib-compressed JSON of domains.seen.Seen, and what was wrong.
CREATE TABLE seen (
  domain TEXT PRIMARY KEY,
  seen BLOB NOT NULL,
  findings BLOB NOT NULL        -- JSON list of domains.finding.Finding
) STRICT;

-- What stood where, from the first look that found it to the last.
CREATE TABLE known (
  domain TEXT NOT NULL,
  kind TEXT NOT NULL,           -- mx, ns, tlsrpt, sts, policy, tlsa, certificate
  about TEXT NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  value TEXT NOT NULL,          -- '' for nothing there
  PRIMARY KEY (domain, kind, about, first_at)
) STRICT, WITHOUT ROWID;

-- A finding, from the look that found it first to the one that found it no more.
CREATE TABLE spells (
  domain TEXT NOT NULL,
  code TEXT NOT NULL,
  mx TEXT NOT NULL,             -- '' for none
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  clean_at INTEGER,
  ended_at INTEGER,
  critical_at INTEGER,
  looks INTEGER NOT NULL,
  severity TEXT NOT NULL,
  facts TEXT NOT NULL,          -- JSON object
  PRIMARY KEY (domain, code, mx, first_at)
) STRICT, WITHOUT ROWID;

-- What each address of an MX host showed last (probe).
CREATE TABLE shown (
  host TEXT NOT NULL,
  ip TEXT NOT NULL,
  at INTEGER NOT NULL,
  shown BLOB NOT NULL,          -- JSON of domains.seen.Shown
  PRIMARY KEY (host, ip)
) STRICT, WITHOUT ROWID;

-- Sessions of each domain over the last 28 days, as they were added up last.
CREATE TABLE volumes (
  domain TEXT PRIMARY KEY,
  sessions INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  reporters INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Test reports to our own addresses.
CREATE TABLE canaries (
  token TEXT PRIMARY KEY,
  address TEXT NOT NULL,
  sent_at INTEGER NOT NULL,
  answer TEXT,                  -- what the MX said, or why it could not be sent
  came_at INTEGER,
  source TEXT,                  -- where it came in
  signature TEXT                -- what was made of its signature: pass, or why not
) STRICT, WITHOUT ROWID;
CREATE INDEX canaries_sent ON canaries (address, sent_at);
"""
