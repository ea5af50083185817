package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/client"
	"github.com/stocktake/stocktake/internal/reportplace"
	"github.com/stocktake/stocktake/internal/server"
	"github.com/stocktake/stocktake/internal/transfer"
)

// demoCmd is `stocktake demo`.
type demoCmd struct {
	From    string `help:"Folder to upload. Default: src of the Go distribution." type:"existingdir" placeholder:"DIR"`
	Data    string `help:"Data folder. Default: a temporary folder that is removed at the end." type:"path" placeholder:"DIR"`
	Listen  string `help:"Address of the server. If the port is in use, any free port is taken." default:"127.0.0.1:9000"`
	Console string `name:"console-listen" help:"Address of the console; off: none. If the port is in use, any free port is taken." default:"127.0.0.1:9001"`
	Exit    bool   `help:"Exit after the report instead of keeping the server running."`
}

// Help is shown by --help below the flags.
func (demoCmd) Help() string {
	return `The tour uses the same binary and API as users do. At the end it prints a link that signs
you in to the console.`
}

// Names and thresholds of the demo.
const (
	demoBucket  = "demo"
	demoReports = "demo-reports"
	demoPrefix  = "inventory"
	demoID      = "all-columns"
	demoIASize  = 256 << 10 // files of at least so many bytes are put as IA
)

// Run runs the tour.
func (c *demoCmd) Run(ctx context.Context, con console) (err error) {
	from, err := c.tree(ctx)
	if err != nil {
		return err
	}
	dir, remove, err := c.folder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()

	if _, err := sayf(con.out, "== Starting a server, its store in %s\n", dir); err != nil {
		return err
	}
	cfg := server.Config{Data: dir, Listen: freeAddress(c.Listen), Log: newLogger(con.err, slog.LevelWarn, "text")}
	if at := consoleAddress(c.Console); at != "" && !c.Exit {
		cfg.ConsoleListen = freeAddress(at)
	}
	if cfg.RootKey, _, err = envKey(); err != nil {
		return err
	}
	if cfg.MasterKey, err = envMaster(); err != nil {
		return err
	}
	if cfg.Listen != c.Listen {
		sayf(con.out, "== %s is in use: using another port\n", c.Listen)
	}
	s, err := server.New(ctx, cfg)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(serving) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()

	oc, err := serverClient(s)
	if err != nil {
		return err
	}
	if err := c.story(ctx, con, s, oc, from); err != nil {
		return err
	}
	if c.Exit {
		return nil
	}
	sayf(con.out, "\nThe server is running. Press Ctrl-C to stop it.\n")
	<-ctx.Done()
	return nil
}

func (c *demoCmd) story(ctx context.Context, con console, s *server.Server, oc *oss.Client, from string) error {
	sayf(con.out, "== A server on %s\n", s.Endpoint())
	for _, b := range []string{demoBucket, demoReports} {
		if _, err := oc.PutBucket(ctx, &oss.PutBucketRequest{Bucket: oss.Ptr(b)}); err != nil {
			return fmt.Errorf("create bucket %s: %w", b, err)
		}
	}
	tree, err := transfer.FindFiles(from)
	if err != nil {
		return err
	}
	if len(tree.Files) == 0 {
		return usagef("--from: %s has no files", from)
	}
	tree.PrintSkipped(con.err)
	start := time.Now()
	done, err := transfer.All(ctx, con.err, "upload", tree.Bytes, tree.Uploads(oc.NewUploader(), transfer.Address{Bucket: demoBucket}, demoClass))
	if err != nil {
		return explainTransfer(err)
	}
	took := time.Since(start)
	sayf(con.out, "== Uploaded %s, %s, from %s in %s (%s objects/s, each synced to disk)\n", many(done.Objects, "file"), size(done.Bytes),
		from, rounded(took), count(int64(float64(done.Objects)/took.Seconds())))

	cl := client.New(oc)
	cfg := demoConfiguration(s.Config().AccountID)
	did, which := "Put", "first"
	err = cl.Put(ctx, demoBucket, cfg)
	if errors.Is(err, stocktake.ErrInventoryExists) { // --data of an earlier demo
		did, which = "Kept", "next"
		_, err = cl.Run(ctx, demoBucket, demoID)
	}
	if err != nil {
		return explain(err, "put the configuration")
	}
	sayf(con.out, "== %s configuration %s: daily, all columns, reports in oss://%s\n", did, demoID, reportFolder(cfg, demoBucket))
	runs, err := cl.Runs(ctx, demoBucket, demoID)
	if err != nil {
		return explain(err, "runs")
	}
	if len(runs) == 0 {
		return errors.New("the configuration was put, but its first run is missing")
	}
	r, err := follow(ctx, cl, runs[0], con.err)
	if err != nil {
		return err
	}
	sayf(con.out, "== Its %s run: ", which)
	if err := printRun(con.out, jsonFlag{}, r); err != nil {
		return err
	}
	if err := runError(r); err != nil {
		return err
	}
	sayln(con.out)
	at := &reportplace.Place{Bucket: newOSSBucket(oc, r.Destination), Name: "oss://" + r.Destination}
	if err := showReport(ctx, con.out, at, r.Manifest, showOptions{rows: 5, verify: true}); err != nil {
		return err
	}
	c.whereabouts(con.out, s)
	return nil
}

// demoClass returns the class of a file, so that the totals have more than one.
func demoClass(size int64) oss.StorageClassType {
	if size >= demoIASize {
		return oss.StorageClassIA
	}
	return ""
}

func (c *demoCmd) whereabouts(w io.Writer, s *server.Server) {
	key, _ := s.RootKey()
	sayf(w, `
== Where everything is
   OSS API   %s, region %s
   keys      OSS_ACCESS_KEY_ID=%s OSS_ACCESS_KEY_SECRET=%s
   objects   oss://%s
   reports   oss://%s/%s/%s/%s/
   store     %s
`, s.Endpoint(), s.Config().Region, key.ID, key.Secret, demoBucket, demoReports, demoPrefix, demoBucket, demoID, s.Config().Data)
	if link := s.SignInLink(); link != "" {
		sayf(w, "\n   See it in a browser (the link signs you in, once, within an hour):\n   %s\n", link)
	}
	if c.Exit {
		if c.Data == "" {
			sayln(w, "   The server stops here and its data is removed; --data DIR keeps it.")
		}
		return
	}
	program := programName()
	sayf(w, `
   Try, in another shell:
   export OSS_ACCESS_KEY_ID=%s OSS_ACCESS_KEY_SECRET=%s STOCKTAKE_ENDPOINT=%s
   %[4]s inventory status --all
   %[4]s inventory run -b %[5]s -i %[6]s --wait
   %[4]s report verify oss://%[7]s/%[8]s/%[5]s/%[6]s/
`, key.ID, key.Secret, s.Endpoint(), program, demoBucket, demoID, demoReports, demoPrefix)
}

// serverClient returns the official SDK's client of a server in this process.
func serverClient(s *server.Server) (*oss.Client, error) {
	key, _ := s.RootKey()
	return newOSSClient(s.Endpoint(), s.Config().Region, false, key)
}

// programName returns the command that starts this program in another shell in the
// same folder.
func programName() string {
	const name = "stocktake"
	self, err := os.Executable()
	switch found, e := exec.LookPath(name); {
	case e == nil && err == nil && sameFile(found, self):
		return name
	case strings.Contains(os.Args[0], "go-build"): // go run, which removes it in the end
		return "go run ./cmd/stocktake"
	}
	return os.Args[0]
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// rounded rounds a time for display.
func rounded(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Millisecond)
}

// demoConfiguration returns a configuration with every column that any store has.
func demoConfiguration(account string) stocktake.InventoryConfiguration {
	return stocktake.InventoryConfiguration{
		ID:        demoID,
		IsEnabled: true,
		Destination: stocktake.Destination{
			Format: "CSV", AccountID: account, RoleARN: "acs:ram::" + account + ":role/AliyunOSSRole",
			Bucket: demoReports, Prefix: demoPrefix,
		},
		Schedule:               stocktake.Schedule{Frequency: stocktake.Daily},
		IncludedObjectVersions: stocktake.CurrentVersions,
		OptionalFields: []stocktake.Field{
			stocktake.FieldSize, stocktake.FieldLastModifiedDate, stocktake.FieldETag, stocktake.FieldStorageClass,
			stocktake.FieldIsMultipartUploaded, stocktake.FieldEncryptionStatus, stocktake.FieldObjectACL,
			stocktake.FieldTaggingCount, stocktake.FieldObjectType, stocktake.FieldCRC64,
		},
	}
}

// tree returns the folder to upload.
func (c *demoCmd) tree(ctx context.Context) (string, error) {
	if c.From != "" {
		return c.From, nil
	}
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err == nil {
		src := filepath.Join(strings.TrimSpace(string(out)), "src")
		if st, err := os.Stat(src); err == nil && st.IsDir() {
			return src, nil
		}
	}
	return "", usagef("no Go distribution was found to upload: name a folder with --from")
}

// folder returns the store's folder and the function to call at the end.
func (c *demoCmd) folder() (dir string, remove func() error, err error) {
	if c.Data != "" {
		return c.Data, func() error { return nil }, nil
	}
	dir, err = os.MkdirTemp("", "stocktake-demo-")
	return dir, func() error { return os.RemoveAll(dir) }, err
}

// freeAddress returns addr, or the same host with any free port if addr is in
// use.
func freeAddress(addr string) string {
	ln, err := net.Listen("tcp", addr)
	if err == nil {
		_ = ln.Close() // nothing was sent
		return addr
	}
	host, _, splitErr := net.SplitHostPort(addr)
	if splitErr != nil || !errors.Is(err, syscall.EADDRINUSE) {
		return addr // server.New reports the fault
	}
	return net.JoinHostPort(host, "0")
}
