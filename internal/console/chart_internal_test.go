package console

import (
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/report/rollup"
)

// seriesShareNone fails the test if two series of a chart have the same color.
func seriesShareNone(t *testing.T, c *chart) {
	t.Helper()
	seen := map[string]string{}
	for _, s := range c.Series {
		color := s.Tone
		if s.Tone == "" {
			color = strconv.Itoa(s.Color)
		}
		if other, ok := seen[color]; ok {
			t.Errorf("%s: %q and %q share the colour %s", c.Title, s.Name, other, color)
		}
		seen[color] = s.Name
		if s.Color < 0 || s.Color > colors || s.Color > 0 && s.Tone != "" {
			t.Errorf("%s: %q has the colour %d %q", c.Title, s.Name, s.Color, s.Tone)
		}
		if len(s.Values) != len(c.Labels) {
			t.Errorf("%s: %q has %d values for %d places", c.Title, s.Name, len(s.Values), len(c.Labels))
		}
	}
}

// TestColorsOfSeries holds that no two series of a chart share a color, however
// many classes a store has, and that the bars of each place add up to its total.
func TestColorsOfSeries(t *testing.T) {
	for n := range 3 * colors {
		var classes []classRow
		var ages []rangeRow
		want := map[int64]int64{}
		for i := range n {
			name := fmt.Sprintf("CLASS_%02d", i)
			size := int64((i+n/2)%n + 1)
			classes = append(classes, classRow{name, 1, 3 * size})
			for from := range int64(3) {
				ages = addRange(ages, from, ageName(from), name, rollup.Count{Objects: 1, Bytes: size}, size)
				want[from] += size
			}
		}
		c := rangeChart("Ages", "bytes", ages, classes)
		seriesShareNone(t, c)
		if most := min(n, colors+1); len(c.Series) != most {
			t.Errorf("%d classes are %d series, want %d", n, len(c.Series), most)
		}
		for i, r := range ages {
			var sum int64
			for _, s := range c.Series {
				sum += s.Values[i]
			}
			if sum != want[r.From] {
				t.Errorf("%d classes: the bar %s is %d, want %d", n, r.Name, sum, want[r.From])
			}
		}
		if n > colors {
			for _, class := range classes {
				small := class.Bytes <= int64(3*(n-colors))
				if named := namedIn(c, class.Class); named == small {
					t.Errorf("of %d classes the one of %d bytes has a colour of its own: %v", n, class.Bytes, named)
				}
			}
		}
	}

	at := time.Unix(1_700_000_000, 0)
	var runs []runRow
	for i, state := range []stocktake.RunState{stocktake.Succeeded, stocktake.Failed, stocktake.Cancelled, stocktake.Scanning, stocktake.Queued, stocktake.Skipped, stocktake.Publishing, stocktake.Succeeded} {
		r := stocktake.Run{State: state, Started: at.Add(time.Duration(i) * time.Hour), Manifest: "inv/photos/daily/2026-01-01T00-00Z/manifest.json"}
		runs = append(runs, runRow{Run: r, Seconds: 1})
	}
	for _, c := range []*chart{historyChart(runs), growthChart(runs)} {
		seriesShareNone(t, c)
	}
	seriesShareNone(t, changeChart([]changeRow{{Name: "a", NewBytes: 1}, {Name: "b", OldBytes: 1}}))
}

func namedIn(c *chart, name string) bool {
	for _, s := range c.Series {
		if s.Name == name {
			return true
		}
	}
	return false
}

var (
	tokenPattern = regexp.MustCompile(`--(series-\w+|sheet): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)`)

	// The vision of people who lack one kind of cone, in linear RGB. Source: Machado,
	// Oliveira and Fernandes 2009, severity 1.
	sights = map[string][3][3]float64{
		"all colours": {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
		"no red":      {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
		"no green":    {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
		"no blue":     {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
	}
)

// TestColorsDiffer holds that the colors of series contrast with the page, light
// and dark (WCAG 2.2, 1.4.11: 3 to 1), and are distinct, also for color-blind
// people.
func TestColorsDiffer(t *testing.T) {
	css, err := fs.ReadFile(assetFiles, "assets/console.css")
	if err != nil {
		t.Fatal(err)
	}
	themes := [2]map[string][3]float64{{}, {}}
	for _, m := range tokenPattern.FindAllStringSubmatch(string(css), -1) {
		for i := range themes {
			themes[i][m[1]] = linear(t, m[2+i])
		}
	}
	for i, theme := range themes {
		if len(theme) != colors+2 {
			t.Fatalf("%d colours of series, want %d, one for the rest, and the sheet", len(theme), colors)
		}
		sheet := theme["sheet"]
		delete(theme, "sheet")
		for name, c := range theme {
			light, dark := max(luminance(c), luminance(sheet)), min(luminance(c), luminance(sheet))
			if ratio := (light + 0.05) / (dark + 0.05); ratio < 3 {
				t.Errorf("theme %d: %s has a contrast of %.2f", i, name, ratio)
			}
			for other, o := range theme {
				for sight, m := range sights {
					least := 13.0
					if sight == "all colours" {
						least = 20
					}
					if d := distance(seen(m, c), seen(m, o)); name < other && d < least {
						t.Errorf("theme %d: %s and %s are %.1f apart for eyes with %s", i, name, other, d, sight)
					}
				}
			}
		}
	}
}

// linear returns the linear RGB of an sRGB color such as "#1d5c63".
func linear(t *testing.T, hex string) (c [3]float64) {
	t.Helper()
	for i := range c {
		n, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		if x := float64(n) / 255; x <= 0.04045 {
			c[i] = x / 12.92
		} else {
			c[i] = math.Pow((x+0.055)/1.055, 2.4)
		}
	}
	return c
}

func luminance(c [3]float64) float64 { return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2] }

func seen(m [3][3]float64, c [3]float64) (s [3]float64) {
	for i := range s {
		s[i] = min(max(m[i][0]*c[0]+m[i][1]*c[1]+m[i][2]*c[2], 0), 1)
	}
	return s
}

// distance returns the distance of two colors in CIELAB (Delta E 1976), where 2 is
// just noticeable.
func distance(a, b [3]float64) float64 {
	lab := func(c [3]float64) [3]float64 {
		f := func(t float64) float64 {
			if t > 0.008856 {
				return math.Cbrt(t)
			}
			return 7.787*t + 16.0/116
		}
		x := f((0.4124*c[0] + 0.3576*c[1] + 0.1805*c[2]) / 0.95047)
		y := f(luminance(c))
		z := f((0.0193*c[0] + 0.1192*c[1] + 0.9505*c[2]) / 1.08883)
		return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
	}
	p, q := lab(a), lab(b)
	return math.Hypot(math.Hypot(p[0]-q[0], p[1]-q[1]), p[2]-q[2])
}
