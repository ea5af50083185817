package client_test

import (
	"cmp"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"
	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss/credentials"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/inventoryxml"
)

const account = "1000000000000000"

// A service speaks the wire of the inventory API, with one bucket, photos, in
// memory. It checks of each request what the real one would refuse.
type service struct {
	t *testing.T

	mu      sync.Mutex
	configs map[string]stocktake.InventoryConfiguration
	runs    []stocktake.Run // newest first, of any configuration
	asked   []string        // methods and queries

	// answer, unless nil, is asked first and says whether it has answered.
	answer func(w http.ResponseWriter, r *http.Request) bool
}

func newService(t *testing.T) *service {
	return &service{t: t, configs: map[string]stocktake.InventoryConfiguration{}}
}

// client returns a client of the service over HTTP.
func (s *service) client(options ...func(*oss.Config)) *client.Client {
	server := httptest.NewServer(s)
	s.t.Cleanup(server.Close)
	return clientOf(server.URL, options...)
}

func clientOf(endpoint string, options ...func(*oss.Config)) *client.Client {
	cfg := oss.LoadDefaultConfig().WithRegion("cn-hangzhou").WithEndpoint(endpoint).
		WithCredentialsProvider(credentials.NewStaticCredentialsProvider("id", "secret")).
		WithRetryMaxAttempts(1)
	for _, option := range options {
		option(cfg)
	}
	return client.New(oss.NewClient(cfg))
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := r.URL.Query()
	s.asked = append(s.asked, r.Method+" "+r.URL.RawQuery)
	if r.Header.Get("Authorization") == "" {
		s.t.Errorf("%s %s is not signed", r.Method, r.URL)
	}
	if q["inventory"] == nil || q.Get("inventory") != "" {
		s.t.Errorf("%s %s is not a request for inventories", r.Method, r.URL)
	}
	if s.answer != nil && s.answer(w, r) {
		return
	}
	if bucket := strings.Trim(r.URL.Path, "/"); bucket != "photos" {
		fail(w, 404, "NoSuchBucket", "The specified bucket does not exist.", "0015-00000101")
		return
	}
	id, action := q.Get("inventoryId"), q.Get("x-oss-stocktake")
	cfg, known := s.configs[id]
	if id != "" && !known && r.Method != http.MethodPut && r.Method != http.MethodDelete {
		fail(w, 404, "NoSuchInventory", "No Row found in Inventory Table.", "")
		return
	}
	switch r.Method + action {
	case "PUT":
		s.put(w, r, id)
	case "GET":
		w.Header().Set("Content-Type", "application/xml")
		if id == "" {
			s.list(w, q.Get("continuation-token"))
			return
		}
		w.Write(inventoryxml.Append(nil, &cfg))
	case "DELETE":
		delete(s.configs, id)
		w.WriteHeader(http.StatusNoContent)
	case "POSTrun":
		s.runs = slices.Insert(s.runs, 0, stocktake.Run{
			ID: fmt.Sprint("run-", len(s.runs)+1), Bucket: "photos", Configuration: id, State: stocktake.Queued, Trigger: stocktake.TriggerManual,
		})
		writeJSON(w, s.runs[0])
	case "POSTcancel":
		if len(s.runs) == 0 || s.runs[0].State.Ended() {
			fail(w, 404, "NoSuchInventoryRun", "There is no such run.", "")
			return
		}
		s.runs[0].State = stocktake.Cancelled
		writeJSON(w, s.runs[0])
	case "POSTsuspend", "POSTresume", "POSTcheck":
		writeJSON(w, stocktake.InventoryStatus{Bucket: "photos", Configuration: id, Warnings: []string{action}})
	case "GETruns":
		writeJSON(w, map[string]any{"runs": s.runs})
	case "GETstatus":
		var all []stocktake.InventoryStatus
		for _, c := range s.sorted() {
			if id == "" || id == c.ID {
				all = append(all, stocktake.InventoryStatus{Bucket: "photos", Configuration: c.ID, Enabled: c.IsEnabled})
			}
		}
		writeJSON(w, map[string]any{"inventories": all})
	default:
		fail(w, 405, "MethodNotAllowed", "The specified method is not allowed against this resource.", "")
	}
}

func (s *service) put(w http.ResponseWriter, r *http.Request, id string) {
	body, _ := io.ReadAll(r.Body)
	sum := md5.Sum(body)
	if r.Header.Get("Content-MD5") != base64.StdEncoding.EncodeToString(sum[:]) {
		fail(w, 400, "InvalidDigest", "The Content-MD5 you specified was invalid.", "")
		return
	}
	cfg, err := inventoryxml.ParsePut(body, stocktake.InventoryRules{ID: id, AccountID: account})
	switch {
	case err != nil:
		fail(w, 400, "InvalidArgument", err.Error(), "0020-00000000")
	case s.configs[id].ID != "":
		fail(w, 409, "InventoryConfigurationAlreadyExists", "The Inventory Configuration already exists.", "0020-00000042")
	case cfg.Incremental != nil && cfg.Incremental.IsEnabled:
		fail(w, 403, "AccessDenied", "Incremental Inventory is disabled.", "")
	case len(s.configs) == stocktake.MaxInventories:
		fail(w, 400, "InventoryExceedLimit", "You are not allowed to create more inventory than limit.", "0020-00000039")
	default:
		s.configs[id] = cfg
	}
}

func (s *service) sorted() []stocktake.InventoryConfiguration {
	var all []stocktake.InventoryConfiguration
	for _, c := range s.configs {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b stocktake.InventoryConfiguration) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func (s *service) list(w http.ResponseWriter, token string) {
	all := s.sorted()
	if len(all) == 0 {
		fail(w, 404, "NoSuchInventory", "No Row found in Inventory Table.", "")
		return
	}
	all = slices.DeleteFunc(all, func(c stocktake.InventoryConfiguration) bool { return c.ID <= token && token != "" })
	page, next := all, ""
	if len(all) > stocktake.InventoryPageSize {
		page = all[:stocktake.InventoryPageSize]
		next = page[len(page)-1].ID
	}
	docs := make([][]byte, len(page))
	for i := range page {
		docs[i] = inventoryxml.Append(nil, &page[i])
	}
	w.Write(inventoryxml.AppendList(nil, docs, token, next, next != ""))
}

func fail(w http.ResponseWriter, status int, code, message, ec string) {
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("x-oss-request-id", "65A1B2C3D4E5F60718293A4B")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message><RequestId>65A1B2C3D4E5F60718293A4B</RequestId><EC>%s</EC></Error>", code, message, ec)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func configuration(id string) stocktake.InventoryConfiguration {
	return stocktake.InventoryConfiguration{
		ID: id, IsEnabled: true,
		Destination: stocktake.Destination{
			Format: stocktake.FormatCSV, AccountID: account, RoleARN: "acs:ram::" + account + ":role/writer", Bucket: "reports", Prefix: "inv",
			Encryption: stocktake.Encryption{SSEKMS: true, KeyID: "key"},
		},
		Filter:                 stocktake.Filter{Prefix: "a&b ", HasLowerSizeBound: true, StorageClass: []stocktake.StorageClass{stocktake.Standard, stocktake.IA}},
		Schedule:               stocktake.Schedule{Frequency: stocktake.Once, AutoDelete: new(true)},
		IncludedObjectVersions: stocktake.AllVersions,
		OptionalFields:         []stocktake.Field{stocktake.FieldSize, stocktake.FieldLastAccessDate},
	}
}
