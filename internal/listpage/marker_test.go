package listpage

import "testing"

// A page repeats the requested marker in one of several ways.
func TestContinues(t *testing.T) {
	for _, tt := range []struct {
		page, marker string
		want         bool
	}{
		{"", "", true},
		{"", "a", true}, // no marker in the page
		{"<StartAfter>a b</StartAfter>", "a b", true},
		{"<StartAfter>a b</StartAfter>", "a c", false},
		{"<StartAfter>a</StartAfter>", "", false},
		{"<KeyMarker></KeyMarker>", "", true},
		{"<KeyMarker/>", "a", false},
		{"<Marker>a%20b%2F</Marker><EncodingType>url</EncodingType>", "a b/", true},
		{"<KeyMarker>a b/</KeyMarker><EncodingType>url</EncodingType>", "a b/", true}, // Ceph 16
		{"<KeyMarker>a%20b/</KeyMarker>", "a b/", false},
		{"<KeyMarker>&lt;\ufffd\ufffd</KeyMarker>", "<\x1f\xff", true}, // versitygw
		{"<KeyMarker>\ufffd\ufffd\U0010ffff</KeyMarker>", "\ufffe\uffff\U0010ffff", true},
		{"<KeyMarker>\ufffd</KeyMarker>", "a", false},
		{"<KeyMarker>a</KeyMarker>", "ab", false},
	} {
		for _, form := range []string{"", "<!-- not known -->"} {
			var p Page
			if err := p.Parse([]byte("<ListBucketResult>" + form + tt.page + "<IsTruncated>false</IsTruncated></ListBucketResult>")); err != nil {
				t.Fatal(err)
			}
			if got := p.Continues(tt.marker); got != tt.want {
				t.Errorf("%s after %q: %v, want %v", tt.page, tt.marker, got, tt.want)
			}
		}
	}
}
