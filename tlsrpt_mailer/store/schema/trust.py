"""Signatures, held reports, reporters that are trusted, domains that are adopted."""

SQL = """
-- Whose word a report is: 'unchecked' (trust.dkim = "off", or stored before there was a check),
-- 'operator', 'pass', or why it is not believed.
ALTER TABLE reports ADD COLUMN trust TEXT NOT NULL DEFAULT 'unchecked' CHECK (trust IN (
  'unchecked', 'operator', 'pass', 'history', 'pending', 'unsigned', 'third-party', 'fail'));
ALTER TABLE reports ADD COLUMN trust_reason TEXT;
ALTER TABLE reports ADD COLUMN signed_by TEXT;     -- d=, claimed or verified
-- Of a held one: 'signature', 'pending' (DNS did not answer), 'foreign' or 'proposed' (not ours).
ALTER TABLE reports ADD COLUMN held_for TEXT;
-- Of one that is not believed: whose Authentication-Results, on top, say that it is signed.
ALTER TABLE reports ADD COLUMN vouched_by TEXT;
CREATE INDEX reports_held ON reports (held_for, taken_at) WHERE status = 'held';

-- 1: about a domain that is not ours, in a report that speaks of ours as well: not counted.
ALTER TABLE policies ADD COLUMN is_foreign INTEGER NOT NULL DEFAULT 0;
CREATE INDEX policies_foreign ON policies (policy_domain) WHERE is_foreign = 1;

-- Of a held mail whose key could not be asked for: when it is verified again.
ALTER TABLE kept ADD COLUMN next_try INTEGER;
ALTER TABLE kept ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
CREATE INDEX kept_due ON kept (next_try) WHERE next_try IS NOT NULL;

-- Keys that were in DNS once, with when they were seen there last.
CREATE TABLE keys (
  name TEXT PRIMARY KEY,
  texts BLOB NOT NULL,          -- JSON list of base64: each TXT record
  last_seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_seen ON keys (last_seen);

-- What an operator said of a reporter.
CREATE TABLE reporter_words (
  reporter TEXT PRIMARY KEY,
  word TEXT NOT NULL CHECK (word IN ('trust', 'distrust')),
  at INTEGER NOT NULL,
  who TEXT NOT NULL,
  note TEXT
) STRICT, WITHOUT ROWID;

-- Domains that reports speak of and no [[domains]] names: ours, if their record names us.
CREATE TABLE adoptions (
  domain TEXT PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('proposed', 'adopted', 'foreign')),
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,     -- of the last report about it
  changed_at INTEGER NOT NULL,
  next_try INTEGER,             -- when its record is looked up next
  tries INTEGER NOT NULL DEFAULT 0,
  record TEXT,                  -- as it was seen last
  said TEXT,                    -- why it is in that state, for a person
  proposer TEXT NOT NULL DEFAULT '', -- the reporter that speaks of it
  by_known INTEGER NOT NULL DEFAULT 0 -- 1: it was known from the start
) STRICT, WITHOUT ROWID;
CREATE INDEX adoptions_due ON adoptions (next_try) WHERE next_try IS NOT NULL;
"""
