"""Reports, failures, and the mails about them."""

SQL = """
CREATE TABLE mails (
  id INTEGER PRIMARY KEY,
  sha256 BLOB NOT NULL UNIQUE,
  source TEXT NOT NULL,
  taken_at INTEGER NOT NULL,
  size INTEGER NOT NULL,
  message_id TEXT,
  sender TEXT,
  subject TEXT,
  date INTEGER,
  outcome TEXT NOT NULL
    CHECK (outcome IN ('stored', 'superseded', 'duplicate', 'held', 'quarantined', 'ignored')),
  reason TEXT,
  reports INTEGER NOT NULL,
  seen INTEGER NOT NULL DEFAULT 1,
  stored_at INTEGER NOT NULL
) STRICT;
CREATE INDEX mails_taken ON mails (taken_at);
CREATE INDEX mails_outcome ON mails (outcome, stored_at);

CREATE TABLE reports (
  id INTEGER PRIMARY KEY,
  mail_id INTEGER NOT NULL REFERENCES mails (id),
  status TEXT NOT NULL CHECK (status IN ('counted', 'superseded', 'held')),
  superseded_by INTEGER,        -- a report, perhaps pruned since
  digest BLOB NOT NULL,
  revision_key BLOB NOT NULL,
  reporter TEXT NOT NULL,
  organization_name TEXT,
  submitter TEXT,
  report_id TEXT,
  contact_info TEXT,
  file_name TEXT,
  start_at INTEGER,
  end_at INTEGER,
  taken_at INTEGER NOT NULL,
  date INTEGER NOT NULL,
  successful_sessions INTEGER NOT NULL,
  failed_sessions INTEGER NOT NULL,
  deviations TEXT NOT NULL,
  json BLOB NOT NULL
) STRICT;
CREATE INDEX reports_digest ON reports (digest);
CREATE INDEX reports_revision ON reports (revision_key);
CREATE INDEX reports_taken ON reports (taken_at);
CREATE INDEX reports_mail ON reports (mail_id);
CREATE INDEX reports_reporter ON reports (reporter, taken_at);
CREATE INDEX reports_status ON reports (status, taken_at) WHERE status <> 'counted';

CREATE TABLE policies (
  id INTEGER PRIMARY KEY,
  report_id INTEGER NOT NULL REFERENCES reports (id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  policy_type TEXT NOT NULL,
  policy_domain TEXT NOT NULL,
  mode TEXT,
  policy_string TEXT NOT NULL,
  mx_host TEXT NOT NULL,
  successful_sessions INTEGER NOT NULL,
  failed_sessions INTEGER NOT NULL
) STRICT;
CREATE INDEX policies_report ON policies (report_id);
CREATE INDEX policies_domain ON policies (policy_domain);

CREATE TABLE details (
  id INTEGER PRIMARY KEY,
  policy_id INTEGER NOT NULL REFERENCES policies (id) ON DELETE CASCADE,
  result_type TEXT NOT NULL,
  failed_sessions INTEGER NOT NULL,
  sending_mta_ip TEXT,
  receiving_mx_hostname TEXT,
  receiving_mx_helo TEXT,
  receiving_ip TEXT,
  additional_information TEXT,
  failure_reason_code TEXT,
  reason_class TEXT
) STRICT;
CREATE INDEX details_policy ON details (policy_id);

-- What state is judged from. Outlives the reports, so report_id is no reference.
CREATE TABLE windows (
  id INTEGER PRIMARY KEY,
  domain TEXT NOT NULL,
  reporter TEXT NOT NULL,
  start_at INTEGER NOT NULL,
  end_at INTEGER NOT NULL,
  report_id INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  date INTEGER NOT NULL,
  digest BLOB NOT NULL,
  successful INTEGER NOT NULL,  -- the most of one policy type: > 0 says that mail got in
  failed INTEGER NOT NULL,      -- the most of one policy type
  total INTEGER NOT NULL,       -- successful and failed, the most of one policy type
  sessions TEXT NOT NULL        -- JSON of failures.model.Sessions
) STRICT;
CREATE INDEX windows_domain ON windows (domain, start_at);
CREATE INDEX windows_reporter ON windows (reporter, start_at) WHERE successful > 0;
CREATE INDEX windows_report ON windows (report_id);

CREATE TABLE sightings (
  window_id INTEGER NOT NULL REFERENCES windows (id) ON DELETE CASCADE,
  domain TEXT NOT NULL,
  policy_type TEXT NOT NULL,
  result_type TEXT NOT NULL,
  mx TEXT NOT NULL,             -- '' for none
  sessions INTEGER NOT NULL,
  reasons TEXT NOT NULL,        -- JSON list of classes
  PRIMARY KEY (window_id, policy_type, result_type, mx)
) STRICT, WITHOUT ROWID;
CREATE INDEX sightings_domain ON sightings (domain);

CREATE TABLE causes (
  id INTEGER PRIMARY KEY,       -- the number of its first failure
  result_type TEXT NOT NULL,
  mx TEXT NOT NULL,
  domain TEXT NOT NULL,
  UNIQUE (result_type, mx, domain)
) STRICT;

-- AUTOINCREMENT: people know failures by number, so no number is given twice.
CREATE TABLE failures (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  cause_id INTEGER NOT NULL,
  domain TEXT NOT NULL,
  policy_type TEXT NOT NULL,
  result_type TEXT NOT NULL,
  mx TEXT NOT NULL,
  kind TEXT NOT NULL DEFAULT 'report' CHECK (kind IN ('report', 'finding', 'silence', 'intake')),
  state TEXT NOT NULL,
  severity TEXT NOT NULL,
  is_open INTEGER NOT NULL,
  incident INTEGER NOT NULL,
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  resolved_at INTEGER,
  judged_at INTEGER NOT NULL,   -- when the verdict last changed
  verdict BLOB NOT NULL,        -- JSON of failures.model.Verdict
  UNIQUE (domain, policy_type, result_type, mx)
) STRICT;
CREATE INDEX failures_open ON failures (is_open, severity) WHERE is_open = 1;
CREATE INDEX failures_cause ON failures (cause_id);
CREATE INDEX failures_seen ON failures (last_seen);

CREATE TABLE acts (
  id INTEGER PRIMARY KEY,
  failure_id INTEGER NOT NULL REFERENCES failures (id),
  incident INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('ack', 'fixed', 'mute', 'assign', 'reopen')),
  at INTEGER NOT NULL,
  who TEXT NOT NULL,
  until INTEGER,
  note TEXT
) STRICT;
CREATE INDEX acts_failure ON acts (failure_id);

CREATE TABLE told (
  failure_id INTEGER NOT NULL REFERENCES failures (id),
  recipient TEXT NOT NULL,
  incident INTEGER NOT NULL,
  event TEXT NOT NULL,
  at INTEGER NOT NULL,
  resolved_at INTEGER,
  mails INTEGER NOT NULL,
  message_id TEXT,
  PRIMARY KEY (failure_id, recipient)
) STRICT, WITHOUT ROWID;

CREATE INDEX told_open ON told (failure_id) WHERE event NOT IN ('resolved', 'closed');

CREATE TABLE letters (
  id INTEGER PRIMARY KEY,
  message_id TEXT NOT NULL,
  recipient TEXT NOT NULL,
  subject TEXT NOT NULL,
  event TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed')),
  attempts INTEGER NOT NULL DEFAULT 0,
  next_try INTEGER NOT NULL,
  answer TEXT,                  -- what the relay said last
  done_at INTEGER,
  raw BLOB NOT NULL,            -- last, so that a listing need not read past it
  UNIQUE (message_id, recipient)
) STRICT;
CREATE INDEX letters_due ON letters (next_try) WHERE state = 'waiting';
CREATE INDEX letters_done ON letters (state, done_at);
CREATE INDEX letters_recipient ON letters (recipient, created_at);

CREATE TABLE letter_failures (
  letter_id INTEGER NOT NULL REFERENCES letters (id) ON DELETE CASCADE,
  failure_id INTEGER NOT NULL,
  event TEXT NOT NULL,
  incident INTEGER NOT NULL,
  PRIMARY KEY (letter_id, failure_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX letter_failures_failure ON letter_failures (failure_id);

-- Raw mails that are kept, by why. `kept` holds readable reports only when trust is built.
CREATE TABLE kept (
  mail_id INTEGER PRIMARY KEY REFERENCES mails (id),
  kind TEXT NOT NULL CHECK (kind IN ('quarantine', 'held', 'ignored')),
  kept_at INTEGER NOT NULL,
  size INTEGER NOT NULL,        -- bytes as stored
  file_name TEXT,
  raw BLOB NOT NULL
) STRICT;
CREATE INDEX kept_kind ON kept (kind, kept_at, size);

CREATE TABLE taking (
  sha256 BLOB PRIMARY KEY,
  begun_at INTEGER NOT NULL,
  holder INTEGER NOT NULL,      -- a random number of the process that reads it, 0 for none
  deaths INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE faults (
  sha256 BLOB PRIMARY KEY,
  count INTEGER NOT NULL,
  error TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE positions (
  source TEXT NOT NULL,
  folder TEXT NOT NULL,
  uidvalidity INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  PRIMARY KEY (source, folder)
) STRICT, WITHOUT ROWID;

CREATE TABLE notes (
  source TEXT NOT NULL,
  folder TEXT NOT NULL,
  uidvalidity INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (source, folder, uidvalidity, uid)
) STRICT, WITHOUT ROWID;

CREATE TABLE sources (
  name TEXT PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('starting', 'ok', 'trouble')),
  since INTEGER NOT NULL,
  detail TEXT,
  error TEXT,
  tries INTEGER NOT NULL DEFAULT 0,
  next_try INTEGER,
  warning TEXT,
  backlog INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- When the last mail with a report was taken from a source.
CREATE TABLE last_reports (
  source TEXT PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE job_runs (
  name TEXT PRIMARY KEY,
  last_at INTEGER NOT NULL,
  error TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE rollups (
  day INTEGER NOT NULL,         -- start of the UTC day of the window's middle
  domain TEXT NOT NULL,
  reporter TEXT NOT NULL,
  policy_type TEXT NOT NULL,
  result_type TEXT NOT NULL,    -- '' in the row that counts all sessions
  mx TEXT NOT NULL,
  successful INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  PRIMARY KEY (day, domain, reporter, policy_type, result_type, mx)
) STRICT, WITHOUT ROWID;

-- The canonical JSON of reports that are in the roll-ups only: their first 12 bytes.
CREATE TABLE forgotten (
  digest BLOB PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE facts (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""
