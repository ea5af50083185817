package metrics

import "context"

const (
	sectionNotices section = "Notices"
	sectionLogs    section = "Logs"
)

var (
	noticesNow       = sectionNotices.gauge("notices", "Notices in the catalog that wait for delivery to their webhook, and those that were given up (dead): a receiver missed an event.", "state")
	noticeDeliveries = sectionNotices.counter("notice_deliveries_total", "Attempts to deliver a notice, by result: received, failed (tried again later), dead (given up).", "webhook", "result")
)

// Notices exports how many notices are waiting and how many are dead.
func (m *Metrics) Notices(count func(context.Context) (waiting, dead int64, err error)) {
	m.reads(func(emit emitter) error {
		return within(func(ctx context.Context) error {
			waiting, dead, err := count(ctx)
			if err != nil {
				return err
			}
			emit(noticesNow, float64(waiting), "waiting")
			emit(noticesNow, float64(dead), "dead")
			return nil
		})
	}, noticesNow)
}

// NoticeAttempted counts an attempt to deliver a notice.
func (m *Metrics) NoticeAttempted(webhook, result string) {
	m.notices.WithLabelValues(webhook, result).Inc()
}

var logDropped = sectionLogs.counter("log_dropped_lines_total", "Lines of the access log or the audit log that could not be written, as when the disk is full. The log of the server has the lost lines of the audit log.", "log")

// Logs exports how many lines of each log were dropped.
func (m *Metrics) Logs(dropped map[string]func() int64) {
	m.reads(func(emit emitter) error {
		for name, count := range dropped {
			emit(logDropped, float64(count()), name)
		}
		return nil
	}, logDropped)
}
