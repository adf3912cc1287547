-- Who set a setting, and when; null for one of before.
ALTER TABLE setting ADD COLUMN set_at INTEGER;
ALTER TABLE setting ADD COLUMN set_by TEXT;
