// Command stocktake takes inventory of buckets: it serves the OSS inventory
// API with an object store behind it, and talks to that API from a shell.
//
// This is the only package that names concrete types and wires them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"github.com/stocktake/stocktake/internal/server"
)

// Exit codes besides 0. Code 1 means that the same command may succeed later, such
// as on a bucket that does not exist yet; code 2 that it never can, such as on an
// invalid name. docs/operating.md documents them.
const (
	exitFailed = 1 // the command failed, was refused or interrupted, or a check found a problem
	exitUsage  = 2 // invalid command line, environment or local file
)

// cli is the whole command line.
type cli struct {
	Serve     serveCmd     `cmd:"" help:"Run the server: OSS API, scheduler, runs, embedded store."`
	Demo      demoCmd      `cmd:"" help:"Run a tour: start a server, upload a folder, take its inventory, verify and show the report."`
	Take      takeCmd      `cmd:"" help:"List a bucket of an S3 or OSS service into a report, without a server."`
	Inventory inventoryCmd `cmd:"" help:"Manage and run the inventory configurations of a bucket."`
	Report    reportCmd    `cmd:"" help:"List, read, search, compare, convert and verify reports."`
	Object    objectCmd    `cmd:"" help:"Upload, download, list, copy and delete objects."`
	Bucket    bucketCmd    `cmd:"" help:"Create, list and delete buckets."`
	Key       keyCmd       `cmd:"" help:"Manage the access keys of the account and its users."`
	User      userCmd      `cmd:"" help:"Manage the users of the account."`
	Role      roleCmd      `cmd:"" help:"Manage the roles that inventories use and users assume."`
	Policy    policyCmd    `cmd:"" help:"Manage the policies of users and roles."`
	Store     storeCmd     `cmd:"" help:"Check a data folder, and the stores of the settings."`
	KMS       kmsCmd       `cmd:"" name:"kms" help:"Manage the keys that encrypt objects and reports."`
	Notice    noticeCmd    `cmd:"" help:"Manage notices that could not be delivered to webhooks."`
	Clock     clockCmd     `cmd:"" help:"Read and move the time of a test server."`
	Migrate   migrateCmd   `cmd:"" help:"Bring the tables of a PostgreSQL database up to date."`
	Ready     readyCmd     `cmd:"" help:"Ask a server whether it is ready for requests."`
	Version   versionCmd   `cmd:"" help:"Print the version."`

	Completion completionCmd `cmd:"" help:"Print a completion script for bash, zsh or fish."`
	Man        manCmd        `cmd:"" help:"Print the manual page."`
	Complete   completeCmd   `cmd:"" hidden:"" passthrough:"" help:"Print the completions of a command line."`

	HelpAll     bool             `help:"Show help with all flags."`
	VersionFlag kong.VersionFlag `name:"version" help:"Print the version and exit."`
}

// console is where a command reads and writes.
type console struct {
	out, err io.Writer
}

// untilTold returns a context that ends when the process receives a signal to end,
// such as that of a terminal that goes away, unless nohup has it ignored. A server reads
// its files again at that one.
func untilTold(args []string) (context.Context, context.CancelFunc) {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if serves := len(args) > 0 && args[0] == "serve"; !serves && !signal.Ignored(syscall.SIGHUP) {
		ends = append(ends, syscall.SIGHUP)
	}
	return signal.NotifyContext(context.Background(), ends...)
}

func main() {
	ctx, stop := untilTold(os.Args[1:])
	code := run(ctx, os.Args[1:], console{os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}

// run is main with its environment as arguments. It returns the exit code.
func run(ctx context.Context, args []string, con console) (code int) {
	var c cli
	type exit int // kong's own exits (--help) panic with it, so that run stays a function
	defer func() {
		if e := recover(); e != nil {
			n, ok := e.(exit)
			if !ok {
				panic(e)
			}
			code = int(n)
		}
	}()
	options := []kong.Option{
		kong.Exit(func(n int) { panic(exit(n)) }),
		kong.BindTo(ctx, (*context.Context)(nil)),
	}
	others, one := otherVerbs(args)
	if one {
		options = append(options, others)
	}
	parser, err := newParser(&c, con, options...)
	if err != nil {
		panic(err) // the command line's own definition is wrong
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	addExamples(parser.Model.Node, "")
	args, all := wantsAllHelp(args)
	if !all {
		shortenHelp(parser.Model.Node)
	}
	if !strings.HasPrefix(args[0], "-") { // the help of a verb need not repeat the program's own flags
		for _, f := range parser.Model.Flags {
			f.Hidden = f.Name != "help"
		}
	}
	for i, a := range args {
		if !utf8.ValidString(a) { // the parser would replace the invalid bytes
			sayf(con.err, "stocktake: argument %d is not UTF-8: %q\n", i+1, a)
			return exitUsage
		}
	}
	k, err := parser.Parse(joinNegative(args))
	if err != nil {
		sayf(con.err, "stocktake: %s\n", printableText(err.Error()))
		if p, ok := errors.AsType[*kong.ParseError](err); ok && p.Context != nil {
			sayf(con.err, "Run \"%s --help\" for its flags.\n", commandPath(p.Context))
		}
		return exitUsage
	}
	err = unknownVariables(parser.Model)
	if err != nil && one { // another verb may know the variable
		err = unknownToAll(con)
	}
	if err == nil {
		err = k.Run()
	}
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			sayln(con.err, "stocktake: interrupted")
			return exitFailed
		}
		if bad, ok := errors.AsType[*server.SettingError](err); ok {
			err = usagef("%s: %w", settingSource(bad.Setting), bad.Err)
		}
		sayf(con.err, "stocktake: %s\n", printableText(err.Error()))
		if isUsage(err) {
			return exitUsage
		}
		return exitFailed
	}
	return 0
}

// newParser returns the parser of the command line.
func newParser(c *cli, con console, more ...kong.Option) (*kong.Kong, error) {
	return kong.New(c, append([]kong.Option{
		kong.Name("stocktake"),
		kong.Description("Bucket inventory for object storage: say once what you want to know about a bucket; get it on time, complete and checkable."),
		kong.UsageOnError(),
		kong.Writers(con.out, con.err),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.PostBuild(variables),
		kong.Configuration(settingsFile),
		kong.KindMapper(reflect.Map, uniqueNames()),
		kong.Bind(con),
		kong.Vars{"version": programVersion().String(), "formats": formatNames()},
	}, more...)...)
}

// otherVerbs returns the option that keeps the verbs that args do not name out of the
// parser. To build it for all verbs takes more processor time than many commands. ok is
// false for command lines that need all verbs, or name none.
func otherVerbs(args []string) (option kong.Option, ok bool) {
	if len(args) == 0 {
		return nil, false
	}
	var others []string
	all := reflect.TypeFor[cli]()
	for i := range all.NumField() {
		field := all.Field(i)
		if _, verb := field.Tag.Lookup("cmd"); !verb {
			continue
		}
		name := field.Tag.Get("name")
		if name == "" {
			name = strings.ToLower(field.Name)
		}
		switch {
		case name != args[0]:
			others = append(others, field.Name)
		case field.Type == reflect.TypeFor[completionCmd](), field.Type == reflect.TypeFor[manCmd](), field.Type == reflect.TypeFor[completeCmd]():
			return nil, false
		default:
			ok = true
		}
	}
	return kong.IgnoreFields(`^cli\.(` + strings.Join(others, "|") + `)$`), ok
}

// negative is a number that the parser would take for a short flag.
var negative = regexp.MustCompile(`^-[0-9]+(\.[0-9]+)?[a-zA-Z]*$`)

// joinNegative writes "--flag -1" as "--flag=-1", so that it is the flag that is
// refused, with the values that it takes.
func joinNegative(args []string) []string {
	var joined []string
	for i, a := range args {
		if i > 0 && negative.MatchString(a) && strings.HasPrefix(args[i-1], "--") && len(args[i-1]) > 2 && !strings.Contains(args[i-1], "=") {
			joined[len(joined)-1] += "=" + a
			continue
		}
		joined = append(joined, a)
	}
	return joined
}

// uniqueNames returns the decoder of flags such as NAME=URL;NAME=URL, which refuses a
// name that is given twice.
func uniqueNames() kong.Mapper {
	decoder := kong.NewRegistry().RegisterDefaults().ForType(reflect.TypeFor[map[string]string]())
	return kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
		text, ok := ctx.Scan.Peek().Value.(string)
		if !ok || ctx.Value.Flag == nil {
			return decoder.Decode(ctx, target)
		}
		named := map[string]bool{}
		for _, key := range target.MapKeys() { // of the flag's earlier occurrences
			named[key.String()] = true
		}
		for _, pair := range kong.SplitEscaped(text, ctx.Value.Tag.MapSep) {
			name, _, _ := strings.Cut(pair, "=")
			if named[name] {
				return fmt.Errorf("%q is given twice", name)
			}
			named[name] = true
		}
		return decoder.Decode(ctx, target)
	})
}

func commandPath(k *kong.Context) string {
	path := "stocktake"
	for _, p := range k.Path {
		if p.Command != nil {
			path += " " + p.Command.Name
		}
	}
	return path
}
