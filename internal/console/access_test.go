package console_test

import (
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/internal/console"
)

var update = flag.Bool("update", false, "rewrite golden files")

// requests tries every route. A route without a request here fails the test.
var requests = map[string]struct {
	path string
	form url.Values
}{
	"SignOut":          {"/sign-out", nil},
	"Buckets":          {"/", nil},
	"OpenBucket":       {"/open?bucket=photos", nil},
	"Bucket":           {"/buckets/photos", nil},
	"NewInventory":     {"/buckets/photos/new", nil},
	"CheckForm":        {"/buckets/photos/check-form", url.Values{"Id": {"x"}}},
	"PutInventory":     {"/buckets/photos/new", form("other")},
	"Inventory":        {"/buckets/photos/inventories/daily", nil},
	"ChangeInventory":  {"/buckets/photos/inventories/daily/change", nil},
	"ReplaceInventory": {"/buckets/photos/inventories/daily/change", form("daily")},
	"RunInventory":     {"/buckets/photos/inventories/daily/run", nil},
	"CancelRun":        {"/buckets/photos/inventories/daily/cancel", nil},
	"SuspendInventory": {"/buckets/photos/inventories/daily/suspend", nil},
	"ResumeInventory":  {"/buckets/photos/inventories/daily/resume", nil},
	"CheckInventory":   {"/buckets/photos/inventories/daily/check", nil},
	"RetainReports":    {"/buckets/photos/inventories/daily/retain", url.Values{"reports": {"3"}}},
	"DeleteInventory":  {"/buckets/photos/inventories/daily/delete", url.Values{"confirm": {"daily"}}},
	"Run":              {"/buckets/photos/inventories/daily/runs/RUN", nil},
	"FollowRun":        {"/buckets/photos/inventories/daily/runs/RUN/live", nil},
	"Reports":          {"/buckets/photos/inventories/daily/reports", nil},
	"Report":           {"/buckets/photos/inventories/daily/reports/REPORT", nil},
	"CompareReports":   {"/buckets/photos/inventories/daily/reports/REPORT/compare?with=REPORT", nil},
	"DownloadShard":    {"/buckets/photos/inventories/daily/reports/REPORT/shards/0", nil},
	"VerifyReport":     {"/buckets/photos/inventories/daily/reports/REPORT/verify", nil},
	"Webhooks":         {"/webhooks", nil},
	"Machines":         {"/machines", nil},
	"FollowMachines":   {"/machines/live", nil},
	"TestWebhook":      {"/webhooks/test", url.Values{"webhook": {"none"}}},
	"RetryNotice":      {"/webhooks/retry", url.Values{"id": {"none"}}},
	"DropNotice":       {"/webhooks/drop", url.Values{"id": {"none"}}},
}

// form returns the form of a valid configuration.
func form(id string) url.Values {
	const d = "Destination/OSSBucketDestination/"
	return url.Values{
		"Id": {id}, "IsEnabled": {"true"}, "IncludedObjectVersions": {"Current"}, "OptionalFields/Field": {"Size", "StorageClass"},
		"Schedule/Frequency": {"Daily"}, d + "Format": {"CSV"}, d + "Bucket": {"reports"}, d + "Prefix": {"inv"},
		d + "AccountId": {account}, d + "RoleArn": {"acs:ram::" + account + ":role/writer"},
	}
}

// TestAccess tries each route with keys that have exactly the rights that the route
// needs, with keys that lack one of these, with a key without rights, and with a
// key of another account. The result must follow from the rights alone. The
// resulting table is in docs/console.md.
func TestAccess(t *testing.T) {
	t.Parallel()
	routes := console.Routes()
	policies := map[string]string{} // name by actions
	users := []string{user("nobody", "nothing"), user("all", "AliyunOSSFullAccess")}
	name := func(actions []string) string {
		sorted := slices.Sorted(slices.Values(actions))
		id := strings.NewReplacer("oss:", "", ",", "-").Replace(strings.Join(sorted, ","))
		if id == "" {
			return "nobody"
		}
		if policies[id] == "" {
			policies[id] = fmt.Sprintf(`{name: %s, document: {Version: "1", Statement: [{Effect: Allow, Action: [%s], Resource: "*"}]}}`, id, strings.Join(sorted, ", "))
			users = append(users, user(id, id))
		}
		return id
	}
	policies["nothing"] = `{name: nothing, document: {Version: "1", Statement: [{Effect: Allow, Action: "oss:GetBucketCors", Resource: "acs:oss:*:*:no-such-bucket"}]}}`
	for _, r := range routes {
		name(r.Needs)
		for i := range r.Needs {
			name(slices.Delete(slices.Clone(r.Needs), i, i+1))
		}
	}
	var list []string
	for _, p := range policies {
		list = append(list, p)
	}
	slices.Sort(list)
	w := newWorld(t, `accounts:
- {id: "`+account+`", policies: [`+strings.Join(list, ", ")+`], users: [`+strings.Join(users, ", ")+`], roles: [{name: writer, policies: [AliyunOSSFullAccess]}]}
- {id: "2000000000000000", keys: [{id: LTAIstranger, secret: secret-of-stranger}]}
`)
	w.put(t, "photos", "a/1", "a/2", "b")
	run := w.inventory(t, configuration("daily"))
	report := strings.Split(run.Manifest, "/")[3]

	var table strings.Builder
	table.WriteString("| page or action | needs | anonymous | nothing | without one of these | exactly these | account | other account |\n|---|---|---|---|---|---|---|---|\n")
	for _, r := range routes {
		if r.Public {
			continue
		}
		try, ok := requests[r.Name]
		if !ok {
			t.Errorf("no request tries the route %s", r.Name)
			continue
		}
		path := strings.NewReplacer("RUN", run.ID, "REPORT", report).Replace(try.path)
		verdict := func(b *browser) string {
			t.Helper()
			b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			a := w.answerTo(t, b, r, path, try.form)
			// Actions change the state that other routes need: restore it.
			_ = w.client.Delete(t.Context(), "photos", "other")
			if _, err := w.client.Get(t.Context(), "photos", "daily"); err != nil {
				w.inventory(t, configuration("daily"))
			}
			switch {
			case a.status == http.StatusForbidden:
				return "refused"
			case a.status == http.StatusUnauthorized, a.status == http.StatusSeeOther && strings.HasPrefix(a.header.Get("Location"), "/sign-in") && r.Name != "SignOut":
				return "sign in"
			case a.status >= 500:
				t.Errorf("%s: %d %s", r.Name, a.status, a.body)
			}
			return "allowed"
		}
		as := func(id string) string { t.Helper(); return verdict(w.signedIn(t, "LTAI"+id, "secret-of-"+id)) }
		row := []string{r.Name, strings.Join(r.Needs, ", "), verdict(w.browser(t)), as("nobody"), "", "", verdict(w.signedIn(t, rootKey, rootSecret)), as("stranger")}
		if r.Account {
			row[1] = "the account itself"
		}
		for i := range r.Needs {
			if got := as(name(slices.Delete(slices.Clone(r.Needs), i, i+1))); got != "refused" {
				t.Errorf("%s: %s without %s", r.Name, got, r.Needs[i])
			}
			row[4] = "refused"
		}
		if len(r.Needs) > 0 {
			row[5] = as(name(r.Needs))
			if row[5] != "allowed" {
				t.Errorf("%s: %s with exactly %v", r.Name, row[5], r.Needs)
			}
		}
		fmt.Fprintf(&table, "| %s |\n", strings.Join(row, " | "))
		if row[6] != "allowed" || row[2] == "allowed" && r.Name != "SignOut" {
			t.Errorf("%s: %v", r.Name, row)
		}
		if r.Account && (as("all") != "refused" || row[7] != "refused") {
			t.Errorf("%s is not the account's alone: %v", r.Name, row)
		}
	}
	documented(t, table.String())
}

// answerTo sends the request of a route.
func (w *world) answerTo(t *testing.T, b *browser, r console.Route, path string, form url.Values) answer {
	t.Helper()
	if r.Streams {
		return b.begin(t, path)
	}
	if r.Method == http.MethodGet {
		return b.get(t, path)
	}
	if form == nil {
		form = url.Values{}
	}
	b2 := *b
	follow := *b.Client
	follow.CheckRedirect = nil
	b2.Client = &follow
	if m := csrfPattern.FindStringSubmatch(b2.get(t, "/nowhere").body); m != nil {
		form.Set("csrf", m[1])
	}
	return b.send(t, r.Method, path, form)
}

// documented compares the table with that of docs/console.md.
func documented(t *testing.T, table string) {
	t.Helper()
	const path, begin, end = "../../docs/console.md", "<!-- begin access -->\n", "<!-- end access -->"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	old, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", path)
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if table != old {
		t.Errorf("%s has another table (go test -run Access -update rewrites it):\n%s", path, table)
	}
}
