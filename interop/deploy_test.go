package interop_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/stocktake/stocktake/internal/testserver"
)

const deployFolder = "../deploy"

// settingsAreValid lets the server check the settings in a file of deploy, in the
// environment that the file sets. Addresses are replaced, because the ports may be in
// use here.
func settingsAreValid(t *testing.T, binary, settings string, env ...string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "stocktake.yaml")
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "serve", "--check", "--config", file, "--data", filepath.Join(t.TempDir(), "data"),
		"--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--console-listen", "off")
	cmd.Env = append([]string{"HOME=" + t.TempDir()}, env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("the settings are refused: %v\n%s", err, out)
	}
}

var (
	variableName = regexp.MustCompile(`\bSTOCKTAKE_[A-Z_]*[A-Z]\b`)
	serveFlag    = regexp.MustCompile(`(?:stocktake serve|\bserve,)[^\n]*`)
	flagName     = regexp.MustCompile(`--[a-z][a-z-]+`)
)

// TestDeployNames checks that each variable and each flag of serve that a file of deploy names
// exists.
func TestDeployNames(t *testing.T) {
	binary := build(t)
	out, err := exec.CommandContext(t.Context(), binary, "serve", "--help-all").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// Names of other programs: the address of clients, the master key, the image's tag in
	// compose.yaml, and what Kubernetes would set.
	known := map[string]bool{"STOCKTAKE_ENDPOINT": true, "STOCKTAKE_MASTER_KEY": true, "STOCKTAKE_TAG": true, "STOCKTAKE_PORT": true}
	for _, name := range append(variableName.FindAllString(string(out), -1), flagName.FindAllString(string(out), -1)...) {
		known[name] = true
	}
	names := 0
	err = filepath.WalkDir(deployFolder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".json") {
			return err
		}
		text := readFile(t, path)
		found := variableName.FindAllString(text, -1)
		for _, line := range serveFlag.FindAllString(text, -1) {
			found = append(found, flagName.FindAllString(line, -1)...)
		}
		for _, name := range found {
			if !known[name] {
				t.Errorf("%s names %s, which stocktake serve does not know", path, name)
			}
		}
		names += len(found)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if names < 20 {
		t.Errorf("found %d names only", names)
	}
}

// exposure is the score of the unit that systemd-analyze security may reach, in tenths: 0 is
// best, 100 worst. The unit has 12 to 14 of them, by the version of systemd.
const exposure = "20"

// TestDeploySystemd lets systemd check the unit with and without the drop-in for TLS. The check
// of keys always exits with 0, so its output must be empty.
func TestDeploySystemd(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Fatalf("%v; on Debian: apt-get install systemd", err)
	}
	binary := build(t)
	unit := readFile(t, filepath.Join(deployFolder, "systemd/stocktake.service"))
	installed := strings.ReplaceAll(unit, "=/usr/bin/stocktake ", "="+binary+" ")
	if installed == unit {
		t.Fatal("the unit does not start /usr/bin/stocktake")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "stocktake.service")
	if err := os.WriteFile(file, []byte(installed), 0o644); err != nil {
		t.Fatal(err)
	}
	check := func(name string) {
		if out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", file).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: systemd-analyze verify: %v\n%s", name, err, out)
		}
		if out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--threshold="+exposure, "--no-pager", file).CombinedOutput(); err != nil {
			t.Errorf("%s: systemd-analyze security: %v\n%s", name, err, out)
		}
	}
	check("stocktake.service")
	dropIn := filepath.Join(dir, "stocktake.service.d/tls.conf")
	if err := os.Mkdir(filepath.Dir(dropIn), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dropIn, []byte(readFile(t, filepath.Join(deployFolder, "systemd/tls.conf"))), 0o644); err != nil {
		t.Fatal(err)
	}
	check("stocktake.service with tls.conf")
}

// TestDeployCompose loads the Compose file as docker compose does, with its schema, and lets
// the server and Prometheus check the files that it mounts.
func TestDeployCompose(t *testing.T) {
	dir, err := filepath.Abs(filepath.Join(deployFolder, "compose"))
	if err != nil {
		t.Fatal(err)
	}
	options, err := cli.NewProjectOptions([]string{filepath.Join(dir, "compose.yaml")}, cli.WithWorkingDirectory(dir), cli.WithEnvFiles(filepath.Join(dir, "example.env")), cli.WithDotEnv)
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range project.Configs {
		if _, err := os.Stat(c.File); err != nil {
			t.Errorf("config %s: %v", name, err)
		}
	}
	secrets, err := dotenv.Read(filepath.Join(dir, "example.env"))
	if err != nil {
		t.Fatal(err)
	}
	text := readFile(t, filepath.Join(dir, "compose.yaml"))
	for name := range secrets {
		if !strings.Contains(text, "${"+name+":?") {
			t.Errorf("example.env has %s, which compose.yaml does not ask for", name)
		}
	}
	binary := build(t)
	servers := 0
	for name, s := range project.Services {
		if strings.HasSuffix(s.Image, ":latest") || !strings.Contains(s.Image, ":") {
			t.Errorf("%s: the version of image %q is not pinned", name, s.Image)
		}
		if !strings.HasPrefix(s.Image, "stocktake:") {
			continue
		}
		if !s.ReadOnly || len(s.CapDrop) != 1 || s.CapDrop[0] != "ALL" || s.Privileged {
			t.Errorf("%s: read-only root %v, dropped capabilities %v, privileged %v", name, s.ReadOnly, s.CapDrop, s.Privileged)
		}
		if len(s.Command) > 0 {
			continue
		}
		servers++
		if s.DependsOn["migrate"].Condition != types.ServiceConditionCompletedSuccessfully {
			t.Errorf("%s does not wait for the tables", name)
		}
		var env []string
		for k, v := range s.Environment {
			if v != nil && k != "STOCKTAKE_CONFIG" {
				env = append(env, k+"="+*v)
			}
		}
		settingsAreValid(t, binary, readFile(t, filepath.Join(dir, "stocktake.yaml")), env...)
	}
	if servers != 2 {
		t.Errorf("%d servers, want 2", servers)
	}
	if out, err := exec.CommandContext(t.Context(), prometheusTool(t, "promtool"), "check", "config", "--syntax-only", filepath.Join(dir, "prometheus.yaml")).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// An instruction is an instruction of a container file.
type instruction struct{ name, args string }

// containerFile returns the instructions of the container file, by stage.
func containerFile(t *testing.T) (stages [][]instruction) {
	t.Helper()
	for line := range strings.Lines(readFile(t, filepath.Join(deployFolder, "container/Containerfile"))) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, args, _ := strings.Cut(line, " ")
		if name == "FROM" {
			stages = append(stages, nil)
		}
		stages[len(stages)-1] = append(stages[len(stages)-1], instruction{name, args})
	}
	return stages
}

// TestDeployContainer executes the container file in bare folders: its commands make
// the image in a copy of the sources, and its server runs inside only the image, with
// a read-only root and as the user that the file names.
func TestDeployContainer(t *testing.T) {
	stages := containerFile(t)
	if len(stages) != 2 {
		t.Fatalf("%d stages, want 2", len(stages))
	}
	src := t.TempDir()
	copySources(t, src)
	for _, in := range stages[0] {
		if in.name != "RUN" {
			continue
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", in.args)
		cmd.Dir, cmd.Env = src, append(os.Environ(), "VERSION=v0-test")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("RUN %s: %v\n%s", in.args, err, out)
		}
	}

	root := filepath.Join(src, "image")
	var env, entry, health []string
	user, _, _ := strings.Cut(one(t, stages[1], "USER"), ":")
	volume := one(t, stages[1], "VOLUME")
	if copied := one(t, stages[1], "COPY"); copied != "--from=build --chown="+user+":"+user+" /src/image/ /" {
		t.Errorf("the image is %q", copied)
	}
	for _, in := range stages[1] {
		if in.name == "ENV" {
			env = append(env, in.args)
		}
	}
	entry = words(t, one(t, stages[1], "ENTRYPOINT"))
	_, probe, _ := strings.Cut(one(t, stages[1], "HEALTHCHECK"), " CMD ")
	health = words(t, probe)
	if cmd := words(t, one(t, stages[1], "CMD")); len(cmd) != 1 || cmd[0] != "serve" {
		t.Errorf("the image runs %v", cmd)
	}

	// Only the volume can be written. The user has no rights beyond those of the modes.
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || path == filepath.Join(root, volume) {
			return err
		}
		t.Cleanup(func() { _ = os.Chmod(path, 0o755) }) // so that the folder can be removed
		return os.Chmod(path, 0o555)
	})
	if err != nil {
		t.Fatal(err)
	}
	inside := []string{"unshare", "--user", "--map-user=" + user, "--root=" + root, "--"}
	s, err := testserver.Start(t.Context(), testserver.Config{
		Under: inside, Binary: entry[0], Data: filepath.Join(volume, "data"),
		Args: []string{"--schedule-zone", "Europe/Berlin"}, // of the image's own zones
		Env:  env,
	})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(url string) (string, error) {
		cmd := exec.CommandContext(t.Context(), inside[0], append(inside[1:], health...)...)
		cmd.Env = append(append([]string{"PATH=" + os.Getenv("PATH")}, env...), "STOCKTAKE_ENDPOINT="+url)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := ask(s.URL()); err != nil {
		t.Errorf("the health check of a running server: %v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(root, volume, "data/catalog.db")); err != nil {
		t.Errorf("the server has not used the volume: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if out, err := ask("http://127.0.0.1:1"); err == nil || !strings.Contains(out, "is the server running") { // a port below 1024 is not handed out
		t.Errorf("the health check where no server is: %v\n%s", err, out)
	}
}

// one returns the arguments of the only instruction with a name.
func one(t *testing.T, stage []instruction, name string) (args string) {
	t.Helper()
	n := 0
	for _, in := range stage {
		if in.name == name {
			args = in.args
			n++
		}
	}
	if n != 1 {
		t.Fatalf("%d instructions %s, want 1", n, name)
	}
	return args
}

// words returns the words of a command in the form that needs no shell.
func words(t *testing.T, command string) (all []string) {
	t.Helper()
	if err := json.Unmarshal([]byte(command), &all); err != nil || len(all) == 0 {
		t.Fatalf("%q is not a command as a list: %v", command, err)
	}
	return all
}

// copySources copies the files that COPY of the container file copies: all except ignored
// files.
func copySources(t *testing.T, to string) {
	t.Helper()
	var ignored []string
	for line := range strings.Lines(readFile(t, filepath.Join(deployFolder, "container/Containerfile.dockerignore"))) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			ignored = append(ignored, line)
		}
	}
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if slices.ContainsFunc(ignored, func(pattern string) bool { is, _ := filepath.Match(pattern, e.Name()); return is }) {
			continue
		}
		from, into := filepath.Join("..", e.Name()), filepath.Join(to, e.Name())
		if e.IsDir() {
			err = os.CopyFS(into, os.DirFS(from))
		} else {
			err = os.WriteFile(into, []byte(readFile(t, from)), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
