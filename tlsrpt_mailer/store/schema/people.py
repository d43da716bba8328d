"""Answers, maintenance, channels, reminders, silence."""

SQL = """
ALTER TABLE told ADD COLUMN steps TEXT NOT NULL DEFAULT '[]';
ALTER TABLE told ADD COLUMN opened_at INTEGER;
ALTER TABLE told ADD COLUMN reminded_at INTEGER;
ALTER TABLE told ADD COLUMN first_at INTEGER;

ALTER TABLE acts ADD COLUMN assignee TEXT;

ALTER TABLE letters ADD COLUMN token TEXT;
ALTER TABLE letters ADD COLUMN key TEXT;
CREATE INDEX letters_token ON letters (token) WHERE token IS NOT NULL;
CREATE INDEX letters_key ON letters (recipient, key) WHERE state = 'waiting' AND key IS NOT NULL;

-- When it became known that it ended, where resolved_at is the end of a window.
ALTER TABLE failures ADD COLUMN ended_at INTEGER;
CREATE INDEX failures_ended ON failures (ended_at) WHERE ended_at IS NOT NULL;

-- What the last weeks were like, over all domains.
CREATE INDEX windows_end ON windows (end_at);

-- What the other side of a channel calls a cause: a thread, a ticket.
CREATE TABLE remote_refs (
  channel TEXT NOT NULL,
  key TEXT NOT NULL,
  ref TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (channel, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE maintenance (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL CHECK (kind IN ('mx', 'domain', 'group')),
  value TEXT NOT NULL,          -- a name, or a pattern such as *.mail.example.net
  start_at INTEGER NOT NULL,
  end_at INTEGER NOT NULL,
  who TEXT NOT NULL,
  note TEXT,
  made_at INTEGER NOT NULL
) STRICT;
CREATE INDEX maintenance_end ON maintenance (end_at);

CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  who TEXT NOT NULL,
  way TEXT NOT NULL,            -- command, or mail with how the sender was recognised
  action TEXT NOT NULL,         -- ack, fixed, mute, assign, reopen, maintenance-add ...
  target TEXT NOT NULL,         -- JSON: failures, maintenance ...
  note TEXT
) STRICT;
CREATE INDEX audit_at ON audit (at);

-- Answers by mail that were dealt with, so that a mail that comes twice acts once.
CREATE TABLE answers (
  sha256 BLOB PRIMARY KEY,
  at INTEGER NOT NULL,
  token TEXT NOT NULL,
  sender TEXT,
  outcome TEXT NOT NULL,        -- done, not-understood, refused, expired, passed-over
  message_id TEXT               -- the same answer may come by two ways, with other bytes
) STRICT, WITHOUT ROWID;
CREATE INDEX answers_token ON answers (token, at);

-- The end of each reporter's last window about each domain: who has reported lately.
CREATE TABLE pairs (
  domain TEXT NOT NULL,
  reporter TEXT NOT NULL,
  last_end INTEGER NOT NULL,
  PRIMARY KEY (domain, reporter)
) STRICT, WITHOUT ROWID;
INSERT INTO pairs SELECT domain, reporter, max(end_at) FROM windows GROUP BY domain, reporter;

-- What is told that is no failure of a report: silence, trouble of the intake or the relay,
-- first reports, digests. One row a subject and recipient.
CREATE TABLE notices (
  kind TEXT NOT NULL,           -- silent-reporter, silent-domain, intake, source, relay, first
  key TEXT NOT NULL,
  recipient TEXT NOT NULL,
  since INTEGER NOT NULL,
  told_at INTEGER,
  ended_at INTEGER,
  end_told_at INTEGER,
  detail TEXT NOT NULL DEFAULT '{}',
  PRIMARY KEY (kind, key, recipient)
) STRICT, WITHOUT ROWID;
"""
