package window

import (
	"bytes"
	"strings"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/journal"
	"github.com/stocktake/stocktake/report"
)

// A selector selects the changes that a configuration reports: those with its
// prefix, outside of the folder of its own reports. Its other filters do not apply
// to changes. Reports of all versions contain every change. Reports of current
// versions contain the changes that concern the newest version of a key.
//
// Source: spec inventory-report.md, sections 5.1, 5.5 and 5.5a.
type selector struct {
	prefix []byte
	own    []byte // prefix of the configuration's own reports; nil: they are in another bucket
	all    bool
}

func newSelector(bucket string, cfg *stocktake.InventoryConfiguration, at report.Location) *selector {
	s := &selector{prefix: []byte(cfg.Filter.Prefix), all: cfg.IncludedObjectVersions == stocktake.AllVersions}
	// A folder outside of the reported keys need not be compared.
	if base := at.Base(); cfg.Destination.Bucket == bucket && (strings.HasPrefix(base, cfg.Filter.Prefix) || strings.HasPrefix(cfg.Filter.Prefix, base)) {
		s.own = []byte(base)
	}
	return s
}

func (s *selector) selects(c *journal.Change) bool {
	switch {
	case s.all && c.Revealed, !s.all && !c.Record.IsLatest:
		return false
	case !bytes.HasPrefix(c.Record.Key, s.prefix):
		return false
	}
	return s.own == nil || !bytes.HasPrefix(c.Record.Key, s.own)
}

// fillRow fills row with c, whose slices it shares.
func fillRow(row *stocktake.ChangedRecord, c *journal.Change) {
	row.Change = stocktake.Change{
		Sequence: c.Sequence, Time: c.Time, RecordType: recordTypes[c.Type], Permanent: c.Permanent,
		Requester: c.Requester, RequestID: c.RequestID, SourceIP: c.SourceIP,
	}
	row.Record = c.Record
}

// recordTypes maps the types of the journal to those of reports.
var recordTypes = [...]stocktake.RecordType{
	journal.Create:         stocktake.RecordCreate,
	journal.UpdateMetadata: stocktake.RecordUpdateMetadata,
	journal.Delete:         stocktake.RecordDelete,
}
