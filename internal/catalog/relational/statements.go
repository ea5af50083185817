package relational

// The statements. Those whose names begin with hold only lock a row.
//
// A limit is "$n + 0" because SQLite plans a statement again, which takes longer than
// running it, whenever a limit that is a plain parameter is bound.
const (
	countIntoBucket = `INSERT INTO buckets (bucket, configurations) VALUES ($1, 1)
	ON CONFLICT (bucket) DO UPDATE SET configurations = buckets.configurations + 1`
	bucketSize   = `SELECT configurations FROM buckets WHERE bucket = $1`
	shrinkBucket = `UPDATE buckets SET configurations = configurations - 1 WHERE bucket = $1`
	holdBucket   = `UPDATE buckets SET configurations = configurations WHERE bucket = $1`
	dropBucket   = `DELETE FROM buckets WHERE bucket = $1`

	addConfiguration = `INSERT INTO configurations
	(bucket, id, document, created, due, wake, suspended, keep_reports, keep_days, runs, last_run, nested)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, $10)
	ON CONFLICT (bucket, id) DO NOTHING`
	replaceConfiguration = `UPDATE configurations SET document = $3, created = $4, due = $5, wake = $6
	WHERE bucket = $1 AND id = $2`
	holdConfiguration       = `UPDATE configurations SET runs = runs WHERE bucket = $1 AND id = $2`
	dropConfiguration       = `DELETE FROM configurations WHERE bucket = $1 AND id = $2`
	dropConfigurationsOf    = `DELETE FROM configurations WHERE bucket = $1`
	setDue                  = `UPDATE configurations SET due = $3, wake = $4, suspended = $5 WHERE bucket = $1 AND id = $2`
	setRetention            = `UPDATE configurations SET keep_reports = $3, keep_days = $4 WHERE bucket = $1 AND id = $2`
	moveDue                 = `UPDATE configurations SET due = $4, wake = $5 WHERE bucket = $1 AND id = $2 AND due = $3`
	takeSeq                 = `UPDATE configurations SET runs = runs + 1 WHERE bucket = $1 AND id = $2 RETURNING runs`
	setLast                 = `UPDATE configurations SET last_run = $3 WHERE bucket = $1 AND id = $2`
	selectStatus            = `SELECT ` + statusColumns + ` FROM ` + statusTables + ` WHERE c.bucket = $1 AND c.id = $2`
	selectStatuses          = `SELECT ` + statusColumns + ` FROM ` + statusTables + ` WHERE c.bucket = $1 ORDER BY c.id`
	selectConfiguration     = `SELECT ` + entryColumns + ` FROM configurations c WHERE c.bucket = $1 AND c.id = $2`
	selectConfigurations    = `SELECT ` + entryColumns + ` FROM configurations c WHERE c.bucket = $1 AND c.id > $2 ORDER BY c.id LIMIT $3 + 0`
	selectDocument          = `SELECT document FROM configurations WHERE bucket = $1 AND id = $2`
	selectDocuments         = `SELECT id, document FROM configurations WHERE bucket = $1 AND id > $2 ORDER BY id LIMIT $3 + 0`
	selectNested            = `SELECT ` + entryColumns + ` FROM configurations c WHERE c.nested = 1 ORDER BY c.bucket, c.id`
	selectDue               = `SELECT ` + entryColumns + ` FROM configurations c WHERE c.wake > 0 AND c.wake <= $1 ORDER BY c.wake LIMIT $2 + 0`
	selectNextWake          = `SELECT coalesce(min(wake), 0) FROM configurations WHERE wake > 0`
	selectBuckets           = `SELECT bucket FROM buckets WHERE bucket > $1 ORDER BY bucket LIMIT $2 + 0`
	selectConfigurationsSum = `SELECT coalesce(sum(configurations), 0) FROM buckets`

	addRun = `INSERT INTO runs (` + runColumns + `, seq, owner, lease) VALUES
	($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27)`
	updateRun = `UPDATE runs SET bucket = $2, configuration = $3, run_trigger = $4, state = $5, attempt = $6,
	due = $7, queued = $8, started = $9, ended = $10, listed = $11, matched = $12, bytes = $13, written = $14,
	shards = $15, expected = $16, object_key = $17, reason = $18, manifest = $19, destination = $20,
	late = CASE WHEN late = 1 THEN 1 ELSE $21 END, kind = $22, window_start = $23, window_end = $24,
	report = CASE WHEN CAST($10 AS BIGINT) <> 0 THEN NULL ELSE coalesce(report, $28) END,
	document = CASE WHEN CAST($10 AS BIGINT) <> 0 THEN NULL ELSE document END
	WHERE id = $1 AND state = $25 AND owner = $26 AND attempt = $27`
	keepDocument = `UPDATE runs SET document = $3
	WHERE bucket = $1 AND configuration = $2 AND kind = 'full' AND ended = 0 AND document IS NULL`
	selectRunDocument = `SELECT coalesce(r.document, c.document) FROM runs r
	JOIN configurations c ON c.bucket = r.bucket AND c.id = r.configuration WHERE r.id = $1`
	countReplaced = `SELECT count(*) FROM runs WHERE id = $1 AND document IS NOT NULL`
	saveProgress  = `UPDATE runs SET listed = $2, matched = $3, bytes = $4, written = $5, shards = $6,
	expected = $7, object_key = $8 WHERE id = $1 AND ended = 0 AND owner = $9`

	queuedAgain    = `state = 'queued', attempt = CASE WHEN state = 'queued' THEN attempt ELSE attempt + 1 END`
	selectTakeable = `SELECT id FROM runs WHERE ended = 0 AND owner <> $1 ORDER BY id LIMIT $2 + 0`
	takeRun        = `UPDATE runs SET owner = $2, lease = $3, ` + queuedAgain + ` WHERE id = $1 AND ended = 0 AND owner <> $2`
	handRun        = `UPDATE runs SET owner = $2, lease = $3 WHERE id = $1`
	takeFreeRun    = `UPDATE runs SET owner = $2, lease = $3 WHERE id = $1 AND ended = 0 AND (owner = '' OR owner = $4 AND cancel = 1)`
	selectFree     = `SELECT ` + runColumns + ` FROM (SELECT runs.*, row_number() OVER (PARTITION BY bucket, destination
	ORDER BY CASE WHEN run_trigger = 'scheduled' THEN 1 ELSE 0 END, queued, id) AS place FROM runs WHERE ended = 0 AND owner = '') r
	WHERE place <= $1 ORDER BY place, queued, id LIMIT $2 + 0`
	renewLeases   = `UPDATE runs SET lease = $2 WHERE ended = 0 AND owner = $1`
	setFree       = `UPDATE runs SET owner = '', lease = 0, ` + queuedAgain + ` WHERE ended = 0 AND `
	freeExpired   = setFree + `owner <> '' AND owner <> $1 AND lease <= $2`
	freePostponed = setFree + `owner = $1 AND (lease <= $2 OR cancel = 1)`
	freeAllOf     = setFree + `owner = $1`
	freeRun       = setFree + `owner = $1 AND id = $2`
	requestCancel = `UPDATE runs SET cancel = 1 WHERE ended = 0 AND id = $1`
	heldColumns   = `cancel <> 0, report IS NOT NULL, ` + runColumns
	selectHeld    = `SELECT ` + heldColumns + ` FROM runs WHERE ended = 0 AND owner = $1 ORDER BY id`
	selectHeldRun = `SELECT ` + heldColumns + ` FROM runs WHERE id = $1`

	selectReport = `SELECT report FROM runs WHERE id = $1 AND report IS NOT NULL`

	dropRunsOf       = `DELETE FROM runs WHERE bucket = $1 AND configuration = $2`
	dropRunsOfBucket = `DELETE FROM runs WHERE bucket = $1`
	pruneRuns        = `DELETE FROM runs WHERE bucket = $1 AND configuration = $2 AND kind = $3 AND ended <> 0 AND seq <=
	coalesce((SELECT seq FROM runs WHERE bucket = $1 AND configuration = $2 AND kind = $3 AND ended <> 0
	ORDER BY seq DESC LIMIT 1 OFFSET $4), 0)`
	forgotten = ` WHERE ended <> 0 AND ended < $1 AND NOT EXISTS
	(SELECT 1 FROM configurations c WHERE c.bucket = runs.bucket AND c.id = runs.configuration)`
	selectForgotten = `SELECT id FROM runs` + forgotten
	forgetRun       = `DELETE FROM runs` + forgotten + ` AND id = $2`
	selectRun       = `SELECT ` + runColumns + ` FROM runs WHERE id = $1`
	selectRuns      = `SELECT ` + runColumns + ` FROM runs WHERE bucket = $1 AND configuration = $2 ORDER BY seq DESC`
	selectNewest    = selectRuns + ` LIMIT $3 + 0`
	countUnclean    = `SELECT count(*) FROM (SELECT state, attempt FROM runs WHERE bucket = $1 AND configuration = $2 ORDER BY seq DESC LIMIT $3 + 0) r
	WHERE NOT (state = 'skipped' OR state = 'succeeded' AND attempt = 1)`
	selectUnfinished = `SELECT ` + runColumns + ` FROM runs WHERE bucket = $1 AND configuration = $2 AND ended = 0 ORDER BY seq DESC`
	selectBegun      = `SELECT ` + runColumns + ` FROM runs WHERE ended = 0 AND state <> 'queued'
	AND ($1 = '' OR bucket = $1) AND ($2 = '' OR configuration = $2) ORDER BY queued, id`
	selectRecovery = `SELECT r.late <> 0, coalesce((SELECT p.state FROM runs p
	WHERE p.bucket = r.bucket AND p.configuration = r.configuration AND p.kind = r.kind AND p.state IN ('succeeded', 'failed')
	ORDER BY p.seq DESC LIMIT 1), '') = 'failed' FROM runs r WHERE r.id = $1`
	selectLastListed = `SELECT listed FROM runs WHERE bucket = $1 AND configuration = $2 AND kind = $3 AND state = 'succeeded'
	ORDER BY seq DESC LIMIT 1`

	selectLate     = `SELECT ` + runColumns + ` FROM runs WHERE ended = 0 AND late = 0 AND due <= $1 ORDER BY due LIMIT $2 + 0`
	markLate       = `UPDATE runs SET late = 1 WHERE id = $1 AND ended = 0 AND late = 0`
	selectNextLate = `SELECT coalesce(min(due), 0) FROM runs WHERE ended = 0 AND late = 0`

	addWindows = `INSERT INTO windows (` + windowColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`
	setWindows = `UPDATE windows SET window_start = $3, wake = $4, after_sequence = $5, after_time = $6,
	joined_sequence = $7, joined_time = $8, subscribed_sequence = $9, subscribed_time = $10, report = $11
	WHERE bucket = $1 AND configuration = $2`
	wakeWindows         = `UPDATE windows SET wake = $4 WHERE bucket = $1 AND configuration = $2 AND window_start = $3 AND wake > 0`
	takeWindow          = `UPDATE windows SET wake = 0 WHERE bucket = $1 AND configuration = $2 AND window_start = $3 AND wake > 0`
	dropWindowsOf       = `DELETE FROM windows WHERE bucket = $1 AND configuration = $2`
	dropWindowsOfBucket = `DELETE FROM windows WHERE bucket = $1`
	selectWindows       = `SELECT ` + windowColumns + ` FROM windows WHERE bucket = $1 AND configuration = $2`
	awake               = ` FROM windows w WHERE w.wake > 0 AND NOT EXISTS (SELECT 1 FROM configurations c
	WHERE c.bucket = w.bucket AND c.id = w.configuration AND c.suspended = 1)`
	selectDueWindows = `SELECT ` + windowColumns + awake + ` AND w.wake <= $1 ORDER BY w.wake LIMIT $2 + 0`
	selectNextWindow = `SELECT coalesce(min(w.wake), 0)` + awake

	addNotice      = `INSERT INTO notices (` + noticeColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
	setNotice      = `UPDATE notices SET attempts = $2, due = $3, error = $4, answer = $5, delivered = $6 WHERE id = $1`
	pruneDelivered = `DELETE FROM notices WHERE target = $1 AND delivered > 0 AND delivered <= coalesce(
	(SELECT delivered FROM notices WHERE target = $1 AND delivered > 0 ORDER BY delivered DESC LIMIT 1 OFFSET $2), 0)`
	selectNoticePage = `SELECT ` + noticeColumns + ` FROM notices
	WHERE (made < $1 OR (made = $1 AND id < $2))
	AND ($3 = '' OR ($3 = 'waiting' AND due > 0) OR ($3 = 'delivered' AND delivered > 0) OR ($3 = 'dead' AND due = 0 AND delivered = 0))
	AND ($4 = '' OR bucket = $4) AND ($5 = '' OR configuration = $5)
	ORDER BY made DESC, id DESC LIMIT $6 + 0`

	dropNotice        = `DELETE FROM notices WHERE id = $1`
	forgetNotices     = `DELETE FROM notices WHERE due = 0 AND made < $1`
	selectNotices     = `SELECT ` + noticeColumns + ` FROM notices WHERE target = $1 AND due > 0 AND due <= $2 ORDER BY due, id LIMIT $3 + 0`
	selectNextNotice  = `SELECT coalesce(min(due), 0) FROM notices WHERE target = $1 AND due > 0`
	selectTargets     = `SELECT DISTINCT target FROM notices WHERE due > 0 ORDER BY target`
	selectNotice      = `SELECT ` + noticeColumns + ` FROM notices WHERE id = $1`
	selectDeadNotices = `SELECT ` + noticeColumns + ` FROM notices WHERE due = 0 AND delivered = 0 AND id > $1 ORDER BY id LIMIT $2 + 0`

	selectStrays       = `SELECT object_key, found FROM strays WHERE bucket = $1 AND configuration = $2`
	countStrays        = `SELECT count(*) FROM strays WHERE bucket = $1 AND configuration = $2`
	addStray           = `INSERT INTO strays (bucket, configuration, object_key, found) VALUES ($1, $2, $3, $4)`
	dropStray          = `DELETE FROM strays WHERE bucket = $1 AND configuration = $2 AND object_key = $3`
	dropStraysOf       = `DELETE FROM strays WHERE bucket = $1 AND configuration = $2`
	dropStraysOfBucket = `DELETE FROM strays WHERE bucket = $1`
	countNotices       = `SELECT count(*) FILTER (WHERE due > 0), count(*) FILTER (WHERE due = 0 AND delivered = 0) FROM notices`
)

var (
	// WriteStatements are the statements of changes.
	WriteStatements = []string{
		countIntoBucket, bucketSize, shrinkBucket, holdBucket, dropBucket,
		addConfiguration, replaceConfiguration, keepDocument, countReplaced, selectConfiguration, selectDocument, holdConfiguration, dropConfiguration, dropConfigurationsOf, setDue, setRetention, moveDue, takeSeq, setLast,
		addRun, updateRun, saveProgress, dropRunsOf, dropRunsOfBucket, pruneRuns, forgetRun, selectUnfinished,
		selectTakeable, takeRun, takeFreeRun, handRun, renewLeases, freeExpired, freePostponed, freeAllOf, freeRun, requestCancel, selectHeld, selectHeldRun,
		selectReport,
		selectLate, markLate, addNotice, setNotice, pruneDelivered, dropNotice, forgetNotices,
		selectStrays, addStray, dropStray, dropStraysOf, dropStraysOfBucket,
		addWindows, setWindows, wakeWindows, takeWindow, dropWindowsOf, dropWindowsOfBucket,
	}

	// ReadStatements are the statements outside of changes.
	ReadStatements = []string{
		selectStatus, selectStatuses, selectConfiguration, selectConfigurations, selectDocument, selectDocuments, selectNested, selectDue, selectNextWake, selectBuckets, selectConfigurationsSum,
		selectRun, selectRunDocument, selectRuns, selectNewest, countUnclean, selectForgotten, selectUnfinished, selectBegun, selectRecovery, selectLastListed, selectReport, selectFree,
		selectNextLate, selectNotices, selectNextNotice, selectTargets, selectNotice, selectNoticePage, selectDeadNotices, countNotices, countStrays,
		countUnfinished, countScheduled, countFailing, selectOldestWindow, selectFigures,
		selectWindows, selectDueWindows, selectNextWindow,
	}
)
