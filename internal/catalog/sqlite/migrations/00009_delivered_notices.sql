-- +goose Up

-- Notices that were delivered are kept for a while, so that people can see what a
-- receiver was told.
ALTER TABLE notices ADD COLUMN answer BIGINT NOT NULL DEFAULT 0;        -- status of HTTP; 0: none
ALTER TABLE notices ADD COLUMN delivered BIGINT NOT NULL DEFAULT 0;     -- when; 0: it was not
ALTER TABLE notices ADD COLUMN bucket TEXT NOT NULL DEFAULT '';        -- what it is about; empty of earlier ones
ALTER TABLE notices ADD COLUMN configuration TEXT NOT NULL DEFAULT '';
ALTER TABLE notices ADD COLUMN run TEXT NOT NULL DEFAULT '';
DROP INDEX notices_dead;
CREATE INDEX notices_dead ON notices (id) WHERE due = 0 AND delivered = 0;
CREATE INDEX notices_delivered ON notices (target, delivered) WHERE delivered > 0;
CREATE INDEX notices_made ON notices (made, id);

-- +goose Down
DELETE FROM notices WHERE delivered > 0;
DROP INDEX notices_made;
DROP INDEX notices_delivered;
DROP INDEX notices_dead;
CREATE INDEX notices_dead ON notices (id) WHERE due = 0;
ALTER TABLE notices DROP COLUMN run;
ALTER TABLE notices DROP COLUMN configuration;
ALTER TABLE notices DROP COLUMN bucket;
ALTER TABLE notices DROP COLUMN delivered;
ALTER TABLE notices DROP COLUMN answer;
