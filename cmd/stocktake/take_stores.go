package main

import (
	"errors"
	"log/slog"
	"strings"

	"github.com/stocktake/stocktake/internal/foreign"
	"github.com/stocktake/stocktake/internal/server"
	"github.com/stocktake/stocktake/internal/take/places"
	"github.com/stocktake/stocktake/internal/throttle"
)

// takeStores are the flags that say where the buckets of a take are.
type takeStores struct {
	Config string `help:"Settings file whose stores claim the buckets, with their keys, limits and hours." group:"Stores" type:"existingfile" placeholder:"FILE" short:"c"`

	Endpoint   string `help:"Endpoint of the source. Default: AWS_ENDPOINT_URL_S3 or OSS_ENDPOINT, else the public service." group:"Stores" placeholder:"URL"`
	Region     string `help:"Region of the source. Default: as the official tools find it." group:"Stores"`
	Profile    string `help:"Profile of the source's keys, of ~/.aws or ~/.ossutilconfig. Default: as the official tools find keys." group:"Stores" placeholder:"NAME"`
	Addressing string `help:"Position of the bucket in URLs: path or virtual. Default: what fits the endpoint." group:"Stores" enum:",path,virtual" default:"" placeholder:"STYLE"`
	CAFile     string `name:"ca-file" help:"Certificate authorities of the endpoint, PEM." group:"Stores" type:"existingfile" placeholder:"FILE"`

	ToEndpoint string `help:"Endpoint of the destination bucket. Default without other --to flags: that of the source, if both are of one kind." group:"Stores" placeholder:"URL"`
	ToRegion   string `help:"Region of the destination bucket." group:"Stores" placeholder:"REGION"`
	ToProfile  string `help:"Profile of the destination's keys." group:"Stores" placeholder:"NAME"`

	RequestsPerSecond float64 `help:"Requests to a store per second, at most; 0 means no limit." group:"Stores" placeholder:"N"`
	Concurrency       int     `help:"Requests to a store in flight, at most." group:"Stores" default:"64" placeholder:"N"`
	Hours             string  `help:"Hours of the day in which requests may begin, such as \"22:00-06:00 Europe/Berlin\"." group:"Stores"`
}

// open opens source and destination.
func (c *takeStores) open(source, to string, log *slog.Logger) (src, dst places.Place, err error) {
	if err := c.unused(to); err != nil {
		return src, dst, err
	}
	stores, err := c.stores()
	if err != nil {
		return src, dst, err
	}
	src, dst, err = stores.Open(source, to, log)
	switch {
	case errors.Is(err, places.ErrNoRegion):
		flag := "--region"
		if bad, ok := errors.AsType[*places.ArgumentError](err); ok && bad.Destination {
			flag = "--to-region"
		}
		err = usagef("%s: %w", flag, err)
	case errors.Is(err, places.ErrUnclaimed):
		err = usagef("%w; add one, or omit --config", err)
	}
	return src, dst, err
}

// stores returns what the flags say.
func (c *takeStores) stores() (s places.Stores, err error) {
	if c.Config != "" {
		settings, err := readStores(c.Config)
		return places.Stores{Settings: settings, Configured: true}, err
	}
	s = places.Stores{
		Source: takeAccess(c.Endpoint, c.Region, c.Profile), Addressing: c.Addressing, CAFile: c.CAFile,
		LocalRegion: server.DefaultRegion, // a server of one's own takes any
	}
	if c.ToEndpoint != "" || c.ToRegion != "" || c.ToProfile != "" {
		s.Destination = new(takeAccess(c.ToEndpoint, c.ToRegion, c.ToProfile))
	}
	if s.Limits.Hours, err = throttle.ParseHours(c.Hours); err != nil {
		return s, usagef("--hours: %w", err)
	}
	if c.RequestsPerSecond < 0 || c.Concurrency < 1 {
		return s, usagef("--requests-per-second and --concurrency: positive numbers are expected")
	}
	s.Limits.PerSecond, s.Limits.Concurrency = c.RequestsPerSecond, c.Concurrency
	return s, nil
}

// takeAccess returns what the flags of one store say.
func takeAccess(endpoint, region, profile string) places.Access {
	a := places.Access{Endpoint: endpoint, Region: region}
	if profile != "" {
		a.Credentials = foreign.Profile(profile)
	}
	return a
}

// unused refuses flags that would have no effect.
func (c *takeStores) unused(to string) error {
	destination := []namedFlag{{"--to-endpoint", c.ToEndpoint != ""}, {"--to-region", c.ToRegion != ""}, {"--to-profile", c.ToProfile != ""}}
	if name := firstSet(destination); name != "" && !strings.Contains(to, "://") {
		return usagef("%s: the destination is a folder", name)
	}
	stores := append(destination, namedFlag{"--endpoint", c.Endpoint != ""}, namedFlag{"--region", c.Region != ""},
		namedFlag{"--profile", c.Profile != ""}, namedFlag{"--addressing", c.Addressing != ""}, namedFlag{"--ca-file", c.CAFile != ""},
		namedFlag{"--requests-per-second", c.RequestsPerSecond != 0}, namedFlag{"--hours", c.Hours != ""})
	if name := firstSet(stores); name != "" && c.Config != "" {
		return usagef("%s and --config cannot be used together: the settings file says where the stores are, and their limits", name)
	}
	return nil
}

// A namedFlag is a flag and whether it was used.
type namedFlag struct {
	name string
	used bool
}

// firstSet returns the name of the first flag that was used; empty: none.
func firstSet(flags []namedFlag) string {
	for _, f := range flags {
		if f.used {
			return f.name
		}
	}
	return ""
}
