package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report"
)

var hostileRow = &report.Row{Bucket: []byte("b"), Record: stocktake.Record{
	Key: []byte(hostile + "\xff"), VersionID: []byte(hostile), ETag: stocktake.ETag{Text: []byte(hostile)}, Size: 7, LastModified: 1767582245, IsLatest: true,
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

// Rows show nothing that a terminal obeys; where it is not a terminal that reads
// them, they hold the key as it is.
func TestHostileRows(t *testing.T) {
	var table bytes.Buffer
	w := bufio.NewWriter(&table)
	rows := newRowTable(w, allCells)
	for range measured + 1 { // both while widths are measured and after
		if err := rows.add(hostileRow); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.end(); err != nil {
		t.Fatal(err)
	}
	w.Flush()
	checkShown(t, "table", table.String())
	if n := strings.Count(table.String(), "\n"); n != measured+2 {
		t.Errorf("%d lines", n)
	}

	f := &rowForm{columns: allCells, safe: true}
	checkShown(t, "CSV", string(appendCSV(f, nil, hostileRow)))
	text := string(appendJSON(f, nil, hostileRow))
	checkShown(t, "JSON", strings.ReplaceAll(text, "\ufffd", "?")) // what a string cannot hold
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
	if !bytes.Equal(back.KeyBase64, hostileRow.Key) || back.VersionID != hostile || back.Size != 7 || !back.IsLatest || back.Modified.Unix() != hostileRow.LastModified {
		t.Errorf("%+v", back)
	}

	f.safe = false
	record, err := csv.NewReader(bytes.NewReader(appendCSV(f, nil, hostileRow))).Read()
	if err != nil || len(record) != len(allCells) || record[1] != strings.ReplaceAll(string(hostileRow.Key), "\r\n", "\n") {
		t.Errorf("%q, %v", record, err)
	}

	d := &diffPrinter{all: f}
	for _, c := range []report.Change{{Kind: report.Added, New: hostileRow}, {Kind: report.Removed, Old: hostileRow}, {Kind: report.Changed, Old: hostileRow, New: hostileRow, What: allCells}} {
		checkShown(t, "change", string(d.line(nil, &c)))
		if text := d.json(nil, &c); !json.Valid(text) {
			t.Errorf("not JSON: %s", text)
		} else {
			checkShown(t, "change as JSON", strings.ReplaceAll(string(text), "\ufffd", "?"))
		}
	}
}

// The row of a delete marker has no values of what it does not have.
func TestMarkerRow(t *testing.T) {
	row := &report.Row{Record: stocktake.Record{Key: []byte("k"), VersionID: []byte("v"), IsDeleteMarker: true, LastModified: 1}}
	f := &rowForm{columns: allCells}
	want := `{"key":"k","versionId":"v","isLatest":false,"isDeleteMarker":true,"lastModifiedDate":"1970-01-01T00:00:01Z",` +
		`"isMultipartUploaded":false,"encryptionStatus":false,"taggingCount":0}` + "\n"
	if got := string(appendJSON(f, nil, row)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestParseSizesAndTimes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "4096": 4096, "10K": 10 << 10, "10k": 10 << 10, "5MiB": 5 << 20, "2GB": 2 << 30, "1T": 1 << 40, "7B": 7, "x": -1, "": -1, "1.5G": -1, "-1": -1, "9999999999P": -1} {
		got, err := parseSize(text, nil)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("size %q is %d, want %d", text, got, want)
		}
	}
	now := time.Unix(1_000_000, 0)
	for text, want := range map[string]int64{"1d": 1_000_000 - 86400, "2h": 1_000_000 - 7200, "5m": 1_000_000 - 300, "1970-01-02": 86400, "1970-01-01T00:01:00Z": 60, "1970-01-01T00:01:00+00:01": 0, "yesterday": -1, "99999999999d": -1} {
		got, err := parseMoment(text, now, nil)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("time %q is %d, want %d", text, got, want)
		}
	}
}
