package places_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stocktake/stocktake/internal/foreign"
	"github.com/stocktake/stocktake/internal/take"
	"github.com/stocktake/stocktake/internal/take/places"
	"github.com/stocktake/stocktake/internal/throttle"
)

// withoutEnvironment hides the settings of the official tools.
func withoutEnvironment(t *testing.T) {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "OSS_REGION", "OSS_ENDPOINT"} {
		t.Setenv(name, "")
	}
}

// described are stores that their accesses describe.
func described(source places.Access, destination *places.Access) *places.Stores {
	return &places.Stores{Source: source, Destination: destination, Limits: throttle.Limits{Concurrency: 4}, LocalRegion: "cn-local"}
}

// configured are the stores of a settings file.
func configured(settings ...foreign.Settings) *places.Stores {
	return &places.Stores{Settings: settings, Configured: true}
}

// An OSS bucket has the region that is named, or else that of its endpoint, and an
// endpoint without a scheme means https.
func TestRegions(t *testing.T) {
	withoutEnvironment(t)
	for _, c := range []struct{ endpoint, region, url, want string }{
		{"oss-cn-shanghai.aliyuncs.com", "", "https://oss-cn-shanghai.aliyuncs.com", "cn-shanghai"},
		{"https://oss-cn-shanghai-internal.aliyuncs.com/", "", "https://oss-cn-shanghai-internal.aliyuncs.com", "cn-shanghai"},
		{"https://oss-cn-shanghai.aliyuncs.com", "cn-beijing", "https://oss-cn-shanghai.aliyuncs.com", "cn-beijing"},
		{"http://127.0.0.1:9000", "", "http://127.0.0.1:9000", "cn-local"},
		{"http://localhost:9000", "", "http://localhost:9000", "cn-local"},
	} {
		src, dst, err := described(places.Access{Endpoint: c.endpoint, Region: c.region}, nil).Open("oss://photos/raw", "oss://reports/inv/", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Errorf("%s: %v", c.endpoint, err)
			continue
		}
		if s := src.Store.Settings(); s.Region != c.want || s.Endpoint != c.url || s.Limits.Concurrency != 4 {
			t.Errorf("%s: the source is at %s in %s", c.endpoint, s.Endpoint, s.Region)
		}
		if dst.Store != src.Store || dst.Destination == nil || dst.Bucket != "reports" || dst.Prefix != "inv/" {
			t.Errorf("%s: the destination is %+v", c.endpoint, dst)
		}
	}
	_, _, err := described(places.Access{Endpoint: "https://oss.example.com"}, nil).Open("oss://photos", t.TempDir(), nil)
	if !errors.Is(err, places.ErrNoRegion) {
		t.Errorf("without a region: %v", err)
	}
}

// A destination has an access of its own, or that of the source if both are of one kind.
func TestDestinationAccess(t *testing.T) {
	withoutEnvironment(t)
	source := places.Access{Endpoint: "http://127.0.0.1:9000"}
	for _, c := range []struct {
		own      *places.Access
		to, want string
	}{
		{nil, "oss://reports", "http://127.0.0.1:9000"},
		{&places.Access{Endpoint: "http://127.0.0.1:9001"}, "oss://reports", "http://127.0.0.1:9001"},
		{nil, "s3://reports", "https://s3.us-east-1.amazonaws.com"},
	} {
		src, dst, err := described(source, c.own).Open("oss://photos", c.to, slog.New(slog.DiscardHandler))
		if err != nil || dst.Store.URL() != c.want {
			t.Errorf("%s with %+v: %v, %v", c.to, c.own, dst.Origin, err)
			continue
		}
		if (dst.Store == src.Store) != (c.want == source.Endpoint) {
			t.Errorf("%s with %+v: wrong sharing of limits", c.to, c.own)
		}
	}
}

// The stores of a settings file open only the buckets that they claim, under the
// names that they have there.
func TestConfigured(t *testing.T) {
	withoutEnvironment(t)
	lake := foreign.Settings{
		Name: "lake", Kind: foreign.S3, Endpoint: "http://127.0.0.1:9002", Credentials: foreign.Chain(), Buckets: []string{"lake-*"}, Aliases: map[string]string{"old": "Old_Name"},
	}
	for address, want := range map[string]string{
		"s3://lake-photos/raw": "s3://lake-photos at http://127.0.0.1:9002",
		"s3://old":             "s3://Old_Name at http://127.0.0.1:9002",
	} {
		src, dst, err := configured(lake).Open(address, "s3://lake-reports", slog.New(slog.DiscardHandler))
		if err != nil || src.Origin != want {
			t.Errorf("%s: %q, %v", address, src.Origin, err)
		}
		if where := dst.Where("inv/a"); where != "s3://lake-reports/inv/a" {
			t.Errorf("a key of the destination is at %s", where)
		}
	}
	for _, address := range []string{"oss://lake-photos", "s3://photos"} {
		_, _, err := configured(lake).Open(address, t.TempDir(), nil)
		bad, ok := errors.AsType[*places.ArgumentError](err)
		if !ok || !errors.Is(err, places.ErrUnclaimed) || !strings.HasPrefix(bad.Error(), address+": the settings file has no ") {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, _, err := configured().Open("s3://photos", t.TempDir(), nil); !errors.Is(err, places.ErrUnclaimed) {
		t.Errorf("without stores: %v", err)
	}
}

// Addresses and settings that cannot be right are told from failures.
func TestArgumentErrors(t *testing.T) {
	withoutEnvironment(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	local := places.Access{Endpoint: "http://127.0.0.1:9000"}
	for _, c := range []struct {
		source, to  string
		access      places.Access
		own         *places.Access // of the destination
		destination bool           // the destination cannot be right
	}{
		{source: "photos", to: "out", access: local},
		{source: "s3://", to: "out", access: local},
		{source: "gs://photos", to: "out", access: local},
		{source: "oss://My_Photos", to: "out", access: local},
		{source: "oss://photos", access: local, destination: true},
		{source: "oss://photos", to: file, access: local, destination: true},
		{source: "oss://photos", to: filepath.Join(file, "below"), access: local, destination: true},
		{source: "oss://photos", to: "gs://reports", access: local, destination: true},
		{source: "s3://photos", to: "out", access: places.Access{Endpoint: "ftp://127.0.0.1"}},
		{source: "oss://photos", to: "oss://reports", access: places.Access{Endpoint: "https://oss.example.com"}},
		{source: "s3://photos", to: "oss://reports", access: local, destination: true},
		{source: "oss://photos", to: "oss://reports", access: local, own: &places.Access{Endpoint: "https://oss.example.com"}, destination: true},
		{source: "oss://photos", to: "s3://reports", access: local, own: &places.Access{Endpoint: "ftp://127.0.0.1"}, destination: true},
	} {
		_, _, err := described(c.access, c.own).Open(c.source, c.to, slog.New(slog.DiscardHandler))
		bad, ok := errors.AsType[*places.ArgumentError](err)
		if !ok || bad.Destination != c.destination {
			t.Errorf("%s to %q at %s: %v, of the destination: %t", c.source, c.to, c.access.Endpoint, err, ok && bad.Destination)
		}
	}
}

// A folder serves one take at a time; if nothing was written, Close removes it.
func TestFolder(t *testing.T) {
	withoutEnvironment(t)
	path := filepath.Join(t.TempDir(), "out")
	stores := described(places.Access{Endpoint: "http://127.0.0.1:9000"}, nil)
	src, dst, err := stores.Open("oss://photos", path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if where := dst.Where("photos/take/data/1.csv.gz"); where != path+"/data/1.csv.gz" || dst.Shown() != path || dst.Within(&src) {
		t.Errorf("the folder is %s, with a file %s", dst.Shown(), where)
	}
	_, _, err = stores.Open("oss://photos", path, slog.New(slog.DiscardHandler))
	if _, bad := errors.AsType[*places.ArgumentError](err); err == nil || bad || !strings.Contains(err.Error(), "another take is writing there") {
		t.Errorf("a second take: %v", err)
	}
	if err := dst.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder after Close: %v", err)
	}
}

// Reports within the listed prefix are recognized by the bucket, its store and the prefix.
func TestWithin(t *testing.T) {
	withoutEnvironment(t)
	other := &places.Access{Endpoint: "http://127.0.0.1:9001"}
	for _, c := range []struct {
		source, to string
		own        *places.Access
		want       bool
	}{
		{"oss://photos", "oss://photos/inv", nil, true},
		{"oss://photos/inv/", "oss://photos/inv", nil, true},
		{"oss://photos/inv/photos/take/", "oss://photos/inv/", nil, true},
		{"oss://photos/raw/", "oss://photos/inv", nil, false},
		{"oss://photos", "oss://reports/inv", nil, false},
		{"oss://photos", "oss://photos/inv", other, false},
	} {
		src, dst, err := described(places.Access{Endpoint: "http://127.0.0.1:9000"}, c.own).Open(c.source, c.to, slog.New(slog.DiscardHandler))
		if err != nil || dst.Within(&src) != c.want {
			t.Errorf("%s to %s: %v, %v", c.source, c.to, dst.Within(&src), err)
		}
	}
}

// The requests to a public service have a price.
func TestPrice(t *testing.T) {
	withoutEnvironment(t)
	e := take.Estimate{Calls: 1000, Requests: 10_000}
	for _, c := range []struct {
		address, endpoint string
		want              places.Price
	}{
		{"s3://photos", "", places.Price{Amount: 0.009, Currency: "USD"}},
		{"oss://photos", "oss-cn-hangzhou.aliyuncs.com", places.Price{Amount: 0.011, Currency: "CNY"}},
		{"oss://photos", "http://127.0.0.1:9000", places.Price{}},
	} {
		src, dst, err := described(places.Access{Endpoint: c.endpoint}, nil).Open(c.address, filepath.Join(t.TempDir(), "out"), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		p, public := src.Price(&e)
		if public != (c.want.Currency != "") || p.Currency != c.want.Currency || p.Amount < c.want.Amount-1e-9 || p.Amount > c.want.Amount+1e-9 {
			t.Errorf("%s at %q: %+v, %v", c.address, c.endpoint, p, public)
		}
		if err := dst.Close(); err != nil {
			t.Error(err)
		}
	}
}
