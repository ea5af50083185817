package server

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/logs"
)

// Each change by the account below /-/ has a line in the audit log. Refused requests and reads
// have none.
func TestAuditOfAdministration(t *testing.T) {
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "audit.log"), filepath.Join(dir, "copy")
	admin := serveFolder(t, Config{Data: storedFolder(t, 1), ScrubRate: -1, ClockControl: true, AuditLog: path, LogFormat: logs.FormatJSON})
	ctx := t.Context()
	if err := admin.DropNotice(ctx, "none"); refusal(err) != http.StatusNotFound {
		t.Fatal(err)
	}
	if _, err := admin.Now(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.AdvanceClock(ctx, time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := admin.Backup(ctx, copied); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Scrub(ctx, client.ScrubOptions{}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for l := range strings.Lines(string(text)) {
		var line struct{ Msg, Principal, Address, Operation, Advance, Folder string }
		if err := json.Unmarshal([]byte(l), &line); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(line.Operation, "/-/") {
			got = append(got, strings.Join([]string{line.Msg, line.Principal, line.Address, line.Operation, line.Advance + line.Folder}, " "))
		}
	}
	who := " " + DefaultAccount + " 127.0.0.1 POST "
	want := []string{"clock advanced" + who + "/-/clock 1h0m0s", "backup started" + who + "/-/backup " + copied, "scrub started" + who + "/-/scrub "}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
