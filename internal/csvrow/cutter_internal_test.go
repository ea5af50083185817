package csvrow

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func readRows(r io.Reader) (rows [][]string, err error) {
	rr := NewCutter(r)
	for {
		values, err := rr.Next()
		if err != nil {
			if _, again := rr.Next(); again != err {
				return rows, errors.New("the error did not stay")
			}
			return rows, err
		}
		var row []string
		for _, v := range values {
			row = append(row, string(v))
		}
		rows = append(rows, row)
	}
}

// readTexts is readRows by way of the text of each row.
func readTexts(r io.Reader) (rows [][]string, err error) {
	rr := NewCutter(r)
	for {
		text, err := rr.NextText()
		if err != nil {
			return rows, err
		}
		values, err := rr.Cut(text)
		if err != nil {
			return rows, err
		}
		var row []string
		for _, v := range values {
			row = append(row, string(v))
		}
		rows = append(rows, row)
	}
}

func TestCutter(t *testing.T) {
	long := strings.Repeat("x", 300<<10) // more than is buffered at first
	for _, tt := range []struct {
		name, in string
		want     [][]string
		err      error
	}{
		{"nothing", "", nil, io.EOF},
		{"ours", "b,\"k\",\"1\"\nb,\"l\",\"\"\n", [][]string{{"b", "k", "1"}, {"b", "l", ""}}, io.EOF},
		{"all quoted", "\"b\",\"k\"\n", [][]string{{"b", "k"}}, io.EOF},
		{"all bare", "b,k,True\n", [][]string{{"b", "k", "True"}}, io.EOF},
		{"bare and empty", "b,,\n,\n", [][]string{{"b", "", ""}, {"", ""}}, io.EOF},
		{"an empty line", "\n", [][]string{{""}}, io.EOF},
		{"CR LF", "b,\"k\"\r\nb,l\r\n", [][]string{{"b", "k"}, {"b", "l"}}, io.EOF},
		{"no line end", "b,k\nb,\"l\"", [][]string{{"b", "k"}, {"b", "l"}}, io.EOF},
		{"ends in a comma", "b,", [][]string{{"b", ""}}, io.EOF},
		{"quotes and line ends within", "\"a\"\"b\",\"c,\nd\"\n\"\"\"\"\n", [][]string{{"a\"b", "c,\nd"}, {"\""}}, io.EOF},
		{"long", "b," + long + "\n\"" + long + "\"\n", [][]string{{"b", long}, {long}}, io.EOF},
		{"a quote never closes", "a,b\nb,\"k\n", [][]string{{"a", "b"}}, ErrQuote},
		{"text after a quote", "b,\"k\"x\n", nil, ErrQuote},
		{"a row without end", "a\n" + strings.Repeat("y", maxRow+1), [][]string{{"a"}}, ErrRowTooLong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, r := range map[string]io.Reader{
				"at once": strings.NewReader(tt.in), "by bytes": iotest.OneByteReader(strings.NewReader(tt.in)),
				"with the error": iotest.DataErrReader(strings.NewReader(tt.in)),
			} {
				got, err := readRows(r)
				if err != tt.err {
					t.Errorf("%s: error %v, want %v", name, err, tt.err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%.2000s", name, diff)
				}
			}
			if tt.err != io.EOF && tt.err != ErrRowTooLong {
				return // the row at fault has a text
			}
			for name, r := range map[string]io.Reader{"at once": strings.NewReader(tt.in), "by bytes": iotest.OneByteReader(strings.NewReader(tt.in))} {
				got, err := readTexts(r)
				if diff := cmp.Diff(tt.want, got); err != tt.err || diff != "" {
					t.Errorf("as text, %s: %v (-want +got):\n%.2000s", name, err, diff)
				}
			}
		})
	}
}

// Text that is not a row is not cut into columns.
func TestCutRefuses(t *testing.T) {
	for _, text := range []string{"\"a\n", "\"a\"b\n", "a\nb\n", "a,\"b\nc\n"} {
		if got, err := NewCutter(nil).Cut([]byte(text)); err != ErrQuote {
			t.Errorf("%q is cut into %q, %v", text, got, err)
		}
	}
}

// A row that the source cuts off is not returned.
func TestCutterBrokenOff(t *testing.T) {
	boom := errors.New("boom")
	got, err := readRows(io.MultiReader(strings.NewReader("a,b\nc,d"), iotest.ErrReader(boom)))
	if want := [][]string{{"a", "b"}}; !errors.Is(err, boom) || !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("rows %q, %v, want %q, boom", got, err, want)
	}
}

// FuzzCutter compares the reader with encoding/csv, for rows that both accept.
func FuzzCutter(f *testing.F) {
	for _, s := range []string{"b,\"k\",\"\"\n", "a,b\r\n\"c\"\"d\",e", "\"x\ny\",z\n", ",\n", "a\"b,c\n", "\"a\"\r\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		theirs := csv.NewReader(bytes.NewReader(in))
		theirs.FieldsPerRecord = -1
		want, err := theirs.ReadAll()
		if err != nil || bytes.Contains(in, []byte("\r")) || bytes.Contains(in, []byte("\n\n")) || bytes.HasPrefix(in, []byte("\n")) {
			readRows(bytes.NewReader(in)) // differs from theirs, but must end
			return
		}
		got, err := readRows(iotest.HalfReader(bytes.NewReader(in)))
		if err != io.EOF || !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("rows %q, %v, want %q", got, err, want)
		}
	})
}
