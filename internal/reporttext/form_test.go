package reporttext

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/terminal/terminaltest"
	"github.com/stocktake/stocktake/report"
)

var hostileRow = &report.Row{Bucket: []byte("b"), Record: stocktake.Record{
	Key: []byte(terminaltest.Hostile + "\xff"), VersionID: []byte(terminaltest.Hostile), ETag: stocktake.ETag{Text: []byte(terminaltest.Hostile)}, Size: 7, LastModified: 1767582245, IsLatest: true,
}}

// allCells are the columns of full reports.
var allCells = func() (columns []stocktake.Field) {
	for _, f := range stocktake.Fields() {
		if f.Column().Full != stocktake.Never {
			columns = append(columns, f)
		}
	}
	return columns
}()

// Rows contain nothing that controls a terminal. For other outputs they contain the
// key unchanged.
func TestHostileRows(t *testing.T) {
	var table bytes.Buffer
	w := bufio.NewWriter(&table)
	rows := NewTable(w, allCells)
	for range measured + 1 { // both while widths are measured and after
		if err := rows.Add(hostileRow); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.End(); err != nil {
		t.Fatal(err)
	}
	w.Flush()
	terminaltest.Check(t, "table", table.String())
	if n := strings.Count(table.String(), "\n"); n != measured+2 {
		t.Errorf("%d lines", n)
	}

	f, objects := CSV(allCells, true), JSON(allCells)
	terminaltest.Check(t, "CSV", string(f.Append(nil, hostileRow)))
	text := string(objects.Append(nil, hostileRow))
	terminaltest.Check(t, "JSON", strings.ReplaceAll(text, "\ufffd", "?")) // what a string cannot hold
	var back struct {
		Key       string
		KeyBase64 []byte
		VersionID string
		Size      int64
		IsLatest  bool
		Modified  time.Time `json:"lastModifiedDate"`
	}
	if err := json.Unmarshal([]byte(text), &back); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(back.KeyBase64, hostileRow.Key) || back.VersionID != terminaltest.Hostile || back.Size != 7 || !back.IsLatest || back.Modified.Unix() != hostileRow.LastModified {
		t.Errorf("%+v", back)
	}

	f.safe = false
	record, err := csv.NewReader(bytes.NewReader(f.Append(nil, hostileRow))).Read()
	if err != nil || len(record) != len(allCells) || record[1] != strings.ReplaceAll(string(hostileRow.Key), "\r\n", "\n") {
		t.Errorf("%q, %v", record, err)
	}

	d := &Diff{all: objects}
	for _, c := range []report.Change{{Kind: report.Added, New: hostileRow}, {Kind: report.Removed, Old: hostileRow}, {Kind: report.Changed, Old: hostileRow, New: hostileRow, What: allCells}} {
		terminaltest.Check(t, "change", string(d.line(nil, &c)))
		if text := d.json(nil, &c); !json.Valid(text) {
			t.Errorf("not JSON: %s", text)
		} else {
			terminaltest.Check(t, "change as JSON", strings.ReplaceAll(string(text), "\ufffd", "?"))
		}
	}
}

// The row of a delete marker has no values for columns that do not apply to it.
func TestMarkerRow(t *testing.T) {
	row := &report.Row{Record: stocktake.Record{Key: []byte("k"), VersionID: []byte("v"), IsDeleteMarker: true, LastModified: 1}}
	f := JSON(allCells)
	want := `{"key":"k","versionId":"v","isLatest":false,"isDeleteMarker":true,"lastModifiedDate":"1970-01-01T00:00:01Z",` +
		`"isMultipartUploaded":false,"encryptionStatus":false,"taggingCount":0}` + "\n"
	if got := string(f.Append(nil, row)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
